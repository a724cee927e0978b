/* The content of a checkpoint: putting, getting, and refusing what cannot be. */
#include "state.h"
#include "../base/files.h"
#include "../network/possible.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *const state_texts[STATE_TEXTS] = {"config.tsv", "log.tsv", "alpha.tsv", "beta.tsv",
                                              "predictions.tsv"};

enum { TALLY = 6 };

void state_vectors(Saved saved[SAVED_VECTORS], const Network *net)
{
    saved[0] = (Saved){"filters", net->filters, net->filters_count};
    saved[1] = (Saved){"velocity", net->velocity, net->filters_count};
    saved[2] = (Saved){"logits", net->logits, net->logits_count};
    saved[3] = (Saved){"moment1", net->moment1, net->logits_count};
    saved[4] = (Saved){"moment2", net->moment2, net->logits_count};
    saved[5] = (Saved){"statistics", net->statistics, net->statistics_count};
}

static bool put_vectors(Checkpoint *c, const Network *net, Error *error)
{
    Saved saved[SAVED_VECTORS];
    state_vectors(saved, net);
    for (int i = 0; i < SAVED_VECTORS; i++) {
        double *numbers = malloc(saved[i].count * sizeof *numbers);
        if (!numbers)
            return fail(error, "not enough memory to save %s", saved[i].name);
        net->engine->vector_read(numbers, saved[i].vector, 0, saved[i].count);
        const bool ok = checkpoint_put(c, saved[i].name, numbers, saved[i].count, error);
        free(numbers);
        if (!ok)
            return false;
    }
    return true;
}

static bool get_vectors(Checkpoint *c, Network *net, Error *error)
{
    Saved saved[SAVED_VECTORS];
    state_vectors(saved, net);
    for (int i = 0; i < SAVED_VECTORS; i++) {
        double *numbers = malloc(saved[i].count * sizeof *numbers);
        if (!numbers)
            return fail(error, "not enough memory to load %s", saved[i].name);
        const bool ok = checkpoint_get(c, saved[i].name, numbers, saved[i].count, error);
        if (ok)
            net->engine->vector_write(saved[i].vector, 0, numbers, saved[i].count);
        free(numbers);
        if (!ok)
            return false;
    }
    return true;
}

static bool put_tally(Checkpoint *c, const char *name, const Tally *t, Error *error)
{
    const double numbers[TALLY] = {t->loss,           t->gradient2,    t->decay2, (double)t->correct,
                                   (double)t->images, (double)t->steps};
    return checkpoint_put(c, name, numbers, TALLY, error);
}

/* Masks are numbers too: a pruned network is loaded without its source. */
static bool put_state(Checkpoint *c, const State *s, Error *error)
{
    const double epoch = s->epoch, iteration = s->iteration;
    double kept[MAX_LAYERS], mean[IMAGE_CHANNELS], deviation[IMAGE_CHANNELS];
    for (int l = 0; l < MAX_LAYERS; l++)
        kept[l] = s->kept[l];
    for (int i = 0; i < IMAGE_CHANNELS; i++) {
        mean[i] = s->mean[i];
        deviation[i] = s->deviation[i];
    }
    bool ok = checkpoint_put(c, "epoch", &epoch, 1, error) &&
              checkpoint_put(c, "iteration", &iteration, 1, error) && put_tally(c, "tally_a", &s->a, error) &&
              put_tally(c, "tally_b", &s->b, error) && checkpoint_put(c, "seconds", &s->seconds, 1, error) &&
              checkpoint_put(c, "kept", kept, MAX_LAYERS, error) &&
              checkpoint_put(c, "mean", mean, IMAGE_CHANNELS, error) &&
              checkpoint_put(c, "deviation", deviation, IMAGE_CHANNELS, error);
    for (int i = 0; i < STATE_TEXTS; i++)
        ok = ok && (!s->sha256[i][0] || checkpoint_put_text(c, state_texts[i], s->sha256[i], error));
    return ok;
}

bool state_write(const State *state, const Network *net, const char *folder, Error *error)
{
    Checkpoint *c = checkpoint_create(folder, error);
    if (!c)
        return false;
    if (put_vectors(c, net, error) && put_state(c, state, error))
        return checkpoint_close(c, error);
    checkpoint_abandon(c);
    return false;
}

static bool impossible(const char *folder, const char *what, double value, Error *error)
{
    return fail(
        error,
        "%.400s/checkpoint.h5 has the right SHA-256, but %s is %g, which no run leaves: restore it from a "
        "copy, or remove the run's folder to start it anew",
        folder, what, value);
}

static bool is_whole(double value, double most)
{
    return value >= 0 && value <= most && floor(value) == value; /* false for NaN */
}

static bool get_whole(int *number, Checkpoint *c, const char *name, const char *folder, Error *error)
{
    double value;
    if (!checkpoint_get(c, name, &value, 1, error))
        return false;
    if (!is_whole(value, 1e9))
        return impossible(folder, name, value, error);
    *number = (int)value;
    return true;
}

static bool get_tally(Tally *t, Checkpoint *c, const char *name, const char *folder, Error *error)
{
    double numbers[TALLY];
    if (!checkpoint_get(c, name, numbers, TALLY, error))
        return false;
    for (int i = 0; i < TALLY; i++)
        if (!isfinite(numbers[i]) || numbers[i] < 0 || (i >= 3 && !is_whole(numbers[i], 1e15)))
            return impossible(folder, name, numbers[i], error);
    *t = (Tally){numbers[0], numbers[1], numbers[2], (long)numbers[3], (long)numbers[4], (long)numbers[5]};
    return true;
}

