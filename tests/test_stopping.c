/* A run that is stopped or killed within an epoch goes on to the same bits, and knows how long it took and
 * where it was. */
#include "../experiments/base/files.h"
#include "../experiments/runs/state.h"
#include "checkpoint_change.h"
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

/* Of so many epochs that nobody sees the last one. */
#define ENDLESS LONG " --epochs=100000"

static double seconds_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static State saved_state(void)
{
    State state;
    Error error;
    char folder[128];
    snprintf(folder, sizeof folder, "%s/stopped", program_folder);
    Checkpoint *c = state_open(&state, folder, &error);
    ck_assert_msg(c != NULL, "%s", error.text);
    checkpoint_abandon(c);
    return state;
}

/* Who ended it, and where it is: as its checkpoint says. */
static void expect_stop(const State *state)
{
    char sentence[512], *printed = program_file("output");
    snprintf(sentence, sizeof sentence,
             "train: SIGTERM ended %s/stopped after %d epochs and %d of 30 iterations, and all is saved: the "
             "same command goes on from there\n",
             program_folder, state->epoch, state->iteration);
    ck_assert_msg(strstr(printed, sentence) != NULL, "no %s in %s", sentence, printed);
    free(printed);
}

/* Starts the run, or goes on with it, until it is stopped where an epoch has steps that are done, and steps
 * that are left. */
static State stop_within_an_epoch(void)
{
    State state;
    int turns = 0, status;
    do {
        forget_output();
        const pid_t child =
            program_start("train --run=%s/stopped " ENDLESS, program_folder, program_folder, "1000");
        ck_assert(wait_for_progress(child, &status) && kill(child, SIGTERM) == 0);
        ck_assert_int_eq(waitpid(child, &status, 0), child);
        ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 128 + SIGTERM, "status %d", status);
        state = saved_state();
        expect_stop(&state);
    } while ((state.iteration == 0 || state.iteration == 30) && ++turns < 100);
    ck_assert_int_lt(turns, 100);
    return state;
}

/* How long an epoch trained, once it is done. */
static double training_seconds(int epoch)
{
    double seconds = -1;
    char start[32];
    snprintf(start, sizeof start, "\n%d\t", epoch);
    for (int i = 0; i < 10000 && seconds < 0; i++) {
        char *timing = program_file("stopped/timing.tsv"), *line = timing ? strstr(timing, start) : NULL;
        if (line)
            seconds = atof(line + strlen(start));
        free(timing);
        sleep_milliseconds(2);
    }
    return seconds;
}

/* An epoch trained as long as all its parts. The first is said to have taken a thousand seconds, which no
 * other takes. */
START_TEST(test_run_adds_up_the_seconds_of_an_epoch)
{
    double start = seconds_now();
    const State state = stop_within_an_epoch();
    ck_assert_double_gt(state.seconds, 0);
    ck_assert_double_lt(state.seconds, seconds_now() - start);
    checkpoint_change("stopped", "seconds", 0, 1000);
    start = seconds_now();
    const pid_t child =
        program_start("train --run=%s/stopped " ENDLESS, program_folder, program_folder, "1000");
    const double whole = training_seconds(state.epoch + 1), next = training_seconds(state.epoch + 2),
                 most = seconds_now() - start;
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    ck_assert_double_ge(whole, 1000);
    ck_assert_double_le(whole, 1000 + most);
    ck_assert_double_gt(next, 0);
    ck_assert_double_le(next, most);
}
END_TEST

/* A filter with which everything that follows overflows: the next step is the one that has no loss. */
START_TEST(test_run_names_the_step_at_which_it_fails)
{
    char place[256];
    const State state = stop_within_an_epoch();
    checkpoint_change("stopped", "filters", 0, 3e38);
    ck_assert_int_eq(program_run("train --run=%s/stopped " ENDLESS, program_folder, program_folder, "1000"),
                     1);
    snprintf(place, sizeof place, " in epoch %d, iteration %d, of %s/stopped: choose a smaller --lr",
             state.epoch + 1, state.iteration + 1, program_folder);
    ck_assert_msg(strstr(program_output, place) != NULL, "no%s in %s", place, program_output);
}
END_TEST

/* Larger, so that an epoch takes longer than it takes to look at it. */
#define SLOW "train --run=%s/stopped " ENDLESS " --layers=6 --channels=32"

