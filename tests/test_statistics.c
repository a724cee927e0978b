/* Statistics and verdicts on values worked by hand. From tables: t[0.975] is 4.302653 with 2 degrees of
 * freedom, 2.776445 with 4, 2.144787 with 14; t[0.95] is 2.131847 with 4; t[0.8] is 0.868055 with 14; the
 * normal's 0.975 is 1.959964. */
#include "../experiments/tables/statistics.h"
#include "../experiments/tables/verdict.h"
#include "suites.h"
#include <math.h>

#define NEAR(got, expected) ck_assert_double_eq_tol(got, expected, 2e-6)

static const Spread none = {0, 0};

START_TEST(test_sample)
{
    const Sample s = sample_of((double[]){90, 92, 94}, 3); /* squares 4 + 0 + 4, over 2 */
    NEAR(s.mean, 92);
    NEAR(s.sd, 2);
    ck_assert_int_eq(s.n, 3);
    const Sample one = sample_of((double[]){71.5}, 1);
    NEAR(one.mean, 71.5);
    NEAR(one.sd, 0);
}
END_TEST

START_TEST(test_spread_is_pooled_over_rows)
{
    const Sample equal[] = {{92, 2, 3}, {90, 1, 3}}; /* (2*4 + 2*1) / 4 */
    NEAR(spread_pooled(equal, 2).sd, sqrt(2.5));
    NEAR(spread_pooled(equal, 2).df, 4);
    const Sample mixed[] = {{92, 2, 3}, {90, 1, 2}, {80, 0, 1}}; /* (2*4 + 1*1) / 3 */
    NEAR(spread_pooled(mixed, 3).sd, sqrt(3));
    NEAR(spread_pooled(mixed, 3).df, 3);
    NEAR(spread_pooled(mixed + 2, 1).df, 0);
}
END_TEST

START_TEST(test_intervals)
{
    const Sample a = {92, 0.4, 3}, b = {90, 0.2, 3};
    const Estimate mean = estimate_mean(a, (Spread){0.3, 4}); /* 0.3 / sqrt(3) = 0.173205 */
    NEAR(estimate_interval(mean, 0.95).low, 92 - 2.776445 * 0.1732051);
    NEAR(estimate_interval(mean, 0.95).high, 92 + 2.776445 * 0.1732051);
    const Estimate d = estimate_difference(a, b, (Spread){0.3, 4}); /* 0.3 sqrt(2/3) = 0.244949 */
    NEAR(d.mean, 2);
    NEAR(estimate_interval(d, 0.95).low, 2 - 2.776445 * 0.2449490);
    NEAR(estimate_interval(d, 0.90).high, 2 + 2.131847 * 0.2449490);
    const Estimate uneven = estimate_difference((Sample){92, 0, 1}, (Sample){90, 0.3, 4}, (Spread){2, 3});
    NEAR(uneven.error, 2 * sqrt(1.25));
    ck_assert_int_eq(uneven.n, 1);
    /* One more run: 0.3 sqrt(4/3) = 0.346410. */
    NEAR(prediction_interval(a, (Spread){0.3, 4}, 0.95).high, 92 + 2.776445 * 0.3464102);
    ck_assert(isinf(estimate_interval(estimate_mean(a, none), 0.95).high));
    ck_assert(isinf(prediction_interval(a, none, 0.95).low));
}
END_TEST

/* Differences 1, 3, 2: mean 2, deviation 1. With 2 degrees of freedom p = 1 - t / sqrt(2 + t^2), t = 2
 * sqrt(3). */
START_TEST(test_pairs)
{
    const Estimate d = estimate_paired((double[]){91, 93, 92}, (double[]){90, 90, 90}, 3);
    NEAR(d.mean, 2);
    NEAR(d.error, 1 / sqrt(3));
    NEAR(d.df, 2);
    NEAR(estimate_interval(d, 0.95).low, 2 - 4.302653 / sqrt(3));
    NEAR(estimate_p(d), 1 - sqrt(12.0 / 14));
    /* The seeds' own ups and downs cancel: unpaired, the same numbers are far apart. */
    const Estimate same = estimate_paired((double[]){51, 61, 71}, (double[]){50, 60, 70}, 3);
    NEAR(same.mean, 1);
    NEAR(same.error, 0);
    NEAR(estimate_p(same), 0);
    const Estimate one = estimate_paired((double[]){51}, (double[]){50}, 1);
    NEAR(one.df, 0);
    NEAR(estimate_p(one), 1);
}
END_TEST

