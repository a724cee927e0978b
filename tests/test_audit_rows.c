/* The rows of the ledger (paper/rows.tsv) are runs that Make plans and `train` knows; what they are not about
 * is the protocol that runs must share to be compared. And the readings hold the networks that are trained.
 */
#include "../experiments/audit/evidence.h"
#include "../experiments/audit/readings.h"
#include "../experiments/network/cost.h"
#include "../experiments/protocol/plan.h"
#include "program.h"
#include "suites.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static Error error;
static Rows rows;

enum { MOST_RUNS = 160, ID = 0, LAYERS, CHANNELS, WORDS, TARGET };

static const char *cell(int row, int column)
{
    return tsv_cell(&rows.table, row, column);
}

static void read_rows(void)
{
    ck_assert_msg(rows_read(&rows, "paper/rows.tsv", &error), "%s", error.text);
    ck_assert_int_gt(rows.table.rows, 40);
}

static void free_rows(void)
{
    tsv_free(&rows.table);
}

/* ---- what `train` has */

static void refused(const char *words, const char *why)
{
    Rows wrong;
    char path[128];
    program_put("rows.tsv", ".", "row\tlayers\tchannels\toptions\ttarget\ntable9.x\t10\t64\t%s\ttable1\n",
                words);
    snprintf(path, sizeof path, "%s/rows.tsv", program_folder);
    ck_assert_msg(!rows_read(&wrong, path, &error), "these were taken: %s", words);
    ck_assert_msg(strstr(error.text, why) && strstr(error.text, "table9.x"), "%s", error.text);
    tsv_free(&wrong.table);
}

START_TEST(test_rows_refuse_what_train_does_not_have)
{
    refused("--fabric=dense", "no option --fabric");
    refused("--net=fabric", "--net is fabric");
    refused("--pooling=learned --depth=deep", "--depth is deep");
    refused("pooling=learned", "is no option");
}
END_TEST

/* "--down=average, --down=subsample" in choices.tsv; "--levels=1..6" and "--stages=..." name ranges. */
START_TEST(test_choices_name_values_that_train_has)
{
    Tsv choices;
    int checked = 0;
    ck_assert_msg(tsv_read(&choices, "paper/choices.tsv", "id\tpaper", &error), "%s", error.text);
    const int column = tsv_column(&choices, "option");
    for (int r = 0; r < choices.rows; r++)
        for (const char *at = tsv_cell(&choices, r, column); (at = strstr(at, "--")); at += 2) {
            char word[128];
            Options options;
            options_default(&options);
            snprintf(word, sizeof word, "%.*s", (int)strcspn(at, " ,;)"), at);
            if (!strchr(word, '=') || strstr(word, ".."))
                continue;
            ck_assert_msg(options_set_words(&options, word, &error), "choice %s: %s",
                          tsv_cell(&choices, r, 0), error.text);
            checked++;
        }
    ck_assert_int_gt(checked, 15);
    tsv_free(&choices);
}
END_TEST

/* ---- what Make plans */

typedef struct {
    char target[16]; /* the table that it is planned for */
    Options options; /* as config.tsv has them */
} Planned;

static Planned planned[MOST_RUNS];
static int runs;

/* One command of the plan: its words but those about where and how it runs. */
static void add_command(const char *target, char *line)
{
    ck_assert_int_lt(runs, MOST_RUNS);
    Planned *run = &planned[runs++];
    Options given;
    Plan plan;
    snprintf(run->target, sizeof run->target, "%s", target);
    options_default(&given);
    for (char *word = strtok(line, " \n"); word; word = strtok(NULL, " \n"))
        if (strncmp(word, "--", 2) == 0 && strncmp(word, "--run=", 6) != 0 &&
            strncmp(word, "--threads=", 10) != 0)
            ck_assert_msg(options_set_words(&given, word, &error), "%s", error.text);
    ck_assert_msg(plan_resolve(&plan, &given, &error), "%s", error.text);
    run->options = plan.options;
}

