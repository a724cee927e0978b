/* The calibration of verdicts, a second time: from the same random numbers, by p-values where the audit takes
 * intervals. */
#include "../experiments/audit/calibration.h"
#include "program.h"
#include "suites.h"
#include <gsl/gsl_cdf.h>
#include <gsl/gsl_randist.h>
#include <gsl/gsl_rng.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Of a table seven rows; the paper's difference, and what does not matter, in points. */
enum { ROWS = 7, MOST_RUNS = 10, STREAM = 20191 };
static const double printed = 2.5, margin = 0.5;

typedef struct {
    gsl_rng *random;
    int n; /* runs a row */
    double sd, ratio, x[ROWS][MOST_RUNS];
} Simulated;

/* Row 0 is better than the others by the difference, and its spread is wider by the ratio. */
static void draw(Simulated *s, double difference)
{
    for (int r = 0; r < ROWS; r++)
        for (int i = 0; i < s->n; i++)
            s->x[r][i] = 90 + (r == 0 ? difference : 0) +
                         gsl_ran_gaussian(s->random, r == 0 ? s->sd * s->ratio : s->sd);
}

static double mean_of(const double *x, int n)
{
    double sum = 0;
    for (int i = 0; i < n; i++)
        sum += x[i];
    return sum / n;
}

static double variance_of(const double *x, int n)
{
    double sum = 0;
    for (int i = 0; i < n; i++)
        sum += (x[i] - mean_of(x, n)) * (x[i] - mean_of(x, n));
    return sum / (n - 1);
}

/* Of all rows of the table. */
static double pooled_variance(const Simulated *s)
{
    double sum = 0;
    for (int r = 0; r < ROWS; r++)
        sum += variance_of(s->x[r], s->n) / ROWS; /* each has as many runs */
    return sum;
}

typedef struct {
    double mean, error, df;
} Difference;

/* Row 0 less row 1: Student's, or Welch's where an F test finds their variances unequal. */
static Difference difference_of(const Simulated *s)
{
    const int n = s->n;
    const double a = variance_of(s->x[0], n), b = variance_of(s->x[1], n);
    const double larger = fmax(a, b) / fmin(a, b);
    const bool unequal = gsl_cdf_fdist_Q(larger, n - 1, n - 1) < 0.025;
    return (Difference){mean_of(s->x[0], n) - mean_of(s->x[1], n),
                        sqrt(unequal ? (a + b) / n : 2 * pooled_variance(s) / n),
                        unequal ? (n - 1) * (a + b) * (a + b) / (a * a + b * b) : ROWS * (n - 1)};
}

static bool above(Difference d, double limit, double level)
{
    return gsl_cdf_tdist_Q((d.mean - limit) / d.error, d.df) < level;
}

static bool below(Difference d, double limit, double level)
{
    return gsl_cdf_tdist_P((d.mean - limit) / d.error, d.df) < level;
}

/* Equal to the value but for what does not matter: two one-sided tests. */
static bool equals(Difference d, double value)
{
    return above(d, value - margin, 0.05) && below(d, value + margin, 0.05);
}

/* The paper's cell, of one decimal, is no run like those of row 1. */
static bool misses(const Simulated *s, double paper)
{
    const double off = fmax(0, fabs(paper - mean_of(s->x[1], s->n)) - 0.05);
    return 2 * gsl_cdf_tdist_Q(off / sqrt(pooled_variance(s) * (1 + 1.0 / s->n)), ROWS * (s->n - 1)) < 0.05;
}

/* How many tables have each wrong verdict. */
typedef struct {
    int same, contrary, value, equal, unequal, absent, sized, fine;
} Wrong;

static Wrong count_wrong(int tables, int n, double sd, double ratio)
{
    Simulated s = {.random = gsl_rng_alloc(gsl_rng_mt19937), .n = n, .sd = sd, .ratio = ratio};
    Wrong w = {0};
    gsl_rng_set(s.random, STREAM);
    for (int t = 0; t < tables; t++) {
        draw(&s, 0);
        Difference d = difference_of(&s);
        w.same += above(d, 0, 0.025) && !equals(d, 0);
        w.contrary += below(d, 0, 0.025) && !equals(d, 0);
        w.value += misses(&s, 90 + gsl_ran_gaussian(s.random, sd));
        draw(&s, margin);
        d = difference_of(&s);
        w.equal += equals(d, 0);
        w.unequal += above(d, margin, 0.025) || below(d, -margin, 0.025);
        w.absent += !above(d, 0, 0.025) && equals(d, 0);
        w.fine += below(d, margin, 0.05); /* row 1, which is just worse */
        draw(&s, printed - margin);
        d = difference_of(&s);
        w.sized += above(d, 0, 0.025) && equals(d, printed);
    }
    gsl_rng_free(s.random);
    return w;
}

static int larger_of(int a, int b)
{
    return a > b ? a : b;
}

/* Two runs a row decide nothing, so no verdict of theirs is wrong. */
static FalseVerdicts shares(int tables, int n, double sd, double ratio)
{
    if (n < 3)
        return (FalseVerdicts){0};
    const Wrong w = count_wrong(tables, n, sd, ratio);
    return (FalseVerdicts){(double)larger_of(larger_of(w.equal, w.same), w.sized) / tables,
                           (double)w.absent / tables, (double)larger_of(w.contrary, w.unequal) / tables,
                           (double)w.value / tables, (double)w.fine / tables};
}

static const struct {
    int n;
    double sd, ratio;
} cases[] = {{3, 0.1, 1}, {3, 0.2, 1}, {3, 0.2, 3}, {3, 1, 1}, {10, 0.4, 2}, {10, 0.4, 1}, {2, 0.2, 1}};
enum { CASES = sizeof cases / sizeof *cases };

