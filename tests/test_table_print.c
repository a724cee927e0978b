/* What a table prints of runs written by hand: its heading, the columns of its rows, and numbers by others.
 */
#include "../experiments/runs/provenance.h"
#include "program.h"
#include "suites.h"
#include "table_runs.h"
#include <stdio.h>
#include <string.h>

/* What a row prints behind its label. */
static void expects_row(const char *label, const char *cells)
{
    char line[256];
    snprintf(line, sizeof line, "\n%-22s%s", label, cells);
    expects(line);
}

/* How its line ends. */
static void expects_end(const char *label, const char *end)
{
    char start[64];
    snprintf(start, sizeof start, "%-22s ", label);
    expects_line(start, end);
}

/* Two rows of this file that claim nothing. */
static void put_table(const char *text)
{
    put_file("", "t.tsv", text);
    put_file("", "t-differences.tsv", "label\tplus\tminus\tclaim\n");
}

static void write_pair(const char *origin)
{
    write_run((Written){"none1", "pooling\tnone\n", .accuracy = 80.65, .origin = origin});
    write_run((Written){"ours1", "pooling\tlearned\n", .accuracy = 90, .origin = origin});
}

static const char *const data[][2] = {
    {"cifar10", NULL},
    {"cifar10-jpeg75", "CIFAR-10 with its images re-encoded as JPEG, quality 75, instead of CIFAR-10"},
    {"fashion-mnist", "not CIFAR-10"}};

START_TEST(test_data_that_are_not_the_papers_are_told)
{
    char origin[64], line[128];
    snprintf(origin, sizeof origin, "data\t%s\n", data[_i][0]);
    write_pair(origin);
    ck_assert_msg(make_table("", "none1", "ours1") == 0, "%s", program_output);
    snprintf(line, sizeof line, "\ndata     %s, sha256 " SHA_A "\n", data[_i][0]);
    expects(line);
    snprintf(line, sizeof line, "\n  data             %s\n", data[_i][1]);
    if (data[_i][1])
        expects(line);
    else
        expects_not("\n  data ");
}
END_TEST

START_TEST(test_one_seed_is_told)
{
    static const char words[] =
        "\n  seeds            one, so the intervals are those of the test set, without "
        "the spread between seeds\n";
    ck_assert_msg(make_table("", "none1", "ours1") == 0, "%s", program_output);
    expects(words);
    ck_assert_msg(make_table("", "none1 none2", "ours1 ours2") == 0, "%s", program_output);
    expects_not("\n  seeds  ");
}
END_TEST

/* Both rows have another rate than ours by default. */
START_TEST(test_what_rows_differ_in_alike_is_told_once)
{
    write_run((Written){"none1", "pooling\tnone\nlr\t0.2\n", .accuracy = 80});
    write_run((Written){"ours1", "pooling\tlearned\nlr\t0.2\n", .accuracy = 80});
    ck_assert_msg(make_table("", "none1", "ours1") == 0, "%s", program_output);
    static const char words[] = "\n  lr               0.2 instead of 0.1 (the paper does not say)\n";
    expects(words);
    ck_assert_ptr_null(strstr(strstr(program_output, words) + 1, words));
}
END_TEST

/* One of a row's runs is enough, the last or not. */
START_TEST(test_rows_of_another_commit_are_marked)
{
    char origin[128];
    snprintf(origin, sizeof origin, "commit\t%s\n", provenance_commit());
    write_run((Written){"none1", "pooling\tnone\nseed\t1\n", .accuracy = 87.2, .origin = origin});
    write_run((Written){"none2", "pooling\tnone\nseed\t2\n", .accuracy = 87.3, .origin = origin});
    write_run((Written){"ours2", "pooling\tlearned\nseed\t2\n", .accuracy = 92.5, .origin = origin});
    ck_assert_msg(make_table("", "none1 none2", "ours1 ours2") == 0, "%s", program_output);
    expects_end("No Pooling", " 3      6.6");
    expects_end("Our Model", " 3      6.6 *");
    expects("\n* trained by another commit than this program's\n");
    write_run((Written){"ours3", "pooling\tlearned\nseed\t3\n", .accuracy = 92.5, .origin = origin});
    ck_assert_msg(make_table("", "none3", "ours3") == 0, "%s", program_output);
    expects_end("Our Model", " 3      3.3");
    expects("\n* trained by another commit than this program's\n");
    write_run((Written){"none3", "pooling\tnone\nseed\t3\n", .accuracy = 87.4, .origin = origin});
    ck_assert_msg(make_table("", "none3", "ours3") == 0, "%s", program_output);
    expects_not("another commit");
}
END_TEST