static void read_plan(const char *budget)
{
    static const char *const targets[] = {"table1", "table2", "table3", "table4", "controls"};
    runs = 0;
    for (size_t t = 0; t < sizeof targets / sizeof *targets; t++) {
        char *plan;
        ck_assert_int_eq(
            program_shell("unset MAKEFLAGS MFLAGS MAKELEVEL; make -n %s BUILD=nothing-built SEEDS=1 "
                          "DATA=%s/data RUNS=%s/runs BUDGET=%s >%s/plan",
                          targets[t], program_folder, program_folder, budget, program_folder),
            0);
        ck_assert_ptr_nonnull(plan = program_file("plan"));
        for (char *line = plan, *end; *line; line = end) {
            end = strchr(line, '\n') + 1;
            end[-1] = 0;
            if (strstr(line, "nothing-built/train "))
                add_command(targets[t], line);
        }
        free(plan);
    }
    ck_assert_int_gt(runs, 40);
}

/* Whether the run is made under its target's own protocol: the controls have runs with one setting more. */
static bool is_plain(const Planned *run)
{
    static const char *const settings[] = {"epochs", "down",         "up",         "norm",
                                           "affine", "weight-decay", "fixed-data", "logits-lr"};
    const Options *first = &planned[0].options, *o = &run->options;
    bool plain = o->head == first->head || o->net != first->net;
    for (size_t i = 0; i < sizeof settings / sizeof *settings; i++) {
        char is[TEXT_OPTION], was[TEXT_OPTION];
        options_value(is, sizeof is, o, settings[i]);
        options_value(was, sizeof was, first, settings[i]);
        plain = plain && strcmp(is, was) == 0;
    }
    return plain;
}

static void check_row(int r, const char *budget, const char *scale)
{
    const Options *found = NULL;
    for (int n = 0; n < runs; n++) {
        const char *as = rows_scale(&rows, cell(r, ID), &planned[n].options);
        if (!as || strcmp(planned[n].target, cell(r, TARGET)) != 0 || !is_plain(&planned[n]))
            continue;
        ck_assert_str_eq(as, scale);
        ck_assert_msg(!found || !options_difference(found, &planned[n].options),
                      "%s: row %s is two runs of make %s", budget, cell(r, ID), cell(r, TARGET));
        found = &planned[n].options;
    }
    ck_assert_msg(found != NULL, "%s: no run of make %s is one of row %s", budget, cell(r, TARGET),
                  cell(r, ID));
}

static const struct {
    const char *budget, *tables, *controls;
} budgets[] = {{"smoke", "smoke", "smoke, all layers"},
               {"quick", "quarter", "quarter"},
               {"hour", "whole", "whole"},
               {"paper", "whole", "whole"}};

/* A row is one run of what its target trains, and rows of a table are compared at one scale; what Tables 1 to
 * 4 train, one row takes. */
START_TEST(test_rows_are_the_runs_of_their_targets)
{
    read_plan(budgets[_i].budget);
    for (int r = 0; r < rows.table.rows; r++)
        check_row(r, budgets[_i].budget,
                  strcmp(cell(r, TARGET), "controls") == 0 ? budgets[_i].controls : budgets[_i].tables);
    for (int n = 0; n < runs; n++) {
        int found = 0;
        for (int r = 0; r < rows.table.rows; r++)
            found += strncmp(cell(r, ID), planned[n].target, 6) == 0 &&
                     rows_scale(&rows, cell(r, ID), &planned[n].options) != NULL;
        ck_assert_msg(found == 1 || strcmp(planned[n].target, "controls") == 0,
                      "%s: %d rows take the run %d of %s", budgets[_i].budget, found, n, planned[n].target);
    }
}
END_TEST

/* ---- what runs must share */

static void put_run(const char *folder, const Options *options)
{
    char config[4096], kernels[32];
    options_write(config, sizeof config, options);
    options_value(kernels, sizeof kernels, options, "kernels");
    program_put("config.tsv", folder, "%s", config);
    program_put(
        "result.tsv", folder,
        "accuracy\t90.000000\ntest_images\t10000\ntest_loss\t0.5\ntrain_loss\t1\nbest_on_test\t90.000000\n"
        "best_on_test_epoch\t1\nepochs\t1\ntotal_epochs\t1\niterations\t208\nweights\t302400\n"
        "parameters\t302986\nmacs\t412473600\n");
    program_put("log.tsv", folder, "epoch\n1\t0.1\t0\t1\t50\t1\t50\t10000\t0.5\t90.000000\t0\t0\t0\t0\n");
    program_put("alpha.tsv", folder, "epoch\tlayer\talpha0\talpha1\n1\t1\t0.9\t0.1\n1\t2\t0.5\t0.5\n");
    program_put(
        "provenance.tsv", folder,
        "commit\tc0\nkernels\t%s\ninstruction_set\tavx2\nthreads\t2\ndata\tcifar10\ndata_sha256\t"
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\nstarted\t2026-01-01T00:00:00Z\n",
        kernels);
    program_put("timing.tsv", folder,
                "epoch\ttrain_seconds\ttest_seconds\timages_per_second\n1\t36\t0\t100\n");
}

