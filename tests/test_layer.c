/* The multi-resolution layer of every engine against the operations of ref, over a table of layers: the fast
 * ones in every instruction set, and ref's own.
 *
 * Claims: eq1.fast s4.1.block. */
#include "../ref/batchnorm.h"
#include "lanes.h"
#include "layer_check.h"
#include "suites.h"
#include <omp.h>

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

/* Layers whose backward pass has several bands in a part of a group, parts of unequal bands, bands that fill
 * no row of tiles, or hardly any rows at all; one group or more than threads divide. */
#define ROW(n, c, k, h, w, levels_, up_) \
    {                                    \
        {.channels_in = c,               \
         .channels_out = k,              \
         .height = h,                    \
         .width = w,                     \
         .levels = levels_,              \
         .kept = (1 << levels_) - 1,     \
         .down = POOL_MAX,               \
         .up = up_,                      \
         .bias = true,                   \
         .eps = 1e-5,                    \
         .momentum = 0.1},               \
            n                            \
    }
static const LayerRow banded[] = {
    ROW(70, 3, 5, 20, 4, 2, UPSAMPLE_NEAREST),   ROW(20, 6, 3, 15, 5, 1, UPSAMPLE_NEAREST),
    ROW(18, 4, 4, 36, 28, 3, UPSAMPLE_NEAREST),  ROW(33, 2, 3, 4, 4, 3, UPSAMPLE_BILINEAR),
    ROW(5, 10, 12, 28, 28, 2, UPSAMPLE_NEAREST), ROW(17, 16, 11, 40, 24, 3, UPSAMPLE_NEAREST),
    ROW(17, 24, 25, 24, 8, 2, UPSAMPLE_NEAREST), ROW(3, 25, 24, 20, 32, 1, UPSAMPLE_NEAREST),
};
enum { BANDED = sizeof banded / sizeof *banded };

/* What a backward pass of `wanted` on so many threads gives, in one array: dx, if it is wanted, and the
 * gradients of filters and logits. At first against ref. */
static double *banded_gradients(const Engine *engine, LayerRow row, int threads, bool with_dx,
                                unsigned wanted, bool check, size_t *count)
{
    LayerCase c;
    omp_set_num_threads(threads);
    layer_case_make(&c, engine, row);
    const size_t inputs = with_dx ? shape_count(layer_case_in(&c, 0)) : 0;
    *count = inputs + c.filters_count + c.logits_count;
    double *all = doubles(*count);
    layer_case_forward(&c, wanted & WANT_FILTERS ? PASS_FILTERS : PASS_LOGITS);
    c.engine->tensor_import(c.dy, as_floats(c.cotangent, shape_count(layer_case_out(&c, 0))), c.n);
    c.engine->layer_backward(c.layer, with_dx ? c.dx : NULL, c.dy, wanted);
    if (with_dx)
        c.engine->tensor_export(all, c.dx);
    c.engine->vector_read(all + inputs, c.at.dfilters, 0, c.filters_count);
    c.engine->vector_read(all + inputs + c.filters_count, c.at.dlogits, 0, c.logits_count);
    if (check)
        layer_check_backward(&c, all, all + inputs, all + inputs + c.filters_count);
    layer_case_free(&c);
    return all;
}

/* One thread makes bands of every level that can be. The other numbers do not divide the parts. */
START_TEST(test_layer_bands_do_not_depend_on_threads)
{
    static const int threads[] = {2, 3, 5, 64};
    static const struct {
        bool dx;
        unsigned wanted;
    } passes[] = {{true, ALL}, {false, WANT_FILTERS}, {true, WANT_LOGITS}};
    const Kernels *kernels = loop_set(_i, BANDED);
    const LayerRow row = banded[_i % BANDED];
    if (!kernels)
        return;
    for (int pass = 0; pass < 3; pass++) {
        size_t count;
        double *one = banded_gradients(kernels->engine, row, 1, passes[pass].dx, passes[pass].wanted,
                                       pass == 0, &count);
        for (size_t i = 0; i < sizeof threads / sizeof *threads; i++)
            CK_WITHIN(compare_exact_double(banded_gradients(kernels->engine, row, threads[i], passes[pass].dx,
                                                            passes[pass].wanted, false, &count),
                                           one, count),
                      0, "other threads");
    }
}
END_TEST

/* Each of the gradients is that of the pass that wants all, to the bit. */
START_TEST(test_layer_bands_do_not_depend_on_what_is_wanted)
{
    const Kernels *kernels = loop_set(_i, BANDED);
    const LayerRow row = banded[_i % BANDED];
    size_t count, filters, inputs;
    if (!kernels)
        return;
    const double *all = banded_gradients(kernels->engine, row, 1, true, ALL, false, &count),
                 *weights = banded_gradients(kernels->engine, row, 1, false, WANT_FILTERS, false, &filters),
                 *data = banded_gradients(kernels->engine, row, 1, true, WANT_LOGITS, false, &inputs);
    const size_t dx = count - filters;
    CK_WITHIN(compare_exact_double(weights, all + dx, filters - row.spec.levels), 0, "filters alone");
    CK_WITHIN(compare_exact_double(data, all, dx), 0, "dx alone");
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
    tcase_add_loop_test(tcase, test_layer_bands_do_not_depend_on_threads, 0, VERSIONS * BANDED);
    tcase_add_loop_test(tcase, test_layer_bands_do_not_depend_on_what_is_wanted, 0, VERSIONS * BANDED);
    suite_add_tcase(suite, tcase);
    return suite;
}
