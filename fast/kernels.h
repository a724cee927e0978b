/* The fast kernel sets: the operations of ref/ in float (f32) and on bfloat16 (bf16). Their meaning, shapes,
 * ownership and errors are documented in the header of the same name in ref/; what differs is said here.
 *
 * One layout: a lane is an image. A tensor of shape (N,C,H,W) is an array of words of 32 bits,
 *
 *     x[group][h][w][unit][lane],   image n = 16 group + lane,   ceil(N/16) groups,
 *
 * where a word is one channel of one image as a float in f32, so that there are C units, and two channels, 2u
 * and 2u + 1, as a pair of bfloat16 in bf16 (the even one in the low half), so that there are ceil(C/2). A
 * 512-bit register holds one unit of 16 images; arrays are aligned to 64 bytes. The lanes of the last group
 * beyond N hold anything, NaN included: what reduces over lanes leaves them out. The upper half of the last
 * unit of an odd C is 0 in every tensor that a function reads, and every function keeps it 0.
 *
 * Filters, biases, statistics and mixing weights are plain arrays of float in both sets, as in ref/. So are
 * the numbers of a matrix (N,C), the head's averages and logits, in lanes: [group][c][lane].
 *
 * bf16: tensors are rounded to bfloat16 (to nearest, ties to even) when they are stored, filters when a
 * convolution packs them; sums, statistics, coefficients, parameters and gradients of parameters are float or
 * double. A bfloat16 has 8 significant bits: one rounding is 2^-8 relative.
 *
 * Every sum over the batch is one partial a group (or half of one, or a few: the shape alone says), added in
 * group order: results do not depend on the number of threads. Each function runs on OpenMP's current number
 * of threads.
 *
 * The sources are compiled once per set and instruction set: plain (any CPU), avx2 (AVX2 and FMA), and avx512
 * for f32, avx512bf16 and amx for bf16. Within one of these results are reproducible to the bit; between them
 * they differ by rounding. amx_emulated, for tests, is amx with its instructions in plain C.
 *
 * Denormals, numbers below 2^-126: f32, and bf16 in plain and avx2, keep them. The instructions of
 * AVX-512-BF16 and of AMX take them as 0 and give 0 for them: avx512bf16 and amx when they round a number to
 * bfloat16, so in every tensor that they store, and when they multiply pairs. Where a ReLU's output is that
 * small, so that its gradient passes in the others, it is 0 in these and its gradient is held back.
 * (amx_emulated flushes in its tile products alone.) No error bound in fast/ covers denormals.
 *
 * NaN: as in ref, a NaN wins. ReLU keeps it, the maximum of a square is NaN if one of its pixels is. */
#ifndef NOPOOL_FAST_KERNELS_H
#define NOPOOL_FAST_KERNELS_H

#include "../ref/engine.h"
#include "../ref/optimizer.h"
#include "../ref/squeeze_excite.h"
#include "../ref/vocabulary.h"
#include "traffic.h"
#include <stdint.h>

enum { LANES = 16 };

/* Pixels whose numbers bf16 adds in float, before it adds them to a sum over the batch in double. */
enum { BF16_RUN = 16 };

/* A float, or a pair of bfloat16. */
typedef float Word;

static inline int lanes_groups(int n)
{
    return (n + LANES - 1) / LANES;
}

/* Words of a tensor or matrix that are enough in either set: the batch is rounded up to whole groups. (A
 * tensor of bf16 needs half of them; its own functions allocate no more.) */
static inline size_t lanes_count(Shape s)
{
    return (size_t)lanes_groups(s.n) * LANES * s.c * s.h * s.w;
}

/* Squeeze-and-excitation in float: as in ref/squeeze_excite.h, with matrices in lanes. Backward's dlogit is
 * where dgate was, dsqueezed where dhidden was. */
typedef struct {
    const float *w1, *b1, *w2, *b2;
} ExciteWeights;

typedef struct {
    float *dw1, *db1, *dw2, *db2;
} ExciteGradients;

typedef struct {
    float *average, *squeezed, *hidden, *gate;
} ExciteCache;

typedef struct {
    float *daverage, *dhidden, *dgate;
} ExciteScratch;

