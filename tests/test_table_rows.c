/* What a table's files may say, and which runs may stand in which row: files and runs written by hand. */
#include "program.h"
#include "suites.h"
#include "table_runs.h"
#include <stdio.h>
#include <string.h>

/* Files of the paper's cells that are refused, and by which words. */
static const struct {
    const char *text, *words;
} cells[] = {
    {"row\tlabel\taccuracy\nnone\tNo Pooling\t87.3\nnone\tOur Model\t92.5\n",
     "t.tsv: row number 2 has no name, no label, or the name of an earlier one"},
    {"row\tlabel\taccuracy\n\tNo Pooling\t87.3\n", "t.tsv: row number 1 has no name"},
    {"row\tlabel\taccuracy\nnone\t\t87.3\n", "t.tsv: row number 1 has no name, no label"},
    {"row\tlabel\taccuracy\nnone\tNo Pooling\t87.3\nours\tOur Model\n",
     "t.tsv: a line has 2 columns, but the first has 3"},
    {"row\tlabel\taccuracy\nnone\tNo Pooling\t87.3\t0.31\n",
     "t.tsv: a line has 4 columns, but the first has 3"},
    {"row\tlabel\taccuracy\nnone\tNo Pooling\t87.3%\n", "t.tsv, row number 1: `87.3%` is no number"},
    {"row\tlabel\taccuracy\nnone\tNo Pooling\tinf\n", "t.tsv, row number 1: `inf` is no number"},
    {"row\tlabel\taccuracy\nnone\tNo Pooling\t1e999\n", "t.tsv, row number 1: `1e999` is no number"},
    {"row\tlabel\taccuracy\toptions\nnone\tNo Pooling\t87.3\t--pooling=some\n", "t.tsv: --pooling is some"},
    {"row\tlabel\taccuracy\n", "t.tsv has no rows"},
};
enum { CELLS = sizeof cells / sizeof *cells };

START_TEST(test_cells_that_are_none_are_refused)
{
    put_file("", "t.tsv", cells[_i].text);
    ck_assert_int_eq(make_table("", "none1", "ours1"), 1);
    program_expects_one_line("table: ", cells[_i].words);
}
END_TEST

/* Differences of the rows a to e that are refused. */
static const struct {
    const char *line, *words;
} claims[] = {
    {"more\ta\tb\tlarger\n",
     "t-differences.tsv: the claim of more is larger, but must be size, direction or equal"},
    {"more\ta\tx\tsize\n", "t-differences.tsv: x is no row of "},
    {"more\ta b c\td e\tsize\n", "t-differences.tsv: e is no row of "}, /* a fifth */
    {"more\ta b\t\tsize\n", "t-differences.tsv: more has no row on one of its sides"},
    {"more\t\ta b\tsize\n", "t-differences.tsv: more has no row on one of its sides"},
    {"more\t\t\tsize\n", "t-differences.tsv: more has no row on one of its sides"},
    {"more\ta\tb\n", "t-differences.tsv: a line has 3 columns, but the first has 4"},
};
enum { CLAIMS = sizeof claims / sizeof *claims };

START_TEST(test_differences_that_are_none_are_refused)
{
    char text[256];
    put_file("", "t.tsv", "row\tlabel\taccuracy\na\tA\t1\nb\tB\t2\nc\tC\t3\nd\tD\t4\ne\tE\t5\n");
    snprintf(text, sizeof text, "label\tplus\tminus\tclaim\n%s", claims[_i].line);
    put_file("", "t-differences.tsv", text);
    ck_assert_int_eq(make_table_of("", "a=none1 b=none1 c=none1 d=none1 e=none1"), 1);
    program_expects_one_line("table: ", claims[_i].words);
}
END_TEST

/* 32 seeds a row are the most. */
START_TEST(test_more_runs_than_a_row_holds_are_refused)
{
    char runs[1024] = "";
    put_file("", "t.tsv", "row\tlabel\taccuracy\nnone\tNo Pooling\t87.3\n");
    put_file("", "t-differences.tsv", "label\tplus\tminus\tclaim\n");
    for (int seed = 1; seed <= 33; seed++) {
        char name[16], config[64];
        snprintf(name, sizeof name, "s%d", seed);
        snprintf(config, sizeof config, "seed\t%d\npooling\tnone\n", seed);
        write_run((Written){name, config, .accuracy = 87});
        snprintf(runs + strlen(runs), sizeof runs - strlen(runs), "none=%s ", name);
        if (seed == 32)
            ck_assert_msg(make_table_of("", runs) == 0, "%s", program_output);
    }
    expects(
        "seeds    1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31 32\n");
    ck_assert_int_eq(make_table_of("", runs), 1);
    program_expects_one_line("table: ", "row none has more than 32 runs");
}
END_TEST

