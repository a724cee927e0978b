/* Verdicts from runs: grades, protocols, margins, dates, orders; and from a bench. */
#include "court.h"
#include "suites.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

START_TEST(test_a_decided_difference)
{
    Evidence e = {0};
    const Claim claim = claim_about(RULE_DIFFERENCE, 2.5, "diff:t.a,t.b");
    add_row(&e, "k", 'B', "2026-01-01", "t.a", 3, 92.5, 0);
    add_row(&e, "k", 'B', "2026-01-01", "t.b", 3, 90, 0);
    const Judgement j = judged(&claim, &e, NULL);
    ck_assert_str_eq(j.verdict, "confirmed");
    ck_assert_str_eq(j.half, "confirmed");
    ck_assert_int_eq(j.grade, 'B');
    ck_assert_int_eq(j.state, DECIDED);
    ck_assert_int_eq(j.n, 3);
    ck_assert_double_eq_tol(j.estimate, 2.5, 1e-9);
    ck_assert_double_eq_tol(j.s, 0.1, 1e-9);
    /* t[0.975] of 4 degrees of freedom, 2.776445, times 0.1 sqrt(2/3). */
    ck_assert_double_eq_tol(j.ci95.low, 2.5 - 2.776445 * 0.0816497, 1e-5);
    ck_assert_double_eq(j.minutes, 0);
    evidence_free(&e);
}
END_TEST

START_TEST(test_one_seed_and_low_grades_do_not_decide)
{
    Evidence one = {0}, quick = {0};
    const Claim claim = claim_about(RULE_DIFFERENCE, 2.5, "diff:t.a,t.b");
    add_row(&one, "k", 'A', "", "t.a", 1, 92.5, 0);
    add_row(&one, "k", 'A', "", "t.b", 1, 90, 0);
    Judgement j = judged(&claim, &one, NULL);
    ck_assert_str_eq(j.verdict, "undecided");
    ck_assert_int_eq(j.grade, 'C');
    ck_assert_int_eq(j.state, BLOCKED);
    add_row(&quick, "k", 'D', "", "t.a", 3, 92.5, 0);
    add_row(&quick, "k", 'D', "", "t.b", 3, 90, 0);
    j = judged(&claim, &quick, NULL);
    ck_assert_str_eq(j.verdict, "confirmed (not decided at this grade)");
    ck_assert_int_eq(j.state, BLOCKED);
    ck_assert_int_eq(support_of(j.verdict), OPEN);
    evidence_free(&one);
    evidence_free(&quick);
}
END_TEST

/* A value needs the official images: B is not enough where A is asked for. */
START_TEST(test_a_value_needs_its_grade)
{
    Evidence e = {0};
    Claim claim = claim_about(RULE_VALUE, 92.5, "run:t.a");
    add_row(&e, "k", 'B', "", "t.a", 3, 92.5, 0);
    claim.min_grade = "A";
    Judgement j = judged(&claim, &e, NULL);
    ck_assert_str_eq(j.verdict, "reproduced (not decided at this grade)");
    e.groups[0].grade = 'A';
    j = judged(&claim, &e, NULL);
    ck_assert_str_eq(j.verdict, "reproduced");
    ck_assert_int_eq(j.state, DECIDED);
    evidence_free(&e);
}
END_TEST

START_TEST(test_the_largest_grade_then_most_seeds_then_the_newest)
{
    Evidence e = {0};
    const Claim claim = claim_about(RULE_VALUE, 92.5, "run:t.a");
    add_row(&e, "quick", 'D', "2026-09-09", "t.a", 9, 50, 0);
    add_row(&e, "old", 'B', "2026-01-01", "t.a", 3, 60, 0);
    ck_assert_double_eq_tol(judged(&claim, &e, NULL).estimate, 60, 1e-9);
    add_row(&e, "new", 'B', "2026-02-02", "t.a", 3, 70, 0);
    ck_assert_double_eq_tol(judged(&claim, &e, NULL).estimate, 70, 1e-9);
    add_row(&e, "many", 'B', "2025-01-01", "t.a", 4, 80, 0);
    ck_assert_double_eq_tol(judged(&claim, &e, NULL).estimate, 80, 1e-9);
    add_row(&e, "newest", 'B', "2026-03-03", "t.a", 3, 90, 0);
    ck_assert_double_eq_tol(judged(&claim, &e, NULL).estimate, 80, 1e-9);
    ck_assert_int_eq(judged(&claim, &e, NULL).n, 4);
    evidence_free(&e);
}
END_TEST

