/* The fast operations on maps (relu, batch norm, pool, upsample, global average) against ref, in every
 * instruction set. Bounds as derived in their files in fast/. */
#include "../ref/batchnorm.h"
#include "../ref/global_average.h"
#include "../ref/pool.h"
#include "../ref/relu.h"
#include "../ref/upsample.h"
#include "compare.h"
#include "lanes.h"
#include "suites.h"
#include <math.h>

static const Shape table[] = {
    {1, 1, 8, 8},  {16, 3, 8, 16}, {17, 4, 8, 8},  {15, 5, 16, 8},
    {33, 9, 8, 8}, {2, 16, 8, 24}, {1, 259, 8, 8},
};
enum { ROWS = sizeof table / sizeof *table };

/* Every other one with odd sides, which pooling cannot divide. */
static Shape odd_map(int row)
{
    const Shape s = table[row];
    return (Shape){s.n, s.c, s.h + row % 2, s.w - row % 2};
}

static const double exact = 0;

START_TEST(test_relu_matches_ref)
{
    const Kernels *kernels = loop_set(_i, ROWS);
    const Shape s = odd_map(_i % ROWS);
    const size_t count = shape_count(s);
    if (!kernels)
        return;
    double *x = random_doubles(count, 1), *y = doubles(count), *dy = random_doubles(count, 2);
    double *dx = prefilled(count), *gauge = absolute(dx, count);
    x[0] = 0;
    float *got_y = lanes(s), *got_dx = to_lanes(dx, s, NAN);
    ref_relu_forward(y, x, count);
    ref_relu_backward(dx, dy, y, count);
    ref_relu_backward(gauge, absolute(dy, count), y, count);
    kernels->relu_forward(got_y, frozen_float(to_lanes(x, s, NAN)), s);
    kernels->relu_backward(got_dx, frozen_float(to_lanes(dy, s, NAN)), got_y, s);
    CK_WITHIN(compare_exact_float(from_lanes(got_y, s), y, count), exact, "y");
    CK_WITHIN(compare_gauged(from_lanes(got_dx, s), dx, gauge, count), stored(1, 1), "dx");
}
END_TEST

/* sum over batch and map of a[c] b[c] for each channel c; b NULL: of a. */
static double *channel_sums(const double *a, const double *b, Shape s)
{
    double *sum = zeros(s.c);
    for (size_t i = 0; i < shape_count(s); i++)
        sum[i / ((size_t)s.h * s.w) % s.c] += a[i] * (b ? b[i] : 1);
    return sum;
}

START_TEST(test_batchnorm_statistics_match_ref)
{
    const Kernels *kernels = loop_set(_i, ROWS);
    const Shape s = odd_map(_i % ROWS);
    const size_t count = shape_count(s);
    const double m = (double)s.n * s.h * s.w;
    if (!kernels)
        return;
    double *x = random_doubles(count, 1), *mean = doubles(s.c), *variance = doubles(s.c);
    for (size_t i = 0; i < count; i++)
        x[i] = representable(x[i] + 3); /* a mean that does not cancel */
    float *got_mean = floats(s.c), *got_variance = floats(s.c);
    double *scratch = scratch_of(kernels->batchnorm_scratch(s));
    ref_batchnorm_statistics(mean, variance, x, s);
    kernels->batchnorm_statistics(got_mean, got_variance, frozen_float(to_lanes(x, s, NAN)), s, scratch);
    double *gauge_mean = channel_sums(absolute(x, count), NULL, s), *gauge_variance = channel_sums(x, x, s);
    for (int c = 0; c < s.c; c++) {
        gauge_mean[c] = fabs(mean[c]) + (m * 0x1p-28 + run_roundings()) * gauge_mean[c] / m;
        gauge_variance[c] = variance[c] + (m * 0x1p-27 + 3 * run_roundings()) * gauge_variance[c] / m;
    }
    CK_WITHIN(compare_gauged(got_mean, mean, gauge_mean, s.c), roundings(1), "mean");
    CK_WITHIN(compare_gauged(got_variance, variance, gauge_variance, s.c), roundings(1), "variance");
}
END_TEST

