/* NaN as in PyTorch: it wins. ReLU keeps it, a maximum is NaN wherever one stood, statistics of a channel
 * with a NaN are NaN, a sum with one is NaN: nothing hides it before the loss. And sums of many equal terms,
 * which a sum that is rounded to bfloat16 at every addition stops counting. In ref and in every set and
 * instruction set. */
#include "../ref/batchnorm.h"
#include "../ref/pool.h"
#include "../ref/relu.h"
#include "../ref/upsample.h"
#include "compare.h"
#include "lanes.h"
#include "suites.h"
#include <math.h>
#include <omp.h>

enum { CHANNELS = 3, IMAGES = 17 };

START_TEST(test_relu_keeps_nan)
{
    const Kernels *kernels = loop_set(_i, 1);
    const Shape s = {IMAGES, CHANNELS, 2, 2};
    const size_t count = shape_count(s);
    double *x = random_doubles(count, 1), *y = doubles(count), *dx = zeros(count),
           *dy = random_doubles(count, 2);
    for (size_t i = 0; i < count; i += 5)
        x[i] = NAN;
    ref_relu_forward(y, x, count);
    ref_relu_backward(dx, dy, y, count);
    for (size_t i = 0; i < count; i++) {
        ck_assert(i % 5 == 0 ? isnan(y[i]) : y[i] == fmax(x[i], 0));
        ck_assert_double_eq(dx[i],
                            i % 5 == 0 || x[i] > 0 ? dy[i] : 0); /* what NaN hands back is not hidden */
    }
    if (!kernels)
        return;
    Word *got = lanes(s), *got_dx = to_lanes(zeros(count), s, 0);
    kernels->relu_forward(got, to_lanes(x, s, 0), s);
    kernels->relu_backward(got_dx, to_lanes(dy, s, 0), got, s);
    const float *plain = from_lanes(got, s), *plain_dx = from_lanes(got_dx, s);
    for (size_t i = 0; i < count; i++) {
        ck_assert_msg(i % 5 == 0 ? isnan(plain[i]) : plain[i] == y[i], "%zu: %g, not %g", i, plain[i], y[i]);
        ck_assert(plain_dx[i] == dx[i]);
    }
}
END_TEST

/* Squares of factor x factor, of which square p has its NaN at pixel p. */
static void check_pool(const Kernels *kernels, int factor)
{
    const int places = factor * factor;
    const Shape s = {places, 1, factor, factor}, out = {places, 1, 1, 1};
    double *x = random_doubles((size_t)places * places, 1), *y = doubles(places);
    for (int p = 0; p < places; p++)
        x[p * places + p] = NAN;
    ref_pool_forward(y, x, POOL_MAX, factor, s);
    for (int p = 0; p < places; p++)
        ck_assert_msg(isnan(y[p]), "ref: a NaN at pixel %d of %d is lost", p, places);
    double *dx = zeros((size_t)places * places), *dy = doubles(places);
    for (int p = 0; p < places; p++)
        dy[p] = 1;
    ref_pool_backward(dx, dy, x, POOL_MAX, factor, s);
    for (int i = 0; i < places * places; i++)
        ck_assert_double_eq(dx[i], i / places == i % places);
    if (!kernels)
        return;
    Word *got = lanes(out), *got_dx = to_lanes(zeros((size_t)places * places), s, 0);
    kernels->pool_forward(got, to_lanes(x, s, 0), POOL_MAX, factor, s);
    kernels->pool_backward(got_dx, to_lanes(dy, out, 0), to_lanes(x, s, 0), POOL_MAX, factor, s);
    for (int p = 0; p < places; p++)
        ck_assert_msg(isnan(from_lanes(got, out)[p]), "a NaN at pixel %d of %d is lost", p, places);
    CK_WITHIN(compare_exact_float(from_lanes(got_dx, s), dx, (size_t)places * places), 0, "dx");
}

START_TEST(test_max_pooling_keeps_nan_wherever_it_stands)
{
    const Kernels *kernels = loop_set(_i, 1);
    check_pool(kernels, 2);
    check_pool(kernels, 4);
}
END_TEST

START_TEST(test_batchnorm_statistics_keep_nan)
{
    const Kernels *kernels = loop_set(_i, 1);
    const Shape s = {IMAGES, CHANNELS, 2, 2};
    double *x = random_doubles(shape_count(s), 1), mean[CHANNELS], variance[CHANNELS];
    x[4 + 2] = NAN; /* a pixel of channel 1 */
    ref_batchnorm_statistics(mean, variance, x, s);
    ck_assert(!isnan(variance[0]) && isnan(mean[1]) && isnan(variance[1]) && !isnan(variance[2]));
    if (!kernels)
        return;
    float *got_mean = floats(CHANNELS), *got = floats(CHANNELS);
    kernels->batchnorm_statistics(got_mean, got, to_lanes(x, s, 0), s,
                                  scratch_of(2 * sizeof(double) * CHANNELS * lanes_groups(IMAGES)));
    ck_assert(!isnan(got[0]) && isnan(got_mean[1]) && isnan(got[1]) && !isnan(got[2]));
}
END_TEST