/* With 2 and 2 degrees of freedom F's distribution is x / (1 + x): a ratio of 36 has p = 2/37, of 49 has
 * 2/50. */
START_TEST(test_welch_where_variances_differ)
{
    const Sample a = {92, 2, 4}, b = {90, 1, 2}; /* 1 and 1/2: 1.5^2 / (1/3 + 1/4) = 27/7 */
    NEAR(estimate_welch(a, b).error, sqrt(1.5));
    NEAR(estimate_welch(a, b).df, 27.0 / 7);
    NEAR(variance_ratio_p((Sample){92, 6, 3}, (Sample){90, 1, 3}), 2.0 / 37);
    NEAR(variance_ratio_p((Sample){92, 1, 3}, (Sample){90, 7, 3}), 2.0 / 50);
    NEAR(variance_ratio_p((Sample){92, 0, 1}, (Sample){90, 7, 3}), 1);
    NEAR(variance_ratio_p((Sample){92, 0, 3}, (Sample){90, 7, 3}), 0); /* one of them does not vary */
    const Spread spread = {0.3, 8};
    NEAR(estimate_fair((Sample){92, 6, 3}, (Sample){90, 1, 3}, spread).df, 8);
    NEAR(estimate_fair((Sample){92, 7, 3}, (Sample){90, 1, 3}, spread).error, sqrt(50.0 / 3));
}
END_TEST

/* 50 of 100: the textbook's 40.38 to 59.62. None of 100: 0 to z^2 / (100 + z^2). */
START_TEST(test_interval_of_the_test_set)
{
    const Interval half = binomial_interval(50, 100, 0.95), zero = binomial_interval(0, 100, 0.95);
    ck_assert_double_eq_tol(half.low, 40.383, 5e-4);
    ck_assert_double_eq_tol(half.high, 59.617, 5e-4);
    ck_assert_double_eq_tol(zero.low, 0, 1e-12);
    ck_assert_double_eq_tol(zero.high, 384.1459 / 103.841459, 1e-5);
}
END_TEST

START_TEST(test_mcnemar)
{
    NEAR(mcnemar_p(2, 8), 2 * (1 + 10 + 45) / 1024.0);
    NEAR(mcnemar_p(8, 2), 2 * (1 + 10 + 45) / 1024.0);
    NEAR(mcnemar_p(0, 6), 2 / 64.0);
    NEAR(mcnemar_p(5, 5), 1);
    NEAR(mcnemar_p(0, 0), 1);
}
END_TEST

START_TEST(test_holm)
{
    double adjusted[4];
    holm(adjusted, (double[]){0.01, 0.04, 0.03},
         3); /* 3 * 0.01, 2 * 0.03, then 1 * 0.04 is not less than that */
    NEAR(adjusted[0], 0.03);
    NEAR(adjusted[1], 0.06);
    NEAR(adjusted[2], 0.06);
    holm(adjusted, (double[]){0.2, 0.02, 0.02, 0.3}, 4);
    NEAR(adjusted[0], 0.4);
    NEAR(adjusted[1], 0.08);
    NEAR(adjusted[2], 0.08);
    NEAR(adjusted[3], 0.4);
    holm(adjusted, (double[]){0.6, 0.9}, 2);
    NEAR(adjusted[0], 1);
    NEAR(adjusted[1], 1);
}
END_TEST