START_TEST(test_false_verdicts_are_counted)
{
    const int tables = 300;
    FalseVerdicts is;
    Error error;
    ck_assert(calibrate_at(&is, tables, cases[_i].n, cases[_i].sd, cases[_i].ratio, &error));
    const FalseVerdicts right = shares(tables, cases[_i].n, cases[_i].sd, cases[_i].ratio);
    ck_assert_double_eq(is.confirmed, right.confirmed);
    ck_assert_double_eq(is.absent, right.absent);
    ck_assert_double_eq(is.contradicted, right.contradicted);
    ck_assert_double_eq(is.missed_value, right.missed_value);
    ck_assert_double_eq(is.no_loss, right.no_loss);
}
END_TEST

/* Or the largest of several counts could be one of them alone: each is the largest somewhere. */
START_TEST(test_false_verdicts_of_every_kind_are_there)
{
    bool equal = false, same = false, sized = false, contrary = false, unequal = false;
    for (int c = 0; c < CASES; c++) {
        const Wrong w = count_wrong(300, cases[c].n, cases[c].sd, cases[c].ratio);
        equal = equal || w.equal > larger_of(w.same, w.sized);
        same = same || w.same > larger_of(w.equal, w.sized);
        sized = sized || w.sized > larger_of(w.equal, w.same);
        contrary = contrary || w.contrary > w.unequal;
        unequal = unequal || w.unequal > w.contrary;
    }
    ck_assert(equal && same && sized && contrary && unequal);
}
END_TEST

/* Five standard errors of a share of 5 %, of 10,000 tables 0.2179 %, are 1.09 %. */
START_TEST(test_false_verdicts_are_refused_above_chance)
{
    const double few = 0.0608, many = 0.0610;
    ck_assert(!false_verdicts_too_many(&(FalseVerdicts){few, few, few, few, few}, 10000));
    ck_assert(false_verdicts_too_many(&(FalseVerdicts){.confirmed = many}, 10000));
    ck_assert(false_verdicts_too_many(&(FalseVerdicts){.absent = many}, 10000));
    ck_assert(false_verdicts_too_many(&(FalseVerdicts){.contradicted = many}, 10000));
    ck_assert(false_verdicts_too_many(&(FalseVerdicts){.missed_value = many}, 10000));
    ck_assert(false_verdicts_too_many(&(FalseVerdicts){.no_loss = many}, 10000));
    ck_assert(!false_verdicts_too_many(&(FalseVerdicts){many, many, many, many, many}, 9000));
}
END_TEST

/* The share of tables in which the sign of a true difference is sure. */
static double power(int tables, int n, double sd, double difference)
{
    Simulated s = {.random = gsl_rng_alloc(gsl_rng_mt19937), .n = n, .sd = sd, .ratio = 1};
    int seen = 0;
    gsl_rng_set(s.random, STREAM);
    for (int t = 0; t < tables; t++) {
        draw(&s, difference);
        seen += n > 2 && above(difference_of(&s), 0, 0.025);
    }
    gsl_rng_free(s.random);
    return (double)seen / tables;
}

static void expect_power(const char *path, int tables)
{
    static const double spreads[] = {0.15, 0.25, 0.4},
                        differences[] = {0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0, 1.5, 2.5};
    static const int runs[] = {2, 3, 5, 10};
    char right[8192] = "sd\tseeds\tdifference\tpower\n", *is = program_file("%s", path);
    size_t used = strlen(right);
    for (int i = 0; i < 120; i++) {
        const double sd = spreads[i / 40], difference = differences[i % 10];
        const int n = runs[i / 10 % 4];
        used += (size_t)snprintf(right + used, sizeof right - used, "%.2f\t%d\t%.1f\t%.3f\n", sd, n,
                                 difference, power(tables, n, sd, difference));
    }
    ck_assert_str_eq(is, right);
    free(is);
}

START_TEST(test_calibration_is_printed)
{
    static const double spreads[] = {0.1, 0.2, 0.4};
    static const int runs[] = {2, 3, 10};
    const int tables = 25;
    char right[4096] =
        "sd\tratio\tseeds\tfalse_confirmed\tfalse_absent\tfalse_contradicted\tmissed_value\tfalse_no_loss\n";
    size_t used = strlen(right);
    for (int i = 0; i < 18; i++) {
        const double sd = spreads[i / 6];
        const int n = runs[i / 2 % 3], ratio = 1 + i % 2;
        const FalseVerdicts f = shares(tables, n, sd, ratio);
        used += (size_t)snprintf(right + used, sizeof right - used,
                                 "%.2f\t%d\t%d\t%.4f\t%.4f\t%.4f\t%.4f\t%.4f\n", sd, ratio, n, f.confirmed,
                                 f.absent, f.contradicted, f.missed_value, f.no_loss);
    }
    ck_assert_msg(program_run("audit --calibrate=%d --power=%s/power.tsv", tables, program_folder) == 0, "%s",
                  program_output);
    ck_assert_str_eq(program_output, right);
    expect_power("power.tsv", tables);
}
END_TEST

Suite *audit_calibration_suite(void)
{
    Suite *suite = suite_create("audit_calibration");
    TCase *tcase = tcase_create("simulated tables");
    tcase_add_checked_fixture(tcase, program_setup, program_teardown);
    tcase_set_timeout(tcase, 60);
    tcase_add_loop_test(tcase, test_false_verdicts_are_counted, 0, CASES);
    tcase_add_test(tcase, test_false_verdicts_of_every_kind_are_there);
    tcase_add_test(tcase, test_false_verdicts_are_refused_above_chance);
    tcase_add_test(tcase, test_calibration_is_printed);
    suite_add_tcase(suite, tcase);
    return suite;
}
