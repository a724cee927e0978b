/* Kernel set f32: the operations of ref/ in float. Their meaning, shapes, ownership and errors are documented
 * in the header of the same name in ref/; what differs is said here.
 *
 * One layout: a lane is an image. A tensor of shape (N,C,H,W) is stored as
 *
 *     x[group][h][w][c][lane],   image n = 16 group + lane,   ceil(N/16) groups,
 *
 * so a 512-bit register holds one channel of 16 images; arrays are aligned to 64 bytes. The lanes of the last
 * group beyond N hold anything, NaN included: what reduces over lanes leaves them out. Filters, biases,
 * statistics and mixing weights are plain arrays, as in ref/. (N,C) matrices are tensors with H = W = 1.
 *
 * Every sum over the batch is one partial a group, added in group order: results do not depend on the number
 * of threads. Each function runs on OpenMP's current number of threads.
 *
 * The sources are compiled once per instruction set: plain (any CPU), avx2 (AVX2 and FMA), avx512. Within one
 * set results are reproducible to the bit; between sets they differ by rounding. */
#ifndef NOPOOL_FAST_F32_H
#define NOPOOL_FAST_F32_H

#include "../ref/engine.h"
#include "../ref/optimizer.h"
#include "../ref/vocabulary.h"
#include <stdint.h>

enum { LANES = 16 };

/* Floats in a tensor: the batch is rounded up to whole groups. */
static inline int lanes_groups(int n)
{
    return (n + LANES - 1) / LANES;
}

static inline size_t lanes_count(Shape s)
{
    return (size_t)lanes_groups(s.n) * LANES * s.c * s.h * s.w;
}

typedef struct F32 {
    const char *instruction_set; /* "plain", "avx2", "avx512" */

    /* Layout: x (ref's order) to lanes, empty lanes 0, and back. */
    void (*import)(float *lanes, const float *x, Shape s);
    void (*export)(float *x, const float *lanes, Shape s);

    /* Bytes of scratch that one convolution of this shape needs, whichever pass, on `threads` threads. */
    size_t (*conv2d_scratch)(Conv2dShape s, int threads);
    /* With relu, y = max(convolution, 0): the convolution never leaves the registers. */
    void (*conv2d_forward)(float *y, const float *x, const float *w, const float *b, bool relu, Conv2dShape s,
                           void *scratch);
    void (*conv2d_backward_data)(float *dx, const float *dy, const float *w, Conv2dShape s, void *scratch);
    void (*conv2d_backward_weights)(float *dw, float *db, const float *dy, const float *x, Conv2dShape s,
                                    void *scratch);

    /* The same for 3x3 filters at stride 1 by Winograd's algorithm: a quarter of the multiplications, more
     * rounding. An infinity or NaN in an image spreads over its tile. Scratch for either pass. */
    size_t (*conv2d_winograd_scratch)(Conv2dShape s, int threads);
    void (*conv2d_winograd_forward)(float *y, const float *x, const float *w, const float *b, bool relu,
                                    Conv2dShape s, void *scratch);
    void (*conv2d_winograd_backward_data)(float *dx, const float *dy, const float *w, Conv2dShape s,
                                          void *scratch);

    void (*relu_forward)(float *y, const float *x, Shape s);
    void (*relu_backward)(float *dx, const float *dy, const float *y, Shape s);

    /* scratch: 2 doubles per group and channel, for both passes. */
    void (*batchnorm_statistics)(float *mean, float *variance, const float *x, Shape s, double *scratch);
    void (*batchnorm_forward)(float *y, const float *x, const float *mean, const float *variance,
                              const float *gamma, const float *beta, float eps, Shape s);
    void (*batchnorm_backward)(float *dx, float *dgamma, float *dbeta, const float *dy, const float *x,
                               const float *mean, const float *variance, const float *gamma, float eps,
                               Shape s, double *scratch);

    void (*pool_forward)(float *y, const float *x, PoolMode mode, int factor, Shape s);
    void (*pool_backward)(float *dx, const float *dy, const float *x, PoolMode mode, int factor, Shape s);

    void (*upsample_forward)(float *y, const float *x, UpsampleMode mode, int factor, Shape s);
    void (*upsample_backward)(float *dx, const float *dy, UpsampleMode mode, int factor, Shape s);

    void (*softmax_forward)(float *alpha, const float *a, unsigned kept, int levels);
    void (*softmax_backward)(float *da, const float *dalpha, const float *alpha, unsigned kept, int levels);
    void (*mix_forward)(float *y, const float *const x[], const float *alpha, unsigned kept, int levels,
                        Shape s);
    /* scratch: 1 double per group. */
    void (*mix_backward)(float *const dx[], float *dalpha, const float *dy, const float *const x[],
                         const float *alpha, unsigned kept, int levels, Shape s, double *scratch);

    void (*global_average_forward)(float *y, const float *x, Shape s);
    void (*global_average_backward)(float *dx, const float *dy, Shape s);

    /* x, y, dx, dy are tensors with H = W = 1; w (K,C) and b (K) plain. */
    void (*linear_forward)(float *y, const float *x, const float *w, const float *b, int n, int c, int k);
    void (*linear_backward)(float *dx, float *dw, float *db, const float *dy, const float *x, const float *w,
                            int n, int c, int k);

    /* logits and dlogits are tensors with H = W = 1. */
    double (*cross_entropy_forward)(const float *logits, const int *labels, int n, int k);
    void (*cross_entropy_backward)(float *dlogits, const float *logits, const int *labels, int n, int k);

    void (*sgd_step)(float *w, float *v, const float *dw, Sgd sgd, size_t count);
    void (*adam_step)(float *w, float *m, float *v, const float *dw, int t, Adam adam, size_t count);

    /* The yardstick of build/bench: multiply-adds between registers; returns how many operations were made.
     */
    double (*multiply_add_loop)(long rounds);

    const Engine *engine; /* the engine made of these operations */
} F32;

/* Whether the engine convolves this shape by Winograd's algorithm, forward and backward data. Measured
 * against the direct sum in every instruction set, 192 images: 16->16 channels at 4x4 are 1.5 times as fast
 * (1.1 on two threads), 64->10 at 32x32 1.3, 64->64 2.0 at 4x4 and 2.8 at 32x32; 8->8 at 4x4 are as fast, and
 * maps that tiles of 4x4 cover badly slower (64->64: 0.9 at 5x5, 0.4 at 2x2). The batch and the threads have
 * no say, though 48 images at 4x4 are no work for two threads (0.9): the same images give the same bits in
 * any batch and at any number of threads. */
static inline bool f32_winograd_pays(Conv2dShape s)
{
    return s.side == 3 && s.stride == 1 && s.c >= 10 && s.k >= 10 && s.h % 4 == 0 && s.w % 4 == 0;
}

/* The sets this CPU can run, the fastest first; returns how many (1 to 3). */
int f32_sets(const F32 *sets[3]);

/* The fastest one, or the one that the environment variable NOPOOL_ISA names (plain, avx2, avx512): for tests
 * and for reproducing another machine's bits. NULL if that name is unknown or this CPU cannot run it. */
const F32 *f32_best(void);

#endif