/* In the row's second run too. */
START_TEST(test_rows_of_another_instruction_set_are_marked)
{
    write_run((Written){"none2", "pooling\tnone\nseed\t2\n", .accuracy = 87.3, .set = "avx512"});
    ck_assert_msg(make_table("", "none1 none2", "ours1 ours2") == 0, "%s", program_output);
    expects("\nkernels  f32 (avx2, and others: rows with ~)\n");
    expects_end("No Pooling", " * ~");
    expects_end("Our Model", " 6.6 *");
}
END_TEST

/* The spread between seeds is of the last epochs, 0.1 and +- 0.1603, not of the best on the test set. */
START_TEST(test_the_best_epochs_spread_is_not_used)
{
    for (int seed = 1; seed <= 3; seed++) {
        char name[16], config[64];
        snprintf(name, sizeof name, "none%d", seed);
        snprintf(config, sizeof config, "pooling\tnone\nseed\t%d\n", seed);
        write_run((Written){name, config, .accuracy = 87.1 + 0.1 * seed, .better = seed});
    }
    ck_assert_msg(make_table("", "none1 none2 none3", "ours1 ours2 ours3") == 0, "%s", program_output);
    expects_row("No Pooling", "   87.3    87.30 +- 0.16    89.30 ");
    expects("pooled over the rows: 0.10 points (4 degrees of freedom)");
    expects("+5.2     +5.20 +- 0.23 ");
}
END_TEST

/* Columns begin behind the longest label. */
START_TEST(test_labels_of_any_length_leave_columns_in_line)
{
    put_table("row\tlabel\taccuracy\nnone\tNone\t87.3\nours\tA label of 34 letters, here it is.\t92.5\n");
    ck_assert_msg(make_table("", "none1", "ours1") == 0, "%s", program_output);
    expects("\nrow                                  acc.  ");
    expects("\nNone                                 87.3  ");
    expects("\nA label of 34 letters, here it is.   92.5  ");
}
END_TEST

/* A name that another one ends with is a name of its own. */
START_TEST(test_every_commit_of_a_continued_run_is_named)
{
    write_run((Written){"none1", "pooling\tnone\n", .accuracy = 87,
                        .origin = "commit\t9c0\ncontinued\t1 2026-01-01T00:00:00Z c0 avx2 2\n"
                                  "continued\t2 2026-01-01T00:00:00Z 9c0 avx2 2\n"});
    ck_assert_msg(make_table("", "none1", "ours1") == 0, "%s", program_output);
    expects("\ncommit   9c0 and c0\n");
    expects("\nkernels  f32 (avx2)\n");
}
END_TEST

/* An error is 100 minus the accuracy, of which the paper prints two digits; 80.65 of 10,000 images is
 * +- 1.959964 sqrt(0.8065 * 0.1935 / 10000), 0.77 points. */
START_TEST(test_errors_stand_beside_the_papers)
{
    write_pair("");
    put_table("row\tlabel\terror\nnone\tSparse\t18.89\nours\tOther\t-\n");
    ck_assert_msg(make_table("", "none1", "ours1") == 0, "%s", program_output);
    expects("\nrow                     error         error, %     test  verdict   ");
    expects_row("Sparse", "  18.89    19.35 +- 0.77    19.25  undecided ");
    expects_row("Other", "      -    10.00 +- 0.59     9.90  -         ");
    put_table("row\tlabel\taccuracy\nnone\tSparse\t81.11\nours\tOther\t-\n");
    ck_assert_msg(make_table("", "none1", "ours1") == 0, "%s", program_output);
    expects("\nrow                      acc.      accuracy, %     test  verdict   ");
    expects_row("Sparse", "   81.1    80.65 +- 0.77    80.75  undecided ");
}
END_TEST

