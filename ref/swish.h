/* Swish, also called SiLU: the non-linearity of MBConv (Table 4, Eff-Conv). */
#ifndef NOPOOL_REF_SWISH_H
#define NOPOOL_REF_SWISH_H

#include <stddef.h>

/* y = x / (1 + exp(-x)), count elements. y may be x. */
void ref_swish_forward(double *y, const double *x, size_t count);

/* Adds to dx. x is the input: two of them may have the same y. */
void ref_swish_backward(double *dx, const double *dy, const double *x, size_t count);

#endif
