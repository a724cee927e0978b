/* The operations of ref/ against values worked out by hand. Numbers are small binary fractions where they
 * can be, and the comparison is then exact; a limit counts the roundings of 2^-53 on the longest path.
 *
 * Claims: fig2.normalised eq1 eq2 eq5 eq6 s3.3.same-channels. */
#include "../ref/batchnorm.h"
#include "../ref/conv2d.h"
#include "../ref/global_average.h"
#include "../ref/linear.h"
#include "../ref/mix.h"
#include "../ref/pool.h"
#include "../ref/relu.h"
#include "../ref/upsample.h"
#include "compare.h"
#include "inputs.h"
#include "suites.h"
#include <math.h>

#define COUNT(array)             (sizeof(array) / sizeof *(array))
#define CK_EXACT(got, ref, what) CK_WITHIN(compare_exact_double((got), (ref), COUNT(ref)), 0, (what))

/* got against one number, in roundings of that number. */
static Difference roundings(double got, double ref)
{
    return compare_double(&got, &ref, 0x1p-53 * fabs(ref), 1);
}

START_TEST(test_relu_by_hand)
{
    double x[5] = {-2, -0.0, 0, 0.5, 3}, dx[5] = {1, 2, 3, 4, 5}, *y = doubles(5);
    const double dy[5] = {10, 20, 30, 40, 50};
    const double y_right[5] = {0, 0, 0, 0.5, 3}, dx_right[5] = {1, 2, 3, 44, 55};
    ref_relu_forward(y, x, 5);
    CK_EXACT(y, y_right, "y");
    ref_relu_backward(dx, dy, y, 5);
    CK_EXACT(dx, dx_right, "dx, added");
    ref_relu_forward(x, x, 5);
    CK_EXACT(x, y_right, "in place");
}
END_TEST

START_TEST(test_conv2d_by_hand)
{
    const double x[4] = {1, 2, 3, 4}, w[9] = {1, 2, 3, 4, 5, 6, 7, 8, 9}, b[1] = {10};
    const double with_bias[4] = {87, 77, 57, 47}, without[4] = {77, 67, 47, 37};
    double *y = doubles(4);
    const Conv2dShape s = {1, 1, 1, 2, 2, 3, 1};
    ref_conv2d_forward(y, x, w, b, s);
    CK_EXACT(y, with_bias, "with bias");
    ref_conv2d_forward(y, x, w, NULL, s);
    CK_EXACT(y, without, "without bias");
}
END_TEST

START_TEST(test_conv2d_stride_2_by_hand)
{
    /* Ones everywhere: each output counts the taps inside the 3 x 4 map. */
    double x[12], w[9];
    for (int i = 0; i < 12; i++)
        x[i] = 1;
    for (int i = 0; i < 9; i++)
        w[i] = 1;
    const double right[4] = {4, 6, 4, 6}, picked_right[4] = {0, 2, 8, 10};
    double *y = doubles(4);
    const Conv2dShape s = {1, 1, 1, 3, 4, 3, 2};
    ref_conv2d_forward(y, x, w, NULL, s);
    CK_EXACT(y, right, "taps inside");
    for (int i = 0; i < 12; i++)
        x[i] = i;
    for (int i = 0; i < 9; i++)
        w[i] = i == 4;
    ref_conv2d_forward(y, x, w, NULL, s);
    CK_EXACT(y, picked_right, "pixels under the middle tap");
}
END_TEST

START_TEST(test_batchnorm_output_has_mean_0_and_known_variance)
{
    const Shape s = {3, 2, 4, 5};
    const int m = s.n * s.h * s.w;
    const double eps = 0.03125;
    const double *x = frozen(random_doubles(shape_count(s), 1));
    double *y = doubles(shape_count(s)), *mean = doubles(s.c), *variance = doubles(s.c);
    ref_batchnorm_statistics(mean, variance, x, s);
    ref_batchnorm_forward(y, x, mean, variance, NULL, NULL, eps, s);
    for (int c = 0; c < s.c; c++) {
        double sum = 0, squares = 0, absolute = 0;
        for (int i = 0; i < m; i++) {
            const double v = y[((size_t)(i / 20) * s.c + c) * 20 + i % 20];
            sum += v, squares += v * v, absolute += fabs(v);
        }
        /* M roundings in the sum that makes the mean of x, M in the sum here, and a few an element. */
        const double zero = 0, gauge = absolute + m * fabs(mean[c]) / sqrt(variance[c] + eps);
        CK_WITHIN(compare_gauged_double(&sum, &zero, &gauge, 1), 2 * m + 6, "sum of y");
        CK_WITHIN(roundings(squares / m, variance[c] / (variance[c] + eps)), 2 * m + 12, "variance of y");
    }
}
END_TEST

