/* Tables from run folders written by hand: what compares and what is refused, what differs from the paper's
 * protocol, and the verdicts that come out. */
#include "program.h"
#include "suites.h"
#include "table_runs.h"
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The spread is 0.1 with 4 degrees of freedom: of a mean +- 2.776445 * 0.1 / sqrt(3) = 0.1603, of a
 * difference
 * +- 2.776445 * 0.1 * sqrt(2/3) = 0.2267; prediction +- 0.3206. t = 5.2 / 0.08165 = 63.7: p is under 1e-6. */
START_TEST(test_table_of_three_seeds)
{
    ck_assert_msg(make_table("", "none1 none2 none3", "ours3 ours1 ours2") == 0, "%s", program_output);
    expects("seeds    1 2 3");
    expects("87.3    87.30 +- 0.16    87.40  reproduced");
    expects("92.5    92.50 +- 0.16    92.60  reproduced");
    expects("+5.2     +5.20 +- 0.23   +- 0.00  0.000   0.000  confirmed\n");
    expects("-5.2     -5.20 +- 0.23   +- 0.00  0.000   0.000  confirmed\n");
    expects("contradicted\n");
    expects("0.10 points (4 degrees of freedom)");
    expects("3 seeds\nsee 0.30 points"); /* (2.776445 + 0.940965) * 0.1 * sqrt(2/3) = 0.3035 */
    expects("  holds ");
    char *tsv = program_file("out.tsv");
    ck_assert_ptr_nonnull(
        strstr(tsv, "\nours\tOur Model\t92.5\t92.5000\t0.1603\t0.1000\t3\t92.6000\treproduced\t0.41\t"));
    ck_assert_ptr_nonnull(strstr(tsv, "\nours - none\t5.2\t5.2000\t4.9733\t5.4267\t4.00\t"));
    ck_assert_ptr_nonnull(strstr(tsv, "\t200.0\tnan\t3\t3\t594.0\tnan\t302400\t0\n")); /* 3 runs of 198 s */
    free(tsv);
}
END_TEST

/* Seed for seed 5.4, 5.1 and 5.1: mean 5.2, deviation sqrt(0.03), error 0.1; with 2 degrees of freedom
 * t = 52, whose two-sided p is 1 - t / sqrt(2 + t^2), and a 95% interval of +- 0.4303. By the table's spread,
 * 0.1 with 4 degrees of freedom, the 90% interval is +- 2.131847 * 0.1 * sqrt(2/3) = 0.1741. */
START_TEST(test_differences_are_paired_by_seed_too)
{
    write_run((Written){"ours1", "pooling\tlearned\nseed\t1\n", .accuracy = 92.6});
    write_run((Written){"ours2", "pooling\tlearned\nseed\t2\n", .accuracy = 92.4});
    write_run((Written){"ours3", "pooling\tlearned\nseed\t3\n", .accuracy = 92.5});
    ck_assert_msg(make_table("", "none3 none1 none2", "ours3 ours1 ours2") == 0, "%s", program_output);
    expects("+5.2     +5.20 +- 0.23   +- 0.43  0.000   0.000  confirmed\n");
    expects("equal only where the 90% interval lies inside +-0.5");
    char *tsv = program_file("out.tsv");
    ck_assert_ptr_nonnull(strstr(tsv, "\t5.0259\t5.3741\t4.7697\t5.6303\t0.000370\n"));
    free(tsv);
}
END_TEST

/* A table without costs, as the paper's second, does not say what a cost is. */
START_TEST(test_only_tables_with_costs_explain_them)
{
    ck_assert_msg(make_table("", "none1", "ours1") == 0, "%s", program_output);
    expects("\nCost is 10^9 multiply-accumulates");
    put_file("", "t.tsv",
             "row\tlabel\taccuracy\toptions\nnone\tNo Pooling\t87.3\t--pooling=none\n"
             "ours\tOur Model\t92.5\t--pooling=learned\n");
    ck_assert_msg(make_table("", "none1", "ours1") == 0, "%s", program_output);
    ck_assert_ptr_null(strstr(program_output, "Cost"));
    expects("\n\n+- is a 95% interval");
}
END_TEST

