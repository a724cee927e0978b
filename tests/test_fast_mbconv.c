/* The fast operations of MBConv (sigmoid, swish, depthwise, squeeze-and-excitation) against ref, in every
 * instruction set. Bounds as derived in their files in fast/. */
#include "../ref/depthwise.h"
#include "../ref/sigmoid.h"
#include "../ref/swish.h"
#include "compare.h"
#include "lanes.h"
#include "mbconv_case.h"
#include "suites.h"
#include <math.h>
#include <string.h>

static const Shape table[] = {
    {1, 1, 1, 1}, {16, 3, 4, 5}, {17, 4, 8, 3}, {15, 5, 7, 8}, {33, 9, 2, 2}, {2, 67, 6, 6}, {3, 130, 3, 5},
};
enum { ROWS = sizeof table / sizeof *table };

/* From -80 to 80, small ones too. */
static double *arguments(size_t count, uint32_t seed)
{
    double *x = random_doubles(count, seed);
    for (size_t i = 0; i < count; i++)
        x[i] = representable(x[i] * (i % 3 == 0 ? 80 : i % 3 == 1 ? 4 : 0.01));
    return x;
}

START_TEST(test_sigmoid_matches_ref)
{
    const Kernels *kernels = loop_set(_i, ROWS);
    const Shape s = table[_i % ROWS];
    const size_t count = shape_count(s);
    if (!kernels)
        return;
    double *x = arguments(count, 1), *y = doubles(count), *dy = random_doubles(count, 2),
           *dx = prefilled(count);
    double *gauge = absolute(dx, count);
    float *got = lanes(s), *got_dx = to_lanes(dx, s, NAN);
    ref_sigmoid_forward(y, x, count);
    kernels->sigmoid_forward(got, frozen_float(to_lanes(x, s, NAN)), s);
    CK_WITHIN(compare_gauged(from_lanes(got, s), y, y, count), stored(8, 1), "y");
    for (size_t i = 0; i < count; i++)
        y[i] = representable(y[i]);
    ref_sigmoid_backward(dx, dy, y, count);
    ref_sigmoid_backward(gauge, absolute(dy, count), y, count);
    kernels->sigmoid_backward(got_dx, frozen_float(to_lanes(dy, s, NAN)), frozen_float(to_lanes(y, s, NAN)),
                              s);
    CK_WITHIN(compare_gauged(from_lanes(got_dx, s), dx, gauge, count), stored(4, 1), "dx");
}
END_TEST

START_TEST(test_swish_matches_ref)
{
    const Kernels *kernels = loop_set(_i, ROWS);
    const Shape s = table[_i % ROWS];
    const size_t count = shape_count(s);
    if (!kernels)
        return;
    double *x = arguments(count, 1), *y = doubles(count), *dy = random_doubles(count, 2),
           *dx = prefilled(count);
    double *gauge = absolute(dx, count);
    float *got = lanes(s), *got_dx = to_lanes(dx, s, NAN);
    ref_swish_forward(y, x, count);
    ref_swish_backward(dx, dy, x, count);
    for (size_t i = 0; i < count; i++) {
        const double sigmoid = 1 / (1 + exp(-x[i]));
        gauge[i] += fabs(dy[i]) * (sigmoid + fabs(x[i]) * sigmoid * (1 - sigmoid));
    }
    kernels->swish_forward(got, frozen_float(to_lanes(x, s, NAN)), s);
    kernels->swish_backward(got_dx, frozen_float(to_lanes(dy, s, NAN)), frozen_float(to_lanes(x, s, NAN)), s);
    CK_WITHIN(compare_gauged(from_lanes(got, s), y, absolute(y, count), count), stored(9, 1), "y");
    CK_WITHIN(compare_gauged(from_lanes(got_dx, s), dx, gauge, count), stored(22, 1), "dx");
}
END_TEST

