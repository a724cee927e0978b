/* What holds for every float operation, whatever it computes: empty lanes do not matter, and neither does the
 * number of threads. Each operation here fills `out` with everything that it returns; two runs must agree to
 * the bit. */
#include "lanes.h"
#include "suites.h"
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST = 1 << 16, LEVELS = 3 };

/* 21 images: a full group and one with 11 empty lanes. */
static const Shape map = {21, 6, 8, 8};

typedef struct {
    const F32 *f32;
    float empty; /* in the empty lanes of every input */
    float *out;
    size_t count;
} Run;

static void collect(Run *run, const float *x, size_t count)
{
    ck_assert_uint_le(run->count + count, MOST);
    memcpy(run->out + run->count, x, count * sizeof *x);
    run->count += count;
}

static void collect_lanes(Run *run, const float *x, Shape s)
{
    collect(run, from_lanes(x, s), shape_count(s));
}

static float *input(const Run *run, Shape s, uint32_t seed)
{
    return to_lanes(random_doubles(shape_count(s), seed), s, run->empty);
}

static void run_conv2d(Run *run)
{
    static const Conv2dShape shapes[] = {
        {21, 6, 7, 8, 8, 3, 1}, {21, 3, 20, 5, 6, 3, 1}, {35, 17, 5, 4, 4, 3, 2}};
    for (int i = 0; i < 3; i++) {
        const Conv2dShape s = shapes[i];
        const Shape in = conv2d_input(s), out = conv2d_output(s);
        float *x = input(run, in, 1), *dy = input(run, out, 2), *y = lanes(out), *dx = input(run, in, 3);
        float *w = random_floats(conv2d_filters(s), 4), *b = random_floats(s.k, 5);
        float *dw = random_floats(conv2d_filters(s), 6), *db = random_floats(s.k, 7);
        void *scratch = scratch_of(run->f32->conv2d_scratch(s, omp_get_max_threads()));
        run->f32->conv2d_forward(y, x, w, b, true, s, scratch);
        run->f32->conv2d_backward_data(dx, dy, w, s, scratch);
        run->f32->conv2d_backward_weights(dw, db, dy, x, s, scratch);
        collect_lanes(run, y, out);
        collect_lanes(run, dx, in);
        collect(run, dw, conv2d_filters(s));
        collect(run, db, s.k);
    }
}

static void run_relu(Run *run)
{
    float *x = input(run, map, 1), *dy = input(run, map, 2), *y = lanes(map), *dx = input(run, map, 3);
    run->f32->relu_forward(y, x, map);
    run->f32->relu_backward(dx, dy, y, map);
    collect_lanes(run, y, map);
    collect_lanes(run, dx, map);
}

static void run_batchnorm(Run *run)
{
    float *x = input(run, map, 1), *dy = input(run, map, 2), *y = lanes(map), *dx = input(run, map, 3);
    float *mean = floats(map.c), *variance = floats(map.c), *gamma = random_floats(map.c, 4);
    float *beta = random_floats(map.c, 5), *dgamma = random_floats(map.c, 6),
          *dbeta = random_floats(map.c, 7);
    double *scratch = scratch_of(16ul * map.c * lanes_groups(map.n));
    run->f32->batchnorm_statistics(mean, variance, x, map, scratch);
    run->f32->batchnorm_forward(y, x, mean, variance, gamma, beta, 1e-5f, map);
    run->f32->batchnorm_backward(dx, dgamma, dbeta, dy, x, mean, variance, gamma, 1e-5f, map, scratch);
    collect(run, mean, map.c);
    collect(run, variance, map.c);
    collect(run, dgamma, map.c);
    collect(run, dbeta, map.c);
    collect_lanes(run, y, map);
    collect_lanes(run, dx, map);
}

static void run_pool(Run *run)
{
    for (PoolMode mode = POOL_MAX; mode <= POOL_SUBSAMPLE; mode++)
        for (int factor = 2; factor <= 4; factor *= 2) {
            const Shape out = shape_coarser(map, factor);
            float *x = input(run, map, 1), *dy = input(run, out, 2), *y = lanes(out),
                  *dx = input(run, map, 3);
            run->f32->pool_forward(y, x, mode, factor, map);
            run->f32->pool_backward(dx, dy, x, mode, factor, map);
            collect_lanes(run, y, out);
            collect_lanes(run, dx, map);
        }
}

static void run_upsample(Run *run)
{
    const Shape s = shape_coarser(map, 4), out = map;
    for (UpsampleMode mode = UPSAMPLE_NEAREST; mode <= UPSAMPLE_BILINEAR; mode++) {
        float *x = input(run, s, 1), *dy = input(run, out, 2), *y = lanes(out), *dx = input(run, s, 3);
        run->f32->upsample_forward(y, x, mode, 4, s);
        run->f32->upsample_backward(dx, dy, mode, 4, s);
        collect_lanes(run, y, out);
        collect_lanes(run, dx, s);
    }
}

static void run_mix(Run *run)
{
    const float *x[LEVELS];
    float *dx[LEVELS], *y = lanes(map), *dalpha = random_floats(LEVELS, 8), *alpha = random_floats(LEVELS, 9);
    for (int r = 0; r < LEVELS; r++) {
        x[r] = input(run, map, (uint32_t)r + 1);
        dx[r] = input(run, map, (uint32_t)r + 4);
    }
    run->f32->mix_forward(y, x, alpha, 7, LEVELS, map);
    run->f32->mix_backward(dx, dalpha, input(run, map, 10), x, alpha, 7, LEVELS, map, scratch_of(64));
    collect_lanes(run, y, map);
    collect(run, dalpha, LEVELS);
    for (int r = 0; r < LEVELS; r++)
        collect_lanes(run, dx[r], map);
}

