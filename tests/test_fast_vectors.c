/* The fast operations on vectors (softmax, mix, linear, cross-entropy, optimizers) against ref, in every
 * instruction set. Bounds as derived in their files in fast/. */
#include "../ref/cross_entropy.h"
#include "../ref/linear.h"
#include "../ref/mix.h"
#include "../ref/optimizer.h"
#include "compare.h"
#include "lanes.h"
#include "suites.h"
#include <math.h>

/* Of mixes of a layer's levels, and of the most maps that a mix can have. */
static const uint64_t masks[] = {
    1, 2, 31, 21, 16, 7, 30, UINT64_MAX, UINT64_MAX >> 1, UINT64_C(1) << 63, UINT64_C(0x8000000100000000)};
enum { MASKS = sizeof masks / sizeof *masks, NARROW = 7 };

static int maps_of(int mask)
{
    return mask < NARROW ? 5 : MAX_MIXED;
}

START_TEST(test_softmax_matches_ref)
{
    const Kernels *kernels = loop_set(_i, MASKS);
    const uint64_t kept = masks[_i % MASKS];
    const int maps = maps_of(_i % MASKS);
    if (!kernels)
        return;
    double *a = random_doubles(maps, 1), *alpha = doubles(maps), *dalpha = random_doubles(maps, 2);
    double *da = prefilled(maps), *gauge = absolute(da, maps);
    float *got = floats(maps), *got_da = as_floats(da, maps);
    double mean = 0;
    ref_softmax_forward(alpha, a, kept, maps);
    kernels->softmax_forward(got, as_floats(a, maps), kept, maps);
    CK_WITHIN(compare_gauged(got, alpha, alpha, maps), roundings(2), "alpha");
    double *rounded = as_doubles(got, maps);
    for (int r = 0; r < maps; r++)
        mean += rounded[r] * fabs(dalpha[r]);
    for (int r = 0; r < maps; r++)
        gauge[r] += rounded[r] * (fabs(dalpha[r]) + mean);
    ref_softmax_backward(da, dalpha, rounded, kept, maps);
    kernels->softmax_backward(got_da, as_floats(dalpha, maps), got, kept, maps);
    CK_WITHIN(compare_gauged(got_da, da, gauge, maps), roundings(2), "da");
}
END_TEST

START_TEST(test_mix_matches_ref)
{
    const Kernels *kernels = loop_set(_i, MASKS);
    const uint64_t kept = masks[_i % MASKS];
    const int maps = maps_of(_i % MASKS);
    const Shape s = {17, 3, 2, 4};
    const size_t count = shape_count(s);
    if (!kernels)
        return;
    const double *x[MAX_MIXED] = {0}, *absolute_x[MAX_MIXED] = {0};
    const float *lanes_x[MAX_MIXED] = {0};
    double *dx[MAX_MIXED] = {0}, *gauge_x[MAX_MIXED] = {0};
    float *got_x[MAX_MIXED] = {0};
    double *alpha = absolute(random_doubles(maps, 9), maps), *dalpha = prefilled(maps);
    double *gauge_alpha = absolute(dalpha, maps), *dy = random_doubles(count, 10);
    for (int r = 0; r < maps; r++) {
        if (!level_kept(kept, r))
            continue;
        x[r] = random_doubles(count, (uint32_t)r + 1);
        absolute_x[r] = absolute(x[r], count);
        lanes_x[r] = frozen_float(to_lanes(x[r], s, NAN));
        dx[r] = prefilled(count);
        gauge_x[r] = absolute(dx[r], count);
        got_x[r] = to_lanes(dx[r], s, NAN);
    }
    double *y = doubles(count), *gauge = doubles(count);
    float *got = lanes(s), *got_alpha = as_floats(dalpha, maps);
    ref_mix_forward(y, x, alpha, kept, maps, count);
    ref_mix_forward(gauge, absolute_x, alpha, kept, maps, count);
    kernels->mix_forward(got, lanes_x, as_floats(alpha, maps), kept, maps, s);
    CK_WITHIN(compare_gauged(from_lanes(got, s), y, gauge, count), stored(maps + 1, 1), "y");
    ref_mix_backward(dx, dalpha, dy, x, alpha, kept, maps, count);
    ref_mix_backward(gauge_x, gauge_alpha, absolute(dy, count), absolute_x, alpha, kept, maps, count);
    kernels->mix_backward(got_x, got_alpha, frozen_float(to_lanes(dy, s, NAN)), lanes_x,
                          as_floats(alpha, maps), kept, maps, s,
                          scratch_of(sizeof(double) * lanes_groups(s.n)));
    CK_WITHIN(compare_gauged(got_alpha, dalpha, gauge_alpha, maps), roundings(2 + count * 0x1p-28), "dalpha");
    for (int r = 0; r < maps; r++)
        if (level_kept(kept, r))
            CK_WITHIN(compare_gauged(from_lanes(got_x[r], s), dx[r], gauge_x[r], count), stored(2, 1), "dx");
}
END_TEST

