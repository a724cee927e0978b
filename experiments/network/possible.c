/* Looking through a network's vectors for numbers that cannot be. */
#include "possible.h"
#include <math.h>
#include <stdio.h>

typedef enum { FILTERS, LOGITS, STATISTICS } Extent;

typedef struct {
    const char *array;
    const Vector *vector;
    Extent extent;
    bool nonnegative;
} Looked;

/* How many numbers of a vector are those of layer l = 0..L-1. */
static size_t layer_extent(const Network *net, Extent extent, int l)
{
    const LayerSpec layer = network_layer(&net->spec, l);
    return extent == FILTERS      ? layer_filters_count(&layer)
           : extent == STATISTICS ? layer_statistics_count(&layer)
                                  : (size_t)net->spec.levels;
}

/* Per level and norm means (K), variances (K) and a weight: see Slices in ref/engine.h. */
static bool statistic_possible(double value, size_t at, const LayerSpec *layer)
{
    size_t in_norm = at % layer_level_statistics(layer);
    int norm = layer_block_norms(layer) - 1;
    while (in_norm < layer_norm_statistics(layer, norm))
        norm--;
    in_norm -= layer_norm_statistics(layer, norm);
    const size_t channels = (size_t)layer_norm_channels(layer, norm);
    return in_norm < channels || (value >= 0 && (in_norm < 2 * channels || value <= 1 + 1e-6));
}

static bool number_possible(const Network *net, const Looked *looked, double value, int l, size_t at)
{
    if (!isfinite(value) || (looked->nonnegative && value < 0))
        return false;
    const LayerSpec layer = network_layer(&net->spec, l);
    return looked->extent != STATISTICS || statistic_possible(value, at, &layer);
}

/* Looks at `count` numbers from `from` on; they are layer l's. */
static bool slice_possible(const Network *net, const Looked *looked, int l, size_t from, size_t count,
                           Impossible *where)
{
    double numbers[256];
    for (size_t at = 0; at < count; at++) {
        if (at % 256 == 0)
            net->engine->vector_read(numbers, looked->vector, from + at, count - at < 256 ? count - at : 256);
        if (!number_possible(net, looked, numbers[at % 256], l, at)) {
            *where = (Impossible){looked->array, l + 1, numbers[at % 256]};
            return false;
        }
    }
    return true;
}

static bool vector_possible(const Network *net, const Looked *looked, Impossible *where)
{
    const size_t counts[] = {net->filters_count, net->logits_count, net->statistics_count};
    size_t from = 0;
    for (int l = 0; l < net->spec.layers; l++) {
        const size_t count = layer_extent(net, looked->extent, l);
        if (!slice_possible(net, looked, l, from, count, where))
            return false;
        from += count;
    }
    return slice_possible(net, looked, net->spec.layers, from, counts[looked->extent] - from, where);
}

bool network_possible(const Network *net, Impossible *where)
{
    const Looked all[] = {
        {"filters", net->filters, FILTERS, false},      {"velocities", net->velocity, FILTERS, false},
        {"logits", net->logits, LOGITS, false},         {"first moments", net->moment1, LOGITS, false},
        {"second moments", net->moment2, LOGITS, true}, {"statistics", net->statistics, STATISTICS, false}};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (!vector_possible(net, &all[i], where))
            return false;
    return true;
}

bool network_gradients_possible(const Network *net, Impossible *where)
{
    const Looked filters = {"gradients of the filters", net->dfilters, FILTERS, false},
                 logits = {"gradients of the logits", net->dlogits, LOGITS, false};
    return vector_possible(net, &filters, where) && vector_possible(net, &logits, where);
}

void impossible_words(char *words, size_t size, const Network *net, const Impossible *where)
{
    char value[32] = "nan", place[32] = "the head"; /* printf knows -nan too, which says nothing more */
    if (!isnan(where->value))
        snprintf(value, sizeof value, "%g", where->value);
    if (where->layer <= net->spec.layers)
        snprintf(place, sizeof place, "layer %d", where->layer);
    snprintf(words, size, "the %s of %s hold %s", where->array, place, value);
}
