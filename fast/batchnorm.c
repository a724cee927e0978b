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
 * bf16, whose numbers have 8 bits, adds BF16_RUN pixels in float before it goes on in double: BF16_RUN 2^-24
 * of the sum over absolute values more, and a third of the time.
 *
 * Normalisation with given statistics rounds x - mean, the scale, the product and the sum with beta:
 * |got - ref| <= 5 2^-24 (|gamma xhat| + |beta|). Backward, dx += a dy + b x + c with a, b, c from double,
 * each rounded once: |got - ref| <= 5 2^-24 (|dx| + |a dy| + |b x| + |c|). In bf16 each tensor written is one
 * rounding of 2^-8 more. */
#include "isa.h"
#include "operations.h"
#include <math.h>

/* Units at a time: the sums of their channels, HALVES registers each, two of them, stay in registers. */
enum { BLOCK = VL == 16 ? 4 / UNIT : 1, WIDTH = BLOCK * UNIT };

#ifdef BF16

/* Sums of a and of a b over the pixels and used lanes of one group, for `units` units. */
INLINE void group_sums(double sum[WIDTH], double product[WIDTH], const Word *a, const Word *b, Shape s,
                       int group, const int units)
{
    const int pixels = s.h * s.w, used = lanes_used(s.n, group);
    double sums[WIDTH][LANES] = {0}, products[WIDTH][LANES] = {0};
    for (int part = 0; part < LANES; part += VL)
        for (int first = 0; first < pixels; first += BF16_RUN) {
            const int run = pixels - first < BF16_RUN ? pixels - first : BF16_RUN;
            Vec run_sum[WIDTH] = {{0}}, run_product[WIDTH] = {{0}};
            for (int pixel = first; pixel < first + run; pixel++)
#pragma GCC unroll 4
                for (int unit = 0; unit < units; unit++) {
                    const size_t at = pixel * pixel_words(s) + (size_t)unit * LANES + part;
                    const Unit ua = load_unit(a + at), ub = load_unit(b + at);
                    UNROLL_UNIT
                    for (int i = 0; i < UNIT; i++) {
                        run_sum[unit * UNIT + i] += ua.channel[i];
                        run_product[unit * UNIT + i] += ua.channel[i] * ub.channel[i];
                    }
                }
            for (int i = 0; i < units * UNIT; i++)
                for (int lane = 0; lane < VL; lane++) {
                    sums[i][part + lane] += run_sum[i][lane];
                    products[i][part + lane] += run_product[i][lane];
                }
        }
    for (int i = 0; i < units * UNIT; i++) {
        sum[i] = product[i] = 0;
        for (int lane = 0; lane < used; lane++) {
            sum[i] += sums[i][lane];
            product[i] += products[i][lane];
        }
    }
}

#else

/* Sums of a and of a b over the pixels and used lanes of one group, for `units` units. */
INLINE void group_sums(double sum[WIDTH], double product[WIDTH], const Word *a, const Word *b, Shape s,
                       int group, const int units)
{
    VecDouble sums[WIDTH][HALVES] = {0}, products[WIDTH][HALVES] = {0};
    const size_t pixel_step = pixel_words(s);
    for (int pixel = 0; pixel < s.h * s.w; pixel++, a += pixel_step, b += pixel_step)
#pragma GCC unroll 4
        for (int unit = 0; unit < units; unit++)
#pragma GCC unroll 8
            for (int half = 0; half < HALVES; half++)
                UNROLL_UNIT
    for (int i = 0; i < UNIT; i++) {
        const size_t at = (size_t)unit * LANES + half * HALF;
        const VecDouble va = load_double(a + at, i);
        sums[unit * UNIT + i][half] += va;
        products[unit * UNIT + i][half] += va * load_double(b + at, i);
    }
    for (int i = 0; i < units * UNIT; i++) {
        sum[i] = product[i] = 0;
        for (int lane = 0; lane < lanes_used(s.n, group); lane++) {
            sum[i] += sums[i][lane / HALF][lane % HALF];
            product[i] += products[i][lane / HALF][lane % HALF];
        }
    }
}

#endif

/* One block of one group; where b is a, it is loaded once. */
static void block_sums(double sum[WIDTH], double product[WIDTH], const Word *a, const Word *b, Shape s,
                       int group, int units)
{
    if (units == BLOCK && a == b)
        group_sums(sum, product, a, a, s, group, BLOCK);
    else if (units == BLOCK)
        group_sums(sum, product, a, b, s, group, BLOCK);
    else
        for (int unit = 0; unit < units; unit++)
            group_sums(sum + unit * UNIT, product + unit * UNIT, a + unit * LANES, b + unit * LANES, s, group,
                       1);
}

void SET(channel_sums)(double *sum, double *product, const Word *a, const Word *b, Shape s, double *scratch)
{
    const int groups = lanes_groups(s.n), blocks = (units_of(s.c) + BLOCK - 1) / BLOCK;
#pragma omp parallel for collapse(2) schedule(static)
    for (int group = 0; group < groups; group++)
        for (int block = 0; block < blocks; block++) {
            const int first = block * BLOCK, left = units_of(s.c) - first;
            const size_t at = group * group_words(s) + (size_t)first * LANES;
            double sums[WIDTH], products[WIDTH];
            block_sums(sums, products, a + at, b + at, s, group, left < BLOCK ? left : BLOCK);
            for (int i = 0; i < WIDTH && first * UNIT + i < s.c; i++) {
                scratch[(size_t)group * 2 * s.c + first * UNIT + i] = sums[i];
                scratch[(size_t)group * 2 * s.c + s.c + first * UNIT + i] = products[i];
            }
        }
    for (int c = 0; c < s.c; c++) {
        double total = 0, products = 0;
        for (int group = 0; group < groups; group++) {
            total += scratch[(size_t)group * 2 * s.c + c];
            products += scratch[(size_t)group * 2 * s.c + s.c + c];
        }
        sum[c] = total;
        product[c] = products;
    }
}

void SET(batchnorm_statistics)(float *mean, float *variance, const Word *x, Shape s, double *scratch)
{
    const double m = (double)s.n * s.h * s.w, *sum = scratch, *squares = scratch + s.c;
    SET(channel_sums)(scratch, scratch + s.c, x, x, s, scratch);
    for (int c = 0; c < s.c; c++) {
        mean[c] = sum[c] / m;
        variance[c] = fmax(squares[c] / m - sum[c] / m * (sum[c] / m), 0);
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
    SET(channel_sums)(scratch, scratch + s.c, dy, x, s, scratch);
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
