/* The ledger's parts on hand-written claims, evidence and sources. */
#include "../experiments/audit/calibration.h"
#include "../experiments/audit/ledger.h"
#include "../experiments/audit/liveness.h"
#include "../experiments/audit/readings.h"
#include "../experiments/base/files.h"
#include "program.h"
#include "results.h"
#include "suites.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

static Error error;

static const char *write_file(const char *name, const char *text)
{
    static char path[256];
    snprintf(path, sizeof path, "%s/%s", program_folder, name);
    ck_assert_msg(file_write(path, text, strlen(text), &error), "%s", error.text);
    return path;
}

/* ---- claims.tsv */

#define GOOD                                                                                                 \
    "a\tTable 1\tresult\tA beats B\tdifference\tt\t3\t2.5\t1\t\t\t\tdifference\t0.5\twhy\tdiff:t.a,t.b\tB\n" \
    "b\tTable 1\tarithmetic\tIt adds "                                                                       \
    "up\tarithmetic\t\t1\t0.31\t2\ta\t\t\treadings\t\t\treadings:no-pooling\t-\n"

static const struct {
    const char *from, *to, *word;
} bad_claims[] = {
    {"a\tTable", "b\tTable", "stands twice"},
    {"diff:t.a,t.b", "", "no decider"},
    {"diff:t.a,t.b", "test:test_x", "needs a decider"},
    {"diff:t.a,t.b", "word:of-mouth", "no kind of decider"},
    {"2.5", "many", "numbers or nothing"},
    {"2.5", "", "needs the paper's value"},
    {"0.5\twhy", "0.5\t", "without its reason"},
    {"0.5\twhy", "\t", "needs a margin"},
    {"\tB\n", "\t-\n", "needs a margin and a min_grade"},
    {"\tB\n", "\tC\n", "min_grade must be"},
    {"A beats B", "", "no statement"},
    {"Table 1\tresult", "Table 1\tboast", "its role"},
    {"difference\tt", "guess\tt", "its kind"},
    {"\tt\t3", "\tt\t4", "weight"},
    {"difference\t0.5", "luck\t0.5", "no rule"},
    {"2\ta\t", "2\tc\t", "does not exist"},
    {"1\t\t\t\tdiff", "1\tb\t\t\tdiff", "requires itself"},
    {"2\ta\t\t\treadings\t\t\treadings:no-pooling", "2\t\t\t\tpremises\t\t\tpremises", "requires none"},
    {"\tB\n", "\tB\tconfirmed\n", "18 cells"},
};

static void replace(char *out, size_t size, const char *text, const char *from, const char *to)
{
    const char *at = strstr(text, from);
    ck_assert_msg(at != NULL, "the test does not find %s", from);
    snprintf(out, size, "%.*s%s%s", (int)(at - text), text, to, at + strlen(from));
}

START_TEST(test_claims_are_read)
{
    char text[4096];
    Claims claims;
    snprintf(text, sizeof text, "%s\n%s", claims_header, GOOD);
    ck_assert_msg(claims_read(&claims, write_file("c.tsv", text), &error), "%s", error.text);
    ck_assert_int_eq(claims.count, 2);
    ck_assert_double_eq(claims.claims[0].value, 2.5);
    ck_assert_double_eq(claims.claims[0].margin, 0.5);
    ck_assert_double_nan(claims.claims[1].margin);
    ck_assert_int_eq(claims.claims[1].digits, 2);
    ck_assert_int_eq(claims.claims[1].line, 3);
    ck_assert_ptr_eq(claim_of(&claims, "b"), &claims.claims[1]);
    ck_assert_ptr_null(claim_of(&claims, "c"));
    claims_free(&claims);
}
END_TEST

START_TEST(test_claims_refuse)
{
    char rows[2048], text[4096];
    Claims claims;
    replace(rows, sizeof rows, GOOD, bad_claims[_i].from, bad_claims[_i].to);
    snprintf(text, sizeof text, "%s\n%s", claims_header, rows);
    ck_assert(!claims_read(&claims, write_file("c.tsv", text), &error));
    ck_assert_msg(strstr(error.text, bad_claims[_i].word) != NULL, "%s: %s", bad_claims[_i].word, error.text);
    claims_free(&claims);
}
END_TEST

