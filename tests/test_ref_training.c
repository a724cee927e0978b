/* The loss, the optimizers and the schedule of ref/ against values worked out by hand. Numbers are small
 * binary fractions where they can be, and the comparison is then exact; a limit counts the roundings of
 * 2^-53 on the longest path.
 *
 * Claims: s3.4.loss s4.1.cosine s4.1.adam. */
#include "../ref/cross_entropy.h"
#include "../ref/optimizer.h"
#include "compare.h"
#include "inputs.h"
#include "suites.h"
#include <math.h>

#define COUNT(array)             (sizeof(array) / sizeof *(array))
#define CK_EXACT(got, ref, what) CK_WITHIN(compare_exact_double((got), (ref), COUNT(ref)), 0, (what))

/* got against one number, in roundings of that number. */
static Difference roundings(double got, double ref)
{
    return compare_double(&got, &ref, 0x1p-53 * fabs(ref), 1);
}

START_TEST(test_cross_entropy_by_hand)
{
    const double uniform[10] = {2, 2, 2, 2, 2, 2, 2, 2, 2, 2}, uneven[4] = {0, log(3), log(3), 0};
    CK_WITHIN(roundings(ref_cross_entropy_forward(uniform, (int[]){3}, 1, 10), log(10)), 6, "uniform logits");
    /* softmax is (1/4, 3/4) and (3/4, 1/4). */
    CK_WITHIN(roundings(ref_cross_entropy_forward(uneven, (int[]){0, 0}, 2, 2), (log(4) + log(4 / 3.0)) / 2),
              12, "mean of two");
    double dlogits[4] = {1, 1, 1, 1};
    const double right[4] = {1 - 0.375, 1 + 0.375, 1 + 0.375, 1 - 0.375};
    ref_cross_entropy_backward(dlogits, uneven, (int[]){0, 1}, 2, 2);
    CK_WITHIN(compare_double(dlogits, right, 0x1p-53, 4), 12, "gradient, added");
}
END_TEST

START_TEST(test_cross_entropy_of_large_logits)
{
    const double logits[6] = {1000, 0, -1000, 1000, 0, -1000};
    const double loss = ref_cross_entropy_forward(logits, (int[]){0, 2}, 2, 3);
    CK_WITHIN(roundings(loss, 1000), 4, "loss of 0 and 2000");
    double dlogits[6] = {0};
    const double right[6] = {0, 0, 0, 0.5, 0, -0.5};
    ref_cross_entropy_backward(dlogits, logits, (int[]){0, 2}, 2, 3);
    CK_EXACT(dlogits, right, "gradient");
}
END_TEST

START_TEST(test_cross_entropy_gradient_rows_sum_to_0)
{
    enum { N = 4, K = 10 };
    const double *logits = frozen(random_doubles(N * K, 2));
    const int *labels = random_labels(N, K, 3);
    double dlogits[N * K] = {0};
    ref_cross_entropy_backward(dlogits, logits, labels, N, K);
    for (int n = 0; n < N; n++) {
        double sum = 0, largest = 0;
        for (int k = 0; k < K; k++) {
            sum += dlogits[n * K + k];
            largest = fmax(largest, fabs(dlogits[n * K + k]));
        }
        /* The parts add up to 2/N in absolute value; K roundings make softmax's sum, K this one. */
        CK_WITHIN(compare_double(&sum, &(double){0}, 0x1p-53 * 2 / N, 1), 2 * K + 4, "sum of a row");
        ck_assert_msg(largest > 0.5 / N, "the gradient is too small: %g", largest);
    }
}
END_TEST

START_TEST(test_sgd_two_steps_by_hand)
{
    double w[2] = {1, -2}, v[2] = {0, 0};
    const Sgd sgd = {0.25, 0.5, 0.25};
    const double w_right[2] = {0.91796875, -2.2734375}, v_right[2] = {-0.421875, 1.34375};
    ref_sgd_step(w, v, (double[]){0.5, 0.25}, sgd, 2);
    const double w_first[2] = {0.8125, -1.9375}, v_first[2] = {0.75, -0.25};
    CK_EXACT(w, w_first, "w after one step");
    CK_EXACT(v, v_first, "v after one step");
    ref_sgd_step(w, v, (double[]){-1, 1.953125}, sgd, 2);
    CK_EXACT(w, w_right, "w after two steps");
    CK_EXACT(v, v_right, "v after two steps");
}
END_TEST

START_TEST(test_adam_two_steps_by_hand)
{
    /* g = 3 + 1 w = 4: mhat 4, vhat 16. Then g = -4: m -1, v 7, mhat -4/3, vhat 7 / 0.4375 = 16. */
    const Adam adam = {0.5, 0.5, 0.75, 1, 1};
    double w = 1, m = 0, v = 0;
    ref_adam_step(&w, &m, &v, &(double){3}, 1, adam, 1);
    CK_WITHIN(roundings(w, 0.6), 8, "w after one step");
    ck_assert_msg(m == 2 && v == 4, "m %g, v %g", m, v);
    w = 0.5;
    ref_adam_step(&w, &m, &v, &(double){-4.5}, 2, adam, 1);
    CK_WITHIN(roundings(w, 0.5 + 2 / 15.0), 8, "w after two steps");
    ck_assert_msg(m == -1 && v == 7, "m %g, v %g", m, v);
}
END_TEST

START_TEST(test_adam_first_step_moves_by_the_rate)
{
    const Adam adam = {1e-3, 0.5, 0.999, 1e-8, 0};
    const double dw[4] = {1e-2, -1, 7, -300};
    double w[4] = {0}, m[4] = {0}, v[4] = {0};
    ref_adam_step(w, m, v, dw, 1, adam, 4);
    for (int i = 0; i < 4; i++) /* eps takes at most 1e-8 / 1e-2 of it */
        ck_assert_msg(w[i] * dw[i] < 0 && fabs(fabs(w[i]) / 1e-3 - 1) < 1.1e-6, "w %g for %g", w[i], dw[i]);
}
END_TEST

START_TEST(test_cosine_lr_at_known_epochs)
{
    /* lr_min 1/8 and lr_max 1/2; the cosine is 1, 1/2, 0, -1/2, -1. */
    const double epochs[5] = {0, 20, 30, 40, 60}, right[5] = {0.5, 0.40625, 0.3125, 0.21875, 0.125};
    const double got = ref_cosine_lr(epochs[_i], 60, 0.5, 0.125);
    /* The angle is off by 3 roundings of pi, its cosine by 1 more, in units of the largest rate. */
    CK_WITHIN(compare_double(&got, &right[_i], 0x1p-53 * 0.5, 1), 12, "rate");
}
END_TEST

Suite *ref_training_suite(void)
{
    Suite *suite = suite_create("ref_training");
    TCase *training = tcase_create("training");
    tcase_set_timeout(training, 10);
    tcase_add_checked_fixture(training, NULL, arrays_free);
    tcase_add_test(training, test_cross_entropy_by_hand);
    tcase_add_test(training, test_cross_entropy_of_large_logits);
    tcase_add_test(training, test_cross_entropy_gradient_rows_sum_to_0);
    tcase_add_test(training, test_sgd_two_steps_by_hand);
    tcase_add_test(training, test_adam_two_steps_by_hand);
    tcase_add_test(training, test_adam_first_step_moves_by_the_rate);
    tcase_add_loop_test(training, test_cosine_lr_at_known_epochs, 0, 5);
    suite_add_tcase(suite, training);
    return suite;
}
