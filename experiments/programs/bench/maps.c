/* Passes bound by bytes, against memory bandwidth: those between convolutions, and those of MBConv. */
#include "bench.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BATCH = 192 };

/* A pass and the quarters of a whole map that it reads or writes. */
typedef struct {
    const char *what;
    void (*work)(void *);
    int quarters;
} MapPass;

static bool any_wanted(const MapPass *passes, int count, const Kernels *kernels, const char *shape)
{
    for (int i = 0; i < count; i++)
        if (measure_wanted(passes[i].what, kernels->name, shape))
            return true;
    return false;
}

static void lines(const MapPass *passes, int count, void *context, const Kernels *kernels, const char *shape,
                  Shape s, int threads)
{
    const double bytes = (double)lanes_count(s) * (strcmp(kernels->name, "bf16") == 0 ? 2 : 4);
    for (int i = 0; i < count; i++) {
        if (!measure_wanted(passes[i].what, kernels->name, shape))
            continue;
        const double rate = passes[i].quarters * bytes / 4 / measure_seconds(passes[i].work, context);
        measure_line(passes[i].what, kernels->name, shape, threads, rate / 1e9, "GB/s",
                     rate / measure_peak(kernels, threads).bytes, 0);
    }
}

/* A map of 64 channels and what the byte-bound passes need. */
typedef struct {
    const Kernels *kernels;
    Shape s;
    Word *x, *y, *small;
    float *mean, *variance;
    double *scratch;
} Maps;

static void pool(void *context)
{
    Maps *m = context;
    m->kernels->pool_forward(m->small, m->x, POOL_MAX, 2, m->s);
}

static void pool_backward(void *context)
{
    Maps *m = context;
    m->kernels->pool_backward(m->y, m->small, m->x, POOL_MAX, 2, m->s);
}

static void upsample(void *context)
{
    Maps *m = context;
    m->kernels->upsample_forward(m->y, m->small, UPSAMPLE_NEAREST, 2, shape_coarser(m->s, 2));
}

static void statistics(void *context)
{
    Maps *m = context;
    m->kernels->batchnorm_statistics(m->mean, m->variance, m->x, m->s, m->scratch);
}

static void normalise(void *context)
{
    Maps *m = context;
    m->kernels->batchnorm_forward(m->y, m->x, m->mean, m->variance, NULL, NULL, 1e-5f, m->s);
}

static const MapPass between[] = {{"pool_forward", pool, 5},
                                  {"pool_backward", pool_backward, 13},
                                  {"upsample_forward", upsample, 5},
                                  {"batchnorm_statistics", statistics, 4},
                                  {"batchnorm_forward", normalise, 8}};

void bench_maps(const Kernels *kernels, int threads)
{
    static const char shape[] = "192x64,32x32";
    const Shape s = {BATCH, 64, 32, 32};
    if (!any_wanted(between, 5, kernels, shape))
        return;
    Maps m = {kernels,
              s,
              measure_tensor(kernels, s),
              measure_tensor(kernels, s),
              measure_tensor(kernels, shape_coarser(s, 2)),
              measure_numbers(64 * 4),
              measure_numbers(64 * 4),
              measure_numbers(kernels->batchnorm_scratch(s))};
    lines(between, 5, &m, kernels, shape, s, threads);
    void *const arrays[] = {m.x, m.y, m.small, m.mean, m.variance, m.scratch};
    for (int i = 0; i < 6; i++)
        free(arrays[i]);
}

/* The expanded maps of a layer of 128 channels and what passes over them need. */
enum { EXPANDED = 6 * 128, SQUEEZED = 32 };

typedef struct {
    const Kernels *kernels;
    SqueezeExciteShape s;
    Word *x, *y, *dx;
    float *w, *dw, *db; /* depthwise */
    ExciteWeights p;
    ExciteGradients d;
    ExciteCache cache;
    ExciteScratch scratch;
    double *sums;
} Expanded;

static void depthwise(void *context)
{
    Expanded *e = context;
    e->kernels->depthwise_forward(e->y, e->x, e->w, NULL, e->s.x);
}

static void depthwise_backward_data(void *context)
{
    Expanded *e = context;
    e->kernels->depthwise_backward_data(e->dx, e->y, e->w, e->s.x);
}

static void depthwise_backward_weights(void *context)
{
    Expanded *e = context;
    e->kernels->depthwise_backward_weights(e->dw, e->db, e->y, e->x, e->s.x, e->sums);
}

static void squeeze_excite(void *context)
{
    Expanded *e = context;
    e->kernels->squeeze_excite_forward(e->y, &e->cache, e->x, e->p, e->s);
}

static void squeeze_excite_backward(void *context)
{
    Expanded *e = context;
    e->kernels->squeeze_excite_backward(e->dx, e->d, &e->scratch, e->y, e->x, &e->cache, e->p, e->s);
}

/* Backward data and squeeze-and-excitation's backward add to dx: they read it, too. */
static const MapPass expanded[] = {{"depthwise_forward", depthwise, 8},
                                   {"depthwise_backward_data", depthwise_backward_data, 12},
                                   {"depthwise_backward_weights", depthwise_backward_weights, 8},
                                   {"squeeze_excite_forward", squeeze_excite, 12},
                                   {"squeeze_excite_backward", squeeze_excite_backward, 20}};

static void bench_expanded(const Kernels *kernels, int threads, int side)
{
    const Shape s = {BATCH, EXPANDED, side, side};
    const size_t wide = (size_t)lanes_groups(BATCH) * 16 * EXPANDED * 4,
                 narrow = (size_t)lanes_groups(BATCH) * 16 * SQUEEZED * 4, excite = 4ul * EXPANDED * SQUEEZED;
    char shape[64];
    snprintf(shape, sizeof shape, "%dx%d,%dx%d", s.n, s.c, s.h, s.w);
    if (!any_wanted(expanded, 5, kernels, shape))
        return;
    float *n[18];
    const size_t bytes[18] = {36ul * EXPANDED,
                              36ul * EXPANDED,
                              4ul * EXPANDED, /* depthwise */
                              excite,
                              4ul * SQUEEZED,
                              excite,
                              4ul * EXPANDED, /* w1, b1, w2, b2 */
                              excite,
                              4ul * SQUEEZED,
                              excite,
                              4ul * EXPANDED, /* their gradients */
                              wide,
                              narrow,
                              narrow,
                              wide, /* cache */
                              wide,
                              narrow,
                              wide}; /* scratch */
    for (int i = 0; i < 18; i++)
        n[i] = measure_numbers(bytes[i]);
    Expanded e = {kernels,
                  {s, SQUEEZED},
                  measure_tensor(kernels, s),
                  measure_tensor(kernels, s),
                  measure_tensor(kernels, s),
                  n[0],
                  n[1],
                  n[2],
                  {n[3], n[4], n[5], n[6]},
                  {n[7], n[8], n[9], n[10]},
                  {n[11], n[12], n[13], n[14]},
                  {n[15], n[16], n[17]},
                  measure_numbers(kernels->depthwise_scratch(s))};
    lines(expanded, 5, &e, kernels, shape, s, threads);
    for (int i = 0; i < 18; i++)
        free(n[i]);
    void *const arrays[] = {e.x, e.y, e.dx, e.sums};
    for (int i = 0; i < 4; i++)
        free(arrays[i]);
}

void bench_mbconv(const Kernels *kernels, int threads)
{
    bench_expanded(kernels, threads, 32);
    bench_expanded(kernels, threads, 8);
}
