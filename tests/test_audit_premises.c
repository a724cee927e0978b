/* Verdicts from tests, premises, rivals, families and printed values. */
#include "court.h"
#include "suites.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

static Error error;

/* ---- tests, premises, rivals, families */

typedef struct {
    Claim claim[5];
    TestFunction tests[3];
    Judgement all[5];
    Evidence evidence;
} Case;

static void judge_case(Case *c, int count)
{
    const Claims claims = {.claims = c->claim, .count = count};
    const Sources sources = {.tests = c->tests, .tests_count = 3, .ran = true};
    static const Rows rows;
    const Court court = {.claims = &claims, .sources = &sources, .evidence = &c->evidence, .rows = &rows};
    ck_assert(judge(c->all, &court, &error));
}

static Case two_premises(void)
{
    Case c = {.tests = {{.name = "one", .outcome = PASSED}, {.name = "two", .outcome = PASSED}}};
    c.claim[0] = claim_about(RULE_PREMISES, NAN, "premises");
    c.claim[0].requires = "p q";
    c.claim[1] = claim_about(RULE_TESTS, NAN, "test:one");
    c.claim[1].id = "p";
    c.claim[2] = claim_about(RULE_TESTS, NAN, "test:two");
    c.claim[2].id = "q";
    return c;
}

START_TEST(test_tests_decide)
{
    Case c = {.tests = {{.name = "one", .outcome = PASSED}, {.name = "two", .outcome = PASSED}}};
    c.claim[0] = claim_about(RULE_TESTS, NAN, "test:one test:two");
    judge_case(&c, 1);
    ck_assert_str_eq(c.all[0].verdict, "holds");
    ck_assert_int_eq(c.all[0].state, DECIDED);
    ck_assert_int_eq(c.all[0].grade, '-');
    c.tests[1].stale = true;
    judge_case(&c, 1);
    ck_assert_int_eq(c.all[0].state, STALE);
    c.tests[1].outcome = NOT_RUN;
    judge_case(&c, 1);
    ck_assert_str_eq(c.all[0].verdict, "undecided");
    ck_assert_int_eq(c.all[0].state, STATE_NOT_RUN);
    c.tests[0].outcome = FAILED; /* in this commit; the stale one too, and then no test of this commit */
    judge_case(&c, 1);
    ck_assert_str_eq(c.all[0].verdict, "broken");
    ck_assert_int_eq(c.all[0].state, DECIDED);
    c.tests[1].outcome = FAILED;
    judge_case(&c, 1);
    ck_assert_int_eq(c.all[0].state, DECIDED);
    c.tests[0].outcome = PASSED;
    judge_case(&c, 1);
    ck_assert_str_eq(c.all[0].verdict, "broken");
    ck_assert_int_eq(c.all[0].state, STALE);
    c.tests[0].outcome = FAILED;
    c.tests[1].outcome = NOT_RUN;
    c.claim[0] = claim_about(RULE_READINGS, 0.31, "readings:no-pooling test:one");
    c.claim[0].digits = 2;
    judge_case(&c, 1);
    ck_assert_str_eq(c.all[0].verdict, "broken");
    c.tests[0].outcome = NOT_RUN;
    judge_case(&c, 1);
    ck_assert_str_eq(c.all[0].verdict, "underdetermined (1 of 4 readings)");
}
END_TEST

START_TEST(test_premises_bound)
{
    Case c = two_premises();
    judge_case(&c, 3);
    ck_assert_str_eq(c.all[0].verdict, "confirmed");
    c.tests[1].outcome = NOT_RUN;
    judge_case(&c, 3);
    ck_assert_str_eq(c.all[0].verdict, "undecided");
    ck_assert_int_eq(c.all[0].state, BLOCKED);
    c.tests[0].outcome = FAILED;
    judge_case(&c, 3);
    ck_assert_str_eq(c.all[0].verdict, "contradicted");
    /* A verdict of its own stands beside the bounded one. */
    c.claim[0] = claim_about(RULE_READINGS, 4, "readings:level-over-next");
    c.claim[0].requires = "q p";
    judge_case(&c, 3);
    ck_assert_str_eq(c.all[0].verdict, "holds");
    ck_assert_str_eq(c.all[0].bounded, "contradicted by a premise");
    ck_assert_str_eq(c.all[0].bounded_by, "p");
    c.tests[0].outcome = c.tests[1].outcome = PASSED;
    judge_case(&c, 3);
    ck_assert_str_eq(c.all[0].bounded, "holds");
    ck_assert_str_eq(c.all[0].bounded_by, "");
}
END_TEST

