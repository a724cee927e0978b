/* What build/kernel refuses, by a sentence that names the input, and what it makes of files of any kind. */
#include "../experiments/base/files.h"
#include "inputs.h"
#include "kernel_user.h"
#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ADAM "w:2,3 dw:2,3 m:2,3 v:2,3 lr=0.1 beta1=0.5 beta2=0.999 eps=1 weight_decay=0"

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
        ck_assert_int_eq(user_run_pass(bad[_i].pass, user_sets[set]), 1);
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
            const int status = user_run_pass(with_eps[i][0], user_sets[set]);
            ck_assert_int_eq(status, set == REF ? 0 : 1);
            if (set != REF)
                user_expects_message("'eps' is 1e-50; expected more: as a float", true);
            snprintf(items, sizeof items, with_eps[i][1], "1e-44");
            user_write(items);
            user_expects_success(user_run_pass(with_eps[i][0], user_sets[set]));
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

/* Two bytes of the harness, then a file on which HDF5 1.10.8 crashes, or not: it reads beyond its memory, and
 * what lies there decides. Another version may have a word for what is wrong. A whole output or none. */
START_TEST(test_kernel_outlives_a_crash_of_hdf5)
{
    static const char *const crashes[][2] = {{"relu_forward", "tests/fuzz/corpus/kernel/crash-relu"},
                                             {"pool_forward", "tests/fuzz/corpus/kernel/crash-pool"}};
    char *bytes;
    size_t count;
    for (int i = 0; i < 2; i++) {
        ck_assert(file_read(&bytes, &count, crashes[i][1], NULL));
        ck_assert(file_write(user_in, bytes + 2, count - 2, NULL));
        free(bytes);
        const int status = user_run_pass(crashes[i][0], "ref");
        ck_assert_int_ge(status, 0);
        ck_assert_int_le(status, 1);
        if (status == 1)
            user_expects_message(user_in, true);
        ck_assert(file_exists(user_out) == (status == 0));
        unlink(user_out);
    }
}
END_TEST

TCase *kernel_files_case(void)
{
    TCase *tcase = tcase_create("refusals and files");
    tcase_set_timeout(tcase, 20);
    tcase_add_checked_fixture(tcase, user_setup, user_teardown);
    tcase_add_loop_test(tcase, test_kernel_refuses_a_wrong_input, 0, sizeof bad / sizeof *bad);
    tcase_add_test(tcase, test_kernel_refuses_a_wrong_command_line);
    tcase_add_test(tcase, test_kernel_refuses_what_is_no_file_of_arrays);
    tcase_add_test(tcase, test_kernel_outlives_a_crash_of_hdf5);
    tcase_add_test(tcase, test_kernel_replaces_its_output_whole_or_not_at_all);
    tcase_add_test(tcase, test_kernel_passes_numbers_of_any_kind_through);
    tcase_add_test(tcase, test_kernel_refuses_an_eps_that_is_0_in_float);
    tcase_add_test(tcase, test_kernel_takes_a_number_of_any_rank);
    tcase_add_loop_test(tcase, test_kernel_refuses_numbers_of_another_file, 0, ELSEWHERE);
    tcase_add_test(tcase, test_kernel_refuses_an_unknown_instruction_set);
    return tcase;
}
