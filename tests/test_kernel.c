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

enum { REF, F32, BF16, SETS };
static const char *const set_names[] = {"ref", "f32", "bf16"};

#define LAYER  "x:2,3,4,8 w:5,3,3,3 b:5 a:3 down@avg up@bilinear eps=1e-5"
#define EXCITE "x:2,3,5,4 w1:2,3 b1:2 w2:3,2 b2:3"
#define MBCONV \
    "x:2,3,5,4 expand:18,3,1,1 depthwise:18,1,3,3 w1:1,18 b1:1 w2:18,1 b2:18 project:3,18,1,1 eps=1e-3"
#define ADAM "w:2,3 dw:2,3 m:2,3 v:2,3 lr=0.1 beta1=0.5 beta2=0.999 eps=1 weight_decay=0"

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
    user_expects_success(user_run_pass(good[_i / SETS].pass, set_names[_i % SETS]));
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
    user_expects_success(user_run_pass("conv2d_forward", set_names[_i]));
    expect_close("y", "17,5,6,6", y[0], y[1], Y, (C * 9 + 3) * unit + store, _i);
    user_expects_success(user_run_pass("conv2d_backward", set_names[_i]));
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
    user_expects_success(user_run_pass("linear_forward", set_names[_i]));
    expect_close("y", "17,4", y[0], y[1], N * CLASSES, (C + 3) * unit, _i);
    user_expects_success(user_run_pass("linear_backward", set_names[_i]));
    expect_close("dx", "17,3", dx[0], dx[1], N * C, (CLASSES + 3) * unit, _i);
    expect_close("dw", "4,3", dw[0], dw[1], CLASSES * C, (N + 5) * unit, _i);
    expect_close("db", "4", db[0], db[1], CLASSES, (N + 5) * unit, _i);
}
END_TEST

/* The results of an optimizer start as the inputs of the same names: v = v / 2 + dw, w = w - v / 4, exact. */
START_TEST(test_kernel_sgd_steps_from_its_inputs)
{
    user_write("w:7 dw:7 v:7 lr=0.25 momentum=0.5 weight_decay=0");
    user_expects_success(user_run_pass("sgd_step", set_names[_i]));
    double *w = user_result("w", "7", _i != REF), *v = user_result("v", "7", _i != REF);
    for (size_t i = 0; i < 7; i++) {
        const double moved = user_number("v", i) / 2 + user_number("dw", i);
        ck_assert(v[i] == moved && w[i] == user_number("w", i) - moved / 4);
    }
    free(w);
    free(v);
}
END_TEST