/* Two protocols with one row each are no evidence of a difference. */
START_TEST(test_protocols_are_not_mixed)
{
    Evidence e = {0};
    const Claim claim = claim_about(RULE_DIFFERENCE, 2.5, "diff:t.a,t.b");
    add_row(&e, "one", 'B', "", "t.a", 3, 92.5, 0);
    add_row(&e, "two", 'B', "", "t.b", 3, 90, 0);
    const Judgement j = judged(&claim, &e, NULL);
    ck_assert_int_eq(j.state, STATE_NOT_RUN);
    ck_assert_str_eq(j.verdict, "undecided");
    evidence_free(&e);
}
END_TEST

START_TEST(test_the_best_epoch_has_a_verdict_of_its_own)
{
    Evidence e = {0};
    const Claim claim = claim_about(RULE_DIRECTION, NAN, "diff:t.a,t.b");
    add_row(&e, "k", 'B', "", "t.a", 3, 90, 5);
    add_row(&e, "k", 'B', "", "t.b", 3, 92, 0);
    const Judgement j = judged(&claim, &e, NULL);
    ck_assert_str_eq(j.verdict, "contradicted");
    ck_assert_str_eq(j.best, "confirmed");
    evidence_free(&e);
}
END_TEST

START_TEST(test_margins_half_and_twice)
{
    Evidence e = {0};
    const Claim claim = claim_about(RULE_EQUIVALENCE, 0, "diff:t.a,t.b");
    add_row(&e, "k", 'B', "", "t.a", 3, 90.6, 0);
    add_row(&e, "k", 'B', "", "t.b", 3, 90, 0);
    const Judgement j = judged(&claim, &e, NULL);
    ck_assert_str_eq(j.verdict, "undecided"); /* 0.6 +- 0.23 about 0.5 */
    ck_assert_str_eq(j.half, "contradicted");
    ck_assert_str_eq(j.twice, "confirmed");
    evidence_free(&e);
}
END_TEST

START_TEST(test_a_younger_rule_is_exploratory)
{
    Evidence e = {0};
    char dates[1][40] = {"2026-01-02T00:00:00Z"};
    const Claim claim = claim_about(RULE_DIFFERENCE, 2.5, "diff:t.a,t.b");
    add_row(&e, "k", 'B', "2026-01-01T23:59:59Z", "t.a", 3, 92.5, 0);
    add_row(&e, "k", 'B', "2026-01-01T23:59:59Z", "t.b", 3, 90, 0);
    ck_assert_int_eq(judged(&claim, &e, dates).state, EXPLORATORY);
    snprintf(dates[0], sizeof dates[0], "2026-01-01T23:59:58Z");
    ck_assert_int_eq(judged(&claim, &e, dates).state, DECIDED);
    evidence_free(&e);
}
END_TEST

/* The date of its own rows' runs counts, not that of a newer one of the same protocol. */
START_TEST(test_other_rows_do_not_make_a_claim_younger)
{
    Evidence e = {0};
    char dates[1][40] = {"2026-02-01T00:00:00Z"};
    const Claim claim = claim_about(RULE_DIFFERENCE, 2.5, "diff:t.a,t.b");
    Folder folders[] = {{.path = "a", .started = "2026-01-01T00:00:00Z"},
                        {.path = "b", .started = "2026-01-03T00:00:00Z"}};
    add_row(&e, "k", 'B', "2026-03-01T00:00:00Z", "t.a", 3, 92.5, 0);
    add_row(&e, "k", 'B', "2026-03-01T00:00:00Z", "t.b", 3, 90, 0);
    e.folders = folders;
    group_row(&e.groups[0], "t.a", false)->folder[0] = 1;
    group_row(&e.groups[0], "t.b", false)->folder[0] = 0;
    Judgement j = judged(&claim, &e, dates);
    ck_assert_int_eq(j.state, EXPLORATORY);
    ck_assert_str_eq(j.run_date, "2026-01-03T00:00:00Z");
    snprintf(dates[0], sizeof dates[0], "2026-01-02T00:00:00Z");
    ck_assert_int_eq(judged(&claim, &e, dates).state, DECIDED);
    e.folders = NULL;
    evidence_free(&e);
}
END_TEST

