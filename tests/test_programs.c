#define _GNU_SOURCE /* memmem */
/* Bad input to train: one line that says what, where and what to do; exit status 1; nothing left
 * half-written. What reads a finished run is tried in test_programs_finished.c; build/kernel and build/bench
 * have suites of their own. */
#include "../experiments/base/files.h"
#include "program.h"
#include "suites.h"
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void expect_no_run(void)
{
    struct stat status;
    char path[128];
    snprintf(path, sizeof path, "%s/run", program_folder);
    ck_assert_msg(stat(path, &status) != 0, "a refused run left its folder");
}

static const struct {
    const char *options, *word;
} refused[] = {
    {"--colour=red", "there is no option --colour"},
    {"--layers=many", "whole number"},
    {"--layers", "no value"},
    {"layers=3", "is no option"},
    {"--kernels=gpu", "ref|f32|bf16"},
    {"--threads=-2", "--threads"},
    {"--save-minutes=-1", "--save-minutes is -1"},
    {"--save-minutes=3m", "--save-minutes is 3m"},
    {"--save-minutes=1000001", "--save-minutes is 1000001"},
    {"--levels=7", "does not divide"},
    {"--pooling=predefined --stages=1,2", "--stages"},
    {"--batch=60", "a batch of 60"},
    {"--images-a=190", "190 + 50"},
    {"--images-test=51", "51"},
    {"--data=nowhere", "nowhere"},
    {"--data=/nonexistent/folder", "/nonexistent/folder"},
    {"--prune-from=nobody", "nobody"},
    {"--run=", "--run"},
};
enum { REFUSED = sizeof refused / sizeof *refused };

START_TEST(test_train_refuses)
{
    ck_assert_int_eq(program_train(refused[_i].options), 1);
    program_expects_one_line("train: ", refused[_i].word);
    expect_no_run();
}
END_TEST

START_TEST(test_train_without_arguments_says_what_is_missing)
{
    ck_assert_int_eq(program_run("train"), 1);
    program_expects_one_line("train: ", "--run");
    ck_assert_int_eq(program_run("train --help"), 0);
    ck_assert_ptr_nonnull(strstr(program_output, "--weight-decay="));
    ck_assert_ptr_nonnull(strstr(program_output, "--stages="));
}
END_TEST

START_TEST(test_train_refuses_a_folder_of_other_options)
{
    ck_assert_msg(program_train("") == 0, "%s", program_output);
    char *before = program_file("run/result.tsv");
    ck_assert_int_eq(program_train("--lr=0.05"), 1);
    program_expects_one_line("train: ", "--lr=0.1, not 0.05");
    char *after = program_file("run/result.tsv");
    ck_assert_str_eq(before, after);
    free(before);
    free(after);
}
END_TEST

START_TEST(test_train_refuses_other_data_in_the_same_folder)
{
    ck_assert_int_eq(program_train(""), 0);
    char path[128];
    snprintf(path, sizeof path, "%s/data/test_batch.bin", program_folder);
    FILE *file = fopen(path, "r+b");
    ck_assert_ptr_nonnull(file);
    fseek(file, 100, SEEK_SET);
    fputc(255, file);
    fclose(file);
    ck_assert_int_eq(program_train(""), 1);
    program_expects_one_line("train: ", "data of SHA-256");
}
END_TEST

/* Data files: what is done to test_batch.bin, and the word that the sentence must have. */
static void spoil(int how)
{
    char path[128];
    snprintf(path, sizeof path, "%s/data/test_batch.bin", program_folder);
    FILE *file = fopen(path, "r+b");
    ck_assert_ptr_nonnull(file);
    if (how == 1)
        ck_assert_int_eq(ftruncate(fileno(file), 3073 * 20 + 5), 0);
    if (how == 2) {
        fseek(file, 0, SEEK_END);
        fputc(0, file);
    }
    if (how == 3) {
        fseek(file, 3073 * 7, SEEK_SET);
        fputc(10, file);
    }
    if (how == 4)
        ck_assert_int_eq(ftruncate(fileno(file), 0), 0);
    fclose(file);
    if (how == 0)
        remove(path);
}

START_TEST(test_train_refuses_bad_data_files)
{
    spoil(_i);
    ck_assert_int_eq(program_train(""), 1);
    program_expects_one_line("train: ", "test_batch.bin");
    expect_no_run();
}
END_TEST

START_TEST(test_train_refuses_an_unwritable_folder)
{
    ck_assert_int_eq(program_run("train --run=%s/data/test_batch.bin/run --data=%s/data " PROGRAM_SMALL,
                                 program_folder, program_folder),
                     1);
    program_expects_one_line("train: ", "test_batch.bin/run");
}
END_TEST

/* No file may grow beyond 2,000 bytes, so the checkpoint cannot be written. SIGXFSZ does not kill in silence:
 * write() fails, as on a full disk. */
