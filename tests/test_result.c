/* What who reads a finished run accepts of its result.tsv. */
#include "../experiments/runs/result.h"
#include "suites.h"
#include <stdio.h>
#include <string.h>

/* What stands in a result.tsv that a table reads. */
static const char header[] = "epoch\tlr\tlogits_lr\tloss_a\taccuracy_a\tloss_b\taccuracy_b\ttest_images\t"
                             "test_loss\ttest_accuracy\tfilters_gradient\tfilters_decay\tlogits_gradient\t"
                             "logits_decay\n";
static const char good_log[] = "1\t0.1\t0.01\t2.3\t10\t2.3\t11\t20\t2.2\t15.5\t1\t0\t1\t0\n"
                               "2\t0.1\t0.01\t2.25\t10\t2.3\t11\t20\t2.125\t12.5\t1\t0\t1\t0\n";
static const char good_result[] =
    "accuracy\t12.500000\ntest_images\t20\ntest_loss\t2.125\ntrain_loss\t2.25\n"
    "best_on_test\t15.500000\nbest_on_test_epoch\t1\nepochs\t2\ntotal_epochs\t2\n"
    "iterations\t10\nweights\t90\nparameters\t92\nmacs\t1000\n";

static const struct {
    const char *from, *to, *word; /* in the result, or in the log */
    bool in_log;
} wrong[] = {
    {"accuracy\t12.5", "accuracy\t500", "500", false},
    {"accuracy\t12.5", "accuracy\t-1", "-1", false},
    {"accuracy\t12.500000", "accuracy\tnan", "nan", false},
    {"accuracy\t12.5", "accuracy\t13.5", "13.5", false},
    {"best_on_test\t15.5", "best_on_test\t12.5", "best_on_test", false},
    {"epoch\t1\n", "epoch\t2\n", "best_on_test_epoch", false},
    {"test_loss\t2.125", "test_loss\t1", "test_loss", false},
    {"macs\t1000", "macs\t1e300", "macs", false},
    {"macs\t1000", "cost\t1000", "macs", false},
    {"total_epochs\t2", "total_epochs\t-2", "total_epochs", false},
    {"parameters\t92", "parameters\t-1", "parameters", false},
    {"weights\t90", "weights\t1e13", "weights", false},
    {"iterations\t10", "iterations\t-1", "iterations", false},
    {"test_images\t20", "test_images\t0", "test_images", false},
    {"\t12.5\t1\t0", "\t500\t1\t0", "log.tsv", true},
    {"2.25\t10\t", "2.25\t500\t", "log.tsv", true}, /* columns that no figure of the result repeats */
    {"2.25\t10\t", "2.25\t-1\t", "log.tsv", true},
    {"2.3\t11\t", "2.3\t100.5\t", "log.tsv", true},
    {"2.3\t11\t", "nan\t11\t", "log.tsv", true},
    {"\n2\t", "\n3\t", "log.tsv", true},
    {"2.125", "inf", "log.tsv", true},
};
enum { WRONG = sizeof wrong / sizeof *wrong };

static void replace(char *text, size_t size, const char *from, const char *to)
{
    char copy[4096];
    snprintf(copy, sizeof copy, "%s", text);
    const char *at = strstr(copy, from);
    ck_assert_ptr_nonnull(at);
    snprintf(text, size, "%.*s%s%s", (int)(at - copy), copy, to, at + strlen(from));
}

START_TEST(test_result_check_refuses_what_no_run_gives)
{
    char log[4096], result[4096];
    Error error;
    snprintf(log, sizeof log, "%s%s", header, good_log);
    snprintf(result, sizeof result, "%s", good_result);
    ck_assert_msg(result_check(result, log, "run", &error), "%s", error.text);
    replace(wrong[_i].in_log ? log : result, sizeof log, wrong[_i].from, wrong[_i].to);
    ck_assert(!result_check(result, log, "run", &error));
    ck_assert_msg(strstr(error.text, wrong[_i].word) != NULL, "%s", error.text);
}
END_TEST

START_TEST(test_result_values_have_whole_names)
{
    char value[64];
    ck_assert(!result_value(value, sizeof value, "weights_by_formula\t5\n", "weights"));
    ck_assert(result_value(value, sizeof value, "weights_by_formula\t5\nweights\t7\n", "weights"));
    ck_assert_str_eq(value, "7");
}
END_TEST

Suite *result_suite(void)
{
    Suite *suite = suite_create("result");
    TCase *tcase = tcase_create("result and log");
    tcase_add_loop_test(tcase, test_result_check_refuses_what_no_run_gives, 0, WRONG);
    tcase_add_test(tcase, test_result_values_have_whole_names);
    suite_add_tcase(suite, tcase);
    return suite;
}
