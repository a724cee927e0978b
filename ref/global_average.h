/* Global average pooling: the last map becomes one number a channel (section 4.2, "No Pooling"). */
#ifndef NOPOOL_REF_GLOBAL_AVERAGE_H
#define NOPOOL_REF_GLOBAL_AVERAGE_H

#include "vocabulary.h"

/* y (N,C) = mean of x (N,C,H,W) over the map. */
void ref_global_average_forward(double *y, const double *x, Shape s);

/* Adds to dx (shape s) the gradient dy (N,C) of y. */
void ref_global_average_backward(double *dx, const double *dy, Shape s);

#endif