START_TEST(test_a_changed_source_is_stale)
{
    Evidence e = {0};
    const Claim claim = claim_about(RULE_DIFFERENCE, 2.5, "diff:t.a,t.b");
    add_row(&e, "k", 'B', "", "t.a", 3, 92.5, 0);
    add_row(&e, "k", 'B', "", "t.b", 3, 90, 0);
    Folder folder = {.path = "runs/x", .commit = "abc", .sha256 = "def"};
    e.folders = &folder;
    group_row(&e.groups[0], "t.b", false)->folder[1] = 0;
    Judgement j = judged(&claim, &e, NULL);
    ck_assert_int_eq(j.state, DECIDED);
    ck_assert_str_eq(j.evidence, "runs/x@abc:def");
    folder.stale = true;
    j = judged(&claim, &e, NULL);
    ck_assert_int_eq(j.state, STALE);
    e.folders = NULL;
    evidence_free(&e);
}
END_TEST

START_TEST(test_orders)
{
    Evidence e = {0};
    const Claim claim = claim_about(RULE_ORDER, NAN, "order:t.a,t.b,t.c");
    add_row(&e, "k", 'B', "", "t.a", 3, 80, 0);
    add_row(&e, "k", 'B', "", "t.b", 3, 85, 0);
    add_row(&e, "k", 'B', "", "t.c", 3, 90, 0);
    ck_assert_str_eq(judged(&claim, &e, NULL).verdict, "confirmed");
    add_row(&e, "k", 'B', "", "t.c", 3, 85.05, 0);
    ck_assert_str_eq(judged(&claim, &e, NULL).verdict, "in direction"); /* equivalent neighbours */
    add_row(&e, "k", 'B', "", "t.c", 3, 84, 0);
    ck_assert_str_eq(judged(&claim, &e, NULL).verdict, "contradicted");
    evidence_free(&e);
}
END_TEST

START_TEST(test_isolation)
{
    Evidence e = {0};
    const Claim claim = claim_about(RULE_ISOLATION, NAN, "diff:t.a,t.b");
    add_row(&e, "k", 'B', "", "t.b", 3, 90, 0);
    add_row(&e, "k", 'B', "", "t.a", 3, 90.8, 0); /* 0.8 +- 0.23 is over the margin of 0.5 */
    ck_assert_str_eq(judged(&claim, &e, NULL).verdict, "isolated");
    add_row(&e, "k", 'B', "", "t.a", 3, 90.6, 0);
    ck_assert_str_eq(judged(&claim, &e, NULL).verdict, "undecided");
    add_row(&e, "k", 'B', "", "t.a", 3, 90.2, 0);
    ck_assert_str_eq(judged(&claim, &e, NULL).verdict, "not isolated");
    evidence_free(&e);
}
END_TEST

/* Fewer seconds are faster: of 200 seconds 100 save 50 per cent. */
START_TEST(test_seconds_saved)
{
    Evidence e = {0};
    const Claim claim = claim_about(RULE_DIRECTION, NAN, "seconds:t.a,t.b");
    add_row(&e, "k", 'B', "", "t.a", 3, 100, 0);
    add_row(&e, "k", 'B', "", "t.b", 3, 200, 0);
    const Judgement j = judged(&claim, &e, NULL);
    ck_assert_str_eq(j.verdict, "confirmed");
    ck_assert_double_eq_tol(j.estimate, 50, 1e-9);
    evidence_free(&e);
}
END_TEST

