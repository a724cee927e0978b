/* The paper's identities: what a multi-resolution layer is in its special cases, from plain operations.
 *
 * Claims: abs.one-or-multiple s1.equivalent s1.resolution-kept fig1.effective-size fig2.layer s2.static eq2
 * eq3 eq4 s3.2.continuous-size s3.4.start s3.5.starts-scale-invariant s4.1.block s4.2.field-same
 * s4.2.uniform s4.2.typical-net. */
#include "../ref/batchnorm.h"
#include "../ref/conv2d.h"
#include "../ref/mix.h"
#include "../ref/pool.h"
#include "../ref/relu.h"
#include "../ref/upsample.h"
#include "inputs.h"
#include "multires_case.h"
#include "suites.h"
#include <math.h>
#include <string.h>

enum { LEVELS = 4, DOWNS = 3, UPS = 2 };

static MultiresShape shape_of(int levels, unsigned kept, int down, int up)
{
    return (MultiresShape){.block = {2, 3, 4, 8, 16, 3, 1},
                           .levels = levels,
                           .kept = kept,
                           .down = (PoolMode)down,
                           .up = (UpsampleMode)up,
                           .eps = 1e-5};
}

static size_t outputs(MultiresShape s)
{
    return shape_count(conv2d_output(s.block));
}

/* U(B(S(x))) at level r: pool, convolution, ReLU, batch norm, upsample. gauge becomes the sum over absolute
 * values of the last two, which the layer may apply in the other order. */
static void level_by_operations(double *y, double *gauge, const MultiresCase *m, int r)
{
    const MultiresShape s = m->s;
    Conv2dShape block = s.block;
    block.h >>= r, block.w >>= r;
    const Shape map = conv2d_output(block);
    double *pooled = doubles(shape_count(conv2d_input(block))), *activation = doubles(shape_count(map)),
           *normalised = doubles(shape_count(map)), *mean = doubles(map.c), *variance = doubles(map.c);
    const double *gamma = m->gamma[r], *beta = m->beta[r];
    ref_pool_forward(pooled, m->x, s.down, 1 << r, conv2d_input(s.block));
    ref_conv2d_forward(activation, pooled, m->w, m->b, block);
    ref_relu_forward(activation, activation, shape_count(map));
    ref_batchnorm_statistics(mean, variance, activation, map);
    ref_batchnorm_forward(normalised, activation, mean, variance, gamma, beta, s.eps, map);
    ref_upsample_forward(y, normalised, s.up, 1 << r, map);
    for (size_t i = 0; i < shape_count(map); i++) {
        const int k = (int)(i / (map.h * map.w) % map.c);
        normalised[i] = (gamma ? fabs(gamma[k]) : 1) * (activation[i] + mean[k]) / sqrt(variance[k] + s.eps) +
                        (beta ? fabs(beta[k]) : 0);
    }
    ref_upsample_forward(gauge, normalised, s.up, 1 << r, map);
}

/* Interpolation rounds 8 times on a path (two weights of 1 - t, a product and a sum each way), normalisation
 * 5 times; either order of the two may be off by that. */
static const double ORDER_OF_UPSAMPLING = 2 * (8 + 5);

START_TEST(test_one_resolution_is_plain_layer)
{
    /* _i: with bias, with affine map. */
    const MultiresShape s = shape_of(1, 1, POOL_MAX, UPSAMPLE_NEAREST);
    MultiresCase m = multires_case(s, _i & 1, _i & 2 ? AFFINE_EACH : AFFINE_NONE, 1);
    double *right = doubles(outputs(s)), *gauge = doubles(outputs(s));
    multires_loss(&m);
    level_by_operations(right, gauge, &m, 0);
    CK_WITHIN(compare_exact_double(m.y, right, outputs(s)), 0, "y");
    ck_assert_msg(m.cache.alpha[0] == 1, "alpha %g", m.cache.alpha[0]);
}
END_TEST

