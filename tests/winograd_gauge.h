/* The error bound of fast/conv2d_winograd.c, computed in double from the points of interpolation alone:
 *
 *     |got - ref| <= roundings(winograd_roundings(channels)) 2^-24 gauge
 *     gauge = |A^T| [ sum over c of (|G| |g| |G^T|) . (|B^T| |d| |B|) ] |A|, then |b| or |dx| as it was. */
#ifndef NOPOOL_TESTS_WINOGRAD_GAUGE_H
#define NOPOOL_TESTS_WINOGRAD_GAUGE_H

#include "../ref/vocabulary.h"

/* Roundings on the path of a product: those of the sum over `channels` of the input, and the transforms'. */
double winograd_roundings(int channels);

/* Adds the gauge to an array of y's shape (dx's shape); without the bias. */
void winograd_gauge_forward(double *gauge, const double *x, const double *w, Conv2dShape s);
void winograd_gauge_backward_data(double *gauge, const double *dy, const double *w, Conv2dShape s);

/* The same sums without the absolute values: they must be the convolution, or the gauge is not its gauge. */
void winograd_forward(double *y, const double *x, const double *w, Conv2dShape s);

#endif
