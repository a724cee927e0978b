/* build/audit on a small project written by hand, from which one thing at a time is taken away. What it tells
 * of one claim is tried in test_audit_way.c. */
#include "program.h"
#include "project.h"
#include "suites.h"
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The audit fails, and a line of it has both words. */
static void expect_fault(const char *claim, const char *word)
{
    ck_assert_int_eq(project_audit(""), 1);
    bool told = false;
    for (const char *line = program_output; line && *line;
         line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL) {
        char one[1024];
        snprintf(one, sizeof one, "%.*s", (int)strcspn(line, "\n"), line);
        told = told || (strstr(one, claim) && strstr(one, word));
    }
    ck_assert_msg(told, "no line with `%s` and `%s` in:\n%s", claim, word, project_said());
}

START_TEST(test_audit_judges_a_project)
{
    project_write();
    ck_assert_msg(project_audit("") == 0, "%s", project_said());
    ck_assert_str_eq(project_column("eq", 1), "holds");
    ck_assert_str_eq(project_column("gain", 1), "confirmed");
    ck_assert_str_eq(project_column("gain", 2), "A");
    /* The folder is in no repository: whether the runs are still current is unknown, so they are called
     * stale. */
    ck_assert_ptr_nonnull(strstr(project_column("gain", 3), "stale"));
    ck_assert_str_eq(project_column("gain", 4), "2.5000");
    ck_assert_str_eq(project_column("gain", 6), "3");
    char *part = program_file("out/audit.md");
    ck_assert_ptr_nonnull(strstr(part, "claim-gain"));
    free(part);
}
END_TEST

START_TEST(test_audit_misses_what_is_taken_away)
{
    project_write();
    project_put("tests/test_x.c", "/* A suite. " PROJECT_MARK "eq. */\n\nSTART_TEST(test_two)\n");
    expect_fault("claim eq", "test_one, which does not exist");
    project_put("tests/test_x.c", "/* A suite. " PROJECT_MARK
                                  "eq. */\n\nSTART_TEST(test_one)\n    tcase_add_test(x, test_one_more);\n");
    expect_fault("claim eq", "test_one, which nothing runs");
    project_put("tests/test_x.c",
                "/* A suite. " PROJECT_MARK
                "eq. */\n\nSTART_TEST(test_one)\n    tcase_add_test(x, test_one);\nSuite *x_suite(void)\n");
    project_put("tests/suites.def", "SUITE(y)\n");
    expect_fault("claim eq", "test_one, which nothing runs");
    project_put("tests/suites.def", "SUITE(x)\n");
    project_put(
        "tests/test_x.c",
        "/* A suite. */\n\nSTART_TEST(test_one)\n    tcase_add_test(x, test_one);\nSuite *x_suite(void)\n");
    expect_fault("claim eq", "does not name it");
    project_put("tests/test_x.c",
                "/* A suite. " PROJECT_MARK
                "eq. */\n\nSTART_TEST(test_one)\n    tcase_add_test(x, test_one);\nSuite *x_suite(void)\n");
    project_put("ref/sum.c", "/* A sum. */\n");
    expect_fault("claim eq", "ref/sum.c, which does not name it");
    project_take_away("ref/sum.c");
    expect_fault("claim eq", "ref/sum.c, which does not exist");
    project_put("ref/sum.c", "/* A sum. " PROJECT_MARK "eq. */\n");
    project_take_away("records/b2/log.tsv");
    expect_fault("claim gain", "b2 is gone or broken");
    ck_assert_ptr_null(strstr(program_output, "b1 is gone"));
    project_put_run("b", 2, "pooling\tnone", 90);
    project_put_run("b", 21, "pooling\tnone", 90); /* whose name begins as b2's */
    project_list_records();
    project_take_away("records/b21/log.tsv");
    expect_fault("claim gain", "b21 is gone or broken");
    ck_assert_ptr_null(strstr(program_output, "b2 is gone"));
    project_take_away("records/b21");
    project_list_records();
    project_take_away("records/b2/log.tsv");
    expect_fault("claim gain", "b2 is gone or broken");
    project_take_away("records/b2");
    expect_fault("claim gain", "b2 is gone;");
    project_put_run("b", 2, "pooling\tnone", 99);
    expect_fault("claim gain", "another result");
    project_put_run("b", 2, "pooling\tnone", 90);
    project_put_run("b", 4, "pooling\tnone", 90);
    expect_fault("b4", "is not in");
    project_take_away("records/b4");
    project_put("paper/rows.tsv",
                "row\tlayers\tchannels\toptions\ttarget\nt.a\t10\t64\t--pooling=learned\ttable1\n");
    expect_fault("claim gain", "t.b, which is no row");
    project_put("paper/rows.tsv",
                "row\tlayers\tchannels\toptions\ttarget\nt.a\t10\t64\t--pooling=learned\ttable1\n"
                "t.b\t10\t64\t--pooling=none\ttable1\n");
    project_put("paper/choices.tsv", "id\tpaper\tdefault\treason\toption\n");
    expect_fault("claim gain", "choice down");
    project_put("paper/choices.tsv",
                "id\tpaper\tdefault\treason\toption\ndown\tpooling\tmax\tusual\t--down=average\n");
    ck_assert_msg(project_audit("") == 0, "%s", project_said());
}
END_TEST

