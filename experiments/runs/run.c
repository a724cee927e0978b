/* Opening, continuing and saving a run. What decides a run's bits is in config.tsv; the rest is in run.h. */
#include "run.h"
#include "../base/files.h"
#include "../data/batch.h"
#include "checkpoint.h"
#include "provenance.h"
#include <stdlib.h>
#include <string.h>

/* The checkpoint's arrays: every vector of the network but the gradients. */
typedef struct {
    const char *name;
    Vector *vector;
    size_t count;
} Saved;

enum { SAVED = 6 };

static void saved_vectors(Saved saved[SAVED], const Network *net)
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
    Saved saved[SAVED];
    saved_vectors(saved, net);
    for (int i = 0; i < SAVED; i++) {
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
    Saved saved[SAVED];
    saved_vectors(saved, net);
    for (int i = 0; i < SAVED; i++) {
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

/* Masks are numbers too: a pruned network is loaded without its source. */
static bool put_state(Checkpoint *c, const Run *run, Error *error)
{
    const double epoch = run->epoch;
    double kept[MAX_LAYERS], mean[IMAGE_CHANNELS], deviation[IMAGE_CHANNELS];
    for (int l = 0; l < MAX_LAYERS; l++)
        kept[l] = run->plan.network.kept[l];
    for (int i = 0; i < IMAGE_CHANNELS; i++) {
        mean[i] = run->data.mean[i];
        deviation[i] = run->data.deviation[i];
    }
    return put_vectors(c, run->net, error) && checkpoint_put(c, "epoch", &epoch, 1, error) &&
           checkpoint_put(c, "kept", kept, MAX_LAYERS, error) &&
           checkpoint_put(c, "mean", mean, IMAGE_CHANNELS, error) &&
           checkpoint_put(c, "deviation", deviation, IMAGE_CHANNELS, error);
}

bool run_save(Run *run, Error *error)
{
    if (!text_write(&run->log, run->folder, "log.tsv", error) ||
        !text_write(&run->alpha, run->folder, "alpha.tsv", error) ||
        !text_write(&run->timing, run->folder, "timing.tsv", error))
        return false;
    Checkpoint *c = checkpoint_create(run->folder, error);
    if (!c)
        return false;
    if (put_state(c, run, error))
        return checkpoint_close(c, error);
    checkpoint_abandon(c);
    return false;
}

static bool path_in(char *path, size_t size, const char *folder, const char *name)
{
    const int length = snprintf(path, size, "%s/%s", folder, name);
    return length > 0 && (size_t)length < size;
}

static bool has(const char *folder, const char *name)
{
    char path[4096];
    return path_in(path, sizeof path, folder, name) && file_exists(path);
}

bool run_options(Options *options, const char *folder, Error *error)
{
    char path[4096], *bytes;
    size_t count;
    options_default(options);
    if (!path_in(path, sizeof path, folder, "config.tsv"))
        return fail(error, "the path of the run's folder %.200s is too long", folder);
    if (!file_read(&bytes, &count, path, error))
        return false;
    const bool ok = options_read(options, bytes, path, error);
    free(bytes);
    return ok;
}

/* The masks and the epoch of a folder's checkpoint, then its vectors into a network made for these masks. */
static bool load_checkpoint(Network **net, NetworkSpec *spec, int *epoch, float mean[], float deviation[],
                            const char *folder, const Engine *engine, int batch, Error *error)
{
    double number, kept[MAX_LAYERS], numbers[2][IMAGE_CHANNELS];
    Checkpoint *c = checkpoint_open(folder, error);
    if (!c)
        return false;
    bool ok = checkpoint_get(c, "epoch", &number, 1, error) &&
              checkpoint_get(c, "kept", kept, MAX_LAYERS, error) &&
              checkpoint_get(c, "mean", numbers[0], IMAGE_CHANNELS, error) &&
              checkpoint_get(c, "deviation", numbers[1], IMAGE_CHANNELS, error);
    if (ok) {
        *epoch = (int)number;
        for (int l = 0; l < MAX_LAYERS; l++)
            spec->kept[l] = (unsigned)kept[l];
        for (int i = 0; i < IMAGE_CHANNELS; i++) {
            mean[i] = (float)numbers[0][i];
            deviation[i] = (float)numbers[1][i];
        }
        ok = (*net = network_create(engine, spec, batch, error)) && get_vectors(c, *net, error);
    }
    if (ok)
        return checkpoint_close(c, error);
    checkpoint_abandon(c);
    network_free(*net);
    *net = NULL;
    return false;
}

bool run_load(TrainedNetwork *trained, const char *folder, int batch, Error *error)
{
    NetworkSpec spec;
    *trained = (TrainedNetwork){0};
    if (!run_options(&trained->options, folder, error))
        return false;
    const Engine *engine = engine_of(trained->options.kernels, error);
    return engine && plan_network(&spec, &trained->options, error) &&
           load_checkpoint(&trained->net, &spec, &trained->epoch, trained->mean, trained->deviation, folder,
                           engine, batch ? batch : trained->options.batch, error);
}

void run_sibling(char *path, size_t size, const char *folder, const char *name)
{
    const char *slash = strrchr(folder, '/');
    if (strchr(name, '/') || !slash)
        snprintf(path, size, "%s", name);
    else
        snprintf(path, size, "%.*s/%s", (int)(slash - folder), folder, name);
}

static void write_config(Text *text, const Run *run)
{
    char options[16384];
    options_write(options, sizeof options, &run->plan.options);
    text_add(text, "%s", options);
    text_add(text, "#data-set\t%s\n", run->data.name);
    text_add(text, "#data-sha256\t%s\n", run->data.sha256);
    text_add(text, "#instruction-set\t%s\n", run->plan.engine->instruction_set);
}

/* Compares config.tsv with this run's; names what differs. */
static bool check_config(const Run *run, const Text *mine, Error *error)
{
    Options theirs;
    char path[4096], *bytes;
    size_t count;
    if (!run_options(&theirs, run->folder, error))
        return false;
    const char *name = options_difference(&theirs, &run->plan.options);
    if (name) {
        char was[TEXT_OPTION], is[TEXT_OPTION];
        options_value(was, sizeof was, &theirs, name);
        options_value(is, sizeof is, &run->plan.options, name);
        return fail(
            error,
            "%.400s was made with --%s=%.100s, not %.100s: choose another --run folder or the same options",
            run->folder, name, was, is);
    }
    if (!path_in(path, sizeof path, run->folder, "config.tsv") || !file_read(&bytes, &count, path, error))
        return false;
    const bool same = strcmp(bytes, mine->bytes) == 0;
    free(bytes);
    return same ||
           fail(error,
                "%s was made from other data or with another instruction set (the lines with # in its "
                "config.tsv): choose another --run folder",
                run->folder);
}

static bool make_split(Run *run, Error *error)
{
    const Options *o = &run->plan.options;
    run->a = malloc(((size_t)o->images_a + o->images_b) * sizeof *run->a);
    if (!run->a)
        return fail(error, "not enough memory for the split of %d images", o->images_a + o->images_b);
    run->b = run->a + o->images_a; /* behind D_a, so that a run on both sees one array */
    split_training_set(run->a, o->images_a, run->b, o->images_b, run->data.train.count, (uint64_t)o->seed);
    return true;
}

static bool start_new(Run *run, Error *error)
{
    run->net = network_create(run->plan.engine, &run->plan.network, run->plan.options.batch, error);
    if (!run->net)
        return false;
    network_initialise(run->net, (uint64_t)run->plan.options.seed);
    run->fresh = true;
    text_add(&run->log,
             "epoch\tlr\tlogits_lr\tloss_a\taccuracy_a\tloss_b\taccuracy_b\ttest_images\ttest_loss\t"
             "test_accuracy\tfilters_gradient\tfilters_decay\tlogits_gradient\tlogits_decay\n");
    text_add(&run->alpha, "epoch\tlayer");
    for (int r = 0; r < run->plan.network.levels; r++)
        text_add(&run->alpha, "\talpha%d", r);
    text_add(&run->alpha, "\n");
    text_add(&run->timing, "epoch\ttrain_seconds\ttest_seconds\timages_per_second\n");
    return true;
}

static bool continue_run(Run *run, Error *error)
{
    float mean[IMAGE_CHANNELS], deviation[IMAGE_CHANNELS];
    NetworkSpec spec = run->plan.network;
    if (!load_checkpoint(&run->net, &spec, &run->epoch, mean, deviation, run->folder, run->plan.engine,
                         run->plan.options.batch, error))
        return false;
    run->plan.network = spec;
    return text_read_epochs(&run->log, run->folder, "log.tsv", run->epoch, error) &&
           text_read_epochs(&run->alpha, run->folder, "alpha.tsv", run->epoch, error) &&
           text_read_epochs(&run->timing, run->folder, "timing.tsv", run->epoch, error) &&
           provenance_continue(run->folder, run->plan.engine, run->epoch, error);
}

/* Checks the folder's config.tsv, or makes the folder with it. */
static bool open_folder(Run *run, Error *error)
{
    Text config = {0};
    bool ok;
    write_config(&config, run);
    if (config.failed)
        ok = fail(error, "not enough memory for the options");
    else if (has(run->folder, "config.tsv"))
        ok = check_config(run, &config, error);
    else
        ok = folder_make(run->folder, error) &&
             provenance_write(run->folder, run->plan.engine, &run->data, error) &&
             text_write(&config, run->folder, "config.tsv", error);
    text_free(&config);
    return ok;
}

bool run_plan(Run *run, const char *folder, const Options *options, Error *error)
{
    *run = (Run){.folder = folder};
    return dataset_load(&run->data, options->data, error) &&
           plan_make(&run->plan, options, &run->data, error);
}

bool run_enter(Run *run, Error *error)
{
    if (!open_folder(run, error))
        return false;
    run->finished = has(run->folder, "result.tsv");
    return run->finished ||
           (make_split(run, error) &&
            (has(run->folder, "checkpoint.h5") ? continue_run(run, error) : start_new(run, error)));
}

void run_close(Run *run)
{
    network_free(run->net);
    dataset_free(&run->data);
    free(run->a);
    text_free(&run->log);
    text_free(&run->alpha);
    text_free(&run->timing);
}
