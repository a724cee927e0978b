/* NaN as in PyTorch: it wins. ReLU keeps it, a maximum is NaN wherever one stood, statistics of a channel
 * with a NaN are NaN, a sum with one is NaN: nothing hides it before the loss. And sums of many equal terms,
 * which a sum that is rounded to bfloat16 at every addition stops counting. In ref and in every set and
 * instruction set. */
#include "../ref/batchnorm.h"
#include "../ref/conv2d.h"
#include "../ref/cross_entropy.h"
#include "../ref/global_average.h"
#include "../ref/linear.h"
#include "../ref/mix.h"
#include "../ref/pool.h"
#include "../ref/relu.h"
#include "../ref/upsample.h"
#include "compare.h"
#include "lanes.h"
#include "layer_case.h"
#include "suites.h"
#include <math.h>
#include <omp.h>
#include <string.h>

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
                                  scratch_of(kernels->batchnorm_scratch(s)));
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

/* NaN stands where it stands in ref; with `spread` elsewhere, too. */
static void check_places(const float *got, const double *ref, size_t count, bool spread, const char *what)
{
    size_t places = 0;
    for (size_t i = 0; i < count; i++) {
        ck_assert_msg(isnan(got[i]) || !isnan(ref[i]), "%s: NaN is lost at %zu: %g", what, i, got[i]);
        ck_assert_msg(spread || !isnan(got[i]) || isnan(ref[i]), "%s: NaN at %zu, not %g", what, i, ref[i]);
        places += isnan(ref[i]);
    }
    ck_assert_msg(places > 0, "%s: ref has no NaN", what);
}

/* Random numbers with one NaN. */
static double *with_nan(size_t count, size_t at, uint32_t seed)
{
    double *x = random_doubles(count, seed);
    x[at] = NAN;
    return x;
}

/* A NaN in any pixel of x, of either channel of a unit, in the first and the last image: direct, where it is
 * in ref; Winograd's algorithm spreads it over its tile. */
START_TEST(test_convolutions_keep_a_nan_of_the_input)
{
    const Kernels *kernels = loop_set(_i, 1);
    const Conv2dShape s = {IMAGES, CHANNELS, 5, 4, 8, 3, 1};
    const Shape in = conv2d_input(s), out = conv2d_output(s);
    const size_t inputs = shape_count(in), outputs = shape_count(out);
    const int threads = omp_get_max_threads();
    if (!kernels)
        return;
    double *w = random_doubles(conv2d_filters(s), 1), *y = doubles(outputs);
    const float *filters = as_floats(w, conv2d_filters(s));
    void *scratch = scratch_of(kernels->conv2d_scratch(s, threads)),
         *winograd = scratch_of(kernels->conv2d_winograd_scratch(s, threads));
    for (size_t at = 0; at < inputs; at += at == 2 * 32 - 1 ? inputs - 2 * 32 - 32 : 1) {
        double *x = with_nan(inputs, at, 2);
        Word *lanes_x = to_lanes(x, in, 0), *got = lanes(out);
        ref_conv2d_forward(y, x, w, NULL, s);
        ref_relu_forward(y, y, outputs);
        kernels->conv2d_forward(got, lanes_x, filters, NULL, true, s, scratch);
        check_places(from_lanes(got, out), y, outputs, false, "direct");
        kernels->conv2d_winograd_forward(got, lanes_x, filters, NULL, true, s, winograd);
        check_places(from_lanes(got, out), y, outputs, true, "Winograd");
    }
}
END_TEST