START_TEST(test_weak_premises_are_counted)
{
    Case c = two_premises();
    c.claim[2] = claim_about(RULE_READINGS, 0.31, "readings:no-pooling");
    c.claim[2].id = "q";
    c.claim[2].digits = 2;
    judge_case(&c, 3);
    ck_assert_str_eq(c.all[0].verdict, "underdetermined (1 of 2 premises)");
}
END_TEST

/* A conclusion of p, q and r, each of which a test decides. */
static Case three_premises(int needed)
{
    static const char *const ids[] = {"p", "q", "r"}, *const tests[] = {"test:one", "test:two", "test:three"};
    Case c = {.tests = {{.name = "one"}, {.name = "two"}, {.name = "three"}}};
    c.claim[0] = claim_about(RULE_PREMISES, NAN, "premises");
    c.claim[0].requires = "p q r";
    c.claim[0].needed = needed;
    for (int p = 0; p < 3; p++) {
        c.claim[p + 1] = claim_about(RULE_TESTS, NAN, tests[p]);
        c.claim[p + 1].id = ids[p];
    }
    return c;
}

/* With K of its premises needed a claim is as strong as the Kth strongest of them: three that tests decide
 * and one of readings, and what becomes of it for every state of the three. */
START_TEST(test_some_premises_are_enough)
{
    static const TestOutcome outcomes[] = {PASSED, NOT_RUN, FAILED};
    for (int needed = 1; needed <= 4; needed++)
        for (int state = 0; state < 27; state++) {
            Case c = three_premises(needed);
            c.tests[0].outcome = outcomes[state % 3];
            c.tests[1].outcome = outcomes[state / 3 % 3];
            c.tests[2].outcome = outcomes[state / 9];
            c.claim[0].requires = "p q r weak";
            c.claim[4] = claim_about(RULE_READINGS, 0.31, "readings:no-pooling");
            c.claim[4].id = "weak";
            c.claim[4].digits = 2;
            judge_case(&c, 5);
            int green = 0, open = 0;
            for (int t = 0; t < 3; t++) {
                green += c.tests[t].outcome == PASSED;
                open += c.tests[t].outcome == NOT_RUN;
            }
            char weak[64];
            snprintf(weak, sizeof weak, "underdetermined (%d of 4 premises)", green);
            const bool upheld = green >= needed, weakened = green + 1 >= needed,
                       undecided = green + 1 + open >= needed;
            ck_assert_str_eq(c.all[0].verdict, upheld      ? "confirmed"
                                               : weakened  ? weak
                                               : undecided ? "undecided"
                                                           : "contradicted");
            ck_assert_int_eq(c.all[0].state, !weakened && undecided ? BLOCKED : DECIDED);
            ck_assert_str_eq(c.all[0].bounded, c.all[0].verdict);
            ck_assert_str_eq(c.all[0].bounded_by, "");
        }
}
END_TEST

/* A conclusion is decided where those premises alone that are decided make it so: every K, and each of three
 * premises green or red, in this commit or in another. */