/* 7 rows of 3 seeds: (2.144787 + 0.868055) * 0.15 * sqrt(2/3) = 0.36899. */
START_TEST(test_what_the_design_can_see)
{
    ck_assert_double_eq_tol(detectable_difference((Spread){0.15, 14}, 3), 0.36899, 1e-5);
    ck_assert_double_eq_tol(detectable_difference((Spread){0.25, 14}, 3), 0.61499, 1e-5);
    ck_assert(isinf(detectable_difference(none, 1)));
    /* 9 seeds: (2.0032 + 0.8480) * 0.15 * sqrt(2/9) = 0.2016; 10: (1.9983 + 0.8472) * 0.15 * sqrt(1/5) =
     * 0.1909. */
    ck_assert_int_eq(seeds_needed(-0.2, 0.15, 7), 10);
    ck_assert_int_eq(seeds_needed(5, 0.15, 7), 2);
    ck_assert_int_eq(seeds_needed(0.1, 0.15, 7), 36); /* sees 0.0994, 35 see 0.1009 */
    ck_assert_int_eq(seeds_needed(4, 1, 1), 4);       /* of one row 3 seeds see 4.38 */
    ck_assert_int_eq(seeds_needed(0, 0.15, 7), 0);
}
END_TEST

/* Three seeds, 4 degrees of freedom, so that an error of 0.1 gives half widths of 0.2776 (95%) and 0.2132
 * (90%), and one of 0.25 gives 0.694 and 0.533. The margin is 0.5. */
static Estimate around(double mean, double error)
{
    return (Estimate){mean, error, 4, 3};
}

static const struct {
    double d, error, x;
    DifferenceVerdict verdict;
} differences[] = {
    {2.50, 0.10, 2.5, DIFFERENCE_CONFIRMED},
    {2.78, 0.10, 2.5, DIFFERENCE_CONFIRMED},    /* 0.28 + 0.2132 = 0.493 */
    {2.22, 0.10, 2.5, DIFFERENCE_CONFIRMED},    /* as much below */
    {2.79, 0.10, 2.5, DIFFERENCE_IN_DIRECTION}, /* 0.503 is outside, 0.29 is no other size */
    {2.99, 0.10, 2.5, DIFFERENCE_IN_DIRECTION},
    {3.01, 0.10, 2.5, DIFFERENCE_OTHER_SIZE},
    {1.90, 0.10, 2.5, DIFFERENCE_OTHER_SIZE},
    {3.10, 0.25, 2.5, DIFFERENCE_IN_DIRECTION}, /* 0.6 - 0.694: not clear of 0 */
    {3.25, 0.25, 2.5, DIFFERENCE_OTHER_SIZE},
    {0.29, 0.10, 2.5, DIFFERENCE_OTHER_SIZE}, /* 0.29 - 0.2776 > 0; 0.503 */
    {0.285, 0.10, 2.5, DIFFERENCE_NEGLIGIBLE},
    {0.30, 0.10, 0.3, DIFFERENCE_CONFIRMED}, /* the paper's own size, small as it is */
    {0.27, 0.10, 2.5, DIFFERENCE_ABSENT},
    {0.00, 0.10, 2.5, DIFFERENCE_ABSENT},
    {-0.28, 0.10, 2.5, DIFFERENCE_ABSENT},
    {-0.29, 0.10, 2.5, DIFFERENCE_CONTRADICTED},
    {-3.00, 0.25, 2.5, DIFFERENCE_CONTRADICTED},
    {0.50, 0.25, 2.5, DIFFERENCE_UNDECIDED},
    {-0.50, 0.25, 2.5, DIFFERENCE_UNDECIDED},
};

START_TEST(test_verdict_of_a_difference)
{
    const Estimate d = around(differences[_i].d, differences[_i].error);
    const Estimate opposite = around(-differences[_i].d, differences[_i].error);
    ck_assert_int_eq(verdict_difference(d, differences[_i].x, MARGIN), differences[_i].verdict);
    ck_assert_int_eq(verdict_difference(opposite, -differences[_i].x, MARGIN), differences[_i].verdict);
}
END_TEST

START_TEST(test_verdict_of_a_direction)
{
    ck_assert_int_eq(verdict_direction(around(1, 0.1), 1, MARGIN), DIFFERENCE_CONFIRMED);
    ck_assert_int_eq(verdict_direction(around(-1, 0.1), 1, MARGIN), DIFFERENCE_CONTRADICTED);
    ck_assert_int_eq(verdict_direction(around(-1, 0.1), -1, MARGIN), DIFFERENCE_CONFIRMED);
    ck_assert_int_eq(verdict_direction(around(0.285, 0.1), 1, MARGIN), DIFFERENCE_NEGLIGIBLE);
    ck_assert_int_eq(verdict_direction(around(0.1, 0.1), 1, MARGIN), DIFFERENCE_ABSENT);
    ck_assert_int_eq(verdict_direction(around(0.5, 0.25), 1, MARGIN), DIFFERENCE_UNDECIDED);
}
END_TEST