/* Pooling of every kind and upsampling, a NaN in any pixel, forward and backward. */
START_TEST(test_resampling_keeps_nan_where_ref_does)
{
    const Kernels *kernels = loop_set(_i, 1);
    const Shape fine = {1, CHANNELS, 8, 8};
    const size_t fine_count = shape_count(fine);
    if (!kernels)
        return;
    for (int factor = 2; factor <= 4; factor *= 2) {
        const Shape coarse = shape_coarser(fine, factor);
        const size_t coarse_count = shape_count(coarse);
        double *small = doubles(coarse_count), *large = doubles(fine_count);
        Word *got_small = lanes(coarse), *got_large = lanes(fine);
        for (size_t at = 0; at < fine_count; at++) {
            double *x = with_nan(fine_count, at, 1);
            ref_pool_forward(small, x, POOL_AVERAGE, factor, fine);
            kernels->pool_forward(got_small, to_lanes(x, fine, 0), POOL_AVERAGE, factor, fine);
            check_places(from_lanes(got_small, coarse), small, coarse_count, false, "average");
            for (UpsampleMode mode = UPSAMPLE_NEAREST; mode <= UPSAMPLE_BILINEAR; mode++) {
                double *dx = zeros(coarse_count);
                Word *got = to_lanes(dx, coarse, 0);
                ref_upsample_backward(dx, x, mode, factor, coarse);
                kernels->upsample_backward(got, to_lanes(x, fine, 0), mode, factor, coarse);
                check_places(from_lanes(got, coarse), dx, coarse_count, false, "upsample dx");
            }
        }
        for (size_t at = 0; at < coarse_count; at++) {
            double *x = with_nan(coarse_count, at, 1);
            for (UpsampleMode mode = UPSAMPLE_NEAREST; mode <= UPSAMPLE_BILINEAR; mode++) {
                ref_upsample_forward(large, x, mode, factor, coarse);
                kernels->upsample_forward(got_large, to_lanes(x, coarse, 0), mode, factor, coarse);
                check_places(from_lanes(got_large, fine), large, fine_count, false, "upsample y");
            }
            double *dx = zeros(fine_count);
            Word *got = to_lanes(dx, fine, 0);
            ref_pool_backward(dx, x, large, POOL_AVERAGE, factor, fine);
            kernels->pool_backward(got, to_lanes(x, coarse, 0), to_lanes(large, fine, 0), POOL_AVERAGE,
                                   factor, fine);
            check_places(from_lanes(got, fine), dx, fine_count, false, "average dx");
        }
    }
}
END_TEST

/* Infinity is copied where one pixel has all the weight. */
START_TEST(test_upsampling_copies_infinity)
{
    const Kernels *kernels = loop_set(_i, 1);
    const Shape s = {1, 1, 1, 2}, out = shape_finer(s, 2);
    const double x[] = {INFINITY, 1};
    double *y = doubles(8);
    for (UpsampleMode mode = UPSAMPLE_NEAREST; mode <= UPSAMPLE_BILINEAR; mode++) {
        ref_upsample_forward(y, x, mode, 2, s);
        ck_assert(y[0] == INFINITY && y[3] == 1);
        if (!kernels)
            continue;
        Word *got = lanes(out);
        kernels->upsample_forward(got, to_lanes(x, s, 0), mode, 2, s);
        const float *plain = from_lanes(got, out);
        ck_assert(plain[0] == INFINITY && plain[3] == 1);
    }
}
END_TEST