/* Each cell is the mean of two runs, whose most likely depths are 6 and 8, expected 6.25 and 6.75, last 9 and
 * 11. A run that learned none has none. */
START_TEST(test_learned_depths_stand_in_their_order)
{
    put_table("row\tlabel\taccuracy\tdepth\nnone\tFixed\t87.3\t-\nours\tLearned\t92.0\t8\n");
    write_run((Written){"ours1", "pooling\tlearned\nseed\t1\n", .accuracy = 92,
                        .more = "depth_argmax\t6\ndepth_expected\t6.25\ndepth_last\t9\n"});
    write_run((Written){"ours2", "pooling\tlearned\nseed\t2\n", .accuracy = 92,
                        .more = "depth_argmax\t8\ndepth_expected\t6.75\ndepth_last\t11\n"});
    ck_assert_msg(make_table("", "none1 none2", "ours1 ours2") == 0, "%s", program_output);
    expects("  paper here: likeliest,  ");
    expects("  depth expected, last        in all ");
    expects_end("Fixed", "      -      -      -      -       3      6.6 *");
    expects_end("Learned", "      8      7    6.5     10       3      6.6 *");
}
END_TEST

/* The middle epoch's 200 images a second are 0.96 s for a batch of 192. The epochs are those in all, the
 * minutes of both runs: 2 * 3 * 66 s. */
START_TEST(test_speed_epochs_and_minutes)
{
    static const char *const peaks[] = {"peak_mib\t500\n", "peak_mib\t700\n"};
    for (int seed = 1; seed <= 2; seed++) {
        char name[32], config[64];
        snprintf(name, sizeof name, "ours%d", seed);
        snprintf(config, sizeof config, "seed\t%d\npooling\tlearned\n", seed);
        write_run(
            (Written){name, config, .accuracy = 92, .more = "total_epochs\t43\n", .origin = peaks[seed - 1]});
    }
    ck_assert_msg(make_table("--speed", "none1 none2", "ours1 ours2") == 0, "%s", program_output);
    expects("images/s s a step      MiB  in all  minutes\n");
    expects_end("No Pooling", "      200    0.960        -       3      6.6 *");
    expects_end("Our Model", "      200    0.960      600      43      6.6 *");
}
END_TEST

/* Of 10 layers of 64 without pooling: 9 * 1024 * (3 * 64 + 8 * 64 * 64 + 64 * 10), 0.3097, by 1 + 1/4 + 1/16
 * + 1/64 + 1/256 of five levels 0.4125. The runs have 4 layers of 16, and say 0.1. */
START_TEST(test_cost_at_the_papers_size_is_not_the_runs)
{
    static const char *const tables[] = {
        "row\tlabel\taccuracy\tcost\toptions\nnone\tNo Pooling\t87.3\t0.31\t--pooling=none\n"
        "ours\tOur Model\t92.5\t0.42\t--pooling=learned\n",
        "row\tlabel\taccuracy\tcost\nnone\tNo Pooling\t87.3\t0.31\nours\tOur Model\t92.5\t0.42\n"};
    put_table(tables[_i]);
    write_run((Written){"none1", "pooling\tnone\nlayers\t4\nchannels\t16\n", .accuracy = 87,
                        .more = "macs\t100000000\n"});
    write_run((Written){"ours1", "pooling\tlearned\nlayers\t4\nchannels\t16\n", .accuracy = 92,
                        .more = "macs\t100000000\n"});
    ck_assert_msg(make_table("", "none1", "ours1") == 0, "%s", program_output);
    expects("   0.31    0.1000    0.3097  holds         ");
    expects("   0.42    0.1000    0.4125  does not hold ");
}
END_TEST

