/* What `train --dump` leaves is all of a run: from its numbers alone the run's steps are made again, to the
 * same bits of every loss, alpha and beta; and they are what the run's own records say. */
#include "../experiments/network/bilevel.h"
#include "../experiments/protocol/plan.h"
#include "program.h"
#include "suites.h"
#include <hdf5.h>
#include <stdlib.h>
#include <string.h>

enum { LAYERS = 3, LEVELS = 3, BATCH = 24, EPOCHS = 2, PASS = 150 / BATCH, STEPS = EPOCHS * PASS };

#define OPTIONS                                                                                        \
    "--data=%s/data --layers=3 --channels=4 --levels=3 --images-a=150 --images-b=50 --images-test=50 " \
    "--images-epoch=30 --batch=24 --epochs=2 --lr=0.05 --depth=learned --logits-start=random"

static int train(const char *more)
{
    return program_run("train --run=%s/run " OPTIONS " %s", program_folder, program_folder, more);
}

static hid_t open_dump(void)
{
    char path[128];
    snprintf(path, sizeof path, "%s/dump.h5", program_folder);
    hid_t file = H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT);
    ck_assert_int_ge(file, 0);
    return file;
}

/* A dataset of that many numbers, as doubles; the caller frees them. */
static double *read_doubles(hid_t file, const char *name, size_t count)
{
    hid_t dataset = H5Dopen2(file, name, H5P_DEFAULT), space = H5Dget_space(dataset);
    double *values = malloc(count * sizeof *values);
    ck_assert_int_ge(dataset, 0);
    ck_assert_int_eq(H5Sget_simple_extent_npoints(space), (hssize_t)count);
    ck_assert_int_ge(H5Dread(dataset, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, values), 0);
    H5Sclose(space);
    H5Dclose(dataset);
    return values;
}

static void read_plan(Plan *plan, hid_t file)
{
    static char text[65536];
    Options options;
    Error error;
    hid_t attribute = H5Aopen(file, "config", H5P_DEFAULT), type = H5Aget_type(attribute);
    ck_assert_int_ge(H5Aread(attribute, type, text), 0);
    H5Tclose(type);
    H5Aclose(attribute);
    options_default(&options);
    ck_assert_msg(options_read(&options, text, "dump.h5", &error) && plan_resolve(plan, &options, &error),
                  "%s", error.text);
}

/* The batches of a part, as steps take them. */
typedef struct {
    float *images;
    int labels[STEPS * BATCH];
    double *loss;
} Part;

static Part read_part(hid_t file, const char *images, const char *labels, const char *loss)
{
    const size_t count = (size_t)STEPS * BATCH;
    double *pixels = read_doubles(file, images, count * IMAGE_BYTES),
           *numbers = read_doubles(file, labels, count);
    Part part = {.images = malloc(count * IMAGE_BYTES * sizeof(float)),
                 .loss = read_doubles(file, loss, STEPS)};
    for (size_t i = 0; i < count * IMAGE_BYTES; i++)
        part.images[i] = (float)pixels[i];
    for (size_t i = 0; i < count; i++)
        part.labels[i] = (int)numbers[i];
    free(pixels);
    free(numbers);
    return part;
}

static Batch batch_of(const Part *part, int step)
{
    return (Batch){part->images + (size_t)step * BATCH * IMAGE_BYTES, part->labels + step * BATCH, BATCH};
}

/* The numbers of an epoch's last iteration, in a line of alpha.tsv or beta.tsv. */
static void expect_line(const char *text, int epoch, int layer, const double *values, int count)
{
    char line[128];
    int length = layer ? snprintf(line, sizeof line, "\n%d\t%d", epoch, layer)
                       : snprintf(line, sizeof line, "\n%d", epoch);
    for (int i = 0; i < count; i++)
        length += snprintf(line + length, sizeof line - (size_t)length, "\t%.9g", values[i]);
    snprintf(line + length, sizeof line - (size_t)length, "\n");
    ck_assert_msg(strstr(text, line) != NULL, "no %s in %s", line, text);
}

static void expect_records(const double *alpha, const double *beta, const Part *a, const Part *b)
{
    char *alphas = program_file("run/alpha.tsv"), *betas = program_file("run/beta.tsv"),
         *line = program_file("run/log.tsv"), *log = line;
    for (int epoch = 0; epoch < EPOCHS; epoch++) {
        const int last = (epoch + 1) * PASS - 1;
        double loss[2], sum[2] = {0, 0};
        for (int l = 0; l < LAYERS; l++)
            expect_line(alphas, epoch + 1, l + 1, alpha + (last * LAYERS + l) * LEVELS, LEVELS);
        expect_line(betas, epoch + 1, 0, beta + last * (LAYERS - 1), LAYERS - 1);
        for (int i = epoch * PASS; i <= last; i++) {
            sum[0] += a->loss[i];
            sum[1] += b->loss[i];
        }
        line = strchr(line, '\n') + 1;
        ck_assert_int_eq(sscanf(line, "%*d %*f %*f %lf %*f %lf", &loss[0], &loss[1]), 2);
        for (int i = 0; i < 2; i++) /* 9 digits are printed */
            ck_assert_double_eq_tol(loss[i], sum[i] / PASS, 1e-8 * loss[i]);
    }
    free(alphas);
    free(betas);
    free(log);
}

