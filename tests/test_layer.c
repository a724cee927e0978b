/* The multi-resolution layer of every engine against the operations of ref, over a table of layers: the fast
 * ones in every instruction set, and ref's own.
 *
 * Claims: eq1.fast s4.1.block. */
#include "../ref/batchnorm.h"
#include "lanes.h"
#include "layer_check.h"
#include "suites.h"

enum { ALL = WANT_FILTERS | WANT_LOGITS };

/* Versions of the fast engines, and ref's. */
enum { ENGINES = VERSIONS + 1 };

/* The case of loop index i; false if this CPU lacks the set. */
static bool start(LayerCase *c, int i)
{
    if (i / layer_rows == VERSIONS) {
        use_ref();
        layer_case_make(c, &ref_engine, layer_table[i % layer_rows]);
        return true;
    }
    const Kernels *kernels = loop_set(i, layer_rows);
    if (kernels)
        layer_case_make(c, kernels->engine, layer_table[i % layer_rows]);
    return kernels != NULL;
}

START_TEST(test_layer_forward_matches_ref)
{
    LayerCase c;
    if (!start(&c, _i))
        return;
    layer_case_forward(&c, PASS_FILTERS);
    layer_check_forward(&c);
    layer_case_free(&c);
}
END_TEST

/* Tracked statistics after two steps of the filters, with a step of the logits between them that must not
 * count. */
START_TEST(test_layer_tracks_statistics_of_filter_steps)
{
    LayerCase c;
    if (!start(&c, _i))
        return;
    const int norms = layer_block_norms(&c.spec);
    double *expected = zeros(c.statistics_count), *gauge = zeros(c.statistics_count);
    const double *mean[MAX_LEVELS] = {0}, *variance[MAX_LEVELS] = {0};
    for (int pass = 0; pass < 3; pass++) {
        layer_case_forward(&c, pass == 1 ? PASS_LOGITS : PASS_FILTERS);
        for (int r = 0; pass != 1 && r < c.spec.levels; r++)
            for (int i = 0; level_kept(c.spec.kept, r) && i < norms; i++) {
                const int channels = layer_norm_channels(&c.spec, i);
                const size_t from = layer_norms_channels(&c.spec, i);
                const Shape map = {c.n, channels, c.spec.height >> r, c.spec.width >> r};
                const size_t place = layer_statistics_at(&c.spec, r) + layer_norm_statistics(&c.spec, i);
                double *at = expected + place, *size = gauge + place;
                double *m = layer_case_stage(&c, STAGE_MEAN, r) + from,
                       *v = layer_case_stage(&c, STAGE_VARIANCE, r) + from;
                ref_batchnorm_track(at, at + channels, at + 2 * channels, m, v, c.spec.momentum, map);
                ref_batchnorm_track(size, size + channels, size + 2 * channels, absolute(m, channels), v,
                                    c.spec.momentum, map);
            }
    }
    /* Six updates at most (shared statistics of three levels, twice), each rounding the old value and the
     * new. */
    double *got = layer_case_vector(&c, c.at.statistics, c.statistics_count);
    CK_WITHIN(compare_rounded(got, expected, gauge, c.statistics_count), roundings(6 * 3),
              "tracked statistics");

    layer_case_forward(&c, PASS_INFERENCE);
    for (int r = 0; r < c.spec.levels; r++) {
        const int channels = c.spec.channels_out;
        const double *at = got + layer_statistics_at(&c.spec, r) + layer_norm_statistics(&c.spec, norms - 1);
        double *m = doubles(channels), *v = doubles(channels);
        ref_batchnorm_tracked(m, v, at, at + channels, at[2 * channels], channels);
        mean[r] = m;
        variance[r] = v;
    }
    layer_check_mixed(&c, mean, variance);
    double *after = layer_case_vector(&c, c.at.statistics, c.statistics_count);
    CK_WITHIN(compare_exact_double(after, got, c.statistics_count), 0,
              "inference changed tracked statistics");
    layer_case_free(&c);
}
END_TEST