static void run_head(Run *run)
{
    const Shape in = {map.n, map.c, 1, 1}, out = {map.n, 10, 1, 1};
    float *x = input(run, map, 1), *average = lanes(in), *dx = input(run, map, 2),
          *daverage = input(run, in, 3);
    float *w = random_floats(60, 4), *b = random_floats(10, 5), *dw = random_floats(60, 6),
          *db = random_floats(10, 7);
    float *logits = lanes(out), *dlogits = input(run, out, 8);
    const int *labels = random_labels(map.n, 10, 9);
    run->f32->global_average_forward(average, x, map);
    run->f32->linear_forward(logits, average, w, b, map.n, map.c, 10);
    float loss = (float)run->f32->cross_entropy_forward(logits, labels, map.n, 10);
    run->f32->cross_entropy_backward(dlogits, logits, labels, map.n, 10);
    run->f32->linear_backward(daverage, dw, db, dlogits, average, w, map.n, map.c, 10);
    run->f32->global_average_backward(dx, daverage, map);
    collect(run, &loss, 1);
    collect_lanes(run, logits, out);
    collect_lanes(run, dlogits, out);
    collect(run, dw, 60);
    collect(run, db, 10);
    collect_lanes(run, dx, map);
}

static void run_layout(Run *run)
{
    float *x = random_floats(shape_count(map), 1), *y = lanes(map), *back = floats(shape_count(map));
    run->f32->import(y, x, map);
    run->f32->export(back, y, map);
    ck_assert_mem_eq(back, x, shape_count(map) * sizeof *x);
    collect_lanes(run, y, map);
}

static const struct {
    const char *name;
    void (*run)(Run *run);
} operations[] = {{"conv2d", run_conv2d}, {"relu", run_relu},         {"batchnorm", run_batchnorm},
                  {"pool", run_pool},     {"upsample", run_upsample}, {"mix", run_mix},
                  {"head", run_head},     {"layout", run_layout}};
enum { OPERATIONS = sizeof operations / sizeof *operations };

static Run run_with(int i, float empty, int threads)
{
    Run run = {loop_set(i, OPERATIONS), empty, floats(MOST), 0};
    omp_set_num_threads(threads);
    operations[i % OPERATIONS].run(&run);
    ck_assert_uint_gt(run.count, 0);
    return run;
}

static void check_equal(const Run *a, const Run *b, int i, const char *what)
{
    ck_assert_uint_eq(a->count, b->count);
    ck_assert_msg(memcmp(a->out, b->out, a->count * sizeof *a->out) == 0, "%s (%s) depends on %s",
                  operations[i % OPERATIONS].name, a->f32->instruction_set, what);
}

START_TEST(test_empty_lanes_do_not_matter)
{
    if (!loop_set(_i, OPERATIONS))
        return;
    const Run zero = run_with(_i, 0, 2), large = run_with(_i, 1e10f, 2), nan = run_with(_i, 0.0f / 0.0f, 2);
    for (size_t j = 0; j < nan.count; j++)
        ck_assert_msg(nan.out[j] == nan.out[j], "%s lets NaN out of an empty lane",
                      operations[_i % OPERATIONS].name);
    check_equal(&zero, &large, _i, "empty lanes (1e10)");
    check_equal(&zero, &nan, _i, "empty lanes (NaN)");
}
END_TEST

START_TEST(test_threads_do_not_matter)
{
    if (!loop_set(_i, OPERATIONS))
        return;
    const Run one = run_with(_i, 0, 1), two = run_with(_i, 0, 2), three = run_with(_i, 0, 3);
    check_equal(&one, &two, _i, "the number of threads (1, 2)");
    check_equal(&one, &three, _i, "the number of threads (1, 3)");
}
END_TEST

START_TEST(test_dispatch_knows_its_sets)
{
    const F32 *sets[3];
    const int count = f32_sets(sets);
    ck_assert_int_ge(count, 1);
    ck_assert_str_eq(sets[count - 1]->instruction_set, "plain");
    unsetenv("NOPOOL_ISA");
    ck_assert_ptr_eq(f32_best(), sets[0]);
    setenv("NOPOOL_ISA", "plain", 1);
    ck_assert_ptr_eq(f32_best(), sets[count - 1]);
    setenv("NOPOOL_ISA", "sse9", 1);
    ck_assert_ptr_null(f32_best());
}
END_TEST

Suite *f32_lanes_suite(void)
{
    Suite *suite = suite_create("f32_lanes");
    TCase *tcase = tcase_create("lanes and threads");
    tcase_add_checked_fixture(tcase, NULL, arrays_free);
    tcase_set_timeout(tcase, 60);
    tcase_add_loop_test(tcase, test_empty_lanes_do_not_matter, 0, 3 * OPERATIONS);
    tcase_add_loop_test(tcase, test_threads_do_not_matter, 0, 3 * OPERATIONS);
    tcase_add_test(tcase, test_dispatch_knows_its_sets);
    suite_add_tcase(suite, tcase);
    return suite;
}