/* Seconds of one machine are not compared with those of another; accuracies are. */
START_TEST(test_times_of_different_machines_do_not_compare)
{
    Evidence e = {0};
    Folder folders[] = {{.machine = "A, avx2, 2 threads"}, {.machine = "A, avx2, 2 threads"}};
    const Claim seconds = claim_about(RULE_DIRECTION, NAN, "seconds:t.a,t.b"),
                accuracy = claim_about(RULE_DIRECTION, NAN, "diff:t.b,t.a");
    add_row(&e, "k", 'B', "", "t.a", 3, 100, 0);
    add_row(&e, "k", 'B', "", "t.b", 3, 200, 0);
    e.folders = folders;
    e.folders_count = 2;
    group_row(&e.groups[0], "t.a", false)->folder[1] = 0;
    group_row(&e.groups[0], "t.b", false)->folder[2] = 1;
    ck_assert_str_eq(judged(&seconds, &e, NULL).verdict, "confirmed");
    snprintf(folders[1].machine, sizeof folders[1].machine, "A, avx2, 1 threads");
    const Judgement j = judged(&seconds, &e, NULL);
    ck_assert_str_eq(j.verdict, "undecided");
    ck_assert_int_eq(j.state, BLOCKED);
    ck_assert_ptr_nonnull(strstr(j.why, "different CPUs"));
    ck_assert_str_eq(judged(&accuracy, &e, NULL).verdict, "confirmed");
    e.folders = NULL;
    evidence_free(&e);
}
END_TEST

START_TEST(test_shares_of_a_bench)
{
    Evidence e = {.bench_lines = strdup("what\tkernels\tshape\tthreads\tvalue\tunit\n"
                                        "pool\tf32\tR=5,10x64,batch 192\t1\t4.5\t% of weight_step\n"
                                        "pool\tbf16\tR=5,10x64,batch 192\t1\t4.9\t% of weight_step\n"
                                        "pool\tbf16\tR=5,10x16,batch 192\t1\t40\t% of weight_step\n"
                                        "other\tbf16\tR=5,10x64,batch 192\t1\t50\t% of weight_step\n")};
    Claim claim = claim_about(RULE_BOUND, NAN, "share:pool");
    claim.margin = 5;
    Judgement j = judged(&claim, &e, NULL);
    ck_assert_double_eq(j.estimate, 4.9);
    ck_assert_int_eq(j.n, 2);
    ck_assert_str_eq(j.verdict, "holds");
    ck_assert_str_eq(j.half, "undecided");
    ck_assert_int_eq(j.state, DECIDED);
    claim.margin = 4.8; /* an upper bound refutes nothing */
    j = judged(&claim, &e, NULL);
    ck_assert_str_eq(j.verdict, "undecided");
    ck_assert_int_eq(j.state, BLOCKED);
    ck_assert_ptr_nonnull(strstr(j.why, "upper bound"));
    ck_assert_str_eq(j.twice, "holds");
    evidence_free(&e);
}
END_TEST

Suite *audit_court_suite(void)
{
    Suite *suite = suite_create("audit_court");
    TCase *tcase = tcase_create("runs");
    tcase_add_test(tcase, test_a_decided_difference);
    tcase_add_test(tcase, test_one_seed_and_low_grades_do_not_decide);
    tcase_add_test(tcase, test_a_value_needs_its_grade);
    tcase_add_test(tcase, test_the_largest_grade_then_most_seeds_then_the_newest);
    tcase_add_test(tcase, test_protocols_are_not_mixed);
    tcase_add_test(tcase, test_the_best_epoch_has_a_verdict_of_its_own);
    tcase_add_test(tcase, test_margins_half_and_twice);
    tcase_add_test(tcase, test_a_younger_rule_is_exploratory);
    tcase_add_test(tcase, test_other_rows_do_not_make_a_claim_younger);
    tcase_add_test(tcase, test_a_changed_source_is_stale);
    tcase_add_test(tcase, test_orders);
    tcase_add_test(tcase, test_isolation);
    tcase_add_test(tcase, test_seconds_saved);
    tcase_add_test(tcase, test_times_of_different_machines_do_not_compare);
    tcase_add_test(tcase, test_shares_of_a_bench);
    suite_add_tcase(suite, tcase);
    return suite;
}
