/* A bilevel problem small enough to be solved by hand: two filters' numbers w, which D_a trains by SGD, and
 * two logits a, which D_b trains by Adam, through the steps and the mix of each kernel set. With y = <alpha,
 * w>, alpha = softmax(a), and the decays mu of SGD and lambda of Adam the two losses are
 *
 *     L_a = (y - 1.6)^2 / 2 + mu |w|^2 / 2,    L_b = (y - t)^2 / 2 + lambda |a|^2 / 2.
 *
 * Filters: dL_a/dw = (y - 1.6) alpha + mu w = 0, so w = 1.6 alpha / (|alpha|^2 + mu). With alpha = (3/4,
 * 1/4), |alpha|^2 = 10/16, and mu = 6/16: w = (1.2, 0.4) and y = 1.
 *
 * Logits: dL_b/da_0 = alpha_0 alpha_1 (w_0 - w_1) (y - t) + lambda a_0 = 0 and the opposite for a_1, so that
 * a_0 = -a_1 = log(3)/2, which is alpha = (3/4, 1/4), if t = 1 + lambda log(3)/2 / (3/16 . 0.8).
 *
 * First order: alpha's step knows nothing of w's answer to it. Were both trained on one loss, y would be its
 * target, or near it, and alpha uniform or elsewhere. */
#include "../ref/mix.h"
#include "compare.h"
#include "lanes.h"
#include "suites.h"
#include <math.h>

enum { STEPS = 6000 };

static const double mu = 6.0 / 16, lambda = 0.1;

/* Two steps of iteration t, on the engine's vectors; the losses' gradients by the operations of ref/mix.c. */
static void iterate(const Engine *e, Vector *w, Vector *v, Vector *dw, Vector *a, Vector *m1, Vector *m2,
                    Vector *da, double target, int t)
{
    double numbers[2], logits[2], alpha[2], dalpha[2], gradient[2], y;
    for (int step = 0; step < 2; step++) {
        e->vector_read(numbers, w, 0, 2);
        e->vector_read(logits, a, 0, 2);
        ref_softmax_forward(alpha, logits, 3, 2);
        const double *const maps[2] = {&numbers[0], &numbers[1]};
        ref_mix_forward(&y, maps, alpha, 3, 2, 1);
        const double dy = y - (step == 0 ? 1.6 : target);
        double dx[2] = {0}, *const dmaps[2] = {&dx[0], &dx[1]};
        gradient[0] = gradient[1] = dalpha[0] = dalpha[1] = 0;
        ref_mix_backward(dmaps, dalpha, &dy, maps, alpha, 3, 2, 1);
        ref_softmax_backward(gradient, dalpha, alpha, 3, 2);
        if (step == 0) {
            e->vector_write(dw, 0, dx, 2);
            e->sgd_step(w, v, dw, (Sgd){0.1, 0.9, mu});
        } else {
            e->vector_write(da, 0, gradient, 2);
            e->adam_step(a, m1, m2, da, t, (Adam){0.02 / (1 + t / 100.0), 0.5, 0.999, 1e-8, lambda});
        }
    }
}

static void check_fixed_point(const Engine *e, double limit)
{
    const double a0 = log(3) / 2, target = 1 + lambda * a0 / (3.0 / 16 * 0.8);
    /* w and a at the start, and where they end: the point above, the one with the two numbers exchanged, and,
     * from equal numbers, the one between, alpha = (1/2, 1/2) and w = 0.8 / (1/2 + mu), which does not
     * attract but cannot be left. */
    const double starts[][4] = {{2, -1, 0.3, -0.1}, {0.1, 1.5, 0.8, 0.6}, {-1, 2, -0.1, 0.3}, {0, 0, 0, 0}};
    const double ends[][3] = {{1.2, 0.4, a0}, {1.2, 0.4, a0}, {0.4, 1.2, -a0}, {32.0 / 35, 32.0 / 35, 0}};
    for (int start = 0; start < 4; start++) {
        const double *end = ends[start];
        Vector *v[7];
        double w[2], a[2];
        for (int i = 0; i < 7; i++)
            ck_assert_ptr_nonnull(v[i] = e->vector_create(2));
        e->vector_write(v[0], 0, starts[start], 2);
        e->vector_write(v[3], 0, starts[start] + 2, 2);
        for (int t = 1; t <= STEPS; t++)
            iterate(e, v[0], v[1], v[2], v[3], v[4], v[5], v[6], target, t);
        e->vector_read(w, v[0], 0, 2);
        e->vector_read(a, v[3], 0, 2);
        ck_assert_msg(fabs(w[0] - end[0]) < limit && fabs(w[1] - end[1]) < limit &&
                          fabs(a[0] - end[2]) < limit && fabs(a[1] + end[2]) < limit,
                      "from start %d: w (%.9g, %.9g), a (%.9g, %.9g), not (%g, %g), (%.9g, %.9g)", start,
                      w[0], w[1], a[0], a[1], end[0], end[1], end[2], -end[2]);
        for (int i = 0; i < 7; i++)
            e->vector_free(v[i]);
    }
}

START_TEST(test_bilevel_steps_end_at_the_fixed_point_ref)
{
    check_fixed_point(&ref_engine, 1e-10);
}
END_TEST

/* In float the gradient at the point is rounding, and Adam's step is then as large as its rate, whose last is
 * 0.02 / 61. */
START_TEST(test_bilevel_steps_end_at_the_fixed_point_fast)
{
    const Kernels *kernels = use_version(_i);
    if (kernels)
        check_fixed_point(kernels->engine, 2 * 0.02 / 61);
}
END_TEST

Suite *bilevel_suite(void)
{
    Suite *suite = suite_create("bilevel");
    TCase *tcase = tcase_create("fixed point");
    tcase_add_checked_fixture(tcase, NULL, arrays_free);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, test_bilevel_steps_end_at_the_fixed_point_ref);
    tcase_add_loop_test(tcase, test_bilevel_steps_end_at_the_fixed_point_fast, 0, VERSIONS);
    suite_add_tcase(suite, tcase);
    return suite;
}
