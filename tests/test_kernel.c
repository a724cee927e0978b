/* The program build/kernel as a user runs it: files of his own in, results or one sentence out. */
#include "../experiments/base/files.h"
#include "../ref/conv2d.h"
#include "../ref/linear.h"
#include "inputs.h"
#include "kernel_user.h"
#include "suites.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LAYER  "x:2,3,4,8 w:5,3,3,3 b:5 a:3 down@avg up@bilinear eps=1e-5"
#define EXCITE "x:2,3,5,4 w1:2,3 b1:2 w2:3,2 b2:3"
#define MBCONV \
    "x:2,3,5,4 expand:18,3,1,1 depthwise:18,1,3,3 w1:1,18 b1:1 w2:18,1 b2:18 project:3,18,1,1 eps=1e-3"

/* Every pass, with the results it must give. */
static const struct {
    const char *pass, *input, *results;
} good[] = {
    {"conv2d_forward", "x:2,3,5,4 w:7,3,3,3 b:7", "y:2,7,5,4"},
    {"conv2d_forward", "x:2,3,5,4 w:7,3,1,1 stride=2", "y:2,7,3,2"},
    {"conv2d_backward", "x:2,3,5,4 w:7,3,3,3 b:7 dy:2,7,5,4", "dx:2,3,5,4 dw:7,3,3,3 db:7"},
    {"pool_forward", "x:2,3,8,4 mode@max factor=4", "y:2,3,2,1"},
    {"pool_backward", "x:2,3,8,4 mode@avg factor=2 dy:2,3,4,2", "dx:2,3,8,4"},
    {"upsample_forward", "x:2,3,2,1 mode@nearest factor=4", "y:2,3,8,4"},
    {"upsample_backward", "x:2,3,2,1 mode@bilinear factor=2 dy:2,3,4,2", "dx:2,3,2,1"},
    {"upsample_backward", "x:2,3,2,1 mode@zeros factor=2 dy:2,3,4,2", "dx:2,3,2,1"},
    {"relu_forward", "x:2,3,4", "y:2,3,4"},
    {"relu_backward", "x:17,5 dy:17,5", "dx:17,5"},
    {"sigmoid_forward", "x:2,3,4", "y:2,3,4"},
    {"sigmoid_backward", "x:17,5 dy:17,5", "dx:17,5"},
    {"swish_forward", "x:2,3,4", "y:2,3,4"},
    {"swish_backward", "x:17,5 dy:17,5", "dx:17,5"},
    {"depthwise_forward", "x:2,3,5,4 w:3,1,3,3 b:3", "y:2,3,5,4"},
    {"depthwise_backward", "x:2,3,5,4 w:3,1,3,3 b:3 dy:2,3,5,4", "dx:2,3,5,4 dw:3,1,3,3 db:3"},
    {"squeeze_excite_forward", EXCITE, "y:2,3,5,4"},
    {"squeeze_excite_backward", EXCITE " dy:2,3,5,4", "dx:2,3,5,4 dw1:2,3 db1:2 dw2:3,2 db2:3"},
    {"mbconv_forward", MBCONV, "y:2,3,5,4"},
    {"mbconv_backward", MBCONV " dy:2,3,5,4",
     "dx:2,3,5,4 dexpand:18,3,1,1 ddepthwise:18,1,3,3 dw1:1,18 db1:1 dw2:18,1 db2:18 dproject:3,18,1,1"},
    {"batchnorm_forward", "x:2,3,4,4 eps=1e-5", "y:2,3,4,4 mean:3 var:3"},
    {"batchnorm_backward", "x:2,3,4,4 eps=1e-5 gamma:3 beta:3 dy:2,3,4,4", "dx:2,3,4,4 dgamma:3 dbeta:3"},
    {"mix_forward", "a:2 x0:2,3 x1:2,3", "y:2,3 alpha:2"},
    {"mix_backward", "a:2 x0:2,3,4,4 x1:2,3,4,4 dy:2,3,4,4", "dx0:2,3,4,4 dx1:2,3,4,4 da:2"},
    {"linear_forward", "x:17,3 w:4,3 b:4", "y:17,4"},
    {"linear_backward", "x:17,3 w:4,3 b:4 dy:17,4", "dx:17,3 dw:4,3 db:4"},
    {"global_average_forward", "x:2,3,4,5", "y:2,3"},
    {"global_average_backward", "x:2,3,4,5 dy:2,3", "dx:2,3,4,5"},
    {"cross_entropy_forward", "logits:3,4 labels#0,3,1", "loss:"},
    {"cross_entropy_backward", "logits:3,4 labels#0,3,1", "dlogits:3,4"},
    {"multires_forward", LAYER, "y:2,5,4,8"},
    {"multires_backward", LAYER " dy:2,5,4,8", "dx:2,3,4,8 dw:5,3,3,3 db:5 da:3"},
    {"sgd_step", "w:7 dw:7 v:7 lr=0.1 momentum=0.9 weight_decay=0", "w:7 v:7"},
    {"adam_step", "w:7 dw:7 m:7 v#1,1,1,1,1,1,1 t=1 lr=0.1 beta1=0.5 beta2=0.999 eps=1e-8 weight_decay=0",
     "w:7 m:7 v:7"},
    {"cosine_lr", "epoch=1 epochs=4 lr_max=0.1 lr_min=0", "lr:"},
};
enum { GOOD = sizeof good / sizeof *good };