START_TEST(test_one_seed_is_undecided)
{
    ck_assert_msg(make_table("", "none1", "ours1") == 0, "%s", program_output);
    expects("87.20 +- 0.65");
    expects("undecided\n");
    ck_assert_ptr_null(strstr(program_output, "confirmed"));
    ck_assert_ptr_null(strstr(program_output, "contradicted"));
    ck_assert_ptr_null(strstr(program_output, "reproduced"));
}
END_TEST

/* 10,000 test images of class 3, of which the first `both` are right in each run, then `own` more in this
 * one; `skip` before them are right in the other. */
static void write_predictions(const char *name, int label, int both, int skip, int own)
{
    static char text[50000];
    int length = snprintf(text, sizeof text, "label\tpredicted\n");
    for (int i = 0; i < 10000; i++) {
        const bool right = i < both || (i >= both + skip && i < both + skip + own);
        length += snprintf(text + length, sizeof text - (size_t)length, "%d\t%d\n", label,
                           right ? label : (label + 1) % 10);
    }
    put_file(name, "predictions.tsv", text);
}

/* none1 has 8720 right and ours1 8726: 8718 both, 2 only the first and 8 only the second. p is
 * 2 (1 + 10 + 45) / 1024 = 0.109375. */
START_TEST(test_one_seed_compares_the_networks_image_by_image)
{
    write_run((Written){"ours1", "pooling\tlearned\n", .accuracy = 87.26});
    write_predictions("none1", 3, 8718, 0, 2);
    write_predictions("ours1", 3, 8718, 2, 8);
    ck_assert_msg(make_table("", "none1", "ours1") == 0, "%s", program_output);
    expects(
        "\nours - none                                                            8         2     0.109\n");
    expects(
        "\nnone - ours                                                            2         8     0.109\n");
    expects("undecided\n");
    char *tsv = program_file("out.tsv");
    ck_assert_ptr_nonnull(strstr(tsv, "\tundecided\t8\t2\t0.109375\t"));
    free(tsv);
    write_predictions("ours1", 4, 8718, 2, 8);
    ck_assert_msg(make_table("", "none1", "ours1") == 0, "%s", program_output);
    expects("  tested on other images\n");
    ck_assert_msg(make_table("", "none1 none2 none3", "ours1 ours2 ours3") == 0, "%s", program_output);
    ck_assert_ptr_null(strstr(program_output, "McNemar"));
}
END_TEST

START_TEST(test_one_seed_without_predictions_says_so)
{
    write_predictions("none1", 3, 8720, 0, 0);
    ck_assert_msg(make_table("", "none1", "ours1") == 0, "%s", program_output);
    expects("  no predictions.tsv in ");
    expects("/ours1: only what is in brackets\n");
    expects("+5.20 (+-0.84)"); /* sqrt(0.655^2 + 0.519^2) */
    ck_assert_ptr_null(strstr(program_output, "/none1: only"));
    char *tsv = program_file("out.tsv");
    ck_assert_ptr_nonnull(strstr(tsv, "\tundecided\t0\t0\tnan\t"));
    free(tsv);
}
END_TEST

/* One image more or less than the run's accuracy has; the same accuracy on 250 images of the 10,000; none. */
START_TEST(test_predictions_are_those_of_the_accuracy)
{
    static const char *const texts[] = {"label\tpredicted\n3\t3\n", "label\tpredicted\n", "", "3\t3\n"};
    for (int off = -1; off <= 1; off++) {
        write_predictions("ours1", 3, 9240 + off, 0, 0);
        ck_assert_int_eq(make_table("", "none1", "ours1"), off ? 1 : 0);
        if (off)
            program_expects_one_line("table: ", "ours1/predictions.tsv does not give the accuracy");
    }
    write_predictions("ours1", 3, 231, 0, 0);
    char *text = program_file("ours1/predictions.tsv");
    text[strlen("label\tpredicted\n") + 250 * strlen("3\t3\n")] = 0;
    put_file("ours1", "predictions.tsv", text);
    free(text);
    ck_assert_int_eq(make_table("", "none1", "ours1"), 1);
    program_expects_one_line("table: ", "ours1/predictions.tsv does not give the accuracy");
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        put_file("ours1", "predictions.tsv", texts[i]);
        ck_assert_int_eq(make_table("", "none1", "ours1"), 1);
        program_expects_one_line("table: ", "ours1/predictions.tsv does not give the accuracy");
    }
}
END_TEST