/* What is wrong with an input, and the words that the message must have. */
static const struct {
    const char *pass, *input, *word;
} bad[] = {
    {"conv2d_forward", "w:4,3,3,3", "'x' is missing"},
    {"conv2d_forward", "x:2,3,4 w:4,3,3,3", "'x' has the shape (2,3,4); expected numbers of shape (N,C,H,W)"},
    {"conv2d_forward", "x:2,3,4,4 w:4,2,3,3",
     "'w' has the shape (4,2,3,3); expected numbers of shape (K,3,S,S)"},
    {"conv2d_forward", "x:2,3,4,4 w:4,3,3,1", "'w' has the shape"},
    {"conv2d_forward", "x:2,3,4,4 w:4,3,5,5", "'w' has 5x5 filters"},
    {"conv2d_forward", "x:2,3,4,4 w:4,3,3,3 b:3", "'b' has the shape (3)"},
    {"conv2d_forward", "x:2,3,4,4 w:4,3,3,3 stride=3", "'stride' is 3"},
    {"conv2d_forward", "x:2,3,4,4 w:4,3,3,3 stride=nan", "'stride' is nan"},
    {"conv2d_forward", "x:2,3,4,4 w:4,3,3,3 stride:2",
     "'stride' has the shape (2); expected a single number"},
    {"conv2d_backward", "x:2,3,4,4 w:4,3,3,3", "'dy' is missing; expected numbers of shape (2,4,4,4)"},
    {"conv2d_backward", "x:2,3,4,4 w:4,3,3,3 stride=2 dy:2,4,4,4", "expected numbers of shape (2,4,2,2)"},
    {"conv2d_forward", "x! w:4,3,3,3", "'x' holds no floating-point"},
    {"conv2d_forward", "x? w:4,3,3,3", "'x' is empty"},
    {"pool_forward", "x:2,3,4,4 factor=2", "attribute 'mode' is missing; expected one of max|avg|subsample"},
    {"pool_forward", "x:2,3,4,4 factor=2 mode@median", "'mode' is 'median'"},
    {"pool_forward", "x:2,3,4,4 factor=2 mode@ma", "'mode' is 'ma'"},
    {"pool_forward", "x:2,3,4,4 factor=2 mode@", "'mode' is ''"},
    {"pool_forward", "x:2,3,4,4 factor=2 mode@m\na\xffx", "'mode' is 'm?a?x'"},
    {"pool_forward", "x:2,3,4,4 mode@max", "'factor' is missing; expected a single number"},
    {"pool_forward", "x:2,3,6,6 factor=3 mode@max", "'factor' is 3; expected a power of two"},
    {"pool_forward", "x:2,3,4,4 factor=0 mode@max", "'factor' is 0"},
    {"pool_forward", "x:2,3,4,4 factor=-2 mode@max", "'factor' is -2"},
    {"pool_forward", "x:2,3,4,4 factor=1.5 mode@max", "'factor' is 1.5"},
    {"pool_forward", "x:2,3,4,4 factor=1e300 mode@max", "'factor' is 1e+300"},
    {"pool_forward", "x:2,3,4,6 factor=4 mode@max", "does not divide the map"},
    {"upsample_forward", "x:2,3,4,4 factor=2 mode@cubic", "'mode' is 'cubic'"},
    {"upsample_forward", "x:2,3,4,4 factor=1073741824 mode@nearest",
     "'factor' is 1.07374e+09; expected less"},
    {"upsample_forward", "x:2,3,4,4 factor=65536 mode@nearest", "'y' would have the shape"},
    {"relu_backward", "x:2,3 dy:3,2", "'dy' has the shape (3,2); expected numbers of shape (2,3)"},
    {"depthwise_forward", "x:2,3,4,4 w:3,3,3,3", "'w' has the shape (3,3,3,3)"},
    {"squeeze_excite_forward", "x:2,3,4,4 w1:2,4 b1:2 w2:3,2 b2:3", "'w1' has the shape (2,4)"},
    {"mbconv_forward",
     "x:2,3,4,4 expand:12,3,1,1 depthwise:12,1,3,3 w1:1,12 b1:1 w2:12,1 b2:12 project:3,12,1,1 eps=1e-3",
     "expected 18, 6 times as many"},
    {"mbconv_forward",
     "x:2,3,4,4 expand:18,3,1,1 depthwise:18,1,3,3 w1:2,18 b1:2 w2:18,2 b2:18 project:3,18,1,1 eps=1e-3",
     "expected 1, a quarter"},
    {"mbconv_forward",
     "x:2,3,4,4 expand:18,3,1,1 depthwise:18,1,3,3 w1:1,18 b1:1 w2:18,1 b2:18 project:3,18,1,1 eps=0",
     "'eps' is 0"},
    {"batchnorm_forward", "x:2,3,4,4", "'eps' is missing"},
    {"batchnorm_forward", "x:2,3,4,4 eps=0", "'eps' is 0; expected a number over 0"},
    {"batchnorm_forward", "x:2,3,4,4 eps=-1", "'eps' is -1"},
    {"batchnorm_forward", "x:2,3,4,4 eps=nan", "'eps' is nan"},
    {"batchnorm_forward", "x:2,3,4,4 eps=1 gamma:3", "'beta' is missing"},
    {"batchnorm_forward", "x:2,3,4,4 eps=1 gamma:4 beta:3", "'gamma' has the shape (4)"},
    {"mix_forward", "a:2 x0:2,3", "'x1' is missing; expected numbers of shape (2,3)"},
    {"mix_forward", "a:2 x0:2,3 x1:2,4", "'x1' has the shape (2,4)"},
    {"mix_forward", "a:65 x0:2", "'a' has 65 entries"},
    {"linear_forward", "x:2,3 w:4,3", "'b' is missing"},
    {"linear_forward", "x:2,3 w:4,2 b:4", "'w' has the shape (4,2)"},
    {"cross_entropy_forward", "logits:3,4 labels#0,4,1", "'labels' has 4 at place 1"},
    {"cross_entropy_forward", "logits:3,4 labels:3", "'labels' has"},
    {"cross_entropy_forward", "logits:3,4 labels#0,1", "'labels' has the shape (2)"},
    {"multires_forward", "x:2,3,4,8 w:5,3,3,3 a:4 down@max up@nearest eps=1e-5", "'a' asks for a factor 8"},
    {"multires_forward", "x:2,3,4,8 w:5,3,3,3 a:9 down@max up@nearest eps=1e-5", "'a' has 9 entries"},
    {"multires_forward", "x:2,3,4,8 w:5,3,1,1 a:1 down@max up@nearest eps=1e-5", "'w' has 1x1 filters"},
    {"multires_forward", "x:2,3,4,8 w:5,3,3,3 a:1 down@max up@max eps=1e-5", "'up' is 'max'"},
    {"multires_forward", "x:2,3,4,8 w:5,3,3,3 a:1 down@max up@nearest eps=0", "'eps' is 0"},
    {"sgd_step", "w:7 dw:6 v:7 lr=0.1 momentum=0.9 weight_decay=0", "'dw' has the shape (6)"},
    {"sgd_step", "w:7 dw:7 v:7 lr=inf momentum=0.9 weight_decay=0", "'lr' is inf"},
    {"adam_step", ADAM " t=0", "'t' is 0; expected a whole number from 1"},
    {"adam_step", ADAM " t=1.5", "'t' is 1.5"},
    {"adam_step", "w:1 dw:1 m:1 v:1 t=1 lr=1 beta1=1 beta2=0 eps=1 weight_decay=0", "'beta1' is 1"},
    {"cosine_lr", "epoch=4 epochs=4 lr_max=0.1 lr_min=0", "'epoch' is 4"},
    {"cosine_lr", "epoch=0 epochs=0 lr_max=0.1 lr_min=0", "'epochs' is 0"},
};

