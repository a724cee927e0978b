/* Rectified linear unit, y = max(x, 0). Reference; its fast twin is fast/relu.c. */
#include "relu.h"

// book: relu
void ref_relu_forward(double *y, const double *x, size_t count)
{
    for (size_t i = 0; i < count; i++)
        y[i] = x[i] > 0 ? x[i] : 0;
}

/* From y = x where x > 0, else y = 0. The sign of y tells the branch, so x need not be kept. */
void ref_relu_backward(double *dx, const double *dy, const double *y, size_t count)
{
    for (size_t i = 0; i < count; i++)
        dx[i] += y[i] > 0 ? dy[i] : 0;
}
// book: end