START_TEST(test_verdict_of_equality)
{
    ck_assert_int_eq(verdict_equality(around(0.28, 0.1), MARGIN), DIFFERENCE_CONFIRMED);
    ck_assert_int_eq(verdict_equality(around(-0.28, 0.1), MARGIN), DIFFERENCE_CONFIRMED);
    ck_assert_int_eq(verdict_equality(around(0.29, 0.1), MARGIN), DIFFERENCE_UNDECIDED);
    ck_assert_int_eq(verdict_equality(around(0, 0.25), MARGIN),
                     DIFFERENCE_UNDECIDED); /* no difference found: nothing */
    ck_assert_int_eq(verdict_equality(around(0.77, 0.1), MARGIN), DIFFERENCE_UNDECIDED);
    ck_assert_int_eq(verdict_equality(around(0.78, 0.1), MARGIN), DIFFERENCE_CONTRADICTED);
    ck_assert_int_eq(verdict_equality(around(-0.78, 0.1), MARGIN), DIFFERENCE_CONTRADICTED);
    ck_assert_int_eq(verdict_difference(around(0.28, 0.1), 0, MARGIN), DIFFERENCE_CONFIRMED);
}
END_TEST

START_TEST(test_verdict_of_not_worse)
{
    ck_assert_int_eq(verdict_not_worse(around(5, 0.1), MARGIN), DIFFERENCE_CONFIRMED);
    ck_assert_int_eq(verdict_not_worse(around(0, 0.1), MARGIN), DIFFERENCE_CONFIRMED);
    ck_assert_int_eq(verdict_not_worse(around(-0.28, 0.1), MARGIN), DIFFERENCE_CONFIRMED); /* -0.493 */
    ck_assert_int_eq(verdict_not_worse(around(-0.29, 0.1), MARGIN), DIFFERENCE_UNDECIDED);
    ck_assert_int_eq(verdict_not_worse(around(0, 0.25), MARGIN), DIFFERENCE_UNDECIDED);
    ck_assert_int_eq(verdict_not_worse(around(-0.77, 0.1), MARGIN), DIFFERENCE_UNDECIDED);
    ck_assert_int_eq(verdict_not_worse(around(-0.78, 0.1), MARGIN), DIFFERENCE_CONTRADICTED);
}
END_TEST

START_TEST(test_one_seed_decides_nothing)
{
    const Estimate borrowed = {2.5, 0.1, 4, 1}, unknown = {2.5, 0, 0, 3};
    ck_assert_int_eq(verdict_difference(borrowed, 2.5, MARGIN), DIFFERENCE_UNDECIDED);
    ck_assert_int_eq(verdict_difference(unknown, 2.5, MARGIN), DIFFERENCE_UNDECIDED);
    ck_assert_int_eq(verdict_direction(borrowed, -1, MARGIN), DIFFERENCE_UNDECIDED);
    ck_assert_int_eq(verdict_equality((Estimate){0, 0.01, 4, 1}, MARGIN), DIFFERENCE_UNDECIDED);
    ck_assert_int_eq(verdict_not_worse(borrowed, MARGIN), DIFFERENCE_UNDECIDED);
    ck_assert_int_eq(verdict_not_worse(unknown, MARGIN), DIFFERENCE_UNDECIDED);
    const Sample one = {92.5, 0, 1};
    ck_assert_int_eq(verdict_value(92.5, 0.05, one, (Spread){0.1, 4}, one, (Spread){0.1, 4}, MARGIN),
                     VALUE_UNDECIDED);
}
END_TEST

/* Prediction intervals are 2.776445 sqrt(4/3) = 3.205962 deviations wide: 0.4809 of 0.15, 0.6412 of 0.2. */
static ValueVerdict value(double mean, double sd, double best)
{
    const Spread spread = {sd, 4};
    return verdict_value(92.5, 0.05, (Sample){mean, sd, 3}, spread, (Sample){best, sd, 3}, spread, MARGIN);
}