/* Means of 80.75 +- 0.3206, where one more run would fall: 100 - 18.89 is 81.11 and half of its last digit
 * 0.005 below it, 81.105, beyond, but not for best epochs 0.1 above; 100 - 18.9
 * begins at 81.05. What is no number is refused. */
START_TEST(test_cells_have_the_digits_that_are_printed)
{
    static const char *const cells[] = {"18.89", "18.9", "18,9"}, *const verdicts[] = {
                                                                      "\tonly with test-set selection\t",
                                                                      "\treproduced\t"};
    static const char runs[] = "net\tfabric-sparse\npooling\tnone\nhead\tlinear\nbias\tno\n";
    static const char *const names[2][3] = {{"none1", "none2", "none3"}, {"ours1", "ours2", "ours3"}};
    for (int i = 0; i < 6; i++) {
        char config[128];
        snprintf(config, sizeof config, "seed\t%d\n%s", 1 + i % 3, runs);
        write_run((Written){names[i / 3][i % 3], config, .accuracy = (i < 3 ? 80.65 : 70) + 0.1 * (i % 3)});
    }
    for (int c = 0; c < 3; c++) {
        char text[512];
        snprintf(text, sizeof text,
                 "row\tlabel\terror\toptions\n"
                 "none\tSparse\t%s\t--net=fabric-sparse --pooling=none --head=linear --bias=no\n"
                 "ours\tOther\t7.43\t--net=fabric-sparse --pooling=none --head=linear --bias=no\n",
                 cells[c]);
        put_file("", "t.tsv", text);
        put_file("", "t-differences.tsv", "label\tplus\tminus\tclaim\n");
        ck_assert_msg(make_table("", "none1 none2 none3", "ours1 ours2 ours3") == (c == 2), "%s",
                      program_output);
        if (c == 2) {
            program_expects_one_line("table: ", "row number 1: `18,9` is no number");
            continue;
        }
        char *tsv = program_file("out.tsv"), *line = strstr(tsv, "\nnone\t");
        line[strcspn(line + 1, "\n") + 1] = '\0';
        ck_assert_msg(strstr(line, verdicts[c]) != NULL, "%s: %s", cells[c], line);
        free(tsv);
    }
}
END_TEST

/* The paper's counts of a dense fabric: 6 * 8 * 3 * 9 * 128^2 by its formula, 122 * 9 * 128^2 and little more
 * of its graph. */
START_TEST(test_both_counts_of_a_fabric)
{
    put_file(
        "", "t.tsv",
        "row\tlabel\terror\tparameters\tcost\toptions\n"
        "none\tSparse\t18.89\t2\t-\t--net=fabric-sparse --pooling=none --head=linear --bias=no --layers=16\n"
        "ours\tDense\t7.43\t21.2\t-\t--net=fabric-dense --pooling=none --head=linear --bias=no --layers=8 "
        "--channels=128\n");
    put_file("", "t-differences.tsv", "label\tplus\tminus\tclaim\n");
    write_run(
        (Written){"none1", "net\tfabric-sparse\npooling\tnone\nhead\tlinear\nbias\tno\n", .accuracy = 80});
    write_run(
        (Written){"ours1", "net\tfabric-dense\npooling\tnone\nhead\tlinear\nbias\tno\n", .accuracy = 80});
    ck_assert_msg(make_table("", "none1", "ours1") == 0, "%s", program_output);
    expects(" 2.0    0.3030      0.43     0.50  does not hold");
    expects("21.2    0.3030     17.99    21.23  by formula");
    expects("three full convolutions a node");
}
END_TEST

