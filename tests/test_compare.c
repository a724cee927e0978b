/* The comparer must accept what is right and reject what is wrong. */
#include "compare.h"
#include "suites.h"
#include <math.h>
#include <string.h>

static const double REF[4] = {1, -2, 0.5, 4};
static const double GAUGE[4] = {1, 4, 2, 8};

START_TEST(test_compare_gauged_ratio_by_hand)
{
    /* Errors of 3, 2 and 5 units of 2^-24 over gauges of 1, 4 and 8. */
    const double ref[4] = {1 + 3 * 0x1p-24, -2 + 2 * 0x1p-24, 0.5, 4 - 5 * 0x1p-24};
    const float got[4] = {1, -2, 0.5f, 4};
    Difference d = compare_gauged(got, ref, GAUGE, 4);
    ck_assert_msg(d.ratio == 3 && d.at == 0 && d.count == 4 && d.got == 1 && d.ref == ref[0], "%s",
                  describe(d));
    d = compare_gauged(got + 1, ref + 1, GAUGE + 1, 3);
    ck_assert_msg(d.ratio == 0.625 && d.at == 2 && d.count == 3 && d.gauge == 8 * 0x1p-24, "%s", describe(d));
}
END_TEST

START_TEST(test_compare_double_ratio_by_hand)
{
    const double got[4] = {1, -2.25, 0.5, 4.125};
    Difference d = compare_double(got, REF, 0.5, 4);
    ck_assert_msg(d.ratio == 0.5 && d.at == 1 && d.got == -2.25 && d.ref == -2, "%s", describe(d));
    d = compare_gauged_double(got, REF, GAUGE, 4);
    ck_assert_msg(d.ratio == 0x1p53 / 16 && d.at == 1, "%s", describe(d));
}
END_TEST

START_TEST(test_compare_accepts_equal_arrays)
{
    const float got[4] = {1, -2, 0.5f, 4};
    ck_assert(within(compare_gauged(got, REF, GAUGE, 4), 0));
    ck_assert(within(compare_gauged_double(REF, REF, GAUGE, 4), 0));
    ck_assert(within(compare_double(REF, REF, 1, 4), 0));
    ck_assert(within(compare_exact_float(got, REF, 4), 0));
    ck_assert(within(compare_exact_double(REF, REF, 4), 0));
    const float minus_zero = -0.0f;
    const double zero = 0;
    ck_assert(within(compare_exact_float(&minus_zero, &zero, 1), 0));
}
END_TEST

START_TEST(test_compare_judges_at_the_limit)
{
    const float one = 1;
    const double gauge = 1, under = 1 + 1.999 * 0x1p-24, on = 1 + 2 * 0x1p-24, over = 1 + 2.001 * 0x1p-24;
    ck_assert(within(compare_gauged(&one, &under, &gauge, 1), 2));
    ck_assert(within(compare_gauged(&one, &on, &gauge, 1), 2));
    ck_assert(!within(compare_gauged(&one, &over, &gauge, 1), 2));
    ck_assert(!within(compare_gauged(&one, &on, &gauge, 1), 1.999));
}
END_TEST

/* Wrong results, each at a generous limit and through every comparer. */
static const struct {
    const char *what;
    float got[4];
    double ref[4];
} WRONG[] = {
    {"all zeros", {0, 0, 0, 0}, {1, -2, 0.5, 4}},
    {"NaN in the result, first", {NAN, -2, 0.5f, 4}, {1, -2, 0.5, 4}},
    {"NaN in the result, last", {1, -2, 0.5f, NAN}, {1, -2, 0.5, 4}},
    {"NaN in the reference", {1, -2, 0.5f, 4}, {1, NAN, 0.5, 4}},
    {"NaN in both", {1, NAN, 0.5f, 4}, {1, NAN, 0.5, 4}},
    {"infinity in the result", {1, -2, INFINITY, 4}, {1, -2, 0.5, 4}},
    {"minus infinity in the reference", {1, -2, 0.5f, 4}, {1, -2, 0.5, -INFINITY}},
    {"infinity in both", {1, INFINITY, 0.5f, 4}, {1, INFINITY, 0.5, 4}},
    {"one sign flipped", {1, 2, 0.5f, 4}, {1, -2, 0.5, 4}},
    {"all signs flipped", {-1, 2, -0.5f, -4}, {1, -2, 0.5, 4}},
    {"two elements swapped", {-2, 1, 0.5f, 4}, {1, -2, 0.5, 4}},
    {"last element wrong", {1, -2, 0.5f, 3}, {1, -2, 0.5, 4}},
};

