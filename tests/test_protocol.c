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

START_TEST(test_protocol_d_a_d_b_and_test_set_are_those_of_the_seed_and_disjoint)
{
    Run run;
    Record record;
    uint32_t split[TRAIN];
    recorder_run(&run, &record, "seed=5");
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
    recorder_run(&run, &record, "augment=no");
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
    recorder_run(&run, &record, "");
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
    recorder_run(&run, &record, "seed=3");
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
    recorder_run(&run, &record, "");
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

Suite *protocol_suite(void)
{
    Suite *suite = suite_create("protocol");
    TCase *tcase = tcase_create("images and seeds");
    tcase_add_checked_fixture(tcase, program_setup, program_teardown);
    tcase_add_checked_fixture(tcase, program_write_data, NULL);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, test_protocol_d_a_d_b_and_test_set_are_those_of_the_seed_and_disjoint);
    tcase_add_test(tcase, test_protocol_filters_are_trained_on_d_a_in_the_order_of_the_epoch);
    tcase_add_test(tcase, test_protocol_logits_are_trained_on_d_b_in_passes_over_the_epochs);
    tcase_add_test(tcase, test_protocol_d_a_is_augmented_by_epoch_and_image_and_d_b_and_test_never);
    tcase_add_test(tcase, test_protocol_fixed_data_all_trains_on_d_a_and_d_b);
    tcase_add_test(tcase, test_protocol_tests_the_first_images_and_weights_a_partial_batch);
    tcase_add_test(tcase, test_protocol_the_seed_decides_the_filters);
    tcase_add_test(tcase, test_protocol_the_seed_decides_split_and_orders);
    suite_add_tcase(suite, tcase);
    suite_add_tcase(suite, protocol_steps_case());
    return suite;
}