/* Far from 0 they are what they tend to, but for 2^-125 times the argument; NaN stays NaN. */
START_TEST(test_sigmoid_and_swish_far_from_0)
{
    const Kernels *kernels = use_version(_i);
    const Shape s = {16, 1, 1, 1};
    if (!kernels)
        return;
    double x[16] = {-87, -88, -100, -1e4, 87, 88, 100, 1e4, 0, -0.0, 1e-30, -1e-30, NAN, 1, 2, 3};
    float *in = to_lanes(x, s, 0), *y = lanes(s), *z = lanes(s);
    kernels->sigmoid_forward(y, in, s);
    kernels->swish_forward(z, in, s);
    const float *sigmoid = from_lanes(y, s), *swish = from_lanes(z, s);
    for (int i = 0; i < 4; i++) {
        ck_assert(sigmoid[i] >= 0 && sigmoid[i] <= 0x1p-124f);
        ck_assert(swish[i] <= 0 && swish[i] >= x[i] * 0x1p-124f);
        ck_assert_float_eq(sigmoid[4 + i], 1);
        ck_assert_float_eq(swish[4 + i], (float)representable(x[4 + i]));
    }
    ck_assert_float_eq(sigmoid[8], 0.5f);
    ck_assert_float_eq(sigmoid[9], 0.5f);
    ck_assert_float_eq(swish[8], 0);
    ck_assert(isnan(sigmoid[12]) && isnan(swish[12]));
}
END_TEST

START_TEST(test_depthwise_matches_ref)
{
    const Kernels *kernels = loop_set(_i, ROWS);
    const Shape s = table[_i % ROWS];
    const size_t count = shape_count(s), filters = 9 * (size_t)s.c;
    if (!kernels)
        return;
    double *x = random_doubles(count, 1), *w = random_doubles(filters, 2), *b = random_doubles(s.c, 3);
    double *dy = random_doubles(count, 4), *y = doubles(count), *gauge = doubles(count);
    float *got = lanes(s);
    const float *lanes_x = frozen_float(to_lanes(x, s, NAN)), *lanes_dy = frozen_float(to_lanes(dy, s, NAN));
    ref_depthwise_forward(y, x, w, b, s);
    ref_depthwise_forward(gauge, absolute(x, count), absolute(w, filters), absolute(b, s.c), s);
    kernels->depthwise_forward(got, lanes_x, as_floats(w, filters), as_floats(b, s.c), s);
    CK_WITHIN(compare_gauged(from_lanes(got, s), y, gauge, count), stored(11, 1), "y");
    ref_depthwise_forward(y, x, w, NULL, s);
    kernels->depthwise_forward(got, lanes_x, as_floats(w, filters), NULL, s);
    CK_WITHIN(compare_gauged(from_lanes(got, s), y, gauge, count), stored(11, 1), "y without bias");

    double *dx = prefilled(count), *gauge_x = absolute(dx, count);
    float *got_dx = to_lanes(dx, s, NAN);
    ref_depthwise_backward_data(dx, dy, w, s);
    ref_depthwise_backward_data(gauge_x, absolute(dy, count), absolute(w, filters), s);
    kernels->depthwise_backward_data(got_dx, lanes_dy, as_floats(w, filters), s);
    CK_WITHIN(compare_gauged(from_lanes(got_dx, s), dx, gauge_x, count), stored(11, 1), "dx");

    double *dw = prefilled(filters), *db = prefilled(s.c), *gauge_w = absolute(dw, filters),
           *gauge_b = absolute(db, s.c);
    float *got_dw = as_floats(dw, filters), *got_db = as_floats(db, s.c), *alone = as_floats(dw, filters);
    double *scratch = scratch_of(kernels->depthwise_scratch(s));
    ref_depthwise_backward_weights(dw, db, dy, x, s);
    ref_depthwise_backward_weights(gauge_w, gauge_b, absolute(dy, count), absolute(x, count), s);
    kernels->depthwise_backward_weights(got_dw, got_db, lanes_dy, lanes_x, s, scratch);
    kernels->depthwise_backward_weights(alone, NULL, lanes_dy, lanes_x, s, scratch);
    CK_WITHIN(compare_gauged(got_dw, dw, gauge_w, filters), depthwise_weights_roundings(s), "dw");
    CK_WITHIN(compare_gauged(got_db, db, gauge_b, s.c), depthwise_weights_roundings(s), "db");
    CK_WITHIN(compare_exact_float(alone, as_doubles(got_dw, filters), filters), 0, "dw without db");
}
END_TEST