START_TEST(test_compare_rejects_wrong_result)
{
    const float *got = WRONG[_i].got;
    const double *ref = WRONG[_i].ref;
    const double got_double[4] = {got[0], got[1], got[2], got[3]};
    ck_assert_msg(!within(compare_gauged(got, ref, GAUGE, 4), 1000), "%s", WRONG[_i].what);
    ck_assert_msg(!within(compare_gauged_double(got_double, ref, GAUGE, 4), 1000), "%s", WRONG[_i].what);
    ck_assert_msg(!within(compare_double(got_double, ref, 1e-6, 4), 1000), "%s", WRONG[_i].what);
    ck_assert_msg(!within(compare_exact_float(got, ref, 4), 1e300), "%s", WRONG[_i].what);
    ck_assert_msg(!within(compare_exact_double(got_double, ref, 4), 1e300), "%s", WRONG[_i].what);
}
END_TEST

START_TEST(test_compare_rejects_smallest_difference_when_exact)
{
    const float got = 1 + 0x1p-23f;
    const double got_double = 1 + 0x1p-52, ref = 1;
    ck_assert(!within(compare_exact_float(&got, &ref, 1), 1e300));
    ck_assert(!within(compare_exact_double(&got_double, &ref, 1), 1e300));
}
END_TEST

START_TEST(test_compare_rejects_error_of_gauge_zero)
{
    const float tiny = 0x1p-149f, zero = 0;
    const double ref = 0, gauges[4] = {0, NAN, -1, INFINITY};
    ck_assert(within(compare_gauged(&zero, &ref, gauges, 1), 0));
    ck_assert(!within(compare_gauged(&tiny, &ref, gauges, 1), 1e300));
    for (int i = 1; i < 4; i++)
        ck_assert_msg(!within(compare_gauged(&zero, &ref, gauges + i, 1), 1e300), "gauge %g", gauges[i]);
    for (int i = 0; i < 4; i++)
        ck_assert_msg(!within(compare_double(&ref, &ref, gauges[i], 1), 1e300), "scale %g", gauges[i]);
}
END_TEST

START_TEST(test_compare_rejects_empty_comparison)
{
    const float got = 1;
    ck_assert(!within(compare_gauged(&got, REF, GAUGE, 0), 1e300));
    ck_assert(!within(compare_gauged_double(REF, REF, GAUGE, 0), 1e300));
    ck_assert(!within(compare_double(REF, REF, 1, 0), 1e300));
    ck_assert(!within(compare_exact_float(&got, REF, 0), 1e300));
    ck_assert(!within(compare_exact_double(REF, REF, 0), 1e300));
    ck_assert(strstr(describe(compare_double(REF, REF, 1, 0)), "nothing") != NULL);
}
END_TEST

START_TEST(test_compare_rejects_limit_that_is_none)
{
    Difference equal = compare_double(REF, REF, 1, 4);
    ck_assert(!within(equal, NAN) && !within(equal, -1) && !within(equal, INFINITY));
}
END_TEST

START_TEST(test_compare_describes_worst_element)
{
    const double got[4] = {1, -2, 0.75, 4};
    const char *text = describe(compare_double(got, REF, 1, 4));
    ck_assert_msg(strstr(text, "ratio 0.25 at 2 of 4") && strstr(text, "got 0.75") &&
                      strstr(text, "expected 0.5"),
                  "%s", text);
}
END_TEST

Suite *compare_suite(void)
{
    Suite *suite = suite_create("compare");
    TCase *accepts = tcase_create("accepts"), *rejects = tcase_create("rejects");
    tcase_set_timeout(accepts, 10);
    tcase_add_test(accepts, test_compare_gauged_ratio_by_hand);
    tcase_add_test(accepts, test_compare_double_ratio_by_hand);
    tcase_add_test(accepts, test_compare_accepts_equal_arrays);
    tcase_add_test(accepts, test_compare_judges_at_the_limit);
    tcase_add_test(accepts, test_compare_describes_worst_element);
    suite_add_tcase(suite, accepts);
    tcase_set_timeout(rejects, 10);
    tcase_add_loop_test(rejects, test_compare_rejects_wrong_result, 0, sizeof WRONG / sizeof *WRONG);
    tcase_add_test(rejects, test_compare_rejects_smallest_difference_when_exact);
    tcase_add_test(rejects, test_compare_rejects_error_of_gauge_zero);
    tcase_add_test(rejects, test_compare_rejects_empty_comparison);
    tcase_add_test(rejects, test_compare_rejects_limit_that_is_none);
    suite_add_tcase(suite, rejects);
    return suite;
}