/* A verdict cannot be typed: there is no column for it. */
START_TEST(test_claims_refuse_a_typed_verdict)
{
    char text[4096];
    Claims claims;
    snprintf(text, sizeof text, "%s\tverdict\n", claims_header);
    ck_assert(!claims_read(&claims, write_file("c.tsv", text), &error));
    ck_assert_msg(strstr(error.text, "never typed") != NULL, "%s", error.text);
    claims_free(&claims);
}
END_TEST

/* ---- evidence */

START_TEST(test_grades)
{
    ck_assert_int_eq(protocol_grade("cifar10", true, true, 400), 'A');
    ck_assert_int_eq(protocol_grade("cifar10", false, true, 400), 'B');
    ck_assert_int_eq(protocol_grade("cifar10-jpeg75", true, true, 400), 'B');
    ck_assert_int_eq(protocol_grade("cifar10", false, true, 40), 'B');
    ck_assert_int_eq(protocol_grade("cifar10", false, true, 39), 'C');
    ck_assert_int_eq(protocol_grade("cifar10", false, true, 10), 'C');
    ck_assert_int_eq(protocol_grade("cifar10", false, true, 9), 'D');
    ck_assert_int_eq(protocol_grade("cifar10", true, false, 400), 'D');
    ck_assert_int_eq(protocol_grade("fashion-mnist", true, true, 400), 'D');
    Group group = {.grade = 'A'};
    ck_assert_int_eq(evidence_grade(&group, 3), 'A');
    ck_assert_int_eq(evidence_grade(&group, 2), 'C');
    group.grade = 'D';
    ck_assert_int_eq(evidence_grade(&group, 1), 'D');
}
END_TEST

/* Of 1 2 4 3 the sum of squared rank differences is 2: 1 - 6 2 / (4 15) = 0.8. Of the 24 orders of four, 1
 * has 1, 3 have 0.8, and as many their negatives: p = 8/24. */
START_TEST(test_spearman_by_hand)
{
    const double x[] = {10, 20, 40, 30}, falling[] = {3, 2, 1}, tied[] = {1, 1, 2};
    ck_assert_double_eq_tol(spearman(x, 4), 0.8, 1e-12);
    ck_assert_double_eq_tol(spearman_p(x, 4), 8.0 / 24, 1e-12);
    ck_assert_double_eq_tol(spearman(falling, 3), -1, 1e-12);
    ck_assert_double_eq_tol(spearman_p(falling, 3), 2.0 / 6, 1e-12);
    /* Ranks 1.5 1.5 3 against 1 2 3: 1.5 / sqrt(1.5 2). */
    ck_assert_double_eq_tol(spearman(tied, 3), 1.5 / sqrt(3), 1e-12);
    ck_assert_double_nan(spearman_p(x, 1));
}
END_TEST

/* ---- readings: values worked out apart from the cost model's code. */

static const struct {
    const char *name;
    double paper;
    int digits, given, all;
    double nearest;
} readings[] = {
    {"no-pooling", 0.31, 2, 1, 4, 0.309658},      /* 302400 1024 */
    {"all-levels", 0.41, 2, 4, 20, 0.4112},       /* R = 3 to 6 of the conv head, counted once */
    {"all-levels-8x128", 1.23, 2, 2, 20, 1.2281}, /* R = 5 and 6 */
    {"rule-of-thumb", 0.26, 2, 0, 48, 0.2265},    /* the largest of 12 placements */
    {"any-placement", 0.26, 2, 0, 382, 0.24861},  /* sums of binomials C(9,k), k = 0 to 5 */
    {"one-level", 0.26, 2, 16, 12375, 0.2644},    /* 495 multisets x 25 */
    {"one-level-diagonal", 0.26, 2, 0, 1001, 0.26605},
    {"weights-10x64", 0.3, 1, 2, 2, 0.3024},
    {"weights-8x128", 0.9, 1, 1, 2, 0.899712},
    {"eff-weights", 1.5, 1, 1, 9, 1.535808},
    {"joint", 4, 0, 2, 2, 5},
    {"factors", 0.41, 2, 1, 3, 0.4125},
    {"unit", 0.31, 2, 0, 2, 309.6576},
    {"levels-over-one", 2, 0, 10, 10, 1.3330},
    {"levels-over-one", 4.0 / 3, 9, 10, 10, 1.3330},
    {"levels-over-one", 1.3, 1, 2, 10, 1.3125}, /* only R = 2, of both sizes */
    {"level-over-next", 4, 1, 50, 50, 4},
    {"finest-over-rest", 1, 0, 5, 5, 3.0},
    {"unshared-over-shared", 1, 0, 5, 5, 2},
    {"double-filter", 1, 0, 7, 7, 4},
    {"ours-over-predefined", 1.58, 2, 0, 60, 3.433},
    {"fabric-dense", 21.2, 1, 1, 3, 21.233664},
    {"fabric-sparse", 2, 0, 0, 3, 0.497664},
    {"fabric-sparse-bytes", 2, 0, 3, 3, 1.990656},
};

