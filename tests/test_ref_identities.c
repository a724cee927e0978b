/* What the linear operations of ref/ must be whatever the numbers: adjoint passes, linearity, the impulse,
 * shifts, and a convolution written another way. Two orders of one sum of n terms differ by at most
 * 2 n 2^-53 of its gauge, the same sum over absolute values.
 *
 * Claims: eq1 eq1.any-channels eq2. */
#include "../ref/conv2d.h"
#include "../ref/global_average.h"
#include "../ref/linear.h"
#include "../ref/pool.h"
#include "../ref/upsample.h"
#include "gradient.h"
#include "inputs.h"
#include "suites.h"
#include <math.h>
#include <string.h>

#define COUNT(array) (int)(sizeof(array) / sizeof *(array))

typedef enum { CONV2D_DATA, CONV2D_WEIGHTS, POOL, UPSAMPLE, GLOBAL_AVERAGE, LINEAR } Operation;

/* A linear operation y = A x. The other operand, w or the input of a convolution, is its `with`. */
typedef struct {
    Operation operation;
    int mode, factor; /* of pooling and upsampling */
    Conv2dShape s;    /* n, c, h, w serve every operation; linear also takes k */
} Map;

static const Map MAPS[] = {
    {CONV2D_DATA, 0, 0, {2, 3, 4, 5, 4, 3, 1}},
    {CONV2D_DATA, 0, 0, {2, 3, 4, 7, 5, 3, 2}},
    {CONV2D_DATA, 0, 0, {3, 2, 5, 4, 6, 1, 1}},
    {CONV2D_DATA, 0, 0, {1, 4, 2, 5, 3, 1, 2}},
    {CONV2D_DATA, 0, 0, {2, 2, 3, 1, 1, 3, 1}},
    {CONV2D_WEIGHTS, 0, 0, {2, 3, 4, 5, 4, 3, 1}},
    {CONV2D_WEIGHTS, 0, 0, {2, 3, 4, 7, 5, 3, 2}},
    {CONV2D_WEIGHTS, 0, 0, {3, 2, 5, 4, 6, 1, 1}},
    {CONV2D_WEIGHTS, 0, 0, {1, 4, 2, 5, 3, 1, 2}},
    {POOL, POOL_AVERAGE, 1, {2, 3, 0, 8, 16, 0, 0}},
    {POOL, POOL_AVERAGE, 2, {2, 3, 0, 8, 16, 0, 0}},
    {POOL, POOL_AVERAGE, 8, {2, 3, 0, 8, 16, 0, 0}},
    {POOL, POOL_SUBSAMPLE, 2, {2, 3, 0, 8, 16, 0, 0}},
    {POOL, POOL_SUBSAMPLE, 4, {2, 3, 0, 8, 16, 0, 0}},
    {UPSAMPLE, UPSAMPLE_NEAREST, 2, {2, 3, 0, 3, 5, 0, 0}},
    {UPSAMPLE, UPSAMPLE_NEAREST, 4, {1, 2, 0, 3, 1, 0, 0}},
    {UPSAMPLE, UPSAMPLE_BILINEAR, 2, {2, 3, 0, 3, 5, 0, 0}},
    {UPSAMPLE, UPSAMPLE_BILINEAR, 4, {1, 2, 0, 1, 3, 0, 0}},
    {UPSAMPLE, UPSAMPLE_BILINEAR, 8, {1, 2, 0, 2, 3, 0, 0}},
    {UPSAMPLE, UPSAMPLE_ZEROS, 2, {2, 3, 0, 3, 5, 0, 0}},
    {UPSAMPLE, UPSAMPLE_ZEROS, 4, {1, 2, 0, 1, 3, 0, 0}},
    {GLOBAL_AVERAGE, 0, 0, {2, 3, 0, 5, 4, 0, 0}},
    {LINEAR, 0, 0, {3, 4, 5, 1, 1, 0, 0}},
};

static Shape map_shape(const Map *m)
{
    return (Shape){m->s.n, m->s.c, m->s.h, m->s.w};
}

static size_t count_in(const Map *m)
{
    return m->operation == CONV2D_WEIGHTS ? conv2d_filters(m->s) : shape_count(map_shape(m));
}