START_TEST(test_batchnorm_forward_matches_ref)
{
    const Kernels *kernels = loop_set(_i, ROWS);
    const Shape s = odd_map(_i % ROWS);
    const size_t count = shape_count(s);
    const float eps = 1e-5f;
    if (!kernels)
        return;
    double *x = random_doubles(count, 1), *mean = random_doubles(s.c, 2);
    double *variance = absolute(random_doubles(s.c, 3), s.c);
    for (int affine = 0; affine < 2; affine++) {
        double *gamma = affine ? random_doubles(s.c, 4) : NULL,
               *beta = affine ? random_doubles(s.c, 5) : NULL;
        double *y = doubles(count), *gauge = doubles(count);
        float *got = lanes(s);
        ref_batchnorm_forward(y, x, mean, variance, gamma, beta, eps, s);
        ref_batchnorm_forward(gauge, x, mean, variance, gamma, NULL, eps, s);
        for (size_t i = 0; i < count; i++)
            gauge[i] = fabs(gauge[i]) + (affine ? fabs(beta[i / ((size_t)s.h * s.w) % s.c]) : 0);
        kernels->batchnorm_forward(got, frozen_float(to_lanes(x, s, NAN)), as_floats(mean, s.c),
                                   as_floats(variance, s.c), affine ? as_floats(gamma, s.c) : NULL,
                                   affine ? as_floats(beta, s.c) : NULL, eps, s);
        CK_WITHIN(compare_gauged(from_lanes(got, s), y, gauge, count), stored(5, 1),
                  affine ? "affine y" : "y");
    }
}
END_TEST

/* The gauges of dx and dgamma from the terms of fast/batchnorm.c: dx = a dy + b x + c. */
static void backward_gauges(double *gauge_x, double *gauge_gamma, const double *dy, const double *x,
                            const double *mean, const double *variance, const double *gamma, double eps,
                            Shape s)
{
    const double m = (double)s.n * s.h * s.w;
    const size_t count = shape_count(s);
    const double *sum = channel_sums(dy, NULL, s), *product = channel_sums(dy, x, s);
    const double *sum_absolute = channel_sums(absolute(dy, count), NULL, s);
    const double *product_absolute = channel_sums(absolute(dy, count), absolute(x, count), s);
    for (size_t i = 0; i < count; i++) {
        const int c = (int)(i / ((size_t)s.h * s.w) % s.c);
        const double scale = 1 / sqrt(variance[c] + eps), g = gamma ? fabs(gamma[c]) : 1;
        const double slope = scale * g * scale * fabs((product[c] - mean[c] * sum[c]) * scale) / m;
        gauge_x[i] += scale * g * fabs(dy[i]) + slope * fabs(x[i]) + scale * g * fabs(sum[c]) / m +
                      slope * fabs(mean[c]);
        gauge_gamma[c] = scale * (product_absolute[c] + fabs(mean[c]) * sum_absolute[c]);
        /* What runs in float add to the error is little beside the rounding of the result, 2^16 units. */
        gauge_x[i] += run_roundings() * 0x1p-16 * scale * g / m *
                      (sum_absolute[c] + (fabs(x[i]) + fabs(mean[c])) * scale * gauge_gamma[c]);
    }
}

START_TEST(test_batchnorm_backward_matches_ref)
{
    const Kernels *kernels = loop_set(_i, ROWS);
    const Shape s = odd_map(_i % ROWS);
    const size_t count = shape_count(s);
    const double m = (double)s.n * s.h * s.w;
    const float eps = 1e-5f;
    if (!kernels)
        return;
    double *x = random_doubles(count, 1), *dy = random_doubles(count, 2), *gamma = random_doubles(s.c, 3);
    double *mean = doubles(s.c), *variance = doubles(s.c);
    ref_batchnorm_statistics(mean, variance, x, s);
    for (int c = 0; c < s.c; c++) { /* both sides are given the same, rounded statistics */
        mean[c] = (float)mean[c];
        variance[c] = (float)variance[c];
    }
    double *dx = prefilled(count), *dgamma = prefilled(s.c), *dbeta = prefilled(s.c);
    double *gauge_x = absolute(dx, count), *gauge_gamma = doubles(s.c);
    double *gauge_beta = channel_sums(absolute(dy, count), NULL, s);
    float *got_x = to_lanes(dx, s, NAN), *got_gamma = as_floats(dgamma, s.c),
          *got_beta = as_floats(dbeta, s.c);
    backward_gauges(gauge_x, gauge_gamma, dy, x, mean, variance, gamma, eps, s);
    for (int c = 0; c < s.c; c++) {
        gauge_gamma[c] += fabs(dgamma[c]);
        gauge_beta[c] += fabs(dbeta[c]);
    }
    ref_batchnorm_backward(dx, dgamma, dbeta, dy, x, mean, variance, gamma, eps, s);
    kernels->batchnorm_backward(got_x, got_gamma, got_beta, frozen_float(to_lanes(dy, s, NAN)),
                                frozen_float(to_lanes(x, s, NAN)), as_floats(mean, s.c),
                                as_floats(variance, s.c), as_floats(gamma, s.c), eps, s,
                                scratch_of(kernels->batchnorm_scratch(s)));
    CK_WITHIN(compare_gauged(from_lanes(got_x, s), dx, gauge_x, count), stored(5, 1), "dx");
    CK_WITHIN(compare_gauged(got_gamma, dgamma, gauge_gamma, s.c),
              roundings(2 + m * 0x1p-27 + run_roundings()), "dgamma");
    CK_WITHIN(compare_gauged(got_beta, dbeta, gauge_beta, s.c), roundings(2 + m * 0x1p-27 + run_roundings()),
              "dbeta");
}
END_TEST

