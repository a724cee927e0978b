/* Batch normalisation. Twin of ref/batchnorm.c. Bound by bytes: normalisation reads and writes one tensor,
 * and backward reads two and writes one, after the sums over the batch of fast/engine/channel_sums.c, with M
 * = N H W numbers a channel:
 *
 *     |mean - ref| <= 2^-24 |mean| + M 2^-52 average |x|,
 *     |variance - ref| <= 2^-24 variance + M 2^-51 average x^2,
 *
 * in bf16 BF16_RUN 2^-24 of the sums over absolute values more.
 *
 * Normalisation with given statistics rounds x - mean, the scale, the product and the sum with beta:
 * |got - ref| <= 5 2^-24 (|gamma xhat| + |beta|). Backward, dx += a dy + b x + c with a, b, c from double,
 * each rounded once: |got - ref| <= 5 2^-24 (|dx| + |a dy| + |b x| + |c|). In bf16 each tensor written is one
 * rounding of 2^-8 more.
 *
 * Claims: eq1. */
#include "operations.h"
#include "simd/isa.h"
#include <math.h>

void SET(batchnorm_statistics)(float *mean, float *variance, const Word *x, Shape s, double *scratch)
{
    const double m = (double)s.n * s.h * s.w, *sum = scratch, *squares = scratch + s.c;
    SET(channel_sums)(scratch, scratch + s.c, NULL, x, x, s, scratch);
    for (int c = 0; c < s.c; c++) {
        mean[c] = sum[c] / m;
        const double difference = squares[c] / m - sum[c] / m * (sum[c] / m);
        variance[c] = difference < 0 ? 0 : difference; /* NaN stays NaN */
    }
}

/* Channels whose coefficients are at hand together; networks have fewer. */
enum { STRIP = 256 };

/* y = (x - center) scale + shift of channels first .. first + STRIP - 1. */
static void normalise_strip(Word *y, const Word *x, const float *center, const float *scale,
                            const float *shift, int first, Shape s)
{
    const int from = first / UNIT, end = units_of(s.c) - from,
              units = end < STRIP / UNIT ? end : STRIP / UNIT;
#pragma omp parallel for schedule(static)
    for (int pixel = 0; pixel < lanes_groups(s.n) * s.h * s.w; pixel++)
        for (int unit = 0; unit < units; unit++)
            for (int part = 0; part < LANES; part += VL) {
                const size_t at = pixel * pixel_words(s) + (size_t)(from + unit) * LANES + part;
                Unit u = load_unit(x + at);
                UNROLL_UNIT
                for (int i = 0; i < UNIT; i++) {
                    const int c = unit * UNIT + i;
                    u.channel[i] =
                        (u.channel[i] - broadcast(center[c])) * broadcast(scale[c]) + broadcast(shift[c]);
                }
                store_unit(y + at, u);
            }
}

void SET(batchnorm_forward)(Word *y, const Word *x, const float *mean, const float *variance,
                            const float *gamma, const float *beta, float eps, Shape s)
{
    for (int first = 0; first < s.c; first += STRIP) {
        float center[STRIP] = {0}, scale[STRIP] = {0}, shift[STRIP] = {0};
        for (int c = first; c < s.c && c < first + STRIP; c++) {
            center[c - first] = mean[c];
            scale[c - first] = (gamma ? gamma[c] : 1) / sqrt((double)variance[c] + eps);
            shift[c - first] = beta ? beta[c] : 0;
        }
        normalise_strip(y, x, center, scale, shift, first, s);
    }
}

/* dx += a dy + b x + constant of channels first .. first + STRIP - 1. */
static void add_strip(Word *dx, const Word *dy, const Word *x, const float *a, const float *b,
                      const float *constant, int first, Shape s)
{
    const int from = first / UNIT, end = units_of(s.c) - from,
              units = end < STRIP / UNIT ? end : STRIP / UNIT;
#pragma omp parallel for schedule(static)
    for (int pixel = 0; pixel < lanes_groups(s.n) * s.h * s.w; pixel++)
        for (int unit = 0; unit < units; unit++)
            for (int part = 0; part < LANES; part += VL) {
                const size_t at = pixel * pixel_words(s) + (size_t)(from + unit) * LANES + part;
                const Unit gradient = load_unit(dy + at), input = load_unit(x + at);
                Unit sum = load_unit(dx + at);
                UNROLL_UNIT
                for (int i = 0; i < UNIT; i++) {
                    const int c = unit * UNIT + i;
                    sum.channel[i] = sum.channel[i] + broadcast(a[c]) * gradient.channel[i] +
                                     broadcast(b[c]) * input.channel[i] + broadcast(constant[c]);
                }
                store_unit(dx + at, sum);
            }
}

void SET(batchnorm_backward)(Word *dx, float *dgamma, float *dbeta, const Word *dy, const Word *x,
                             const float *mean, const float *variance, const float *gamma, float eps, Shape s,
                             double *scratch)
{
    const double m = (double)s.n * s.h * s.w, *sum_dy = scratch, *sum_dy_x = scratch + s.c;
    SET(channel_sums)(scratch, scratch + s.c, NULL, dy, x, s, scratch);
    for (int first = 0; first < s.c; first += STRIP) {
        float a[STRIP] = {0}, b[STRIP] = {0}, constant[STRIP] = {0};
        for (int c = first; c < s.c && c < first + STRIP; c++) {
            const double scale = 1 / sqrt((double)variance[c] + eps), g = gamma ? gamma[c] : 1;
            const double sum_dy_xhat = (sum_dy_x[c] - mean[c] * sum_dy[c]) * scale;
            if (dgamma)
                dgamma[c] += sum_dy_xhat;
            if (dbeta)
                dbeta[c] += sum_dy[c];
            /* dx = scale g (dy - sum_dy / m - xhat sum_dy_xhat / m), xhat = (x - mean) scale */
            const double slope = -scale * g * scale * sum_dy_xhat / m;
            a[c - first] = scale * g;
            b[c - first] = slope;
            constant[c - first] = -scale * g * sum_dy[c] / m - slope * mean[c];
        }
        add_strip(dx, dy, x, a, b, constant, first, s);
    }
}