static size_t count_with(const Map *m)
{
    switch (m->operation) {
    case CONV2D_DATA:
        return conv2d_filters(m->s);
    case CONV2D_WEIGHTS:
        return shape_count(map_shape(m));
    case LINEAR:
        return (size_t)m->s.k * m->s.c;
    default:
        return 0;
    }
}

static size_t count_out(const Map *m)
{
    switch (m->operation) {
    case CONV2D_DATA:
    case CONV2D_WEIGHTS:
        return shape_count(conv2d_output(m->s));
    case POOL:
        return shape_count(shape_coarser(map_shape(m), m->factor));
    case UPSAMPLE:
        return shape_count(shape_finer(map_shape(m), m->factor));
    case GLOBAL_AVERAGE:
        return (size_t)m->s.n * m->s.c;
    case LINEAR:
        return (size_t)m->s.n * m->s.k;
    }
    return 0;
}

static void apply(double *y, const double *x, const double *with, const Map *m)
{
    const double zero_bias[8] = {0};
    switch (m->operation) {
    case CONV2D_DATA:
        ref_conv2d_forward(y, x, with, NULL, m->s);
        break;
    case CONV2D_WEIGHTS:
        ref_conv2d_forward(y, with, x, NULL, m->s);
        break;
    case POOL:
        ref_pool_forward(y, x, (PoolMode)m->mode, m->factor, map_shape(m));
        break;
    case UPSAMPLE:
        ref_upsample_forward(y, x, (UpsampleMode)m->mode, m->factor, map_shape(m));
        break;
    case GLOBAL_AVERAGE:
        ref_global_average_forward(y, x, map_shape(m));
        break;
    case LINEAR:
        ref_linear_forward(y, x, with, zero_bias, m->s.n, m->s.c, m->s.k);
        break;
    }
}

/* Adds A^T dy. x does not matter to a linear operation: it is given as NULL where it can be. */
static void apply_adjoint(double *dx, const double *dy, const double *with, const Map *m)
{
    switch (m->operation) {
    case CONV2D_DATA:
        ref_conv2d_backward_data(dx, dy, with, m->s);
        break;
    case CONV2D_WEIGHTS:
        ref_conv2d_backward_weights(dx, NULL, dy, with, m->s);
        break;
    case POOL:
        ref_pool_backward(dx, dy, NULL, (PoolMode)m->mode, m->factor, map_shape(m));
        break;
    case UPSAMPLE:
        ref_upsample_backward(dx, dy, (UpsampleMode)m->mode, m->factor, map_shape(m));
        break;
    case GLOBAL_AVERAGE:
        ref_global_average_backward(dx, dy, map_shape(m));
        break;
    case LINEAR:
        ref_linear_backward(dx, NULL, NULL, dy, NULL, with, m->s.n, m->s.c, m->s.k);
        break;
    }
}

static double *zeros(size_t count)
{
    return memset(doubles(count), 0, count * sizeof(double));
}

static double *absolute(const double *x, size_t count)
{
    double *y = doubles(count);
    for (size_t i = 0; i < count; i++)
        y[i] = fabs(x[i]);
    return y;
}

/* No sum of an operation has more terms than this; 8 more roundings are weights and divisions. */
static double most_terms(const Map *m)
{
    return (double)count_in(m) + (double)count_out(m) + 8;
}

START_TEST(test_backward_is_adjoint)
{
    const Map *m = &MAPS[_i];
    const size_t in = count_in(m), out = count_out(m), other = count_with(m);
    const double *x = frozen(random_doubles(in, 1)), *with = frozen(random_doubles(other, 2)),
                 *dy = frozen(random_doubles(out, 3));
    double *y = doubles(out), *dx = zeros(in), *y_gauge = doubles(out);
    apply(y, x, with, m);
    apply_adjoint(dx, dy, with, m);
    apply(y_gauge, absolute(x, in), absolute(with, other), m);
    /* Both are the sum of the same products dy A x, in two orders of two nested sums. */
    const double left = dot(dy, y, out), right = dot(dx, x, in), gauge = dot_gauge(dy, y_gauge, out);
    ck_assert_msg(fabs(left) > 1e-3 * gauge, "the products cancel: %g of %g", left, gauge);
    CK_WITHIN(compare_gauged_double(&left, &right, &gauge, 1), 2 * most_terms(m), "<dy, A x>, <A^T dy, x>");
}
END_TEST

