/* Convolution with a bias: the filters f_l of the paper's block B (equation 1). */
#ifndef NOPOOL_REF_CONV2D_H
#define NOPOOL_REF_CONV2D_H

#include "vocabulary.h"

/* y (N,K,H',W') = w (K,C,S,S) * x (N,C,H,W) + b (K). b may be NULL: no bias. */
void ref_conv2d_forward(double *y, const double *x, const double *w, const double *b, Conv2dShape s);

/* Adds to dx (N,C,H,W) the gradient that dy (N,K,H',W') sends through the filters w. */
void ref_conv2d_backward_data(double *dx, const double *dy, const double *w, Conv2dShape s);

/* Adds to dw (K,C,S,S) and db (K) the gradients at the input x. db may be NULL: no bias. */
void ref_conv2d_backward_weights(double *dw, double *db, const double *dy, const double *x, Conv2dShape s);

#endif
