/* Runs that start from a finished one, statement by statement. Pruning and fine-tuning (section 3.2 and Table
 * 1): which levels stay, what a pruned run starts from, at which rate and on which images it goes on. And the
 * bad start of section 3.5's claim, the learned order of levels reversed. */
#include "philox.h"
#include "program.h"
#include "recorder.h"
#include "suites.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* alpha of a layer by hand. */
static void alpha_by_hand(double alpha[LEVELS], const double a[LEVELS], unsigned kept)
{
    double sum = 0;
    for (int r = 0; r < LEVELS; r++)
        sum += alpha[r] = kept >> r & 1 ? exp(a[r]) : 0;
    for (int r = 0; r < LEVELS; r++)
        alpha[r] /= sum;
}

/* Trains a source whose alphas are apart, with these options, and opens a run with more of them that starts
 * from it. */
static void start_from(Run *source, Run *run, const char *learn, const char *changes)
{
    char text[256];
    Record record = {0};
    Options options;
    recorder_options(&options, learn);
    recorder_open(source, "source", &options);
    recorder_train(&record, source, 0);
    recorder_free(&record);
    snprintf(text, sizeof text, "%s %s", learn, changes);
    recorder_options(&options, text);
    recorder_open(run, "started", &options);
}

static void prune(Run *source, Run *run, const char *changes)
{
    char text[256];
    snprintf(text, sizeof text, "prune-from=source %s", changes);
    start_from(source, run, "logits-lr=0.2 epochs=2", text);
}

static void expect_same_vector(const Network *net, const Vector *got, const Network *from, const Vector *want,
                               size_t count)
{
    double *left = recorder_vector(net, got, count), *right = recorder_vector(from, want, count);
    ck_assert_mem_eq(left, right, count * sizeof *left);
    free(left);
    free(right);
}

static void expect_zeros(const Network *net, const Vector *vector, size_t count)
{
    double *values = recorder_vector(net, vector, count);
    for (size_t i = 0; i < count; i++)
        ck_assert_double_eq(values[i], 0);
    free(values);
}

START_TEST(test_pruning_keeps_levels_over_the_threshold_and_the_largest)
{
    static const double thresholds[] = {0, 0.4, 0.55, 1};
    for (int i = 0; i < 4; i++) {
        Run source, run;
        char changes[64];
        snprintf(changes, sizeof changes, "prune-threshold=%g", thresholds[i]);
        program_teardown();
        program_setup();
        program_write_data();
        prune(&source, &run, changes);
        double *a = recorder_vector(source.net, source.net->logits, source.net->logits_count);
        for (int l = 0; l < LAYERS; l++) {
            double alpha[LEVELS];
            unsigned kept = 0;
            alpha_by_hand(alpha, a + l * LEVELS, 3);
            for (int r = 0; r < LEVELS; r++)
                if (alpha[r] >= thresholds[i] || alpha[r] > alpha[1 - r])
                    kept |= 1u << r;
            ck_assert_uint_eq(run.plan.network.kept[l], kept);
            ck_assert_uint_eq(run.net->spec.kept[l], kept);
        }
        free(a);
        run_close(&source);
        run_close(&run);
    }
}
END_TEST

START_TEST(test_pruning_fine_tuning_starts_from_filters_statistics_and_logits_of_its_source)
{
    Run source, run;
    prune(&source, &run, "prune-threshold=1");
    const Network *net = run.net, *from = source.net;
    expect_same_vector(net, net->filters, from, from->filters, net->filters_count);
    expect_same_vector(net, net->statistics, from, from->statistics, net->statistics_count);
    expect_same_vector(net, net->logits, from, from->logits, net->logits_count);
    expect_zeros(net, net->velocity, net->filters_count);
    run_close(&source);
    run_close(&run);
}
END_TEST

