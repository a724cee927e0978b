/* The folder of a run is one state: whatever is edited, cut, removed or impossible in it is refused by name,
 * and one process has it at a time. */
#include "../experiments/base/files.h"
#include "../experiments/base/lock.h"
#include "../experiments/tables/record.h"
#include "checkpoint_change.h"
#include "program.h"
#include "suites.h"
#include <hdf5.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SMALL                                                                               \
    "--data=%s/data --layers=2 --channels=2 --images-a=100 --images-b=50 --images-test=20 " \
    "--images-epoch=20 --batch=20 --epochs=2 --common --levels=2"

static int train(const char *more)
{
    return program_run("train --run=%s/run " SMALL " %s", program_folder, program_folder, more);
}

static int evaluate(void)
{
    return program_run("evaluate %s/run %s/data/test_batch.bin", program_folder, program_folder);
}

static int prune(void)
{
    return program_run("train --run=%s/pruned --prune-from=run --prune-threshold=1", program_folder);
}

/* A finished run, trained once, of which each test has a copy. */
static char finished[sizeof program_folder];

static void make_finished(void)
{
    program_setup();
    program_write_data();
    ck_assert_msg(train("") == 0, "%s", program_output);
    strcpy(finished, program_folder);
}

static void remove_finished(void)
{
    strcpy(program_folder, finished);
    program_teardown();
}

static void copy_finished(void)
{
    char command[256];
    program_setup();
    snprintf(command, sizeof command, "cp -r %s/data %s/run %s", finished, finished, program_folder);
    ck_assert_int_eq(system(command), 0);
}

static const char *path_of(const char *name)
{
    static char path[4][256];
    static int next;
    char *p = path[next++ % 4];
    snprintf(p, sizeof path[0], "%s/run/%s", program_folder, name);
    return p;
}

static void write_file(const char *name, const char *text)
{
    Error error;
    ck_assert_msg(file_write(path_of(name), text, strlen(text), &error), "%s", error.text);
}

/* Replaces the first `from` in a file of the run by `to`. */
static void edit(const char *name, const char *from, const char *to)
{
    char *text = program_file("run/%s", name), edited[8192];
    const char *at = text ? strstr(text, from) : NULL;
    ck_assert_msg(at != NULL, "no %s in %s", from, name);
    snprintf(edited, sizeof edited, "%.*s%s%s", (int)(at - text), text, to, at + strlen(from));
    free(text);
    write_file(name, edited);
}

/* What is done to a finished run, and what the refusal must say. */
static const struct {
    const char *name, *from, *to, *word;
    bool evaluates; /* the network is still what it was */
} edits[] = {
    {"log.tsv", "\n2\t", "\n2\t0", "log.tsv is not the text", true},
    {"alpha.tsv", "\n2\t1\t0", "\n2\t1\t1", "alpha.tsv is not the text", true},
    {"config.tsv", "\nlr\t0.1\n", "\nlr\t0.2\n", "config.tsv is not the text", false},
    {"config.tsv", "\nlr\t0.1\n", "\n", "config.tsv is not the text", false},
    {"predictions.tsv", "label\tpredicted\n", "label\tpredicted\n0", "predictions.tsv is not the text", true},
    {"result.tsv", "accuracy\t", "accuracy\t9", "of accuracy", true},
    {"result.tsv", "macs\t", "macs\t9", "of macs", true},
    {"result.tsv", "total_epochs\t2", "total_epochs\t3", "3 of total_epochs", true},
};
enum { EDITS = sizeof edits / sizeof *edits };

START_TEST(test_folder_refuses_an_edited_text)
{
    edit(edits[_i].name, edits[_i].from, edits[_i].to);
    ck_assert_int_eq(train(""), 1);
    program_expects_one_line("train: ", edits[_i].word);
    ck_assert_int_eq(prune(), 1);
    program_expects_one_line("train: ", edits[_i].word);
    ck_assert_int_eq(evaluate(), edits[_i].evaluates ? 0 : 1);
}
END_TEST

/* The last line of the log becomes the result of whoever takes the result away. */
START_TEST(test_folder_does_not_make_a_result_from_an_edited_log)
{
    char *right = program_file("run/result.tsv");
    ck_assert_int_eq(remove(path_of("result.tsv")), 0);
    char *log = program_file("run/log.tsv"), *last = strstr(log, "\n2\t");
    ck_assert_int_eq(train(""), 0); /* what was taken away is written again */
    char *again = program_file("run/result.tsv");
    ck_assert_str_eq(right, again);
    ck_assert_int_eq(remove(path_of("result.tsv")), 0);
    last[1] = 0; /* cut */
    write_file("log.tsv", log);
    ck_assert_int_eq(train(""), 1);
    program_expects_one_line("train: ", "log.tsv is not the text");
    ck_assert_ptr_null(program_file("run/result.tsv"));
    free(right);
    free(again);
    free(log);
}
END_TEST