START_TEST(test_forward_is_linear)
{
    const Map *m = &MAPS[_i];
    const size_t in = count_in(m), out = count_out(m), other = count_with(m);
    const double *x = random_doubles(in, 1), *z = random_doubles(in, 2), *with = random_doubles(other, 3);
    double *sum = doubles(in), *gauge_in = doubles(in), *combined = doubles(out);
    double *of_x = doubles(out), *of_z = doubles(out), *of_sum = doubles(out), *gauge = doubles(out);
    for (size_t i = 0; i < in; i++) {
        sum[i] = 2 * x[i] - 3 * z[i]; /* exact: the inputs have 24 bits */
        gauge_in[i] = 2 * fabs(x[i]) + 3 * fabs(z[i]);
    }
    frozen(x), frozen(z), frozen(with), frozen(sum);
    apply(of_x, x, with, m);
    apply(of_z, z, with, m);
    apply(of_sum, sum, with, m);
    apply(gauge, gauge_in, absolute(with, other), m);
    for (size_t i = 0; i < out; i++)
        combined[i] = 2 * of_x[i] - 3 * of_z[i];
    CK_WITHIN(compare_gauged_double(of_sum, combined, gauge, out), 2 * most_terms(m), "A (2 x - 3 z)");
}
END_TEST

/* Convolution another way: a copy with its zeros, and one whole shifted map a tap. */
static void conv2d_by_taps(double *y, const double *x, const double *w, const double *b, Conv2dShape s)
{
    const int pad = (s.side - 1) / 2, height = s.h + 2 * pad, width = s.w + 2 * pad;
    const Shape out = conv2d_output(s);
    double *padded = zeros((size_t)s.n * s.c * height * width);
    for (int map = 0; map < s.n * s.c; map++)
        for (int row = 0; row < s.h; row++)
            memcpy(padded + ((size_t)map * height + row + pad) * width + pad,
                   x + ((size_t)map * s.h + row) * s.w, s.w * sizeof *x);
    memset(y, 0, shape_count(out) * sizeof *y);
    for (int tap = s.side * s.side - 1; tap >= 0; tap--)
        for (int c = s.c - 1; c >= 0; c--)
            for (int k = 0; k < s.k; k++)
                for (int n = 0; n < s.n; n++)
                    for (int p = 0; p < out.h * out.w; p++) {
                        const int row = p / out.w * s.stride + tap / s.side,
                                  column = p % out.w * s.stride + tap % s.side;
                        y[((size_t)n * s.k + k) * out.h * out.w + p] +=
                            padded[(((size_t)n * s.c + c) * height + row) * width + column] *
                            w[((size_t)k * s.c + c) * s.side * s.side + tap];
                    }
    for (size_t i = 0; i < shape_count(out); i++)
        y[i] += b[i / (out.h * out.w) % out.c];
}

static const Conv2dShape CONVOLUTIONS[] = {
    {1, 1, 1, 1, 1, 1, 1}, {1, 1, 1, 1, 1, 3, 1},  {2, 3, 4, 5, 4, 3, 1},   {3, 2, 5, 4, 6, 1, 1},
    {2, 3, 2, 6, 4, 3, 2}, {2, 2, 3, 5, 7, 3, 2},  {1, 4, 3, 7, 5, 1, 2},   {1, 3, 2, 1, 6, 3, 1},
    {2, 1, 2, 5, 1, 3, 2}, {4, 16, 8, 8, 8, 3, 1}, {1, 17, 33, 9, 6, 3, 1},
};

