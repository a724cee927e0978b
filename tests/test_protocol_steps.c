/* The other half of suite `protocol`: what each step is given and moves, in which order, and which epoch
 * counts. */
#include "../experiments/runs/result.h"
#include "program.h"
#include "recorder.h"
#include "suites.h"
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

START_TEST(test_protocol_every_step_of_the_filters_has_its_rate_momentum_and_decay)
{
    Run run;
    Record record;
    recorder_run(&run, &record, "epochs=3 lr=0.4 lr-min=0.1 momentum=0.7 weight-decay=0.02");
    /* (1 + cos(pi e / 3)) / 2 = 1, 3/4, 1/4 */
    const double rate[3] = {0.4, 0.1 + 0.3 * 0.75, 0.1 + 0.3 * 0.25};
    for (int i = 0; i < 3 * ITERATIONS; i++) {
        const Event *event = recorder_event(&record, PASS_FILTERS, i);
        double logged;
        const char *line = run.log.bytes;
        for (int skipped = 0; skipped <= i / ITERATIONS; skipped++)
            line = strchr(line, '\n') + 1;
        ck_assert(event->with_sgd && !event->with_adam);
        ck_assert_double_eq_tol(event->sgd.lr, rate[i / ITERATIONS], 1e-15);
        ck_assert_double_eq(event->sgd.momentum, 0.7);
        ck_assert_double_eq(event->sgd.weight_decay, 0.02);
        ck_assert_int_eq(sscanf(line, "%*d %lf", &logged), 1);
        ck_assert_double_eq_tol(logged, event->sgd.lr, 1e-8 * logged);
    }
    recorder_close(&run, &record);
}
END_TEST

static void expect_adam(const Event *event, double lr, int t)
{
    ck_assert(event->with_adam && !event->with_sgd);
    ck_assert_double_eq(event->adam.lr, lr);
    ck_assert_double_eq(event->adam.beta1, 0.25);
    ck_assert_double_eq(event->adam.beta2, 0.75);
    ck_assert_double_eq(event->adam.eps, 1e-6);
    ck_assert_double_eq(event->adam.weight_decay, 0.03);
    ck_assert_int_eq(event->t, t); /* Adam's bias correction */
}

#define ADAM "logits-lr=0.02 logits-beta1=0.25 logits-beta2=0.75 logits-eps=1e-6 logits-decay=0.03"

START_TEST(test_protocol_every_step_of_the_logits_has_its_rate_betas_decay_and_count_from_1)
{
    Run run;
    Record record;
    recorder_run(&run, &record, ADAM);
    for (int i = 0; i < EPOCHS * ITERATIONS; i++)
        expect_adam(recorder_event(&record, PASS_LOGITS, i), 0.02, i + 1);
    double logged;
    ck_assert_int_eq(sscanf(strchr(run.log.bytes, '\n'), "%*d %*f %lf", &logged), 1);
    ck_assert_double_eq(logged, 0.02);
    recorder_close(&run, &record);
    /* Unless it is given: 1e-4 times 83,200 / iterations, 277 times here, but at most to 1e-2. */
    Options options;
    recorder_options(&options, "epochs=100000");
    recorder_open(&run, "slow", &options);
    ck_assert_double_eq_tol(run.plan.options.logits_lr, 1e-4, 1e-15); /* 300,000 iterations: not less */
    run_close(&run);
    recorder_options(&options, "epochs=2000");
    recorder_open(&run, "faster", &options);
    ck_assert_double_eq_tol(run.plan.options.logits_lr, 1e-4 * 83200 / 6000, 1e-15);
    run_close(&run);
    recorder_options(&options, "epochs=2");
    recorder_open(&run, "fast", &options);
    ck_assert_double_eq(run.plan.options.logits_lr, 1e-2);
    run_close(&run);
}
END_TEST

/* Stopped within the second epoch by a child, continued here: images, counts and moments go on. */
START_TEST(test_protocol_a_continued_run_counts_on)
{
    enum { STOP = 4 };
    Run run, whole;
    Record record = {0}, all = {0};
    Options options;
    int status;
    recorder_options(&options, ADAM);
    const pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        recorder_open(&run, "stopped", &options);
        recorder_train(&record, &run, STOP);
        _exit(run.finished);
    }
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    recorder_open(&run, "stopped", &options);
    ck_assert_int_eq(run.epoch, 1);
    ck_assert_int_eq(run.iteration, 1);
    recorder_train(&record, &run, 0);
    recorder_open(&whole, "whole", &options);
    recorder_train(&all, &whole, 0);
    ck_assert_int_eq(recorder_count(&record, PASS_LOGITS), EPOCHS * ITERATIONS - STOP);
    for (int i = STOP; i < EPOCHS * ITERATIONS; i++) {
        for (int pass = PASS_FILTERS; pass <= PASS_LOGITS; pass++) {
            const Event *got = recorder_event(&record, (Pass)pass, i - STOP),
                        *want = recorder_event(&all, (Pass)pass, i);
            ck_assert_mem_eq(got->images, want->images, BATCH * IMAGE_BYTES * sizeof(float));
            ck_assert_double_eq(got->sgd.lr, want->sgd.lr);
        }
        expect_adam(recorder_event(&record, PASS_LOGITS, i - STOP), 0.02, i + 1);
    }
    ck_assert_str_eq(run.log.bytes, whole.log.bytes);
    recorder_close(&run, &record);
    recorder_close(&whole, &all);
}
END_TEST