/* Of a budget that scales every size, in rows that state the paper's. */
START_TEST(test_sizes_that_a_row_states_may_be_scaled)
{
    static const char sizes[] = "layers\t4\nchannels\t8\nimages-a\t2000\nimages-b\t500\nimages-test\t1000\n"
                                "images-epoch\t1000\nepochs\t3\nbatch\t96\n";
    static const char stated[] = "--layers=10 --channels=64 --images-a=40000 --images-b=10000 "
                                 "--images-test=10000 --images-epoch=10000 --epochs=400 --batch=192";
    char text[1024];
    snprintf(text, sizeof text,
             "row\tlabel\taccuracy\toptions\nnone\tNo Pooling\t87.3\t--pooling=none %s\n"
             "ours\tOur Model\t92.5\t--pooling=learned %s\n",
             stated, stated);
    put_file("", "t.tsv", text);
    snprintf(text, sizeof text, "pooling\tnone\n%s", sizes);
    write_run((Written){"none1", text, .accuracy = 50});
    snprintf(text, sizeof text, "pooling\tlearned\n%s", sizes);
    write_run((Written){"ours1", text, .accuracy = 50});
    ck_assert_msg(make_table("", "none1", "ours1") == 0, "%s", program_output);
    expects("\n  batch            96 instead of 192 (the paper does not say)\n");
}
END_TEST

/* Stages and the logits' rate are worked out of layers and epochs: where rows state these, they may differ.
 */
START_TEST(test_what_is_worked_out_of_sizes_differs_with_them)
{
    put_file("", "t.tsv",
             "row\tlabel\taccuracy\toptions\nnone\tTen\t87.3\t--pooling=predefined\n"
             "ours\tTwenty\t92.5\t--pooling=predefined --layers=20\n");
    write_run((Written){"none1", "pooling\tpredefined\n", .accuracy = 80});
    write_run((Written){"ours1", "pooling\tpredefined\nlayers\t20\nstages\t5,5,5,5\n", .accuracy = 80});
    ck_assert_msg(make_table("", "none1", "ours1") == 0, "%s", program_output);
    expects_not("  stages ");
    write_run((Written){"ours1", "pooling\tpredefined\nlayers\t10\nstages\t4,2,2,2\n", .accuracy = 80});
    ck_assert_int_eq(make_table("", "none1", "ours1"), 1);
    program_expects_one_line("table: ", "--stages is 3,3,2,2 in one and 4,2,2,2 in the other");
}
END_TEST

/* A table that gives its rows no options is about pooling, and tells of none of it. */
START_TEST(test_rows_without_options_are_about_pooling)
{
    put_file("", "t.tsv", "row\tlabel\taccuracy\nnone\tNo Pooling\t87.3\nours\tPruned\t92.5\n");
    write_run((Written){"ours1",
                        "pooling\tlearned\nprune-from\tsource\nprune-threshold\t0.25\nprune-epochs\t40\n",
                        .accuracy = 90, .more = "macs_layer_1_level_0\t1\n"});
    ck_assert_msg(make_table("", "none1", "ours1") == 0, "%s", program_output);
    expects("\n\nDiffers from the paper's protocol:\n  seeds ");
}
END_TEST

/* A tenth of the epochs is the protocol's fine-tuning, at least one; less is told. */
START_TEST(test_epochs_of_fine_tuning_are_a_tenth)
{
    static const struct {
        int epochs, tuned;
        const char *words;
    } runs[] = {{400, 40, NULL}, {8, 1, NULL}, {400, 7, "\n  prune-epochs     7 instead of 40 "}};
    put_file("", "t.tsv",
             "row\tlabel\taccuracy\toptions\nnone\tNo Pooling\t87.3\t--pooling=none\n"
             "ours\tPruned\t92.5\t--pooling=learned --prune-threshold=0.25\n");
    for (size_t i = 0; i < sizeof runs / sizeof *runs; i++) {
        char config[256];
        snprintf(config, sizeof config, "pooling\tnone\nepochs\t%d\n", runs[i].epochs);
        write_run((Written){"none1", config, .accuracy = 80});
        snprintf(
            config, sizeof config,
            "pooling\tlearned\nprune-from\tsource\nprune-threshold\t0.25\nepochs\t%d\nprune-epochs\t%d\n",
            runs[i].epochs, runs[i].tuned);
        write_run((Written){"ours1", config, .accuracy = 90, .more = "macs_layer_1_level_0\t1\n"});
        ck_assert_msg(make_table("", "none1", "ours1") == 0, "%s", program_output);
        if (runs[i].words)
            expects(runs[i].words);
        else
            expects_not("prune-epochs");
    }
}
END_TEST

/* With a threshold of 0 every level is kept: only the source tells the two runs apart. */
START_TEST(test_a_pruned_row_wants_pruned_runs)
{
    put_file("", "t.tsv",
             "row\tlabel\taccuracy\toptions\nnone\tNo Pooling\t87.3\t--pooling=none\n"
             "ours\tPruned\t92.5\t--pooling=learned --prune-threshold=0\n");
    refuses("none1", "ours1", "ours1 is no pruned run, but row ours is not", "name a run of that row");
}
END_TEST