START_TEST(test_layer_backward_matches_ref)
{
    LayerCase c;
    if (!start(&c, _i))
        return;
    double *dx = doubles(shape_count(layer_case_in(&c, 0)));
    layer_case_forward(&c, PASS_FILTERS);
    layer_case_backward(&c, ALL);
    c.engine->tensor_export(dx, c.dx);
    layer_check_backward(&c, dx, layer_case_vector(&c, c.at.dfilters, c.filters_count),
                         layer_case_vector(&c, c.at.dlogits, c.logits_count));
    layer_case_free(&c);
}
END_TEST

/* A gradient that is 1 on some images and -1 on others: 1,024 equal numbers meet in one of a map that is
 * coarser by 32, which a sum that is rounded to bfloat16 term by term stops counting at 256. */
START_TEST(test_layer_backward_counts_every_term)
{
    static const UpsampleMode modes[] = {UPSAMPLE_NEAREST, UPSAMPLE_BILINEAR};
    const Kernels *kernels = _i / 2 < VERSIONS ? use_version(_i / 2) : NULL;
    LayerRow row = {{.channels_in = 2,
                     .channels_out = 3,
                     .height = 32,
                     .width = 32,
                     .levels = 6,
                     .kept = 63,
                     .down = POOL_MAX,
                     .up = modes[_i % 2],
                     .bias = true,
                     .eps = 1e-5,
                     .momentum = 0.1},
                    5};
    LayerCase c;
    if (_i / 2 < VERSIONS && !kernels)
        return;
    if (!kernels)
        use_ref();
    layer_case_make(&c, kernels ? kernels->engine : &ref_engine, row);
    const size_t outputs = shape_count(layer_case_out(&c, 0));
    for (size_t i = 0; i < outputs; i++)
        c.cotangent[i] = i * 5 / outputs % 2 ? -1 : 1;
    c.engine->tensor_import(c.dy, as_floats(c.cotangent, outputs), c.n);
    layer_case_forward(&c, PASS_FILTERS);
    layer_case_backward(&c, ALL);
    layer_check_backward(&c, NULL, layer_case_vector(&c, c.at.dfilters, c.filters_count),
                         layer_case_vector(&c, c.at.dlogits, c.logits_count));
    layer_case_free(&c);
}
END_TEST

/* A step of one kind leaves the other's gradient alone, and dx may be left out. */
START_TEST(test_layer_backward_computes_what_is_wanted)
{
    LayerCase c;
    if (!start(&c, _i))
        return;
    layer_case_forward(&c, PASS_LOGITS);
    layer_case_backward(&c, WANT_LOGITS);
    CK_WITHIN(compare_exact_double(layer_case_vector(&c, c.at.dfilters, c.filters_count), c.dfilters,
                                   c.filters_count),
              0, "dfilters of an alpha step");
    double *da = layer_case_vector(&c, c.at.dlogits, c.logits_count);
    c.engine->tensor_import(c.dy, as_floats(c.cotangent, shape_count(layer_case_out(&c, 0))), c.n);
    c.engine->layer_backward(c.layer, NULL, c.dy, WANT_FILTERS);
    CK_WITHIN(compare_exact_double(layer_case_vector(&c, c.at.dlogits, c.logits_count), da, c.logits_count),
              0, "dlogits of a step of the filters");
    layer_case_free(&c);
}
END_TEST

Suite *layer_suite(void)
{
    Suite *suite = suite_create("layer");
    TCase *tcase = tcase_create("against ref");
    tcase_add_checked_fixture(tcase, NULL, arrays_free);
    tcase_set_timeout(tcase, 60);
    tcase_add_loop_test(tcase, test_layer_forward_matches_ref, 0, ENGINES * layer_rows);
    tcase_add_loop_test(tcase, test_layer_tracks_statistics_of_filter_steps, 0, ENGINES * layer_rows);
    tcase_add_loop_test(tcase, test_layer_backward_matches_ref, 0, ENGINES * layer_rows);
    tcase_add_loop_test(tcase, test_layer_backward_counts_every_term, 0, ENGINES * 2);
    tcase_add_loop_test(tcase, test_layer_backward_computes_what_is_wanted, 0, ENGINES * layer_rows);
    suite_add_tcase(suite, tcase);
    return suite;
}