/* Groups that two runs make. */
static int groups_of(const Options *a, const Options *b)
{
    Evidence evidence = {0};
    char path[128];
    put_run("records/a", a);
    put_run("records/b", b);
    snprintf(path, sizeof path, "%s/records", program_folder);
    ck_assert_msg(evidence_add(&evidence, &rows, path, &error), "%s", error.text);
    const int groups = evidence.groups_count;
    evidence_free(&evidence);
    return groups;
}

static void make_folders(void)
{
    char path[128];
    static const char *const names[] = {"records", "records/a", "records/b"};
    for (int i = 0; i < 3; i++) {
        snprintf(path, sizeof path, "%s/%s", program_folder, names[i]);
        ck_assert_int_eq(mkdir(path, 0777), 0);
    }
}

static Options resolved(const char *words)
{
    Options options;
    Plan plan;
    options_default(&options);
    ck_assert_msg(options_set_words(&options, words, &error) && plan_resolve(&plan, &options, &error), "%s",
                  error.text);
    return plan.options;
}

/* Another value of the option. */
static bool change(Options *options, const char *name)
{
    static const char *const values[] = {
        "yes",      "shared",       "average",      "bilinear", "linear",     "all",     "ref",
        "a",        "random",       "logits-first", "scratch",  "predefined", "mbconv",  "learned",
        "unshared", "fabric-dense", "0.25",         "7",        "no",         "4,2,2,2", "x/y"};
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        const Options before = *options;
        if (options_set(options, name, values[i], NULL) && options_difference(&before, options))
            return true;
    }
    return false;
}

/* A run with one option changed is of another row, or of another protocol. Those that are exempt name the
 * data (its hash counts), the seed, and how often the test set is looked at. */
START_TEST(test_every_option_tells_runs_apart)
{
    const Options ours = resolved("");
    make_folders();
    ck_assert_int_eq(groups_of(&ours, &ours), 1);
    const char *name;
    for (int i = 0; (name = options_name(i)); i++) {
        Options other = ours;
        ck_assert_msg(change(&other, name), "no other value of --%s", name);
        const bool exempt =
            strcmp(name, "data") == 0 || strcmp(name, "seed") == 0 || strcmp(name, "images-epoch") == 0;
        const bool same = rows_scale(&rows, "table1.ours", &other) != NULL && groups_of(&ours, &other) == 1;
        ck_assert_msg(same == exempt, "--%s: the runs count as %s", name,
                      same ? "seeds of one row" : "different");
    }
}
END_TEST

/* The slope of levels over layers, of the last epoch: of layers that all stand there, in their order. */
START_TEST(test_alphas_give_a_slope)
{
    static const struct {
        const char *grid;
        double slope;
    } alphas[] = {{"1\t1\t0\t1\n1\t2\t1\t0\n\n2\t1\t0.9\t0.1\n2\t2\t0.5\t0.5\n", 1},
                  {"1\t1\t0.2\t0.8\n1\t2\t0.5\t0.5\n", -1},
                  {"1\t1\t0.9\t0.1\n1\t3\t0.5\t0.5\n", NAN},
                  {"1\t2\t0.9\t0.1\n1\t1\t0.5\t0.5\n", NAN}};
    const Options ours = resolved("");
    make_folders();
    for (size_t i = 0; i < sizeof alphas / sizeof *alphas; i++) {
        Evidence evidence = {0};
        char path[128];
        put_run("records/a", &ours);
        program_put("alpha.tsv", "records/a", "epoch\tlayer\talpha0\talpha1\n%s", alphas[i].grid);
        snprintf(path, sizeof path, "%s/records/a", program_folder);
        ck_assert_msg(evidence_add(&evidence, &rows, path, &error), "%s", error.text);
        ck_assert_int_eq(evidence.groups_count, 1);
        const double slope = evidence.groups[0].rows[0].x[SLOPE][0];
        ck_assert_msg(slope == alphas[i].slope || (isnan(slope) && isnan(alphas[i].slope)), "%zu: %g", i,
                      slope);
        evidence_free(&evidence);
    }
}
END_TEST

