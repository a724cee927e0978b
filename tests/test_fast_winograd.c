/* Winograd's convolution against ref, in every instruction set, over shapes around its tiles: 4x4 pixels, 3
 * tiles and 8 filters a block, 16 images. The bounds are those of fast/conv2d/winograd.c and
 * fast/conv2d/winograd_backward_weights.c. */
#include "../ref/conv2d.h"
#include "compare.h"
#include "lanes.h"
#include "suites.h"
#include "winograd_gauge.h"
#include <math.h>
#include <omp.h>
#include <string.h>

static const Conv2dShape table[] = {
    /* n, c, k, h, w, side, stride */
    {1, 1, 1, 1, 1, 3, 1},    {16, 1, 1, 4, 4, 3, 1},    {17, 3, 7, 4, 4, 3, 1},   {15, 4, 8, 5, 3, 3, 1},
    {33, 2, 9, 2, 2, 3, 1},   {16, 16, 16, 8, 8, 3, 1},  {5, 17, 15, 4, 12, 3, 1}, {16, 6, 3, 1, 13, 3, 1},
    {2, 5, 2, 9, 1, 3, 1},    {20, 64, 10, 7, 4, 3, 1},  {3, 3, 64, 6, 6, 3, 1},   {18, 33, 35, 3, 3, 3, 1},
    {48, 8, 17, 4, 8, 3, 1},  {1, 9, 24, 16, 16, 3, 1},  {17, 8, 9, 32, 24, 3, 1}, {16, 64, 64, 8, 4, 3, 1},
    {35, 6, 13, 8, 16, 3, 1}, {20, 13, 5, 15, 14, 3, 1}, {2, 83, 4, 4, 4, 3, 1},
};
enum { ROWS = sizeof table / sizeof *table };

typedef struct {
    const Kernels *kernels;
    Conv2dShape s;
    Shape in, out;
    size_t filters;
    double *x, *w, *b, *dy;
    void *scratch;
} Case;

static Case case_of(const Kernels *kernels, Conv2dShape s)
{
    Case c = {kernels, s, conv2d_input(s), conv2d_output(s), conv2d_filters(s), 0, 0, 0, 0, 0};
    c.x = random_doubles(shape_count(c.in), 1);
    c.w = random_doubles(c.filters, 2);
    c.b = random_doubles(s.k, 3);
    c.dy = random_doubles(shape_count(c.out), 4);
    if (kernels)
        c.scratch = scratch_of(kernels->conv2d_winograd_scratch(s, omp_get_max_threads()));
    return c;
}

/* The gauge is that of the algorithm: without absolute values the same matrices convolve. */
START_TEST(test_winograd_matrices_convolve)
{
    const Case c = case_of(NULL, table[_i]);
    const size_t count = shape_count(c.out);
    double *y = doubles(count), *direct = doubles(count), *gauge = zeros(count);
    winograd_forward(y, c.x, c.w, c.s);
    ref_conv2d_forward(direct, c.x, c.w, NULL, c.s);
    winograd_gauge_forward(gauge, c.x, c.w, c.s);
    CK_WITHIN(compare_gauged_double(y, direct, gauge, count), 9 * c.s.c + 100, "y");

    double *dw = doubles(c.filters), *sum = zeros(c.filters), *size = zeros(c.filters);
    winograd_backward_weights(dw, c.dy, c.x, c.s);
    ref_conv2d_backward_weights(sum, NULL, c.dy, c.x, c.s);
    winograd_gauge_backward_weights(size, c.dy, c.x, c.s);
    CK_WITHIN(compare_gauged_double(dw, sum, size, c.filters),
              (double)c.s.n * c.s.h * c.s.w + winograd_weights_roundings(c.s) + 100, "dw");
}
END_TEST

