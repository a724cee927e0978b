/* Global average pooling: y[n][c] = sum over the map of x[n][c] / (H W). Reference; its fast twin is
 * fast/global_average.c. */
#include "global_average.h"

void ref_global_average_forward(double *y, const double *x, Shape s)
{
    const int pixels = s.h * s.w;
    for (int nc = 0; nc < s.n * s.c; nc++) {
        double sum = 0;
        for (int p = 0; p < pixels; p++)
            sum += x[(size_t)nc * pixels + p];
        y[nc] = sum / pixels;
    }
}

/* From y = sum x / (H W): every pixel receives dy / (H W). */
void ref_global_average_backward(double *dx, const double *dy, Shape s)
{
    const int pixels = s.h * s.w;
    for (int nc = 0; nc < s.n * s.c; nc++)
        for (int p = 0; p < pixels; p++)
            dx[(size_t)nc * pixels + p] += dy[nc] / pixels;
}