/* Rows whose options the paper itself sets apart are compared all the same: the fabric's head and biases, a
 * net that is trained again from scratch. */
START_TEST(test_rows_of_a_table_compare)
{
    static const char *const pairs[][2] = {
        {"", "--net=fabric-dense --pooling=none --head=linear --bias=no --layers=8 --channels=128"},
        {"--layers=8 --channels=128 --block=mbconv",
         "--net=fabric-sparse --pooling=none --head=linear --bias=no --layers=16"},
        {"--depth=learned", "--depth=learned --layers=20"},
        {"--pooling=predefined", "--prune-from=x --prune-threshold=1 --prune-start=scratch"},
        {"", "--filters=unshared"},
    };
    make_folders();
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        const Options a = resolved(pairs[i][0]), b = resolved(pairs[i][1]);
        ck_assert_msg(groups_of(&a, &b) == 1, "%s and %s are not compared", pairs[i][0], pairs[i][1]);
    }
    const Options a = resolved("--head=linear"), b = resolved("");
    ck_assert_int_eq(groups_of(&a, &b), 2);
}
END_TEST

/* ---- readings */

/* The cost model's own figures of what is trained are among the readings, to every digit. */
START_TEST(test_readings_hold_the_networks_that_are_trained)
{
    static const struct {
        const char *row, *weights, *cost;
    } spaces[] = {{"table4.ours-64", "weights-10x64", "all-levels"},
                  {"table4.ours-128", "weights-8x128", "all-levels-8x128"},
                  {"table4.eff", "eff-weights", "eff-cost"},
                  {"table4.fabric-dense", "fabric-dense", NULL},
                  {"table4.fabric-sparse", "fabric-sparse", NULL},
                  {"table1.no-pooling", "weights-10x64", "no-pooling"},
                  {"table1.scale-invariant", "weights-10x64", "all-levels"}};
    for (size_t i = 0; i < sizeof spaces / sizeof *spaces; i++)
        for (int r = 0; r < rows.table.rows; r++) {
            if (strcmp(cell(r, ID), spaces[i].row) != 0)
                continue;
            char words[512];
            NetworkSpec spec;
            Readings found;
            snprintf(words, sizeof words, "%s --layers=%s --channels=%s", cell(r, WORDS), cell(r, 1),
                     cell(r, 2));
            const Options options = resolved(words);
            ck_assert_msg(plan_network(&spec, &options, &error), "%s", error.text);
            const Cost cost = network_cost(&spec);
            ck_assert(readings_count(&found, spaces[i].weights, (double)cost.weights / 1e6, 9, &error));
            ck_assert_msg(found.given >= 1, "%s: %zu weights are no reading of %s", spaces[i].row,
                          cost.weights, spaces[i].weights);
            if (!spaces[i].cost)
                continue;
            ck_assert(readings_count(&found, spaces[i].cost, cost.macs / 1e9, 9, &error));
            ck_assert_msg(found.given >= 1, "%s: %.0f multiply-accumulates are no reading of %s",
                          spaces[i].row, cost.macs, spaces[i].cost);
        }
}
END_TEST

Suite *audit_rows_suite(void)
{
    Suite *suite = suite_create("audit_rows");
    TCase *tcase = tcase_create("rows");
    tcase_add_checked_fixture(tcase, program_setup, program_teardown);
    tcase_add_checked_fixture(tcase, program_write_data, NULL);
    tcase_add_checked_fixture(tcase, read_rows, free_rows);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, test_rows_refuse_what_train_does_not_have);
    tcase_add_test(tcase, test_choices_name_values_that_train_has);
    tcase_add_loop_test(tcase, test_rows_are_the_runs_of_their_targets, 0, sizeof budgets / sizeof *budgets);
    tcase_add_test(tcase, test_every_option_tells_runs_apart);
    tcase_add_test(tcase, test_rows_of_a_table_compare);
    tcase_add_test(tcase, test_alphas_give_a_slope);
    tcase_add_test(tcase, test_readings_hold_the_networks_that_are_trained);
    suite_add_tcase(suite, tcase);
    return suite;
}