typedef struct Kernels {
    const char *name;            /* "f32", "bf16" */
    const char *instruction_set; /* "plain", "avx2", "avx512", "avx512bf16", "amx", "amx_emulated" */

    /* Layout: x (ref's order) to lanes, empty lanes 0, and back; the same for matrices. */
    void (*import)(Word *lanes, const float *x, Shape s);
    void (*export)(float *x, const Word *lanes, Shape s);
    void (*import_matrix)(float *lanes, const float *x, int n, int c);
    void (*export_matrix)(float *x, const float *lanes, int n, int c);

    /* Bytes of scratch that one convolution of this shape needs, whichever pass, on `threads` threads. */
    size_t (*conv2d_scratch)(Conv2dShape s, int threads);
    /* With relu, y = max(convolution, 0): the convolution never leaves the registers. */
    void (*conv2d_forward)(Word *y, const Word *x, const float *w, const float *b, bool relu, Conv2dShape s,
                           void *scratch);
    void (*conv2d_backward_data)(Word *dx, const Word *dy, const float *w, Conv2dShape s, void *scratch);
    void (*conv2d_backward_weights)(float *dw, float *db, const Word *dy, const Word *x, Conv2dShape s,
                                    void *scratch);

    /* The same for 3x3 filters at stride 1 by Winograd's algorithm: a quarter of the multiplications, more
     * rounding, in bf16 too in float and from filters that are not rounded. An infinity or NaN in an image
     * spreads over its tile, in dw over the filter. Scratch for any pass. */
    size_t (*conv2d_winograd_scratch)(Conv2dShape s, int threads);
    void (*conv2d_winograd_forward)(Word *y, const Word *x, const float *w, const float *b, bool relu,
                                    Conv2dShape s, void *scratch);
    void (*conv2d_winograd_backward_data)(Word *dx, const Word *dy, const float *w, Conv2dShape s,
                                          void *scratch);
    void (*conv2d_winograd_backward_weights)(float *dw, float *db, const Word *dy, const Word *x,
                                             Conv2dShape s, void *scratch);
    /* Whether the engine convolves this shape so: forward and backward data, backward weights. */
    bool (*conv2d_winograd_pays)(Conv2dShape s);
    bool (*conv2d_winograd_weights_pays)(Conv2dShape s);

    void (*relu_forward)(Word *y, const Word *x, Shape s);
    void (*relu_backward)(Word *dx, const Word *dy, const Word *y, Shape s);

    void (*sigmoid_forward)(Word *y, const Word *x, Shape s);
    void (*sigmoid_backward)(Word *dx, const Word *dy, const Word *y, Shape s);

    void (*swish_forward)(Word *y, const Word *x, Shape s);
    void (*swish_backward)(Word *dx, const Word *dy, const Word *x, Shape s);

    /* Filters are not rounded. scratch: depthwise_scratch bytes, for backward weights. */
    size_t (*depthwise_scratch)(Shape s);
    void (*depthwise_forward)(Word *y, const Word *x, const float *w, const float *b, Shape s);
    void (*depthwise_backward_data)(Word *dx, const Word *dy, const float *w, Shape s);
    void (*depthwise_backward_weights)(float *dw, float *db, const Word *dy, const Word *x, Shape s,
                                       double *scratch);

    void (*squeeze_excite_forward)(Word *y, const ExciteCache *cache, const Word *x, ExciteWeights p,
                                   SqueezeExciteShape s);
    void (*squeeze_excite_backward)(Word *dx, ExciteGradients d, const ExciteScratch *scratch, const Word *dy,
                                    const Word *x, const ExciteCache *cache, ExciteWeights p,
                                    SqueezeExciteShape s);

    /* scratch: batchnorm_scratch bytes, for both passes. */
    size_t (*batchnorm_scratch)(Shape s);
    void (*batchnorm_statistics)(float *mean, float *variance, const Word *x, Shape s, double *scratch);
    void (*batchnorm_forward)(Word *y, const Word *x, const float *mean, const float *variance,
                              const float *gamma, const float *beta, float eps, Shape s);
    void (*batchnorm_backward)(Word *dx, float *dgamma, float *dbeta, const Word *dy, const Word *x,
                               const float *mean, const float *variance, const float *gamma, float eps,
                               Shape s, double *scratch);

    void (*pool_forward)(Word *y, const Word *x, PoolMode mode, int factor, Shape s);
    void (*pool_backward)(Word *dx, const Word *dy, const Word *x, PoolMode mode, int factor, Shape s);

    void (*upsample_forward)(Word *y, const Word *x, UpsampleMode mode, int factor, Shape s);
    void (*upsample_backward)(Word *dx, const Word *dy, UpsampleMode mode, int factor, Shape s);

    void (*softmax_forward)(float *alpha, const float *a, uint64_t kept, int levels);
    void (*softmax_backward)(float *da, const float *dalpha, const float *alpha, uint64_t kept, int levels);
    void (*mix_forward)(Word *y, const Word *const x[], const float *alpha, uint64_t kept, int levels,
                        Shape s);
    /* scratch: 1 double per group. */
    void (*mix_backward)(Word *const dx[], float *dalpha, const Word *dy, const Word *const x[],
                         const float *alpha, uint64_t kept, int levels, Shape s, double *scratch);

    /* From a tensor to a matrix of averages. */
    void (*global_average_forward)(float *y, const Word *x, Shape s);
    void (*global_average_backward)(Word *dx, const float *dy, Shape s);

    /* x, y, dx, dy are matrices; w (K,C) and b (K) plain. */
    void (*linear_forward)(float *y, const float *x, const float *w, const float *b, int n, int c, int k);
    void (*linear_backward)(float *dx, float *dw, float *db, const float *dy, const float *x, const float *w,
                            int n, int c, int k);

    /* logits and dlogits are matrices. */
    double (*cross_entropy_forward)(const float *logits, const int *labels, int n, int k);
    void (*cross_entropy_backward)(float *dlogits, const float *logits, const int *labels, int n, int k);

    void (*sgd_step)(float *w, float *v, const float *dw, Sgd sgd, size_t count);
    void (*adam_step)(float *w, float *m, float *v, const float *dw, int t, Adam adam, size_t count);

    /* The yardstick of build/bench: multiply-adds between registers; returns how many operations were made.
     */
    double (*multiply_add_loop)(long rounds);

    const Engine *engine;        /* the engine made of these operations */
    const TrafficCount *traffic; /* what its passes move */
} Kernels;

enum { MAX_ISAS = 5 };

/* The versions of set `name` ("f32", "bf16") that this CPU can run, the fastest first, what is emulated last;
 * returns how many, 0 if there is no such set. */
int kernels_versions(const Kernels *versions[MAX_ISAS], const char *name);

/* The fastest one, or the one that the environment variable NOPOOL_ISA names (plain, avx2, avx512,
 * avx512bf16, amx, amx_emulated): for tests and for reproducing another machine's bits. NULL if there is no
 * such version of this set or this CPU cannot run it. */
const Kernels *kernels_best(const char *name);

#endif