/* _i counts levels, S and U. */
START_TEST(test_one_kept_level_is_pool_block_upsample)
{
    const int r = _i % LEVELS, down = _i / LEVELS % DOWNS, up = _i / LEVELS / DOWNS;
    const MultiresShape s = shape_of(LEVELS, 1u << r, down, up);
    MultiresCase m = multires_case(s, true, _i % 2 ? AFFINE_EACH : AFFINE_NONE, 2);
    double *right = doubles(outputs(s)), *gauge = doubles(outputs(s));
    multires_loss(&m);
    level_by_operations(right, gauge, &m, r);
    CK_WITHIN(compare_gauged_double(m.y, right, gauge, outputs(s)), ORDER_OF_UPSAMPLING, "y");
    if (up == UPSAMPLE_NEAREST) /* copies pixels: the order of copying and normalising does not round */
        CK_WITHIN(compare_exact_double(m.y, right, outputs(s)), 0, "y by copies");
}
END_TEST

START_TEST(test_uniform_alpha_is_average_of_levels)
{
    const MultiresShape s = shape_of(LEVELS, all_levels(LEVELS), _i % DOWNS, _i / DOWNS);
    MultiresCase m = multires_case(s, true, AFFINE_NONE, 3);
    const double equal[LEVELS] = {0.7, 0.7, 0.7, 0.7};
    double *average = doubles(outputs(s)), *y = doubles(outputs(s)), *gauge = doubles(outputs(s)),
           *level_gauge = doubles(outputs(s));
    memset(average, 0, outputs(s) * sizeof *average);
    memset(gauge, 0, outputs(s) * sizeof *gauge);
    for (int r = 0; r < LEVELS; r++) {
        level_by_operations(y, level_gauge, &m, r);
        for (size_t i = 0; i < outputs(s); i++)
            average[i] += y[i] / LEVELS, gauge[i] += level_gauge[i] / LEVELS;
    }
    MultiresParameters p = multires_parameters(&m);
    p.a = equal;
    ref_multires_forward(m.y, &m.cache, m.x, p, true, s);
    /* The shares are exact quarters; a product and a sum a level, on either side. */
    CK_WITHIN(compare_gauged_double(m.y, average, gauge, outputs(s)), ORDER_OF_UPSAMPLING + 4 * LEVELS, "y");
}
END_TEST

START_TEST(test_mixed_levels_are_mix_of_single_levels)
{
    const MultiresShape s = shape_of(LEVELS, 13, _i % DOWNS, _i / DOWNS);
    MultiresCase m = multires_case(s, true, AFFINE_SHARED, 4);
    double *maps[LEVELS] = {NULL}, *gauges[LEVELS] = {NULL}, alpha[LEVELS];
    double *right = doubles(outputs(s)), *gauge = doubles(outputs(s));
    for (int r = 0; r < LEVELS; r++)
        if (level_kept(s.kept, r)) {
            maps[r] = doubles(outputs(s)), gauges[r] = doubles(outputs(s));
            level_by_operations(maps[r], gauges[r], &m, r);
        }
    multires_loss(&m);
    ref_softmax_forward(alpha, m.a, s.kept, LEVELS);
    ref_mix_forward(right, (const double *const *)maps, alpha, s.kept, LEVELS, outputs(s));
    ref_mix_forward(gauge, (const double *const *)gauges, alpha, s.kept, LEVELS, outputs(s));
    CK_WITHIN(compare_exact_double(m.cache.alpha, alpha, LEVELS), 0, "alpha");
    CK_WITHIN(compare_gauged_double(m.y, right, gauge, outputs(s)), ORDER_OF_UPSAMPLING + 4 * LEVELS, "y");
}
END_TEST

