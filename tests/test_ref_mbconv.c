/* The parts of MBConv and the block itself: values by hand, identities, and backward passes against central
 * differences.
 *
 * Claims: eq1.any-block s4.1.mbconv. */
#include "../ref/conv2d.h"
#include "../ref/depthwise.h"
#include "../ref/sigmoid.h"
#include "../ref/swish.h"
#include "inputs.h"
#include "mbconv_case.h"
#include "suites.h"
#include <math.h>
#include <string.h>

#define COUNT(array)             (int)(sizeof(array) / sizeof *(array))
#define CK_EXACT(got, ref, what) CK_WITHIN(compare_exact_double((got), (ref), COUNT(ref)), 0, (what))

/* sigmoid(log 3) = 3/4, sigmoid(-log 3) = 1/4, sigmoid(0) = 1/2. */
START_TEST(test_sigmoid_by_hand)
{
    double x[3] = {log(3), 0, -log(3)}, dx[3] = {1, 2, 3};
    const double dy[3] = {16, 8, 32}, y_right[3] = {0.75, 0.5, 0.25}, dx_right[3] = {4, 4, 9};
    double *y = doubles(3);
    ref_sigmoid_forward(y, x, 3);
    CK_WITHIN(compare_double(y, y_right, 0x1p-52, 3), 1, "y");
    ref_sigmoid_backward(dx, dy, y_right, 3);
    CK_EXACT(dx, dx_right, "dx, added");
    ref_sigmoid_forward(x, x, 3);
    CK_WITHIN(compare_exact_double(x, y, 3), 0, "in place");
}
END_TEST

/* At x = log 3: y = 3/4 x, dy/dx = 3/4 + 3/16 x. At x = -log 3: y = x/4, dy/dx = 1/4 + 3/16 x. */
START_TEST(test_swish_by_hand)
{
    double x[3] = {log(3), 0, -log(3)}, dx[3] = {1, 2, 3};
    const double dy[3] = {2, 4, 8};
    const double y_right[3] = {0.75 * log(3), 0, -0.25 * log(3)};
    const double dx_right[3] = {1 + 2 * (0.75 + 0.1875 * log(3)), 4, 3 + 8 * (0.25 - 0.1875 * log(3))};
    double *y = doubles(3);
    ref_swish_forward(y, x, 3);
    CK_WITHIN(compare_double(y, y_right, 0x1p-52, 3), 1, "y");
    ref_swish_backward(dx, dy, x, 3);
    CK_WITHIN(compare_double(dx, dx_right, 0x1p-50, 3), 1, "dx, added");
    ref_swish_forward(x, x, 3);
    CK_WITHIN(compare_exact_double(x, y, 3), 0, "in place");
}
END_TEST

START_TEST(test_depthwise_by_hand)
{
    /* Two channels of 2 x 2; the first filter's taps are their numbers, the second's all one. */
    const double x[8] = {1, 2, 3, 4, 1, 1, 1, 1}, b[2] = {10, 20};
    const double w[18] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 1, 1, 1, 1, 1, 1, 1, 1, 1};
    const double right[8] = {87, 77, 57, 47, 24, 24, 24, 24}, plain[8] = {77, 67, 47, 37, 4, 4, 4, 4};
    double *y = doubles(8);
    const Shape s = {1, 2, 2, 2};
    ref_depthwise_forward(y, x, w, b, s);
    CK_EXACT(y, right, "with bias");
    ref_depthwise_forward(y, x, w, NULL, s);
    CK_EXACT(y, plain, "without bias");
}
END_TEST

/* Two channels, one unit between. Averages 2 and 4; squeezed = 2 + 4/2 - 4 = 0, so hidden = 0 and the gates
 * are sigmoids of the biases log 3 and -log 3. */
