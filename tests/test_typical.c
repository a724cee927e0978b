/* Typical errors of the convolutions. The worst case of a sum of n terms t adds all roundings up, n u sum |t|
 * with u = 2^-24. Of independent roundings, of mean 0 and at most u, of deviation u / sqrt(3), of partial
 * sums of terms of independent signs, which are sqrt(j) t long after j terms, the sum walks at random:
 *
 *     deviation^2 = u^2 / 3 (n / 2 + k) sum of t^2,
 *
 * with k for the roundings beside the sum, those of the products or of Winograd's transforms; and in bf16 the
 * result is rounded once more, by at most 2^-8. So the root mean square of error over deviation is at most 1
 * (about 0.65, since u is met only by numbers just over a power of two), where the worst case is tens or
 * hundreds of times as far. */
#include "../ref/conv2d.h"
#include "compare.h"
#include "lanes.h"
#include "suites.h"
#include "winograd_gauge.h"
#include <math.h>
#include <omp.h>

static const Conv2dShape table[] = {
    {16, 24, 16, 8, 8, 3, 1}, {17, 16, 26, 8, 12, 3, 1}, {33, 3, 32, 8, 8, 3, 1}, {16, 64, 10, 4, 8, 3, 1}};
enum { ROWS = sizeof table / sizeof *table };

typedef struct {
    const Kernels *kernels;
    Conv2dShape s;
    Shape in, out;
    size_t inputs, outputs, filters;
    double *x, *w, *dy;
} Case;

static bool start(Case *c, int i)
{
    const Kernels *kernels = loop_set(i, ROWS);
    const Conv2dShape s = table[i % ROWS];
    *c = (Case){kernels, s, conv2d_input(s), conv2d_output(s), 0, 0, conv2d_filters(s), 0, 0, 0};
    c->inputs = shape_count(c->in);
    c->outputs = shape_count(c->out);
    c->x = random_doubles(c->inputs, 1);
    c->w = random_doubles(c->filters, 2);
    c->dy = random_doubles(c->outputs, 3);
    return kernels != NULL;
}

static double *squares_of(const double *x, size_t count)
{
    double *y = doubles(count);
    for (size_t i = 0; i < count; i++)
        y[i] = x[i] * x[i];
    return y;
}

/* Compares one number: the root mean square of error over deviation, with 1. The deviation is that of sums of
 * these squared terms with so many roundings, and `stores` of the result to the set's tensors. */
static void check_typical(const float *got, const double *ref, const double *squares,
                          double roundings_squared, double stores, size_t count, const char *what)
{
    const double u = 0x1p-24 / sqrt(3), store = (stored(0, stores) * 0x1p-24) / sqrt(3), none = 0;
    double mean = 0;
    for (size_t i = 0; i < count; i++) {
        const double error = got[i] - ref[i];
        const double variance = u * u * roundings_squared * squares[i] + store * store * ref[i] * ref[i];
        mean += error * error / variance / (double)count;
    }
    const double typical = sqrt(mean);
    ck_assert_msg(typical > 0, "%s: no error at all", what);
    CK_WITHIN(compare_double(&typical, &none, 1, 1), 1, what);
}

START_TEST(test_direct_convolution_is_typical)
{
    Case c;
    if (!start(&c, _i))
        return;
    const double *x2 = squares_of(c.x, c.inputs), *w2 = squares_of(c.w, c.filters),
                 *dy2 = squares_of(c.dy, c.outputs);
    double *y = doubles(c.outputs), *y2 = doubles(c.outputs), *dx = zeros(c.inputs), *dx2 = zeros(c.inputs);
    double *dw = zeros(c.filters), *dw2 = zeros(c.filters);
    Word *got = lanes(c.out), *got_x = to_lanes(dx, c.in, 0), *lanes_x = to_lanes(c.x, c.in, 0),
         *lanes_dy = to_lanes(c.dy, c.out, 0);
    float *w = as_floats(c.w, c.filters), *got_w = as_floats(dw, c.filters);
    void *scratch = scratch_of(c.kernels->conv2d_scratch(c.s, omp_get_max_threads()));
    ref_conv2d_forward(y, c.x, c.w, NULL, c.s);
    ref_conv2d_forward(y2, x2, w2, NULL, c.s);
    c.kernels->conv2d_forward(got, lanes_x, w, NULL, false, c.s, scratch);
    check_typical(from_lanes(got, c.out), y, y2, 9 * c.s.c / 2.0 + 1, 1, c.outputs, "y");
    ref_conv2d_backward_data(dx, c.dy, c.w, c.s);
    ref_conv2d_backward_data(dx2, dy2, w2, c.s);
    c.kernels->conv2d_backward_data(got_x, lanes_dy, w, c.s, scratch);
    check_typical(from_lanes(got_x, c.in), dx, dx2, 9 * c.s.k / 2.0 + 1, 1, c.inputs, "dx");
    ref_conv2d_backward_weights(dw, NULL, c.dy, c.x, c.s);
    ref_conv2d_backward_weights(dw2, NULL, dy2, x2, c.s);
    c.kernels->conv2d_backward_weights(got_w, NULL, lanes_dy, lanes_x, c.s, scratch);
    check_typical(got_w, dw, dw2, c.s.n * c.s.h * c.s.w / 2.0 + 1, 0, c.filters, "dw");
}
END_TEST

/* Backward data is the forward pass from dy with the filters flipped: the same kernel. */
START_TEST(test_winograd_convolution_is_typical)
{
    Case c;
    if (!start(&c, _i))
        return;
    double *y = doubles(c.outputs), *y2 = zeros(c.outputs), *dw = zeros(c.filters), *dw2 = zeros(c.filters);
    Word *got = lanes(c.out), *lanes_x = to_lanes(c.x, c.in, 0);
    float *got_w = as_floats(dw, c.filters);
    void *scratch = scratch_of(c.kernels->conv2d_winograd_scratch(c.s, omp_get_max_threads()));
    ref_conv2d_forward(y, c.x, c.w, NULL, c.s);
    winograd_squares_forward(y2, c.x, c.w, c.s);
    c.kernels->conv2d_winograd_forward(got, lanes_x, as_floats(c.w, c.filters), NULL, false, c.s, scratch);
    check_typical(from_lanes(got, c.out), y, y2, c.s.c / 2.0 + winograd_roundings(0), 1, c.outputs, "y");
    ref_conv2d_backward_weights(dw, NULL, c.dy, c.x, c.s);
    winograd_squares_backward_weights(dw2, c.dy, c.x, c.s);
    c.kernels->conv2d_winograd_backward_weights(got_w, NULL, to_lanes(c.dy, c.out, 0), lanes_x, c.s, scratch);
    const double transforms = winograd_weights_roundings((Conv2dShape){0}),
                 all = winograd_weights_roundings(c.s);
    check_typical(got_w, dw, dw2, (all - transforms) / 2 + transforms, 0, c.filters, "dw");
}
END_TEST

Suite *typical_suite(void)
{
    Suite *suite = suite_create("typical");
    TCase *tcase = tcase_create("root mean squares");
    tcase_add_checked_fixture(tcase, NULL, arrays_free);
    tcase_set_timeout(tcase, 60);
    tcase_add_loop_test(tcase, test_direct_convolution_is_typical, 0, VERSIONS * ROWS);
    tcase_add_loop_test(tcase, test_winograd_convolution_is_typical, 0, VERSIONS * ROWS);
    suite_add_tcase(suite, tcase);
    return suite;
}