START_TEST(test_protocol_a_step_moves_its_own_parameters_and_only_filters_steps_track_statistics)
{
    Run run;
    Record record;
    recorder_run(&run, &record, "");
    for (int i = 0; i < record.count; i++) {
        const Event *event = &record.event[i];
        ck_assert_int_eq(event->filters_moved, event->pass == PASS_FILTERS);
        ck_assert_int_eq(event->logits_moved, event->pass == PASS_LOGITS);
        ck_assert_int_eq(event->statistics_moved, event->pass == PASS_FILTERS);
    }
    recorder_close(&run, &record);
}
END_TEST

/* A test uses tracked statistics (PASS_INFERENCE), so that an image's loss does not depend on its neighbours.
 */
START_TEST(test_protocol_a_test_does_not_depend_on_the_batch)
{
    Run run;
    Record record;
    recorder_run(&run, &record, "");
    const Event *event = recorder_event(&record, PASS_INFERENCE, recorder_count(&record, PASS_INFERENCE) - 2);
    double loss = 0;
    for (int i = 0; i < BATCH; i++)
        loss += network_forward(run.net, event->images + (size_t)i * IMAGE_BYTES, event->labels + i, 1,
                                PASS_INFERENCE);
    ck_assert_double_eq_tol(event->loss, loss / BATCH, 1e-13 * loss); /* sums of 8 and 10 numbers */
    recorder_close(&run, &record);
}
END_TEST

START_TEST(test_protocol_the_order_of_the_two_steps)
{
    for (int first = 0; first < 2; first++) {
        Run run;
        Record record;
        Options options;
        recorder_options(&options, first ? "order=logits-first" : "order=filters-first");
        recorder_open(&run, first ? "logits" : "filters", &options);
        record = (Record){0};
        recorder_train(&record, &run, 0);
        int steps = 0;
        for (int i = 0; i < record.count && steps < 2 * ITERATIONS; i++)
            if (record.event[i].pass != PASS_INFERENCE) { /* which a slow run times before its epoch ends */
                ck_assert_int_eq(record.event[i].pass,
                                 (steps % 2 == 0) == !first ? PASS_FILTERS : PASS_LOGITS);
                steps++;
            }
        ck_assert_int_eq(steps, 2 * ITERATIONS);
        recorder_close(&run, &record);
    }
}
END_TEST

START_TEST(test_protocol_the_accuracy_of_a_row_is_that_of_the_last_epoch)
{
    static const char log[] = "epoch\tlr\tlogits_lr\tloss_a\taccuracy_a\tloss_b\taccuracy_b\ttest_"
                              "images\ttest_loss\ttest_accuracy\t"
                              "filters_gradient\tfilters_decay\tlogits_gradient\tlogits_decay\n"
                              "1\t0.1\t0.01\t2.5\t10\t2.5\t10\t5\t2.25\t20\t1\t0\t1\t0\n"
                              "2\t0.1\t0.01\t1.5\t50\t1.5\t50\t5\t1.25\t60\t1\t0\t1\t0\n"
                              "3\t0.1\t0.01\t0.5\t90\t0.5\t90\t11\t1.75\t40\t1\t0\t1\t0\n";
    static const struct {
        const char *name, *value;
    } want[] = {{"accuracy", "40.000000"}, {"test_images", "11"},         {"test_loss", "1.75"},
                {"train_loss", "0.5"},     {"best_on_test", "60.000000"}, {"best_on_test_epoch", "2"},
                {"epochs", "3"},           {"total_epochs", "3"},         {"iterations", "9"}};
    Run run;
    Options options;
    Text text = {0};
    char value[64];
    recorder_options(&options, "epochs=3");
    recorder_open(&run, "run", &options);
    ck_assert(result_text(&text, &run.plan, log, NULL));
    for (size_t i = 0; i < sizeof want / sizeof *want; i++) {
        ck_assert(result_value(value, sizeof value, text.bytes, want[i].name));
        ck_assert_str_eq(value, want[i].value);
    }
    text_free(&text);
    run_close(&run);
}
END_TEST

TCase *protocol_steps_case(void)
{
    TCase *tcase = tcase_create("steps");
    tcase_add_checked_fixture(tcase, program_setup, program_teardown);
    tcase_add_checked_fixture(tcase, program_write_data, NULL);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, test_protocol_every_step_of_the_filters_has_its_rate_momentum_and_decay);
    tcase_add_test(tcase, test_protocol_every_step_of_the_logits_has_its_rate_betas_decay_and_count_from_1);
    tcase_add_test(tcase, test_protocol_a_continued_run_counts_on);
    tcase_add_test(tcase,
                   test_protocol_a_step_moves_its_own_parameters_and_only_filters_steps_track_statistics);
    tcase_add_test(tcase, test_protocol_a_test_does_not_depend_on_the_batch);
    tcase_add_test(tcase, test_protocol_the_order_of_the_two_steps);
    tcase_add_test(tcase, test_protocol_the_accuracy_of_a_row_is_that_of_the_last_epoch);
    return tcase;
}
