/* Batch normalisation of each channel over the batch and the map, M = N H W numbers:
 *
 *     mean     = sum x / M
 *     variance = sum (x - mean)^2 / M
 *     xhat     = (x - mean) / sqrt(variance + eps)
 *     y        = gamma xhat + beta                     (paper: gamma = 1, beta = 0)
 *
 * Reference; its fast twin is fast/batchnorm.c.
 *
 * Claims: eq1. */
#include "batchnorm.h"
#include <assert.h>
#include <math.h>

/* The map of channel c of image n. */
static const double *map_of(const double *x, int n, int c, Shape s)
{
    return x + ((size_t)n * s.c + c) * s.h * s.w;
}

// book: batchnorm_forward
void ref_batchnorm_statistics(double *mean, double *variance, const double *x, Shape s)
{
    const int pixels = s.h * s.w;
    const double m = (double)s.n * pixels;
    assert(m > 0);
    for (int c = 0; c < s.c; c++) {
        double sum = 0, squares = 0;
        for (int n = 0; n < s.n; n++)
            for (int p = 0; p < pixels; p++)
                sum += map_of(x, n, c, s)[p];
        mean[c] = sum / m;
        for (int n = 0; n < s.n; n++)
            for (int p = 0; p < pixels; p++) {
                double distance = map_of(x, n, c, s)[p] - mean[c];
                squares += distance * distance;
            }
        variance[c] = squares / m;
    }
}

void ref_batchnorm_forward(double *y, const double *x, const double *mean, const double *variance,
                           const double *gamma, const double *beta, double eps, Shape s)
{
    const int pixels = s.h * s.w;
    for (int n = 0; n < s.n; n++)
        for (int c = 0; c < s.c; c++) {
            const double scale = 1 / sqrt(variance[c] + eps);
            for (int p = 0; p < pixels; p++) {
                size_t i = ((size_t)n * s.c + c) * pixels + p;
                double xhat = (x[i] - mean[c]) * scale;
                y[i] = (gamma ? gamma[c] : 1) * xhat + (beta ? beta[c] : 0);
            }
        }
}
// book: end

// book: batchnorm_backward
/* From y = gamma xhat + beta:        dgamma = sum dy xhat,  dbeta = sum dy,  dxhat = gamma dy.
 * From xhat = (x - mean) scale, where mean and scale = 1 / sqrt(variance + eps) depend on every x:
 *
 *     dx = scale ( dxhat - sum dxhat / M - xhat sum (dxhat xhat) / M ).
 *
 * The second term came through the mean, the third through the variance. */
void ref_batchnorm_backward(double *dx, double *dgamma, double *dbeta, const double *dy, const double *x,
                            const double *mean, const double *variance, const double *gamma, double eps,
                            Shape s)
{
    const int pixels = s.h * s.w;
    const double m = (double)s.n * pixels;
    for (int c = 0; c < s.c; c++) {
        const double scale = 1 / sqrt(variance[c] + eps), g = gamma ? gamma[c] : 1;
        double sum_dy = 0, sum_dy_xhat = 0;
        for (int n = 0; n < s.n; n++)
            for (int p = 0; p < pixels; p++) {
                double xhat = (map_of(x, n, c, s)[p] - mean[c]) * scale;
                sum_dy += map_of(dy, n, c, s)[p];
                sum_dy_xhat += map_of(dy, n, c, s)[p] * xhat;
            }
        if (dgamma)
            dgamma[c] += sum_dy_xhat;
        if (dbeta)
            dbeta[c] += sum_dy;
        for (int n = 0; n < s.n; n++)
            for (int p = 0; p < pixels; p++) {
                size_t i = ((size_t)n * s.c + c) * pixels + p;
                double xhat = (x[i] - mean[c]) * scale;
                dx[i] += scale * g * (dy[i] - sum_dy / m - xhat * sum_dy_xhat / m);
            }
    }
}
// book: end

void ref_batchnorm_track(double *mean_average, double *variance_average, double *weight, const double *mean,
                         const double *variance, double momentum, Shape s)
{
    const double m = (double)s.n * s.h * s.w;
    const double unbiased = m > 1 ? m / (m - 1) : 1;
    for (int c = 0; c < s.c; c++) {
        mean_average[c] = (1 - momentum) * mean_average[c] + momentum * mean[c];
        variance_average[c] = (1 - momentum) * variance_average[c] + momentum * unbiased * variance[c];
    }
    *weight = (1 - momentum) * *weight + momentum;
}

void ref_batchnorm_tracked(double *mean, double *variance, const double *mean_average,
                           const double *variance_average, double weight, int channels)
{
    for (int c = 0; c < channels; c++) {
        mean[c] = weight > 0 ? mean_average[c] / weight : 0;
        variance[c] = weight > 0 ? variance_average[c] / weight : 1;
    }
}