START_TEST(test_same_run_twice)
{
    refuses("none1 none1", "ours1 ours2", "row none has seed 1 twice", "none1");
    refuses("none1 none2", "ours2 ours2", "row ours has seed", "ours2");
    refuses("none1 none2", "ours1 ours3", "row ours has seed 3", "row none has seed 2");
    refuses("none1 none2", "ours1", "row ours has 1 runs", "row none has 2");
}
END_TEST

START_TEST(test_rows_that_do_not_compare)
{
    write_run((Written){"data", "pooling\tlearned\n", 90, .sha = SHA_B});
    refuses("none1", "data", "SHA-256", SHA_B);
    write_run((Written){"kernels", "pooling\tlearned\n", 90, .kernels = "bf16"});
    refuses("none1", "kernels", "kernel set is f32", "/kernels");
    write_run((Written){"size", "pooling\tlearned\nchannels\t16\n", .accuracy = 90});
    refuses("none1", "size", "--channels is 64", "/none1");
    write_run((Written){"budget", "pooling\tlearned\nepochs\t40\n", .accuracy = 90});
    refuses("none1", "budget", "--epochs is 400", "40 in the other");
    write_run((Written){"rate", "pooling\tlearned\nlr\t0.7\n", .accuracy = 90});
    refuses("none1", "rate", "--lr is 0.1", "0.7");
    write_run((Written){"logits", "pooling\tlearned\nlogits-decay\t0\n", .accuracy = 90});
    refuses("none1 none2", "ours1 logits", "seed 1 twice", "logits");
    write_run((Written){"logits", "pooling\tlearned\nlogits-decay\t0\nseed\t2\n", .accuracy = 90});
    refuses("none1 none2", "ours1 logits", "--logits-decay is 0.0003", "0 in the other");
}
END_TEST

START_TEST(test_run_of_another_row)
{
    refuses("none1", "none1", "--pooling=none", "row ours is --pooling=learned");
    write_run(
        (Written){"pruned", "pooling\tlearned\nprune-from\tours1\nprune-threshold\t1\n", .accuracy = 90});
    refuses("none1", "pruned", "is a pruned run", "row ours");
}
END_TEST

/* What the other options of a row without effect are does not matter. */
START_TEST(test_options_without_effect_compare)
{
    write_run((Written){"none1", "pooling\tnone\nlogits-decay\t0.5\nprune-epochs\t7\n", .accuracy = 87});
    ck_assert_msg(make_table("", "none1", "ours1") == 0, "%s", program_output);
}
END_TEST

START_TEST(test_instruction_sets_are_marked)
{
    write_run((Written){"ours1", "pooling\tlearned\n", 90, .set = "avx512"});
    ck_assert_msg(make_table("", "none1", "ours1") == 0, "%s", program_output);
    expects("f32 (avx2, and others: rows with ~)");
    ck_assert_ptr_null(strstr(strchr(program_output, '~') + 1, "~ *"));
    expects(" ~\n");
}
END_TEST

/* Every option that the paper states or a choice fixes is told, none that is as it should be. */
START_TEST(test_protocol_is_told_from_the_table_of_options)
{
    write_run((Written){
        "none1", "pooling\tnone\nlogits-decay\t0.1\nimages-b\t5000\nweight-decay\t0.0005\naugment\tno\n",
        .accuracy = 87});
    write_run(
        (Written){"ours1",
                  "pooling\tlearned\nlogits-decay\t0.1\nlogits-beta1\t0.9\nlogits-lr\t0.01\nimages-b\t5000\n"
                  "weight-decay\t0.0005\naugment\tno\n",
                  .accuracy = 90});
    ck_assert_msg(make_table("", "none1", "ours1") == 0, "%s", program_output);
    expects("  logits-decay     0.1 instead of 0.0003\n");
    expects("  logits-beta1     0.9 instead of 0.5\n");
    expects("  logits-lr        0.01 instead of 0.0001\n");
    expects("  images-b         5000 instead of 10000\n");
    expects("  weight-decay     0.0005 instead of 0 (the paper does not say)\n");
    expects("  augment          no instead of yes (the paper does not say)\n");
    int lines = 0;
    for (const char *at = strstr(program_output, " instead of "); at; at = strstr(at + 1, " instead of "))
        lines++;
    ck_assert_int_eq(lines, 6);
}
END_TEST

