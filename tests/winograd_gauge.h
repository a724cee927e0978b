/* The error bounds of fast/conv2d/winograd.c and fast/conv2d/winograd_backward_weights.c, computed in double
 * from the points of interpolation alone:
 *
 *     |got - ref| <= roundings(winograd_roundings(channels)) 2^-24 gauge
 *     gauge = |A^T| [ sum over c of (|G| |g| |G^T|) . (|B^T| |d| |B|) ] |A|, then |b| or |dx| as it was
 *
 * and for backward weights
 *
 *     |got - ref| <= roundings(winograd_weights_roundings(s)) 2^-24 gauge
 *     gauge = |G^T| [ sum over images, tiles of (|A| |dy| |A^T|) . (|B^T| |d| |B|) ] |G|, then |dw|. */
#ifndef NOPOOL_TESTS_WINOGRAD_GAUGE_H
#define NOPOOL_TESTS_WINOGRAD_GAUGE_H

#include "../ref/vocabulary.h"

/* Roundings on the path of a product: those of the sum over `channels` of the input, and the transforms'. */
double winograd_roundings(int channels);

/* The same of a product of backward weights: those of the sum over images, tiles and groups, and the
 * transforms'. */
double winograd_weights_roundings(Conv2dShape s);

/* Adds the gauge to an array of y's shape (dx's shape); without the bias. */
void winograd_gauge_forward(double *gauge, const double *x, const double *w, Conv2dShape s);
void winograd_gauge_backward_data(double *gauge, const double *dy, const double *w, Conv2dShape s);

/* Adds the gauge to an array of dw's shape. */
void winograd_gauge_backward_weights(double *gauge, const double *dy, const double *x, Conv2dShape s);

/* The same sums of squares, of entries and of numbers: what the sum of squared terms is on average over
 * signs, for typical errors. They add, too. */
void winograd_squares_forward(double *squares, const double *x, const double *w, Conv2dShape s);
void winograd_squares_backward_weights(double *squares, const double *dy, const double *x, Conv2dShape s);

/* The same sums without the absolute values: they must be the convolution, or the gauge is not its gauge. */
void winograd_forward(double *y, const double *x, const double *w, Conv2dShape s);
void winograd_backward_weights(double *dw, const double *dy, const double *x, Conv2dShape s);

#endif