static void stop_for_a_while(pid_t child)
{
    int status;
    ck_assert_int_eq(kill(child, SIGSTOP), 0);
    ck_assert_int_eq(waitpid(child, &status, WUNTRACED), child);
    ck_assert(WIFSTOPPED(status));
}

static struct timespec checkpoint_time(void)
{
    char path[128];
    struct stat status;
    snprintf(path, sizeof path, "%s/stopped/checkpoint.h5", program_folder);
    ck_assert_int_eq(stat(path, &status), 0);
    return status.st_mtim;
}

/* Lets the run go on until it has saved itself. */
static void let_save(pid_t child)
{
    const struct timespec before = checkpoint_time();
    struct timespec now = before;
    kill(child, SIGCONT);
    for (int i = 0; i < 20000 && now.tv_sec == before.tv_sec && now.tv_nsec == before.tv_nsec; i++) {
        sleep_milliseconds(1);
        now = checkpoint_time();
    }
    stop_for_a_while(child);
}

/* 0.05 minutes are three seconds: before they have passed no checkpoint is of within an epoch, and
 * the next step after them makes one. Where the epoch ends before we look, once more. */
START_TEST(test_run_is_saved_every_so_many_minutes)
{
    const double every = 3;
    bool saved = false;
    for (int turn = 0; turn < 5 && !saved; turn++) {
        int status;
        ck_assert_int_eq(program_shell("rm -rf %s/stopped %s/output", program_folder, program_folder), 0);
        const double start = seconds_now();
        const pid_t child = program_start(SLOW, program_folder, program_folder, "0.05");
        ck_assert(wait_for_progress(child, &status));
        stop_for_a_while(child);
        if (seconds_now() - start < every)
            ck_assert_int_eq(saved_state().iteration, 0);
        sleep_milliseconds(3100);
        let_save(child);
        saved = saved_state().iteration > 0;
        kill(child, SIGKILL);
        waitpid(child, NULL, 0);
    }
    ck_assert(saved);
}
END_TEST

/* A process that has started the run writes an epoch's texts before its checkpoint too, which here cannot be:
 * what a kill between them leaves is cut back, where a checkpoint without its texts would be refused. */
START_TEST(test_run_writes_texts_first_from_its_start)
{
    char folder[128], line[32];
    int status;
    const pid_t child = program_start(SLOW, program_folder, program_folder, "1000");
    ck_assert(wait_for_progress(child, &status));
    stop_for_a_while(child);
    snprintf(line, sizeof line, "\n%d\t", saved_state().epoch + 1);
    snprintf(folder, sizeof folder, "%s/stopped/checkpoint.sha256.tmp", program_folder);
    ck_assert_int_eq(mkdir(folder, 0777), 0);
    kill(child, SIGCONT);
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 1);
    char *log = program_file("stopped/log.tsv");
    ck_assert_ptr_nonnull(strstr(log, line));
    free(log);
}
END_TEST

/* A dump is of a whole run. */
START_TEST(test_run_that_is_stopped_leaves_no_dump)
{
    char sentence[512];
    int status;
    const pid_t child = program_start(SLOW " --epochs=20 --dump=%s/dump.h5", program_folder, program_folder,
                                      "1000", program_folder);
    ck_assert(wait_for_progress(child, &status) && kill(child, SIGTERM) == 0);
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 128 + SIGTERM, "status %d", status);
    snprintf(sentence, sizeof sentence,
             "train: there is no --dump=%s/dump.h5, which is for a whole run: remove %s/stopped to train it "
             "anew\n",
             program_folder, program_folder);
    char *printed = program_file("output");
    ck_assert_msg(strstr(printed, sentence) != NULL, "no %s in %s", sentence, printed);
    free(printed);
    ck_assert_ptr_null(program_file("dump.h5"));
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
    tcase_add_test(tcase, test_run_adds_up_the_seconds_of_an_epoch);
    tcase_add_test(tcase, test_run_names_the_step_at_which_it_fails);
    tcase_add_test(tcase, test_run_is_saved_every_so_many_minutes);
    tcase_add_test(tcase, test_run_writes_texts_first_from_its_start);
    tcase_add_test(tcase, test_run_that_is_stopped_leaves_no_dump);
    suite_add_tcase(suite, tcase);
    return suite;
}