static const struct {
    const char *removed, *word;
} removals[] = {
    {"config.tsv", "no config.tsv"},
    {"checkpoint.h5", "no checkpoint.h5"},
    {"log.tsv", "log.tsv is missing, though 2 epochs are done"},
    {"alpha.tsv", "alpha.tsv is missing, though 2 epochs are done"},
    {"predictions.tsv", "predictions.tsv"},
    {"timing.tsv", "timing.tsv is missing, though 2 epochs are done"},
};
enum { REMOVALS = sizeof removals / sizeof *removals };

START_TEST(test_folder_names_what_was_removed)
{
    ck_assert_int_eq(remove(path_of("result.tsv")), 0);
    ck_assert_int_eq(remove(path_of(removals[_i].removed)), 0);
    ck_assert_int_eq(train(""), 1);
    program_expects_one_line("train: ", removals[_i].word);
    char *now = program_file("run/%s", removals[_i].removed);
    ck_assert_ptr_null(now);
}
END_TEST

START_TEST(test_folder_says_that_its_config_is_empty)
{
    write_file("config.tsv", "");
    ck_assert_int_eq(evaluate(), 1);
    program_expects_one_line("evaluate: ", "config.tsv is empty");
    ck_assert_int_eq(train(""), 1);
    program_expects_one_line("train: ", "config.tsv is not the text");
}
END_TEST

/* A pipe that nobody writes to: whoever opens it plainly waits for ever. */
static const char *const piped[] = {"config.tsv",      "log.tsv",        "alpha.tsv",         "timing.tsv",
                                    "result.tsv",      "checkpoint.h5",  "checkpoint.sha256", "lock",
                                    "predictions.tsv", "provenance.tsv", "log.tsv.tmp"};
enum { PIPED = sizeof piped / sizeof *piped };

START_TEST(test_folder_does_not_wait_for_a_pipe)
{
    remove(path_of("result.tsv"));
    remove(path_of(piped[_i]));
    ck_assert_int_eq(mkfifo(path_of(piped[_i]), 0666), 0);
    const bool temporary = strstr(piped[_i], ".tmp") != NULL; /* these are written anew */
    ck_assert_int_eq(train(""), temporary ? 0 : 1);
    if (!temporary)
        program_expects_one_line("train: ", piped[_i]);
    evaluate();
}
END_TEST

START_TEST(test_folder_has_one_owner)
{
    Error error;
    int lock, second;
    char owner[64], folder[128];
    snprintf(folder, sizeof folder, "%s/run", program_folder);
    ck_assert_int_eq(remove(path_of("result.tsv")), 0);
    ck_assert_msg(folder_lock(&lock, folder, &error), "%s", error.text);
    snprintf(owner, sizeof owner, "process %ld on ", (long)getpid());
    ck_assert(!folder_lock(&second, folder, &error));
    ck_assert_msg(strstr(error.text, owner) != NULL, "%s", error.text);
    ck_assert_int_eq(train(""), 1);
    program_expects_one_line("train: ", owner);
    ck_assert_ptr_null(program_file("run/result.tsv"));
    folder_unlock(lock);
    ck_assert_msg(train("") == 0, "%s", program_output);
}
END_TEST

/* The same bytes under another path are the same data. */
START_TEST(test_folder_knows_its_data_by_their_hash)
{
    char command[256];
    snprintf(command, sizeof command, "cp -r %s/data %s/copy", program_folder, program_folder);
    ck_assert_int_eq(system(command), 0);
    char *before = program_file("run/config.tsv");
    ck_assert_msg(program_run("train --run=%s/run " SMALL " --data=%s/copy/", program_folder, program_folder,
                              program_folder) == 0,
                  "%s", program_output);
    char *after = program_file("run/config.tsv");
    ck_assert_str_eq(before, after);
    free(before);
    free(after);
}
END_TEST

START_TEST(test_folder_says_which_instruction_set_it_was_made_with)
{
    edit("config.tsv", "#instruction-set\t", "#instruction-set\tquantum-");
    remove(path_of("checkpoint.h5"));
    remove(path_of("log.tsv"));
    remove(path_of("alpha.tsv"));
    remove(path_of("timing.tsv"));
    remove(path_of("predictions.tsv"));
    remove(path_of("result.tsv")); /* as if it had been killed before its first checkpoint */
    ck_assert_int_eq(train(""), 1);
    program_expects_one_line("train: ", "the instruction set quantum-");
}
END_TEST

/* One layer has 2 * 3 * 9 filters, 2 biases; the tracked statistics are 2 means, 2 variances and a weight a
 * level. */
