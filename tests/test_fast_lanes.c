/* What holds for every fast operation, whatever it computes: empty lanes do not matter, and neither does the
 * number of threads. Each operation here fills `out` with everything that it returns; two runs must agree to
 * the bit. */
#include "compare.h"
#include "lanes.h"
#include "suites.h"
#include <math.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST = 1 << 16, LEVELS = 3 };

/* 21 images: a full group and one with 11 empty lanes. */
static const Shape map = {21, 6, 8, 8};

typedef struct {
    const Kernels *kernels;
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

static float *input_matrix(const Run *run, Shape s, uint32_t seed)
{
    return to_matrix(random_doubles(shape_count(s), seed), s, run->empty);
}

static void run_conv2d(Run *run)
{
    static const Conv2dShape shapes[] = {
        {21, 6, 7, 8, 8, 3, 1}, {21, 3, 20, 5, 6, 3, 1}, {35, 17, 5, 4, 4, 3, 2}, {17, 20, 35, 2, 3, 3, 1}};
    for (int i = 0; i < (int)(sizeof shapes / sizeof *shapes); i++) {
        const Conv2dShape s = shapes[i];
        const Shape in = conv2d_input(s), out = conv2d_output(s);
        float *x = input(run, in, 1), *dy = input(run, out, 2), *y = lanes(out), *dx = input(run, in, 3);
        float *w = random_floats(conv2d_filters(s), 4), *b = random_floats(s.k, 5);
        float *dw = random_floats(conv2d_filters(s), 6), *db = random_floats(s.k, 7);
        void *scratch = scratch_of(run->kernels->conv2d_scratch(s, omp_get_max_threads()));
        run->kernels->conv2d_forward(y, x, w, b, true, s, scratch);
        run->kernels->conv2d_backward_data(dx, dy, w, s, scratch);
        run->kernels->conv2d_backward_weights(dw, db, dy, x, s, scratch);
        collect_lanes(run, y, out);
        collect_lanes(run, dx, in);
        collect(run, dw, conv2d_filters(s));
        collect(run, db, s.k);
    }
}

static void run_relu(Run *run)
{
    float *x = input(run, map, 1), *dy = input(run, map, 2), *y = lanes(map), *dx = input(run, map, 3);
    run->kernels->relu_forward(y, x, map);
    run->kernels->relu_backward(dx, dy, y, map);
    collect_lanes(run, y, map);
    collect_lanes(run, dx, map);
}

static void run_batchnorm(Run *run)
{
    float *x = input(run, map, 1), *dy = input(run, map, 2), *y = lanes(map), *dx = input(run, map, 3);
    float *mean = floats(map.c), *variance = floats(map.c), *gamma = random_floats(map.c, 4);
    float *beta = random_floats(map.c, 5), *dgamma = random_floats(map.c, 6),
          *dbeta = random_floats(map.c, 7);
    double *scratch = scratch_of(run->kernels->batchnorm_scratch(map));
    run->kernels->batchnorm_statistics(mean, variance, x, map, scratch);
    run->kernels->batchnorm_forward(y, x, mean, variance, gamma, beta, 1e-5f, map);
    run->kernels->batchnorm_backward(dx, dgamma, dbeta, dy, x, mean, variance, gamma, 1e-5f, map, scratch);
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
            run->kernels->pool_forward(y, x, mode, factor, map);
            run->kernels->pool_backward(dx, dy, x, mode, factor, map);
            collect_lanes(run, y, out);
            collect_lanes(run, dx, map);
        }
}

