/* The protocol of section 3.4, statement by statement: what a run does at each step, seen through its engine,
 * against draws, rates and masks that are worked out here. Where these tests name a fault, the replay (suite
 * `replay`) finds it in the numbers. */
#include "../experiments/data/batch.h"
#include "../experiments/runs/result.h"
#include "philox.h"
#include "program.h"
#include "recorder.h"
#include "suites.h"
#include <gsl/gsl_cdf.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static void start(Run *run, Record *record, const char *changes)
{
    Options options;
    recorder_options(&options, changes);
    recorder_open(run, "run", &options);
    *record = (Record){0};
    recorder_train(record, run, 0);
}

START_TEST(test_protocol_d_a_d_b_and_test_set_are_those_of_the_seed_and_disjoint)
{
    Run run;
    Record record;
    uint32_t split[TRAIN];
    start(&run, &record, "seed=5");
    split_by_hand(split, 5);
    ck_assert_mem_eq(run.a, split, A * sizeof *split);
    ck_assert_mem_eq(run.b, split + A, B * sizeof *split);
    for (int i = 0; i < A + B; i++)
        for (int j = 0; j < i; j++)
            ck_assert_uint_ne(run.a[i], run.a[j]); /* D_b stands behind D_a */
    ck_assert_ptr_ne(run.data.test.images, run.data.train.images);
    ck_assert_int_eq(run.data.train.count, TRAIN);
    ck_assert_int_eq(run.data.test.count, TEST);
    /* Test image 0 is image 200 of the series: label 0 and other noise than image 0. */
    ck_assert_mem_ne(run.data.test.images, run.data.train.images, IMAGE_BYTES);
    recorder_close(&run, &record);
}
END_TEST

START_TEST(test_protocol_filters_are_trained_on_d_a_in_the_order_of_the_epoch)
{
    Run run;
    Record record;
    uint32_t split[TRAIN], order[A];
    start(&run, &record, "augment=no");
    split_by_hand(split, 1);
    ck_assert_int_eq(recorder_count(&record, PASS_FILTERS),
                     EPOCHS * ITERATIONS); /* 4 of 28 images left out */
    for (int epoch = 0; epoch < EPOCHS; epoch++) {
        plain_permutation(order, A, 1, 3, (uint32_t)epoch);
        for (int i = 0; i < ITERATIONS * BATCH; i++) {
            const Event *event = recorder_event(&record, PASS_FILTERS, epoch * ITERATIONS + i / BATCH);
            ck_assert_int_eq(event->n, BATCH);
            ck_assert(recorder_shows(event, i % BATCH, &run, &run.data.train, split[order[i]]));
        }
    }
    recorder_close(&run, &record);
}
END_TEST

START_TEST(test_protocol_logits_are_trained_on_d_b_in_passes_over_the_epochs)
{
    Run run;
    Record record;
    uint32_t split[TRAIN], order[B];
    start(&run, &record, "");
    split_by_hand(split, 1);
    ck_assert_int_eq(recorder_count(&record, PASS_LOGITS), EPOCHS * ITERATIONS);
    for (int step = 0; step < EPOCHS * ITERATIONS; step++) {
        const Event *event = recorder_event(&record, PASS_LOGITS, step);
        ck_assert_int_eq(event->n, BATCH);
        plain_permutation(order, B, 1, 4, (uint32_t)(step / IN_PASS));
        for (int i = 0; i < BATCH; i++) /* as in their files, although D_a is augmented */
            ck_assert(recorder_shows(event, i, &run, &run.data.train,
                                     split[A + order[step % IN_PASS * BATCH + i]]));
    }
    recorder_close(&run, &record);
}
END_TEST

START_TEST(test_protocol_d_a_is_augmented_by_epoch_and_image_and_d_b_and_test_never)
{
    Run run;
    Record record;
    uint32_t split[TRAIN], order[A];
    float image[IMAGE_BYTES];
    start(&run, &record, "seed=3");
    split_by_hand(split, 3);
    for (uint32_t epoch = 0; epoch < EPOCHS; epoch++) {
        plain_permutation(order, A, 3, 3, epoch);
        for (int i = 0; i < ITERATIONS * BATCH; i++) {
            const Event *event = recorder_event(&record, PASS_FILTERS, (int)epoch * ITERATIONS + i / BATCH);
            const uint32_t index = split[order[i]];
            crop_by_hand(image, &run.data, index, 3, epoch);
            ck_assert_mem_eq(event->images + (size_t)(i % BATCH) * IMAGE_BYTES, image, sizeof image);
        }
    }
    plain_permutation(order, B, 3, 4, 0);
    for (int i = 0; i < BATCH; i++) {
        ck_assert(recorder_shows(recorder_event(&record, PASS_LOGITS, 0), i, &run, &run.data.train,
                                 split[A + order[i]]));
        ck_assert(recorder_shows(
            recorder_event(&record, PASS_INFERENCE, recorder_count(&record, PASS_INFERENCE) - 2), i, &run,
            &run.data.test, (uint32_t)i));
    }
    recorder_close(&run, &record);
}
END_TEST