static const struct {
    const char *name;
    int at;
    double value;
    const char *word;
} impossible[] = {
    {"epoch", 0, -1, "epoch is -1"},
    {"epoch", 0, NAN, "epoch is"},
    {"epoch", 0, 0.5, "epoch is 0.5"},
    {"epoch", 0, 7, "7 epochs of 2"},
    {"iteration", 0, -3, "iteration is -3"},
    {"iteration", 0, 1, "iteration is 1"}, /* the last epoch is done */
    {"iteration", 0, 1e300, "iteration is 1e+300"},
    {"tally_a", 0, NAN, "tally_a is"},
    {"tally_a", 3, 0.5, "tally_a is 0.5"},
    {"tally_a", 3, 1, "tally_a is"},  /* right, of no images */
    {"tally_a", 4, 20, "tally_a is"}, /* images, of no steps */
    {"tally_b", 5, 2, "tally_b is 2"},
    {"seconds", 0, -1, "seconds is -1"},
    {"kept", 0, 0, "checkpoint.h5"},
    {"kept", 1, 512, "kept is 512"},
    {"kept", 1, -1, "kept is -1"},
    {"kept", 0, 1.5, "kept is 1.5"},
    {"kept", 0, 4, "checkpoint.h5"},
    {"mean", 0, NAN, "checkpoint.h5"},
    {"deviation", 1, 2, "deviation is 2"},
    {"deviation", 2, 0, "deviation is 0"},
    {"filters", 3, NAN, "the filters of layer 1 hold nan"},
    {"filters", 56, INFINITY, "the filters of layer 2 hold inf"},
    {"velocity", 0, 1e300, "the velocities of layer 1 hold inf"}, /* in float */
    {"logits", 2, NAN, "the logits of layer 2 hold nan"},
    {"moment1", 0, -INFINITY, "the first moments of layer 1 hold -inf"},
    {"moment2", 3, -1, "the second moments of layer 2 hold -1"},
    {"statistics", 0, NAN, "the statistics of layer 1 hold nan"},
    {"statistics", 2, -1, "the statistics of layer 1 hold -1"},
    {"statistics", 9, 2, "the statistics of layer 1 hold 2"},
    {"statistics", 14, -1, NULL}, /* a mean of layer 2 may be negative */
};
enum { IMPOSSIBLE = sizeof impossible / sizeof *impossible };

START_TEST(test_folder_refuses_an_impossible_checkpoint)
{
    checkpoint_change("run", impossible[_i].name, impossible[_i].at, impossible[_i].value);
    if (!impossible[_i].word) {
        ck_assert_msg(evaluate() == 0, "%s", program_output);
        return;
    }
    const bool also_evaluates = strcmp(impossible[_i].name, "kept") == 0 && impossible[_i].value == 1;
    ck_assert_int_eq(evaluate(), also_evaluates ? 0 : 1);
    program_expects_one_line("evaluate: ", impossible[_i].word);
    ck_assert_int_eq(prune(), 1);
    program_expects_one_line("train: ", impossible[_i].word);
    ck_assert_ptr_null(program_file("pruned/config.tsv"));
    ck_assert_int_eq(remove(path_of("result.tsv")), 0);
    ck_assert_int_eq(train(""), 1);
    program_expects_one_line("train: ", "checkpoint.h5");
    ck_assert_ptr_null(program_file("run/result.tsv"));
}
END_TEST

/* HDF5 locks a file that it has open for writing. */
START_TEST(test_folder_says_that_its_checkpoint_is_held_open)
{
    hid_t file = H5Fopen(path_of("checkpoint.h5"), H5F_ACC_RDWR, H5P_DEFAULT);
    ck_assert(file >= 0);
    FILE *bytes = fopen(path_of("checkpoint.h5"), "r+b");
    fseek(bytes, 100, SEEK_SET);
    const int byte = fgetc(bytes);
    fseek(bytes, 100, SEEK_SET);
    fputc(byte ^ 1, bytes);
    fclose(bytes);
    ck_assert_int_eq(evaluate(), 1);
    program_expects_one_line("evaluate: ", "held open for writing");
    H5Fclose(file);
    ck_assert_int_eq(evaluate(), 1);
    program_expects_one_line("evaluate: ", "does not have the SHA-256");
}
END_TEST

