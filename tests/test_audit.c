/* The ledger's parts on hand-written claims and evidence: what claims.tsv may say, grades, readings,
 * calibration, and the results of tests. */
#include "../experiments/audit/calibration.h"
#include "../experiments/audit/claims.h"
#include "../experiments/audit/evidence.h"
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
    {"2\ta\t\t\treadings\t\t\treadings:no-pooling", "2\ta\t\t\tpremises\t\twhy\tpremises:2",
     "2 of its 1 premises"},
    {"2\ta\t\t\treadings\t\t\treadings:no-pooling", "2\ta\t\t\tpremises\t\t\tpremises:0",
     "`premises:0` must"},
    {"2\ta\t\t\treadings\t\t\treadings:no-pooling", "2\ta\t\t\tpremises\t\t\tpremises:1x",
     "`premises:1x` must"},
    {"2\ta\t\t\treadings\t\t\treadings:no-pooling", "2\ta\t\t\tpremises\t\t\tpremises:1",
     "`premises:1` without its reason"},
    {"2\ta\t\t\treadings\t\t\treadings:no-pooling", "2\ta\t\t\tpremises\t\t\tpremises1", "`premises1` must"},
    {"\tB\n", "\tB\tconfirmed\n", "18 cells"},
    {"diff:t.a,t.b", "diff:t.a", "`diff:t.a` lists 1 names; expected 2 to 2"},
    {"diff:t.a,t.b", "diff:t.a,t.b,t.c", "lists 3 names"},
    {"diff:t.a,t.b", "diff:t.a,t.b order:t.a", "lists 1 names"},
    {"diff:t.a,t.b", "choice:down", "lists 1 names; expected 2 to 12"},
    {"diff:t.a,t.b", "diff:t.a,t.b printed:minus,b", "lists 2 names; expected 3 to 9"},
    {"diff:t.a,t.b", "diff:t.a,t.b test:x run:t.a", "`diff:t.a,t.b` and `run:t.a` cannot both decide it"},
    {"diff:t.a,t.b", "diff:t.a,t.b diff:t.b,t.a", "cannot both decide it"},
    {"2.5\t1\t", "2.5\t-1\t", "its digits must be 0 to 15"},
    {"2.5\t1\t", "2.5\t16\t", "its digits must be 0 to 15"},
    {"2.5\t1\t\t\t", "2.5\t1\t\tb b\t", "several rivals"},
    {"a\tTable", "a b\tTable", "no id of up to 63 characters"},
    {"a\tTable", "a123456789012345678901234567890123456789012345678901234567890123\tTable",
     "no id of up to 63 characters"},
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

/* Claims c0 to c(count-1), of which each requires those after it up to `reach`, and the last one `last`. */
static bool read_premises(int count, int reach, const char *last)
{
    static char text[16384];
    Claims claims;
    size_t used = (size_t)snprintf(text, sizeof text, "%s\n", claims_header);
    for (int c = 0; c < count; c++) {
        used +=
            (size_t)snprintf(text + used, sizeof text - used, "c%d\tp\tresult\ts\tidentity\t\t1\t\t0\t", c);
        for (int k = c + 1; k <= c + reach && k < count; k++)
            used += (size_t)snprintf(text + used, sizeof text - used, "c%d ", k);
        used += (size_t)snprintf(text + used, sizeof text - used, "%s\t\t\ttests\t\t\ttest:x\t-\n",
                                 c == count - 1 ? last : "");
    }
    const bool read = claims_read(&claims, write_file("c.tsv", text), &error);
    claims_free(&claims);
    return read;
}

/* However long a circle is, and in no more time than its claims take: 24 that all require all later ones have
 * millions of ways through them. */
START_TEST(test_claims_refuse_circles_and_long_ways)
{
    ck_assert_msg(read_premises(13, 1, ""), "%s", error.text);
    ck_assert(!read_premises(14, 1, ""));
    ck_assert_msg(strstr(error.text, "more than 12 behind one another") != NULL, "%s", error.text);
    for (int length = 1; length < 24; length += 11) {
        ck_assert(!read_premises(length, 1, length == 1 ? "c0" : "c1"));
        ck_assert_msg(strstr(error.text, "requires itself") != NULL, "%s", error.text);
        ck_assert_msg(strstr(error.text, "claim c0 ") == NULL || length == 1, "c0 is before the circle: %s",
                      error.text);
    }
    ck_assert(!read_premises(24, 24, ""));
    ck_assert_msg(strstr(error.text, "behind one another") != NULL, "%s", error.text);
    ck_assert(!read_premises(26, 25, ""));
    ck_assert_msg(strstr(error.text, "requires 25 claims; at most 24") != NULL, "%s", error.text);
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
    /* Without a rank for NaN there is none for the others: of a diverged run's alpha. */
    const double diverged[] = {1, 2, NAN, 4};
    ck_assert_double_nan(spearman(diverged, 4));
    ck_assert_double_nan(spearman_p(diverged, 4));
}
END_TEST