/* All of `fixed-data=all`: D_a and D_b behind it are one set, in the order of an epoch. */
START_TEST(test_protocol_fixed_data_all_trains_on_d_a_and_d_b)
{
    enum { ALL = A + B, IN_EPOCH = ALL / BATCH };
    Run run;
    Record record;
    Options options;
    uint32_t split[TRAIN], order[ALL];
    recorder_options(&options, "pooling=none augment=no fixed-data=all");
    recorder_open(&run, "run", &options);
    record = (Record){0};
    recorder_train(&record, &run, 0);
    split_by_hand(split, 1);
    ck_assert_int_eq(recorder_count(&record, PASS_FILTERS), EPOCHS * IN_EPOCH);
    ck_assert_int_eq(recorder_count(&record, PASS_LOGITS), 0);
    plain_permutation(order, ALL, 1, 3, 1);
    for (int i = 0; i < IN_EPOCH * BATCH; i++)
        ck_assert(recorder_shows(recorder_event(&record, PASS_FILTERS, IN_EPOCH + i / BATCH), i % BATCH, &run,
                                 &run.data.train, split[order[i]]));
    recorder_close(&run, &record);
    /* And without it on D_a alone. */
    recorder_options(&options, "pooling=none augment=no");
    recorder_open(&run, "split", &options);
    recorder_train(&record, &run, 0);
    ck_assert_int_eq(recorder_count(&record, PASS_FILTERS), EPOCHS * ITERATIONS);
    plain_permutation(order, A, 1, 3, 0);
    ck_assert(
        recorder_shows(recorder_event(&record, PASS_FILTERS, 0), 0, &run, &run.data.train, split[order[0]]));
    recorder_close(&run, &record);
}
END_TEST

/* The loss of the log is the mean over the images, although the last batch has 3 of 11: batches of 8 and 3
 * weigh 8 and 3. */
START_TEST(test_protocol_tests_the_first_images_and_weights_a_partial_batch)
{
    Run run;
    Record record;
    start(&run, &record, "");
    const int batches = recorder_count(&record, PASS_INFERENCE);
    const Event *whole = recorder_event(&record, PASS_INFERENCE, batches - 2),
                *rest = recorder_event(&record, PASS_INFERENCE, batches - 1);
    ck_assert_int_eq(whole->n, BATCH);
    ck_assert_int_eq(rest->n, TESTED - BATCH);
    for (int i = 0; i < TESTED; i++)
        ck_assert(recorder_shows(i < BATCH ? whole : rest, i % BATCH, &run, &run.data.test, (uint32_t)i));
    double loss;
    int images[2];
    const char *line = strchr(run.log.bytes, '\n') + 1;
    ck_assert_int_eq(sscanf(line, "%*d %*f %*f %*f %*f %*f %*f %d", &images[0]), 1);
    ck_assert_int_eq(sscanf(strchr(line, '\n'), "%*d %*f %*f %*f %*f %*f %*f %d %lf", &images[1], &loss), 2);
    ck_assert_int_eq(images[0], TESTED_EPOCH); /* after the first epoch */
    ck_assert_int_eq(images[1], TESTED);
    ck_assert_double_eq_tol(loss, (8 * whole->loss + 3 * rest->loss) / 11, 1e-8 * loss); /* 9 digits */
    recorder_close(&run, &record);
}
END_TEST

START_TEST(test_protocol_every_step_of_the_filters_has_its_rate_momentum_and_decay)
{
    Run run;
    Record record;
    start(&run, &record, "epochs=3 lr=0.4 lr-min=0.1 momentum=0.7 weight-decay=0.02");
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
    start(&run, &record, ADAM);
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
    start(&run, &record, "");
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
    start(&run, &record, "");
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
        for (int i = 0; i < 2 * ITERATIONS; i++)
            ck_assert_int_eq(record.event[i].pass, (i % 2 == 0) == !first ? PASS_FILTERS : PASS_LOGITS);
        recorder_close(&run, &record);
    }
}
END_TEST