/* n, c, k */
static const int linear_table[][3] = {{1, 1, 1}, {16, 5, 10}, {17, 64, 10}, {35, 3, 7}, {37, 9, 1}};
enum { LINEAR_ROWS = sizeof linear_table / sizeof *linear_table };

START_TEST(test_linear_matches_ref)
{
    const Kernels *kernels = loop_set(_i, LINEAR_ROWS);
    const int *row = linear_table[_i % LINEAR_ROWS], n = row[0], c = row[1], k = row[2];
    const Shape in = {n, c, 1, 1}, out = {n, k, 1, 1};
    const size_t inputs = shape_count(in), outputs = shape_count(out), weights = (size_t)k * c;
    if (!kernels)
        return;
    double *x = random_doubles(inputs, 1), *w = random_doubles(weights, 2), *b = random_doubles(k, 3);
    double *dy = random_doubles(outputs, 4), *y = doubles(outputs), *gauge_y = doubles(outputs);
    double *dx = prefilled(inputs), *dw = prefilled(weights), *db = prefilled(k);
    double *gauge_x = absolute(dx, inputs), *gauge_w = absolute(dw, weights), *gauge_b = absolute(db, k);
    float *got_y = matrix(out), *got_x = to_matrix(dx, in, NAN), *got_w = as_floats(dw, weights);
    float *got_b = as_floats(db, k), *lanes_x = to_matrix(x, in, NAN), *lanes_dy = to_matrix(dy, out, NAN);
    ref_linear_forward(y, x, w, b, n, c, k);
    ref_linear_forward(gauge_y, absolute(x, inputs), absolute(w, weights), absolute(b, k), n, c, k);
    ref_linear_backward(dx, dw, db, dy, x, w, n, c, k);
    ref_linear_backward(gauge_x, gauge_w, gauge_b, absolute(dy, outputs), absolute(x, inputs),
                        absolute(w, weights), n, c, k);
    kernels->linear_forward(got_y, lanes_x, as_floats(w, weights), as_floats(b, k), n, c, k);
    kernels->linear_backward(got_x, got_w, got_b, lanes_dy, lanes_x, as_floats(w, weights), n, c, k);
    CK_WITHIN(compare_gauged(from_matrix(got_y, out), y, gauge_y, outputs), roundings(c + 2), "y");
    CK_WITHIN(compare_gauged(from_matrix(got_x, in), dx, gauge_x, inputs), roundings(k + 2), "dx");
    CK_WITHIN(compare_gauged(got_w, dw, gauge_w, weights), roundings(n + 2), "dw");
    CK_WITHIN(compare_gauged(got_b, db, gauge_b, k), roundings(n + 2), "db");
    kernels->linear_backward(NULL, NULL, NULL, lanes_dy, lanes_x, as_floats(w, weights), n, c, k);
}
END_TEST

START_TEST(test_cross_entropy_matches_ref)
{
    const Kernels *kernels = loop_set(_i, LINEAR_ROWS);
    const int n = linear_table[_i % LINEAR_ROWS][0], k = 10;
    const Shape s = {n, k, 1, 1};
    const size_t count = shape_count(s);
    if (!kernels)
        return;
    double *logits = random_doubles(count, 1), *dlogits = prefilled(count), *gauge = absolute(dlogits, count);
    double *share = zeros(count);
    int *labels = random_labels((size_t)n, k, 2);
    for (size_t i = 0; i < count; i++)
        logits[i] *= 32;
    float *lanes_logits = to_matrix(logits, s, NAN), *got = to_matrix(dlogits, s, NAN);
    const double loss = ref_cross_entropy_forward(logits, labels, n, k);
    const double got_loss = kernels->cross_entropy_forward(lanes_logits, labels, n, k);
    CK_WITHIN(compare_double(&got_loss, &loss, 1 + 32, 1), (n + k + 4) * 0x1p-53, "loss");
    ref_cross_entropy_backward(share, logits, labels, n, k);
    ref_cross_entropy_backward(dlogits, logits, labels, n, k);
    kernels->cross_entropy_backward(got, lanes_logits, labels, n, k);
    for (size_t i = 0; i < count; i++)
        gauge[i] += fabs(share[i]);
    CK_WITHIN(compare_gauged(from_matrix(got, s), dlogits, gauge, count), roundings(2), "dlogits");
}
END_TEST

enum { PARAMETERS = 1000 };

