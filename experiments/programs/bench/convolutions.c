/* Convolution passes against the multiply-add peak and oneDNN. */
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

/* The lines of a pass, by kernels: the set's direct and Winograd's algorithm, oneDNN's in the same precision.
 */
enum { DIRECT, WINOGRAD, ONEDNN_DIRECT, ONEDNN_WINOGRAD, ALGORITHMS };
static const char *const algorithms[2][ALGORITHMS] = {
    {"f32", "f32-winograd", "onednn-direct", "onednn-winograd"},
    {"bf16", "bf16-winograd", "onednn-direct-bf16", "onednn-winograd-bf16"}};

/* Seconds of one algorithm, or 0 if there is none such. */
static double seconds_of(Convolution *c, int pass, int algorithm)
{
    const bool bf16 = strcmp(c->kernels->name, "bf16") == 0;
    switch (algorithm) {
    case DIRECT:
        return measure_seconds(passes[pass], c);
    case WINOGRAD:
        return measure_seconds(winograd_passes[pass], c);
    case ONEDNN_DIRECT:
        return onednn_seconds((ConvolutionPass)pass, ALGORITHM_DIRECT, bf16, c->s);
    default:
        return bf16 ? 0 : onednn_seconds((ConvolutionPass)pass, ALGORITHM_WINOGRAD, false, c->s);
    }
}

/* The names of the kernels in lines of this set. */
static const char *const *algorithms_of(const Kernels *kernels)
{
    return algorithms[strcmp(kernels->name, "bf16") == 0];
}

static void bench_pass(Convolution *c, int pass, int threads, const char *shape)
{
    const char *const *names = algorithms_of(c->kernels);
    const double flops = 2.0 * c->s.n * c->s.h * c->s.w * (double)conv2d_filters(c->s);
    double onednn = -1;
    for (int i = 0; i < ALGORITHMS; i++) {
        if (!measure_wanted(pass_names[pass], names[i], shape))
            continue;
        if (onednn < 0)
            onednn = seconds_of(c, pass, ONEDNN_DIRECT);
        const double seconds = i == ONEDNN_DIRECT ? onednn : seconds_of(c, pass, i);
        if (seconds > 0)
            measure_line(pass_names[pass], names[i], shape, threads, flops / seconds / 1e9, "GFLOP/s",
                         flops / seconds / measure_peak(c->kernels, threads).flops, onednn / seconds);
    }
}

static void bench_convolution(const Kernels *kernels, int threads, Conv2dShape s)
{
    char shape[64];
    bool wanted = false;
    snprintf(shape, sizeof shape, "%dx%d->%d,%dx%d", s.n, s.c, s.k, s.h, s.w);
    for (int i = 0; i < 3 * ALGORITHMS; i++)
        wanted = wanted || measure_wanted(pass_names[i % 3], algorithms_of(kernels)[i / 3], shape);
    if (!wanted)
        return;
    const size_t scratch = kernels->conv2d_scratch(s, threads),
                 more = kernels->conv2d_winograd_scratch(s, threads);
    Convolution c = {kernels,
                     s,
                     measure_tensor(kernels, conv2d_input(s)),
                     measure_tensor(kernels, conv2d_output(s)),
                     measure_numbers(conv2d_filters(s) * 4),
                     measure_numbers((size_t)s.k * 4),
                     measure_numbers(conv2d_filters(s) * 4),
                     measure_numbers((size_t)s.k * 4),
                     measure_numbers(scratch > more ? scratch : more)};
    for (int pass = 0; pass < 3; pass++)
        bench_pass(&c, pass, threads, shape);
    void *const arrays[] = {c.x, c.y, c.w, c.b, c.dw, c.db, c.scratch};
    for (int i = 0; i < 7; i++)
        free(arrays[i]);
}

void bench_convolutions(const Kernels *kernels, int threads)
{
    static const int channels[][2] = {{64, 64}, {32, 32}, {16, 16}, {128, 128}};
    for (int i = 0; i < 4; i++)
        for (int side = 32; side >= 2; side /= 2)
            bench_convolution(
                kernels, threads,
                (Conv2dShape){i == 3 ? BATCH / 4 : BATCH, channels[i][0], channels[i][1], side, side, 3, 1});
    bench_convolution(kernels, threads, (Conv2dShape){BATCH, 3, 64, 32, 32, 3, 1});
    bench_convolution(kernels, threads, (Conv2dShape){BATCH, 64, 10, 32, 32, 3, 1});
}