START_TEST(test_audit_refuses_strangers)
{
    project_write();
    project_put("fast/none.c", "/* Nothing. " PROJECT_MARK "moon. */\n");
    expect_fault("moon", "does not exist");
    project_put("fast/none.c", "/* Nothing. " PROJECT_MARK "eq. */\n");
    expect_fault("claim eq", "do not name this file");
    project_put("fast/none.c", "/* Nothing. */\n");
    project_put("check.tsv", "test_one\tfail\tc0\n");
    expect_fault("claim eq", "a test that decides it fails");
    ck_assert_str_eq(project_column("eq", 1), "broken");
    project_put("check.tsv", "");
    ck_assert_int_eq(project_audit(""), 0);
    ck_assert_ptr_nonnull(strstr(project_column("eq", 3), "not run"));
    project_put("paper/coverage.tsv", "section\tsentence\tsha256\tclaims\n1\t1\tabc\teq\n");
    expect_fault("claim gain", "in no sentence");
    project_put("paper/coverage.tsv", "section\tsentence\tsha256\tclaims\n1\t1\tabc\teq gain\n1\t2\tdef\t\n");
    expect_fault("sentence 1-2", "names no claim");
    project_put("paper/coverage.tsv", "section\tsentence\tsha256\tclaims\n1\t1\tabc\teq gain moon\n");
    expect_fault("claim moon", "does not exist");
}
END_TEST

/* A further claim and what is wrong with its decider; NULL if nothing is. */
static const struct {
    const char *rule, *value, *decider, *word;
} deciders[] = {
    {"printed", "", "printed:plus,gain,gain", "there is no arithmetic `plus`"},
    {"printed", "", "printed:less,gain,eq", "the printed value of eq, which has none"},
    {"printed", "", "printed:less,gain,moon", "the printed value of moon, which has none"},
    {"printed", "1", "printed:ratio,gain,gain", NULL},
    {"frontier", "", "outside:flops,gain,gain", "have no cost `flops`"},
    {"frontier", "", "outside:macs,gain,eq", "the printed value of eq, which has none"},
    {"frontier", "", "outside:macs,gain,gain", NULL},
    {"direction", "", "early:t.a,t.moon", "t.moon, which is no row"},
    {"direction", "", "slope:t.moon", "t.moon, which is no row"},
    {"readings", "1", "readings:moon", "no space of readings `moon`"},
    {"open", "", "choice:moon,tide", "no row moon"},
    {"open", "", "choice:down,sideways", NULL},
};
enum { DECIDERS = sizeof deciders / sizeof *deciders };

START_TEST(test_audit_finds_deciders_that_do_not_exist)
{
    char text[4096];
    project_write();
    char *claims = program_file("paper/claims.tsv");
    const bool runs = strcmp(deciders[_i].rule, "direction") == 0;
    snprintf(text, sizeof text,
             "%snew\t1\tarithmetic\tIt is new\tarithmetic\t\t1\t%s\t0\t\t\t\t%s\t%s\t%s\t%s\n", claims,
             deciders[_i].value, deciders[_i].rule, runs ? "0.5\twhy" : "\t", deciders[_i].decider,
             runs ? "B" : "-");
    free(claims);
    project_put("paper/claims.tsv", text);
    project_put("paper/coverage.tsv",
                "section\tsentence\tsha256\tclaims\n1\t1\tabc\teq gain new\n1\t2\tdef\tno claim\n");
    if (deciders[_i].word)
        expect_fault("claim new", deciders[_i].word);
    else
        ck_assert_msg(project_audit("") == 0, "%s", project_said());
    if (strcmp(deciders[_i].decider, "choice:down,sideways") == 0)
        ck_assert_str_eq(project_column("new", 1), "underdetermined (2 of 2 readings)");
}
END_TEST