/* A rate at which everything overflows within a few steps. The second epoch is the bad one. */
START_TEST(test_folder_keeps_the_last_good_checkpoint_of_a_run_that_ends_on_nan)
{
    char command[128];
    snprintf(command, sizeof command, "rm -r %s/run", program_folder);
    ck_assert_int_eq(system(command), 0);
    const char *wild = "--pooling=none --epochs=40 --lr=1000 --lr-min=1000 --momentum=1 --weight-decay=1000";
    ck_assert_int_eq(train(wild), 1);
    ck_assert_ptr_nonnull(strstr(program_output, "train: the "));
    ck_assert_ptr_nonnull(strstr(program_output, " of layer "));
    ck_assert_ptr_nonnull(strstr(program_output, " in epoch "));
    ck_assert_ptr_nonnull(strstr(program_output, ", iteration "));
    ck_assert_ptr_null(program_file("run/result.tsv"));
    ck_assert_msg(evaluate() == 0, "%s", program_output); /* the last checkpoint is a good one */
    ck_assert_int_eq(train(wild), 1);                     /* and goes on to the same end */
    ck_assert_ptr_nonnull(strstr(program_output, " in epoch "));
}
END_TEST

/* It ends at the step, not at the end of the epoch's 50, and says in which array: one that the step was
 * given, or a gradient that it made. */
static const char *const overflows[][2] = {{"none", " of layer "}, {"learned", "the gradients of the "}};

START_TEST(test_folder_run_ends_at_the_step_whose_numbers_are_not_finite)
{
    int iteration = 0;
    ck_assert_int_eq(program_run("train --run=%s/wild --data=%s/data --layers=3 --channels=4 --images-a=100 "
                                 "--images-b=50 --images-test=20 --batch=2 --epochs=1 --pooling=%s --lr=1000 "
                                 "--lr-min=1000 --momentum=1 --weight-decay=1000",
                                 program_folder, program_folder, overflows[_i][0]),
                     1);
    ck_assert_msg(strstr(program_output, overflows[_i][1]) != NULL, "%s", program_output);
    const char *at = strstr(program_output, ", iteration ");
    ck_assert_msg(at && sscanf(at, ", iteration %d", &iteration) == 1, "%s", program_output);
    ck_assert_int_gt(iteration, 1);
    ck_assert_int_lt(iteration, 40);
}
END_TEST

/* The minutes of a fine-tuned run are those of the epochs that it counts in all. */
START_TEST(test_folder_of_a_pruned_run_counts_the_minutes_of_its_epochs)
{
    static RunRecord source, pruned;
    Error error;
    char folder[2][160];
    double train_seconds, test_seconds;
    ck_assert_msg(prune() == 0, "%s", program_output);
    snprintf(folder[0], sizeof folder[0], "%s/run", program_folder);
    snprintf(folder[1], sizeof folder[1], "%s/pruned/", program_folder);
    ck_assert_msg(run_record_read(&source, folder[0], &error) && run_record_read(&pruned, folder[1], &error),
                  "%s", error.text);
    char *timing = program_file("pruned/timing.tsv");
    ck_assert_int_eq(sscanf(strchr(timing, '\n'), "%*d %lf %lf", &train_seconds, &test_seconds), 2);
    free(timing);
    ck_assert_int_eq(pruned.total_epochs, 3);
    ck_assert_int_eq(pruned.epochs, 1);
    ck_assert_double_gt(source.seconds, 0);
    ck_assert_double_eq_tol(pruned.seconds, source.seconds + train_seconds + test_seconds, 1e-9);
}
END_TEST

Suite *folder_suite(void)
{
    Suite *suite = suite_create("folder");
    TCase *tcase = tcase_create("one state");
    tcase_add_unchecked_fixture(tcase, make_finished, remove_finished);
    tcase_add_checked_fixture(tcase, copy_finished, program_teardown);
    tcase_set_timeout(tcase, 60);
    tcase_add_loop_test(tcase, test_folder_refuses_an_edited_text, 0, EDITS);
    tcase_add_test(tcase, test_folder_does_not_make_a_result_from_an_edited_log);
    tcase_add_loop_test(tcase, test_folder_names_what_was_removed, 0, REMOVALS);
    tcase_add_test(tcase, test_folder_says_that_its_config_is_empty);
    tcase_add_loop_test(tcase, test_folder_does_not_wait_for_a_pipe, 0, PIPED);
    tcase_add_test(tcase, test_folder_has_one_owner);
    tcase_add_test(tcase, test_folder_knows_its_data_by_their_hash);
    tcase_add_test(tcase, test_folder_says_which_instruction_set_it_was_made_with);
    tcase_add_loop_test(tcase, test_folder_refuses_an_impossible_checkpoint, 0, IMPOSSIBLE);
    tcase_add_test(tcase, test_folder_says_that_its_checkpoint_is_held_open);
    tcase_add_test(tcase, test_folder_keeps_the_last_good_checkpoint_of_a_run_that_ends_on_nan);
    tcase_add_loop_test(tcase, test_folder_run_ends_at_the_step_whose_numbers_are_not_finite, 0, 2);
    tcase_add_test(tcase, test_folder_of_a_pruned_run_counts_the_minutes_of_its_epochs);
    suite_add_tcase(suite, tcase);
    return suite;
}