START_TEST(test_a_conclusion_is_no_firmer_than_its_premises)
{
    for (int needed = 0; needed <= 3; needed++)
        for (int state = 0; state < 64; state++) {
            Case c = three_premises(needed);
            int green = 0, green_here = 0, red_here = 0;
            for (int p = 0; p < 3; p++) {
                const bool passes = state >> p & 1, here = state >> (p + 3) & 1;
                c.tests[p].outcome = passes ? PASSED : FAILED;
                c.tests[p].stale = !here;
                green += passes;
                green_here += passes && here;
                red_here += !passes && here;
            }
            const int least = needed ? needed : 3;
            const bool upheld = green >= least;
            judge_case(&c, 4);
            ck_assert_str_eq(c.all[0].verdict, upheld ? "confirmed" : "contradicted");
            const bool decided = upheld ? green_here >= least : red_here > 3 - least;
            ck_assert_int_eq(c.all[0].state, decided ? DECIDED : STALE);
            ck_assert_str_eq(c.all[0].why, decided ? "" : "a premise is stale");
            ck_assert_int_eq(c.all[0].basis, c.all[0].state);
        }
}
END_TEST

/* The conclusion's premise holds by itself, but a test of another commit contradicts its own premise. */
START_TEST(test_a_bounded_premise_is_no_firmer_than_its_own)
{
    Case c = two_premises();
    c.claim[0].requires = "p";
    c.claim[1] = claim_about(RULE_READINGS, 4, "readings:level-over-next");
    c.claim[1].id = "p";
    c.claim[1].requires = "q";
    c.tests[1] = (TestFunction){.name = "two", .outcome = FAILED, .stale = true};
    judge_case(&c, 3);
    ck_assert_int_eq(c.all[1].state, DECIDED);
    ck_assert_str_eq(c.all[0].verdict, "contradicted");
    ck_assert_int_eq(c.all[0].state, STALE);
    c.tests[1].stale = false;
    judge_case(&c, 3);
    ck_assert_int_eq(c.all[0].state, DECIDED);
}
END_TEST

/* Premises p of runs of the 1st and q of the 3rd of January, q also with a rule of its own date; "" is a date
 * that nobody knows. */
START_TEST(test_a_conclusion_younger_than_its_runs_is_exploratory)
{
    static const struct {
        double p, q; /* means of A; B's is 90 */
        const char *rule, *rule_of_q, *verdict, *why;
        State state;
    } cases[] = {
        /* Both uphold it: the newer of them counts. */
        {92.5, 92.5, "2026-01-02", "", "confirmed", "", DECIDED},
        {92.5, 92.5, "2026-01-04", "", "confirmed", "the rule is newer than the run", EXPLORATORY},
        {92.5, 92.5, "", "", "confirmed", "", DECIDED},
        /* The older one fails, and it alone makes the conclusion fail. */
        {87.5, 92.5, "2026-01-02", "", "contradicted", "the rule is newer than the run", EXPLORATORY},
        {87.5, 92.5, "2025-12-31", "", "contradicted", "", DECIDED},
        {92.5, 87.5, "2026-01-02", "", "contradicted", "", DECIDED},
        /* A premise that is exploratory itself decides nothing alone. */
        {92.5, 92.5, "2026-01-02", "2026-01-04", "confirmed", "a premise is exploratory", EXPLORATORY},
        {92.5, 87.5, "2026-01-02", "2026-01-04", "contradicted", "a premise is exploratory", EXPLORATORY},
        {87.5, 92.5, "2025-12-31", "2026-01-04", "contradicted", "", DECIDED},
        {87.5, 87.5, "2025-12-31", "2026-01-04", "contradicted", "", DECIDED},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        Case c = two_premises();
        char dates[3][40] = {"", "2025-12-31", ""};
        snprintf(dates[0], sizeof dates[0], "%s", cases[i].rule);
        snprintf(dates[2], sizeof dates[2], "%s", cases[i].rule_of_q);
        c.claim[1] = claim_about(RULE_DIRECTION, 1, "diff:t.a,t.b");
        c.claim[2] = claim_about(RULE_DIRECTION, 1, "diff:t.c,t.d");
        c.claim[1].id = "p";
        c.claim[2].id = "q";
        add_row(&c.evidence, "k", 'B', "2026-01-01", "t.a", 3, cases[i].p, 0);
        add_row(&c.evidence, "k", 'B', "2026-01-01", "t.b", 3, 90, 0);
        add_row(&c.evidence, "l", 'B', "2026-01-03", "t.c", 3, cases[i].q, 0);
        add_row(&c.evidence, "l", 'B', "2026-01-03", "t.d", 3, 90, 0);
        const Claims claims = {.claims = c.claim, .count = 3};
        const Sources sources = {.tests = c.tests, .tests_count = 2};
        static const Rows rows;
        const Court court = {.claims = &claims,
                             .sources = &sources,
                             .evidence = &c.evidence,
                             .rows = &rows,
                             .rule_dates = dates};
        ck_assert(judge(c.all, &court, &error));
        ck_assert_msg(strcmp(c.all[0].verdict, cases[i].verdict) == 0, "case %zu: %s", i, c.all[0].verdict);
        ck_assert_msg(c.all[0].state == cases[i].state, "case %zu: %s", i, state_words[c.all[0].state]);
        ck_assert_str_eq(c.all[0].why, cases[i].why);
        ck_assert_str_eq(c.all[0].rule_date, cases[i].rule);
        evidence_free(&c.evidence);
    }
}
END_TEST