START_TEST(test_kernel_pass_gives_its_results)
{
    user_write(good[_i / SETS].input);
    user_expects_success(user_run_pass(good[_i / SETS].pass, user_sets[_i % SETS]));
    char copy[256], *rest = NULL;
    snprintf(copy, sizeof copy, "%s", good[_i / SETS].results);
    hsize_t results = 0;
    for (char *item = strtok_r(copy, " ", &rest); item != NULL; item = strtok_r(NULL, " ", &rest)) {
        char *shape = strchr(item, ':');
        *shape = 0;
        double *values = user_result(item, shape + 1, _i % SETS != REF);
        ck_assert_msg(isfinite(values[0]), "'%s' is %g", item, values[0]);
        free(values);
        results++;
    }
    hid_t file = H5Fopen(user_out, H5F_ACC_RDONLY, H5P_DEFAULT);
    H5G_info_t group;
    ck_assert_int_ge(H5Gget_info(file, &group), 0);
    H5Fclose(file);
    ck_assert_uint_eq(group.nlinks, results);
}
END_TEST

/* The table above has every pass that the help lists. */
START_TEST(test_kernel_help_lists_the_passes_tested_here)
{
    char *arguments[] = {"kernel", "--help", NULL};
    ck_assert_int_eq(user_run(arguments), 0);
    char *text = user_message();
    int listed = 0;
    for (char *line = strtok(text, "\n"); line != NULL; line = strtok(NULL, "\n")) {
        if (strncmp(line, "  ", 2) != 0 || line[2] == ' ' || strchr(line + 2, ' ') != NULL)
            continue;
        int tested = 0;
        for (int i = 0; i < GOOD; i++)
            tested += strcmp(good[i].pass, line + 2) == 0;
        ck_assert_msg(tested > 0, "'%s' is not tested", line + 2);
        listed++;
    }
    ck_assert_int_gt(listed, 20);
    free(text);
}
END_TEST

enum {
    N = 17,
    C = 3,
    K = 5,
    SIDE = 6,
    X = N * C * SIDE * SIDE,
    Y = N * K * SIDE * SIDE,
    WEIGHTS = K * C * 9
};
static const Conv2dShape conv = {N, C, K, SIDE, SIDE, 3, 1};

/* The user's numbers, as many bits of them as a set takes. */
static void fill(double *values, const char *name, size_t count, bool absolute, int bits)
{
    numbers_have_bits(bits);
    for (size_t i = 0; i < count; i++) {
        const double number = bits < 53 ? representable(user_number(name, i)) : user_number(name, i);
        values[i] = absolute ? fabs(number) : number;
    }
}

/* |got - ref| <= unit gauge, where ref has the same numbers as the set. */
static void expect_close(const char *name, const char *shape, const double *ref, const double *gauge,
                         size_t count, double unit, bool single)
{
    double *got = user_result(name, shape, single);
    for (size_t i = 0; i < count; i++) {
        double bound = unit * gauge[i];
        if (!(fabs(got[i] - ref[i]) <= bound))
            ck_abort_msg("%s[%zu] is %.17g, not %.17g within %g", name, i, got[i], ref[i], bound);
    }
    free(got);
}

