/* Pruning a trained network: masks from alpha, parameters from the source. */
#include "prune.h"

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

void prune_plan(Plan *plan, const TrainedNetwork *source)
{
    double alpha[MAX_LAYERS * MAX_LEVELS];
    const NetworkSpec *spec = &source->net->spec;
    network_alpha(source->net, alpha);
    prune_levels(plan->network.kept, alpha, spec->layers, spec->levels, plan->options.prune_threshold);
    plan->source_epochs = plan->options.prune_start == PRUNE_TRAINED ? source->state.epoch : 0;
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
