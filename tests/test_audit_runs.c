/* What the court takes of runs: which number of theirs, its interval, how many more would decide, at what
 * cost, and what is told of it. */
#include "court.h"
#include "suites.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

/* A row of three seeds, sd apart, of every quantity. */
static RowRuns *add_spread(Evidence *e, const char *row, char grade, double mean, double sd)
{
    add_row(e, "k", grade, "", row, 3, mean, 0);
    RowRuns *runs = group_row(&e->groups[0], row, false);
    for (int s = 0; s < 3; s++)
        for (int q = 0; q < QUANTITIES; q++)
            runs->x[q][s] = mean + sd * (s - 1);
    return runs;
}

static Judgement of_rows(Rule rule, double value, const char *decider, const Evidence *e)
{
    const Claim claim = claim_about(rule, value, decider);
    return judged(&claim, e, NULL);
}

/* One more run of 91.7 would fall within t[0.975; 2] 0.1 sqrt(1 + 1/3) = 0.4968 of it, which 92.45 is not; of
 * the best epochs, 92.5, it is. */
START_TEST(test_a_cell_that_only_the_best_epoch_meets)
{
    Evidence e = {0};
    add_row(&e, "k", 'A', "", "t.a", 3, 91.7, 0.8);
    const Judgement j = of_rows(RULE_VALUE, 92.5, "run:t.a", &e);
    ck_assert_str_eq(j.verdict, "only with test-set selection");
    ck_assert_double_eq_tol(j.ci95.low, 91.7 - 4.302653 * 0.1 * sqrt(4.0 / 3), 1e-5);
    ck_assert_double_eq_tol(j.ci95.high, 91.7 + 4.302653 * 0.1 * sqrt(4.0 / 3), 1e-5);
    evidence_free(&e);
}
END_TEST

/* (t[0.975; 4] + t[0.8; 4]) 0.1 sqrt(2/3) = (2.776445 + 0.940965) 0.0816497. */
START_TEST(test_what_so_many_seeds_could_see)
{
    Evidence e = {0};
    add_spread(&e, "t.a", 'B', 92.5, 0.1);
    add_spread(&e, "t.b", 'B', 90, 0.1);
    ck_assert_double_eq_tol(of_rows(RULE_DIFFERENCE, 2.5, "diff:t.a,t.b", &e).mde80, 0.303525, 1e-5);
    evidence_free(&e);
}
END_TEST

START_TEST(test_a_direction_downwards)
{
    Evidence e = {0};
    add_spread(&e, "t.a", 'B', 90, 0.1);
    add_spread(&e, "t.b", 'B', 92.5, 0.1);
    ck_assert_str_eq(of_rows(RULE_DIRECTION, -2.5, "diff:t.a,t.b", &e).verdict, "confirmed");
    ck_assert_str_eq(of_rows(RULE_DIRECTION, 2.5, "diff:t.a,t.b", &e).verdict, "contradicted");
    evidence_free(&e);
}
END_TEST

/* 0.25 +- 0.20 is sure of its sign and inside the margin; 5 +- 2 and 0.5 +- 2 with a spread of ten times
 * that. */
START_TEST(test_orders_of_close_neighbours)
{
    Evidence close = {0}, wide = {0};
    add_spread(&close, "t.a", 'B', 80, 0.1);
    add_spread(&close, "t.b", 'B', 85, 0.1);
    add_spread(&close, "t.c", 'B', 85.25, 0.1);
    ck_assert_str_eq(of_rows(RULE_ORDER, NAN, "order:t.a,t.b,t.c", &close).verdict, "in direction");
    add_spread(&wide, "t.a", 'B', 80, 1);
    add_spread(&wide, "t.b", 'B', 80.5, 1);
    add_spread(&wide, "t.c", 'B', 90, 1);
    ck_assert_str_eq(of_rows(RULE_ORDER, NAN, "order:t.a,t.b,t.c", &wide).verdict, "undecided");
    evidence_free(&close);
    evidence_free(&wide);
}
END_TEST

/* Means 80, 79 and 85 have ranks 2, 1 and 3: Spearman's correlation is 1 - 6 (1 + 1) / 24 = 0.5, as far from
 * 0 as in any order of three. 1 of 24 orders of four is the claimed one, and one its reverse. What chance
 * does is no difference, and no family counts it. */
START_TEST(test_orders_have_a_null_model)
{
    static const double means[] = {79, 85, 86, 80};
    static const char *const rows[] = {"t.b", "t.c", "t.d", "t.a"};
    Evidence e = {0};
    for (int i = 0; i < 4; i++)
        add_spread(&e, rows[i], 'B', means[i], 0.1);
    Judgement j = of_rows(RULE_ORDER, NAN, "order:t.a,t.b,t.c", &e);
    ck_assert_str_eq(j.verdict, "contradicted");
    ck_assert_double_eq_tol(j.estimate, 0.5, 1e-12);
    ck_assert_double_eq_tol(j.p, 1, 1e-12);
    j = of_rows(RULE_ORDER, NAN, "order:t.b,t.a,t.c,t.d", &e);
    ck_assert_str_eq(j.verdict, "confirmed");
    ck_assert_double_eq_tol(j.estimate, 1, 1e-12);
    ck_assert_double_eq_tol(j.p, 2 / 24.0, 1e-12);
    ck_assert(isnan(j.holm) && isnan(j.ci95.low));
    evidence_free(&e);
}
END_TEST