START_TEST(test_conv2d_forward_matches_sum_over_taps)
{
    const Conv2dShape s = CONVOLUTIONS[_i];
    const size_t in = shape_count(conv2d_input(s)), out = shape_count(conv2d_output(s)),
                 filters = conv2d_filters(s);
    const double *x = frozen(random_doubles(in, 1)), *w = frozen(random_doubles(filters, 2)),
                 *b = frozen(random_doubles(s.k, 3));
    double *y = doubles(out), *right = doubles(out), *gauge = doubles(out);
    ref_conv2d_forward(y, x, w, b, s);
    conv2d_by_taps(right, x, w, b, s);
    conv2d_by_taps(gauge, absolute(x, in), absolute(w, filters), absolute(b, s.k), s);
    CK_WITHIN(compare_gauged_double(y, right, gauge, out), 2 * (s.c * s.side * s.side + 1), "y");
}
END_TEST

START_TEST(test_conv2d_forward_reproduces_filter_at_impulse)
{
    const Conv2dShape s = {2, 3, 4, 6, 5, 3, 1};
    const Shape out = conv2d_output(s);
    const double *w = frozen(random_doubles(conv2d_filters(s), 1));
    double *y = doubles(shape_count(out));
    for (int row = 0; row < s.h; row += 2)
        for (int column = 0; column < s.w; column += 2) {
            double *x = zeros(shape_count(conv2d_input(s))), *right = zeros(shape_count(out));
            x[((1 * s.c + 2) * s.h + row) * s.w + column] = 1; /* image 1, channel 2 */
            for (int k = 0; k < s.k; k++)
                for (int tap = 0; tap < 9; tap++) {
                    const int yo = row - (tap / 3 - 1), xo = column - (tap % 3 - 1);
                    if (0 <= yo && yo < s.h && 0 <= xo && xo < s.w)
                        right[((1 * s.k + k) * s.h + yo) * s.w + xo] = w[(k * s.c + 2) * 9 + tap];
                }
            ref_conv2d_forward(y, x, w, NULL, s);
            CK_WITHIN(compare_exact_double(y, right, shape_count(out)), 0, "y");
        }
}
END_TEST

/* The map of channel c, `rows` down and `columns` right of where it was; what comes in is 0. */
static double *shifted(const double *x, Shape s, int rows, int columns)
{
    double *y = zeros(shape_count(s));
    for (int map = 0; map < s.n * s.c; map++)
        for (int row = rows; row < s.h; row++)
            for (int column = columns; column < s.w; column++)
                y[((size_t)map * s.h + row) * s.w + column] =
                    x[((size_t)map * s.h + row - rows) * s.w + column - columns];
    return y;
}

/* _i is the stride less 1. Away from the borders the sums have the same terms in the same order. */
START_TEST(test_conv2d_forward_follows_shift)
{
    const Conv2dShape s = {2, 3, 4, 10, 12, 3, _i + 1};
    const Shape in = conv2d_input(s), out = conv2d_output(s);
    const double *x = random_doubles(shape_count(in), 1), *w = random_doubles(conv2d_filters(s), 2);
    double *y = doubles(shape_count(out)), *y_moved = doubles(shape_count(out));
    ref_conv2d_forward(y, x, w, NULL, s);
    ref_conv2d_forward(y_moved, shifted(x, in, 2 * s.stride, s.stride), w, NULL, s);
    const double *right = shifted(y, out, 2, 1);
    double *got_inside = doubles(shape_count(out)), *right_inside = doubles(shape_count(out));
    size_t inside = 0;
    for (int map = 0; map < out.n * out.c; map++)
        for (int row = 3; row < out.h - 1; row++)
            for (int column = 2; column < out.w - 1; column++) {
                const size_t i = ((size_t)map * out.h + row) * out.w + column;
                got_inside[inside] = y_moved[i];
                right_inside[inside++] = right[i];
            }
    CK_WITHIN(compare_exact_double(got_inside, right_inside, inside), 0, "inside");
}
END_TEST

/* The square of pixels that one pooled pixel stands for, looked at as a whole. */
static double pooled_square(const double *square, PoolMode mode, int factor, int width)
{
    double largest = square[0], sum = 0;
    for (int row = 0; row < factor; row++)
        for (int column = 0; column < factor; column++) {
            largest = fmax(largest, square[row * width + column]);
            sum += square[row * width + column];
        }
    return mode == POOL_MAX ? largest : mode == POOL_AVERAGE ? sum / (factor * factor) : square[0];
}