START_TEST(test_squeeze_excite_by_hand)
{
    const double x[4] = {1, 3, 8, 0}, w1[2] = {1, 0.5}, b1[1] = {-4}, w2[2] = {5, 7},
                 b2[2] = {log(3), -log(3)};
    const double right[4] = {0.75, 2.25, 2, 0}, average[2] = {2, 4};
    SqueezeExciteCache cache;
    SqueezeExciteScratch scratch;
    const SqueezeExciteShape s = {{1, 2, 1, 2}, 1};
    double *y = doubles(4);
    squeeze_excite_arrays(&cache, &scratch, s);
    ref_squeeze_excite_forward(y, &cache, x, (SqueezeExciteParameters){w1, b1, w2, b2}, s);
    CK_EXACT(cache.average, average, "average");
    ck_assert_double_eq(cache.squeezed[0], 0);
    CK_WITHIN(compare_double(y, right, 0x1p-50, 4), 1, "y");
}
END_TEST

static const Shape MAPS[] = {{1, 1, 1, 1}, {2, 3, 5, 4}, {3, 2, 1, 6},
                             {1, 5, 4, 1}, {2, 2, 2, 2}, {1, 1, 3, 3}};

/* The same as a convolution whose filters are 0 between different channels. */
START_TEST(test_depthwise_is_a_convolution_with_a_diagonal)
{
    const Shape s = MAPS[_i];
    const Conv2dShape full = {s.n, s.c, s.c, s.h, s.w, 3, 1};
    const size_t count = shape_count(s);
    double *x = random_doubles(count, 1), *w = random_doubles(9 * s.c, 2), *b = random_doubles(s.c, 3);
    double *dy = random_doubles(count, 4), *wide = doubles(conv2d_filters(full)), *y = doubles(count);
    double *y_right = doubles(count), *dx = prefilled(count), *dx_right = prefilled(count);
    double *dw = prefilled(9 * s.c), *db = prefilled(s.c), *db_right = prefilled(s.c),
           *alone = prefilled(9 * s.c);
    memset(wide, 0, conv2d_filters(full) * sizeof *wide);
    double *dwide = doubles(conv2d_filters(full)), *start = prefilled(9 * s.c);
    memset(dwide, 0, conv2d_filters(full) * sizeof *dwide);
    for (int c = 0; c < s.c; c++) {
        memcpy(wide + (size_t)(c * s.c + c) * 9, w + 9 * c, 9 * sizeof *w);
        memcpy(dwide + (size_t)(c * s.c + c) * 9, start + 9 * c, 9 * sizeof *w);
    }
    ref_depthwise_forward(y, x, w, b, s);
    ref_conv2d_forward(y_right, x, wide, b, full);
    CK_WITHIN(compare_double(y, y_right, 0x1p-49, count), 1, "y");
    ref_depthwise_backward_data(dx, dy, w, s);
    ref_conv2d_backward_data(dx_right, dy, wide, full);
    CK_WITHIN(compare_double(dx, dx_right, 0x1p-49, count), 1, "dx");
    ref_depthwise_backward_weights(dw, db, dy, x, s);
    ref_depthwise_backward_weights(alone, NULL, dy, x, s);
    ref_conv2d_backward_weights(dwide, db_right, dy, x, full);
    CK_WITHIN(compare_double(db, db_right, 0x1p-47, s.c), 1, "db");
    CK_WITHIN(compare_exact_double(alone, dw, 9 * s.c), 0, "dw without db");
    for (int c = 0; c < s.c; c++)
        CK_WITHIN(compare_double(dw + 9 * c, dwide + (size_t)(c * s.c + c) * 9, 0x1p-47, 9), 1, "dw");
}
END_TEST