START_TEST(test_kernel_refuses_a_wrong_input)
{
    user_write(bad[_i].input);
    for (int set = 0; set < 2; set++) {
        ck_assert_int_eq(user_run_pass(bad[_i].pass, set_names[set]), 1);
        user_expects_message(bad[_i].word, true);
        user_expects_message(user_in, true);
        ck_assert(!file_exists(user_out));
    }
}
END_TEST

START_TEST(test_kernel_refuses_a_wrong_command_line)
{
    char *none[] = {"kernel", NULL}, *few[] = {"kernel", "relu_forward", "ref", NULL};
    ck_assert_int_eq(user_run(none), 2);
    user_expects_message("usage: kernel OP SET IN.h5 OUT.h5", false);
    ck_assert_int_eq(user_run(few), 2);
    user_expects_message("expected OP SET IN.h5 OUT.h5", true);
    user_write("x:2,3");
    static const char *const unknown[] = {
        "relu", "relu_", "relu_forwards", "sgd_step_forward", "sgd_step_backward", "", "gelu_forward"};
    for (size_t i = 0; i < sizeof unknown / sizeof *unknown; i++) {
        ck_assert_int_eq(user_run_pass(unknown[i], "ref"), 2);
        user_expects_message("known are conv2d_forward|backward", true);
    }
    ck_assert_int_eq(user_run_pass("relu_forward", "f16"), 2);
    user_expects_message("known are ref, f32 and bf16", true);
    ck_assert(!file_exists(user_out));
}
END_TEST

START_TEST(test_kernel_refuses_what_is_no_file_of_arrays)
{
    char *bytes;
    size_t count;
    ck_assert_int_eq(user_run_pass("relu_forward", "ref"), 1);
    user_expects_message("No such file", true);
    ck_assert(file_write(user_in, "no arrays", 9, NULL));
    ck_assert_int_eq(user_run_pass("relu_forward", "ref"), 1);
    user_expects_message("is no HDF5 file", true);
    user_write("x:100,100");
    ck_assert(file_read(&bytes, &count, user_in, NULL));
    ck_assert(file_write(user_in, bytes, count / 2, NULL));
    ck_assert_int_eq(user_run_pass("relu_forward", "ref"), 1);
    user_expects_message("not all of one", true);
    ck_assert(file_write(user_in, "", 0, NULL));
    ck_assert_int_eq(user_run_pass("relu_forward", "ref"), 1);
    user_expects_message("is no HDF5 file", true);
    ck_assert(!file_exists(user_out));
    free(bytes);
}
END_TEST

