/* Upsampling: U_{2^r} of the paper (equation 4). */
#ifndef NOPOOL_REF_UPSAMPLE_H
#define NOPOOL_REF_UPSAMPLE_H

#include "vocabulary.h"

/* y (N,C,H factor,W factor) from x of shape s. Nearest repeats each pixel; bilinear interpolates between
 * pixel centres (half-pixel convention) and repeats the border outwards; zeros puts each pixel at the upper
 * left of its square and 0 elsewhere. A pixel without weight is not read. */
void ref_upsample_forward(double *y, const double *x, UpsampleMode mode, int factor, Shape s);

/* Adds to dx (shape s) the gradient dy of y. */
void ref_upsample_backward(double *dx, const double *dy, UpsampleMode mode, int factor, Shape s);

#endif
