/* The gradient checker and the guarded arrays must notice what they are there for. */
#include "../ref/batchnorm.h"
#include "../ref/conv2d.h"
#include "../ref/relu.h"
#include "gradient.h"
#include "inputs.h"
#include "suites.h"
#include <math.h>
#include <string.h>

/* A small function with a kink: batch norm of ReLU of a convolution, by its filters. */
static const Conv2dShape BLOCK = {3, 2, 3, 5, 4, 3, 1};

typedef struct {
    double *x, *w, *conv, *activation, *y, *mean, *variance, *cotangent;
    double eps;
} Block;

static Block block_create(void)
{
    const size_t in = shape_count(conv2d_input(BLOCK)), out = shape_count(conv2d_output(BLOCK));
    return (Block){random_doubles(in, 1),
                   random_doubles(conv2d_filters(BLOCK), 2),
                   doubles(out),
                   doubles(out),
                   doubles(out),
                   doubles(BLOCK.k),
                   doubles(BLOCK.k),
                   random_doubles(out, 3),
                   0.1};
}

static Outcome block_forward(void *context)
{
    Block *b = context;
    const Shape out = conv2d_output(BLOCK);
    ref_conv2d_forward(b->conv, b->x, b->w, NULL, BLOCK);
    ref_relu_forward(b->activation, b->conv, shape_count(out));
    ref_batchnorm_statistics(b->mean, b->variance, b->activation, out);
    ref_batchnorm_forward(b->y, b->activation, b->mean, b->variance, NULL, NULL, b->eps, out);
    return (Outcome){dot(b->cotangent, b->y, shape_count(out)), pattern_signs(0, b->conv, shape_count(out))};
}

/* The gradient of the filters, with batch norm's eps as given. */
static double *block_gradient(Block *b, double eps)
{
    const Shape out = conv2d_output(BLOCK);
    double *dactivation = prefilled(shape_count(out)), *dconv = prefilled(shape_count(out)),
           *dw = prefilled(conv2d_filters(BLOCK));
    block_forward(b);
    ref_batchnorm_backward(dactivation, NULL, NULL, b->cotangent, b->activation, b->mean, b->variance, NULL,
                           eps, out);
    subtract_prefill(dactivation, shape_count(out));
    ref_relu_backward(dconv, dactivation, b->activation, shape_count(out));
    subtract_prefill(dconv, shape_count(out));
    ref_conv2d_backward_weights(dw, NULL, dconv, b->x, BLOCK);
    subtract_prefill(dw, conv2d_filters(BLOCK));
    return dw;
}

static GradientResult block_check(Block *b, const double *dw)
{
    return gradient_measure((GradientCheck){block_forward, b, b->w, dw, conv2d_filters(BLOCK)});
}

START_TEST(test_gradient_accepts_right_one)
{
    Block b = block_create();
    const double *dw = block_gradient(&b, b.eps);
    double *w = doubles(conv2d_filters(BLOCK));
    memcpy(w, b.w, conv2d_filters(BLOCK) * sizeof *w);
    GradientResult result = block_check(&b, dw);
    ck_assert_msg(gradient_right(result), "%s; %zu of %zu skipped", describe(result.difference),
                  result.skipped, result.examined);
    ck_assert_uint_eq(result.examined, conv2d_filters(BLOCK));
    ck_assert_msg(memcmp(w, b.w, conv2d_filters(BLOCK) * sizeof *w) == 0, "the filters were not restored");
}
END_TEST

typedef enum { FLIP_ONE, FLIP_ALL, ZERO_ONE, ZERO_ALL, NAN_ONE, SLIGHTLY_OFF, SWAPPED, MISTAKES } Mistake;

START_TEST(test_gradient_rejects_wrong_one)
{
    Block b = block_create();
    double *dw = block_gradient(&b, b.eps);
    const size_t count = conv2d_filters(BLOCK);
    const double first = dw[0];
    for (size_t i = 0; i < count; i++) {
        if (_i == FLIP_ALL)
            dw[i] = -dw[i];
        else if (_i == ZERO_ALL)
            dw[i] = 0;
        else if (_i == SLIGHTLY_OFF)
            dw[i] *= 1 + 2e-6;
    }
    switch (_i) {
    case FLIP_ONE:
        dw[count / 2] = -dw[count / 2];
        break;
    case ZERO_ONE:
        dw[count - 1] = 0;
        break;
    case NAN_ONE:
        dw[0] = NAN;
        break;
    case SWAPPED:
        dw[0] = dw[1];
        dw[1] = first;
        break;
    }
    ck_assert_msg(!gradient_right(block_check(&b, dw)), "mistake %d was not noticed", _i);
}
END_TEST

