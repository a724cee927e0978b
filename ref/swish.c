/* Swish, y = x s with s = 1 / (1 + exp(-x)). Reference; its fast twin is fast/swish.c. */
#include "swish.h"
#include <math.h>

// book: swish
void ref_swish_forward(double *y, const double *x, size_t count)
{
    for (size_t i = 0; i < count; i++)
        y[i] = x[i] / (1 + exp(-x[i]));
}

/* From y = x s and ds/dx = s (1 - s): dy/dx = s + x s (1 - s). */
void ref_swish_backward(double *dx, const double *dy, const double *x, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const double s = 1 / (1 + exp(-x[i]));
        dx[i] += dy[i] * (s + x[i] * s * (1 - s));
    }
}
// book: end