START_TEST(test_levels_not_kept_are_neither_read_nor_written)
{
    /* The arrays of levels 0 and 2 are NULL; then they are there, full of NaN, as are the logits. */
    const MultiresShape s = shape_of(LEVELS, 10, _i % DOWNS, _i / DOWNS);
    MultiresCase m = multires_case(s, true, AFFINE_EACH, 5);
    double *y = doubles(outputs(s)), a[LEVELS] = {NAN, m.a[1], NAN, m.a[3]};
    double *dx = prefilled(shape_count(conv2d_input(s.block))), *dw = prefilled(multires_filters(&m));
    double *again = prefilled(shape_count(conv2d_input(s.block))),
           *dw_again = prefilled(multires_filters(&m));
    multires_loss(&m);
    memcpy(y, m.y, outputs(s) * sizeof *y);
    MultiresParameters p = multires_parameters(&m);
    ref_multires_backward(dx, (MultiresGradients){.dw = dw, .db = dw + conv2d_filters(s.block)}, &m.scratch,
                          m.cotangent, m.x, &m.cache, p, s);
    for (int r = 0; r < LEVELS; r += 2) {
        double **unread[10] = {
            &m.cache.pooled[r],        &m.cache.activation[r],    &m.cache.mean[r],
            &m.cache.variance[r],      &m.cache.upsampled[r],     &m.scratch.dpooled[r],
            &m.scratch.dactivation[r], &m.scratch.dnormalised[r], &m.scratch.dconv[r],
            &m.scratch.dupsampled[r],
        };
        for (int i = 0; i < 10; i++) {
            *unread[i] = doubles(outputs(s)); /* new arrays are full of NaN */
            frozen(*unread[i]);
        }
        p.gamma[r] = p.beta[r] = frozen(doubles(s.block.k));
    }
    p.a = a;
    ref_multires_forward(m.y, &m.cache, m.x, p, true, s);
    ref_multires_backward(again,
                          (MultiresGradients){.dw = dw_again, .db = dw_again + conv2d_filters(s.block)},
                          &m.scratch, m.cotangent, m.x, &m.cache, p, s);
    CK_WITHIN(compare_exact_double(m.y, y, outputs(s)), 0, "y");
    CK_WITHIN(compare_exact_double(again, dx, shape_count(conv2d_input(s.block))), 0, "dx");
    CK_WITHIN(compare_exact_double(dw_again, dw, multires_filters(&m)), 0, "dw, db");
    ck_assert_msg(m.cache.alpha[0] == 0 && m.cache.alpha[2] == 0, "a level that is not kept has a share");
}
END_TEST

START_TEST(test_inference_uses_given_statistics)
{
    /* The statistics of a batch, given back for inference, give the output of training on that batch; those
     * of every image alone do not matter. */
    const MultiresShape s = shape_of(LEVELS, all_levels(LEVELS), _i % DOWNS, _i / DOWNS);
    MultiresCase m = multires_case(s, true, AFFINE_EACH, 6);
    double *training = doubles(outputs(s));
    multires_loss(&m);
    memcpy(training, m.y, outputs(s) * sizeof *training);
    for (int r = 0; r < LEVELS; r++)
        frozen(m.cache.mean[r]), frozen(m.cache.variance[r]);
    MultiresShape one = s;
    one.block.n = 1;
    const size_t in = outputs(one) / s.block.k * s.block.c;
    for (int n = 0; n < s.block.n; n++)
        ref_multires_forward(m.y + n * outputs(one), &m.cache, m.x + n * in, multires_parameters(&m), false,
                             one);
    CK_WITHIN(compare_exact_double(m.y, training, outputs(s)), 0, "y, an image at a time");
}
END_TEST

START_TEST(test_pool_by_factor_is_repeated_pool_by_2)
{
    const Shape s = {2, 3, 16, 8};
    const double *x = frozen(random_doubles(shape_count(s), 7));
    double *y = doubles(shape_count(s)), *twice = doubles(shape_count(s)), *half = doubles(shape_count(s));
    memcpy(half, x, shape_count(s) * sizeof *half);
    for (int factor = 2; factor <= 8; factor *= 2) {
        const size_t count = shape_count(shape_coarser(s, factor));
        ref_pool_forward(y, x, (PoolMode)_i, factor, s);
        ref_pool_forward(twice, half, (PoolMode)_i, 2, shape_coarser(s, factor / 2));
        /* Exact for the means too: sums of 64 numbers of 24 bits do not round. */
        CK_WITHIN(compare_exact_double(y, twice, count), 0, "y");
        memcpy(half, twice, count * sizeof *half);
    }
}
END_TEST

START_TEST(test_pool_after_nearest_upsample_is_identity)
{
    const Shape s = {2, 3, 3, 5};
    const double *x = frozen(random_doubles(shape_count(s), 8));
    for (int factor = 1; factor <= 8; factor *= 2) {
        const Shape fine = shape_finer(s, factor);
        double *up = doubles(shape_count(fine)), *y = doubles(shape_count(s));
        ref_upsample_forward(up, x, UPSAMPLE_NEAREST, factor, s);
        ref_pool_forward(y, up, (PoolMode)_i, factor, fine);
        CK_WITHIN(compare_exact_double(y, x, shape_count(s)), 0, "y");
    }
}
END_TEST