/* --row: what the run was asked to be. */
START_TEST(test_runs_made_with_other_options)
{
    static const struct {
        const char *all, *made, *word;
    } asked[] = {
        {"--all=--pooling=none", "", NULL},
        {"--all=--pooling=none", "--images-epoch=10000", NULL},
        {"--all=--pooling=none", "--lr=0.7", "made with --lr=0.1, not 0.7"},
        {"--all=--epochs=5", "--pooling=none", "made with --epochs=400, not 5"},
        {"--all=--pooling=none", "--logits-lr=0.5", "made with --logits-lr=0.0001, not 0.5"},
    };
    for (size_t i = 0; i < sizeof asked / sizeof *asked; i++) {
        char more[256];
        snprintf(more, sizeof more, "%s --row=none:%s", asked[i].all, asked[i].made);
        ck_assert_msg(make_table(more, "none1", "ours1") == (asked[i].word ? 1 : 0), "%s: %s", more,
                      program_output);
        if (asked[i].word)
            program_expects_one_line("table: ", asked[i].word);
    }
}
END_TEST

/* A result that the log does not give, or that no run gives, is refused (result_check). */
START_TEST(test_impossible_results)
{
    static const char *const results[] = {"accuracy\t500\n", "accuracy\t1e300\n", "accuracy\tnan\n",
                                          "accuracy\t90.5\n", ""};
    write_run((Written){"ours1", "pooling\tlearned\n", .accuracy = 90, .result = results[_i]});
    refuses("none1", "ours1", "ours1/result.tsv", "it was edited");
}
END_TEST

/* Neither are times that no clock gives. */
START_TEST(test_impossible_times)
{
    static const char *const times[] = {"-1\t6\t100", "nan\t6\t100", "60\tinf\t100", "60\t6\tnan",
                                        "60\t6\t-1"};
    char text[128];
    snprintf(text, sizeof text, "epoch\ttrain_seconds\ttest_seconds\timages_per_second\n1\t%s\n", times[_i]);
    put_file("ours1", "timing.tsv", text);
    refuses("none1", "ours1", "ours1/timing.tsv", "no run leaves");
}
END_TEST

Suite *table_suite(void)
{
    Suite *suite = suite_create("table");
    TCase *tcase = tcase_create("runs by hand");
    tcase_add_checked_fixture(tcase, program_setup, program_teardown);
    tcase_add_checked_fixture(tcase, write_runs, NULL);
    tcase_add_test(tcase, test_table_of_three_seeds);
    tcase_add_test(tcase, test_differences_are_paired_by_seed_too);
    tcase_add_test(tcase, test_only_tables_with_costs_explain_them);
    tcase_add_test(tcase, test_one_seed_is_undecided);
    tcase_add_test(tcase, test_one_seed_compares_the_networks_image_by_image);
    tcase_add_test(tcase, test_one_seed_without_predictions_says_so);
    tcase_add_test(tcase, test_predictions_are_those_of_the_accuracy);
    tcase_add_test(tcase, test_cells_have_the_digits_that_are_printed);
    tcase_add_test(tcase, test_both_counts_of_a_fabric);
    tcase_add_test(tcase, test_same_run_twice);
    tcase_add_test(tcase, test_rows_that_do_not_compare);
    tcase_add_test(tcase, test_run_of_another_row);
    tcase_add_test(tcase, test_options_without_effect_compare);
    tcase_add_test(tcase, test_instruction_sets_are_marked);
    tcase_add_test(tcase, test_protocol_is_told_from_the_table_of_options);
    tcase_add_test(tcase, test_runs_made_with_other_options);
    tcase_add_loop_test(tcase, test_impossible_results, 0, 5);
    tcase_add_loop_test(tcase, test_impossible_times, 0, 5);
    suite_add_tcase(suite, tcase);
    return suite;
}