/* Epochs are not tested on more images than the last one: who asks for fewer need not say so twice. */
START_TEST(test_images_after_an_epoch_are_at_most_those_of_the_test)
{
    write_run((Written){"none1", "pooling\tnone\nimages-test\t1000\nimages-epoch\t1000\n", .accuracy = 87});
    write_run(
        (Written){"ours1", "pooling\tlearned\nimages-test\t1000\nimages-epoch\t1000\n", .accuracy = 92});
    ck_assert_msg(make_table("--all=--images-test=1000 --row=none:--pooling=none", "none1", "ours1") == 0,
                  "%s", program_output);
    ck_assert_int_eq(make_table("--all=--images-test=1000 --row=ours:--images-epoch=500", "none1", "ours1"),
                     1);
    program_expects_one_line("table: ", "made with --images-epoch=1000, not 500");
    ck_assert_int_eq(make_table("--row=ours:--images-epoch=500 --all=--images-test=1000", "none1", "ours1"),
                     1);
    program_expects_one_line("table: ", "made with --images-epoch=1000, not 500");
    /* What all rows were asked to be counts wherever it stands. */
    ck_assert_int_eq(make_table("--row=ours:--images-epoch=1000 --all=--images-test=700", "none1", "ours1"),
                     1);
    program_expects_one_line("table: ", "made with --images-test=1000, not 700");
}
END_TEST

/* Seeds, data and kernels are compared otherwise: what a command says of them is none of its row. */
START_TEST(test_what_is_compared_otherwise_is_not_asked_of_a_run)
{
    static const char apart[] = "seed\t2\ndata\tmine/\nkernels\tbf16\n";
    char config[128];
    snprintf(config, sizeof config, "pooling\tnone\n%s", apart);
    write_run((Written){"none2", config, .accuracy = 87, .kernels = "bf16"});
    snprintf(config, sizeof config, "pooling\tlearned\n%s", apart);
    write_run((Written){"ours2", config, .accuracy = 92, .kernels = "bf16"});
    ck_assert_msg(make_table("--row=none:--pooling=none --row=ours:--data=others/", "none2", "ours2") == 0,
                  "%s", program_output);
}
END_TEST

/* Nor is a table made of no runs at all. */
START_TEST(test_rows_without_runs_are_refused)
{
    ck_assert_int_eq(make_table("--title=T --budget=b", "", ""), 1);
    program_expects_one_line("table: ",
                             "row none has 0 runs, row none has 0: give each the same number, at least 1");
}
END_TEST

/* A table without options may be about the threshold, as about pooling. */
START_TEST(test_rows_without_options_may_have_thresholds_of_their_own)
{
    put_file("", "t.tsv", "row\tlabel\taccuracy\nnone\tMany\t87.3\nours\tFew\t92.5\n");
    write_run(
        (Written){"none1", "prune-from\tsource\nprune-threshold\t0.1\nprune-epochs\t40\n", .accuracy = 90});
    write_run(
        (Written){"ours1", "prune-from\tsource\nprune-threshold\t0.3\nprune-epochs\t40\n", .accuracy = 90});
    ck_assert_msg(make_table("", "none1", "ours1") == 0, "%s", program_output);
    expects_not("prune-");
}
END_TEST

Suite *table_rows_suite(void)
{
    Suite *suite = suite_create("table_rows");
    TCase *tcase = tcase_create("files and runs by hand");
    tcase_add_checked_fixture(tcase, program_setup, program_teardown);
    tcase_add_checked_fixture(tcase, write_runs, NULL);
    tcase_add_loop_test(tcase, test_cells_that_are_none_are_refused, 0, CELLS);
    tcase_add_loop_test(tcase, test_differences_that_are_none_are_refused, 0, CLAIMS);
    tcase_add_test(tcase, test_more_runs_than_a_row_holds_are_refused);
    tcase_add_test(tcase, test_sizes_that_a_row_states_may_be_scaled);
    tcase_add_test(tcase, test_what_is_worked_out_of_sizes_differs_with_them);
    tcase_add_test(tcase, test_rows_without_options_are_about_pooling);
    tcase_add_test(tcase, test_epochs_of_fine_tuning_are_a_tenth);
    tcase_add_test(tcase, test_a_pruned_row_wants_pruned_runs);
    tcase_add_test(tcase, test_images_after_an_epoch_are_at_most_those_of_the_test);
    tcase_add_test(tcase, test_what_is_compared_otherwise_is_not_asked_of_a_run);
    tcase_add_test(tcase, test_rows_without_runs_are_refused);
    tcase_add_test(tcase, test_rows_without_options_may_have_thresholds_of_their_own);
    suite_add_tcase(suite, tcase);
    return suite;
}
