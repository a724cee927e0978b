/* Opening, continuing and saving a run. What decides a run's bits is in config.tsv; the rest is in run.h. */
#include "run.h"
#include "../base/files.h"
#include "../base/job.h"
#include "../base/lock.h"
#include "../data/batch.h"
#include "../network/possible.h"
#include "provenance.h"
#include "result.h"
#include <stdlib.h>
#include <string.h>

static const char *const outcomes[] = {"log.tsv",         "alpha.tsv",  "beta.tsv",     "timing.tsv",
                                       "predictions.tsv", "result.tsv", "checkpoint.h5"};
enum { OUTCOMES = sizeof outcomes / sizeof *outcomes };

static FileKind kind_of(const char *folder, const char *name)
{
    char path[4096];
    return (size_t)snprintf(path, sizeof path, "%s/%s", folder, name) < sizeof path ? file_kind(path)
                                                                                    : FILE_ABSENT;
}

static bool has(const char *folder, const char *name)
{
    return kind_of(folder, name) == FILE_PLAIN;
}

static bool read_text(char **bytes, size_t *count, const char *folder, const char *name, Error *error)
{
    char path[4096];
    if ((size_t)snprintf(path, sizeof path, "%s/%s", folder, name) >= sizeof path)
        return fail(error, "the path of the run's folder %.200s is too long", folder);
    return file_read(bytes, count, path, error);
}

bool run_fails(const Run *run, int epoch, int iteration, const char *words, Error *error)
{
    return fail(
        error,
        "%s in epoch %d, iteration %d, of %.400s: choose a smaller --lr; its last checkpoint, of before, "
        "stays",
        words, epoch, iteration, run->folder);
}

/* Whether a text of the state is one that grows with the epochs of this run. */
static bool grows(int text, const Plan *plan)
{
    return text < STATE_BETA || (text == STATE_BETA && plan->network.depth);
}

static State state_of(const Run *run)
{
    State s = {.epoch = run->epoch,
               .iteration = run->iteration,
               .a = run->tally_a,
               .b = run->tally_b,
               .seconds = run->seconds};
    const Text *texts[STATE_TEXTS] = {&run->config, &run->log, &run->alpha, &run->beta, &run->predictions};
    memcpy(s.kept, run->plan.network.kept, sizeof s.kept);
    memcpy(s.mean, run->data.mean, sizeof s.mean);
    memcpy(s.deviation, run->data.deviation, sizeof s.deviation);
    for (int i = 0; i < STATE_TEXTS; i++)
        if (grows(i, &run->plan) || (i == STATE_PREDICTIONS && texts[i]->count))
            sha256_hex(s.sha256[i], texts[i]->bytes, texts[i]->count);
    return s;
}

static bool write_texts(const Run *run, Error *error)
{
    return text_write(&run->log, run->folder, "log.tsv", error) &&
           text_write(&run->alpha, run->folder, "alpha.tsv", error) &&
           (!run->plan.network.depth || text_write(&run->beta, run->folder, "beta.tsv", error)) &&
           text_write(&run->timing, run->folder, "timing.tsv", error) &&
           (!run->predictions.count || text_write(&run->predictions, run->folder, "predictions.tsv", error));
}

static bool check_savable(const Run *run, Error *error)
{
    Impossible where;
    if (!network_possible(run->net, &where)) {
        char words[96];
        impossible_words(words, sizeof words, run->net, &where);
        return run->iteration > 0 ? run_fails(run, run->epoch + 1, run->iteration, words, error)
                                  : run_fails(run, run->epoch, run->plan.iterations, words, error);
    }
    if (run->config.failed || run->log.failed || run->alpha.failed || run->beta.failed ||
        run->predictions.failed)
        return fail(error, "not enough memory for the texts of %.400s", run->folder);
    return true;
}

static bool write_folder(Run *run, Error *error)
{
    const State state = state_of(run);
    if (run->fresh)
        return state_write(&state, run->net, run->folder, error) && write_texts(run, error);
    /* Within an epoch the texts are those of its start, or ahead of them: then they are cut back again. */
    return (run->iteration > 0 || write_texts(run, error)) &&
           state_write(&state, run->net, run->folder, error);
}

