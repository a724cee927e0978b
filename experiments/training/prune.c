/* Pruning a trained network: masks from alpha, parameters from the source. */
#include "prune.h"
#include "../base/files.h"
#include <string.h>

void prune_levels(unsigned kept[MAX_LAYERS], const double *alpha, int layers, int levels, double threshold)
{
    for (int l = 0; l < layers; l++) {
        const double *a = alpha + (size_t)l * levels;
        int largest = 0;
        kept[l] = 0;
        for (int r = 0; r < levels; r++) {
            largest = a[r] > a[largest] ? r : largest;
            kept[l] |= a[r] >= threshold && a[r] > 0 ? 1u << r : 0;
        }
        kept[l] |= 1u << largest;
    }
}

/* What a pruned run may have of its own: how it prunes, how many images it is tested on, where the data lies.
 */
static const char *own_option(const Options *theirs, const Options *mine)
{
    Options o = *theirs;
    memcpy(o.data, mine->data, sizeof o.data);
    memcpy(o.prune_from, mine->prune_from, sizeof o.prune_from);
    o.prune_threshold = mine->prune_threshold;
    o.prune_start = mine->prune_start;
    o.prune_epochs = mine->prune_epochs;
    o.images_test = mine->images_test;
    o.images_epoch = mine->images_epoch;
    return options_difference(&o, mine);
}

/* With another seed, data or split the source has learned its alphas on images that this run trains and tests
 * on. */
static bool check_source(const TrainedNetwork *source, const Plan *plan, const Dataset *data,
                         const char *folder, Error *error)
{
    const Options *theirs = &source->plan.options;
    if (theirs->pooling != POOLING_LEARNED || theirs->prune_from[0])
        return fail(error,
                    "--prune-from is %s, which has not learned its alphas: name a run with --pooling=learned",
                    folder);
    const char *name = own_option(theirs, &plan->options);
    if (name) {
        char was[TEXT_OPTION], is[TEXT_OPTION];
        options_value(was, sizeof was, theirs, name);
        options_value(is, sizeof is, &plan->options, name);
        return fail(
            error,
            "--prune-from is %.400s, which was trained with --%s=%.100s, not %.100s: a pruned run has the "
            "options of its source",
            folder, name, was, is);
    }
    return strcmp(source->data_sha256, data->sha256) == 0 ||
           fail(error,
                "--prune-from is %.400s, which was trained on the data of SHA-256 %s, not %s: a pruned run "
                "has the "
                "data of its source",
                folder, source->data_sha256, data->sha256);
}

bool prune_source(TrainedNetwork *source, Plan *plan, const Dataset *data, const char *folder, Error *error)
{
    char result[4096];
    double alpha[MAX_LAYERS * MAX_LEVELS];
    snprintf(result, sizeof result, "%.4000s/result.tsv", folder);
    if (!file_exists(result))
        return fail(error,
                    "--prune-from is %s, which is not the folder of a finished run: train that one first",
                    folder);
    if (!run_load(source, folder, 1, error) || !check_source(source, plan, data, folder, error) ||
        !run_verify(folder, &source->plan, &source->state, error))
        return false;
    const NetworkSpec *spec = &source->net->spec;
    network_alpha(source->net, alpha);
    prune_levels(plan->network.kept, alpha, spec->layers, spec->levels, plan->options.prune_threshold);
    plan->source_epochs = plan->options.prune_start == PRUNE_TRAINED ? source->state.epoch : 0;
    return true;
}

static void copy_vector(const Engine *engine, Vector *to, const Vector *from, size_t count)
{
    double numbers[256];
    for (size_t at = 0; at < count; at += 256) {
        const size_t some = count - at < 256 ? count - at : 256;
        engine->vector_read(numbers, from, at, some);
        engine->vector_write(to, at, numbers, some);
    }
}

void prune_start(Network *net, const TrainedNetwork *source, const Plan *plan)
{
    copy_vector(net->engine, net->logits, source->net->logits, net->logits_count);
    if (plan->options.prune_start == PRUNE_SCRATCH)
        return;
    copy_vector(net->engine, net->filters, source->net->filters, net->filters_count);
    copy_vector(net->engine, net->statistics, source->net->statistics, net->statistics_count);
}
