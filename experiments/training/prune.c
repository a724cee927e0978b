/* Pruning a trained network: masks from alpha, parameters from the source. */
#include "prune.h"
#include "../base/files.h"

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

static bool same_network(const NetworkSpec *a, const NetworkSpec *b)
{
    return a->layers == b->layers && a->channels == b->channels && a->levels == b->levels &&
           a->bias == b->bias && a->affine == b->affine && a->shared_norm == b->shared_norm &&
           a->linear_head == b->linear_head;
}

bool prune_source(TrainedNetwork *source, Plan *plan, const char *folder, Error *error)
{
    char result[4096];
    double alpha[MAX_LAYERS * MAX_LEVELS];
    snprintf(result, sizeof result, "%.4000s/result.tsv", folder);
    if (!file_exists(result))
        return fail(error,
                    "--prune-from is %s, which is not the folder of a finished run: train that one first",
                    folder);
    if (!run_load(source, folder, 1, error))
        return false;
    const NetworkSpec *spec = &source->net->spec;
    if (source->options.pooling != POOLING_LEARNED || source->options.prune_from[0])
        return fail(error,
                    "--prune-from is %s, which has not learned its alphas: name a run with --pooling=learned",
                    folder);
    if (!same_network(spec, &plan->network))
        return fail(error, "--prune-from is %s, whose network is another one: give this run the same options",
                    folder);
    network_alpha(source->net, alpha);
    prune_levels(plan->network.kept, alpha, spec->layers, spec->levels, plan->options.prune_threshold);
    plan->source_epochs = plan->options.prune_start == PRUNE_TRAINED ? source->epoch : 0;
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