/* Convolution whose taps are `dilation` pixels apart, at every pixel of the map. */
static void dilated_conv2d(double *y, const double *x, const double *w, const double *b, int dilation,
                           Conv2dShape s)
{
    for (int n = 0; n < s.n; n++)
        for (int k = 0; k < s.k; k++)
            for (int p = 0; p < s.h * s.w; p++) {
                double sum = 0;
                for (int c = 0; c < s.c; c++)
                    for (int tap = 0; tap < 9; tap++) {
                        const int row = p / s.w + dilation * (tap / 3 - 1),
                                  column = p % s.w + dilation * (tap % 3 - 1);
                        if (row >= 0 && row < s.h && column >= 0 && column < s.w)
                            sum += x[((size_t)(n * s.c + c) * s.h + row) * s.w + column] *
                                   w[(k * s.c + c) * 9 + tap];
                    }
                y[((size_t)n * s.k + k) * s.h * s.w + p] = sum + b[k];
            }
}

START_TEST(test_conv2d_of_subsampled_map_is_dilated_conv2d)
{
    /* Equation 3, at 2^_i: the pixels of the dilated result that subsampling keeps. */
    const int factor = 1 << _i;
    const Conv2dShape s = {2, 3, 4, 16, 24, 3, 1};
    Conv2dShape coarse = s;
    coarse.h /= factor, coarse.w /= factor;
    const size_t in = shape_count(conv2d_input(s)), filters = conv2d_filters(s);
    double *x = random_doubles(in, 1), *w = random_doubles(filters, 2), *b = random_doubles(s.k, 3);
    const size_t fine = shape_count(conv2d_output(s)), out = shape_count(conv2d_output(coarse));
    double *dilated = doubles(fine), *right = doubles(out), *gauge = doubles(out), *y = doubles(out),
           *pooled = doubles(shape_count(conv2d_input(coarse)));
    ref_pool_forward(pooled, x, POOL_SUBSAMPLE, factor, conv2d_input(s));
    ref_conv2d_forward(y, pooled, w, b, coarse);
    dilated_conv2d(dilated, x, w, b, factor, s);
    ref_pool_forward(right, dilated, POOL_SUBSAMPLE, factor, conv2d_output(s));
    for (size_t i = 0; i < in; i++)
        x[i] = fabs(x[i]);
    for (size_t i = 0; i < filters; i++)
        w[i] = fabs(w[i]);
    for (int k = 0; k < s.k; k++)
        b[k] = fabs(b[k]);
    dilated_conv2d(dilated, x, w, b, factor, s);
    ref_pool_forward(gauge, dilated, POOL_SUBSAMPLE, factor, conv2d_output(s));
    CK_WITHIN(compare_gauged_double(y, right, gauge, out), 2 * (9 * s.c + 1), "y");
}
END_TEST

TCase *worked_example_case(void); /* tests/test_worked_example.c */

Suite *paper_identities_suite(void)
{
    Suite *suite = suite_create("paper_identities");
    TCase *tcase = tcase_create("identities");
    tcase_set_timeout(tcase, 10);
    tcase_add_checked_fixture(tcase, NULL, arrays_free);
    tcase_add_loop_test(tcase, test_one_resolution_is_plain_layer, 0, 4);
    tcase_add_loop_test(tcase, test_one_kept_level_is_pool_block_upsample, 0, LEVELS * DOWNS * UPS);
    tcase_add_loop_test(tcase, test_uniform_alpha_is_average_of_levels, 0, DOWNS * UPS);
    tcase_add_loop_test(tcase, test_mixed_levels_are_mix_of_single_levels, 0, DOWNS * UPS);
    tcase_add_loop_test(tcase, test_levels_not_kept_are_neither_read_nor_written, 0, DOWNS * UPS);
    tcase_add_loop_test(tcase, test_inference_uses_given_statistics, 0, DOWNS * UPS);
    tcase_add_loop_test(tcase, test_pool_by_factor_is_repeated_pool_by_2, 0, DOWNS);
    tcase_add_loop_test(tcase, test_pool_after_nearest_upsample_is_identity, 0, DOWNS);
    tcase_add_loop_test(tcase, test_conv2d_of_subsampled_map_is_dilated_conv2d, 0, LEVELS);
    suite_add_tcase(suite, tcase);
    suite_add_tcase(suite, worked_example_case());
    return suite;
}