/* Orders of x from `place` on, each looked at, whose correlation with 1..n is as far from 0 as `least`. */
static long far_orders(double *x, int place, int n, double least)
{
    if (place == n)
        return fabs(spearman(x, n)) >= least - 1e-9;
    long orders = 0;
    for (int i = place; i < n; i++) {
        const double first = x[place];
        x[place] = x[i];
        x[i] = first;
        orders += far_orders(x, place + 1, n, least);
        x[i] = x[place];
        x[place] = first;
    }
    return orders;
}

/* Counted orders are those that are visited, with ties and without; ten items take no longer than the rest.
 */
START_TEST(test_spearman_p_is_that_of_all_orders)
{
    static const double items[][7] = {{3, 1, 4, 1.5, 9, 2, 6},
                                      {1, 1, 2, 3, 3, 3, 7},
                                      {7, 6, 5, 3, 4, 2, 1},
                                      {1, 0.5, 0.5, 0.5, 2, 2, -1},
                                      {0, 0, 0, 0, 0, 0, 1}};
    const double ten[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10}, turned[] = {1, 2, 3, 4, 5, 6, 7, 8, 10, 9};
    for (size_t i = 0; i < sizeof items / sizeof *items; i++) {
        long orders = 1;
        for (int n = 2; n <= 7; n++) {
            double x[7];
            memcpy(x, items[i], sizeof x);
            orders *= n;
            if (isnan(spearman(x, n)))
                continue;
            const double p = (double)far_orders(x, 0, n, fabs(spearman(x, n))) / (double)orders;
            ck_assert_msg(fabs(spearman_p(x, n) - p) < 1e-12, "%zu, %d items: %g, not %g", i, n,
                          spearman_p(x, n), p);
        }
    }
    ck_assert_double_eq_tol(spearman_p(ten, 10), 2.0 / 3628800, 1e-15);
    ck_assert_double_eq_tol(spearman_p(turned, 10), 2.0 * 10 / 3628800, 1e-15); /* 9 neighbours to exchange */
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
    {"threshold", 0.29, 2, 1895, 58257, 0.289938}, /* 9^5 less the C(12, 5) that keep fewer than eight */
    {"no-pooling-over-pooled", 1, 0, 381, 381, 1.014493}, /* 302400 / 298080 */
    {"eff-cost", 1.69, 2, 6, 45, 1.689041},
    {"eff-cost", 2.257036416, 9, 1, 45, 2.257036}, /* the dearest */
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
    /* most with R = 6, 64 channels: 4 (1/4 + .. + 1/1024) + 5 10 over 1152 (1 + 1/4 + .. + 1/1024) */
    {"sampling-over-convolution", 5, 0, 40, 40, 3.342752},
    {"sampling-over-convolution", 0.05, 2, 0, 40, 0.060764}, /* least: (3/4 + 1) over 2304 5/4 */
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

/* ---- calibration: the simulation is the same on every machine, and each share is under 5 % and its own
 * error. */
START_TEST(test_false_verdicts_are_rare)
{
    const int tables = 400;
    const double most = 0.05 + 3.5 * sqrt(0.05 * 0.95 / tables);
    FalseVerdicts f;
    ck_assert(calibrate_at(&f, tables, 3, 0.2, 1, &error));
    ck_assert_msg(f.confirmed <= most && f.absent <= most && f.contradicted <= most &&
                      f.missed_value <= most && f.no_loss <= most,
                  "%g %g %g %g %g", f.confirmed, f.absent, f.contradicted, f.missed_value, f.no_loss);
    ck_assert_double_gt(f.confirmed, 0); /* the hardest truths are at the rules' edges */
    ck_assert_double_gt(f.contradicted, 0);
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
    TCase *claims = tcase_create("claims"), *numbers = tcase_create("numbers");
    tcase_add_checked_fixture(claims, program_setup, program_teardown);
    tcase_add_test(claims, test_claims_are_read);
    tcase_add_loop_test(claims, test_claims_refuse, 0, sizeof bad_claims / sizeof *bad_claims);
    tcase_add_test(claims, test_claims_refuse_a_typed_verdict);
    tcase_add_test(claims, test_claims_refuse_circles_and_long_ways);
    tcase_add_test(claims, test_results_of_tests);
    tcase_add_test(numbers, test_grades);
    tcase_add_test(numbers, test_spearman_by_hand);
    tcase_add_test(numbers, test_spearman_p_is_that_of_all_orders);
    tcase_add_loop_test(numbers, test_readings, 0, sizeof readings / sizeof *readings);
    tcase_add_test(numbers, test_readings_refuse_an_unknown_space);
    tcase_add_test(numbers, test_false_verdicts_are_rare);
    tcase_set_timeout(numbers, 60);
    suite_add_tcase(suite, claims);
    suite_add_tcase(suite, numbers);
    return suite;
}
