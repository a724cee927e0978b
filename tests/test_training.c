/* A run from start to end, by build/train: learning, determinism, continuing after a kill, pruning,
 * evaluation.
 *
 * Claims: s2.static s3.2.used-directly s3.4.interleaved s4.2.best-resolution. */
#include "../experiments/base/files.h"
#include "../experiments/runs/result.h"
#include "program.h"
#include "suites.h"
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>

/* Small enough for a second, large enough for partial groups: 150 + 50 images, batches of 24. */
#define SMALL                                                                                          \
    "--data=%s/data --layers=3 --channels=4 --levels=3 --images-a=150 --images-b=50 --images-test=50 " \
    "--images-epoch=30 "                                                                               \
    "--batch=24 --lr=0.05"

/* What must not depend on how a run went. */
static const char *const deterministic[] = {"config.tsv", "log.tsv", "alpha.tsv", "result.tsv"};

static void expect_same(const char *a, const char *b)
{
    for (int i = 0; i < 4; i++) {
        char *left = program_file("%s/%s", a, deterministic[i]),
             *right = program_file("%s/%s", b, deterministic[i]);
        ck_assert_msg(left && right, "%s is missing in %s or %s", deterministic[i], a, b);
        ck_assert_msg(strcmp(left, right) == 0, "%s differs:\n%s\n%s", deterministic[i], left, right);
        free(left);
        free(right);
    }
}

static double result_number(const char *run, const char *name)
{
    char value[64], *result = program_file("%s/result.tsv", run);
    ck_assert_ptr_nonnull(result);
    ck_assert_msg(result_value(value, sizeof value, result, name), "no %s in %s", name, result);
    free(result);
    return atof(value);
}

static int train(const char *run, const char *more)
{
    return program_run("train --run=%s/%s " SMALL " %s", program_folder, run, program_folder, more);
}

START_TEST(test_training_learns)
{
    ck_assert_msg(train("run", "--epochs=12 --augment=no") == 0, "%s", program_output);
    ck_assert_double_gt(result_number("run", "accuracy"), 60); /* of ten classes */
    ck_assert_double_eq(result_number("run", "epochs"), 12);
    ck_assert_double_eq(result_number("run", "test_images"), 50);
    char *alpha = program_file("run/alpha.tsv");
    ck_assert_ptr_nonnull(strstr(alpha, "\n12\t3\t"));
    free(alpha);
    ck_assert_int_eq(train("run", "--epochs=12 --augment=no"), 0);
    ck_assert_ptr_nonnull(strstr(program_output, "finished already"));
}
END_TEST

START_TEST(test_training_is_the_same_at_any_number_of_threads)
{
    ck_assert_int_eq(train("one", "--epochs=2 --threads=1"), 0);
    ck_assert_int_eq(train("two", "--epochs=2 --threads=2"), 0);
    ck_assert_int_eq(train("three", "--epochs=2 --threads=3"), 0);
    expect_same("one", "two");
    expect_same("one", "three");
    ck_assert_int_eq(train("seed", "--epochs=2 --seed=2"), 0);
    char *a = program_file("one/log.tsv"), *b = program_file("seed/log.tsv");
    ck_assert_str_ne(a, b);
    free(a);
    free(b);
}
END_TEST

static void sleep_milliseconds(long milliseconds)
{
    const struct timespec time = {milliseconds / 1000, milliseconds % 1000 * 1000000};
    nanosleep(&time, NULL);
}