/* One image is a lane: a row of ones is where its neighbours' filters would show. */
START_TEST(test_depthwise_reproduces_the_filter_at_an_impulse)
{
    const Kernels *kernels = use_version(_i);
    const Shape s = {17, 3, 5, 6};
    const size_t count = shape_count(s);
    if (!kernels)
        return;
    double *x = zeros(count), *w = random_doubles(27, 1), *y = zeros(count);
    for (int n = 0; n < s.n; n++)
        for (int c = 0; c < s.c; c++) {
            double *map = x + (size_t)(n * s.c + c) * 30, *to = y + (size_t)(n * s.c + c) * 30;
            map[2 * 6 + 3] = 1;
            for (int tap = 0; tap < 9; tap++)
                to[(3 - tap / 3) * 6 + 4 - tap % 3] = w[9 * c + tap];
        }
    float *got = lanes(s);
    kernels->depthwise_forward(got, to_lanes(x, s, NAN), as_floats(w, 27), NULL, s);
    CK_WITHIN(compare_exact_float(from_lanes(got, s), y, count), 0, "y");
}
END_TEST

/* What squeeze-and-excitation needs, in doubles and in a set's form. */
typedef struct {
    SqueezeExciteShape s;
    double *x, *w1, *b1, *w2, *b2;
    SqueezeExciteCache cache;
    SqueezeExciteScratch scratch;
    ExciteCache fast;
    ExciteScratch fast_scratch;
    ExciteWeights p;
} Excite;

static Excite excite_case(Shape shape)
{
    Excite e = {.s = {shape, shape.c / 4 > 1 ? shape.c / 4 : 1}};
    const int q = e.s.squeezed, c = shape.c;
    const Shape wide = {shape.n, c, 1, 1}, narrow = {shape.n, q, 1, 1};
    e.x = random_doubles(shape_count(shape), 1);
    e.w1 = random_doubles((size_t)q * c, 2), e.b1 = random_doubles(q, 3);
    e.w2 = random_doubles((size_t)q * c, 4), e.b2 = random_doubles(c, 5);
    squeeze_excite_arrays(&e.cache, &e.scratch, e.s);
    e.fast = (ExciteCache){matrix(wide), matrix(narrow), matrix(narrow), matrix(wide)};
    e.fast_scratch = (ExciteScratch){matrix(wide), matrix(narrow), matrix(wide)};
    e.p = (ExciteWeights){as_floats(e.w1, (size_t)q * c), as_floats(e.b1, q), as_floats(e.w2, (size_t)q * c),
                          as_floats(e.b2, c)};
    return e;
}