/* y and its gauge, with the bias or without. */
static void check_forward(const Case *c, bool bias, bool relu, const char *what)
{
    const size_t count = shape_count(c->out);
    double *y = doubles(count), *gauge = zeros(count);
    float *got = lanes(c->out);
    ref_conv2d_forward(y, c->x, c->w, bias ? c->b : NULL, c->s);
    winograd_gauge_forward(gauge, c->x, c->w, c->s);
    for (size_t i = 0; i < count; i++) {
        y[i] = relu ? fmax(y[i], 0) : y[i];
        gauge[i] += bias ? fabs(c->b[i / ((size_t)c->s.h * c->s.w) % c->s.k]) : 0;
    }
    add_stores(gauge, y, count, winograd_roundings(c->s.c), 1);
    c->kernels->conv2d_winograd_forward(
        got, frozen_float(to_lanes(c->x, c->in, NAN)), frozen_float(as_floats(c->w, c->filters)),
        bias ? frozen_float(as_floats(c->b, c->s.k)) : NULL, relu, c->s, c->scratch);
    CK_WITHIN(compare_gauged(from_lanes(got, c->out), y, gauge, count), roundings(winograd_roundings(c->s.c)),
              what);
}

START_TEST(test_winograd_forward_matches_ref)
{
    const Kernels *kernels = loop_set(_i, ROWS);
    if (!kernels)
        return;
    const Case c = case_of(kernels, table[_i % ROWS]);
    check_forward(&c, true, false, "y");
    check_forward(&c, false, false, "y without bias");
    check_forward(&c, true, true, "max(y, 0)");
}
END_TEST

START_TEST(test_winograd_backward_data_matches_ref)
{
    const Kernels *kernels = loop_set(_i, ROWS);
    if (!kernels)
        return;
    const Case c = case_of(kernels, table[_i % ROWS]);
    const size_t count = shape_count(c.in);
    double *dx = prefilled(count), *gauge = absolute(dx, count);
    float *got = to_lanes(dx, c.in, NAN);
    ref_conv2d_backward_data(dx, c.dy, c.w, c.s);
    winograd_gauge_backward_data(gauge, c.dy, c.w, c.s);
    add_stores(gauge, dx, count, winograd_roundings(c.s.k), 1);
    c.kernels->conv2d_winograd_backward_data(got, frozen_float(to_lanes(c.dy, c.out, NAN)),
                                             frozen_float(as_floats(c.w, c.filters)), c.s, c.scratch);
    CK_WITHIN(compare_gauged(from_lanes(got, c.in), dx, gauge, count), roundings(winograd_roundings(c.s.k)),
              "dx");
}
END_TEST

START_TEST(test_winograd_backward_weights_matches_ref)
{
    const Kernels *kernels = loop_set(_i, ROWS);
    if (!kernels)
        return;
    const Case c = case_of(kernels, table[_i % ROWS]);
    double *dw = prefilled(c.filters), *gauge = absolute(dw, c.filters);
    double *db = prefilled(c.s.k), *gauge_bias = absolute(db, c.s.k);
    float *got = as_floats(dw, c.filters), *again = as_floats(dw, c.filters),
          *got_bias = as_floats(db, c.s.k);
    const float *dy = frozen_float(to_lanes(c.dy, c.out, NAN)), *x = frozen_float(to_lanes(c.x, c.in, NAN));
    ref_conv2d_backward_weights(dw, db, c.dy, c.x, c.s);
    winograd_gauge_backward_weights(gauge, c.dy, c.x, c.s);
    ref_conv2d_backward_weights(zeros(c.filters), gauge_bias, absolute(c.dy, shape_count(c.out)), c.x, c.s);
    kernels->conv2d_winograd_backward_weights(got, got_bias, dy, x, c.s, c.scratch);
    CK_WITHIN(compare_gauged(got, dw, gauge, c.filters), roundings(winograd_weights_roundings(c.s)), "dw");
    CK_WITHIN(compare_gauged(got_bias, db, gauge_bias, c.s.k),
              roundings((double)c.s.n * c.s.h * c.s.w + lanes_groups(c.s.n) + 2), "db");
    kernels->conv2d_winograd_backward_weights(again, NULL, dy, x, c.s, c.scratch);
    ck_assert_msg(memcmp(again, got, c.filters * sizeof *got) == 0, "without db dw differs");
}
END_TEST

