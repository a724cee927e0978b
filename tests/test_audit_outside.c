/* Verdicts from published nets: what the paper prints beside those that cost no more. */
#include "../experiments/audit/liveness.h"
#include "court.h"
#include "program.h"
#include "suites.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

static Error error;

/* The paper's net has 92.5 % with 0.41 10^9 multiply-accumulates and 0.3 million parameters. */
static Judgement of_nets(const char *nets, const char *decider, int *dead)
{
    static Claim claim[4];
    static Judgement all[4];
    Sources sources = {0};
    char path[1024], text[2048];
    static const Rows rows;
    const Evidence none = {0};
    const double values[] = {NAN, 92.5, 0.41, 0.3};
    static const char *const ids[] = {"c", "accuracy", "cost", "parameters"};
    for (int i = 0; i < 4; i++) {
        claim[i] = claim_about(i ? RULE_TESTS : RULE_FRONTIER, values[i], i ? "test:one" : decider);
        claim[i].id = ids[i];
        claim[i].digits = i == 2 ? 2 : 1;
    }
    snprintf(path, sizeof path, "%s/nets.tsv", program_folder);
    snprintf(text, sizeof text, "net\tparameters\tmacs\taccuracy\tsource\n%s", nets);
    FILE *file = fopen(path, "w");
    ck_assert(file && fputs(text, file) >= 0 && fclose(file) == 0);
    ck_assert_msg(tsv_read(&sources.outside, path, "net\tparameters", &error), "%s", error.text);
    const Claims claims = {.claims = claim, .count = 4};
    const Court court = {.claims = &claims, .sources = &sources, .evidence = &none, .rows = &rows};
    ck_assert(judge(all, &court, &error));
    if (dead) {
        FILE *out = tmpfile();
        ck_assert_ptr_nonnull(out);
        *dead = liveness_check(&court, out);
        fclose(out);
    }
    sources_free(&sources);
    return all[0];
}

/* A net that costs as much by the digits that are printed counts, one that costs more does not, nor one whose
 * cost nobody has told; as accurate is enough. */
START_TEST(test_published_nets_that_cost_no_more)
{
    static const struct {
        const char *decider, *nets, *verdict;
        double estimate;
        int n;
    } cases[] = {
        {"outside:macs,accuracy,cost", "a\t1\t414000000\t92.5\ts\n", "contradicted", 0, 1},
        {"outside:macs,accuracy,cost", "a\t1\t415000000\t92.5\ts\n", "contradicted", 0, 1},
        {"outside:macs,accuracy,cost", "a\t1\t416000000\t99\ts\nb\t1\t1\t90\ts\n", "confirmed", 2.5, 1},
        {"outside:macs,accuracy,cost", "a\t1\t-\t99\ts\nb\t1\t1\t92.4\ts\n", "confirmed", 0.1, 1},
        {"outside:macs,accuracy,cost", "a\t1\t7\t91\ts\nb\t1\t8\t94\ts\nc\t1\t9\t93\ts\n", "contradicted",
         -1.5, 3},
        {"outside:parameters,accuracy,parameters", "a\t350000\t1\t92.6\ts\n", "contradicted", -0.1, 1},
        {"outside:parameters,accuracy,parameters", "a\t351000\t1\t92.6\ts\nb\t4\t1\t9\ts\n", "confirmed",
         83.5, 1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const Judgement j = of_nets(cases[i].nets, cases[i].decider, NULL);
        ck_assert_msg(strcmp(j.verdict, cases[i].verdict) == 0, "%zu: %s", i, j.verdict);
        ck_assert_double_eq_tol(j.estimate, cases[i].estimate, 1e-9);
        ck_assert_int_eq(j.n, cases[i].n);
        ck_assert_int_eq(j.state, DECIDED);
    }
}
END_TEST

/* It names the nets that are as accurate, with their cost, and no others. */
START_TEST(test_published_nets_are_named)
{
    const Judgement j =
        of_nets("slow\t1\t9000000000\t99\ts\nlow\t1\t5\t92.4\ts\nsame\t1\t6\t92.5\ts\ngood\t1\t7\t93.5\ts\n",
                "outside:macs,accuracy,cost", NULL);
    ck_assert_str_eq(j.evidence,
                     "same: 92.5 % with 6 macs good: 93.5 % with 7 macs paper/expected/outside.tsv");
}
END_TEST

START_TEST(test_without_published_nets_nothing_is_decided)
{
    const Judgement j = of_nets("", "outside:macs,accuracy,cost", NULL);
    ck_assert_str_eq(j.verdict, "undecided");
    ck_assert_int_eq(j.state, STATE_NOT_RUN);
    ck_assert_ptr_nonnull(strstr(j.why, "no published net"));
}
END_TEST

/* Another printed accuracy has another verdict, unless there is no net to lose against. */
START_TEST(test_frontiers_live)
{
    int dead;
    of_nets("a\t1\t5\t92.6\ts\n", "outside:macs,accuracy,cost", &dead);
    ck_assert_int_eq(dead, 0);
    of_nets("", "outside:macs,accuracy,cost", &dead);
    ck_assert_int_eq(dead, 1);
}
END_TEST

Suite *audit_outside_suite(void)
{
    Suite *suite = suite_create("audit_outside");
    TCase *tcase = tcase_create("by hand");
    tcase_add_checked_fixture(tcase, program_setup, program_teardown);
    tcase_add_test(tcase, test_published_nets_that_cost_no_more);
    tcase_add_test(tcase, test_published_nets_are_named);
    tcase_add_test(tcase, test_without_published_nets_nothing_is_decided);
    tcase_add_test(tcase, test_frontiers_live);
    suite_add_tcase(suite, tcase);
    return suite;
}