/* An earlier OUT stays when the run fails, and is replaced when it does not; IN may be OUT. */
START_TEST(test_kernel_replaces_its_output_whole_or_not_at_all)
{
    char *bytes;
    size_t count;
    user_write("x:2,3,4");
    ck_assert(file_write(user_out, "earlier", 7, NULL));
    ck_assert_int_eq(user_run_pass("pool_forward", "ref"), 1);
    ck_assert(file_read(&bytes, &count, user_out, NULL));
    ck_assert_str_eq(bytes, "earlier");
    free(bytes);
    user_expects_success(user_run_pass("relu_forward", "ref"));
    free(user_result("y", "2,3,4", false));
    char *same[] = {"kernel", "relu_forward", "ref", user_in, user_in, NULL}, absent[128];
    user_expects_success(user_run(same));
    user_write("x:2,3,4");
    snprintf(absent, sizeof absent, "%s/absent/out.h5", user_folder);
    char *nowhere[] = {"kernel", "relu_forward", "ref", user_in, absent, NULL};
    ck_assert_int_eq(user_run(nowhere), 1);
    user_expects_message("absent/out.h5", true);
}
END_TEST

/* NaN and infinity are numbers to an operation. */
START_TEST(test_kernel_passes_numbers_of_any_kind_through)
{
    hsize_t dims[1] = {3};
    double values[3] = {-1, INFINITY, 0x1p-1060};
    hid_t file = H5Fcreate(user_in, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    user_put(file, "x", H5T_IEEE_F64BE, 1, dims, values);
    H5Fclose(file);
    user_expects_success(user_run_pass("relu_forward", "ref"));
    double *y = user_result("y", "3", false);
    ck_assert(y[0] == 0 && y[1] == INFINITY && y[2] == values[2]);
    free(y);
    user_expects_success(user_run_pass("relu_forward", "f32"));
    y = user_result("y", "3", true);
    ck_assert(y[0] == 0 && y[1] == INFINITY && y[2] == 0);
    free(y);
}
END_TEST

/* An eps that a float cannot tell from 0 is one in double alone. */
START_TEST(test_kernel_refuses_an_eps_that_is_0_in_float)
{
    static const char *const with_eps[][2] = {
        {"batchnorm_forward", "x:2,3,4,4 eps=%s"},
        {"batchnorm_backward", "x:2,3,4,4 dy:2,3,4,4 eps=%s"},
        {"multires_forward", "x:2,3,4,8 w:5,3,3,3 a:1 down@max up@nearest eps=%s"},
        {"adam_step", "w:1 dw:1 m:1 v#1 t=1 lr=1 beta1=0 beta2=0 weight_decay=0 eps=%s"}};
    for (size_t i = 0; i < sizeof with_eps / sizeof *with_eps; i++)
        for (int set = 0; set < SETS; set++) {
            char items[128];
            snprintf(items, sizeof items, with_eps[i][1], "1e-50");
            user_write(items);
            const int status = user_run_pass(with_eps[i][0], set_names[set]);
            ck_assert_int_eq(status, set == REF ? 0 : 1);
            if (set != REF)
                user_expects_message("'eps' is 1e-50; expected more: as a float", true);
            snprintf(items, sizeof items, with_eps[i][1], "1e-44");
            user_write(items);
            user_expects_success(user_run_pass(with_eps[i][0], set_names[set]));
        }
}
END_TEST

/* A single number is one of any rank: MATLAB writes (1,1). */
START_TEST(test_kernel_takes_a_number_of_any_rank)
{
    for (int rank = 0; rank <= 3; rank++) {
        hsize_t one[3] = {1, 1, 1}, dims[4] = {1, 1, 1, 2};
        const double eps = 0.25, x[2] = {-1, 1};
        hid_t file = H5Fcreate(user_in, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
        user_put(file, "x", H5T_IEEE_F64LE, 4, dims, x);
        user_put(file, "eps", H5T_IEEE_F64LE, rank, one, &eps);
        H5Fclose(file);
        user_expects_success(user_run_pass("batchnorm_forward", "ref"));
        double *y = user_result("y", "1,1,1,2", false);
        ck_assert(fabs(y[1] - 1 / sqrt(1.25)) < 1e-15);
        free(y);
    }
}
END_TEST

/* Ways in which the numbers of x can be in a file other than the input. */
enum { EXTERNAL_LINK, EXTERNAL_GROUP, VIRTUAL, RAW_FILE, ELSEWHERE };

static void put_elsewhere(int way, const char *raw)
{
    const hsize_t dims[1] = {3};
    hid_t file = H5Fcreate(user_in, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    hid_t create = H5Pcreate(H5P_DATASET_CREATE), space = H5Screate_simple(1, dims, NULL), dataset = -1;
    if (way == EXTERNAL_LINK)
        ck_assert_int_ge(H5Lcreate_external("source.h5", "/x", file, "x", H5P_DEFAULT, H5P_DEFAULT), 0);
    if (way == EXTERNAL_GROUP) {
        ck_assert_int_ge(H5Lcreate_external("source.h5", "/", file, "other", H5P_DEFAULT, H5P_DEFAULT), 0);
        ck_assert_int_ge(H5Lcreate_soft("other/x", file, "x", H5P_DEFAULT, H5P_DEFAULT), 0);
    }
    if (way == VIRTUAL)
        ck_assert_int_ge(H5Pset_virtual(create, space, "source.h5", "/x", space), 0);
    if (way == RAW_FILE)
        ck_assert_int_ge(H5Pset_external(create, raw, 0, 3 * sizeof(double)), 0);
    if (way == VIRTUAL || way == RAW_FILE)
        dataset = H5Dcreate2(file, "x", H5T_IEEE_F64LE, space, H5P_DEFAULT, create, H5P_DEFAULT);
    if (dataset >= 0)
        H5Dclose(dataset);
    H5Sclose(space);
    H5Pclose(create);
    H5Fclose(file);
}

/* They are refused, from whatever folder the program runs in: never zeros. */
START_TEST(test_kernel_refuses_numbers_of_another_file)
{
    char source[128], raw[128], home[512], build[600];
    const hsize_t dims[1] = {3};
    const double ones[3] = {1, 1, 1};
    snprintf(source, sizeof source, "%s/source.h5", user_folder);
    snprintf(raw, sizeof raw, "%s/raw", user_folder);
    hid_t file = H5Fcreate(source, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    user_put(file, "x", H5T_IEEE_F64LE, 1, dims, ones);
    H5Fclose(file);
    ck_assert(file_write(raw, ones, sizeof ones, NULL));
    put_elsewhere(_i, raw);
    ck_assert_ptr_nonnull(getcwd(home, sizeof home));
    const char *given = getenv("NOPOOL_BUILD") ? getenv("NOPOOL_BUILD") : "build";
    snprintf(build, sizeof build, "%s%s%s", *given == '/' ? "" : home, *given == '/' ? "" : "/", given);
    setenv("NOPOOL_BUILD", build, 1);
    for (int there = 0; there < 2; there++) {
        if (there)
            ck_assert_int_eq(chdir(user_folder), 0);
        ck_assert_int_eq(user_run_pass("relu_forward", there ? "f32" : "ref"), 1);
        user_expects_message("the numbers of 'x' are in another file; copy them into this one", true);
        ck_assert(!file_exists(user_out));
    }
    ck_assert_int_eq(chdir(home), 0);
    unlink(source);
    unlink(raw);
}
END_TEST

START_TEST(test_kernel_refuses_an_unknown_instruction_set)
{
    user_write("x:2,3,4");
    setenv("NOPOOL_ISA", "none", 1);
    int status = user_run_pass("relu_forward", "f32");
    unsetenv("NOPOOL_ISA");
    ck_assert_int_eq(status, 1);
    user_expects_message("NOPOOL_ISA", true);
    ck_assert(!file_exists(user_out));
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
    tcase_add_loop_test(tcase, test_kernel_refuses_a_wrong_input, 0, sizeof bad / sizeof *bad);
    tcase_add_test(tcase, test_kernel_refuses_a_wrong_command_line);
    tcase_add_test(tcase, test_kernel_refuses_what_is_no_file_of_arrays);
    tcase_add_test(tcase, test_kernel_replaces_its_output_whole_or_not_at_all);
    tcase_add_test(tcase, test_kernel_passes_numbers_of_any_kind_through);
    tcase_add_test(tcase, test_kernel_refuses_an_eps_that_is_0_in_float);
    tcase_add_test(tcase, test_kernel_takes_a_number_of_any_rank);
    tcase_add_loop_test(tcase, test_kernel_refuses_numbers_of_another_file, 0, ELSEWHERE);
    tcase_add_test(tcase, test_kernel_refuses_an_unknown_instruction_set);
    suite_add_tcase(suite, tcase);
    return suite;
}
