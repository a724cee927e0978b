/* Logistic function: the gate of squeeze-and-excitation, and a factor of swish. */
#ifndef NOPOOL_REF_SIGMOID_H
#define NOPOOL_REF_SIGMOID_H

#include <stddef.h>

/* y = 1 / (1 + exp(-x)), count elements. y may be x. */
void ref_sigmoid_forward(double *y, const double *x, size_t count);

/* Adds to dx. y is the output: x need not be kept. */
void ref_sigmoid_backward(double *dx, const double *dy, const double *y, size_t count);

#endif