static void run_upsample(Run *run)
{
    const Shape s = shape_coarser(map, 4), out = map;
    for (UpsampleMode mode = UPSAMPLE_NEAREST; mode <= UPSAMPLE_ZEROS; mode++) {
        float *x = input(run, s, 1), *dy = input(run, out, 2), *y = lanes(out), *dx = input(run, s, 3);
        run->kernels->upsample_forward(y, x, mode, 4, s);
        run->kernels->upsample_backward(dx, dy, mode, 4, s);
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
    run->kernels->mix_forward(y, x, alpha, 7, LEVELS, map);
    run->kernels->mix_backward(dx, dalpha, input(run, map, 10), x, alpha, 7, LEVELS, map, scratch_of(64));
    collect_lanes(run, y, map);
    collect(run, dalpha, LEVELS);
    for (int r = 0; r < LEVELS; r++)
        collect_lanes(run, dx[r], map);
}

static void run_head(Run *run)
{
    const Shape in = {map.n, map.c, 1, 1}, out = {map.n, 10, 1, 1};
    float *x = input(run, map, 1), *average = matrix(in), *dx = input(run, map, 2),
          *daverage = input_matrix(run, in, 3);
    float *w = random_floats(60, 4), *b = random_floats(10, 5), *dw = random_floats(60, 6),
          *db = random_floats(10, 7);
    float *logits = matrix(out), *dlogits = input_matrix(run, out, 8);
    const int *labels = random_labels(map.n, 10, 9);
    run->kernels->global_average_forward(average, x, map);
    run->kernels->linear_forward(logits, average, w, b, map.n, map.c, 10);
    float loss = (float)run->kernels->cross_entropy_forward(logits, labels, map.n, 10);
    run->kernels->cross_entropy_backward(dlogits, logits, labels, map.n, 10);
    run->kernels->linear_backward(daverage, dw, db, dlogits, average, w, map.n, map.c, 10);
    run->kernels->global_average_backward(dx, daverage, map);
    collect(run, &loss, 1);
    collect(run, from_matrix(logits, out), shape_count(out));
    collect(run, from_matrix(dlogits, out), shape_count(out));
    collect(run, dw, 60);
    collect(run, db, 10);
    collect_lanes(run, dx, map);
}

static void run_layout(Run *run)
{
    float *x = random_floats(shape_count(map), 1), *y = lanes(map), *back = floats(shape_count(map));
    run->kernels->import(y, x, map);
    run->kernels->export(back, y, map);
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
    ck_assert_msg(memcmp(a->out, b->out, a->count * sizeof *a->out) == 0, "%s (%s, %s) depends on %s",
                  operations[i % OPERATIONS].name, a->kernels->name, a->kernels->instruction_set, what);
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

/* Rounding to what the set stores: to nearest, ties to even. Denormals may become 0. */
START_TEST(test_import_rounds_to_nearest)
{
    const Kernels *kernels = use_version(_i);
    static const float special[] = {
        1,        0,         -0.0f,       1 + 0x1p-8f, 1 + 0x3p-8f, -1 - 0x1p-8f, 1 + 0x1.01p-8f,
        0x1p127f, 0x1p-126f, 0x1.fep127f, 3e38f,       INFINITY,    -INFINITY};
    enum { SPECIAL = sizeof special / sizeof *special, COUNT = 2 * SPECIAL + 1 };
    const Shape s = {1, COUNT, 1, 1}; /* an odd number of channels */
    if (!kernels)
        return;
    numbers_have_bits(24);
    float *x = random_floats(COUNT, 1), *got = floats(COUNT);
    use_version(_i);
    Word *stored = lanes(s);
    for (int i = 0; i < SPECIAL; i++)
        x[2 * i + i % 2] = special[i];
    kernels->import(stored, x, s);
    kernels->export(got, stored, s);
    for (int i = 0; i < COUNT; i++) {
        const float expected = isinf(x[i]) ? x[i] : (float)representable(x[i]);
        ck_assert_msg(got[i] == expected, "%s: %a became %a, expected %a", kernels->name, (double)x[i],
                      (double)got[i], (double)expected);
    }
    from_lanes(stored, s); /* the channel beyond the last is 0 */
    const uint32_t payloads[] = {0x7fc00000, 0x7fffffff, 0xffffffff, 0x7f800001};
    memcpy(x, payloads, sizeof payloads);
    kernels->import(stored, x, s);
    kernels->export(got, stored, s);
    for (int i = 0; i < 4; i++)
        ck_assert_msg(isnan(got[i]), "%s: NaN %x became %g", kernels->name, payloads[i], (double)got[i]);
}
END_TEST

/* A tensor large enough for pages of 2 MiB comes back as it went in. */
START_TEST(test_large_tensor_keeps_its_numbers)
{
    const Kernels *kernels = use_version(_i);
    const Shape s = {33, 31, 64, 64};
    const size_t count = shape_count(s);
    if (!kernels)
        return;
    float *x = floats(count);
    double *back = doubles(count);
    for (size_t i = 0; i < count; i++)
        x[i] = (float)(i % 255); /* 8 bits: exact in either set */
    Tensor *t = kernels->engine->tensor_create(s);
    ck_assert_ptr_nonnull(t);
    kernels->engine->tensor_import(t, x, s.n);
    kernels->engine->tensor_export(back, t);
    CK_WITHIN(compare_exact_float(x, back, count), 0, "tensor");
    kernels->engine->tensor_free(t);
}
END_TEST

START_TEST(test_dispatch_knows_its_sets)
{
    static const char *const names[] = {"f32", "bf16"};
    static const int emulated[] = {0, 1};
    const Kernels *versions[MAX_ISAS];
    for (int i = 0; i < 2; i++) {
        const int count = kernels_versions(versions, names[i]) - emulated[i];
        ck_assert_int_ge(count, 1);
        ck_assert_str_eq(versions[count - 1]->instruction_set, "plain");
        if (emulated[i])
            ck_assert_str_eq(versions[count]->instruction_set, "amx_emulated");
        ck_assert_str_eq(versions[0]->name, names[i]);
        unsetenv("NOPOOL_ISA");
        ck_assert_ptr_eq(kernels_best(names[i]), versions[0]);
        setenv("NOPOOL_ISA", "plain", 1);
        ck_assert_ptr_eq(kernels_best(names[i]), versions[count - 1]);
        setenv("NOPOOL_ISA", "sse9", 1);
        ck_assert_ptr_null(kernels_best(names[i]));
    }
    ck_assert_int_eq(kernels_versions(versions, "f16"), 0);
    ck_assert_ptr_null(kernels_best("f16"));
}
END_TEST

Suite *fast_lanes_suite(void)
{
    Suite *suite = suite_create("fast_lanes");
    TCase *tcase = tcase_create("lanes and threads");
    tcase_add_checked_fixture(tcase, NULL, arrays_free);
    tcase_set_timeout(tcase, 60);
    tcase_add_loop_test(tcase, test_empty_lanes_do_not_matter, 0, VERSIONS * OPERATIONS);
    tcase_add_loop_test(tcase, test_threads_do_not_matter, 0, VERSIONS * OPERATIONS);
    tcase_add_loop_test(tcase, test_import_rounds_to_nearest, 0, VERSIONS);
    tcase_add_loop_test(tcase, test_large_tensor_keeps_its_numbers, 0, VERSIONS);
    tcase_add_test(tcase, test_dispatch_knows_its_sets);
    suite_add_tcase(suite, tcase);
    return suite;
}