/* Published nets are read where they are, and a table that is none of them is refused. */
START_TEST(test_audit_reads_published_nets)
{
    project_write();
    char text[4096], *claims = program_file("paper/claims.tsv");
    snprintf(text, sizeof text,
             "%snew\t1\tcontrol\tIt is new\tdirection\t\t1\t\t0\t\t\t\tfrontier\t\t\t"
             "outside:macs,gain,gain\t-\n",
             claims);
    free(claims);
    project_put("paper/claims.tsv", text);
    project_put("paper/coverage.tsv", "section\tsentence\tsha256\tclaims\n1\t1\tabc\teq gain new\n");
    project_put("paper/expected/outside.tsv", "net\tparameters\tmacs\taccuracy\tsource\na\t1\t5\t99\tb\n");
    ck_assert_msg(project_audit("") == 0, "%s", project_said());
    ck_assert_str_eq(project_column("new", 1), "contradicted");
    ck_assert_ptr_nonnull(strstr(project_column("new", 18), "a: 99 % with 5 macs"));
    project_put("paper/expected/outside.tsv", "net\taccuracy\na\t99\n");
    expect_fault("outside.tsv", "net");
}
END_TEST

/* Tests of another commit, and runs that a manifest has of other rows; a run that several claims rest on. */
START_TEST(test_audit_knows_commits_and_rows)
{
    project_write();
    ck_assert_int_eq(project_audit(""), 0);
    ck_assert_ptr_nonnull(strstr(project_column("eq", 3), "stale: its tests ran in another commit"));
    project_put("paper/rows.tsv",
                "row\tlayers\tchannels\toptions\ttarget\nt.a\t10\t64\t--pooling=learned\ttable1\n"
                "t.b\t10\t64\t--pooling=none\ttable1\nt.c\t10\t64\t--pooling=none\ttable2\n");
    expect_fault("the run b1", "stands for other rows");
}
END_TEST

/* Of another size, other data, fewer images or an option of another row the runs are evidence of something
 * else. */
START_TEST(test_audit_grades_folders)
{
    project_write();
    project_take_away("records");
    for (int seed = 1; seed <= 3; seed++) {
        project_put_run("a", seed, "pooling\tlearned\nbatch\t64", 92.4 + 0.05 * seed);
        project_put_run("b", seed, "pooling\tnone", 89.9 + 0.05 * seed);
    }
    project_list_records();
    ck_assert_msg(project_audit("") == 0, "%s", project_said());
    ck_assert_ptr_nonnull(strstr(project_column("gain", 3), "not run")); /* of two protocols */
    for (int seed = 1; seed <= 3; seed++)
        project_put_run("a", seed, "pooling\tlearned\nlevels\t3", 92.4 + 0.05 * seed);
    project_list_records();
    ck_assert_int_eq(project_audit(""), 0);
    ck_assert_ptr_nonnull(strstr(project_column("gain", 3), "not run")); /* of another row */
    for (int seed = 1; seed <= 3; seed++)
        project_put_run("a", seed, "pooling\tlearned\nlevels\t5", 92.4 + 0.05 * seed);
    project_list_records();
    ck_assert_int_eq(project_audit(""), 0);
    ck_assert_str_eq(project_column("gain", 1), "confirmed");
}
END_TEST

/* The same six runs of the smoke budget's sizes, whatever they say and however long they ran, confirm no
 * accuracy; beside the paper's they are not even looked at. */
START_TEST(test_audit_never_confirms_an_accuracy_by_smoke)
{
    project_write();
    project_take_away("records");
    project_sizes = project_smoke_sizes;
    for (int seed = 1; seed <= 3; seed++) {
        project_put_run("a", seed, "pooling\tlearned", 92.4 + 0.05 * seed);
        project_put_run("b", seed, "pooling\tnone", 89.9 + 0.05 * seed);
    }
    project_list_records();
    ck_assert_msg(project_audit("") == 0, "%s", project_said());
    ck_assert_str_eq(project_column("gain", 1), "confirmed (not decided at this grade)");
    ck_assert_str_eq(project_column("gain", 2), "D");
    ck_assert_ptr_nonnull(strstr(project_column("gain", 3), "blocked: compute"));
    project_sizes = project_paper_sizes;
    for (int seed = 1; seed <= 3; seed++) {
        project_put_run("c", seed, "pooling\tlearned", 90.4 + 0.05 * seed);
        project_put_run("d", seed, "pooling\tnone", 89.9 + 0.05 * seed);
    }
    project_list_records();
    ck_assert_msg(project_audit("") == 0, "%s", project_said());
    ck_assert_str_eq(project_column("gain", 2), "A");
    ck_assert_str_eq(project_column("gain", 4), "0.5000");
}
END_TEST

/* A further claim, that t.b alone decides, and what the ledger must have with it. */
static void add_claim_of_b(void)
{
    char text[4096];
    char *claims = program_file("paper/claims.tsv");
    snprintf(text, sizeof text,
             "%slow\tTable 1\tresult\tB has 90\tvalue\tt\t1\t90\t1\t\t\t\tvalue\t0.5\twhy\trun:t.b\tB\n",
             claims);
    free(claims);
    project_put("paper/claims.tsv", text);
    project_put("paper/coverage.tsv",
                "section\tsentence\tsha256\tclaims\n1\t1\tabc\teq gain low\n1\t2\tdef\tno claim\n");
}

