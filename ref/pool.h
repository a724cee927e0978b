/* Pooling: S_{2^r} of the paper (equation 2), by a power of two. */
#ifndef NOPOOL_REF_POOL_H
#define NOPOOL_REF_POOL_H

#include "vocabulary.h"

/* y (N,C,H/factor,W/factor) from x of shape s. factor is a power of two that divides H and W; the 2x2
 * operation is applied log2(factor) times. A maximum that is reached more than once belongs to the first
 * quadrant in row-major order, at each of these times; a NaN is the maximum, and of several the last. */
void ref_pool_forward(double *y, const double *x, PoolMode mode, int factor, Shape s);

/* Adds to dx (shape s, that of x) the gradient dy of y. */
void ref_pool_backward(double *dx, const double *dy, const double *x, PoolMode mode, int factor, Shape s);

#endif