START_TEST(test_pruning_retraining_starts_from_new_filters_and_has_the_whole_schedule)
{
    Run source, run, fresh;
    Record record = {0};
    Options options;
    prune(&source, &run, "prune-threshold=1 prune-start=scratch");
    recorder_options(&options, "logits-lr=0.2");
    recorder_open(&fresh, "fresh", &options);
    expect_same_vector(run.net, run.net->filters, fresh.net, fresh.net->filters, run.net->filters_count);
    expect_same_vector(run.net, run.net->logits, source.net, source.net->logits, run.net->logits_count);
    expect_zeros(run.net, run.net->statistics, run.net->statistics_count);
    recorder_train(&record, &run, 0);
    ck_assert_int_eq(recorder_count(&record, PASS_FILTERS), EPOCHS * ITERATIONS);
    ck_assert_double_eq(recorder_event(&record, PASS_FILTERS, 0)->sgd.lr, 0.05);
    run_close(&fresh);
    run_close(&source);
    recorder_close(&run, &record);
}
END_TEST

/* The last tenth of the cosine over 2 epochs is 1.8 to 2; two epochs of fine-tuning are at 1.8 and 1.9. */
START_TEST(test_pruning_fine_tuning_walks_the_last_tenth_of_the_schedule_with_alpha_frozen)
{
    Run source, run;
    Record record = {0};
    uint32_t split[TRAIN], order[A];
    float image[IMAGE_BYTES];
    prune(&source, &run, "prune-threshold=1 prune-epochs=2");
    recorder_train(&record, &run, 0);
    ck_assert_int_eq(recorder_count(&record, PASS_FILTERS), 2 * ITERATIONS);
    ck_assert_int_eq(recorder_count(&record, PASS_LOGITS), 0);
    for (int i = 0; i < 2 * ITERATIONS; i++) {
        const double at = (1.8 + 0.1 * (i / ITERATIONS)) / 2, pi = acos(-1);
        ck_assert_double_eq_tol(recorder_event(&record, PASS_FILTERS, i)->sgd.lr,
                                0.001 + 0.049 * (1 + cos(pi * at)) / 2, 1e-15);
    }
    expect_same_vector(run.net, run.net->logits, source.net, source.net->logits, run.net->logits_count);
    /* Orders and crops go on after the source's two epochs. */
    split_by_hand(split, 1);
    plain_permutation(order, A, 1, 3, 2);
    for (int i = 0; i < BATCH; i++) {
        crop_by_hand(image, &run.data, split[order[i]], 1, 2);
        ck_assert_mem_eq(recorder_event(&record, PASS_FILTERS, 0)->images + (size_t)i * IMAGE_BYTES, image,
                         sizeof image);
    }
    run_close(&source);
    recorder_close(&run, &record);
}
END_TEST

/* The rate is set to 0 behind the options' back: a pruned run has its source's. */
START_TEST(test_pruning_with_rates_of_0_gives_the_filters_and_the_renormalised_alpha_of_its_source)
{
    Run source, run;
    Record record = {0};
    double alpha[LAYERS * LEVELS];
    prune(&source, &run, "prune-threshold=0.45");
    run.plan.options.lr = run.plan.options.lr_min = 0;
    recorder_train(&record, &run, 0);
    expect_same_vector(run.net, run.net->filters, source.net, source.net->filters, run.net->filters_count);
    double *a = recorder_vector(source.net, source.net->logits, source.net->logits_count);
    network_alpha(run.net, alpha);
    for (int l = 0; l < LAYERS; l++) {
        double want[LEVELS];
        alpha_by_hand(want, a + l * LEVELS, run.plan.network.kept[l]);
        for (int r = 0; r < LEVELS; r++)
            ck_assert_double_eq_tol(alpha[l * LEVELS + r], want[r], 1e-14);
        ck_assert_double_eq_tol(alpha[l * LEVELS] + alpha[l * LEVELS + 1], 1, 1e-15);
    }
    free(a);
    run_close(&source);
    recorder_close(&run, &record);
}
END_TEST