bool run_save(Run *run, Error *error)
{
    const bool ok = check_savable(run, error) && (!job_writes() || write_folder(run, error));
    run->fresh = false;
    return job_agrees(ok, error);
}

bool run_load(TrainedNetwork *trained, const char *folder, int batch, Error *error)
{
    Options options;
    char *config, *bytes;
    size_t count;
    *trained = (TrainedNetwork){0};
    if (!config_read(&options, &config, folder, error))
        return false;
    result_value(trained->data_sha256, sizeof trained->data_sha256, config, "#data-sha256");
    free(config);
    Checkpoint *c = state_open(&trained->state, folder, error);
    if (!c)
        return false;
    bool ok = read_text(&bytes, &count, folder, "config.tsv", error);
    if (ok) {
        ok = state_matches(&trained->state, STATE_CONFIG, bytes, count, folder, error);
        free(bytes);
    }
    ok = ok && plan_resolve(&trained->plan, &options, error) &&
         state_check(&trained->state, &trained->plan, folder, error);
    if (ok) {
        memcpy(trained->plan.network.kept, trained->state.kept, sizeof trained->state.kept);
        trained->net = network_create(trained->plan.engine, &trained->plan.network,
                                      batch ? batch : options.batch, error);
        if (trained->net)
            return state_load(c, trained->net, folder, error);
    }
    checkpoint_abandon(c);
    return false;
}

bool run_verify(const char *folder, const Plan *plan, const State *state, Error *error)
{
    char *texts[STATE_TEXTS] = {NULL}, *result;
    size_t count;
    if (state->epoch != plan->epochs || state->iteration != 0)
        return fail(error,
                    "%.400s has a result.tsv, but its checkpoint.h5 is of epoch %d of %d: remove result.tsv "
                    "and train "
                    "again",
                    folder, state->epoch, plan->epochs);
    bool ok = true;
    for (int i = 0; ok && i < STATE_TEXTS; i++)
        if (grows(i, plan) || state->sha256[i][0] || has(folder, state_texts[i]))
            ok = read_text(&texts[i], &count, folder, state_texts[i], error) &&
                 state_matches(state, i, texts[i], count, folder, error);
    Text right = {0};
    ok = ok && read_text(&result, &count, folder, "result.tsv", error);
    if (ok) {
        ok = (result_text(&right, plan, texts[STATE_LOG], texts[STATE_BETA]) && !right.failed) ||
             fail(error, "%.400s/log.tsv is not that of %d epochs", folder, plan->epochs);
        ok = ok && result_same(result, right.bytes, folder, error);
        free(result);
    }
    text_free(&right);
    for (int i = 0; i < STATE_TEXTS; i++)
        free(texts[i]);
    return ok;
}

bool run_split(Run *run, Error *error)
{
    const Options *o = &run->plan.options;
    run->a = malloc(((size_t)o->images_a + o->images_b) * sizeof *run->a);
    if (!run->a)
        return fail(error, "not enough memory for the split of %d images", o->images_a + o->images_b);
    run->b = run->a + o->images_a; /* behind D_a, so that a run on both sees one array */
    split_training_set(run->a, o->images_a, run->b, o->images_b, run->data.train.count, (uint64_t)o->seed);
    if (o->logits_data == LOGITS_DATA_A)
        run->b = run->a;
    return true;
}

/* The first lines of the texts. */
static void write_headers(Text *log, Text *alpha, Text *beta, Text *timing, const Plan *plan)
{
    text_add(log, "epoch\tlr\tlogits_lr\tloss_a\taccuracy_a\tloss_b\taccuracy_b\ttest_images\ttest_loss\t"
                  "test_accuracy\tfilters_gradient\tfilters_decay\tlogits_gradient\tlogits_decay\n");
    text_add(alpha, "epoch\tlayer");
    for (int r = 0; r < plan->network.levels; r++)
        text_add(alpha, "\talpha%d", r);
    text_add(alpha, "\n");
    text_add(beta, "epoch");
    for (int l = 1; l < plan->network.layers; l++)
        text_add(beta, "\tbeta%d", l);
    text_add(beta, "\n");
    text_add(timing, "epoch\ttrain_seconds\ttest_seconds\timages_per_second\n");
}

