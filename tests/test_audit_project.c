/* build/audit on a small project written by hand, from which one thing at a time is taken away. */
#include "../experiments/audit/claims.h"
#include "../experiments/base/files.h"
#include "program.h"
#include "suites.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static Error error;

/* In two parts, so that this file does not carry the ids itself. */
#define MARK \
    "Claims" \
    ": "

static void put(const char *name, const char *text)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s", program_folder, name);
    for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        mkdir(path, 0777);
        *slash = '/';
    }
    ck_assert_msg(file_write(path, text, strlen(text), &error), "%s", error.text);
}

static void take_away(const char *name)
{
    char command[512];
    snprintf(command, sizeof command, "rm -r %s/%s", program_folder, name);
    ck_assert_int_eq(system(command), 0);
}

/* The sizes of the runs that put_run writes. */
static const char paper_sizes[] =
    "layers\t10\nchannels\t64\nstages\t3,3,2,2\nimages-a\t40000\nimages-b\t10000\n",
                  smoke_sizes[] = "layers\t4\nchannels\t8\nstages\t1,1,1,1\nimages-a\t2000\nimages-b\t500\n";
static const char *sizes = paper_sizes;

static void put_run(const char *row, int seed, const char *options, double accuracy)
{
    char name[128], text[2048];
    snprintf(name, sizeof name, "records/%s%d/config.tsv", row, seed);
    snprintf(text, sizeof text,
             "kernels\tf32\nseed\t%d\n%s\n%simages-test\t10000\nepochs\t400\nlogits-lr\t0.0001\n"
             "logits-beta1\t0.5\nlogits-beta2\t0.999\nlogits-decay\t0.0003\n",
             seed, options, sizes);
    put(name, text);
    snprintf(name, sizeof name, "records/%s%d/result.tsv", row, seed);
    snprintf(
        text, sizeof text,
        "accuracy\t%.6f\ntest_images\t10000\ntest_loss\t0.5\ntrain_loss\t1\nbest_on_test\t%.6f\nbest_on_test_"
        "epoch\t1\n"
        "epochs\t1\ntotal_epochs\t1\niterations\t208\nweights\t302400\nparameters\t302986\nmacs\t412473600\n",
        accuracy, accuracy);
    put(name, text);
    snprintf(name, sizeof name, "records/%s%d/log.tsv", row, seed);
    snprintf(text, sizeof text, "epoch\n1\t0.1\t0\t1\t50\t1\t50\t10000\t0.5\t%.6f\t0\t0\t0\t0\n", accuracy);
    put(name, text);
    snprintf(name, sizeof name, "records/%s%d/alpha.tsv", row, seed);
    put(name, "epoch\tlayer\talpha0\talpha1\n1\t1\t0.9\t0.1\n1\t2\t0.5\t0.5\n");
    snprintf(name, sizeof name, "records/%s%d/provenance.tsv", row, seed);
    put(name,
        "commit\tc0\nkernels\tf32\ninstruction_set\tavx2\nthreads\t2\ndata\tcifar10\ndata_sha256\t"
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\nstarted\t2026-01-01T00:00:00Z\n");
    snprintf(name, sizeof name, "records/%s%d/timing.tsv", row, seed);
    put(name, "epoch\ttrain_seconds\ttest_seconds\timages_per_second\n1\t36\t0\t100\n");
}

static void list_records(void)
{
    ck_assert_int_eq(program_run("audit --root=%s --manifest %s/records", program_folder, program_folder), 0);
}

/* Two claims: one that a test and a file decide, one that six runs decide. */
static void put_project(void)
{
    char claims[2048];
    snprintf(claims, sizeof claims,
             "%s\neq\tSection 1\tarithmetic\tIt adds up\tidentity\t\t1\t\t\t\t\t\ttests\t\t\ttest:test_one "
             "code:ref/sum.c\t-\n"
             "gain\tTable 1\tresult\tA beats "
             "B\tdifference\tt\t3\t2.5\t1\t\t\tdown\tdifference\t0.5\twhy\tdiff:t.a,t.b\tB\n",
             claims_header);
    put("paper/claims.tsv", claims);
    put("paper/rows.tsv", "row\tlayers\tchannels\toptions\ttarget\nt.a\t10\t64\t--pooling=learned\ttable1\n"
                          "t.b\t10\t64\t--pooling=none\ttable1\n");
    put("paper/choices.tsv",
        "id\tpaper\tdefault\treason\toption\ndown\tpooling\tmax\tusual\t--down=average\n");
    put("paper/coverage.tsv", "section\tsentence\tsha256\tclaims\n1\t1\tabc\teq gain\n1\t2\tdef\tno claim\n");
    put("tests/test_x.c",
        "/* A suite. " MARK
        "eq. */\n\nSTART_TEST(test_one)\n    tcase_add_test(x, test_one);\nSuite *x_suite(void)\n");
    put("tests/suites.def", "SUITE(x)\n");
    put("ref/sum.c", "/* A sum.\n *\n * " MARK "eq. */\n");
    put("fast/none.c", "/* Nothing. */\n");
    put("experiments/none.c", "/* Nothing. */\n");
    for (int seed = 1; seed <= 3; seed++) {
        put_run("a", seed, "pooling\tlearned", 92.4 + 0.05 * seed);
        put_run("b", seed, "pooling\tnone", 89.9 + 0.05 * seed);
    }
    put("check.tsv", "test_one\tpass\tc0\n");
    list_records();
}

/* The end of what the last program printed: its faults. */
static const char *said(void)
{
    const size_t length = strlen(program_output), most = 1500;
    return program_output + (length > most ? length - most : 0);
}

static int audit(const char *more)
{
    return program_run("audit --root=%s --results=%s/check.tsv --out=%s/out %s %s/records", program_folder,
                       program_folder, program_folder, more, program_folder);
}

/* The audit fails, and a line of it has both words. */
static void expect_fault(const char *claim, const char *word)
{
    ck_assert_int_eq(audit(""), 1);
    bool told = false;
    for (const char *line = program_output; line && *line;
         line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL) {
        char one[1024];
        snprintf(one, sizeof one, "%.*s", (int)strcspn(line, "\n"), line);
        told = told || (strstr(one, claim) && strstr(one, word));
    }
    ck_assert_msg(told, "no line with `%s` and `%s` in:\n%s", claim, word, said());
}

static char *column(const char *id, int number)
{
    static char cell[512];
    char *table = program_file("out/audit.tsv"), start[64];
    snprintf(start, sizeof start, "\n%s\t", id);
    const char *at = strstr(table, start);
    ck_assert_ptr_nonnull(at);
    for (at++; number > 0; number--)
        at = strchr(at, '\t') + 1;
    snprintf(cell, sizeof cell, "%.*s", (int)strcspn(at, "\t\n"), at);
    free(table);
    return cell;
}

START_TEST(test_audit_judges_a_project)
{
    put_project();
    ck_assert_msg(audit("") == 0, "%s", said());
    ck_assert_str_eq(column("eq", 1), "holds");
    ck_assert_str_eq(column("gain", 1), "confirmed");
    ck_assert_str_eq(column("gain", 2), "A");
    /* The folder is in no repository: whether the runs are still current is unknown, so they are called
     * stale. */
    ck_assert_ptr_nonnull(strstr(column("gain", 3), "stale"));
    ck_assert_str_eq(column("gain", 4), "2.5000");
    ck_assert_str_eq(column("gain", 6), "3");
    char *part = program_file("out/audit.md");
    ck_assert_ptr_nonnull(strstr(part, "claim-gain"));
    free(part);
}
END_TEST

START_TEST(test_audit_misses_what_is_taken_away)
{
    put_project();
    put("tests/test_x.c", "/* A suite. " MARK "eq. */\n\nSTART_TEST(test_two)\n");
    expect_fault("claim eq", "test_one, which does not exist");
    put("tests/test_x.c",
        "/* A suite. " MARK "eq. */\n\nSTART_TEST(test_one)\n    tcase_add_test(x, test_one_more);\n");
    expect_fault("claim eq", "test_one, which nothing runs");
    put("tests/test_x.c",
        "/* A suite. " MARK
        "eq. */\n\nSTART_TEST(test_one)\n    tcase_add_test(x, test_one);\nSuite *x_suite(void)\n");
    put("tests/suites.def", "SUITE(y)\n");
    expect_fault("claim eq", "test_one, which nothing runs");
    put("tests/suites.def", "SUITE(x)\n");
    put("tests/test_x.c",
        "/* A suite. */\n\nSTART_TEST(test_one)\n    tcase_add_test(x, test_one);\nSuite *x_suite(void)\n");
    expect_fault("claim eq", "does not name it");
    put("tests/test_x.c",
        "/* A suite. " MARK
        "eq. */\n\nSTART_TEST(test_one)\n    tcase_add_test(x, test_one);\nSuite *x_suite(void)\n");
    put("ref/sum.c", "/* A sum. */\n");
    expect_fault("claim eq", "ref/sum.c, which does not name it");
    take_away("ref/sum.c");
    expect_fault("claim eq", "ref/sum.c, which does not exist");
    put("ref/sum.c", "/* A sum. " MARK "eq. */\n");
    take_away("records/b2/log.tsv");
    expect_fault("claim gain", "b2 is gone or broken");
    ck_assert_ptr_null(strstr(program_output, "b1 is gone"));
    take_away("records/b2");
    expect_fault("claim gain", "b2 is gone;");
    put_run("b", 2, "pooling\tnone", 99);
    expect_fault("claim gain", "another result");
    put_run("b", 2, "pooling\tnone", 90);
    put_run("b", 4, "pooling\tnone", 90);
    expect_fault("b4", "is not in");
    take_away("records/b4");
    put("paper/rows.tsv", "row\tlayers\tchannels\toptions\ttarget\nt.a\t10\t64\t--pooling=learned\ttable1\n");
    expect_fault("claim gain", "t.b, which is no row");
    put("paper/rows.tsv", "row\tlayers\tchannels\toptions\ttarget\nt.a\t10\t64\t--pooling=learned\ttable1\n"
                          "t.b\t10\t64\t--pooling=none\ttable1\n");
    put("paper/choices.tsv", "id\tpaper\tdefault\treason\toption\n");
    expect_fault("claim gain", "choice down");
    put("paper/choices.tsv",
        "id\tpaper\tdefault\treason\toption\ndown\tpooling\tmax\tusual\t--down=average\n");
    ck_assert_msg(audit("") == 0, "%s", said());
    take_away("records/manifest.tsv");
    expect_fault("records/manifest.tsv", "is gone");
}
END_TEST

START_TEST(test_audit_refuses_strangers)
{
    put_project();
    put("fast/none.c", "/* Nothing. " MARK "moon. */\n");
    expect_fault("moon", "does not exist");
    put("fast/none.c", "/* Nothing. " MARK "eq. */\n");
    expect_fault("claim eq", "do not name this file");
    put("fast/none.c", "/* Nothing. */\n");
    put("check.tsv", "test_one\tfail\tc0\n");
    expect_fault("claim eq", "a test that decides it fails");
    ck_assert_str_eq(column("eq", 1), "broken");
    put("check.tsv", "");
    ck_assert_int_eq(audit(""), 0);
    ck_assert_ptr_nonnull(strstr(column("eq", 3), "not run"));
    put("paper/coverage.tsv", "section\tsentence\tsha256\tclaims\n1\t1\tabc\teq\n");
    expect_fault("claim gain", "in no sentence");
    put("paper/coverage.tsv", "section\tsentence\tsha256\tclaims\n1\t1\tabc\teq gain\n1\t2\tdef\t\n");
    expect_fault("sentence 1-2", "names no claim");
    put("paper/coverage.tsv", "section\tsentence\tsha256\tclaims\n1\t1\tabc\teq gain moon\n");
    expect_fault("claim moon", "does not exist");
}
END_TEST

/* Of another size, other data, fewer images or an option of another row the runs are evidence of something
 * else. */
START_TEST(test_audit_grades_folders)
{
    put_project();
    take_away("records");
    for (int seed = 1; seed <= 3; seed++) {
        put_run("a", seed, "pooling\tlearned\nbatch\t64", 92.4 + 0.05 * seed);
        put_run("b", seed, "pooling\tnone", 89.9 + 0.05 * seed);
    }
    list_records();
    ck_assert_msg(audit("") == 0, "%s", said());
    ck_assert_ptr_nonnull(strstr(column("gain", 3), "not run")); /* of two protocols */
    for (int seed = 1; seed <= 3; seed++)
        put_run("a", seed, "pooling\tlearned\nlevels\t3", 92.4 + 0.05 * seed);
    list_records();
    ck_assert_int_eq(audit(""), 0);
    ck_assert_ptr_nonnull(strstr(column("gain", 3), "not run")); /* of another row */
    for (int seed = 1; seed <= 3; seed++)
        put_run("a", seed, "pooling\tlearned\nlevels\t5", 92.4 + 0.05 * seed);
    list_records();
    ck_assert_int_eq(audit(""), 0);
    ck_assert_str_eq(column("gain", 1), "confirmed");
}
END_TEST

/* The same six runs of the smoke budget's sizes, whatever they say and however long they ran, confirm no
 * accuracy; beside the paper's they are not even looked at. */
START_TEST(test_audit_never_confirms_an_accuracy_by_smoke)
{
    put_project();
    take_away("records");
    sizes = smoke_sizes;
    for (int seed = 1; seed <= 3; seed++) {
        put_run("a", seed, "pooling\tlearned", 92.4 + 0.05 * seed);
        put_run("b", seed, "pooling\tnone", 89.9 + 0.05 * seed);
    }
    list_records();
    ck_assert_msg(audit("") == 0, "%s", said());
    ck_assert_str_eq(column("gain", 1), "confirmed (not decided at this grade)");
    ck_assert_str_eq(column("gain", 2), "D");
    ck_assert_ptr_nonnull(strstr(column("gain", 3), "blocked: compute"));
    sizes = paper_sizes;
    for (int seed = 1; seed <= 3; seed++) {
        put_run("c", seed, "pooling\tlearned", 90.4 + 0.05 * seed);
        put_run("d", seed, "pooling\tnone", 89.9 + 0.05 * seed);
    }
    list_records();
    ck_assert_msg(audit("") == 0, "%s", said());
    ck_assert_str_eq(column("gain", 2), "A");
    ck_assert_str_eq(column("gain", 4), "0.5000");
}
END_TEST

START_TEST(test_audit_tells_the_way_of_a_claim)
{
    put_project();
    ck_assert_int_eq(audit("--claim=eq"), 0);
    ck_assert_ptr_nonnull(strstr(program_output, "ref/sum.c:3"));
    ck_assert_ptr_nonnull(strstr(program_output, "tests/test_x.c: test_one (pass)"));
    ck_assert_ptr_nonnull(strstr(program_output, "1, sentence 1"));
    ck_assert_int_eq(audit("--claim=gain"), 0);
    ck_assert_ptr_nonnull(strstr(program_output, "records/a1@c0"));
    ck_assert_int_eq(audit("--claim=moon"), 1);
    ck_assert_ptr_nonnull(strstr(program_output, "moon"));
}
END_TEST

START_TEST(test_audit_refuses)
{
    ck_assert_int_eq(program_run("audit"), 2);
    ck_assert_int_eq(program_run("audit --colour=red"), 2);
    ck_assert_int_eq(program_run("audit --root=/nonexistent x"), 1);
    ck_assert_int_eq(program_run("audit /nonexistent/runs"), 1);
    ck_assert_ptr_nonnull(strstr(program_output, "/nonexistent/runs"));
    put_project();
    put("bench.tsv", "build\twhat\tkernels\tshape\tthreads\tvalue\tunit\n");
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
    put_project();
    list_records();
    program_stdout = "/dev/full";
    for (int i = 0; i < 4; i++) {
        ck_assert_msg(audit(ways[i]) == 1, "%s: %s", ways[i], said());
        ck_assert_msg(strstr(program_output, "not all of the output"), "%s: %s", ways[i], said());
    }
    program_stdout = NULL;
}
END_TEST

START_TEST(test_coverage_compares_a_copy)
{
    put_project();
    put("copy.txt", "Abstract\n\nIt adds up.\n");
    char line[256], hash[65], option[256];
    snprintf(option, sizeof option, "--paper=%s/copy.txt", program_folder);
    sha256_hex(hash, "it adds up", 10);
    snprintf(line, sizeof line, "section\tsentence\tsha256\tclaims\nabstract\t1\t%s\teq gain\n", hash);
    put("paper/coverage.tsv", line);
    ck_assert_msg(audit(option) == 0, "%s", said());
    put("copy.txt", "Abstract\n\nIt adds\nup, - or.\n");
    ck_assert_int_eq(audit(option), 1);
    ck_assert_ptr_nonnull(strstr(program_output, "is not covered"));
    ck_assert_ptr_nonnull(strstr(program_output, "(claims: eq gain) is not in the copy"));
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
    tcase_add_test(tcase, test_audit_grades_folders);
    tcase_add_test(tcase, test_audit_never_confirms_an_accuracy_by_smoke);
    tcase_add_test(tcase, test_audit_tells_the_way_of_a_claim);
    tcase_add_test(tcase, test_audit_refuses);
    tcase_add_test(tcase, test_audit_fails_on_a_full_standard_output);
    tcase_add_test(tcase, test_coverage_compares_a_copy);
    suite_add_tcase(suite, tcase);
    return suite;
}