START_TEST(test_audit_names_all_that_a_lost_run_decides)
{
    project_write();
    add_claim_of_b();
    project_put_run("other", 1, "pooling\tpredefined", 90); /* of no row */
    project_list_records();
    ck_assert_msg(project_audit("") == 0, "%s", project_said());
    project_take_away("records/a3");
    project_take_away("records/b2");
    project_take_away("records/other1");
    ck_assert_int_eq(project_audit(""), 1);
    const char *const lines[] = {"records: the run a3 is gone; it decides claim gain\n",
                                 "records: the run b2 is gone; it decides claim gain, claim low\n",
                                 "records: the run other1 is gone; it decides no claim\n"};
    for (int i = 0; i < 3; i++)
        ck_assert_msg(strstr(program_output, lines[i]) != NULL, "no %s in %s", lines[i], project_said());
}
END_TEST

/* However the folder is written. Another one needs no list. */
START_TEST(test_audit_misses_the_list_of_records)
{
    static const char *const names[] = {"records", "records/", "records//"};
    project_write();
    project_take_away("records/manifest.tsv");
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(program_run("audit --root=%s --results=%s/check.tsv %s/%s", program_folder,
                                     program_folder, program_folder, names[i]),
                         1);
        ck_assert_msg(strstr(program_output, "manifest.tsv is gone, without which no run is missed"),
                      "%s: %s", names[i], project_said());
    }
    ck_assert_int_eq(program_shell("mv %s/records %s/old-records", program_folder, program_folder), 0);
    ck_assert_msg(program_run("audit --root=%s --results=%s/check.tsv %s/old-records", program_folder,
                              program_folder, program_folder) == 0,
                  "%s", project_said());
}
END_TEST

START_TEST(test_audit_refuses)
{
    ck_assert_int_eq(program_run("audit"), 2);
    ck_assert_int_eq(program_run("audit --colour=red"), 2);
    ck_assert_int_eq(program_run("audit --root=/nonexistent x"), 1);
    ck_assert_int_eq(program_run("audit /nonexistent/runs"), 1);
    ck_assert_ptr_nonnull(strstr(program_output, "/nonexistent/runs"));
    project_write();
    project_put("bench.tsv", "build\twhat\tkernels\tshape\tthreads\tvalue\tunit\n");
    ck_assert_int_eq(program_run("audit --root=%s --bench=%s/bench.tsv %s/records", program_folder,
                                 program_folder, program_folder),
                     1);
    ck_assert_ptr_nonnull(strstr(program_output, "not what build/bench prints"));
}
END_TEST

/* Verdicts that nobody saw are no success, whichever way was asked for. */
START_TEST(test_audit_fails_on_a_full_standard_output)
{
    static const char *const ways[] = {"", "--claim=gain", "--liveness", "--calibrate=1"};
    project_write();
    project_list_records();
    program_stdout = "/dev/full";
    for (int i = 0; i < 4; i++) {
        ck_assert_msg(project_audit(ways[i]) == 1, "%s: %s", ways[i], project_said());
        ck_assert_msg(strstr(program_output, "not all of the output"), "%s: %s", ways[i], project_said());
    }
    program_stdout = NULL;
}
END_TEST

Suite *audit_project_suite(void)
{
    Suite *suite = suite_create("audit_project");
    TCase *tcase = tcase_create("project");
    tcase_add_checked_fixture(tcase, program_setup, program_teardown);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, test_audit_judges_a_project);
    tcase_add_test(tcase, test_audit_misses_what_is_taken_away);
    tcase_add_test(tcase, test_audit_refuses_strangers);
    tcase_add_loop_test(tcase, test_audit_finds_deciders_that_do_not_exist, 0, DECIDERS);
    tcase_add_test(tcase, test_audit_reads_published_nets);
    tcase_add_test(tcase, test_audit_knows_commits_and_rows);
    tcase_add_test(tcase, test_audit_grades_folders);
    tcase_add_test(tcase, test_audit_never_confirms_an_accuracy_by_smoke);
    tcase_add_test(tcase, test_audit_refuses);
    tcase_add_test(tcase, test_audit_fails_on_a_full_standard_output);
    tcase_add_test(tcase, test_audit_names_all_that_a_lost_run_decides);
    tcase_add_test(tcase, test_audit_misses_the_list_of_records);
    suite_add_tcase(suite, tcase);
    suite_add_tcase(suite, project_way_case());
    return suite;
}