START_TEST(test_kernel_conv2d_matches_ref)
{
    static double x[X], w[WEIGHTS], b[K], dy[Y], y[2][Y], dx[2][X], dw[2][WEIGHTS], db[2][K];
    /* Equal in ref. n terms a sum otherwise, (n + 2) 2^-24, and 2^-8 where bf16 stores a tensor. */
    const int bits = _i == BF16 ? 8 : 53;
    const double unit = _i == REF ? 0 : 0x1p-24, store = _i == BF16 ? 0x1p-8 : 0;
    for (int absolute = 1; absolute >= 0; absolute--) {
        fill(x, "x", X, absolute, bits);
        fill(w, "w", WEIGHTS, absolute, bits);
        fill(b, "b", K, absolute, 53);
        fill(dy, "dy", Y, absolute, bits);
        ref_conv2d_forward(y[absolute], x, w, b, conv);
        ref_conv2d_backward_data(dx[absolute], dy, w, conv);
        ref_conv2d_backward_weights(dw[absolute], db[absolute], dy, x, conv);
    }
    user_write("x:17,3,6,6 w:5,3,3,3 b:5 dy:17,5,6,6");
    user_expects_success(user_run_pass("conv2d_forward", user_sets[_i]));
    expect_close("y", "17,5,6,6", y[0], y[1], Y, (C * 9 + 3) * unit + store, _i);
    user_expects_success(user_run_pass("conv2d_backward", user_sets[_i]));
    expect_close("dx", "17,3,6,6", dx[0], dx[1], X, (K * 9 + 2) * unit + store, _i);
    expect_close("dw", "5,3,3,3", dw[0], dw[1], WEIGHTS, (N * SIDE * SIDE + 2) * unit, _i);
    expect_close("db", "5", db[0], db[1], K, (N * SIDE * SIDE + 2) * unit, _i);
}
END_TEST

/* Matrices, which the fast sets bring into lanes and back; they are floats in bf16, too. n terms a sum. */
START_TEST(test_kernel_linear_matches_ref)
{
    enum { CLASSES = 4 };
    static double x[N * C], w[CLASSES * C], b[CLASSES], dy[N * CLASSES], y[2][N * CLASSES], dx[2][N * C],
        dw[2][CLASSES * C], db[2][CLASSES];
    const double unit = _i == REF ? 0 : 0x1p-24;
    for (int absolute = 1; absolute >= 0; absolute--) {
        fill(x, "x", N * C, absolute, 53);
        fill(w, "w", CLASSES * C, absolute, 53);
        fill(b, "b", CLASSES, absolute, 53);
        fill(dy, "dy", N * CLASSES, absolute, 53);
        ref_linear_forward(y[absolute], x, w, b, N, C, CLASSES);
        ref_linear_backward(dx[absolute], dw[absolute], db[absolute], dy, x, w, N, C, CLASSES);
    }
    user_write("x:17,3 w:4,3 b:4 dy:17,4");
    user_expects_success(user_run_pass("linear_forward", user_sets[_i]));
    expect_close("y", "17,4", y[0], y[1], N * CLASSES, (C + 3) * unit, _i);
    user_expects_success(user_run_pass("linear_backward", user_sets[_i]));
    expect_close("dx", "17,3", dx[0], dx[1], N * C, (CLASSES + 3) * unit, _i);
    expect_close("dw", "4,3", dw[0], dw[1], CLASSES * C, (N + 5) * unit, _i);
    expect_close("db", "4", db[0], db[1], CLASSES, (N + 5) * unit, _i);
}
END_TEST

/* The results of an optimizer start as the inputs of the same names: v = v / 2 + dw, w = w - v / 4, exact. */
START_TEST(test_kernel_sgd_steps_from_its_inputs)
{
    user_write("w:7 dw:7 v:7 lr=0.25 momentum=0.5 weight_decay=0");
    user_expects_success(user_run_pass("sgd_step", user_sets[_i]));
    double *w = user_result("w", "7", _i != REF), *v = user_result("v", "7", _i != REF);
    for (size_t i = 0; i < 7; i++) {
        const double moved = user_number("v", i) / 2 + user_number("dw", i);
        ck_assert(v[i] == moved && w[i] == user_number("w", i) - moved / 4);
    }
    free(w);
    free(v);
}
END_TEST

Suite *kernel_suite(void)
{
    Suite *suite = suite_create("kernel");
    TCase *tcase = tcase_create("kernel");
    tcase_set_timeout(tcase, 20);
    tcase_add_checked_fixture(tcase, user_setup, user_teardown);
    tcase_add_loop_test(tcase, test_kernel_pass_gives_its_results, 0, SETS * GOOD);
    tcase_add_test(tcase, test_kernel_help_lists_the_passes_tested_here);
    tcase_add_loop_test(tcase, test_kernel_conv2d_matches_ref, 0, SETS);
    tcase_add_loop_test(tcase, test_kernel_linear_matches_ref, 0, SETS);
    tcase_add_loop_test(tcase, test_kernel_sgd_steps_from_its_inputs, 0, SETS);
    suite_add_tcase(suite, tcase);
    suite_add_tcase(suite, kernel_files_case());
    return suite;
}