/* Kills the run again and again, whenever it has got one epoch further, until it ends by itself. */
START_TEST(test_training_continues_after_kills)
{
    const char *options = "--epochs=6 --order=logits-first --norm=shared --affine=yes";
    int status, kills = 0;
    ck_assert_int_eq(train("whole", options), 0);
    for (bool done = false; !done;) {
        const pid_t child =
            program_start("train --run=%s/killed " SMALL " %s", program_folder, program_folder, options);
        char *before = program_file("killed/log.tsv");
        for (int i = 0; !done && i < 2000; i++) {
            done = waitpid(child, &status, WNOHANG) == child;
            char *now = program_file("killed/log.tsv");
            const bool further = now && (!before || strcmp(now, before) != 0);
            free(now);
            if (further || done)
                break;
            sleep_milliseconds(5);
        }
        free(before);
        if (!done) {
            kill(child, SIGKILL);
            ck_assert_int_eq(waitpid(child, &status, 0), child);
            done = WIFEXITED(status); /* it was quicker */
            kills += !done;
        }
        ck_assert_int_lt(kills, 50);
    }
    ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    ck_assert_int_gt(kills, 0);
    expect_same("whole", "killed");
    char *provenance = program_file("killed/provenance.tsv");
    ck_assert_ptr_nonnull(strstr(provenance, "\ncontinued\t"));
    free(provenance);
}
END_TEST

START_TEST(test_training_prunes)
{
    ck_assert_int_eq(train("ours", "--epochs=4"), 0);
    ck_assert_msg(train("one-res", "--epochs=4 --prune-from=ours --prune-threshold=1") == 0, "%s",
                  program_output);
    ck_assert_double_eq(result_number("one-res", "epochs"), 1);
    ck_assert_double_eq(result_number("one-res", "total_epochs"), 5);
    ck_assert_double_lt(result_number("one-res", "macs"), result_number("ours", "macs"));
    char *alpha = program_file("one-res/alpha.tsv");
    for (const char *line = strchr(alpha, '\n') + 1; *line && *line != '\n'; line = strchr(line, '\n') + 1) {
        double a[3];
        ck_assert_int_eq(sscanf(line, "%*d %*d %lf %lf %lf", &a[0], &a[1], &a[2]), 3);
        ck_assert_msg((a[0] == 1) + (a[1] == 1) + (a[2] == 1) == 1 && a[0] + a[1] + a[2] == 1,
                      "not one level: %s", line);
    }
    free(alpha);
    /* The source's options are the pruned run's defaults: --prune-from and --run are enough. */
    ck_assert_msg(program_run("train --run=%s/short --prune-from=ours --prune-threshold=1", program_folder) ==
                      0,
                  "%s", program_output);
    expect_same("one-res", "short");
    ck_assert_int_eq(
        train("scratch", "--epochs=4 --prune-from=ours --prune-threshold=0.34 --prune-start=scratch"), 0);
    ck_assert_double_eq(result_number("scratch", "total_epochs"), 4);
    ck_assert_int_eq(train("twice", "--epochs=4 --prune-from=one-res --prune-threshold=1"), 1);
    program_expects_one_line("train", "has not learned its alphas");
}
END_TEST

/* The last test accuracy of a run is that of build/evaluate on the same images. */
START_TEST(test_evaluate_agrees_with_training)
{
    char accuracy[64];
    ck_assert_int_eq(train("run", "--epochs=3"), 0);
    ck_assert_int_eq(program_run("evaluate %s/run %s/data/test_batch.bin", program_folder, program_folder),
                     0);
    snprintf(accuracy, sizeof accuracy, "accuracy\t%.4f\n", result_number("run", "accuracy"));
    ck_assert_msg(strstr(program_output, accuracy) != NULL, "no %s in %s", accuracy, program_output);
    ck_assert_int_eq(program_run("evaluate %s/run %s/data/data_batch_1.bin %s/data/data_batch_2.bin",
                                 program_folder, program_folder, program_folder),
                     0);
    ck_assert_ptr_nonnull(strstr(program_output, "images\t80\n"));
}
END_TEST