/* All passes into one array, from lanes whose empty ones hold `empty`. */
static float *all_passes(const Kernels *kernels, Conv2dShape s, float empty, int threads)
{
    omp_set_num_threads(threads);
    const Case c = case_of(kernels, s);
    const size_t outputs = shape_count(c.out), inputs = shape_count(c.in);
    const float *w = as_floats(c.w, c.filters), *b = as_floats(c.b, s.k);
    float *y = lanes(c.out), *dx = to_lanes(prefilled(inputs), c.in, empty);
    float *all = floats(outputs + inputs + c.filters + s.k), *dw = all + outputs + inputs;
    const Word *x = to_lanes(c.x, c.in, empty), *dy = to_lanes(c.dy, c.out, empty);
    memset(dw, 0, (c.filters + s.k) * sizeof *dw);
    kernels->conv2d_winograd_forward(y, x, w, b, true, s, c.scratch);
    kernels->conv2d_winograd_backward_data(dx, dy, w, s, c.scratch);
    kernels->conv2d_winograd_backward_weights(dw, dw + c.filters, dy, x, s, c.scratch);
    memcpy(all, from_lanes(y, c.out), outputs * sizeof *all);
    memcpy(all + outputs, from_lanes(dx, c.in), inputs * sizeof *all);
    return all;
}

START_TEST(test_winograd_threads_and_empty_lanes_do_not_matter)
{
    const Kernels *kernels = loop_set(_i, ROWS);
    if (!kernels)
        return;
    const Conv2dShape s = table[_i % ROWS];
    const size_t count =
        shape_count(conv2d_input(s)) + shape_count(conv2d_output(s)) + conv2d_filters(s) + s.k;
    const size_t bytes = count * sizeof(float);
    const float *one = all_passes(kernels, s, 0, 1);
    for (int threads = 2; threads <= 3; threads++)
        ck_assert_msg(memcmp(one, all_passes(kernels, s, 0, threads), bytes) == 0, "%d threads change bits",
                      threads);
    ck_assert_msg(memcmp(one, all_passes(kernels, s, NAN, 2), bytes) == 0, "NaN in empty lanes changes bits");
}
END_TEST

/* The bound must be smaller than the result, or the comparison would accept zeros; and it is much smaller: an
 * error of a hundredth of the root mean square is noticed everywhere. */
static void check_bound(const double *y, const double *gauge, size_t count, double limit)
{
    double squares = 0, widest = 0;
    ck_assert(!within(compare_gauged(as_floats(zeros(count), count), y, gauge, count), limit));
    for (size_t i = 0; i < count; i++) {
        squares += y[i] * y[i] / (double)count;
        widest = fmax(widest, limit * 0x1p-24 * gauge[i]);
    }
    ck_assert_msg(widest < 0.01 * sqrt(squares), "the bound %g is wide for numbers like %g", widest,
                  sqrt(squares));
}

START_TEST(test_winograd_bound_is_not_vacuous)
{
    const Case c = case_of(NULL, (Conv2dShape){2, 64, 8, 8, 8, 3, 1});
    const size_t count = shape_count(c.out);
    double *y = doubles(count), *gauge = zeros(count), *dw = zeros(c.filters), *size = zeros(c.filters);
    ref_conv2d_forward(y, c.x, c.w, NULL, c.s);
    winograd_gauge_forward(gauge, c.x, c.w, c.s);
    check_bound(y, gauge, count, roundings(winograd_roundings(c.s.c)));
    ref_conv2d_backward_weights(dw, NULL, c.dy, c.x, c.s);
    winograd_gauge_backward_weights(size, c.dy, c.x, c.s);
    check_bound(dw, size, c.filters, roundings(winograd_weights_roundings(c.s)));
}
END_TEST

Suite *fast_winograd_suite(void)
{
    Suite *suite = suite_create("fast_winograd");
    TCase *tcase = tcase_create("against ref");
    tcase_add_checked_fixture(tcase, NULL, arrays_free);
    tcase_set_timeout(tcase, 60);
    tcase_add_loop_test(tcase, test_winograd_matrices_convolve, 0, ROWS);
    tcase_add_loop_test(tcase, test_winograd_forward_matches_ref, 0, VERSIONS * ROWS);
    tcase_add_loop_test(tcase, test_winograd_backward_data_matches_ref, 0, VERSIONS * ROWS);
    tcase_add_loop_test(tcase, test_winograd_backward_weights_matches_ref, 0, VERSIONS * ROWS);
    tcase_add_loop_test(tcase, test_winograd_threads_and_empty_lanes_do_not_matter, 0, VERSIONS * ROWS);
    tcase_add_test(tcase, test_winograd_bound_is_not_vacuous);
    suite_add_tcase(suite, tcase);
    return suite;
}
