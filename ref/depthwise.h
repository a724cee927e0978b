/* Depthwise convolution: every channel has one 3x3 filter of its own. The spatial part of MBConv (Table 4).
 */
#ifndef NOPOOL_REF_DEPTHWISE_H
#define NOPOOL_REF_DEPTHWISE_H

#include "vocabulary.h"

/* y (N,C,H,W) = w (C,1,3,3) * x (N,C,H,W) + b (C), channel by channel. b may be NULL: no bias. */
void ref_depthwise_forward(double *y, const double *x, const double *w, const double *b, Shape s);

/* Adds to dx (N,C,H,W) the gradient that dy (N,C,H,W) sends through the filters w. */
void ref_depthwise_backward_data(double *dx, const double *dy, const double *w, Shape s);

/* Adds to dw (C,1,3,3) and db (C) the gradients at the input x. db may be NULL: no bias. */
void ref_depthwise_backward_weights(double *dw, double *db, const double *dy, const double *x, Shape s);

#endif