/* With a finest level of factor 2 there is a level 0 that takes no part, and its logit stays 0. */
START_TEST(test_a_reversed_start_has_its_sources_logits_backwards_and_nothing_else_of_it)
{
    const int first = _i, levels = first + LEVELS;
    Run source, run, fresh;
    Record record = {0};
    Options options;
    char learn[64];
    snprintf(learn, sizeof learn, "logits-lr=0.2 epochs=2 first-level=%d", first);
    start_from(&source, &run, learn, "logits-start=reversed logits-from=source");
    recorder_options(&options, learn);
    recorder_open(&fresh, "fresh", &options);
    double *was = recorder_vector(source.net, source.net->logits, source.net->logits_count);
    double *is = recorder_vector(run.net, run.net->logits, run.net->logits_count);
    for (int l = 0; l < LAYERS; l++) {
        ck_assert_double_ne(was[l * levels + first], was[(l + 1) * levels - 1]);
        for (int r = 0; r < LEVELS; r++)
            ck_assert_double_eq(is[l * levels + first + r], was[(l + 1) * levels - 1 - r]);
        for (int r = 0; r < first; r++)
            ck_assert_double_eq(is[l * levels + r], 0);
    }
    free(was);
    free(is);
    expect_same_vector(run.net, run.net->filters, fresh.net, fresh.net->filters, run.net->filters_count);
    expect_zeros(run.net, run.net->statistics, run.net->statistics_count);
    expect_zeros(run.net, run.net->moment1, run.net->logits_count);
    expect_zeros(run.net, run.net->moment2, run.net->logits_count);
    ck_assert_uint_eq(run.net->spec.kept[0], source.net->spec.kept[0]);
    recorder_train(&record, &run, 0);
    ck_assert_int_eq(recorder_count(&record, PASS_FILTERS), 2 * ITERATIONS);
    ck_assert_int_eq(recorder_count(&record, PASS_LOGITS), 2 * ITERATIONS);
    run_close(&fresh);
    run_close(&source);
    recorder_close(&run, &record);
}
END_TEST

/* The option that differs, or what else is wrong, is in the sentence. */
static const struct {
    const char *options, *words;
} wrong_sources[] = {
    {"logits-start=reversed", "needs --logits-from"},
    {"logits-start=reversed logits-from=nobody", "not the folder of a finished run"},
    {"logits-start=reversed logits-from=source seed=2", "--seed="},
    {"logits-start=reversed logits-from=source lr=0.03", "--lr="},
    {"logits-start=reversed logits-from=pruned", "has not learned its alphas"},
};

START_TEST(test_a_reversed_start_refuses_what_is_no_source)
{
    Run source, run, other = {0};
    Record record = {0};
    Options options;
    Error error;
    char folder[256], text[256];
    prune(&source, &run, "");
    recorder_train(&record, &run, 0);
    recorder_close(&run, &record);
    snprintf(folder, sizeof folder, "mv %s/started %s/pruned", program_folder, program_folder);
    ck_assert_int_eq(system(folder), 0);
    snprintf(folder, sizeof folder, "%s/reversed", program_folder);
    snprintf(text, sizeof text, "logits-lr=0.2 epochs=2 %s", wrong_sources[_i].options);
    recorder_options(&options, text);
    ck_assert(!training_open(&other, folder, &options, &error));
    ck_assert_msg(strstr(error.text, wrong_sources[_i].words), "says: %s", error.text);
    run_close(&other);
    run_close(&source);
}
END_TEST

Suite *pruning_suite(void)
{
    Suite *suite = suite_create("pruning");
    TCase *tcase = tcase_create("section 3.2");
    tcase_add_checked_fixture(tcase, program_setup, program_teardown);
    tcase_add_checked_fixture(tcase, program_write_data, NULL);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, test_pruning_keeps_levels_over_the_threshold_and_the_largest);
    tcase_add_test(tcase, test_pruning_fine_tuning_starts_from_filters_statistics_and_logits_of_its_source);
    tcase_add_test(tcase, test_pruning_retraining_starts_from_new_filters_and_has_the_whole_schedule);
    tcase_add_test(tcase, test_pruning_fine_tuning_walks_the_last_tenth_of_the_schedule_with_alpha_frozen);
    tcase_add_test(tcase,
                   test_pruning_with_rates_of_0_gives_the_filters_and_the_renormalised_alpha_of_its_source);
    tcase_add_loop_test(tcase, test_a_reversed_start_has_its_sources_logits_backwards_and_nothing_else_of_it,
                        0, 2);
    tcase_add_loop_test(tcase, test_a_reversed_start_refuses_what_is_no_source, 0,
                        sizeof wrong_sources / sizeof *wrong_sources);
    suite_add_tcase(suite, tcase);
    return suite;
}