START_TEST(test_readings)
{
    Readings r;
    ck_assert(readings_count(&r, readings[_i].name, readings[_i].paper, readings[_i].digits, &error));
    ck_assert_msg(r.given == readings[_i].given && r.all == readings[_i].all &&
                      fabs(r.nearest - readings[_i].nearest) < 1e-3 * fabs(readings[_i].nearest),
                  "%s: %d of %d, nearest %.6f", readings[_i].name, r.given, r.all, r.nearest);
}
END_TEST

START_TEST(test_readings_refuse_an_unknown_space)
{
    Readings r;
    ck_assert(!readings_known("moon"));
    ck_assert(!readings_count(&r, "moon", 1, 0, &error));
}
END_TEST

/* ---- the court */

static Claim claim_about(Rule rule, double value, const char *decider)
{
    return (Claim){.id = "c",
                   .place = "",
                   .role = "",
                   .statement = "",
                   .kind = "",
                   .family = "",
                   .paper = "",
                   .requires = "",
                   .rival = "",
                   .readings = "",
                   .margin_reason = "",
                   .min_grade = "B",
                   .rule = rule,
                   .digits = 1,
                   .value = value,
                   .margin = 0.5,
                   .decider = decider};
}

/* Adds a row of n seeds around a mean, 0.1 apart, best epochs `better` higher. */
static void add_row(Evidence *e, const char *key, char grade, const char *newest, const char *row, int n,
                    double mean, double better)
{
    Group *group = evidence_group(e, key);
    group->grade = grade;
    snprintf(group->newest, sizeof group->newest, "%s", newest);
    snprintf(group->data, sizeof group->data, "cifar10");
    RowRuns *runs = group_row(group, row, true);
    runs->n = n;
    for (int s = 0; s < n; s++) {
        runs->folder[s] = -1;
        for (int q = 0; q < QUANTITIES; q++)
            runs->x[q][s] = mean + 0.1 * (s - (n - 1) / 2.0) + (q == BEST ? better : 0);
    }
}

static Judgement judged(const Claim *claim, const Evidence *evidence, char (*dates)[40])
{
    static Judgement j;
    const Claims claims = {.claims = (Claim *)claim, .count = 1};
    static const Sources sources;
    static const Rows rows;
    const Court court = {
        .claims = &claims, .sources = &sources, .evidence = evidence, .rows = &rows, .rule_dates = dates};
    ck_assert(judge(&j, &court, &error));
    return j;
}

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

/* ---- tests, premises, rivals, families */

typedef struct {
    Claim claim[4];
    TestFunction tests[3];
    Judgement all[4];
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
    c.tests[0].outcome = FAILED;
    judge_case(&c, 1);
    ck_assert_str_eq(c.all[0].verdict, "broken");
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
    ck_assert_str_eq(j.half, "contradicted");
    claim.margin = 4.8;
    ck_assert_str_eq(judged(&claim, &e, NULL).verdict, "contradicted");
    evidence_free(&e);
}
END_TEST

/* ---- calibration: the simulation is the same on every machine, and each share is under 5 % and its own
 * error. */
START_TEST(test_false_verdicts_are_rare)
{
    const int tables = 400;
    const double most = 0.05 + 3.5 * sqrt(0.05 * 0.95 / tables);
    FalseVerdicts f;
    ck_assert(calibrate_at(&f, tables, 3, 0.2, 1, &error));
    ck_assert_msg(f.confirmed <= most && f.absent <= most && f.contradicted <= most && f.missed_value <= most,
                  "%g %g %g %g", f.confirmed, f.absent, f.contradicted, f.missed_value);
    ck_assert_double_gt(f.confirmed, 0); /* the hardest truths are at the rules' edges */
    ck_assert_double_gt(f.contradicted, 0);
}
END_TEST