START_TEST(test_batchnorm_statistics_by_hand)
{
    /* Two images, two channels, a map of 1 x 2. */
    const double x[8] = {1, 3, -4, 0, 5, 7, 4, 8};
    double *mean = doubles(2), *variance = doubles(2);
    const double mean_right[2] = {4, 2}, variance_right[2] = {5, 20};
    ref_batchnorm_statistics(mean, variance, x, (Shape){2, 2, 1, 2});
    CK_EXACT(mean, mean_right, "mean");
    CK_EXACT(variance, variance_right, "biased variance");
}
END_TEST

START_TEST(test_batchnorm_uses_given_statistics)
{
    const double x[4] = {1, 3, -4, 0}, mean[2] = {2, -1}, variance[2] = {3.75, 0}, gamma[2] = {2, 3},
                 beta[2] = {10, 20};
    double y[4] = {1, 3, -4, 0};
    const double plain[4] = {-0.5, 0.5, -6, 2}, affine[4] = {9, 11, 2, 26};
    const Shape s = {1, 2, 1, 2};
    ref_batchnorm_forward(y, y, mean, variance, NULL, NULL, 0.25, s);
    CK_EXACT(y, plain, "in place, no affine map");
    ref_batchnorm_forward(y, x, mean, variance, gamma, beta, 0.25, s);
    CK_EXACT(y, affine, "affine map");
}
END_TEST

START_TEST(test_batchnorm_tracking_is_corrected_for_its_start)
{
    const Shape s = {2, 2, 1, 3};
    const double mean[2] = {3, -5}, variance[2] = {2, 0.5};
    double mean_average[2] = {0}, variance_average[2] = {0}, weight = 0;
    double *tracked_mean = doubles(2), *tracked_variance = doubles(2);
    const double start_mean[2] = {0, 0}, start_variance[2] = {1, 1};
    ref_batchnorm_tracked(tracked_mean, tracked_variance, mean_average, variance_average, weight, 2);
    CK_EXACT(tracked_mean, start_mean, "mean before any batch");
    CK_EXACT(tracked_variance, start_variance, "variance before any batch");
    for (int t = 1; t <= 5; t++) {
        ref_batchnorm_track(mean_average, variance_average, &weight, mean, variance, 0.1, s);
        ref_batchnorm_tracked(tracked_mean, tracked_variance, mean_average, variance_average, weight, 2);
        for (int c = 0; c < 2; c++) {
            /* Four roundings a step in the average, three in the weight. */
            CK_WITHIN(roundings(tracked_mean[c], mean[c]), 7 * t + 1, "mean of equal batches");
            CK_WITHIN(roundings(tracked_variance[c], variance[c] * 6 / 5), 9 * t + 3, "unbiased variance");
        }
    }
    ck_assert_msg(fabs(weight - (1 - pow(0.9, 5))) < 1e-15, "weight %.17g", weight);
}
END_TEST

START_TEST(test_batchnorm_tracking_by_hand)
{
    double mean_average[1] = {0}, variance_average[1] = {0}, weight = 0;
    const Shape s = {1, 1, 1, 2}; /* M / (M - 1) = 2 */
    ref_batchnorm_track(mean_average, variance_average, &weight, &(double){4}, &(double){1}, 0.25, s);
    ref_batchnorm_track(mean_average, variance_average, &weight, &(double){8}, &(double){3}, 0.25, s);
    const double got[3] = {mean_average[0], variance_average[0], weight};
    const double right[3] = {0.75 * 1 + 2, 0.75 * 0.5 + 1.5, 0.4375};
    CK_EXACT(got, right, "average of mean, of variance, weight");
}
END_TEST

static const double MAP[16] = {1, 2, 3, 9, 9, 4, 5, 6, 7, 8, -1, -2, 0, 9, -3, -4};

START_TEST(test_pool_by_hand)
{
    const double right[3][4] = {{9, 9, 9, -1}, {4, 5.75, 6, -2.5}, {1, 3, 7, -1}};
    const double right_by_4[3][1] = {{9}, {53 / 16.0}, {1}};
    const Shape s = {1, 1, 4, 4};
    double *y = doubles(4), *z = doubles(1);
    ref_pool_forward(y, MAP, (PoolMode)_i, 2, s);
    CK_EXACT(y, right[_i], "by 2");
    ref_pool_forward(z, MAP, (PoolMode)_i, 4, s);
    CK_EXACT(z, right_by_4[_i], "by 4");
}
END_TEST