/* Each number against ref fed with the set's own numbers before it. */
START_TEST(test_squeeze_excite_forward_matches_ref)
{
    const Kernels *kernels = loop_set(_i, ROWS);
    const Shape s = table[_i % ROWS];
    const size_t count = shape_count(s);
    if (!kernels)
        return;
    Excite e = excite_case(s);
    const int q = e.s.squeezed, pixels = s.h * s.w;
    const Shape wide = {s.n, s.c, 1, 1}, narrow = {s.n, q, 1, 1};
    const size_t channels = shape_count(wide), units = shape_count(narrow);
    double *y = doubles(count), *average = zeros(channels), *gauge = zeros(channels);
    float *got = lanes(s);
    kernels->squeeze_excite_forward(got, &e.fast, frozen_float(to_lanes(e.x, s, NAN)), e.p, e.s);
    for (size_t i = 0; i < count; i++) {
        average[i / pixels] += e.x[i] / pixels;
        gauge[i / pixels] += fabs(e.x[i]) / pixels;
    }
    const float *got_average = from_matrix(e.fast.average, wide), *got_gate = from_matrix(e.fast.gate, wide);
    CK_WITHIN(compare_gauged(got_average, average, gauge, channels), roundings(s.h + s.w + 2), "average");
    double *squeezed = doubles(units), *gauge_squeezed = doubles(units), *hidden = doubles(units),
           *gate = doubles(channels), *gauge_gate = doubles(channels);
    for (int n = 0; n < s.n; n++)
        for (int k = 0; k < q; k++) {
            squeezed[n * q + k] = e.b1[k], gauge_squeezed[n * q + k] = fabs(e.b1[k]);
            for (int c = 0; c < s.c; c++) {
                squeezed[n * q + k] += e.w1[k * s.c + c] * got_average[n * s.c + c];
                gauge_squeezed[n * q + k] += fabs(e.w1[k * s.c + c] * got_average[n * s.c + c]);
            }
        }
    const float *got_squeezed = from_matrix(e.fast.squeezed, narrow),
                *got_hidden = from_matrix(e.fast.hidden, narrow);
    CK_WITHIN(compare_gauged(got_squeezed, squeezed, gauge_squeezed, units), roundings(s.c + 2), "squeezed");
    ref_swish_forward(hidden, as_doubles(got_squeezed, units), units);
    CK_WITHIN(compare_gauged(got_hidden, hidden, absolute(hidden, units), units), roundings(9), "hidden");
    for (int n = 0; n < s.n; n++)
        for (int c = 0; c < s.c; c++) {
            double sum = e.b2[c], size = fabs(e.b2[c]);
            for (int k = 0; k < q; k++) {
                sum += e.w2[c * q + k] * got_hidden[n * q + k];
                size += fabs(e.w2[c * q + k] * got_hidden[n * q + k]);
            }
            gate[n * s.c + c] = 1 / (1 + exp(-sum));
            gauge_gate[n * s.c + c] = (q + 2) * size / 4 + 8 * gate[n * s.c + c];
        }
    CK_WITHIN(compare_gauged(got_gate, gate, gauge_gate, channels), roundings(1), "gate");
    for (size_t i = 0; i < count; i++)
        y[i] = e.x[i] * got_gate[i / pixels];
    CK_WITHIN(compare_gauged(from_lanes(got, s), y, absolute(y, count), count), stored(1, 1), "y");
}
END_TEST

/* Backward is linear in dy, given what forward left; its gauge is the same pass over absolute values, with
 * |1 - gate| and the slope's two terms apart. Every number on the longest path adds its roundings. */