/* ---- liveness: what nothing can move is dead. */
START_TEST(test_dead_claims_are_found)
{
    Claim claim = claim_about(RULE_EQUIVALENCE, 0, "diff:t.a,t.b");
    claim.margin = 1e6; /* everything is equal */
    const Claims claims = {.claims = &claim, .count = 1};
    static const Sources sources;
    static const Rows rows;
    const Evidence none = {0};
    const Court court = {.claims = &claims, .sources = &sources, .evidence = &none, .rows = &rows};
    FILE *out = tmpfile();
    ck_assert_ptr_nonnull(out);
    ck_assert_int_eq(liveness_check(&court, out), 1);
    claim.margin = 0.5;
    ck_assert_int_eq(liveness_check(&court, out), 0);
    fclose(out);
}
END_TEST

/* ---- check.tsv */
START_TEST(test_results_of_tests)
{
    char table[256], *text;
    size_t size;
    snprintf(table, sizeof table, "%s", write_file("check.tsv", "test_old\tpass\tc0\ntest_b\tpass\tc0\n"));
    write_file("log",
               "Running suite x\n"
               "tests/a.c:5:P:case:test_a:0: Passed\ntests/a.c:5:F:case:test_b:0: no: test_old:P\n"
               "tests/a.c:5:P:case:test_b:1: Passed\ntests/a.c:9:E:case:test_c:0: Test timeout expired\n"
               "66%: Checks: 4\n");
    char log[256];
    snprintf(log, sizeof log, "%s/log", program_folder);
    ck_assert_msg(results_take(table, log, "c1", &error), "%s", error.text);
    ck_assert(file_read(&text, &size, table, &error));
    ck_assert_str_eq(text, "test_old\tpass\tc0\ntest_b\tfail\tc1\ntest_a\tpass\tc1\ntest_c\tfail\tc1\n");
    free(text);
    write_file("log", "tests/a.c:5:P:case:test_b:0: Passed\n");
    ck_assert(results_take(table, log, "c2", &error));
    ck_assert(file_read(&text, &size, table, &error));
    ck_assert_ptr_nonnull(strstr(text, "test_b\tpass\tc2\n"));
    free(text);
}
END_TEST

Suite *audit_suite(void)
{
    Suite *suite = suite_create("audit");
    TCase *claims = tcase_create("claims"), *court = tcase_create("court"),
          *numbers = tcase_create("numbers");
    tcase_add_checked_fixture(claims, program_setup, program_teardown);
    tcase_add_test(claims, test_claims_are_read);
    tcase_add_loop_test(claims, test_claims_refuse, 0, sizeof bad_claims / sizeof *bad_claims);
    tcase_add_test(claims, test_claims_refuse_a_typed_verdict);
    tcase_add_test(claims, test_results_of_tests);
    tcase_add_test(court, test_a_decided_difference);
    tcase_add_test(court, test_one_seed_and_low_grades_do_not_decide);
    tcase_add_test(court, test_a_value_needs_its_grade);
    tcase_add_test(court, test_the_largest_grade_then_most_seeds_then_the_newest);
    tcase_add_test(court, test_protocols_are_not_mixed);
    tcase_add_test(court, test_the_best_epoch_has_a_verdict_of_its_own);
    tcase_add_test(court, test_margins_half_and_twice);
    tcase_add_test(court, test_a_younger_rule_is_exploratory);
    tcase_add_test(court, test_a_changed_source_is_stale);
    tcase_add_test(court, test_orders);
    tcase_add_test(court, test_isolation);
    tcase_add_test(court, test_seconds_saved);
    tcase_add_test(court, test_tests_decide);
    tcase_add_test(court, test_premises_bound);
    tcase_add_test(court, test_weak_premises_are_counted);
    tcase_add_test(court, test_rivals);
    tcase_add_test(court, test_families_are_adjusted);
    tcase_add_test(court, test_printed_arithmetic);
    tcase_add_test(court, test_shares_of_a_bench);
    tcase_add_test(court, test_dead_claims_are_found);
    tcase_add_test(numbers, test_grades);
    tcase_add_test(numbers, test_spearman_by_hand);
    tcase_add_loop_test(numbers, test_readings, 0, sizeof readings / sizeof *readings);
    tcase_add_test(numbers, test_readings_refuse_an_unknown_space);
    tcase_add_test(numbers, test_false_verdicts_are_rare);
    tcase_set_timeout(numbers, 60);
    suite_add_tcase(suite, claims);
    suite_add_tcase(suite, court);
    suite_add_tcase(suite, numbers);
    return suite;
}