START_TEST(test_sgd_step_matches_ref)
{
    const Kernels *kernels = use_version(_i);
    const Sgd sgd = {0.1, 0.9, 5e-4};
    if (!kernels)
        return;
    numbers_have_bits(24); /* parameters are floats in bf16, too */
    double *w = random_doubles(PARAMETERS, 1), *v = random_doubles(PARAMETERS, 2),
           *dw = random_doubles(PARAMETERS, 3);
    double *gauge_w = doubles(PARAMETERS), *gauge_v = doubles(PARAMETERS);
    float *got_w = as_floats(w, PARAMETERS), *got_v = as_floats(v, PARAMETERS);
    for (int i = 0; i < PARAMETERS; i++) {
        gauge_v[i] = fabs(sgd.momentum * v[i]) + fabs(dw[i]) + fabs(sgd.weight_decay * w[i]);
        gauge_w[i] = fabs(w[i]) + sgd.lr * gauge_v[i];
    }
    ref_sgd_step(w, v, dw, sgd, PARAMETERS);
    kernels->sgd_step(got_w, got_v, frozen_float(as_floats(dw, PARAMETERS)), sgd, PARAMETERS);
    CK_WITHIN(compare_gauged(got_v, v, gauge_v, PARAMETERS), roundings(5), "v");
    CK_WITHIN(compare_gauged(got_w, w, gauge_w, PARAMETERS), roundings(7), "w");
}
END_TEST

/* m and v against ref; then w against the step that these m and v make. */
START_TEST(test_adam_step_matches_ref)
{
    const Kernels *kernels = use_version(_i);
    const Adam adam = {1e-2, 0.5, 0.999, 1e-8, 3e-4};
    const int t = 7;
    if (!kernels)
        return;
    numbers_have_bits(24);
    double *w = random_doubles(PARAMETERS, 1), *m = random_doubles(PARAMETERS, 2);
    double *v = absolute(random_doubles(PARAMETERS, 3), PARAMETERS), *dw = random_doubles(PARAMETERS, 4);
    double *gauge_m = doubles(PARAMETERS), *gauge_v = doubles(PARAMETERS), *gauge_w = doubles(PARAMETERS);
    float *got_w = as_floats(w, PARAMETERS), *got_m = as_floats(m, PARAMETERS),
          *got_v = as_floats(v, PARAMETERS);
    double *stepped = doubles(PARAMETERS);
    for (int i = 0; i < PARAMETERS; i++) {
        const double g = fabs(dw[i]) + fabs(adam.weight_decay * w[i]);
        gauge_m[i] = fabs(adam.beta1 * m[i]) + (1 - adam.beta1) * g;
        gauge_v[i] = adam.beta2 * v[i] + (1 - adam.beta2) * g * g;
        stepped[i] = w[i];
    }
    ref_adam_step(w, m, v, dw, t, adam, PARAMETERS);
    kernels->adam_step(got_w, got_m, got_v, frozen_float(as_floats(dw, PARAMETERS)), t, adam, PARAMETERS);
    CK_WITHIN(compare_gauged(got_m, m, gauge_m, PARAMETERS), roundings(6), "m");
    CK_WITHIN(compare_gauged(got_v, v, gauge_v, PARAMETERS), roundings(10), "v");
    for (int i = 0; i < PARAMETERS; i++) {
        const double mhat = got_m[i] / (1 - pow(adam.beta1, t)), vhat = got_v[i] / (1 - pow(adam.beta2, t));
        const double step = adam.lr * mhat / (sqrt(vhat) + adam.eps);
        gauge_w[i] = fabs(stepped[i]) + 10 * fabs(step);
        stepped[i] -= step;
    }
    CK_WITHIN(compare_gauged(got_w, stepped, gauge_w, PARAMETERS), roundings(1), "w");
}
END_TEST

Suite *fast_vectors_suite(void)
{
    Suite *suite = suite_create("fast_vectors");
    TCase *tcase = tcase_create("against ref");
    tcase_add_checked_fixture(tcase, NULL, arrays_free);
    tcase_set_timeout(tcase, 60);
    tcase_add_loop_test(tcase, test_softmax_matches_ref, 0, VERSIONS * MASKS);
    tcase_add_loop_test(tcase, test_mix_matches_ref, 0, VERSIONS * MASKS);
    tcase_add_loop_test(tcase, test_linear_matches_ref, 0, VERSIONS * LINEAR_ROWS);
    tcase_add_loop_test(tcase, test_cross_entropy_matches_ref, 0, VERSIONS * LINEAR_ROWS);
    tcase_add_loop_test(tcase, test_sgd_step_matches_ref, 0, VERSIONS);
    tcase_add_loop_test(tcase, test_adam_step_matches_ref, 0, VERSIONS);
    suite_add_tcase(suite, tcase);
    return suite;
}