/* Its table of classes is counted here from predictions.tsv, which training left. */
START_TEST(test_evaluate_counts_classes)
{
    int images[10] = {0}, correct[10] = {0}, predicted[10] = {0}, label, guess, unlike = 0;
    ck_assert_int_eq(train("run", "--epochs=2"), 0);
    char *text = program_file("run/predictions.tsv");
    for (const char *line = strchr(text, '\n') + 1; sscanf(line, "%d %d", &label, &guess) == 2;
         line = strchr(line, '\n') + 1) {
        images[label]++;
        correct[label] += guess == label;
        predicted[guess]++;
    }
    free(text);
    ck_assert_int_eq(program_run("evaluate %s/run %s/data/test_batch.bin", program_folder, program_folder),
                     0);
    ck_assert_ptr_nonnull(strstr(program_output, "\nepoch\t2\n"));
    for (int k = 0; k < 10; k++) {
        char line[96];
        snprintf(line, sizeof line, "\n%d\t%d\t%d\t%.2f\t%.2f\n", k, images[k], correct[k],
                 images[k] ? 100.0 * correct[k] / images[k] : 0,
                 predicted[k] ? 100.0 * correct[k] / predicted[k] : 0);
        ck_assert_msg(strstr(program_output, line) != NULL, "no%sin %s", line, program_output);
        unlike += images[k] != predicted[k] && correct[k] > 0;
    }
    ck_assert_int_gt(unlike, 0); /* or recall and precision could be taken for each other */
}
END_TEST

/* An epoch's rate is of the seconds that it trained, not of those that it tested. */
START_TEST(test_timing_counts_images_of_the_seconds_of_training)
{
    ck_assert_int_eq(train("run", "--epochs=2 --images-test=50 --images-epoch=50"), 0);
    char *timing = program_file("run/timing.tsv");
    for (const char *line = strchr(timing, '\n') + 1; *line; line = strchr(line, '\n') + 1) {
        double train_seconds, test_seconds, rate;
        ck_assert_int_eq(sscanf(line, "%*d %lf %lf %lf", &train_seconds, &test_seconds, &rate), 3);
        ck_assert_double_eq_tol(rate * train_seconds / 144, 1, 0.05); /* 6 batches of 24 */
    }
    free(timing);
}
END_TEST

/* The last word of a line of progress, "1 min 05 s left", in seconds. */
static double seconds_left(const char *words)
{
    long hours, minutes, seconds;
    if (sscanf(words, "%ld h %ld min left", &hours, &minutes) == 2)
        return 3600.0 * (double)hours + 60.0 * (double)minutes;
    if (sscanf(words, "%ld min %ld s left", &minutes, &seconds) == 2)
        return 60.0 * (double)minutes + (double)seconds;
    ck_assert_msg(sscanf(words, "%ld s left", &seconds) == 1, "%s", words);
    return (double)seconds;
}

/* The first line of a run of three epochs of thirty batches of two: what is left is its images at the rate
 * that the line tells. The naive kernels, so that it is more than a second. */
START_TEST(test_progress_tells_the_time_that_is_left)
{
    char *output = NULL, *line = NULL;
    const pid_t child =
        program_start("train --run=%s/run --data=%s/data --kernels=ref --layers=3 --channels=16 "
                      "--images-a=60 --images-b=60 --images-test=50 --images-epoch=50 --batch=2 --epochs=3",
                      program_folder, program_folder);
    for (int i = 0; i < 20000 && !(line && strchr(line, '\n')); i++) {
        sleep_milliseconds(2);
        free(output);
        output = program_file("output");
        line = output ? strstr(output, "epoch 1/3 3/30  loss ") : NULL;
    }
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    int after_rate = 0;
    double rate;
    ck_assert_ptr_nonnull(line);
    ck_assert_msg(sscanf(line, "epoch 1/3 3/30  loss %*f  %*f %%  %lf/s  %n", &rate, &after_rate) == 1 &&
                      after_rate > 0,
                  "%s", line);
    const double images = (3 * 30 - 3) * 2, left = seconds_left(line + after_rate);
    ck_assert_msg(left >= images / (rate + 0.5) - 0.5 - 60 * (left >= 3600), "%s", line);
    ck_assert_msg(rate < 1 || left <= images / (rate - 0.5) + 0.5, "%s", line);
    free(output);
}
END_TEST

