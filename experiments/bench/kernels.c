/* Single passes: convolutions against the multiply-add peak and oneDNN, the rest against memory bandwidth. */
#include "bench.h"
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BATCH = 192 };

typedef struct {
    const F32 *f32;
    Conv2dShape s;
    float *x, *y, *w, *b, *dw, *db;
    void *scratch;
} Convolution;

/* Aligned numbers between -1 and 1; the program ends if there is no memory. */
static void *numbers(size_t bytes)
{
    float *x = aligned_alloc(64, (bytes + 63) / 64 * 64);
    if (!x) {
        fprintf(stderr, "bench: not enough memory for %zu bytes\n", bytes);
        exit(1);
    }
    for (size_t i = 0; i < bytes / sizeof *x; i++)
        x[i] = (float)((i * 2654435761u >> 12) % 2001) / 1000 - 1;
    return x;
}

static void forward(void *context)
{
    Convolution *c = context;
    c->f32->conv2d_forward(c->y, c->x, c->w, c->b, true, c->s, c->scratch);
}

static void backward_data(void *context)
{
    Convolution *c = context;
    c->f32->conv2d_backward_data(c->x, c->y, c->w, c->s, c->scratch);
}

static void backward_weights(void *context)
{
    Convolution *c = context;
    c->f32->conv2d_backward_weights(c->dw, c->db, c->y, c->x, c->s, c->scratch);
}

static void winograd_forward(void *context)
{
    Convolution *c = context;
    c->f32->conv2d_winograd_forward(c->y, c->x, c->w, c->b, true, c->s, c->scratch);
}

static void winograd_backward_data(void *context)
{
    Convolution *c = context;
    c->f32->conv2d_winograd_backward_data(c->x, c->y, c->w, c->s, c->scratch);
}

static void (*const passes[])(void *) = {forward, backward_data, backward_weights};
static void (*const winograd_passes[])(void *) = {winograd_forward, winograd_backward_data, NULL};
static const char *const pass_names[] = {"conv2d_forward", "conv2d_backward_data", "conv2d_backward_weights"};

static void bench_convolution(const F32 *f32, Peak peak, int threads, Conv2dShape s)
{
    char shape[64];
    const double flops = 2.0 * s.n * s.h * s.w * (double)conv2d_filters(s);
    const size_t scratch = f32->conv2d_scratch(s, threads), more = f32->conv2d_winograd_scratch(s, threads);
    Convolution c = {f32,
                     s,
                     numbers(lanes_count(conv2d_input(s)) * 4),
                     numbers(lanes_count(conv2d_output(s)) * 4),
                     numbers(conv2d_filters(s) * 4),
                     numbers((size_t)s.k * 4),
                     numbers(conv2d_filters(s) * 4),
                     numbers((size_t)s.k * 4),
                     numbers(scratch > more ? scratch : more)};
    snprintf(shape, sizeof shape, "%dx%d->%d,%dx%d", s.n, s.c, s.k, s.h, s.w);
    for (int pass = 0; pass < 3; pass++) {
        const double seconds = bench_seconds(passes[pass], &c);
        const double direct = onednn_seconds((ConvolutionPass)pass, ALGORITHM_DIRECT, s);
        const double winograd = onednn_seconds((ConvolutionPass)pass, ALGORITHM_WINOGRAD, s);
        bench_line(pass_names[pass], "f32", shape, threads, flops / seconds / 1e9, "GFLOP/s",
                   flops / seconds / peak.flops, direct / seconds);
        if (winograd_passes[pass]) {
            const double ours = bench_seconds(winograd_passes[pass], &c);
            bench_line(pass_names[pass], "f32-winograd", shape, threads, flops / ours / 1e9, "GFLOP/s",
                       flops / ours / peak.flops, direct / ours);
        }
        if (direct > 0)
            bench_line(pass_names[pass], "onednn-direct", shape, threads, flops / direct / 1e9, "GFLOP/s",
                       flops / direct / peak.flops, 1);
        if (winograd > 0)
            bench_line(pass_names[pass], "onednn-winograd", shape, threads, flops / winograd / 1e9, "GFLOP/s",
                       flops / winograd / peak.flops, direct / winograd);
    }
    void *const arrays[] = {c.x, c.y, c.w, c.b, c.dw, c.db, c.scratch};
    for (int i = 0; i < 7; i++)
        free(arrays[i]);
}

void bench_convolutions(const F32 *f32, Peak peak, int threads)
{
    static const int channels[][2] = {{64, 64}, {32, 32}, {16, 16}, {128, 128}};
    for (int i = 0; i < 4; i++)
        for (int side = 32; side >= 2; side /= 2)
            bench_convolution(
                f32, peak, threads,
                (Conv2dShape){i == 3 ? BATCH / 4 : BATCH, channels[i][0], channels[i][1], side, side, 3, 1});
    bench_convolution(f32, peak, threads, (Conv2dShape){BATCH, 3, 64, 32, 32, 3, 1});
    bench_convolution(f32, peak, threads, (Conv2dShape){BATCH, 64, 10, 32, 32, 3, 1});
}

/* A map of 64 channels and what the byte-bound passes need. */
typedef struct {
    const F32 *f32;
    Shape s;
    float *x, *y, *small;
    float *mean, *variance;
    double *scratch;
} Maps;

static void pool(void *context)
{
    Maps *m = context;
    m->f32->pool_forward(m->small, m->x, POOL_MAX, 2, m->s);
}

static void pool_backward(void *context)
{
    Maps *m = context;
    m->f32->pool_backward(m->y, m->small, m->x, POOL_MAX, 2, m->s);
}

static void upsample(void *context)
{
    Maps *m = context;
    m->f32->upsample_forward(m->y, m->small, UPSAMPLE_NEAREST, 2, shape_coarser(m->s, 2));
}

static void statistics(void *context)
{
    Maps *m = context;
    m->f32->batchnorm_statistics(m->mean, m->variance, m->x, m->s, m->scratch);
}

static void normalise(void *context)
{
    Maps *m = context;
    m->f32->batchnorm_forward(m->y, m->x, m->mean, m->variance, NULL, NULL, 1e-5f, m->s);
}

void bench_maps(const F32 *f32, Peak peak, int threads)
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
    const size_t bytes = lanes_count(s) * 4;
    Maps m = {f32,
              s,
              numbers(bytes),
              numbers(bytes),
              numbers(bytes / 4),
              numbers(64 * 4),
              numbers(64 * 4),
              numbers(16ul * 64 * lanes_groups(BATCH))};
    for (int i = 0; i < 5; i++) {
        const double rate = table[i].quarters * (double)bytes / 4 / bench_seconds(table[i].work, &m);
        bench_line(table[i].what, "f32", "192x64,32x32", threads, rate / 1e9, "GB/s", rate / peak.bytes, 0);
    }
    void *const arrays[] = {m.x, m.y, m.small, m.mean, m.variance, m.scratch};
    for (int i = 0; i < 6; i++)
        free(arrays[i]);
}
