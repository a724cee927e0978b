/* The words that the whole project shares. ref/ gives them their meaning, fast/ makes them fast,
 * experiments/ uses them. Nothing here depends on a number type or a memory layout.
 *
 * Dimension letters, the same everywhere:
 *   N  images of a batch              n  one of them
 *   C  channels of an input           c
 *   K  channels of an output          k
 *   H, W  height and width of a map   y, x   a row, a column
 *   S  side of a filter, 1 or 3       i, j   a row, a column inside the filter
 *   R  resolutions of a layer         r      one of them; level r is the map pooled by 2^r
 *   L  layers of a network            l      one of them
 *
 * Names: op_pass(outputs, inputs, dimensions). dx is the gradient of the loss with respect to x; it has
 * x's shape. Every backward pass *adds* to its outputs: the caller clears them first. Outputs never
 * overlap inputs unless a function says so. No operation allocates, prints or exits. */
#ifndef NOPOOL_REF_VOCABULARY_H
#define NOPOOL_REF_VOCABULARY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The most levels of a layer, layers of a network, and maps of a mix, which are either. */
enum { MAX_LEVELS = 8, MAX_LAYERS = 64, MAX_MIXED = 64 };

/* An array x[n][c][h][w]: N images of C channels of H x W. */
typedef struct {
    int n, c, h, w;
} Shape;

static inline size_t shape_count(Shape s)
{
    return (size_t)s.n * s.c * s.h * s.w;
}

/* The same images and channels on a map that is coarser by an integer factor. */
static inline Shape shape_coarser(Shape s, int factor)
{
    return (Shape){s.n, s.c, s.h / factor, s.w / factor};
}

/* The same images and channels on a map that is finer by an integer factor. */
static inline Shape shape_finer(Shape s, int factor)
{
    return (Shape){s.n, s.c, s.h * factor, s.w * factor};
}

/* A convolution from x (N,C,H,W) with filters w (K,C,S,S) to y (N,K,H/stride,W/stride), rounded up.
 * The zero padding is (S-1)/2 on every side, so at stride 1 the map keeps its size. */
typedef struct {
    int n, c, k, h, w;
    int side;   /* S: 1 or 3 */
    int stride; /* 1 or 2 */
} Conv2dShape;

static inline Shape conv2d_input(Conv2dShape s)
{
    return (Shape){s.n, s.c, s.h, s.w};
}

static inline Shape conv2d_output(Conv2dShape s)
{
    return (Shape){s.n, s.k, (s.h + s.stride - 1) / s.stride, (s.w + s.stride - 1) / s.stride};
}

static inline size_t conv2d_filters(Conv2dShape s)
{
    return (size_t)s.k * s.c * s.side * s.side;
}

/* S of the paper, section 3.1: how a map is made coarser. By a power of two, one factor of two at a time. */
typedef enum { POOL_MAX, POOL_AVERAGE, POOL_SUBSAMPLE } PoolMode;

/* U of the paper, equation 4: how a map is made finer. Zeros, between the pixels, are what a fabric's node
 * has for U (ref/fabric_node.h). */
typedef enum { UPSAMPLE_NEAREST, UPSAMPLE_BILINEAR, UPSAMPLE_ZEROS } UpsampleMode;

/* B of the paper, section 4.1 and Table 4: batch norm of ReLU of a 3x3 convolution, or ref/mbconv.h. */
typedef enum { BLOCK_CONV, BLOCK_MBCONV } BlockKind;

/* What a network is made of: multi-resolution layers, or the nodes of a fabric (fabric_node.h). */
typedef enum { NET_LAYERS, NET_FABRIC_DENSE, NET_FABRIC_SPARSE } NetKind;

/* Level r of a layer, or map r of a mix, takes part in it if bit r of its mask is set: pruning clears bits,
 * and a classical network has one bit a layer. */
static inline bool level_kept(uint64_t kept, int r)
{
    return kept >> r & 1u;
}

static inline uint64_t all_levels(int levels)
{
    return levels < MAX_MIXED ? (UINT64_C(1) << levels) - 1 : ~UINT64_C(0);
}

#endif
