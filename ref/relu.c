/* Rectified linear unit, y = max(x, 0); NaN stays NaN. Reference; its fast twin is fast/relu.c.
 *
 * Claims: eq1. */
#include "relu.h"

// book: relu
void ref_relu_forward(double *y, const double *x, size_t count)
{
    for (size_t i = 0; i < count; i++)
        y[i] = x[i] <= 0 ? 0 : x[i];
}

/* From y = 0 where x <= 0, else y = x. The sign of y tells the branch, so x need not be kept. */
void ref_relu_backward(double *dx, const double *dy, const double *y, size_t count)
{
    for (size_t i = 0; i < count; i++)
        dx[i] += y[i] <= 0 ? 0 : dy[i];
}
// book: end