/* In stages 3,3,2,2 of 10 layers: 9 * 1024 * (3 * 64 + 2 * 64 * 64 + 3 * 64 * 64 / 4 + 2 * 64 * 64 / 16 + 64
 * * 64 / 64 + 64 * 10 / 64), 0.1110. */
START_TEST(test_cost_of_stages_is_of_the_papers_layers)
{
    static const char *const tables[] = {
        "row\tlabel\taccuracy\tcost\toptions\nnone\tPredefined\t90.0\t0.11\t--pooling=predefined\n"
        "ours\tOurs\t92.5\t0.41\t--pooling=learned\n",
        "row\tlabel\taccuracy\tcost\nnone\tPredefined\t90.0\t0.11\nours\tOurs\t92.5\t0.41\n"};
    put_table(tables[_i]);
    write_run((Written){"none1", "pooling\tpredefined\nlayers\t4\nstages\t1,1,1,1\n", .accuracy = 87});
    write_run((Written){"ours1", "pooling\tlearned\nlayers\t4\n", .accuracy = 92});
    ck_assert_msg(make_table("", "none1", "ours1") == 0, "%s", program_output);
    expects("   0.11    0.4125    0.1110  holds         ");
}
END_TEST

/* Layer 2 keeps two levels, layer 3 only the level of a sixteenth, every other its finest: 64 * 64 * 9 * 1024
 * products are a layer, 0.037749 of 10^9, so that 0.309658 + 0.037749 (1/4 + 1/16 - 1) remains. */
START_TEST(test_cost_of_a_pruned_row_is_of_the_levels_that_it_kept)
{
    char kept[512] = "macs_layer_2_level_1\t1\nmacs_layer_3_level_2\t1\n";
    for (int l = 1; l <= 10; l++)
        if (l != 3)
            snprintf(kept + strlen(kept), sizeof kept - strlen(kept), "macs_layer_%d_level_0\t1\n", l);
    put_table("row\tlabel\taccuracy\tcost\toptions\nnone\tNo Pooling\t87.3\t0.31\t--pooling=none\n"
              "ours\tPruned\t92.5\t0.28\t--pooling=learned --prune-threshold=0.2\n");
    write_run((Written){"ours1", "pooling\tlearned\nprune-from\tsource\nprune-threshold\t0.2\n",
                        .accuracy = 92, .more = kept});
    ck_assert_msg(make_table("", "none1", "ours1") == 0, "%s", program_output);
    expects("   0.28    0.4125    0.2837  learned       ");
    write_run((Written){"none1", "pooling\tnone\nlayers\t9\n", .accuracy = 87});
    write_run((Written){"ours1", "pooling\tlearned\nprune-from\tsource\nprune-threshold\t0.2\nlayers\t9\n",
                        .accuracy = 92, .more = kept});
    ck_assert_msg(make_table("", "none1", "ours1") == 0, "%s", program_output);
    expects("   0.28    0.4125         -  learned       "); /* what layer 10 would keep is not known */
}
END_TEST

/* Only tables of fabrics tell how these are counted. */
START_TEST(test_formulas_are_those_of_fabrics)
{
    put_table("row\tlabel\taccuracy\tparameters\toptions\nnone\tNo Pooling\t87.3\t0.3\t--pooling=none\n"
              "ours\tOurs\t92.5\t0.3\t--pooling=learned\n");
    ck_assert_msg(make_table("", "none1", "ours1") == 0, "%s", program_output);
    expects("  0.3    0.3030      0.30        -  holds ");
    expects_not("By formula");
}
END_TEST

static const char literature[] = "net\tparameters\tmacs\taccuracy\tsource\n"
                                 "ResNet-20\t270000\t41000000\t91.25\tHe et al. 2016\n"
                                 "SimpNet, slim\t300000\t-\t93.25\tits authors\n"
                                 "A net\t-\t123456789\t90\ttheir page\n";

