/* Logistic function, y = 1 / (1 + exp(-x)). Reference; its fast twin is fast/sigmoid.c. */
#include "sigmoid.h"
#include <math.h>

// book: sigmoid
void ref_sigmoid_forward(double *y, const double *x, size_t count)
{
    for (size_t i = 0; i < count; i++)
        y[i] = 1 / (1 + exp(-x[i]));
}

/* From y = 1 / (1 + exp(-x)): dy/dx = exp(-x) y^2, and exp(-x) = (1 - y) / y, so that y alone tells it. */
void ref_sigmoid_backward(double *dx, const double *dy, const double *y, size_t count)
{
    for (size_t i = 0; i < count; i++)
        dx[i] += dy[i] * y[i] * (1 - y[i]);
}
// book: end