START_TEST(test_gradient_rejects_missing_term)
{
    /* Batch norm whose statistics are taken for constants: the two terms through them are missing. */
    Block b = block_create();
    const Shape out = conv2d_output(BLOCK);
    const size_t count = shape_count(out);
    block_forward(&b);
    double *dconv = prefilled(count), *scaled = doubles(count), *dw = prefilled(conv2d_filters(BLOCK));
    for (size_t i = 0; i < count; i++)
        scaled[i] = b.cotangent[i] / sqrt(b.variance[i / (out.h * out.w) % out.c] + b.eps);
    ref_relu_backward(dconv, scaled, b.activation, count);
    subtract_prefill(dconv, count);
    ref_conv2d_backward_weights(dw, NULL, dconv, b.x, BLOCK);
    subtract_prefill(dw, conv2d_filters(BLOCK));
    ck_assert(!gradient_right(block_check(&b, dw)));
}
END_TEST

START_TEST(test_gradient_rejects_wrong_eps)
{
    Block b = block_create();
    ck_assert(!gradient_right(block_check(&b, block_gradient(&b, b.eps * 1.001))));
}
END_TEST

START_TEST(test_gradient_rejects_overwriting_pass)
{
    /* A pass that writes instead of adding is off by the prefill. */
    Block b = block_create();
    double *dw = block_gradient(&b, b.eps);
    subtract_prefill(dw, conv2d_filters(BLOCK));
    ck_assert(!gradient_right(block_check(&b, dw)));
}
END_TEST

/* sum |x|: a kink at 0, which the gradient sign(x) is right beside. */
typedef struct {
    double *x;
    size_t count;
} Absolute;

static Outcome absolute_forward(void *context)
{
    const Absolute *a = context;
    Outcome outcome = {0, pattern_signs(0, a->x, a->count)};
    for (size_t i = 0; i < a->count; i++)
        outcome.loss += fabs(a->x[i]);
    return outcome;
}

/* The outcome with this many of 100 elements at the kink. */
static GradientResult absolute_check(int at_kink)
{
    Absolute a = {random_doubles(100, 4), 100};
    double *gradient = doubles(100);
    for (int i = 0; i < 100; i++)
        gradient[i] = a.x[i] > 0 ? 1 : -1;
    for (int i = 0; i < at_kink; i++)
        a.x[i * 7] = 1e-7, gradient[i * 7] = 1;
    return gradient_measure((GradientCheck){absolute_forward, &a, a.x, gradient, 100});
}

START_TEST(test_gradient_skips_few_kinks)
{
    GradientResult result = absolute_check(5);
    ck_assert_uint_eq(result.skipped, 5);
    ck_assert_msg(gradient_right(result), "%s", describe(result.difference));
}
END_TEST

START_TEST(test_gradient_rejects_many_kinks)
{
    GradientResult result = absolute_check(6);
    ck_assert_uint_eq(result.skipped, 6);
    ck_assert(!gradient_right(result));
}
END_TEST

/* A loss that does not depend on x. */
static Outcome constant_forward(void *context)
{
    (void)context;
    return (Outcome){1, 0};
}

START_TEST(test_gradient_of_constant_is_exactly_zero)
{
    double x[2] = {1, 2}, zero[2] = {0, 0}, tiny[2] = {0, 1e-300};
    ck_assert(gradient_right(gradient_measure((GradientCheck){constant_forward, NULL, x, zero, 2})));
    ck_assert(!gradient_right(gradient_measure((GradientCheck){constant_forward, NULL, x, tiny, 2})));
    ck_assert(!gradient_right(gradient_measure((GradientCheck){constant_forward, NULL, x, zero, 0})));
}
END_TEST

START_TEST(test_gradient_strides_large_tensor)
{
    Absolute a = {random_doubles(5001, 5), 5001};
    double *gradient = doubles(a.count);
    for (size_t i = 0; i < a.count; i++)
        gradient[i] = a.x[i] > 0 ? 1 : -1;
    GradientCheck check = {absolute_forward, &a, a.x, gradient, a.count};
    GradientResult result = gradient_measure(check);
    ck_assert_uint_eq(result.examined, 2000);
    ck_assert_msg(gradient_right(result), "%s", describe(result.difference));
    for (size_t i = a.count / 2; i < a.count / 2 + 3; i++) /* the stride is 2.5 */
        gradient[i] = 0;
    ck_assert(!gradient_right(gradient_measure(check)));
}
END_TEST