START_TEST(test_squeeze_excite_backward_matches_ref)
{
    const Kernels *kernels = loop_set(_i, ROWS);
    const Shape s = table[_i % ROWS];
    const size_t count = shape_count(s);
    if (!kernels)
        return;
    Excite e = excite_case(s);
    const int q = e.s.squeezed, pixels = s.h * s.w;
    const size_t channels = (size_t)s.n * s.c, units = (size_t)s.n * q, weights = (size_t)q * s.c;
    double *y = doubles(count), *dy = random_doubles(count, 6), *dx = prefilled(count);
    double *dw1 = prefilled(weights), *db1 = prefilled(q), *dw2 = prefilled(weights), *db2 = prefilled(s.c);
    double *gauge_x = absolute(dx, count), *gauge_w1 = absolute(dw1, weights), *gauge_b1 = absolute(db1, q),
           *gauge_w2 = absolute(dw2, weights), *gauge_b2 = absolute(db2, s.c);
    float *got = lanes(s), *got_dx = to_lanes(dx, s, NAN), *alone = to_lanes(dx, s, NAN);
    const ExciteGradients d = {as_floats(dw1, weights), as_floats(db1, q), as_floats(dw2, weights),
                               as_floats(db2, s.c)};
    const Word *lanes_x = frozen_float(to_lanes(e.x, s, NAN)), *lanes_dy = frozen_float(to_lanes(dy, s, NAN));
    const SqueezeExciteParameters p = {e.w1, e.b1, e.w2, e.b2};
    kernels->squeeze_excite_forward(got, &e.fast, lanes_x, e.p, e.s);
    kernels->squeeze_excite_backward(got_dx, d, &e.fast_scratch, lanes_dy, lanes_x, &e.fast, e.p, e.s);
    kernels->squeeze_excite_backward(alone, (ExciteGradients){0}, &e.fast_scratch, lanes_dy, lanes_x, &e.fast,
                                     e.p, e.s);
    /* ref from what the set left. */
    ref_squeeze_excite_forward(y, &e.cache, e.x, p, e.s);
    const float *average = from_matrix(e.fast.average, (Shape){s.n, s.c, 1, 1}),
                *gate = from_matrix(e.fast.gate, (Shape){s.n, s.c, 1, 1}),
                *squeezed = from_matrix(e.fast.squeezed, (Shape){s.n, q, 1, 1}),
                *hidden = from_matrix(e.fast.hidden, (Shape){s.n, q, 1, 1});
    for (size_t i = 0; i < channels; i++)
        e.cache.average[i] = average[i], e.cache.gate[i] = gate[i];
    for (size_t i = 0; i < units; i++)
        e.cache.squeezed[i] = squeezed[i], e.cache.hidden[i] = hidden[i];
    ref_squeeze_excite_backward(dx, (SqueezeExciteGradients){dw1, db1, dw2, db2}, &e.scratch, dy, e.x,
                                &e.cache, p, e.s);
    double *dlogit = zeros(channels), *dsqueezed = zeros(units), *daverage = zeros(channels);
    for (size_t i = 0; i < count; i++)
        dlogit[i / pixels] += fabs(dy[i] * e.x[i]) * gate[i / pixels] * (1 - gate[i / pixels]);
    for (int n = 0; n < s.n; n++) {
        for (int k = 0; k < q; k++) {
            const double sigmoid = 1 / (1 + exp(-e.cache.squeezed[n * q + k]));
            for (int c = 0; c < s.c; c++)
                dsqueezed[n * q + k] += fabs(e.w2[c * q + k]) * dlogit[n * s.c + c];
            dsqueezed[n * q + k] *= sigmoid + fabs(e.cache.squeezed[n * q + k]) * sigmoid * (1 - sigmoid);
            gauge_b1[k] += dsqueezed[n * q + k];
        }
        for (int c = 0; c < s.c; c++) {
            gauge_b2[c] += dlogit[n * s.c + c];
            for (int k = 0; k < q; k++) {
                gauge_w2[c * q + k] += dlogit[n * s.c + c] * fabs(e.cache.hidden[n * q + k]);
                gauge_w1[k * s.c + c] += dsqueezed[n * q + k] * fabs(e.cache.average[n * s.c + c]);
                daverage[n * s.c + c] += dsqueezed[n * q + k] * fabs(e.w1[k * s.c + c]);
            }
        }
    }
    for (size_t i = 0; i < count; i++)
        gauge_x[i] += fabs(dy[i]) * gate[i / pixels] + daverage[i / pixels] / pixels;
    const double logit = s.h + s.w + 2 + 1 + 3, narrow = logit + s.c + 2 + 21,
                 batch = s.n + lanes_groups(s.n) + 2;
    CK_WITHIN(compare_gauged(d.db2, db2, gauge_b2, s.c), roundings(logit + batch), "db2");
    CK_WITHIN(compare_gauged(d.dw2, dw2, gauge_w2, weights), roundings(logit + batch), "dw2");
    CK_WITHIN(compare_gauged(d.db1, db1, gauge_b1, q), roundings(narrow + batch), "db1");
    CK_WITHIN(compare_gauged(d.dw1, dw1, gauge_w1, weights), roundings(narrow + batch), "dw1");
    CK_WITHIN(compare_gauged(from_lanes(got_dx, s), dx, gauge_x, count), stored(narrow + q + 2 + 4, 1), "dx");
    CK_WITHIN(compare_exact_float(from_lanes(alone, s), as_doubles(from_lanes(got_dx, s), count), count), 0,
              "dx alone");
}
END_TEST

/* Forward and backward through two layers of MBConv, in scratch of each its own or of both together; what
 * they hand back for their filters, as an array of inputs.h. */