static bool get_masks(unsigned kept[MAX_LAYERS], Checkpoint *c, const char *folder, Error *error)
{
    double numbers[MAX_LAYERS];
    if (!checkpoint_get(c, "kept", numbers, MAX_LAYERS, error))
        return false;
    for (int l = 0; l < MAX_LAYERS; l++) {
        if (!is_whole(numbers[l], all_levels(MAX_LEVELS)))
            return impossible(folder, "kept", numbers[l], error);
        kept[l] = (unsigned)numbers[l];
    }
    return true;
}

static bool get_pixels(State *s, Checkpoint *c, const char *folder, Error *error)
{
    double mean[IMAGE_CHANNELS], deviation[IMAGE_CHANNELS];
    if (!checkpoint_get(c, "mean", mean, IMAGE_CHANNELS, error) ||
        !checkpoint_get(c, "deviation", deviation, IMAGE_CHANNELS, error))
        return false;
    for (int i = 0; i < IMAGE_CHANNELS; i++) { /* of pixels in 0..1 */
        if (!(mean[i] >= 0 && mean[i] <= 1))
            return impossible(folder, "mean", mean[i], error);
        if (!(deviation[i] > 0 && deviation[i] <= 1))
            return impossible(folder, "deviation", deviation[i], error);
        s->mean[i] = (float)mean[i];
        s->deviation[i] = (float)deviation[i];
    }
    return true;
}

Checkpoint *state_open(State *state, const char *folder, Error *error)
{
    *state = (State){0};
    Checkpoint *c = checkpoint_open(folder, error);
    bool ok = c && get_whole(&state->epoch, c, "epoch", folder, error) &&
              get_whole(&state->iteration, c, "iteration", folder, error) &&
              get_tally(&state->a, c, "tally_a", folder, error) &&
              get_tally(&state->b, c, "tally_b", folder, error) &&
              checkpoint_get(c, "seconds", &state->seconds, 1, error) &&
              get_masks(state->kept, c, folder, error) && get_pixels(state, c, folder, error);
    if (ok && !(state->seconds >= 0 && state->seconds < 1e12))
        ok = impossible(folder, "seconds", state->seconds, error);
    for (int i = 0; i < STATE_TEXTS; i++) {
        const bool optional = i >= STATE_BETA;
        Error *const why = optional ? NULL : error;
        if (ok && !checkpoint_get_text(c, state_texts[i], state->sha256[i], sizeof state->sha256[i], why)) {
            state->sha256[i][0] = 0;
            ok = optional;
        }
    }
    if (ok)
        return c;
    if (c)
        checkpoint_abandon(c);
    return NULL;
}

static bool tally_fits(const Tally *t, long steps, int batch)
{
    return t->steps == steps && t->images == steps * batch && t->correct <= t->images;
}

bool state_check(const State *state, const Plan *plan, const char *folder, Error *error)
{
    const int batch = plan->options.batch;
    if (state->epoch > plan->epochs)
        return fail(
            error,
            "%.400s/checkpoint.h5 says that %d epochs of %d are done, which no run leaves: restore it from a "
            "copy, or remove the run's folder to start it anew",
            folder, state->epoch, plan->epochs);
    if (state->iteration > (state->epoch < plan->epochs ? plan->iterations : 0))
        return impossible(folder, "iteration", state->iteration, error);
    if (!tally_fits(&state->a, state->iteration, batch))
        return impossible(folder, "the steps of tally_a", (double)state->a.steps, error);
    if (!tally_fits(&state->b, plan->learns_alpha ? state->iteration : 0, batch))
        return impossible(folder, "the steps of tally_b", (double)state->b.steps, error);
    for (int l = 0; l < MAX_LAYERS; l++) {
        const unsigned levels = l < plan->network.layers ? plan->network.kept[l] : 0;
        if ((state->kept[l] & ~levels) != 0 || (levels != 0 && state->kept[l] == 0))
            return impossible(folder, "a mask of `kept`", state->kept[l], error);
    }
    return true;
}

bool state_load(Checkpoint *c, Network *net, const char *folder, Error *error)
{
    Impossible where;
    char words[96];
    if (!get_vectors(c, net, error)) {
        checkpoint_abandon(c);
        return false;
    }
    if (!checkpoint_close(c, error))
        return false;
    if (network_possible(net, &where))
        return true;
    impossible_words(words, sizeof words, net, &where);
    return fail(
        error,
        "%.400s/checkpoint.h5 has the right SHA-256, but %s: restore it from a copy, or remove the run's "
        "folder to start it anew",
        folder, words);
}

bool state_matches(const State *state, int text, const char *bytes, size_t count, const char *folder,
                   Error *error)
{
    char hash[65];
    sha256_hex(hash, bytes, count);
    return strcmp(hash, state->sha256[text]) == 0 ||
           fail(error,
                "%.400s/%s is not the text that its checkpoint.h5 was written with: it was edited or cut; "
                "restore it "
                "from a copy, or remove the run's folder to start it anew",
                folder, state_texts[text]);
}