static bool start_new(Run *run, Error *error)
{
    run->net = network_create(run->plan.engine, &run->plan.network, run->plan.options.batch, error);
    if (!run->net)
        return false;
    network_initialise(run->net, (uint64_t)run->plan.options.seed);
    network_start_alpha(run->net, (AlphaStart)run->plan.options.logits_start,
                        (uint64_t)run->plan.options.seed);
    run->fresh = true;
    write_headers(&run->log, &run->alpha, &run->beta, &run->timing, &run->plan);
    return true;
}

/* Reads a text and cuts it back to the epochs done; before the first epoch's end it may not have been
 * written. */
static bool continue_text(Text *text, const Run *run, const char *name, Error *error)
{
    Text headers[4] = {{0}};
    if (has(run->folder, name))
        return text_read_epochs(text, run->folder, name, run->epoch, error);
    if (run->epoch > 0)
        return fail(
            error,
            "%.400s/%s is missing, though %d epochs are done: restore it from a copy, or remove the run's "
            "folder to start it anew",
            run->folder, name, run->epoch);
    write_headers(&headers[0], &headers[1], &headers[2], &headers[3], &run->plan);
    const int which = text == &run->log ? 0 : text == &run->alpha ? 1 : text == &run->beta ? 2 : 3;
    *text = headers[which];
    for (int i = 0; i < 4; i++)
        if (i != which)
            text_free(&headers[i]);
    return true;
}

static bool same_source(const Run *run, const State *state, Error *error)
{
    if (memcmp(state->kept, run->plan.network.kept, sizeof state->kept) != 0)
        return fail(
            error,
            "%.400s/checkpoint.h5 keeps other levels than this run's options and source leave: name the run "
            "that it was pruned from, or remove the run's folder to start it anew",
            run->folder);
    return (memcmp(state->mean, run->data.mean, sizeof state->mean) == 0 &&
            memcmp(state->deviation, run->data.deviation, sizeof state->deviation) == 0) ||
           fail(error,
                "%.400s/checkpoint.h5 normalises images otherwise than this data: remove the run's folder",
                run->folder);
}

/* Predictions are there where a run was stopped between its last checkpoint and its result. */
static bool continue_predictions(Run *run, const State *state, Error *error)
{
    char *bytes;
    size_t count;
    if (!state->sha256[STATE_PREDICTIONS][0])
        return true;
    if (!read_text(&bytes, &count, run->folder, state_texts[STATE_PREDICTIONS], error))
        return false;
    text_add(&run->predictions, "%s", bytes);
    free(bytes);
    return state_matches(state, STATE_PREDICTIONS, run->predictions.bytes, count, run->folder, error);
}

/* Takes over a checkpoint: the position, the network, and the texts that belong to it. */
static bool continue_run(Run *run, Checkpoint *c, const State *state, Error *error)
{
    Text *const texts[STATE_TEXTS] = {NULL, &run->log, &run->alpha, &run->beta};
    run->epoch = state->epoch;
    run->iteration = state->iteration;
    run->tally_a = state->a;
    run->tally_b = state->b;
    run->seconds = state->seconds;
    bool ok = true;
    for (int i = STATE_LOG; i <= STATE_BETA && grows(i, &run->plan); i++)
        ok = ok && continue_text(texts[i], run, state_texts[i], error) &&
             state_matches(state, i, texts[i]->bytes, texts[i]->count, run->folder, error);
    ok = ok && continue_text(&run->timing, run, "timing.tsv", error) &&
         continue_predictions(run, state, error) &&
         (run->net = network_create(run->plan.engine, &run->plan.network, run->plan.options.batch, error));
    if (!ok) {
        checkpoint_abandon(c);
        return false;
    }
    return state_load(c, run->net, run->folder, error) && checkpoint_settle(run->folder, error) &&
           provenance_continue(run->folder, run->plan.engine, run->epoch, error);
}

