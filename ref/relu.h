/* Rectified linear unit: the non-linearity of the paper's block B (section 4.1). */
#ifndef NOPOOL_REF_RELU_H
#define NOPOOL_REF_RELU_H

#include <stddef.h>

/* y = max(x, 0), NaN where x is, count elements. y may be x. */
void ref_relu_forward(double *y, const double *x, size_t count);

/* Adds to dx where the output y is positive, or NaN; at 0 the gradient is 0. */
void ref_relu_backward(double *dx, const double *dy, const double *y, size_t count);

#endif
