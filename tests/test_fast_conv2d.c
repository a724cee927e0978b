/* The fast convolutions against ref, in every instruction set, over shapes around the tiles: 4 pixels, 6 or
 * 3 filters, 16 images; on AMX 2 pixels, 32 channels going in, of which up to 10 are gathered from nine
 * taps, 16 or 32 coming out, and 16 of either in backward weights, bands of 32 pixels. Bounds as derived in
 * fast/conv2d.c and its neighbours. */
#include "../ref/conv2d.h"
#include "compare.h"
#include "lanes.h"
#include "suites.h"
#include <math.h>
#include <omp.h>
#include <string.h>

static const Conv2dShape table[] = {
    /* n, c, k, h, w, side, stride */
    {1, 1, 1, 1, 1, 3, 1},    {1, 1, 1, 1, 1, 1, 1},    {16, 3, 6, 4, 4, 3, 1},   {17, 3, 7, 3, 5, 3, 1},
    {15, 4, 5, 5, 3, 3, 1},   {33, 2, 13, 2, 2, 3, 1},  {16, 16, 12, 4, 8, 3, 1}, {5, 17, 16, 2, 9, 3, 1},
    {16, 6, 3, 1, 7, 3, 1},   {2, 5, 2, 6, 1, 3, 1},    {20, 64, 10, 3, 4, 3, 1}, {3, 3, 64, 5, 6, 3, 1},
    {18, 33, 35, 2, 3, 3, 1}, {16, 7, 11, 4, 4, 1, 1},  {19, 65, 4, 2, 5, 1, 1},  {4, 8, 9, 5, 5, 3, 2},
    {17, 5, 6, 4, 8, 3, 2},   {16, 9, 3, 7, 6, 1, 2},   {1, 20, 8, 1, 2, 3, 2},   {48, 10, 17, 3, 3, 3, 1},
    {3, 31, 15, 2, 3, 3, 1},  {17, 32, 16, 3, 2, 3, 1}, {2, 33, 17, 1, 3, 3, 1},  {1, 64, 32, 2, 2, 3, 1},
    {5, 65, 33, 1, 1, 3, 1},  {3, 15, 31, 3, 5, 3, 1},  {18, 33, 65, 2, 1, 3, 1}, {3, 128, 128, 2, 3, 3, 1},
    {9, 4, 3, 3, 33, 3, 1},   {17, 3, 5, 9, 11, 3, 1},  {16, 2, 4, 13, 7, 3, 1},  {20, 33, 17, 3, 3, 1, 1},
    {17, 9, 10, 3, 4, 3, 1},  {18, 3, 35, 2, 5, 3, 1},  {3, 11, 33, 3, 4, 3, 1},
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

static bool setup_case(Case *c, int i)
{
    c->kernels = loop_set(i, ROWS);
    c->s = table[i % ROWS];
    c->in = conv2d_input(c->s);
    c->out = conv2d_output(c->s);
    c->filters = conv2d_filters(c->s);
    if (!c->kernels)
        return false;
    c->x = random_doubles(shape_count(c->in), 1);
    c->w = random_doubles(c->filters, 2);
    c->b = random_doubles(c->s.k, 3);
    c->dy = random_doubles(shape_count(c->out), 4);
    c->scratch = scratch_of(c->kernels->conv2d_scratch(c->s, omp_get_max_threads()));
    return true;
}

/* y and its gauge, with the bias or without. */
static void check_forward(const Case *c, bool bias, bool relu, const char *what)
{
    double *y = doubles(shape_count(c->out)), *gauge = doubles(shape_count(c->out));
    float *got = lanes(c->out);
    ref_conv2d_forward(y, c->x, c->w, bias ? c->b : NULL, c->s);
    ref_conv2d_forward(gauge, absolute(c->x, shape_count(c->in)), absolute(c->w, c->filters),
                       bias ? absolute(c->b, c->s.k) : NULL, c->s);
    for (size_t i = 0; relu && i < shape_count(c->out); i++)
        y[i] = fmax(y[i], 0);
    c->kernels->conv2d_forward(got, frozen_float(to_lanes(c->x, c->in, NAN)),
                               frozen_float(as_floats(c->w, c->filters)),
                               bias ? frozen_float(as_floats(c->b, c->s.k)) : NULL, relu, c->s, c->scratch);
    CK_WITHIN(compare_gauged(from_lanes(got, c->out), y, gauge, shape_count(c->out)),
              stored(c->s.side * c->s.side * c->s.c + 2, 1), what);
}

START_TEST(test_conv2d_forward_matches_ref)
{
    Case c;
    if (!setup_case(&c, _i))
        return;
    check_forward(&c, true, false, "y");
    check_forward(&c, false, false, "y without bias");
    check_forward(&c, true, true, "max(y, 0)");
}
END_TEST

START_TEST(test_conv2d_backward_data_matches_ref)
{
    Case c;
    if (!setup_case(&c, _i))
        return;
    const size_t count = shape_count(c.in);
    double *dx = prefilled(count), *gauge = absolute(dx, count);
    float *got = to_lanes(dx, c.in, NAN);
    ref_conv2d_backward_data(dx, c.dy, c.w, c.s);
    ref_conv2d_backward_data(gauge, absolute(c.dy, shape_count(c.out)), absolute(c.w, c.filters), c.s);
    c.kernels->conv2d_backward_data(got, frozen_float(to_lanes(c.dy, c.out, NAN)),
                                    frozen_float(as_floats(c.w, c.filters)), c.s, c.scratch);
    CK_WITHIN(compare_gauged(from_lanes(got, c.in), dx, gauge, count),
              stored(c.s.side * c.s.side * c.s.k + 2, 1), "dx");
}
END_TEST

START_TEST(test_conv2d_backward_weights_matches_ref)
{
    Case c;
    if (!setup_case(&c, _i))
        return;
    double *dw = prefilled(c.filters), *gauge_w = absolute(dw, c.filters);
    double *db = prefilled(c.s.k), *gauge_b = absolute(db, c.s.k);
    float *got_w = as_floats(dw, c.filters), *got_b = as_floats(db, c.s.k),
          *no_bias = as_floats(dw, c.filters);
    const float *dy = frozen_float(to_lanes(c.dy, c.out, NAN)), *x = frozen_float(to_lanes(c.x, c.in, NAN));
    ref_conv2d_backward_weights(dw, db, c.dy, c.x, c.s);
    ref_conv2d_backward_weights(gauge_w, gauge_b, absolute(c.dy, shape_count(c.out)),
                                absolute(c.x, shape_count(c.in)), c.s);
    c.kernels->conv2d_backward_weights(got_w, got_b, dy, x, c.s, c.scratch);
    c.kernels->conv2d_backward_weights(no_bias, NULL, dy, x, c.s, c.scratch);
    const double limit = roundings((double)c.s.n * c.out.h * c.out.w + lanes_groups(c.s.n) + 2);
    CK_WITHIN(compare_gauged(got_w, dw, gauge_w, c.filters), limit, "dw");
    CK_WITHIN(compare_gauged(got_b, db, gauge_b, c.s.k), limit, "db");
    CK_WITHIN(compare_gauged(no_bias, dw, gauge_w, c.filters), limit, "dw without bias");
}
END_TEST

/* Everything that one version of the convolutions returns. */
typedef struct {
    float *y, *dx, *dw, *db;
} Results;

static Results results_of(const Kernels *kernels, const Case *c)
{
    const Results r = {lanes(c->out), to_lanes(c->x, c->in, 0), as_floats(c->w, c->filters),
                       as_floats(c->b, c->s.k)};
    const float *x = to_lanes(c->x, c->in, 0), *dy = to_lanes(c->dy, c->out, 0);
    const float *w = as_floats(c->w, c->filters), *b = as_floats(c->b, c->s.k);
    void *scratch = scratch_of(kernels->conv2d_scratch(c->s, omp_get_max_threads()));
    kernels->conv2d_forward(r.y, x, w, b, true, c->s, scratch);
    kernels->conv2d_backward_data(r.dx, dy, w, c->s, scratch);
    kernels->conv2d_backward_weights(r.dw, r.db, dy, x, c->s, scratch);
    return r;
}

/* The emulated tile products are those of the CPU, to the bit, where it has them. */
START_TEST(test_conv2d_tiles_match_their_emulation)
{
    const Kernels *versions[MAX_ISAS], *tiles = NULL, *emulated = NULL;
    const int count = kernels_versions(versions, "bf16");
    for (int i = 0; i < count; i++) {
        if (strcmp(versions[i]->instruction_set, "amx") == 0)
            tiles = versions[i];
        if (strcmp(versions[i]->instruction_set, "amx_emulated") == 0)
            emulated = versions[i];
    }
    ck_assert_ptr_nonnull(emulated);
    Case c;
    if (!tiles || table[_i].stride != 1 || !setup_case(&c, MAX_ISAS * ROWS + _i))
        return;
    const Results real = results_of(tiles, &c), ours = results_of(emulated, &c);
    ck_assert_mem_eq(from_lanes(real.y, c.out), from_lanes(ours.y, c.out),
                     shape_count(c.out) * sizeof(float));
    ck_assert_mem_eq(from_lanes(real.dx, c.in), from_lanes(ours.dx, c.in), shape_count(c.in) * sizeof(float));
    if (c.s.side == 3) { /* others are not made of tiles */
        ck_assert_mem_eq(real.dw, ours.dw, c.filters * sizeof(float));
        ck_assert_mem_eq(real.db, ours.db, c.s.k * sizeof(float));
    }
}
END_TEST

/* The bound must be smaller than the result, or the comparison would accept zeros. */
START_TEST(test_conv2d_zeros_are_rejected)
{
    const Conv2dShape s = table[6];
    const size_t count = shape_count(conv2d_output(s));
    double *y = doubles(count), *gauge = doubles(count), *x = random_doubles(shape_count(conv2d_input(s)), 1);
    double *w = random_doubles(conv2d_filters(s), 2);
    ref_conv2d_forward(y, x, w, NULL, s);
    ref_conv2d_forward(gauge, absolute(x, shape_count(conv2d_input(s))), absolute(w, conv2d_filters(s)), NULL,
                       s);
    ck_assert(
        !within(compare_gauged(as_floats(zeros(count), count), y, gauge, count), roundings(9 * s.c + 2)));
}
END_TEST

Suite *fast_conv2d_suite(void)
{
    Suite *suite = suite_create("fast_conv2d");
    TCase *tcase = tcase_create("against ref");
    tcase_add_checked_fixture(tcase, NULL, arrays_free);
    tcase_set_timeout(tcase, 60);
    tcase_add_loop_test(tcase, test_conv2d_forward_matches_ref, 0, VERSIONS * ROWS);
    tcase_add_loop_test(tcase, test_conv2d_backward_data_matches_ref, 0, VERSIONS * ROWS);
    tcase_add_loop_test(tcase, test_conv2d_backward_weights_matches_ref, 0, VERSIONS * ROWS);
    tcase_add_loop_test(tcase, test_conv2d_tiles_match_their_emulation, 0, ROWS);
    tcase_add_test(tcase, test_conv2d_zeros_are_rejected);
    suite_add_tcase(suite, tcase);
    return suite;
}