static double *two_layers_dfilters(const Engine *e, bool together)
{
    const LayerSpec spec = {.channels_in = 4,
                            .channels_out = 4,
                            .height = 8,
                            .width = 8,
                            .levels = 3,
                            .kept = 7,
                            .eps = 1e-5,
                            .momentum = 0.1,
                            .block = BLOCK_MBCONV};
    const Shape map = {3, spec.channels_in, spec.height, spec.width};
    const size_t each = layer_filters_count(&spec), statistics = layer_statistics_count(&spec);
    Slices at = {.filters = e->vector_create(2 * each),
                 .dfilters = e->vector_create(2 * each),
                 .logits = e->vector_create(6),
                 .dlogits = e->vector_create(6),
                 .statistics = e->vector_create(2 * statistics),
                 .scratch = together ? e->scratch_create() : NULL};
    Layer *layer[2];
    Tensor *x[3], *dx[2];
    double *dfilters = doubles(2 * each);
    e->vector_write(at.filters, 0, random_doubles(2 * each, 1), 2 * each);
    for (int l = 0; l < 2; l++) {
        Slices slices = at;
        slices.filters_at = (size_t)l * each;
        slices.logits_at = 3 * (size_t)l;
        slices.statistics_at = (size_t)l * statistics;
        layer[l] = e->layer_create(&spec, slices, map.n);
    }
    for (int i = 0; i < 3; i++)
        x[i] = e->tensor_create(map);
    for (int i = 0; i < 2; i++)
        dx[i] = e->tensor_create(map);
    e->tensor_import(x[0], random_floats(shape_count(map), 2), map.n);
    e->tensor_import(dx[1], random_floats(shape_count(map), 3), map.n);
    for (int l = 0; l < 2; l++)
        e->layer_forward(layer[l], x[l + 1], x[l], PASS_FILTERS);
    e->layer_backward(layer[1], dx[0], dx[1], WANT_FILTERS);
    e->layer_backward(layer[0], NULL, dx[0], WANT_FILTERS);
    e->vector_read(dfilters, at.dfilters, 0, 2 * each);
    for (int i = 0; i < 2; i++) {
        e->layer_free(layer[i]);
        e->tensor_free(dx[i]);
    }
    for (int i = 0; i < 3; i++)
        e->tensor_free(x[i]);
    Vector *const vectors[] = {at.filters, at.dfilters, at.logits, at.dlogits, at.statistics};
    for (int i = 0; i < 5; i++)
        e->vector_free(vectors[i]);
    if (at.scratch)
        e->scratch_free(at.scratch);
    return dfilters;
}

/* What the later layer leaves in scratch is not what the earlier one goes back through. */
START_TEST(test_layers_share_scratch_without_a_trace)
{
    const Kernels *kernels = use_version(_i);
    if (!kernels)
        return;
    const double *own = two_layers_dfilters(kernels->engine, false),
                 *shared = two_layers_dfilters(kernels->engine, true);
    const LayerSpec spec = {.channels_in = 4, .channels_out = 4, .block = BLOCK_MBCONV};
    for (size_t i = 0; i < 2 * layer_weights_count(&spec); i++)
        ck_assert_double_eq(own[i], shared[i]);
}
END_TEST

Suite *fast_mbconv_suite(void)
{
    Suite *suite = suite_create("fast_mbconv");
    TCase *tcase = tcase_create("against ref");
    tcase_add_checked_fixture(tcase, NULL, arrays_free);
    tcase_set_timeout(tcase, 60);
    tcase_add_loop_test(tcase, test_sigmoid_matches_ref, 0, VERSIONS * ROWS);
    tcase_add_loop_test(tcase, test_swish_matches_ref, 0, VERSIONS * ROWS);
    tcase_add_loop_test(tcase, test_sigmoid_and_swish_far_from_0, 0, VERSIONS);
    tcase_add_loop_test(tcase, test_depthwise_matches_ref, 0, VERSIONS * ROWS);
    tcase_add_loop_test(tcase, test_depthwise_reproduces_the_filter_at_an_impulse, 0, VERSIONS);
    tcase_add_loop_test(tcase, test_squeeze_excite_forward_matches_ref, 0, VERSIONS * ROWS);
    tcase_add_loop_test(tcase, test_squeeze_excite_backward_matches_ref, 0, VERSIONS * ROWS);
    tcase_add_loop_test(tcase, test_layers_share_scratch_without_a_trace, 0, VERSIONS);
    suite_add_tcase(suite, tcase);
    return suite;
}