START_TEST(test_train_survives_a_full_disk)
{
    const struct rlimit small = {2000, RLIM_INFINITY}, all = {RLIM_INFINITY, RLIM_INFINITY};
    signal(SIGXFSZ, SIG_DFL);
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &small), 0);
    const int status = program_train("");
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &all), 0);
    ck_assert_int_eq(status, 1);
    char *checkpoint = program_file("run/checkpoint.h5"), *result = program_file("run/result.tsv");
    ck_assert_ptr_null(checkpoint);
    ck_assert_ptr_null(result);
    program_expects_one_line("train: ", "checkpoint");
    ck_assert_msg(program_train("") == 0, "does not continue: %s", program_output);
}
END_TEST

/* Standard output that takes nothing, or is closed: what was to be seen was not. */
START_TEST(test_programs_fail_on_a_full_standard_output)
{
    static const char *const lines[] = {"train --help", "evaluate --help", "table --help", "kernel --help",
                                        "bench --help", "audit --help",    "probe --help"};
    char command[256];
    ck_assert_int_eq(program_train(""), 0);
    program_stdout = "/dev/full";
    for (int i = 0; i < 7; i++) {
        ck_assert_msg(program_run("%s", lines[i]) == 1, "%s", lines[i]);
        ck_assert_msg(strstr(program_output, "not all of the output"), "%s says %s", lines[i],
                      program_output);
    }
    ck_assert_int_eq(program_run("evaluate %s/run %s/data/test_batch.bin", program_folder, program_folder),
                     1);
    program_expects_one_line("evaluate: ", "No space left");
    ck_assert_int_eq(program_train(""), 1); /* finished already */
    ck_assert_int_eq(program_train("--seed=3"), 1);
    program_stdout = NULL;
    const char *build = getenv("NOPOOL_BUILD");
    snprintf(command, sizeof command, "%s/evaluate %s/run %s/data/test_batch.bin >&- 2>&-",
             build ? build : "build", program_folder, program_folder);
    ck_assert_int_ne(system(command), 0);
}
END_TEST

START_TEST(test_programs_explain_themselves)
{
    static const char *const names[] = {"train", "evaluate", "table", "kernel", "bench", "audit", "probe"};
    for (int i = 0; i < 14; i++) {
        ck_assert_int_eq(program_run("%s %s", names[i / 2], i % 2 ? "-h" : "--help"), 0);
        ck_assert_msg(strstr(program_output, names[i / 2]) && strchr(program_output, '\n')[1], "%s says %s",
                      names[i / 2], program_output);
    }
}
END_TEST

static void expect_threads(const char *value)
{
    char line[32];
    char *provenance = program_file("run/provenance.tsv");
    ck_assert_ptr_nonnull(provenance);
    snprintf(line, sizeof line, "\nthreads\t%s\n", value);
    ck_assert_msg(strstr(provenance, line) != NULL, "no %s in %s", value, provenance);
    ck_assert_ptr_nonnull(strstr(provenance, "\nglibc\t"));
    ck_assert_ptr_nonnull(strstr(provenance, "\ngsl\t"));
    free(provenance);
}

/* What OpenMP's environment says holds where --threads does not; a limit holds always. */
START_TEST(test_train_respects_the_number_of_threads)
{
    static const struct {
        const char *name, *value, *options, *threads;
    } cases[] = {{"OMP_NUM_THREADS", "3", "", "3"},
                 {"OMP_NUM_THREADS", "1", "--threads=0", "1"},
                 {"OMP_NUM_THREADS", "1", "--threads=2", "2"},
                 {"OMP_THREAD_LIMIT", "1", "--threads=2", "1"}};
    setenv(cases[_i].name, cases[_i].value, 1);
    const int status = program_train(cases[_i].options);
    unsetenv(cases[_i].name);
    ck_assert_msg(status == 0, "%s", program_output);
    expect_threads(cases[_i].threads);
}
END_TEST

/* Without make, threads that wait go to sleep early too: seen in the environment of the program that runs. */
START_TEST(test_train_waits_briefly)
{
    char path[64], environment[8192] = "";
    char *policy = getenv("OMP_WAIT_POLICY") ? strdup(getenv("OMP_WAIT_POLICY")) : NULL;
    unsetenv("OMP_WAIT_POLICY");
    unsetenv("GOMP_SPINCOUNT");
    const pid_t child = program_start("train --run=%s/run --data=%s/data " PROGRAM_SMALL " --epochs=100000",
                                      program_folder, program_folder);
    snprintf(path, sizeof path, "/proc/%ld/environ", (long)child);
    bool found = false;
    for (int i = 0; i < 1000 && !found; i++) {
        FILE *in = fopen(path, "r");
        const size_t count = in ? fread(environment, 1, sizeof environment, in) : 0;
        found = memmem(environment, count, "GOMP_SPINCOUNT=1000", 20) != NULL;
        if (in)
            fclose(in);
        nanosleep(&(struct timespec){0, 5000000}, NULL);
    }
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    if (policy)
        setenv("OMP_WAIT_POLICY", policy, 1);
    free(policy);
    ck_assert(found);
}
END_TEST