/* Pipes, devices and folders under the names of a run's files, and files without the ones that they came
 * after. */
static bool check_files(const char *folder, Error *error)
{
    static const char *const names[] = {"config.tsv", "provenance.tsv", "checkpoint.sha256"};
    for (size_t i = 0; i < OUTCOMES + sizeof names / sizeof *names; i++) {
        const char *name = i < OUTCOMES ? outcomes[i] : names[i - OUTCOMES];
        if (kind_of(folder, name) == FILE_OTHER)
            return fail(error, "%.400s/%s is no plain file: remove it", folder, name);
    }
    const char *need = has(folder, "config.tsv") ? "checkpoint.h5" : "config.tsv";
    for (int i = 0; i < OUTCOMES; i++)
        if (has(folder, outcomes[i]) && !has(folder, need))
            return fail(
                error,
                "%.400s has a %s but no %s, which was there before it: restore it from a copy, or remove the "
                "run's folder to start it anew",
                folder, outcomes[i], need);
    return true;
}

static bool make_folder(Run *run, Error *error)
{
    config_write(&run->config, &run->plan, &run->data);
    return provenance_write(run->folder, run->plan.engine, &run->data, error) &&
           text_write(&run->config, run->folder, "config.tsv", error);
}

/* Whether the folder's config.tsv is this run's. Where a checkpoint says that it was edited, that comes
 * first: what it says of options is then not what the run was made with. */
static bool check_config(Run *run, const Checkpoint *c, const State *state, Error *error)
{
    char *bytes;
    size_t count;
    if (!read_text(&bytes, &count, run->folder, "config.tsv", error))
        return false;
    text_add(&run->config, "%s", bytes);
    const bool edited = c && !state_matches(state, STATE_CONFIG, bytes, count, run->folder, error);
    free(bytes);
    Options options; /* read for its sentences on a file that holds none */
    return !edited && config_read(&options, NULL, run->folder, error) &&
           config_check(run->config.bytes, run->folder, &run->plan, &run->data, error);
}

/* A folder that is locked, or finished. */
static bool enter_folder(Run *run, Error *error)
{
    State state;
    Error damage;
    if (!check_files(run->folder, error))
        return false;
    if (!has(run->folder, "config.tsv"))
        return make_folder(run, error) && run_split(run, error) && start_new(run, error);
    const bool stopped = has(run->folder, "checkpoint.h5");
    Checkpoint *c = stopped ? state_open(&state, run->folder, &damage) : NULL;
    bool ok = check_config(run, c, &state, error);
    if (ok && stopped && !c)
        return fail(error, "%s", damage.text);
    ok = ok &&
         (!c || (same_source(run, &state, error) && state_check(&state, &run->plan, run->folder, error)));
    run->finished = ok && has(run->folder, "result.tsv");
    if (run->finished)
        ok = run_verify(run->folder, &run->plan, &state, error);
    if (!ok || run->finished) {
        if (c)
            checkpoint_abandon(c);
        return ok;
    }
    if (!run_split(run, error)) {
        if (c)
            checkpoint_abandon(c);
        return false;
    }
    return c ? continue_run(run, c, &state, error) : start_new(run, error);
}

bool run_plan(Run *run, const char *folder, const Options *options, Error *error)
{
    *run = (Run){.folder = folder, .lock = -1};
    return dataset_load(&run->data, options->data, error) &&
           plan_make(&run->plan, options, &run->data, error);
}

/* A finished run is only looked at: its folder may be one that nobody can write to. */
bool run_enter(Run *run, Error *error)
{
    return (has(run->folder, "result.tsv") ||
            (folder_make(run->folder, error) && folder_lock(&run->lock, run->folder, error))) &&
           enter_folder(run, error);
}

void run_close(Run *run)
{
    network_free(run->net);
    dataset_free(&run->data);
    free(run->a);
    text_free(&run->config);
    text_free(&run->log);
    text_free(&run->alpha);
    text_free(&run->beta);
    text_free(&run->timing);
    text_free(&run->predictions);
    folder_unlock(run->lock);
}