/* A rival wins only where the mechanism was measured and not shown. */
START_TEST(test_rivals)
{
    Case c = {.tests = {{.name = "one", .outcome = PASSED}}};
    c.claim[0] = claim_about(RULE_ISOLATION, NAN, "diff:t.a,t.b");
    c.claim[0].rival = "r";
    c.claim[1] = claim_about(RULE_TESTS, NAN, "test:one");
    c.claim[1].id = "r";
    judge_case(&c, 2);
    ck_assert_str_eq(c.all[0].verdict, "undecided");
    add_row(&c.evidence, "k", 'B', "", "t.b", 3, 90, 0);
    add_row(&c.evidence, "k", 'B', "", "t.a", 3, 90.6, 0);
    judge_case(&c, 2);
    ck_assert_str_eq(c.all[0].verdict, "rival stands");
    c.tests[0].outcome = FAILED;
    judge_case(&c, 2);
    ck_assert_str_eq(c.all[0].verdict, "undecided");
    evidence_free(&c.evidence);
}
END_TEST

/* Holm inside a family: of two p values the smaller is doubled; one in a family of its own stays. */
START_TEST(test_families_are_adjusted)
{
    Case c = {.evidence = {0}};
    for (int i = 0; i < 3; i++) {
        c.claim[i] = claim_about(RULE_DIRECTION, NAN, i == 1 ? "diff:t.c,t.b" : "diff:t.a,t.b");
        c.claim[i].family = i == 2 ? "other" : "t";
    }
    add_row(&c.evidence, "k", 'B', "", "t.a", 3, 90.4, 0);
    add_row(&c.evidence, "k", 'B', "", "t.b", 3, 90, 0);
    add_row(&c.evidence, "k", 'B', "", "t.c", 3, 90.1, 0);
    judge_case(&c, 3);
    ck_assert_double_eq_tol(c.all[0].holm, 2 * c.all[0].p, 1e-12);
    ck_assert_double_eq_tol(c.all[1].holm, c.all[1].p, 1e-12);
    ck_assert_double_eq_tol(c.all[2].holm, c.all[2].p, 1e-12);
    ck_assert_double_lt(c.all[0].p, c.all[1].p);
    evidence_free(&c.evidence);
}
END_TEST

/* What three claims say of the same rows is one test, either way round; an equivalence is no difference. With
 * one more test the smallest p doubles. */