/* Filters by hand: He-normal, keyed by their place. Layer 1 is 3 x 3 x 3 x 3, then 3 biases, then layer 2. */
START_TEST(test_protocol_the_seed_decides_the_filters)
{
    static const uint64_t seeds[] = {1, 2, 70000};
    for (int s = 0; s < 3; s++) {
        Run run;
        Options options;
        char name[32];
        uint32_t words[4];
        recorder_options(&options, "");
        options.seed = (int)seeds[s];
        snprintf(name, sizeof name, "seed%d", s);
        recorder_open(&run, name, &options);
        double *filters = recorder_vector(run.net, run.net->filters, run.net->filters_count);
        ck_assert_uint_eq(run.net->filters_count, 81 + 3 + 270 + 10);
        for (uint32_t i = 0; i < 364; i++) {
            const bool bias = (i >= 81 && i < 84) || i >= 354;
            plain_philox(words, (uint32_t[4]){1, i, 0, 0}, (uint32_t[2]){(uint32_t)seeds[s], 0});
            const double uniform = (words[0] * 0x1p-32 + (words[1] >> 12) * 0x1p-52) + 0x1p-53;
            const double want = bias ? 0 : sqrt(2.0 / 27) * gsl_cdf_ugaussian_Pinv(uniform);
            ck_assert_double_eq_tol(filters[i], want, 1e-12);
        }
        free(filters);
        run_close(&run);
    }
}
END_TEST

/* Places within D_a and D_b, so that another split alone does not pass for another order. */
START_TEST(test_protocol_the_seed_decides_split_and_orders)
{
    uint32_t place[2][2][BATCH];
    for (int s = 0; s < 2; s++) {
        Run run;
        Record record;
        Options options;
        uint32_t split[TRAIN];
        recorder_options(&options, s ? "augment=no seed=8" : "augment=no seed=7");
        recorder_open(&run, s ? "second" : "first", &options);
        record = (Record){0};
        recorder_train(&record, &run, 0);
        split_by_hand(split, s ? 8 : 7);
        ck_assert_mem_eq(run.a, split, (A + B) * sizeof *split);
        for (int part = 0; part < 2; part++)
            for (int i = 0; i < BATCH; i++)
                for (uint32_t p = 0; p < (part ? B : A); p++)
                    if (recorder_shows(recorder_event(&record, part ? PASS_LOGITS : PASS_FILTERS, 0), i, &run,
                                       &run.data.train, split[part * A + (int)p]))
                        place[s][part][i] = p;
        recorder_close(&run, &record);
    }
    for (int part = 0; part < 2; part++)
        ck_assert_mem_ne(place[0][part], place[1][part], sizeof place[0][part]);
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
    ck_assert(result_text(&text, &run.plan, log));
    for (size_t i = 0; i < sizeof want / sizeof *want; i++) {
        ck_assert(result_value(value, sizeof value, text.bytes, want[i].name));
        ck_assert_str_eq(value, want[i].value);
    }
    text_free(&text);
    run_close(&run);
}
END_TEST

Suite *protocol_suite(void)
{
    Suite *suite = suite_create("protocol");
    TCase *tcase = tcase_create("section 3.4");
    tcase_add_checked_fixture(tcase, program_setup, program_teardown);
    tcase_add_checked_fixture(tcase, program_write_data, NULL);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, test_protocol_d_a_d_b_and_test_set_are_those_of_the_seed_and_disjoint);
    tcase_add_test(tcase, test_protocol_filters_are_trained_on_d_a_in_the_order_of_the_epoch);
    tcase_add_test(tcase, test_protocol_logits_are_trained_on_d_b_in_passes_over_the_epochs);
    tcase_add_test(tcase, test_protocol_d_a_is_augmented_by_epoch_and_image_and_d_b_and_test_never);
    tcase_add_test(tcase, test_protocol_fixed_data_all_trains_on_d_a_and_d_b);
    tcase_add_test(tcase, test_protocol_tests_the_first_images_and_weights_a_partial_batch);
    tcase_add_test(tcase, test_protocol_every_step_of_the_filters_has_its_rate_momentum_and_decay);
    tcase_add_test(tcase, test_protocol_every_step_of_the_logits_has_its_rate_betas_decay_and_count_from_1);
    tcase_add_test(tcase, test_protocol_a_continued_run_counts_on);
    tcase_add_test(tcase,
                   test_protocol_a_step_moves_its_own_parameters_and_only_filters_steps_track_statistics);
    tcase_add_test(tcase, test_protocol_a_test_does_not_depend_on_the_batch);
    tcase_add_test(tcase, test_protocol_the_order_of_the_two_steps);
    tcase_add_test(tcase, test_protocol_the_seed_decides_the_filters);
    tcase_add_test(tcase, test_protocol_the_seed_decides_split_and_orders);
    tcase_add_test(tcase, test_protocol_the_accuracy_of_a_row_is_that_of_the_last_epoch);
    suite_add_tcase(suite, tcase);
    return suite;
}