START_TEST(test_dump_makes_the_run_again)
{
    static const char *const orders[] = {"", "--order=logits-first"};
    char more[256];
    snprintf(more, sizeof more, "%s --dump=%s/dump.h5", orders[_i], program_folder);
    ck_assert_msg(train(more) == 0, "%s", program_output);
    hid_t file = open_dump();
    Plan plan;
    Error error;
    read_plan(&plan, file);
    Network *net = network_create(plan.engine, &plan.network, BATCH, &error);
    double *filters = read_doubles(file, "filters", net->filters_count),
           *logits = read_doubles(file, "logits", net->logits_count),
           *alpha = read_doubles(file, "alpha", STEPS * LAYERS * LEVELS),
           *beta = read_doubles(file, "beta", STEPS * (LAYERS - 1)), now[LAYERS * LEVELS];
    Part a = read_part(file, "a/images", "a/labels", "a/loss"),
         b = read_part(file, "b/images", "b/labels", "b/loss");
    net->engine->vector_write(net->filters, 0, filters, net->filters_count);
    net->engine->vector_write(net->logits, 0, logits, net->logits_count);
    const Options *o = &plan.options;
    for (int i = 0; i < STEPS; i++)
        for (int turn = 0; turn < 2; turn++)
            if (turn == _i) {
                const double lr =
                    o->lr_min + (o->lr - o->lr_min) * (i < PASS ? 1 : 0.5); /* cosine of pi / 2 */
                ck_assert_double_eq(filters_step(net, batch_of(&a, i), (Sgd){lr, 0.9, 0}).loss, a.loss[i]);
            } else {
                const Adam adam = {o->logits_lr, 0.5, 0.999, 1e-8, 3e-4};
                ck_assert_double_eq(logits_step(net, batch_of(&b, i), adam, i + 1).loss, b.loss[i]);
                network_alpha(net, now);
                ck_assert_mem_eq(now, alpha + i * LAYERS * LEVELS, sizeof now);
                network_beta(net, now);
                ck_assert_mem_eq(now, beta + i * (LAYERS - 1), (LAYERS - 1) * sizeof *now);
            }
    expect_records(alpha, beta, &a, &b);
    void *const arrays[] = {filters, logits, alpha, beta, a.images, a.loss, b.images, b.loss};
    for (int i = 0; i < 8; i++)
        free(arrays[i]);
    network_free(net);
    H5Fclose(file);
}
END_TEST

static void expect_no_dump(void)
{
    char *dump = program_file("dump.h5");
    ck_assert_ptr_null(dump);
}

/* A dump is of a whole run that starts from its seed, in a place that can be written. */
START_TEST(test_dump_is_refused)
{
    char more[256];
    ck_assert_int_eq(train("--dump="), 1);
    program_expects_one_line("train: ", "--dump");
    ck_assert_int_eq(train("--dump=/nonexistent/dump.h5"), 1);
    program_expects_one_line("train: ", "/nonexistent/");
    snprintf(more, sizeof more, "--dump=%s", program_folder);
    ck_assert_int_eq(train(more), 1);
    program_expects_one_line("train: ", "name of a file");
    ck_assert_msg(train("") == 0, "%s", program_output);
    snprintf(more, sizeof more, "--dump=%s/dump.h5", program_folder);
    ck_assert_int_eq(train(more), 1);
    program_expects_one_line("train: ", "done already");
    ck_assert_msg(
        program_run("train --run=%s/ours " OPTIONS " --depth=fixed", program_folder, program_folder) == 0,
        "%s", program_output);
    ck_assert_int_eq(
        program_run("train --run=%s/pruned --prune-from=ours --prune-threshold=1 %s", program_folder, more),
        1);
    program_expects_one_line("train: ", "--prune-from");
    /* The first number of epochs whose 6 batches of 24 images, 3,072 floats each, of both parts pass 2^30. */
    ck_assert_int_eq(program_run("train --run=%s/long " OPTIONS
                                 " --depth=fixed --epochs=304 --images-test=10 %s",
                                 program_folder, program_folder, more),
                     1);
    program_expects_one_line("train: ", "GiB");
    expect_no_dump();
}
END_TEST

/* A net without alpha has no batches of D_b; a fabric no alpha at all. */
START_TEST(test_dump_leaves_out_what_a_run_has_not)
{
    ck_assert_msg(
        program_run("train --run=%s/run --data=%s/data --net=fabric-sparse --pooling=none --head=linear "
                    "--bias=no --layers=2 --channels=3 --images-a=150 --images-b=50 --images-test=50 "
                    "--images-epoch=30 --batch=24 --epochs=1 --dump=%s/dump.h5",
                    program_folder, program_folder, program_folder) == 0,
        "%s", program_output);
    hid_t file = open_dump();
    free(read_doubles(file, "a/loss", PASS));
    static const char *const absent[] = {"b", "alpha", "beta", "logits"};
    for (int i = 0; i < 4; i++)
        ck_assert_int_eq(H5Lexists(file, absent[i], H5P_DEFAULT), 0);
    H5Fclose(file);
}
END_TEST

Suite *dump_suite(void)
{
    Suite *suite = suite_create("dump");
    TCase *tcase = tcase_create("dump");
    tcase_add_checked_fixture(tcase, program_setup, program_teardown);
    tcase_add_checked_fixture(tcase, program_write_data, NULL);
    tcase_set_timeout(tcase, 60);
    tcase_add_loop_test(tcase, test_dump_makes_the_run_again, 0, 2);
    tcase_add_test(tcase, test_dump_is_refused);
    tcase_add_test(tcase, test_dump_leaves_out_what_a_run_has_not);
    suite_add_tcase(suite, tcase);
    return suite;
}