/* <dy, A x> = <A^T dy, x> for the data and for the filters. */
START_TEST(test_depthwise_backward_is_adjoint)
{
    const Shape s = MAPS[_i];
    const size_t count = shape_count(s), filters = 9 * (size_t)s.c;
    double *x = random_doubles(count, 1), *w = random_doubles(filters, 2), *dy = random_doubles(count, 3);
    double *y = doubles(count), *dx = doubles(count), *dw = doubles(filters);
    memset(dx, 0, count * sizeof *dx);
    memset(dw, 0, filters * sizeof *dw);
    ref_depthwise_forward(y, x, w, NULL, s);
    ref_depthwise_backward_data(dx, dy, w, s);
    ref_depthwise_backward_weights(dw, NULL, dy, x, s);
    const double left = dot(dy, y, count), data = dot(dx, x, count), weights = dot(dw, w, filters);
    CK_WITHIN(compare_double(&data, &left, (double)count * 0x1p-49, 1), 1, "data");
    CK_WITHIN(compare_double(&weights, &left, (double)count * 0x1p-49, 1), 1, "filters");
}
END_TEST

/* swish is x times sigmoid, and sigmoid(-x) = 1 - sigmoid(x). */
START_TEST(test_swish_and_sigmoid_identities)
{
    enum { SIZE = 401 };
    double *x = doubles(SIZE), *minus = doubles(SIZE), *s = doubles(SIZE), *t = doubles(SIZE),
           *y = doubles(SIZE);
    for (int i = 0; i < SIZE; i++) {
        x[i] = (i - 200) / 8.0;
        minus[i] = -x[i];
    }
    ref_sigmoid_forward(s, x, SIZE);
    ref_sigmoid_forward(t, minus, SIZE);
    ref_swish_forward(y, x, SIZE);
    for (int i = 0; i < SIZE; i++) {
        t[i] = 1 - t[i];
        minus[i] = x[i] * s[i];
    }
    CK_WITHIN(compare_double(s, t, 0x1p-51, SIZE), 1, "sigmoid(x) + sigmoid(-x) = 1");
    CK_WITHIN(compare_double(y, minus, 0x1p-47, SIZE), 1, "swish(x) = x sigmoid(x)");
}
END_TEST

typedef struct {
    int operation;
    Shape map;
    SqueezeExciteShape excite;
    MbconvShape block;
    double *x, *w, *affine, *y, *cotangent;
    size_t count;
    SqueezeExciteCache excite_cache;
    SqueezeExciteScratch excite_scratch;
    MbconvCache cache;
    MbconvScratch scratch;
} Case;

enum { SIGMOID, SWISH, DEPTHWISE, EXCITE, MBCONV };

static SqueezeExciteParameters excite_parameters(const double *w, SqueezeExciteShape s)
{
    const size_t squeeze = (size_t)s.squeezed * s.x.c;
    return (SqueezeExciteParameters){w, w + squeeze, w + squeeze + s.squeezed, w + 2 * squeeze + s.squeezed};
}

static size_t excite_count(SqueezeExciteShape s)
{
    return 2 * (size_t)s.squeezed * s.x.c + s.squeezed + s.x.c;
}

static Outcome run(void *context)
{
    Case *o = context;
    const size_t filters = 9 * (size_t)o->map.c;
    switch (o->operation) {
    case SIGMOID:
        ref_sigmoid_forward(o->y, o->x, o->count);
        break;
    case SWISH:
        ref_swish_forward(o->y, o->x, o->count);
        break;
    case DEPTHWISE:
        ref_depthwise_forward(o->y, o->x, o->w, o->w + filters, o->map);
        break;
    case EXCITE:
        ref_squeeze_excite_forward(o->y, &o->excite_cache, o->x, excite_parameters(o->w, o->excite),
                                   o->excite);
        break;
    default:
        ref_mbconv_forward(o->y, &o->cache, o->x, mbconv_parameters(o->w, o->affine, o->block), true,
                           o->block);
    }
    return (Outcome){dot(o->cotangent, o->y, o->count), 0};
}