static double provenance_number(const char *text, const char *name)
{
    const char *at = strstr(text, name);
    ck_assert_msg(at != NULL, "no %s in %s", name, text);
    return atof(at + strlen(name));
}

/* A value of provenance.tsv, for the next call but three to write over. */
static const char *provenance(const char *text, const char *name)
{
    static char values[4][256];
    static int next;
    char *value = values[next++ % 4];
    ck_assert_msg(result_value(value, sizeof values[0], text, name), "no %s in %s", name, text);
    return value;
}

/* The first name of a processor that Linux tells. */
static void expect_processor(const char *name)
{
    char line[512], value[256] = "unknown";
    FILE *in = fopen("/proc/cpuinfo", "r");
    while (in && fgets(line, sizeof line, in))
        if (sscanf(line, "model name : %255[^\n]", value) == 1)
            break;
    if (in)
        fclose(in);
    ck_assert_str_eq(name, value);
}

/* The data as config.tsv has them, and the compiler that has made the tests too. */
START_TEST(test_provenance_tells_where_and_of_what)
{
    char hash[65], data[128];
    ck_assert_int_eq(train("run", "--epochs=1"), 0);
    char *text = program_file("run/provenance.tsv"), *config = program_file("run/config.tsv");
    ck_assert(result_value(hash, sizeof hash, config, "#data-sha256") &&
              result_value(data, sizeof data, config, "#data-set"));
    ck_assert_str_eq(provenance(text, "data_sha256"), hash);
    ck_assert_str_eq(provenance(text, "data"), data);
    ck_assert_str_eq(provenance(text, "compiler"), __VERSION__);
    ck_assert_ptr_nonnull(strstr(provenance(text, "flags"), "-std=c11 "));
    expect_processor(provenance(text, "cpu"));
    free(text);
    free(config);
}
END_TEST

/* The same build went on, after two epochs: what it says of itself is what it said at the start. */
static void expect_continued(void)
{
    char *text = program_file("run/provenance.tsv"), date[32], rest[512];
    const char *line = strstr(text, "\ncontinued\t2 ");
    ck_assert_msg(line && sscanf(line, "\ncontinued\t2 %31s", date) == 1, "%s", text);
    ck_assert_msg(strlen(date) == 20 && strcmp(date, provenance(text, "started")) >= 0, "%s", text);
    snprintf(rest, sizeof rest, "\ncontinued\t2 %s %s %s %s", date, provenance(text, "commit"),
             provenance(text, "instruction_set"), provenance(text, "threads"));
    snprintf(rest + strlen(rest), sizeof rest - strlen(rest), " %s %s\n", provenance(text, "glibc"),
             provenance(text, "gsl"));
    ck_assert_msg(strncmp(line, rest, strlen(rest)) == 0, "not%sin %s", rest, text);
    free(text);
}

