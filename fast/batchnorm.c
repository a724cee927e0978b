/* Batch normalisation. Twin of ref/batchnorm.c. Normalisation is bound by bytes: it reads and writes one
 * tensor, and backward reads two and writes one. The sums over the batch, one tensor forward and two
 * backward, are bound by the conversion to double: they reach half of the memory's bandwidth.
 *
 * Sums over batch and map are taken in double, where products of floats are exact: a partial a group and
 * channel, lane by lane, then added in lane and group order. So with M = N H W numbers
 *
 *     |mean - ref| <= 2^-24 |mean| + M 2^-52 average |x|,
 *     |variance - ref| <= 2^-24 variance + M 2^-51 average x^2.
 *
 * Normalisation with given statistics rounds x - mean, the scale, the product and the sum with beta:
 * |got - ref| <= 5 2^-24 (|gamma xhat| + |beta|). Backward, dx += a dy + b x + c with a, b, c from double,
 * each rounded once: |got - ref| <= 5 2^-24 (|dx| + |a dy| + |b x| + |c|). */
#include "isa.h"
#include "operations.h"
#include <math.h>

/* Channels at a time: their sums, HALVES registers each, two of them, stay in registers. */
enum { BLOCK = VL == 16 ? 4 : 1 };

/* Sums of a and of a b over the pixels and used lanes of one group, for `width` channels. */
INLINE void group_sums(double *sum, double *product, const float *a, const float *b, Shape s, int group,
                       const int width)
{
    VecDouble sums[BLOCK][HALVES] = {0}, products[BLOCK][HALVES] = {0};
    const size_t pixel_floats = (size_t)s.c * LANES;
    for (int pixel = 0; pixel < s.h * s.w; pixel++, a += pixel_floats, b += pixel_floats)
#pragma GCC unroll 4
        for (int i = 0; i < width; i++)
#pragma GCC unroll 8
            for (int half = 0; half < HALVES; half++) {
                const VecDouble va = load_double(a + i * LANES + half * HALF);
                sums[i][half] += va;
                products[i][half] += va * load_double(b + i * LANES + half * HALF);
            }
    for (int i = 0; i < width; i++) {
        sum[i] = product[i] = 0;
        for (int lane = 0; lane < lanes_used(s.n, group); lane++) {
            sum[i] += sums[i][lane / HALF][lane % HALF];
            product[i] += products[i][lane / HALF][lane % HALF];
        }
    }
}

/* One block of channels of one group; where b is a, it is loaded once. */
static void block_sums(double *sum, double *product, const float *a, const float *b, Shape s, int group,
                       int width)
{
    if (width == BLOCK && a == b)
        group_sums(sum, product, a, a, s, group, BLOCK);
    else if (width == BLOCK)
        group_sums(sum, product, a, b, s, group, BLOCK);
    else
        for (int i = 0; i < width; i++)
            group_sums(sum + i, product + i, a + i * LANES, b + i * LANES, s, group, 1);
}

void F32(channel_sums)(double *sum, double *product, const float *a, const float *b, Shape s, double *scratch)
{
    const int groups = lanes_groups(s.n), blocks = (s.c + BLOCK - 1) / BLOCK;
#pragma omp parallel for collapse(2) schedule(static)
    for (int group = 0; group < groups; group++)
        for (int block = 0; block < blocks; block++) {
            const int c = block * BLOCK, width = s.c - c < BLOCK ? s.c - c : BLOCK;
            const size_t at = group * group_floats(s) + (size_t)c * LANES;
            double *sums = scratch + (size_t)group * 2 * s.c + c;
            block_sums(sums, sums + s.c, a + at, b + at, s, group, width);
        }
    for (int c = 0; c < s.c; c++) {
        sum[c] = product[c] = 0;
        for (int group = 0; group < groups; group++) {
            sum[c] += scratch[(size_t)group * 2 * s.c + c];
            product[c] += scratch[(size_t)group * 2 * s.c + s.c + c];
        }
    }
}

void F32(batchnorm_statistics)(float *mean, float *variance, const float *x, Shape s, double *scratch)
{
    const double m = (double)s.n * s.h * s.w;
    double sum[s.c], squares[s.c];
    F32(channel_sums)(sum, squares, x, x, s, scratch);
    for (int c = 0; c < s.c; c++) {
        mean[c] = sum[c] / m;
        variance[c] = fmax(squares[c] / m - sum[c] / m * (sum[c] / m), 0);
    }
}

void F32(batchnorm_forward)(float *y, const float *x, const float *mean, const float *variance,
                            const float *gamma, const float *beta, float eps, Shape s)
{
    float scale[s.c];
    for (int c = 0; c < s.c; c++)
        scale[c] = (gamma ? gamma[c] : 1) / sqrt((double)variance[c] + eps);
#pragma omp parallel for schedule(static)
    for (int pixel = 0; pixel < lanes_groups(s.n) * s.h * s.w; pixel++)
        for (int c = 0; c < s.c; c++)
            for (int part = 0; part < LANES; part += VL) {
                const size_t i = ((size_t)pixel * s.c + c) * LANES + part;
                store(y + i, (load(x + i) - broadcast(mean[c])) * broadcast(scale[c]) +
                                 broadcast(beta ? beta[c] : 0));
            }
}

void F32(batchnorm_backward)(float *dx, float *dgamma, float *dbeta, const float *dy, const float *x,
                             const float *mean, const float *variance, const float *gamma, float eps, Shape s,
                             double *scratch)
{
    const double m = (double)s.n * s.h * s.w;
    double sum_dy[s.c], sum_dy_x[s.c];
    float a[s.c], b[s.c], constant[s.c];
    F32(channel_sums)(sum_dy, sum_dy_x, dy, x, s, scratch);
    for (int c = 0; c < s.c; c++) {
        const double scale = 1 / sqrt((double)variance[c] + eps), g = gamma ? gamma[c] : 1;
        const double sum_dy_xhat = (sum_dy_x[c] - mean[c] * sum_dy[c]) * scale;
        if (dgamma)
            dgamma[c] += sum_dy_xhat;
        if (dbeta)
            dbeta[c] += sum_dy[c];
        /* dx = scale g (dy - sum_dy / m - xhat sum_dy_xhat / m), xhat = (x - mean) scale */
        const double slope = -scale * g * scale * sum_dy_xhat / m;
        a[c] = scale * g;
        b[c] = slope;
        constant[c] = -scale * g * sum_dy[c] / m - slope * mean[c];
    }
#pragma omp parallel for schedule(static)
    for (int pixel = 0; pixel < lanes_groups(s.n) * s.h * s.w; pixel++)
        for (int c = 0; c < s.c; c++)
            for (int part = 0; part < LANES; part += VL) {
                const size_t i = ((size_t)pixel * s.c + c) * LANES + part;
                store(dx + i, load(dx + i) + broadcast(a[c]) * load(dy + i) + broadcast(b[c]) * load(x + i) +
                                  broadcast(constant[c]));
            }
}