/* Maps with ties: few distinct values. */
static double *coarse(size_t count, uint32_t seed)
{
    double *x = random_doubles(count, seed);
    for (size_t i = 0; i < count; i++)
        x[i] = floor(3 * x[i]);
    return x;
}

START_TEST(test_pool_matches_ref)
{
    const Kernels *kernels = loop_set(_i, ROWS);
    const Shape s = table[_i % ROWS];
    const size_t count = shape_count(s);
    if (!kernels)
        return;
    for (PoolMode mode = POOL_MAX; mode <= POOL_SUBSAMPLE; mode++)
        for (int factor = 1; factor <= 8; factor *= 2) {
            const Shape out = shape_coarser(s, factor);
            const size_t pooled = shape_count(out);
            double *x = mode == POOL_MAX ? coarse(count, 1) : random_doubles(count, 1), *y = doubles(pooled);
            double *dy = random_doubles(pooled, 2), *dx = prefilled(count), *gauge_x = absolute(dx, count);
            double *gauge_y = doubles(pooled);
            float *got_y = lanes(out), *got_x = to_lanes(dx, s, NAN);
            const float *lanes_x = frozen_float(to_lanes(x, s, NAN));
            ref_pool_forward(y, x, mode, factor, s);
            ref_pool_forward(gauge_y, absolute(x, count), POOL_AVERAGE, factor, s);
            ref_pool_backward(dx, dy, x, mode, factor, s);
            ref_pool_backward(gauge_x, absolute(dy, pooled), x, mode, factor, s);
            kernels->pool_forward(got_y, lanes_x, mode, factor, s);
            kernels->pool_backward(got_x, frozen_float(to_lanes(dy, out, NAN)), lanes_x, mode, factor, s);
            if (mode == POOL_AVERAGE)
                CK_WITHIN(compare_gauged(from_lanes(got_y, out), y, gauge_y, pooled),
                          stored(factor * factor, 1), "y");
            else
                CK_WITHIN(compare_exact_float(from_lanes(got_y, out), y, pooled), exact, "y");
            CK_WITHIN(compare_gauged(from_lanes(got_x, s), dx, gauge_x, count), stored(1, 1), "dx");
        }
}
END_TEST

/* Every 2x2 square of these numbers, an image each: ties, both zeros and NaN, in forward and in backward. */
START_TEST(test_pool_takes_the_maximum_that_ref_takes)
{
    static const double numbers[] = {-0.0, 0.0, 1, 2, NAN};
    const Kernels *kernels = use_version(_i);
    const Shape s = {5 * 5 * 5 * 5, 1, 2, 2}, out = shape_coarser(s, 2);
    const size_t count = shape_count(s), pooled = shape_count(out);
    if (!kernels)
        return;
    double *x = doubles(count), *y = doubles(pooled), *dx = zeros(count), *dy = doubles(pooled);
    for (int i = 0; i < s.n; i++) {
        dy[i] = 1;
        for (int p = 0, rest = i; p < 4; p++, rest /= 5)
            x[4 * i + p] = numbers[rest % 5];
    }
    float *got_y = lanes(out), *got_x = to_lanes(zeros(count), s, 0), *lanes_x = to_lanes(x, s, NAN);
    ref_pool_forward(y, x, POOL_MAX, 2, s);
    ref_pool_backward(dx, dy, x, POOL_MAX, 2, s);
    kernels->pool_forward(got_y, lanes_x, POOL_MAX, 2, s);
    kernels->pool_backward(got_x, to_lanes(dy, out, NAN), lanes_x, POOL_MAX, 2, s);
    const float *plain = from_lanes(got_y, out);
    for (int i = 0; i < s.n; i++) {
        const bool same =
            isnan(y[i]) ? isnan(plain[i]) : plain[i] == y[i] && !signbit(plain[i]) == !signbit(y[i]);
        ck_assert_msg(same, "square %d: %g, not %g", i, plain[i], y[i]);
    }
    CK_WITHIN(compare_exact_float(from_lanes(got_x, s), dx, count), 0, "dx");
}
END_TEST