START_TEST(test_pattern_tells_masks_and_maxima_apart)
{
    double x[8] = {1, -2, 3, 4, -5, 6, 7, -8}, y[8];
    memcpy(y, x, sizeof x);
    y[6] = 6.5;
    ck_assert(pattern_signs(0, x, 8) == pattern_signs(0, y, 8));
    ck_assert(pattern_maxima(0, x, 1, 2, 4, 2) == pattern_maxima(0, y, 1, 2, 4, 2));
    y[6] = 3.5; /* the maximum of the right square moves */
    ck_assert(pattern_signs(0, x, 8) == pattern_signs(0, y, 8));
    ck_assert(pattern_maxima(0, x, 1, 2, 4, 2) != pattern_maxima(0, y, 1, 2, 4, 2));
    y[6] = -7;
    ck_assert(pattern_signs(0, x, 8) != pattern_signs(0, y, 8));
}
END_TEST

START_TEST(test_inputs_notice_write_outside)
{
    double *x = random_doubles(5, 1);
    ck_assert_ptr_null(arrays_fault());
    const double before = x[-1], after = x[5];
    x[5] = 0;
    ck_assert_ptr_nonnull(arrays_fault());
    x[5] = after;
    ck_assert_ptr_null(arrays_fault());
    x[-1] = 0;
    ck_assert_ptr_nonnull(arrays_fault());
    x[-1] = before;
    ck_assert_ptr_null(arrays_fault());
}
END_TEST

START_TEST(test_inputs_notice_changed_input)
{
    double *x = random_doubles(5, 1);
    const double kept = x[3];
    frozen(x);
    ck_assert_ptr_null(arrays_fault());
    x[3] = -kept;
    ck_assert_ptr_nonnull(arrays_fault());
    x[3] = kept;
    ck_assert_ptr_null(arrays_fault());
}
END_TEST

START_TEST(test_inputs_are_signed_and_exact_in_float)
{
    enum { COUNT = 1000 };
    const double *x = random_doubles(COUNT, 7), *again = random_doubles(COUNT / 2, 7),
                 *other = random_doubles(COUNT, 8);
    const float *single = random_floats(COUNT, 7);
    const int *labels = random_labels(COUNT, 10, 7);
    int negative = 0, zero = 0, equal = 0, outside = 0, seen = 0;
    for (int i = 0; i < COUNT; i++) {
        negative += x[i] < 0;
        zero += x[i] == 0 || !(fabs(x[i]) < 1);
        equal += x[i] == other[i];
        outside += labels[i] < 0 || labels[i] > 9;
        seen |= outside ? 0 : 1 << labels[i];
    }
    ck_assert(within(compare_exact_float(single, x, COUNT), 0));
    ck_assert(within(compare_exact_double(again, x, COUNT / 2), 0));
    ck_assert_msg(negative > 400 && negative < 600, "%d of %d are negative", negative, COUNT);
    ck_assert_msg(zero == 0 && equal < 3, "%d bad numbers, %d equal in two seeds", zero, equal);
    ck_assert_msg(outside == 0 && seen == 0x3ff, "labels outside: %d, classes seen: %#x", outside, seen);
    ck_assert_uint_eq((uintptr_t)x % 64, 0);
    ck_assert_uint_eq((uintptr_t)single % 64, 0);
}
END_TEST

Suite *gradient_suite(void)
{
    Suite *suite = suite_create("gradient");
    TCase *checker = tcase_create("checker"), *inputs = tcase_create("inputs");
    tcase_set_timeout(checker, 20);
    tcase_add_checked_fixture(checker, NULL, arrays_free);
    tcase_add_test(checker, test_gradient_accepts_right_one);
    tcase_add_loop_test(checker, test_gradient_rejects_wrong_one, 0, MISTAKES);
    tcase_add_test(checker, test_gradient_rejects_missing_term);
    tcase_add_test(checker, test_gradient_rejects_wrong_eps);
    tcase_add_test(checker, test_gradient_rejects_overwriting_pass);
    tcase_add_test(checker, test_gradient_skips_few_kinks);
    tcase_add_test(checker, test_gradient_rejects_many_kinks);
    tcase_add_test(checker, test_gradient_of_constant_is_exactly_zero);
    tcase_add_test(checker, test_gradient_strides_large_tensor);
    tcase_add_test(checker, test_pattern_tells_masks_and_maxima_apart);
    suite_add_tcase(suite, checker);
    tcase_set_timeout(inputs, 10);
    tcase_add_checked_fixture(inputs, NULL, arrays_free);
    tcase_add_test(inputs, test_inputs_notice_write_outside);
    tcase_add_test(inputs, test_inputs_notice_changed_input);
    tcase_add_test(inputs, test_inputs_are_signed_and_exact_in_float);
    suite_add_tcase(suite, inputs);
    return suite;
}