/* -0.3 +- 0.17 is no loss of half a point, -0.4 +- 0.17 may be one, and at twice the margin is none. */
START_TEST(test_no_loss)
{
    Evidence e = {0};
    add_spread(&e, "t.a", 'B', 89.7, 0.1);
    add_spread(&e, "t.b", 'B', 90, 0.1);
    add_spread(&e, "t.c", 'B', 90.1, 0.1);
    ck_assert_str_eq(of_rows(RULE_NOT_WORSE, NAN, "diff:t.a,t.b", &e).verdict, "confirmed");
    const Judgement j = of_rows(RULE_NOT_WORSE, NAN, "diff:t.a,t.c", &e);
    ck_assert_str_eq(j.verdict, "undecided");
    ck_assert_str_eq(j.twice, "confirmed");
    ck_assert_double_eq_tol(j.estimate, -0.4, 1e-9);
    ck_assert_str_eq(of_rows(RULE_NOT_WORSE, NAN, "diff:t.c,t.a", &e).verdict, "confirmed");
    evidence_free(&e);
}
END_TEST

/* 0.30 + 2.131847 0.0816497 = 0.474 is within 0.5, though 0.30 + 2.776445 0.0816497 = 0.527 is not. */
START_TEST(test_isolation_is_denied_by_its_own_interval)
{
    Evidence e = {0};
    add_spread(&e, "t.a", 'B', 90.3, 0.1);
    add_spread(&e, "t.b", 'B', 90, 0.1);
    ck_assert_str_eq(of_rows(RULE_ISOLATION, NAN, "diff:t.a,t.b", &e).verdict, "not isolated");
    evidence_free(&e);
}
END_TEST

/* Each decider takes its own number of a run. */
START_TEST(test_each_decider_takes_its_own_number)
{
    static const struct {
        const char *decider;
        Rule rule;
        Quantity quantity;
    } cases[] = {{"diff:t.a,t.b", RULE_DIRECTION, ACCURACY},
                 {"early:t.a,t.b", RULE_DIRECTION, EARLY},
                 {"deeper:t.a,t.b", RULE_EQUIVALENCE, DEPTH},
                 {"run:t.a", RULE_VALUE, ACCURACY},
                 {"depth:t.a", RULE_VALUE, DEPTH},
                 {"slope:t.a", RULE_DIRECTION, SLOPE}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        Evidence e = {0};
        add_spread(&e, "t.a", 'B', 90, 0.1);
        add_spread(&e, "t.b", 'B', 90, 0.1);
        RowRuns *runs = group_row(&e.groups[0], "t.a", false);
        for (int s = 0; s < 3; s++)
            runs->x[cases[i].quantity][s] += 5;
        const double base = strchr(cases[i].decider, ',') ? 0 : 90;
        ck_assert_double_eq_tol(of_rows(cases[i].rule, 90, cases[i].decider, &e).estimate, base + 5, 1e-9);
        evidence_free(&e);
    }
}
END_TEST

/* Where one run has no interval, its p is that of its permutations. */
START_TEST(test_a_slope_of_one_run)
{
    Evidence e = {0};
    add_row(&e, "k", 'B', "", "t.a", 1, 0.5, 0);
    group_row(&e.groups[0], "t.a", false)->slope_p = 0.2;
    ck_assert_double_eq(of_rows(RULE_DIRECTION, NAN, "slope:t.a", &e).p, 0.2);
    evidence_free(&e);
}
END_TEST

/* With two rows of sd 1 four seeds see 2.371 points, three 3.035; what short runs of small nets spread is no
 * guide. */
START_TEST(test_seeds_that_would_decide)
{
    Evidence e = {0};
    add_spread(&e, "t.a", 'B', 92.5, 1);
    add_spread(&e, "t.b", 'B', 90, 1);
    ck_assert_int_eq(of_rows(RULE_DIFFERENCE, 2.5, "diff:t.a,t.b", &e).seeds_needed, 4);
    e.groups[0].grade = 'D';
    ck_assert_int_eq(of_rows(RULE_DIFFERENCE, 2.5, "diff:t.a,t.b", &e).seeds_needed, DECIDING_SEEDS);
    evidence_free(&e);
}
END_TEST

/* 36 seconds an epoch, of the faster of two protocols: 36 * 40 * 3 / 60 minutes, and ten times that for grade
 * A. */