START_TEST(test_one_test_counts_once_in_its_family)
{
    Case c = {.evidence = {0}};
    c.claim[0] = claim_about(RULE_DIRECTION, NAN, "diff:t.a,t.b test:one");
    c.claim[1] = claim_about(RULE_DIFFERENCE, -0.4, "diff:t.b,t.a");
    c.claim[2] = claim_about(RULE_EQUIVALENCE, NAN, "diff:t.a,t.c");
    c.claim[3] = claim_about(RULE_DIRECTION, NAN, "test:one diff:t.c,t.b");
    c.claim[4] = claim_about(RULE_DIRECTION, NAN, "diff:t.a,t.b");
    for (int i = 0; i < 5; i++)
        c.claim[i].family = "t";
    c.tests[0] = (TestFunction){.name = "one", .outcome = PASSED};
    add_row(&c.evidence, "k", 'B', "", "t.a", 3, 90.4, 0);
    add_row(&c.evidence, "k", 'B', "", "t.b", 3, 90, 0);
    add_row(&c.evidence, "k", 'B', "", "t.c", 3, 90.1, 0);
    judge_case(&c, 5);
    for (int i = 0; i < 5; i++)
        if (i != 2 && i != 3) {
            ck_assert_double_eq_tol(c.all[i].p, c.all[0].p, 1e-15);
            ck_assert_double_eq_tol(c.all[i].holm, 2 * c.all[0].p, 1e-12);
        }
    ck_assert_double_eq_tol(c.all[3].holm, c.all[3].p, 1e-12);
    ck_assert(!isnan(c.all[2].p) && isnan(c.all[2].holm));
    evidence_free(&c.evidence);
}
END_TEST

/* ---- printed values: 2.5 = 92.5 - 90; z of 92.5 and 92.3 is 0.53, of 92.5 and 90 it is 6.2. */
START_TEST(test_printed_arithmetic)
{
    Case c = {.evidence = {0}};
    c.claim[1] = claim_about(RULE_TESTS, 92.5, "test:one");
    c.claim[1].id = "x";
    c.claim[2] = claim_about(RULE_TESTS, 90, "test:one");
    c.claim[2].id = "y";
    const struct {
        const char *decider, *verdict;
        double value;
    } cases[] = {
        {"printed:minus,x,y", "holds", 2.5},     {"printed:minus,x,y", "impossible", 2.6},
        {"printed:ratio,x,y", "holds", 1.0},     {"printed:less,y,x", "holds", NAN},
        {"printed:less,x,y", "impossible", NAN}, {"printed:noise,x,y", "impossible", NAN},
        {"printed:noise,x,x", "holds", NAN},     {"printed:order,y,x,x", "impossible", NAN},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        c.claim[0] = claim_about(RULE_PRINTED, cases[i].value, cases[i].decider);
        judge_case(&c, 3);
        ck_assert_msg(strcmp(c.all[0].verdict, cases[i].verdict) == 0, "%s: %s", cases[i].decider,
                      c.all[0].verdict);
    }
    c.claim[2].value = 92.3;
    c.claim[0] = claim_about(RULE_PRINTED, NAN, "printed:noise,x,y");
    judge_case(&c, 3);
    /* sqrt((.925 .075 + .923 .077) / 10000) = 0.0037476 */
    ck_assert_double_eq_tol(c.all[0].estimate, 0.002 / 0.0037476, 1e-4);
    ck_assert_str_eq(c.all[0].verdict, "holds");
}
END_TEST

Suite *audit_premises_suite(void)
{
    Suite *suite = suite_create("audit_premises");
    TCase *tcase = tcase_create("court");
    tcase_add_test(tcase, test_tests_decide);
    tcase_add_test(tcase, test_premises_bound);
    tcase_add_test(tcase, test_weak_premises_are_counted);
    tcase_add_test(tcase, test_some_premises_are_enough);
    tcase_add_test(tcase, test_a_conclusion_is_no_firmer_than_its_premises);
    tcase_add_test(tcase, test_a_bounded_premise_is_no_firmer_than_its_own);
    tcase_add_test(tcase, test_a_conclusion_younger_than_its_runs_is_exploratory);
    tcase_add_test(tcase, test_rivals);
    tcase_add_test(tcase, test_families_are_adjusted);
    tcase_add_test(tcase, test_one_test_counts_once_in_its_family);
    tcase_add_test(tcase, test_printed_arithmetic);
    suite_add_tcase(suite, tcase);
    return suite;
}