START_TEST(test_verdict_of_a_value)
{
    ck_assert_int_eq(value(92.50, 0.15, 92.6), VALUE_REPRODUCED);
    ck_assert_int_eq(value(91.98, 0.15, 92.6), VALUE_REPRODUCED); /* up to 92.461, over 92.45 */
    ck_assert_int_eq(value(91.96, 0.15, 92.6), VALUE_SELECTED);   /* up to 92.441 */
    ck_assert_int_eq(value(91.96, 0.15, 91.96), VALUE_LOWER);
    ck_assert_int_eq(value(93.02, 0.15, 93.1), VALUE_REPRODUCED); /* from 92.539, under 92.55 */
    ck_assert_int_eq(value(93.04, 0.15, 93.1), VALUE_HIGHER);
    ck_assert_int_eq(value(92.50, 0.20, 92.6), VALUE_COMPATIBLE);
    ck_assert_int_eq(value(80.00, 0.20, 81.0), VALUE_LOWER);
}
END_TEST

START_TEST(test_words)
{
    ck_assert_str_eq(difference_word(DIFFERENCE_CONFIRMED), "confirmed");
    ck_assert_str_eq(difference_word(DIFFERENCE_OTHER_SIZE), "confirmed, other size");
    ck_assert_str_eq(difference_word(DIFFERENCE_IN_DIRECTION), "in direction");
    ck_assert_str_eq(difference_word(DIFFERENCE_NEGLIGIBLE), "negligible");
    ck_assert_str_eq(difference_word(DIFFERENCE_ABSENT), "absent");
    ck_assert_str_eq(difference_word(DIFFERENCE_CONTRADICTED), "contradicted");
    ck_assert_str_eq(difference_word(DIFFERENCE_UNDECIDED), "undecided");
    ck_assert_str_eq(value_word(VALUE_REPRODUCED), "reproduced");
    ck_assert_str_eq(value_word(VALUE_COMPATIBLE), "compatible");
    ck_assert_str_eq(value_word(VALUE_LOWER), "lower");
    ck_assert_str_eq(value_word(VALUE_HIGHER), "higher");
    ck_assert_str_eq(value_word(VALUE_SELECTED), "only with test-set selection");
    ck_assert_str_eq(value_word(VALUE_UNDECIDED), "undecided");
}
END_TEST

/* Costs are printed with two decimals. */
START_TEST(test_cost_holds_to_the_last_digit)
{
    ck_assert(cost_holds(0.41, 412473600));
    ck_assert(cost_holds(0.31, 305100000));
    ck_assert(!cost_holds(0.31, 304900000));
    ck_assert(!cost_holds(0.26, 110979072));
    ck_assert(!cost_holds(0.26, 265100000));
    ck_assert(parameters_hold(0.3, 302400));
    ck_assert(parameters_hold(21.2, 21233664));
    ck_assert(!parameters_hold(2, 497664));
    ck_assert(!parameters_hold(0.9, 951000));
}
END_TEST

Suite *statistics_suite(void)
{
    Suite *suite = suite_create("statistics");
    TCase *tcase = tcase_create("values worked by hand");
    tcase_add_test(tcase, test_sample);
    tcase_add_test(tcase, test_spread_is_pooled_over_rows);
    tcase_add_test(tcase, test_intervals);
    tcase_add_test(tcase, test_pairs);
    tcase_add_test(tcase, test_welch_where_variances_differ);
    tcase_add_test(tcase, test_interval_of_the_test_set);
    tcase_add_test(tcase, test_mcnemar);
    tcase_add_test(tcase, test_holm);
    tcase_add_test(tcase, test_what_the_design_can_see);
    tcase_add_loop_test(tcase, test_verdict_of_a_difference, 0, sizeof differences / sizeof *differences);
    tcase_add_test(tcase, test_verdict_of_a_direction);
    tcase_add_test(tcase, test_verdict_of_equality);
    tcase_add_test(tcase, test_verdict_of_not_worse);
    tcase_add_test(tcase, test_one_seed_decides_nothing);
    tcase_add_test(tcase, test_verdict_of_a_value);
    tcase_add_test(tcase, test_words);
    tcase_add_test(tcase, test_cost_holds_to_the_last_digit);
    suite_add_tcase(suite, tcase);
    return suite;
}
