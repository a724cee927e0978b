/* Single passes: convolutions against the multiply-add peak and oneDNN, the rest against memory bandwidth. */
#include "bench.h"
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BATCH = 192 };

typedef struct {
    const Kernels *kernels;
    Conv2dShape s;
    Word *x, *y;
    float *w, *b, *dw, *db;
    void *scratch;
} Convolution;

static void forward(void *context)
{
    Convolution *c = context;
    c->kernels->conv2d_forward(c->y, c->x, c->w, c->b, true, c->s, c->scratch);
}

static void backward_data(void *context)
{
    Convolution *c = context;
    c->kernels->conv2d_backward_data(c->x, c->y, c->w, c->s, c->scratch);
}

static void backward_weights(void *context)
{
    Convolution *c = context;
    c->kernels->conv2d_backward_weights(c->dw, c->db, c->y, c->x, c->s, c->scratch);
}

static void winograd_forward(void *context)
{
    Convolution *c = context;
    c->kernels->conv2d_winograd_forward(c->y, c->x, c->w, c->b, true, c->s, c->scratch);
}

static void winograd_backward_data(void *context)
{
    Convolution *c = context;
    c->kernels->conv2d_winograd_backward_data(c->x, c->y, c->w, c->s, c->scratch);
}

static void winograd_backward_weights(void *context)
{
    Convolution *c = context;
    c->kernels->conv2d_winograd_backward_weights(c->dw, c->db, c->y, c->x, c->s, c->scratch);
}

static void (*const winograd_passes[])(void *) = {winograd_forward, winograd_backward_data,
                                                  winograd_backward_weights};
static void (*const passes[])(void *) = {forward, backward_data, backward_weights};
static const char *const pass_names[] = {"conv2d_forward", "conv2d_backward_data", "conv2d_backward_weights"};

static void bench_convolution(const Kernels *kernels, Peak peak, int threads, Conv2dShape s)
{
    char shape[64];
    const bool bf16 = strcmp(kernels->name, "bf16") == 0;
    const size_t scratch = kernels->conv2d_scratch(s, threads),
                 more = kernels->conv2d_winograd_scratch(s, threads);
    const double flops = 2.0 * s.n * s.h * s.w * (double)conv2d_filters(s);
    Convolution c = {kernels,
                     s,
                     measure_tensor(kernels, conv2d_input(s)),
                     measure_tensor(kernels, conv2d_output(s)),
                     measure_numbers(conv2d_filters(s) * 4),
                     measure_numbers((size_t)s.k * 4),
                     measure_numbers(conv2d_filters(s) * 4),
                     measure_numbers((size_t)s.k * 4),
                     measure_numbers(scratch > more ? scratch : more)};
    snprintf(shape, sizeof shape, "%dx%d->%d,%dx%d", s.n, s.c, s.k, s.h, s.w);
    for (int pass = 0; pass < 3; pass++) {
        const double seconds = measure_seconds(passes[pass], &c);
        const double direct = onednn_seconds((ConvolutionPass)pass, ALGORITHM_DIRECT, bf16, s);
        const double winograd =
            bf16 ? 0 : onednn_seconds((ConvolutionPass)pass, ALGORITHM_WINOGRAD, false, s);
        measure_line(pass_names[pass], kernels->name, shape, threads, flops / seconds / 1e9, "GFLOP/s",
                     flops / seconds / peak.flops, direct / seconds);
        const double ours = measure_seconds(winograd_passes[pass], &c);
        measure_line(pass_names[pass], bf16 ? "bf16-winograd" : "f32-winograd", shape, threads,
                     flops / ours / 1e9, "GFLOP/s", flops / ours / peak.flops, direct / ours);
        if (direct > 0)
            measure_line(pass_names[pass], bf16 ? "onednn-direct-bf16" : "onednn-direct", shape, threads,
                         flops / direct / 1e9, "GFLOP/s", flops / direct / peak.flops, 1);
        if (winograd > 0)
            measure_line(pass_names[pass], "onednn-winograd", shape, threads, flops / winograd / 1e9,
                         "GFLOP/s", flops / winograd / peak.flops, direct / winograd);
    }
    void *const arrays[] = {c.x, c.y, c.w, c.b, c.dw, c.db, c.scratch};
    for (int i = 0; i < 7; i++)
        free(arrays[i]);
}

void bench_convolutions(const Kernels *kernels, Peak peak, int threads)
{
    static const int channels[][2] = {{64, 64}, {32, 32}, {16, 16}, {128, 128}};
    for (int i = 0; i < 4; i++)
        for (int side = 32; side >= 2; side /= 2)
            bench_convolution(
                kernels, peak, threads,
                (Conv2dShape){i == 3 ? BATCH / 4 : BATCH, channels[i][0], channels[i][1], side, side, 3, 1});
    bench_convolution(kernels, peak, threads, (Conv2dShape){BATCH, 3, 64, 32, 32, 3, 1});
    bench_convolution(kernels, peak, threads, (Conv2dShape){BATCH, 64, 10, 32, 32, 3, 1});
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

void bench_maps(const Kernels *kernels, Peak peak, int threads)
{
    /* Quarters of a whole map that a pass reads or writes. */
    static const struct {
        const char *what;
        void (*work)(void *);
        int quarters;
    } table[] = {{"pool_forward", pool, 5},
                 {"pool_backward", pool_backward, 13},
                 {"upsample_forward", upsample, 5},
                 {"batchnorm_statistics", statistics, 4},
                 {"batchnorm_forward", normalise, 8}};
    const Shape s = {BATCH, 64, 32, 32};
    const size_t bytes = lanes_count(s) * (strcmp(kernels->name, "bf16") == 0 ? 2 : 4);
    Maps m = {kernels,
              s,
              measure_tensor(kernels, s),
              measure_tensor(kernels, s),
              measure_tensor(kernels, shape_coarser(s, 2)),
              measure_numbers(64 * 4),
              measure_numbers(64 * 4),
              measure_numbers(16ul * 64 * lanes_groups(BATCH))};
    for (int i = 0; i < 5; i++) {
        const double rate = table[i].quarters * (double)bytes / 4 / measure_seconds(table[i].work, &m);
        measure_line(table[i].what, kernels->name, "192x64,32x32", threads, rate / 1e9, "GB/s",
                     rate / peak.bytes, 0);
    }
    void *const arrays[] = {m.x, m.y, m.small, m.mean, m.variance, m.scratch};
    for (int i = 0; i < 6; i++)
        free(arrays[i]);
}
