/* A layer's time in each kernel set. */
#include "faster.h"
#include "../../fast/kernels.h"
#include "../base/progress.h"
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool faster_words(char words[64], SetTime used, const SetTime others[], int count, const char *isa)
{
    const double least = 1.1; /* times as fast: below, it may be chance */
    const SetTime *best = NULL;
    for (int i = 0; i < count; i++)
        if (!best || others[i].seconds < best->seconds)
            best = &others[i];
    if (!best || !(used.seconds >= least * best->seconds))
        return false;
    const bool other_set = strcmp(best->kernels, used.kernels) != 0,
               kept_off = isa && *isa && strcmp(isa, best->instruction_set) != 0;
    char set[32] = "";
    if (other_set)
        snprintf(set, sizeof set, " with --kernels=%s", best->kernels);
    const double ratio = used.seconds / best->seconds;
    snprintf(words, 64, "about %.*f times as fast%s%s", ratio < 10 ? 1 : 0, ratio, set,
             kept_off ? " without NOPOOL_ISA" : "");
    return true;
}

/* A layer with what it works on. */
typedef struct {
    const Engine *engine;
    Vector *filters, *dfilters, *logits, *dlogits, *statistics;
    Tensor *x, *y, *dx;
    Layer *layer;
} Trial;

/* A hidden convolution layer of the network's channels, on the levels that its first layer keeps. */
static LayerSpec trial_layer(const NetworkSpec *s)
{
    LayerSpec layer = network_layer(s, 0);
    layer.channels_in = layer.channels_out = s->channels;
    if (s->net != NET_LAYERS) {
        layer.levels = 1;
        layer.kept = 1;
    }
    return layer;
}

static void write_noise(const Engine *engine, Trial *t, const LayerSpec *s, int n)
{
    const size_t count = shape_count((Shape){n, s->channels_in, s->height, s->width});
    float *images = malloc(count * sizeof *images);
    for (size_t i = 0; i < layer_filters_count(s); i++) {
        const double value = (double)(i * 2654435761u % 1000) / 10000 - 0.05;
        engine->vector_write(t->filters, i, &value, 1);
    }
    for (size_t i = 0; images && i < count; i++)
        images[i] = (float)((double)(i * 2654435761u % 1000) / 500 - 1);
    if (images)
        engine->tensor_import(t->x, images, n);
    free(images);
}

static void trial_free(Trial *t)
{
    const Engine *e = t->engine;
    Vector *const vectors[] = {t->filters, t->dfilters, t->logits, t->dlogits, t->statistics};
    Tensor *const tensors[] = {t->x, t->y, t->dx};
    if (t->layer)
        e->layer_free(t->layer);
    for (int i = 0; i < 3; i++)
        if (tensors[i])
            e->tensor_free(tensors[i]);
    for (int i = 0; i < 5; i++)
        if (vectors[i])
            e->vector_free(vectors[i]);
}

static bool trial_begin(Trial *t, const Engine *e, const LayerSpec *s, int n)
{
    const Shape map = {n, s->channels_in, s->height, s->width};
    *t = (Trial){.engine = e};
    bool ok = (t->filters = e->vector_create(layer_filters_count(s))) &&
              (t->dfilters = e->vector_create(layer_filters_count(s))) &&
              (t->logits = e->vector_create((size_t)s->levels)) &&
              (t->dlogits = e->vector_create((size_t)s->levels)) &&
              (t->statistics = e->vector_create(layer_statistics_count(s))) &&
              (t->x = e->tensor_create(map)) && (t->y = e->tensor_create(map)) &&
              (t->dx = e->tensor_create(map));
    const Slices slices = {.filters = t->filters,
                           .dfilters = t->dfilters,
                           .logits = t->logits,
                           .dlogits = t->dlogits,
                           .statistics = t->statistics};
    ok = ok && (t->layer = e->layer_create(s, slices, n));
    if (ok)
        write_noise(e, t, s, n);
    return ok;
}

static double seconds_once(Trial *t)
{
    const double start = progress_seconds();
    t->engine->layer_forward(t->layer, t->y, t->x, PASS_FILTERS);
    t->engine->layer_backward(t->layer, t->dx, t->y, WANT_FILTERS);
    return progress_seconds() - start;
}

/* Seconds of an image: the quickest of a few, one if that takes long already. 0 without memory. */
static double layer_seconds(const Engine *engine, const LayerSpec *s, int n)
{
    enum { REPETITIONS = 4 };
    const double long_enough = 0.1;
    Trial t;
    double best = 0;
    if (trial_begin(&t, engine, s, n))
        for (int i = 0; i < REPETITIONS && best < long_enough; i++) {
            const double seconds = seconds_once(&t);
            best = i == 0 || seconds < best ? seconds : best;
        }
    trial_free(&t);
    return best / n;
}

/* Images of a trial: a group of lanes and more, as far as the layer is small. */
static int trial_images(const LayerSpec *s)
{
    const double enough = 4e8 * omp_get_max_threads(); /* multiply-accumulates of the forward pass */
    double macs = 0;
    for (int r = 0; r < s->levels; r++)
        macs += level_kept(s->kept, r) ? layer_macs(s, r) : 0;
    const double groups = enough / macs / LANES;
    return LANES * (groups < 1 ? 1 : groups > 8 ? 8 : (int)groups);
}

bool faster_set(char words[64], const NetworkSpec *s, const Engine *used)
{
    static const char *const sets[] = {"f32", "bf16"};
    const LayerSpec layer = trial_layer(s);
    const int images = trial_images(&layer);
    const Kernels *versions[MAX_ISAS];
    SetTime others[2], mine = {used->name, used->instruction_set, 0};
    int count = 0;
    /* ref has no lanes to fill, and takes seconds for a group of large images */
    mine.seconds = layer_seconds(used, &layer, strcmp(used->name, "ref") == 0 ? 1 : images);
    for (int i = 0; i < 2; i++) {
        if (kernels_versions(versions, sets[i]) == 0 || versions[0]->engine == used)
            continue;
        const double seconds = layer_seconds(versions[0]->engine, &layer, images);
        if (seconds > 0)
            others[count++] = (SetTime){sets[i], versions[0]->instruction_set, seconds};
    }
    return faster_words(words, mine, others, count, getenv("NOPOOL_ISA"));
}