START_TEST(test_the_cost_of_deciding)
{
    Evidence e = {0};
    Claim claim = claim_about(RULE_VALUE, 92.5, "run:t.a");
    add_row(&e, "k", 'B', "", "t.a", 1, 36, 0);
    add_row(&e, "l", 'B', "", "t.a", 1, 72, 0);
    Judgement j = judged(&claim, &e, NULL);
    ck_assert_double_eq_tol(j.minutes, 72, 1e-9);
    ck_assert_ptr_nonnull(strstr(j.command, " BUDGET=day SEEDS=\"1 2 3\""));
    ck_assert_str_eq(j.why, "compute: grade B needs 40 epochs of all images at the paper's size, 3 seeds");
    claim.min_grade = "A";
    j = judged(&claim, &e, NULL);
    ck_assert_double_eq_tol(j.minutes, 720, 1e-9);
    ck_assert_ptr_nonnull(strstr(j.command, " BUDGET=paper "));
    ck_assert_str_eq(
        j.why, "compute: grade A needs 400 epochs of the official CIFAR-10 at the paper's size, 3 seeds");
    snprintf(e.groups[0].data, sizeof e.groups[0].data, "other");
    snprintf(e.groups[1].data, sizeof e.groups[1].data, "other");
    ck_assert_ptr_nonnull(strstr(judged(&claim, &e, NULL).why, "compute, data: "));
    evidence_free(&e);
}
END_TEST

/* A stale run is not forgotten over a fresh one after it. */
START_TEST(test_evidence_is_listed_and_one_stale_run_is_enough)
{
    Evidence e = {0};
    Folder folders[] = {{.path = "a", .commit = "c", .sha256 = "1", .stale = true},
                        {.path = "b", .commit = "d", .again = "e", .sha256 = "2"}};
    add_spread(&e, "t.a", 'B', 92.5, 0.1)->folder[0] = 0;
    add_spread(&e, "t.b", 'B', 90, 0.1)->folder[2] = 1;
    e.folders = folders;
    const Judgement j = of_rows(RULE_DIFFERENCE, 2.5, "diff:t.a,t.b", &e);
    ck_assert_str_eq(j.evidence, "a@c:1 b@d=e:2");
    ck_assert_int_eq(j.state, STALE);
    e.folders = NULL;
    evidence_free(&e);
}
END_TEST

/* Rows of another table do not widen this one's spread; a number that a run has not is not counted. */
START_TEST(test_the_spread_is_of_its_own_table)
{
    Evidence e = {0};
    add_spread(&e, "t.a", 'B', 92.5, 0.1);
    add_spread(&e, "t.b", 'B', 90, 0.1);
    add_spread(&e, "t1.a", 'B', 80, 1);
    ck_assert_double_eq_tol(of_rows(RULE_DIFFERENCE, 2.5, "diff:t.a,t.b", &e).s, 0.1, 1e-9);
    group_row(&e.groups[0], "t.b", false)->x[ACCURACY][1] = NAN;
    ck_assert_int_eq(of_rows(RULE_DIFFERENCE, 2.5, "diff:t.a,t.b", &e).n, 2);
    evidence_free(&e);
}
END_TEST

/* The largest line counts, wherever it stands. */
START_TEST(test_the_largest_share_counts)
{
    char lines[] = "what\tkernels\tshape\tthreads\tvalue\tunit\n"
                   "pool\tf32\tR=5,10x64,batch 192\t1\t4.9\t% of weight_step\n"
                   "pool\tbf16\tR=5,10x64,batch 192\t1\t4.5\t% of weight_step\n";
    const Evidence e = {.bench_lines = lines};
    Claim claim = claim_about(RULE_BOUND, NAN, "share:pool");
    claim.margin = 3;
    const Judgement j = judged(&claim, &e, NULL);
    ck_assert_double_eq(j.estimate, 4.9);
    ck_assert_str_eq(j.verdict, "undecided");
    ck_assert_str_eq(j.twice, "holds");
}
END_TEST

Suite *audit_runs_suite(void)
{
    Suite *suite = suite_create("audit_runs");
    TCase *tcase = tcase_create("by hand");
    tcase_add_test(tcase, test_a_cell_that_only_the_best_epoch_meets);
    tcase_add_test(tcase, test_what_so_many_seeds_could_see);
    tcase_add_test(tcase, test_a_direction_downwards);
    tcase_add_test(tcase, test_orders_of_close_neighbours);
    tcase_add_test(tcase, test_orders_have_a_null_model);
    tcase_add_test(tcase, test_no_loss);
    tcase_add_test(tcase, test_isolation_is_denied_by_its_own_interval);
    tcase_add_test(tcase, test_each_decider_takes_its_own_number);
    tcase_add_test(tcase, test_a_slope_of_one_run);
    tcase_add_test(tcase, test_seeds_that_would_decide);
    tcase_add_test(tcase, test_the_cost_of_deciding);
    tcase_add_test(tcase, test_evidence_is_listed_and_one_stale_run_is_enough);
    tcase_add_test(tcase, test_the_spread_is_of_its_own_table);
    tcase_add_test(tcase, test_the_largest_share_counts);
    suite_add_tcase(suite, tcase);
    return suite;
}