START_TEST(test_train_refuses_an_option_without_effect)
{
    const char *line =
        "train --run=%s/run --data=%s/data --layers=2 --channels=2 --images-a=100 --images-b=50 "
        "--images-test=20 --batch=20 --epochs=1 --pooling=none %s--stages=1,1";
    ck_assert_int_eq(program_run(line, program_folder, program_folder, ""), 1);
    program_expects_one_line("train: ", "--stages has no effect in this run, it needs --pooling=predefined");
    expect_no_run();
    ck_assert_msg(program_run(line, program_folder, program_folder, "--common ") == 0, "%s", program_output);
    char *config = program_file("run/config.tsv");
    ck_assert_ptr_nonnull(strstr(config, "\nstages\t1,1\n")); /* recorded */
    free(config);
}
END_TEST

/* A pruned run fine-tunes on the images that its source had: another split would hand it the source's D_b. */
static const struct {
    const char *options, *word;
} strangers[] = {
    {"--seed=2", "--seed=1, not 2"},
    {"--images-a=90", "--images-a=100, not 90"},
    {"--images-b=40", "--images-b=50, not 40"},
    {"--lr=0.05", "--lr=0.1, not 0.05"},
    {"--kernels=ref", "--kernels=f32, not ref"},
    {"--augment=no", "--augment=yes, not no"},
    {"--channels=3", "--channels=2, not 3"},
    {"--batch=10", "--batch=20, not 10"},
    {"--data=%s/other/", "data of SHA-256"},
};
enum { STRANGERS = sizeof strangers / sizeof *strangers };

START_TEST(test_train_refuses_to_prune_a_strangers_run)
{
    char command[512], options[256];
    ck_assert_int_eq(program_train(""), 0);
    snprintf(command, sizeof command,
             "cp -r %s/data %s/other && printf '\\1' | dd of=%s/other/test_batch.bin "
             "conv=notrunc status=none",
             program_folder, program_folder, program_folder);
    ck_assert_int_eq(system(command), 0);
    for (int i = 0; i < STRANGERS; i++) {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
        snprintf(options, sizeof options, strangers[i].options, program_folder);
#pragma GCC diagnostic pop
        ck_assert_int_eq(program_run("train --run=%s/pruned --prune-from=run --prune-threshold=1 %s",
                                     program_folder, options),
                         1);
        program_expects_one_line("train: ", strangers[i].word);
        ck_assert_ptr_null(program_file("pruned/config.tsv"));
    }
    ck_assert_msg(program_run("train --run=%s/pruned --prune-from=run --prune-threshold=1 --images-test=10",
                              program_folder) == 0,
                  "%s", program_output);
}
END_TEST

/* In a copy without .git, inside another repository. */
START_TEST(test_build_records_no_commit_of_a_neighbour)
{
    char command[1024];
    snprintf(command, sizeof command,
             "cd %s && git init -q . && git -c user.name=a -c user.email=a@b commit -q --allow-empty -m x && "
             "mkdir copy && cp -r \"$OLDPWD\"/Makefile copy && for f in \"$OLDPWD\"/*/*.mk "
             "\"$OLDPWD\"/*/*/*.mk; do "
             "d=copy/${f#\"$OLDPWD\"/}; mkdir -p ${d%%/*} && cp \"$f\" $d; done && "
             "env -u MAKEFLAGS -u MAKELEVEL make -s -C copy BUILD=b b/commit >/dev/null && grep -qx unknown "
             "copy/b/commit",
             program_folder);
    ck_assert_msg(system(command) == 0, "recorded %s", program_file("copy/b/commit"));
}
END_TEST

Suite *programs_suite(void)
{
    Suite *suite = suite_create("programs");
    TCase *tcase = tcase_create("bad input");
    tcase_add_checked_fixture(tcase, program_setup, program_teardown);
    tcase_add_checked_fixture(tcase, program_write_data, NULL);
    tcase_set_timeout(tcase, 60);
    tcase_add_loop_test(tcase, test_train_refuses, 0, REFUSED);
    tcase_add_test(tcase, test_train_without_arguments_says_what_is_missing);
    tcase_add_test(tcase, test_train_refuses_a_folder_of_other_options);
    tcase_add_test(tcase, test_train_refuses_other_data_in_the_same_folder);
    tcase_add_loop_test(tcase, test_train_refuses_bad_data_files, 0, 5);
    tcase_add_test(tcase, test_train_refuses_an_unwritable_folder);
    tcase_add_test(tcase, test_train_survives_a_full_disk);
    tcase_add_test(tcase, test_programs_fail_on_a_full_standard_output);
    tcase_add_test(tcase, test_programs_explain_themselves);
    tcase_add_loop_test(tcase, test_train_respects_the_number_of_threads, 0, 4);
    tcase_add_test(tcase, test_train_waits_briefly);
    tcase_add_test(tcase, test_train_refuses_an_option_without_effect);
    tcase_add_test(tcase, test_train_refuses_to_prune_a_strangers_run);
    tcase_add_test(tcase, test_build_records_no_commit_of_a_neighbour);
    suite_add_tcase(suite, tcase);
    suite_add_tcase(suite, programs_finished_case());
    return suite;
}