START_TEST(test_pool_max_tie_belongs_to_first_quadrant)
{
    const Shape square = {1, 1, 2, 2}, s = {1, 1, 4, 4};
    const double dy[1] = {5};
    const double ties[4][4] = {{1, 1, 1, 1}, {0, 2, 2, 2}, {0, 0, 3, 3}, {1, 2, 3, 4}};
    for (int first = 0; first < 4; first++) {
        double dx[4] = {10, 20, 30, 40}, right[4] = {10, 20, 30, 40};
        right[first] += 5;
        ref_pool_backward(dx, dy, ties[first], POOL_MAX, 2, square);
        CK_EXACT(dx, right, "tie in a square");
    }
    /* By 4, the 9 of the upper left quadrant goes before the 9 of an upper row to its right. */
    double dx[16] = {0}, right[16] = {0};
    right[4] = 5;
    ref_pool_backward(dx, dy, MAP, POOL_MAX, 4, s);
    CK_EXACT(dx, right, "tie between quadrants");
}
END_TEST

START_TEST(test_upsample_nearest_by_hand)
{
    const double x[2] = {3, -4}, right[8] = {3, 3, -4, -4, 3, 3, -4, -4};
    double *y = doubles(8);
    ref_upsample_forward(y, x, UPSAMPLE_NEAREST, 2, (Shape){1, 1, 1, 2});
    CK_EXACT(y, right, "y");
}
END_TEST

START_TEST(test_upsample_zeros_by_hand)
{
    const double x[4] = {3, -4, 5, 6},
                 dy[18] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18};
    const double by_2[16] = {3, 0, -4, 0, 0, 0, 0, 0, 5, 0, 6, 0, 0, 0, 0, 0};
    const double right[2] = {101, 204}; /* a map 1x2, by 3 */
    double *y = doubles(16), dx[2] = {100, 200};
    ref_upsample_forward(y, x, UPSAMPLE_ZEROS, 2, (Shape){1, 1, 2, 2});
    CK_WITHIN(compare_exact_double(y, by_2, 16), 0, "y");
    ref_upsample_backward(dx, dy, UPSAMPLE_ZEROS, 3, (Shape){1, 1, 1, 2});
    CK_WITHIN(compare_exact_double(dx, right, 2), 0, "dx");
}
END_TEST

START_TEST(test_upsample_bilinear_by_hand)
{
    /* Along one axis: by 2, 3 pixels become 6; by 4, 2 become 8. The border is repeated outwards. */
    const double by_2[6] = {0, 1, 3, 5, 7, 8}, by_4[8] = {0, 0, 1, 3, 5, 7, 8, 8};
    const double x[3] = {0, 4, 8}, z[2] = {0, 8};
    double *y = doubles(48), right[48];
    for (int i = 0; i < 12; i++)
        right[i] = by_2[i % 6];
    ref_upsample_forward(y, x, UPSAMPLE_BILINEAR, 2, (Shape){1, 1, 1, 3});
    CK_WITHIN(compare_exact_double(y, right, 12), 0, "a row by 2");
    for (int i = 0; i < 12; i++)
        right[i] = by_2[i / 2];
    ref_upsample_forward(y, x, UPSAMPLE_BILINEAR, 2, (Shape){1, 1, 3, 1});
    CK_WITHIN(compare_exact_double(y, right, 12), 0, "a column by 2");
    for (int i = 0; i < 32; i++)
        right[i] = by_4[i % 8];
    ref_upsample_forward(y, z, UPSAMPLE_BILINEAR, 4, (Shape){1, 1, 1, 2});
    CK_WITHIN(compare_exact_double(y, right, 32), 0, "a row by 4");
    /* Both axes: the map row + 10 column of such numbers. */
    double map[6];
    for (int i = 0; i < 6; i++)
        map[i] = z[i / 3] / 4 + 10 * x[i % 3];
    const double by_2_of_2[4] = {0, 0.5, 1.5, 2};
    for (int i = 0; i < 24; i++)
        right[i] = by_2_of_2[i / 6] + 10 * by_2[i % 6];
    ref_upsample_forward(y, map, UPSAMPLE_BILINEAR, 2, (Shape){1, 1, 2, 3});
    CK_WITHIN(compare_exact_double(y, right, 24), 0, "both axes");
}
END_TEST

START_TEST(test_softmax_by_hand)
{
    const double a[3] = {0, log(2), log(4)}, right[3] = {1 / 7.0, 2 / 7.0, 4 / 7.0};
    double *alpha = doubles(3);
    ref_softmax_forward(alpha, a, 7, 3);
    for (int r = 0; r < 3; r++) /* exp within 2, of a rounded a; the sum 2; the quotient 1 */
        CK_WITHIN(roundings(alpha[r], right[r]), 12, "alpha");
    CK_WITHIN(roundings(alpha[0] + alpha[1] + alpha[2], 1), 6, "sum");
}
END_TEST