/* What sums over maps, levels or classes. */
START_TEST(test_sums_and_losses_are_nan_where_ref_is)
{
    const Kernels *kernels = loop_set(_i, 1);
    enum { CLASSES = 10, LEVELS = 3 };
    const Shape s = {IMAGES, CHANNELS, 2, 2}, averages = {IMAGES, CHANNELS, 1, 1},
                logits_shape = {IMAGES, CLASSES, 1, 1};
    const size_t count = shape_count(s);
    int *labels = random_labels(IMAGES, CLASSES, 3);
    if (!kernels)
        return;
    double *y = doubles(count);
    for (size_t at = 0; at < count; at += 5) {
        double *x = with_nan(count, at, 1);
        float *got = matrix(averages);
        ref_global_average_forward(y, x, s);
        kernels->global_average_forward(got, to_lanes(x, s, 0), s);
        check_places(from_matrix(got, averages), y, shape_count(averages), false, "global average");
        for (int r = 0; r < LEVELS; r++) {
            const double *levels[LEVELS] = {y, y, y}, alpha[LEVELS] = {0.25, 0.25, 0.5};
            const Word *lanes_of[LEVELS];
            double *other = random_doubles(count, 2), *mixed = doubles(count);
            Word *got_mixed = lanes(s);
            for (int i = 0; i < LEVELS; i++) {
                levels[i] = i == r ? x : other;
                lanes_of[i] = to_lanes(levels[i], s, 0);
            }
            ref_mix_forward(mixed, levels, alpha, 7, LEVELS, count);
            kernels->mix_forward(got_mixed, lanes_of, as_floats(alpha, LEVELS), 7, LEVELS, s);
            check_places(from_lanes(got_mixed, s), mixed, count, false, "mix");
        }
    }
    for (size_t at = 0; at < IMAGES * CLASSES; at++) {
        double *logits = with_nan(IMAGES * CLASSES, at, 1), *dlogits = zeros(IMAGES * CLASSES);
        float *lanes_logits = to_matrix(logits, logits_shape, 0), *got = to_matrix(dlogits, logits_shape, 0);
        ck_assert(isnan(ref_cross_entropy_forward(logits, labels, IMAGES, CLASSES)));
        ck_assert(isnan(kernels->cross_entropy_forward(lanes_logits, labels, IMAGES, CLASSES)));
        ref_cross_entropy_backward(dlogits, logits, labels, IMAGES, CLASSES);
        kernels->cross_entropy_backward(got, lanes_logits, labels, IMAGES, CLASSES);
        check_places(from_matrix(got, logits_shape), dlogits, IMAGES * CLASSES, false, "dlogits");
    }
    for (int r = 0; r < LEVELS; r++) {
        float a[LEVELS] = {0.5, 0, -1}, alpha[LEVELS];
        a[r] = NAN;
        kernels->softmax_forward(alpha, a, 7, LEVELS);
        ck_assert(isnan(alpha[0]) && isnan(alpha[1]) && isnan(alpha[2]));
    }
}
END_TEST

/* A layer whose input has one NaN, at any pixel of a tile of Winograd's, with the maxima taken on the way
 * where the set does that: pooled where ref has it, in the statistics of every channel, in y and in the
 * gradients. */
START_TEST(test_layer_keeps_a_nan_of_its_input)
{
    const Kernels *kernels = loop_set(_i, 1);
    const LayerRow row = {{.channels_in = 25,
                           .channels_out = 24,
                           .height = 8,
                           .width = 8,
                           .levels = 3,
                           .kept = 7,
                           .down = POOL_MAX,
                           .up = UPSAMPLE_NEAREST,
                           .bias = true,
                           .eps = 1e-5,
                           .momentum = 0.1},
                          1};
    if (!kernels)
        return;
    LayerCase c;
    layer_case_make(&c, kernels->engine, row);
    const size_t inputs = shape_count(layer_case_in(&c, 0)), outputs = shape_count(layer_case_out(&c, 0));
    const size_t last = inputs - 64; /* the odd channel */
    for (size_t at = 64; at < inputs; at += at == 2 * 64 - 1 ? last - at : at > last ? 9 : 1) {
        const double *x = with_nan(inputs, at, 5);
        c.engine->tensor_import(c.x, as_floats(x, inputs), 1);
        c.engine->tensor_import(c.dy, as_floats(c.cotangent, outputs), 1);
        layer_case_forward(&c, PASS_LOGITS);
        for (int r = 1; r < 3; r++) {
            const Shape pooled = layer_case_in(&c, r);
            double *expected = doubles(shape_count(pooled));
            ref_pool_forward(expected, x, POOL_MAX, 1 << r, layer_case_in(&c, 0));
            check_places(as_floats(layer_case_stage(&c, STAGE_POOLED, r), shape_count(pooled)), expected,
                         shape_count(pooled), false, "pooled");
            const double *variance = layer_case_stage(&c, STAGE_VARIANCE, r);
            for (int k = 0; k < row.spec.channels_out; k++)
                ck_assert_msg(isnan(variance[k]), "variance[%d] is %g", k, variance[k]);
        }
        for (size_t i = 0; i < outputs; i++)
            ck_assert_msg(isnan(c.output[i]), "y[%zu] is %g", i, c.output[i]);
        const double *z = layer_case_stage(&c, STAGE_ACTIVATION, 0);
        layer_case_backward(&c, WANT_FILTERS | WANT_LOGITS);
        const double *dconv = layer_case_stage(&c, STAGE_DCONV, 0);
        for (size_t i = 0; i < outputs; i++)
            ck_assert_msg(isnan(dconv[i]) || !isnan(z[i]), "dconv[%zu] is %g", i, dconv[i]);
        const double *dfilters = layer_case_vector(&c, c.at.dfilters, c.filters_count);
        const double *dlogits = layer_case_vector(&c, c.at.dlogits, c.logits_count);
        for (size_t i = 0; i < c.filters_count; i++)
            ck_assert_msg(isnan(dfilters[i]), "dfilters[%zu] is %g", i, dfilters[i]);
        ck_assert(isnan(dlogits[0]) && isnan(dlogits[1]) && isnan(dlogits[2]));
    }
    layer_case_free(&c);
}
END_TEST

