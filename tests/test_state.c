/* A checkpoint whose numbers are possible, but not those of the run that it stands in; and numbers far into a
 * network. */
#include "../experiments/runs/run.h"
#include "checkpoint_change.h"
#include "program.h"
#include "suites.h"
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define RUN                                                                                       \
    "train --run=%s/run --data=%s/data --images-a=100 --images-b=50 --images-test=20 --batch=20 " \
    "--images-epoch=20 --epochs=2 --common "

static int train(const char *more)
{
    return program_run(RUN "%s", program_folder, program_folder, more);
}

static int evaluate(void)
{
    return program_run("evaluate %s/run %s/data/test_batch.bin", program_folder, program_folder);
}

static void unfinish(void)
{
    char path[128];
    snprintf(path, sizeof path, "%s/run/result.tsv", program_folder);
    ck_assert_int_eq(unlink(path), 0);
}

#define SMALL "--layers=2 --channels=2 --levels=2"

/* A result beside a checkpoint of the epoch before. */
START_TEST(test_state_of_an_epoch_before_is_not_finished)
{
    ck_assert_msg(train(SMALL) == 0, "%s", program_output);
    checkpoint_change("run", "epoch", 0, 1);
    ck_assert_int_eq(train(SMALL), 1);
    program_expects_one_line("train: ", "its checkpoint.h5 is of epoch 1 of 2");
    ck_assert_int_eq(
        program_run("train --run=%s/pruned --prune-from=run --prune-threshold=1", program_folder), 1);
    program_expects_one_line("train: ", "its checkpoint.h5 is of epoch 1 of 2");
}
END_TEST

/* What another run may have, and this one has not: its network and its normalisation. */
static const struct {
    const char *name;
    int at;
    double value;
    const char *word;
} others[] = {
    {"kept", 0, 1, "keeps other levels"},
    {"mean", 0, 0.4, "normalises images otherwise"},
    {"deviation", 2, 0.9, "normalises images otherwise"},
};

START_TEST(test_state_of_another_run_does_not_go_on)
{
    ck_assert_msg(train(SMALL) == 0, "%s", program_output);
    unfinish();
    checkpoint_change("run", others[_i].name, others[_i].at, others[_i].value);
    ck_assert_int_eq(train(SMALL), 1);
    program_expects_one_line("train: ", others[_i].word);
    ck_assert_ptr_null(program_file("run/result.tsv"));
}
END_TEST

/* An epoch has five iterations: of the sixth nobody can be. */
START_TEST(test_state_beyond_its_epoch)
{
    ck_assert_msg(train(SMALL) == 0, "%s", program_output);
    unfinish();
    checkpoint_change("run", "epoch", 0, 1);
    checkpoint_change("run", "iteration", 0, 6);
    for (int set = 0; set < 2; set++) {
        const char *tally = set ? "tally_b" : "tally_a";
        checkpoint_change("run", tally, 4, 120);
        checkpoint_change("run", tally, 5, 6);
    }
    ck_assert_int_eq(train(SMALL), 1);
    program_expects_one_line("train: ", "iteration is 6");
}
END_TEST

/* Numbers are looked at in blocks of 256: layer 1 has 3 * 6 * 9 + 6 = 168 of them, and the 468th is the 300th
 * of layer 2. A head of 10 classes stands behind two layers of 56 and 38. */
static const struct {
    const char *net;
    int at;
    const char *word;
} far[] = {
    {"--layers=3 --channels=6 --levels=2", 468, "the filters of layer 2 hold nan"},
    {"--layers=2 --channels=2 --levels=2 --head=linear", 99, "the filters of the head hold nan"},
};

START_TEST(test_state_is_looked_at_to_its_end)
{
    ck_assert_msg(train(far[_i].net) == 0, "%s", program_output);
    ck_assert_msg(evaluate() == 0, "%s", program_output);
    checkpoint_change("run", "filters", far[_i].at, NAN);
    ck_assert_int_eq(evaluate(), 1);
    program_expects_one_line("evaluate: ", far[_i].word);
}
END_TEST

/* Finite numbers whose products are not: no loss is printed, and none is taken for a result. */
START_TEST(test_state_that_overflows_has_no_loss)
{
    const char *net = "--layers=2 --channels=2 --levels=2 --head=linear --lr=0 --lr-min=0 --weight-decay=0";
    ck_assert_msg(train(net) == 0, "%s", program_output);
    /* Of every weight and bias of the head the sum is no float where averages are above 0. */
    for (int i = 94; i < 94 + 20 + 10; i++)
        checkpoint_change("run", "filters", i, 3.4e38);
    ck_assert_msg(evaluate() == 1, "%s", program_output);
    program_expects_one_line("evaluate: ", "not finite");
}
END_TEST

/* Numbers that no step showed are found when the run is saved: within an epoch, or after the last of its five
 * iterations, when the epoch counts as done. */
static const struct {
    int epoch, iteration;
    const char *place;
} unsavable[] = {{2, 0, "in epoch 2, iteration 5,"}, {1, 3, "in epoch 2, iteration 3,"}};

START_TEST(test_state_that_cannot_be_saved_says_of_which_step)
{
    static Run run;
    Error error;
    Options options;
    char folder[128], data[128], right[512];
    const double nan = NAN;
    ck_assert_msg(train(SMALL) == 0, "%s", program_output);
    unfinish();
    snprintf(folder, sizeof folder, "%s/run", program_folder);
    snprintf(data, sizeof data, "%s/data", program_folder);
    ck_assert_msg(config_read(&options, NULL, folder, &error), "%s", error.text);
    snprintf(options.data, sizeof options.data, "%s", data);
    ck_assert_msg(run_plan(&run, folder, &options, &error) && run_enter(&run, &error), "%s", error.text);
    run.epoch = unsavable[_i].epoch;
    run.iteration = unsavable[_i].iteration;
    run.net->engine->vector_write(run.net->velocity, 0, &nan, 1);
    ck_assert(!run_save(&run, &error));
    snprintf(right, sizeof right,
             "the velocities of layer 1 hold nan %s of %s: choose a smaller --lr; its last checkpoint, of "
             "before, stays",
             unsavable[_i].place, folder);
    ck_assert_str_eq(error.text, right);
    run_close(&run);
}
END_TEST

Suite *state_suite(void)
{
    Suite *suite = suite_create("state");
    TCase *tcase = tcase_create("checkpoint");
    tcase_add_checked_fixture(tcase, program_setup, program_teardown);
    tcase_add_checked_fixture(tcase, program_write_data, NULL);
    tcase_add_test(tcase, test_state_of_an_epoch_before_is_not_finished);
    tcase_add_loop_test(tcase, test_state_of_another_run_does_not_go_on, 0, 3);
    tcase_add_test(tcase, test_state_beyond_its_epoch);
    tcase_add_loop_test(tcase, test_state_is_looked_at_to_its_end, 0, 2);
    tcase_add_test(tcase, test_state_that_overflows_has_no_loss);
    tcase_add_loop_test(tcase, test_state_that_cannot_be_saved_says_of_which_step, 0, 2);
    suite_add_tcase(suite, tcase);
    return suite;
}
