/* What the ways of backward weights share: the two operands of their outer products, and the partial sums of
 * the batch. */
#ifndef NOPOOL_FAST_PARTIALS_H
#define NOPOOL_FAST_PARTIALS_H

#include "bands.h"
#include "parts.h"

/* dw[k][c][tap] is a sum over images of dy[k] times x[c]. Of the two operands `wide` is transposed, so that
 * its channels become lanes, and `narrow` broadcast. */
typedef struct {
    Rows wide, narrow;
    Shape wide_shape, narrow_shape;
    bool wide_is_x; /* otherwise dy is the wide one */
    int padded;     /* channels of wide, rounded up to whole vectors */
    int side, stride, n;
} Products;

INLINE Products products_of(Rows dy, Rows x, Conv2dShape s, bool wide_is_x)
{
    Products p = {.side = s.side, .stride = s.stride, .n = s.n, .wide_is_x = wide_is_x};
    p.wide = wide_is_x ? x : dy;
    p.narrow = wide_is_x ? dy : x;
    p.wide_shape = wide_is_x ? conv2d_input(s) : conv2d_output(s);
    p.narrow_shape = wide_is_x ? conv2d_output(s) : conv2d_input(s);
    p.padded = (p.wide_shape.c + VL - 1) / VL * VL;
    return p;
}

/* Floats of one partial gradient, [tap][narrow channel][wide channel, padded], and of so many. */
INLINE size_t partial_floats(const Products *p)
{
    return ((size_t)p->side * p->side * p->narrow_shape.c * p->padded + LANES - 1) / LANES * LANES;
}

INLINE size_t partials_floats(const Products *p, int count)
{
    return count * partial_floats(p);
}

/* Floats of the partial gradients of the bias, [group][k]. */
INLINE size_t bias_floats(Conv2dShape s)
{
    return ((size_t)lanes_groups(s.n) * s.k + LANES - 1) / LANES * LANES;
}

/* The bias gradient of one group to its place in [group][k]: the sum of dy (shape s) over its images and
 * pixels. */
void SET(bias_partial)(float *partials, const Word *dy, Shape s, int group);

/* Add `count` partials to dw (K,C,S,S) in their order; those of the bias to db (K). */
void SET(add_partials)(float *dw, const float *partials, int count, const Products *p);
void SET(add_bias)(float *db, const float *partials, int count, int channels);

/* The same with the partials of all ranks: this one has those of `count`, and of the bias those of n images.
 */
void SET(add_ranks_partials)(float *dw, const float *own, int count, const Products *p);
void SET(add_ranks_bias)(float *db, const float *own, int n, int channels);

#endif