/* With ReLU fused: by the direct convolution (or tile products), and by Winograd's algorithm. */
START_TEST(test_convolutions_with_relu_keep_nan)
{
    const Kernels *kernels = loop_set(_i, 1);
    const Conv2dShape s = {IMAGES, CHANNELS, 5, 8, 8, 3, 1};
    const Shape out = conv2d_output(s);
    if (!kernels)
        return;
    float *w = as_floats(random_doubles(conv2d_filters(s), 1), conv2d_filters(s));
    for (size_t i = 0; i < conv2d_filters(s) / s.k; i++)
        w[2 * conv2d_filters(s) / s.k + i] = NAN; /* filter 2 of 5 */
    for (int winograd = 0; winograd < 2; winograd++) {
        Word *y = lanes(out),
             *x = to_lanes(random_doubles(shape_count(conv2d_input(s)), 2), conv2d_input(s), 0);
        const int threads = omp_get_max_threads();
        if (winograd)
            kernels->conv2d_winograd_forward(y, x, w, NULL, true, s,
                                             scratch_of(kernels->conv2d_winograd_scratch(s, threads)));
        else
            kernels->conv2d_forward(y, x, w, NULL, true, s, scratch_of(kernels->conv2d_scratch(s, threads)));
        const float *plain = from_lanes(y, out);
        for (size_t i = 0; i < shape_count(out); i++)
            ck_assert_msg((i / 64 % 5 == 2) == !!isnan(plain[i]), "%s, %zu: %g",
                          winograd ? "Winograd" : "direct", i, plain[i]);
    }
}
END_TEST

/* Ones: the sums are known, and every term counts. Backward of bilinear upsampling by f gives f^2 a pixel
 * inside the map. */
START_TEST(test_sums_of_ones_count_every_term)
{
    const Kernels *kernels = loop_set(_i, 1);
    if (!kernels)
        return;
    for (int side = 1; side <= 4; side *= 2)
        for (int factor = 2; factor <= 32; factor *= 2)
            for (UpsampleMode mode = UPSAMPLE_NEAREST; mode <= UPSAMPLE_BILINEAR; mode++) {
                const Shape s = {1, 1, side, side}, out = shape_finer(s, factor);
                const size_t count = shape_count(s), fine = shape_count(out);
                double *dy = doubles(fine), *dx = zeros(count);
                for (size_t i = 0; i < fine; i++)
                    dy[i] = 1;
                ref_upsample_backward(dx, dy, mode, factor, s);
                if (side == 1)
                    ck_assert_double_eq(dx[0], (double)factor * factor);
                Word *got = to_lanes(zeros(count), s, 0);
                kernels->upsample_backward(got, to_lanes(dy, out, 0), mode, factor, s);
                CK_WITHIN(compare_gauged(from_lanes(got, s), dx, dx, count),
                          stored(4.0 * factor * factor + 4, 1), "dx");
                double *y = doubles(count);
                for (size_t i = 0; i < count; i++)
                    y[i] = 1;
                Word *mean = lanes(s);
                kernels->pool_forward(mean, to_lanes(dy, out, 0), POOL_AVERAGE, factor, out);
                CK_WITHIN(compare_gauged(from_lanes(mean, s), y, y, count),
                          stored((double)factor * factor, 1), "mean");
            }
}
END_TEST

Suite *nan_suite(void)
{
    Suite *suite = suite_create("nan");
    TCase *tcase = tcase_create("every version");
    tcase_add_checked_fixture(tcase, NULL, arrays_free);
    tcase_add_loop_test(tcase, test_relu_keeps_nan, 0, VERSIONS);
    tcase_add_loop_test(tcase, test_max_pooling_keeps_nan_wherever_it_stands, 0, VERSIONS);
    tcase_add_loop_test(tcase, test_batchnorm_statistics_keep_nan, 0, VERSIONS);
    tcase_add_loop_test(tcase, test_convolutions_with_relu_keep_nan, 0, VERSIONS);
    tcase_add_loop_test(tcase, test_sums_of_ones_count_every_term, 0, VERSIONS);
    suite_add_tcase(suite, tcase);
    return suite;
}