/* A number below 2^-126: kept, or 0 and with it the gradient, as fast/kernels.h says of each version. */
START_TEST(test_denormals_are_what_is_documented)
{
    const Kernels *kernels = loop_set(_i, 1);
    const Shape s = {1, 2, 1, 1};
    if (!kernels)
        return;
    const bool flushed =
        strcmp(kernels->instruction_set, "avx512bf16") == 0 || strcmp(kernels->instruction_set, "amx") == 0;
    const double x[] = {0x1p-130, 0x1p-126}, dy[] = {1, 1}, none[] = {0, 0};
    Word *y = lanes(s), *dx = to_lanes(none, s, 0);
    kernels->relu_forward(y, to_lanes(x, s, 0), s);
    kernels->relu_backward(dx, to_lanes(dy, s, 0), y, s);
    const float *plain = from_lanes(y, s), *gradient = from_lanes(dx, s);
    ck_assert(plain[0] == (flushed ? 0 : 0x1p-130f) && gradient[0] == (flushed ? 0 : 1));
    ck_assert(plain[1] == 0x1p-126f && gradient[1] == 1);
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
    tcase_set_timeout(tcase, 60);
    tcase_add_loop_test(tcase, test_relu_keeps_nan, 0, VERSIONS);
    tcase_add_loop_test(tcase, test_max_pooling_keeps_nan_wherever_it_stands, 0, VERSIONS);
    tcase_add_loop_test(tcase, test_batchnorm_statistics_keep_nan, 0, VERSIONS);
    tcase_add_loop_test(tcase, test_convolutions_with_relu_keep_nan, 0, VERSIONS);
    tcase_add_loop_test(tcase, test_convolutions_keep_a_nan_of_the_input, 0, VERSIONS);
    tcase_add_loop_test(tcase, test_resampling_keeps_nan_where_ref_does, 0, VERSIONS);
    tcase_add_loop_test(tcase, test_upsampling_copies_infinity, 0, VERSIONS);
    tcase_add_loop_test(tcase, test_sums_and_losses_are_nan_where_ref_is, 0, VERSIONS);
    tcase_add_loop_test(tcase, test_layer_keeps_a_nan_of_its_input, 0, VERSIONS);
    tcase_add_loop_test(tcase, test_denormals_are_what_is_documented, 0, VERSIONS);
    tcase_add_loop_test(tcase, test_sums_of_ones_count_every_term, 0, VERSIONS);
    suite_add_tcase(suite, tcase);
    return suite;
}
