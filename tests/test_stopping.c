/* A run that is stopped or killed within an epoch goes on to the same bits. */
#include "../experiments/base/files.h"
#include "program.h"
#include "suites.h"
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* Deterministic however the run went: the last checkpoint too. */
static const char *const same[] = {"config.tsv",      "log.tsv",    "alpha.tsv",
                                   "predictions.tsv", "result.tsv", "checkpoint.h5"};

static void expect_same(const char *a, const char *b)
{
    for (size_t i = 0; i < sizeof same / sizeof *same; i++) {
        char left[256], right[256], *bytes[2];
        size_t count[2];
        snprintf(left, sizeof left, "%s/%s/%s", program_folder, a, same[i]);
        snprintf(right, sizeof right, "%s/%s/%s", program_folder, b, same[i]);
        ck_assert_msg(file_read(&bytes[0], &count[0], left, NULL) &&
                          file_read(&bytes[1], &count[1], right, NULL),
                      "%s is missing", same[i]);
        ck_assert_msg(count[0] == count[1] && memcmp(bytes[0], bytes[1], count[0]) == 0, "%s differs",
                      same[i]);
        free(bytes[0]);
        free(bytes[1]);
    }
}

/* 30 iterations an epoch. */
#define LONG                                                                                          \
    "--data=%s/data --layers=3 --channels=4 --levels=3 --images-a=60 --images-b=50 --images-test=50 " \
    "--images-epoch=50 --batch=2 --epochs=2 --save-minutes=%s --order=logits-first --threads=1"

static void sleep_milliseconds(long milliseconds)
{
    const struct timespec time = {milliseconds / 1000, milliseconds % 1000 * 1000000};
    nanosleep(&time, NULL);
}

/* Waits until the run has printed a line of progress, so that it is within an epoch; false if it ends before.
 */
static bool wait_for_progress(pid_t child, int *status)
{
    for (int i = 0; i < 4000; i++) {
        char *output = program_file("output");
        const char *first = output ? strstr(output, "/30  loss") : NULL;
        const bool running = first && strstr(first + 1, "/30  loss");
        free(output);
        if (running)
            return true;
        if (waitpid(child, status, WNOHANG) == child)
            return false;
        sleep_milliseconds(2);
    }
    return true;
}

/* Of the part before, whose progress is not this one's. */
static void forget_output(void)
{
    char output[128];
    snprintf(output, sizeof output, "%s/output", program_folder);
    remove(output);
}

static const int signals[] = {SIGTERM, SIGINT, SIGKILL};

/* Each part of the run is stopped once it is within an epoch; a kill finds a checkpoint of every iteration.
 */
START_TEST(test_run_goes_on_from_within_an_epoch)
{
    const int number = signals[_i];
    const bool kills = number == SIGKILL;
    int status, stops = 0, within = 0;
    ck_assert_int_eq(program_run("train --run=%s/whole " LONG, program_folder, program_folder, "3"), 0);
    for (;;) {
        forget_output();
        const pid_t child =
            program_start("train --run=%s/stopped " LONG, program_folder, program_folder, kills ? "0" : "3");
        if (!wait_for_progress(child, &status) || kill(child, number) != 0)
            break;
        ck_assert_int_eq(waitpid(child, &status, 0), child);
        if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
            break;
        stops++;
        ck_assert_int_lt(stops, 200);
        if (kills) {
            ck_assert(WIFSIGNALED(status));
            within++;
            continue;
        }
        ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 128 + number, "status %d", status);
        char *printed = program_file("output"), *sentence = strstr(printed, "train: SIG");
        ck_assert_msg(sentence && strstr(sentence, "the same command goes on from there\n"), "%s", printed);
        const char *of = strstr(sentence, " of 30 iterations");
        ck_assert_msg(of != NULL, "%s", sentence);
        while (of[-1] != ' ')
            of--;
        within += atoi(of) > 0 && atoi(of) < 30;
        free(printed);
    }
    ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0, "status %d", status);
    ck_assert_int_gt(stops, 0);
    ck_assert_int_gt(within, 0);
    expect_same("whole", "stopped");
}
END_TEST

/* Texts are written before the checkpoint that they belong to, which here cannot be: a folder has its name.
 * As after a kill between them, they are ahead of it, and cut back. */
static const char *const ahead[] = {"", "--depth=learned",
                                    "--net=fabric-sparse --pooling=none --head=linear --bias=no"};

START_TEST(test_run_goes_on_from_texts_ahead_of_their_checkpoint)
{
    char folder[128];
    int status;
    ck_assert_int_eq(
        program_run("train --run=%s/whole %s --common " LONG, program_folder, ahead[_i], program_folder, "3"),
        0);
    forget_output();
    const pid_t child = program_start("train --run=%s/stopped %s --common " LONG, program_folder, ahead[_i],
                                      program_folder, "3");
    ck_assert(wait_for_progress(child, &status) && kill(child, SIGTERM) == 0);
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    snprintf(folder, sizeof folder, "%s/stopped/checkpoint.sha256.tmp", program_folder);
    ck_assert_int_eq(mkdir(folder, 0777), 0);
    ck_assert_int_eq(program_run("train --run=%s/stopped %s --common " LONG, program_folder, ahead[_i],
                                 program_folder, "3"),
                     1);
    ck_assert_ptr_nonnull(strstr(program_output, "checkpoint.sha256.tmp"));
    ck_assert_int_eq(rmdir(folder), 0);
    char *log = program_file("stopped/log.tsv");
    ck_assert_ptr_nonnull(strstr(log, "\n1\t"));
    free(log);
    ck_assert_msg(program_run("train --run=%s/stopped %s --common " LONG, program_folder, ahead[_i],
                              program_folder, "3") == 0,
                  "%s", program_output);
    expect_same("whole", "stopped");
}
END_TEST

Suite *stopping_suite(void)
{
    Suite *suite = suite_create("stopping");
    TCase *tcase = tcase_create("within an epoch");
    tcase_add_checked_fixture(tcase, program_setup, program_teardown);
    tcase_add_checked_fixture(tcase, program_write_data, NULL);
    tcase_set_timeout(tcase, 60);
    tcase_add_loop_test(tcase, test_run_goes_on_from_within_an_epoch, 0, 3);
    tcase_add_loop_test(tcase, test_run_goes_on_from_texts_ahead_of_their_checkpoint, 0,
                        sizeof ahead / sizeof *ahead);
    suite_add_tcase(suite, tcase);
    return suite;
}