START_TEST(test_numbers_by_others_stand_under_their_names)
{
    char option[128];
    put_file("", "outside.tsv", literature);
    snprintf(option, sizeof option, "--literature=%s/outside.tsv", program_folder);
    ck_assert_msg(make_table(option, "none1", "ours1") == 0, "%s", program_output);
    expects("\nnet                                       accuracy  par, M cost, G  source\n"
            "ResNet-20                                    91.25    0.27   0.041  He et al. 2016\n"
            "SimpNet, slim                                93.25    0.30       -  its authors\n"
            "A net                                           90       -   0.123  their page\n\n");
    ck_assert_msg(make_table("--literature=paper/expected/outside.tsv", "none1", "ours1") == 0, "%s",
                  program_output);
    ck_assert_msg(make_table("", "none1", "ours1") == 0, "%s", program_output);
    expects_not("Literature");
}
END_TEST

static const char *const no_nets[] = {
    "A net\t270000\t41000000\t91.25\nAnother\t1\t2\t90\tits page\n",
    "A net\t270000\t41000000\t91.25\tits page\tand more\n", "A net\t270000\t41000000\t91.25\nits page\n",
    "A net\t\t41000000\t91.25\tits page\n",
    ("A net whose name has 64 letters, which is one more than is taken\t270000\t"
     "41000000\t91.25\tits page\n")};

/* Nothing of a line is left out, or taken from the next one. */
START_TEST(test_lines_that_are_no_net_are_refused)
{
    char option[128], text[512];
    snprintf(text, sizeof text, "net\tparameters\tmacs\taccuracy\tsource\n%s", no_nets[_i]);
    put_file("", "outside.tsv", text);
    snprintf(option, sizeof option, "--literature=%s/outside.tsv", program_folder);
    ck_assert_int_eq(make_table(option, "none1", "ours1"), 1);
    expects("/outside.tsv: `A net");
    expects("` is not a net, its parameters, macs, accuracy and source\n");
    char *out = program_file("out.tsv");
    ck_assert_ptr_null(out);
}
END_TEST

Suite *table_print_suite(void)
{
    Suite *suite = suite_create("table_print");
    TCase *tcase = tcase_create("runs by hand");
    tcase_add_checked_fixture(tcase, program_setup, program_teardown);
    tcase_add_checked_fixture(tcase, write_runs, NULL);
    tcase_add_loop_test(tcase, test_data_that_are_not_the_papers_are_told, 0, 3);
    tcase_add_test(tcase, test_one_seed_is_told);
    tcase_add_test(tcase, test_what_rows_differ_in_alike_is_told_once);
    tcase_add_test(tcase, test_rows_of_another_commit_are_marked);
    tcase_add_test(tcase, test_rows_of_another_instruction_set_are_marked);
    tcase_add_test(tcase, test_the_best_epochs_spread_is_not_used);
    tcase_add_test(tcase, test_labels_of_any_length_leave_columns_in_line);
    tcase_add_test(tcase, test_every_commit_of_a_continued_run_is_named);
    tcase_add_test(tcase, test_errors_stand_beside_the_papers);
    tcase_add_test(tcase, test_learned_depths_stand_in_their_order);
    tcase_add_test(tcase, test_speed_epochs_and_minutes);
    tcase_add_loop_test(tcase, test_cost_at_the_papers_size_is_not_the_runs, 0, 2);
    tcase_add_loop_test(tcase, test_cost_of_stages_is_of_the_papers_layers, 0, 2);
    tcase_add_test(tcase, test_cost_of_a_pruned_row_is_of_the_levels_that_it_kept);
    tcase_add_test(tcase, test_formulas_are_those_of_fabrics);
    tcase_add_test(tcase, test_numbers_by_others_stand_under_their_names);
    tcase_add_loop_test(tcase, test_lines_that_are_no_net_are_refused, 0, 5);
    suite_add_tcase(suite, tcase);
    return suite;
}