/* When, by which kernels and with how much memory; and when and after which epoch it went on. */
START_TEST(test_provenance_tells_what_was)
{
    struct tm started = {0};
    char *peak;
    setenv("TZ", "Asia/Tokyo", 1);
    ck_assert_int_eq(train("run", "--epochs=2 --kernels=bf16"), 0);
    char *text = program_file("run/provenance.tsv"), *config = program_file("run/config.tsv"),
         *set = strstr(text, "\ninstruction_set\t");
    ck_assert_ptr_nonnull(strstr(text, "\nkernels\tbf16\n"));
    set[strcspn(set + 1, "\n") + 1] = '\0';
    ck_assert_msg(strstr(config, strchr(set, '\t')) != NULL, "%s is not in %s", set, config);
    free(text);
    free(config);
    text = program_file("run/provenance.tsv");
    const char *date = strstr(text, "\nstarted\t");
    ck_assert(date && sscanf(date, " started %d-%d-%dT%d:%d:%dZ", &started.tm_year, &started.tm_mon,
                             &started.tm_mday, &started.tm_hour, &started.tm_min, &started.tm_sec) == 6);
    started.tm_year -= 1900;
    started.tm_mon--;
    setenv("TZ", "UTC", 1);
    ck_assert_double_le(fabs(difftime(time(NULL), mktime(&started))), 60);
    peak = strstr(text, "\npeak_mib\t");
    ck_assert(peak && provenance_number(text, "\npeak_mib\t") > 1 &&
              provenance_number(text, "\npeak_mib\t") < 4096);
    free(text);
    ck_assert_int_eq(program_shell("rm %s/run/result.tsv", program_folder), 0);
    ck_assert_int_eq(train("run", "--epochs=2 --kernels=bf16"), 0);
    expect_continued();
    text = program_file("run/provenance.tsv");
    peak = strstr(text, "\npeak_mib\t");
    ck_assert_msg(peak && !strstr(peak + 1, "\npeak_mib\t"), "%s", text);
    free(text);
}
END_TEST

/* Steps of the logits are counted over the whole run: with one iteration an epoch and two batches in D_b, the
 * second epoch takes the second batch. Nothing learns here, so equal batches would have equal losses. */
START_TEST(test_training_goes_on_through_b_across_epochs)
{
    double loss[2];
    ck_assert_int_eq(
        train("run", "--epochs=2 --images-a=24 --images-b=48 --lr=0 --lr-min=0 --logits-lr=1e-12"), 0);
    char *log = program_file("run/log.tsv"), *line = strchr(log, '\n');
    for (int epoch = 0; epoch < 2; epoch++, line = strchr(line + 1, '\n'))
        ck_assert_int_eq(sscanf(line, "%*d %*f %*f %*f %*f %lf", &loss[epoch]), 1);
    ck_assert_double_ne(loss[0], loss[1]);
    free(log);
}
END_TEST

START_TEST(test_training_with_ref_learns_the_same)
{
    ck_assert_int_eq(train("ref", "--epochs=1 --kernels=ref"), 0);
    ck_assert_int_eq(train("f32", "--epochs=1 --kernels=f32"), 0);
    ck_assert_double_eq_tol(result_number("ref", "train_loss"), result_number("f32", "train_loss"), 1e-4);
    /* bfloat16 has between two and three digits. */
    ck_assert_int_eq(train("bf16", "--epochs=1 --kernels=bf16"), 0);
    ck_assert_double_eq_tol(result_number("ref", "train_loss"), result_number("bf16", "train_loss"), 0.05);
}
END_TEST

Suite *training_suite(void)
{
    Suite *suite = suite_create("training");
    TCase *tcase = tcase_create("runs");
    tcase_add_checked_fixture(tcase, program_setup, program_teardown);
    tcase_add_checked_fixture(tcase, program_write_data, NULL);
    tcase_set_timeout(tcase, 120);
    tcase_add_test(tcase, test_training_learns);
    tcase_add_test(tcase, test_training_is_the_same_at_any_number_of_threads);
    tcase_add_test(tcase, test_training_continues_after_kills);
    tcase_add_test(tcase, test_training_prunes);
    tcase_add_test(tcase, test_evaluate_agrees_with_training);
    tcase_add_test(tcase, test_evaluate_counts_classes);
    tcase_add_test(tcase, test_timing_counts_images_of_the_seconds_of_training);
    tcase_add_test(tcase, test_progress_tells_the_time_that_is_left);
    tcase_add_test(tcase, test_provenance_tells_where_and_of_what);
    tcase_add_test(tcase, test_provenance_tells_what_was);
    tcase_add_test(tcase, test_training_goes_on_through_b_across_epochs);
    tcase_add_test(tcase, test_training_with_ref_learns_the_same);
    suite_add_tcase(suite, tcase);
    return suite;
}