static void set(Case *o, size_t in, size_t out, size_t weights)
{
    o->x = random_doubles(in, 1);
    o->w = random_doubles(weights ? weights : 1, 2);
    o->count = out;
    o->y = doubles(out);
    o->cotangent = random_doubles(out, 3);
    frozen(o->x), frozen(o->w), frozen(o->cotangent);
}

static void check(Case *o, double *x, double *gradient, size_t count, const char *what)
{
    subtract_prefill(gradient, count);
    CK_GRADIENT(((GradientCheck){run, o, x, gradient, count}), what);
}

START_TEST(test_sigmoid_and_swish_backward_match_differences)
{
    enum { SIZE = 301 };
    Case o = {.operation = _i == 0 ? SIGMOID : SWISH};
    set(&o, SIZE, SIZE, 0);
    double *dx = prefilled(SIZE);
    run(&o);
    if (_i == 0)
        ref_sigmoid_backward(dx, o.cotangent, o.y, SIZE);
    else
        ref_swish_backward(dx, o.cotangent, o.x, SIZE);
    check(&o, o.x, dx, SIZE, "dx");
}
END_TEST

START_TEST(test_depthwise_backward_matches_differences)
{
    const Shape s = MAPS[_i];
    const size_t count = shape_count(s), filters = 9 * (size_t)s.c;
    Case o = {.operation = DEPTHWISE, .map = s};
    set(&o, count, count, filters + s.c);
    double *dx = prefilled(count), *dw = prefilled(filters + s.c);
    double *db = prefilled(s.c);
    ref_depthwise_backward_data(dx, o.cotangent, o.w, s);
    ref_depthwise_backward_weights(dw, db, o.cotangent, o.x, s);
    check(&o, o.x, dx, count, "dx");
    check(&o, o.w, dw, filters, "dw");
    check(&o, o.w + filters, db, s.c, "db");
}
END_TEST

static const SqueezeExciteShape EXCITES[] = {
    {{1, 1, 1, 1}, 1}, {{2, 3, 2, 3}, 2}, {{3, 6, 1, 2}, 1}, {{1, 4, 3, 3}, 5}};

START_TEST(test_squeeze_excite_backward_matches_differences)
{
    const SqueezeExciteShape s = EXCITES[_i];
    const size_t count = shape_count(s.x), weights = excite_count(s), squeeze = (size_t)s.squeezed * s.x.c;
    Case o = {.operation = EXCITE, .excite = s};
    set(&o, count, count, weights);
    squeeze_excite_arrays(&o.excite_cache, &o.excite_scratch, s);
    double *dx = prefilled(count), *dw = prefilled(weights), *alone = prefilled(count);
    const SqueezeExciteGradients d = {dw, dw + squeeze, dw + squeeze + s.squeezed,
                                      dw + 2 * squeeze + s.squeezed};
    const SqueezeExciteParameters p = excite_parameters(o.w, s);
    run(&o);
    ref_squeeze_excite_backward(dx, d, &o.excite_scratch, o.cotangent, o.x, &o.excite_cache, p, s);
    double *kept = doubles(weights);
    memcpy(kept, dw, weights * sizeof *kept);
    ref_squeeze_excite_backward(alone, (SqueezeExciteGradients){.db1 = dw, .dw2 = dw, .db2 = dw},
                                &o.excite_scratch, o.cotangent, o.x, &o.excite_cache, p, s);
    CK_WITHIN(compare_exact_double(alone, dx, count), 0, "dx alone");
    CK_WITHIN(compare_exact_double(dw, kept, weights), 0, "parameters that are not wanted");
    check(&o, o.x, dx, count, "dx");
    check(&o, o.w, dw, weights, "dw1, db1, dw2, db2");
}
END_TEST

