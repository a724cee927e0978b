/* Winograd's convolution against ref, in every instruction set, over shapes around its tiles: 4x4 pixels, 3
 * tiles and 8 filters a block, 16 images. The bound is that of fast/conv2d_winograd.c. */
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
    {1, 1, 1, 1, 1, 3, 1},   {16, 1, 1, 4, 4, 3, 1},   {17, 3, 7, 4, 4, 3, 1},   {15, 4, 8, 5, 3, 3, 1},
    {33, 2, 9, 2, 2, 3, 1},  {16, 16, 16, 8, 8, 3, 1}, {5, 17, 15, 4, 12, 3, 1}, {16, 6, 3, 1, 13, 3, 1},
    {2, 5, 2, 9, 1, 3, 1},   {20, 64, 10, 7, 4, 3, 1}, {3, 3, 64, 6, 6, 3, 1},   {18, 33, 35, 3, 3, 3, 1},
    {48, 8, 17, 4, 8, 3, 1}, {1, 9, 24, 16, 16, 3, 1}, {16, 64, 64, 8, 4, 3, 1},
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

/* Both passes into one array, from lanes whose empty ones hold `empty`. */
static float *both_passes(const Kernels *kernels, Conv2dShape s, float empty, int threads)
{
    omp_set_num_threads(threads);
    const Case c = case_of(kernels, s);
    const size_t outputs = shape_count(c.out), inputs = shape_count(c.in);
    const float *w = as_floats(c.w, c.filters), *b = as_floats(c.b, s.k);
    float *y = lanes(c.out), *dx = to_lanes(prefilled(inputs), c.in, empty), *all = floats(outputs + inputs);
    kernels->conv2d_winograd_forward(y, to_lanes(c.x, c.in, empty), w, b, true, s, c.scratch);
    kernels->conv2d_winograd_backward_data(dx, to_lanes(c.dy, c.out, empty), w, s, c.scratch);
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
    const size_t bytes = (shape_count(conv2d_input(s)) + shape_count(conv2d_output(s))) * sizeof(float);
    const float *one = both_passes(kernels, s, 0, 1);
    for (int threads = 2; threads <= 3; threads++)
        ck_assert_msg(memcmp(one, both_passes(kernels, s, 0, threads), bytes) == 0, "%d threads change bits",
                      threads);
    ck_assert_msg(memcmp(one, both_passes(kernels, s, NAN, 2), bytes) == 0,
                  "NaN in empty lanes changes bits");
}
END_TEST

/* The bound must be smaller than the result, or the comparison would accept zeros; and it is much smaller: an
 * error of a hundredth of the root mean square is noticed everywhere. */
START_TEST(test_winograd_bound_is_not_vacuous)
{
    const Case c = case_of(NULL, (Conv2dShape){2, 64, 8, 8, 8, 3, 1});
    const size_t count = shape_count(c.out);
    const double limit = roundings(winograd_roundings(c.s.c));
    double *y = doubles(count), *gauge = zeros(count), squares = 0, widest = 0;
    ref_conv2d_forward(y, c.x, c.w, NULL, c.s);
    winograd_gauge_forward(gauge, c.x, c.w, c.s);
    ck_assert(!within(compare_gauged(as_floats(zeros(count), count), y, gauge, count), limit));
    for (size_t i = 0; i < count; i++) {
        squares += y[i] * y[i] / (double)count;
        widest = fmax(widest, limit * 0x1p-24 * gauge[i]);
    }
    ck_assert_msg(widest < 0.01 * sqrt(squares), "the bound %g is wide for numbers like %g", widest,
                  sqrt(squares));
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
    tcase_add_loop_test(tcase, test_winograd_threads_and_empty_lanes_do_not_matter, 0, VERSIONS * ROWS);
    tcase_add_test(tcase, test_winograd_bound_is_not_vacuous);
    suite_add_tcase(suite, tcase);
    return suite;
}