START_TEST(test_upsample_matches_ref)
{
    const Kernels *kernels = loop_set(_i, ROWS);
    const Shape fine = table[_i % ROWS], s = {fine.n, fine.c, fine.h / 4, fine.w / 8};
    const size_t count = shape_count(s);
    if (!kernels)
        return;
    for (UpsampleMode mode = UPSAMPLE_NEAREST; mode <= UPSAMPLE_ZEROS; mode++)
        for (int factor = 1; factor <= 8; factor *= 2) {
            const Shape out = shape_finer(s, factor);
            const size_t upsampled = shape_count(out);
            double *x = random_doubles(count, 1), *y = doubles(upsampled), *gauge_y = doubles(upsampled);
            double *dy = random_doubles(upsampled, 2), *dx = prefilled(count), *gauge_x = absolute(dx, count);
            float *got_y = lanes(out), *got_x = to_lanes(dx, s, NAN);
            ref_upsample_forward(y, x, mode, factor, s);
            ref_upsample_forward(gauge_y, absolute(x, count), mode, factor, s);
            ref_upsample_backward(dx, dy, mode, factor, s);
            ref_upsample_backward(gauge_x, absolute(dy, upsampled), mode, factor, s);
            kernels->upsample_forward(got_y, frozen_float(to_lanes(x, s, NAN)), mode, factor, s);
            kernels->upsample_backward(got_x, frozen_float(to_lanes(dy, out, NAN)), mode, factor, s);
            const int terms = mode == UPSAMPLE_ZEROS     ? 1
                              : mode == UPSAMPLE_NEAREST ? factor * factor
                                                         : 4 * factor * factor;
            CK_WITHIN(compare_gauged(from_lanes(got_y, out), y, gauge_y, upsampled),
                      mode == UPSAMPLE_BILINEAR ? stored(8, 1) : 0, "y");
            CK_WITHIN(compare_gauged(from_lanes(got_x, s), dx, gauge_x, count), stored(terms + 4, 1), "dx");
        }
}
END_TEST

START_TEST(test_global_average_matches_ref)
{
    const Kernels *kernels = loop_set(_i, ROWS);
    const Shape s = table[_i % ROWS], out = {s.n, s.c, 1, 1};
    const size_t count = shape_count(s), averages = shape_count(out);
    if (!kernels)
        return;
    double *x = random_doubles(count, 1), *y = doubles(averages), *gauge_y = doubles(averages);
    double *dy = random_doubles(averages, 2), *dx = prefilled(count), *gauge_x = absolute(dx, count);
    float *got_y = matrix(out), *got_x = to_lanes(dx, s, NAN);
    ref_global_average_forward(y, x, s);
    ref_global_average_forward(gauge_y, absolute(x, count), s);
    ref_global_average_backward(dx, dy, s);
    ref_global_average_backward(gauge_x, absolute(dy, averages), s);
    kernels->global_average_forward(got_y, frozen_float(to_lanes(x, s, NAN)), s);
    kernels->global_average_backward(got_x, frozen_float(to_matrix(dy, out, NAN)), s);
    for (size_t i = 0; i < averages; i++)
        gauge_y[i] = fabs(y[i]) + s.h * s.w * 0x1p-28 * gauge_y[i];
    CK_WITHIN(compare_gauged(from_matrix(got_y, out), y, gauge_y, averages), roundings(1), "y");
    CK_WITHIN(compare_gauged(from_lanes(got_x, s), dx, gauge_x, count), stored(3, 1), "dx");
}
END_TEST

Suite *fast_maps_suite(void)
{
    Suite *suite = suite_create("fast_maps");
    TCase *tcase = tcase_create("against ref");
    tcase_add_checked_fixture(tcase, NULL, arrays_free);
    tcase_set_timeout(tcase, 60);
    tcase_add_loop_test(tcase, test_relu_matches_ref, 0, VERSIONS * ROWS);
    tcase_add_loop_test(tcase, test_batchnorm_statistics_match_ref, 0, VERSIONS * ROWS);
    tcase_add_loop_test(tcase, test_batchnorm_forward_matches_ref, 0, VERSIONS * ROWS);
    tcase_add_loop_test(tcase, test_batchnorm_backward_matches_ref, 0, VERSIONS * ROWS);
    tcase_add_loop_test(tcase, test_pool_matches_ref, 0, VERSIONS * ROWS);
    tcase_add_loop_test(tcase, test_pool_takes_the_maximum_that_ref_takes, 0, VERSIONS);
    tcase_add_loop_test(tcase, test_upsample_matches_ref, 0, VERSIONS * ROWS);
    tcase_add_loop_test(tcase, test_global_average_matches_ref, 0, VERSIONS * ROWS);
    suite_add_tcase(suite, tcase);
    return suite;
}