START_TEST(test_softmax_over_kept_levels_only)
{
    const double a[4] = {NAN, log(3), INFINITY, 0};
    const double right[4] = {0, 0.75, 0, 0.25}, alone[4] = {0, 1, 0, 0};
    double *alpha = doubles(4);
    ref_softmax_forward(alpha, a, 10, 4);
    CK_WITHIN(compare_double(alpha, right, 0x1p-53, 4), 12, "two of four");
    ck_assert_msg(alpha[0] == 0 && alpha[2] == 0, "a level that is not kept has a share");
    ref_softmax_forward(alpha, a, 2, 4);
    CK_EXACT(alpha, alone, "one of four");
}
END_TEST

START_TEST(test_softmax_does_not_depend_on_a_shift)
{
    /* The shifts are exact in double, so the result has the same bits; exp(1000) would overflow. */
    const double shifts[4] = {1, -1, 1000, -1000};
    const double *a = random_doubles(5, 1);
    double *alpha = doubles(5), *shifted = doubles(5), *b = doubles(5);
    ref_softmax_forward(alpha, a, 31, 5);
    for (int r = 0; r < 5; r++)
        b[r] = a[r] + shifts[_i];
    ref_softmax_forward(shifted, b, 31, 5);
    CK_WITHIN(compare_exact_double(shifted, alpha, 5), 0, "shifted");
    const double far[2] = {shifts[_i], 0}, right[2] = {shifts[_i] > 1, shifts[_i] < -1};
    if (fabs(shifts[_i]) > 1) {
        ref_softmax_forward(shifted, far, 3, 2);
        CK_EXACT(shifted, right, "far apart");
    }
}
END_TEST

START_TEST(test_mix_by_hand)
{
    const double x0[2] = {4, 8}, x2[2] = {-4, 16}, alpha[3] = {0.25, NAN, 0.75}, right[2] = {-2, 14};
    const double *const x[3] = {x0, NULL, x2};
    double *y = doubles(2);
    ref_mix_forward(y, x, alpha, 5, 3, 2);
    CK_EXACT(y, right, "y");
}
END_TEST

START_TEST(test_linear_by_hand)
{
    const double x[4] = {1, 2, 3, 4}, w[6] = {1, 0, 0, 1, 2, -1}, b[3] = {10, 20, 30};
    const double right[6] = {11, 22, 30, 13, 24, 32};
    double *y = doubles(6);
    ref_linear_forward(y, x, w, b, 2, 2, 3);
    CK_EXACT(y, right, "y");
}
END_TEST

START_TEST(test_global_average_by_hand)
{
    const double x[12] = {1, 2, 3, 4, 5, 9, 0, 0, 0, 0, 0, -3}, right[2] = {4, -0.5};
    double *y = doubles(2);
    ref_global_average_forward(y, x, (Shape){1, 2, 2, 3});
    CK_EXACT(y, right, "y");
}
END_TEST

Suite *ref_values_suite(void)
{
    Suite *suite = suite_create("ref_values");
    TCase *layers = tcase_create("layers");
    tcase_set_timeout(layers, 10);
    tcase_add_checked_fixture(layers, NULL, arrays_free);
    tcase_add_test(layers, test_relu_by_hand);
    tcase_add_test(layers, test_conv2d_by_hand);
    tcase_add_test(layers, test_conv2d_stride_2_by_hand);
    tcase_add_test(layers, test_batchnorm_output_has_mean_0_and_known_variance);
    tcase_add_test(layers, test_batchnorm_statistics_by_hand);
    tcase_add_test(layers, test_batchnorm_uses_given_statistics);
    tcase_add_test(layers, test_batchnorm_tracking_is_corrected_for_its_start);
    tcase_add_test(layers, test_batchnorm_tracking_by_hand);
    tcase_add_loop_test(layers, test_pool_by_hand, POOL_MAX, POOL_SUBSAMPLE + 1);
    tcase_add_test(layers, test_pool_max_tie_belongs_to_first_quadrant);
    tcase_add_test(layers, test_upsample_nearest_by_hand);
    tcase_add_test(layers, test_upsample_zeros_by_hand);
    tcase_add_test(layers, test_upsample_bilinear_by_hand);
    tcase_add_test(layers, test_softmax_by_hand);
    tcase_add_test(layers, test_softmax_over_kept_levels_only);
    tcase_add_loop_test(layers, test_softmax_does_not_depend_on_a_shift, 0, 4);
    tcase_add_test(layers, test_mix_by_hand);
    tcase_add_test(layers, test_linear_by_hand);
    tcase_add_test(layers, test_global_average_by_hand);
    suite_add_tcase(suite, layers);
    return suite;
}