/* n, c, k, h, w, E, Q; with the skip and without; a large eps keeps the few numbers smooth. */
static const struct {
    MbconvShape s;
    bool affine;
} BLOCKS[] = {
    {{3, 2, 2, 3, 4, 12, 1, 0.1}, false}, {{2, 2, 3, 4, 3, 12, 1, 0.1}, true},
    {{4, 4, 4, 2, 2, 8, 2, 0.1}, true},   {{5, 1, 1, 2, 3, 6, 1, 0.1}, false},
    {{6, 3, 2, 1, 1, 5, 3, 0.1}, false},  {{2, 5, 5, 5, 3, 7, 2, 1e-3}, true},
};

START_TEST(test_mbconv_backward_matches_differences)
{
    const MbconvShape s = BLOCKS[_i].s;
    const size_t in = shape_count(mbconv_input(s)), out = shape_count(mbconv_output(s));
    const size_t weights = mbconv_filters(s), affine = BLOCKS[_i].affine ? mbconv_affine(s) : 0;
    Case o = {.operation = MBCONV, .block = s};
    set(&o, in, out, weights);
    if (affine) {
        o.affine = random_doubles(affine, 4);
        frozen(o.affine);
    }
    mbconv_arrays(&o.cache, &o.scratch, s);
    double *dx = prefilled(in), *dw = prefilled(weights), *daffine = affine ? prefilled(affine) : NULL;
    double *dx_alone = prefilled(in), *dw_alone = prefilled(weights),
           *daffine_alone = affine ? prefilled(affine) : NULL;
    const MbconvParameters p = mbconv_parameters(o.w, o.affine, s);
    const MbconvGradients d = mbconv_gradients(dw, daffine, s),
                          alone = mbconv_gradients(dw_alone, daffine_alone, s);
    MbconvGradients none = alone;
    none.dexpand = NULL;
    run(&o);
    ref_mbconv_backward(dx, d, &o.scratch, o.cotangent, o.x, &o.cache, p, s);
    ref_mbconv_backward(dx_alone, none, &o.scratch, o.cotangent, o.x, &o.cache, p, s);
    CK_WITHIN(compare_exact_double(dx_alone, dx, in), 0, "dx without filters");
    ref_mbconv_backward(NULL, alone, &o.scratch, o.cotangent, o.x, &o.cache, p, s);
    CK_WITHIN(compare_exact_double(dw_alone, dw, weights), 0, "filters without dx, not touched before");
    check(&o, o.x, dx, in, "dx");
    check(&o, o.w, dw, weights, "filters");
    if (!affine)
        return;
    CK_WITHIN(compare_exact_double(daffine_alone, daffine, affine), 0, "gamma and beta without dx");
    check(&o, o.affine, daffine, affine, "dgamma, dbeta");
}
END_TEST

Suite *ref_mbconv_suite(void)
{
    Suite *suite = suite_create("ref_mbconv");
    TCase *tcase = tcase_create("values, identities, differences");
    tcase_set_timeout(tcase, 30);
    tcase_add_checked_fixture(tcase, NULL, arrays_free);
    tcase_add_test(tcase, test_sigmoid_by_hand);
    tcase_add_test(tcase, test_swish_by_hand);
    tcase_add_test(tcase, test_depthwise_by_hand);
    tcase_add_test(tcase, test_squeeze_excite_by_hand);
    tcase_add_loop_test(tcase, test_depthwise_is_a_convolution_with_a_diagonal, 0, COUNT(MAPS));
    tcase_add_loop_test(tcase, test_depthwise_backward_is_adjoint, 0, COUNT(MAPS));
    tcase_add_test(tcase, test_swish_and_sigmoid_identities);
    tcase_add_loop_test(tcase, test_sigmoid_and_swish_backward_match_differences, 0, 2);
    tcase_add_loop_test(tcase, test_depthwise_backward_matches_differences, 0, COUNT(MAPS));
    tcase_add_loop_test(tcase, test_squeeze_excite_backward_matches_differences, 0, COUNT(EXCITES));
    tcase_add_loop_test(tcase, test_mbconv_backward_matches_differences, 0, COUNT(BLOCKS));
    suite_add_tcase(suite, tcase);
    return suite;
}