/* _i counts modes and factors. Exact for the means too: sums of 64 numbers of 24 bits do not round. */
START_TEST(test_pool_forward_matches_whole_squares)
{
    const Shape s = {2, 3, 8, 24};
    const PoolMode mode = (PoolMode)(_i / 4);
    const int factor = 1 << _i % 4;
    const Shape out = shape_coarser(s, factor);
    const double *x = frozen(random_doubles(shape_count(s), 1));
    double *y = doubles(shape_count(out)), *right = doubles(shape_count(out));
    ref_pool_forward(y, x, mode, factor, s);
    for (int map = 0; map < s.n * s.c; map++)
        for (int p = 0; p < out.h * out.w; p++)
            right[map * out.h * out.w + p] = pooled_square(
                x + (map * s.h + p / out.w * factor) * s.w + p % out.w * factor, mode, factor, s.w);
    CK_WITHIN(compare_exact_double(y, right, shape_count(out)), 0, "y");
}
END_TEST

/* The weight of input pixel i at output pixel o: a hat around the output's place, held inside the map. */
static double hat(int i, int o, UpsampleMode mode, int factor, int size)
{
    if (mode == UPSAMPLE_NEAREST)
        return o / factor == i;
    if (mode == UPSAMPLE_ZEROS)
        return o == i * factor;
    const double place = fmin(fmax((2 * o + 1 - factor) / (2.0 * factor), 0), size - 1);
    return fmax(0, 1 - fabs(place - i));
}

/* _i counts modes and factors. Weights are exact at powers of two; 4 products of 2 roundings are added. */
START_TEST(test_upsample_forward_matches_sum_of_hats)
{
    const Shape s = {2, 3, 3, 4};
    const UpsampleMode mode = (UpsampleMode)(_i / 4);
    const int factor = 1 << _i % 4;
    const Shape out = shape_finer(s, factor);
    const size_t count = shape_count(out);
    const double *x = frozen(random_doubles(shape_count(s), 1));
    double *y = doubles(count), *right = doubles(count), *gauge = doubles(count);
    ref_upsample_forward(y, x, mode, factor, s);
    for (size_t to = 0; to < count; to++) {
        const int row = (int)(to / out.w % out.h), column = (int)(to % out.w);
        const double *map = x + to / (out.h * out.w) * s.h * s.w;
        right[to] = gauge[to] = 0;
        for (int p = 0; p < s.h * s.w; p++) {
            const double weight =
                hat(p / s.w, row, mode, factor, s.h) * hat(p % s.w, column, mode, factor, s.w);
            right[to] += weight * map[p];
            gauge[to] += weight * fabs(map[p]);
        }
    }
    CK_WITHIN(compare_gauged_double(y, right, gauge, count), 2 * (4 + 2), "y");
}
END_TEST

Suite *ref_identities_suite(void)
{
    Suite *suite = suite_create("ref_identities");
    TCase *linear = tcase_create("linear"), *conv2d = tcase_create("conv2d"), *maps = tcase_create("maps");
    tcase_set_timeout(linear, 10);
    tcase_add_checked_fixture(linear, NULL, arrays_free);
    tcase_add_loop_test(linear, test_backward_is_adjoint, 0, COUNT(MAPS));
    tcase_add_loop_test(linear, test_forward_is_linear, 0, COUNT(MAPS));
    suite_add_tcase(suite, linear);
    tcase_set_timeout(conv2d, 10);
    tcase_add_checked_fixture(conv2d, NULL, arrays_free);
    tcase_add_loop_test(conv2d, test_conv2d_forward_matches_sum_over_taps, 0, COUNT(CONVOLUTIONS));
    tcase_add_test(conv2d, test_conv2d_forward_reproduces_filter_at_impulse);
    tcase_add_loop_test(conv2d, test_conv2d_forward_follows_shift, 0, 2);
    suite_add_tcase(suite, conv2d);
    tcase_set_timeout(maps, 10);
    tcase_add_checked_fixture(maps, NULL, arrays_free);
    tcase_add_loop_test(maps, test_pool_forward_matches_whole_squares, 0, 3 * 4);
    tcase_add_loop_test(maps, test_upsample_forward_matches_sum_of_hats, 0, 3 * 4);
    suite_add_tcase(suite, maps);
    return suite;
}
