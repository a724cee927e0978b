/* Random streams: Philox against its published values, and the distributions drawn from it. Seeds are fixed,
 * so a test of a distribution always gives the same verdict; its bounds are those of 5 standard deviations,
 * or of a chi-square of probability 1e-6. */
#include "../ref/random.h"
#include "philox.h"
#include "suites.h"
#include <Random123/philox.h>
#include <gsl/gsl_cdf.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* The three vectors for philox4x32 with 10 rounds in Random123's kat_vectors. */
static const struct {
    uint32_t counter[4], key[2], words[4];
} known[] = {
    {{0, 0, 0, 0}, {0, 0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
    {{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff},
     {0xffffffff, 0xffffffff},
     {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
    {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
     {0xa4093822, 0x299f31d0},
     {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
};
enum { KNOWN = sizeof known / sizeof known[0] };

START_TEST(test_philox_has_the_published_values)
{
    uint32_t plain[4];
    plain_philox(plain, known[_i].counter, known[_i].key);
    ck_assert_mem_eq(plain, known[_i].words, sizeof plain);
    philox4x32_ctr_t counter;
    philox4x32_key_t key;
    memcpy(counter.v, known[_i].counter, sizeof counter.v);
    memcpy(key.v, known[_i].key, sizeof key.v);
    philox4x32_ctr_t library = philox4x32(counter, key);
    ck_assert_mem_eq(library.v, known[_i].words, sizeof library.v);
}
END_TEST

START_TEST(test_random_words_are_philox_of_their_key)
{
    uint32_t got[4], want[4];
    random_words(got, 0, (Stream)0, 0, 0);
    ck_assert_mem_eq(got, known[0].words, sizeof got);
    static const uint64_t seeds[] = {1, UINT64_C(0x123456789abcdef0), UINT64_MAX};
    for (int i = 0; i < 3; i++) {
        uint32_t key[2] = {(uint32_t)seeds[i], (uint32_t)(seeds[i] >> 32)};
        uint32_t counter[4] = {STREAM_AUGMENT, 7u + (uint32_t)i, UINT32_MAX - (uint32_t)i, 0};
        plain_philox(want, counter, key);
        random_words(got, seeds[i], STREAM_AUGMENT, counter[1], counter[2]);
        ck_assert_mem_eq(got, want, sizeof got);
    }
}
END_TEST

START_TEST(test_random_words_differ_where_any_part_of_the_key_does)
{
    static const struct {
        uint64_t seed;
        Stream stream;
        uint32_t a, b;
    } keys[] = {
        {1, STREAM_FILTERS, 2, 3}, {2, STREAM_FILTERS, 2, 3}, {1 + (UINT64_C(1) << 32), STREAM_FILTERS, 2, 3},
        {1, STREAM_SPLIT, 2, 3},   {1, STREAM_ORDER_A, 2, 3}, {1, STREAM_ORDER_B, 2, 3},
        {1, STREAM_AUGMENT, 2, 3}, {1, STREAM_FILTERS, 3, 2}, {1, STREAM_FILTERS, 2, 4}};
    enum { KEYS = sizeof keys / sizeof keys[0] };
    uint32_t words[KEYS][4], again[4];
    for (int i = 0; i < KEYS; i++) {
        random_words(words[i], keys[i].seed, keys[i].stream, keys[i].a, keys[i].b);
        for (int j = 0; j < i; j++)
            ck_assert_msg(memcmp(words[i], words[j], sizeof again) != 0, "keys %d and %d draw the same", j,
                          i);
    }
    random_words(again, keys[0].seed, keys[0].stream, keys[0].a, keys[0].b);
    ck_assert_mem_eq(again, words[0], sizeof again);
}
END_TEST

static void check_chi_square(const char *what, const int *counts, int cells, int draws)
{
    double expected = (double)draws / cells, statistic = 0;
    for (int i = 0; i < cells; i++)
        statistic += (counts[i] - expected) * (counts[i] - expected) / expected;
    double limit = gsl_cdf_chisq_Qinv(1e-6, cells - 1);
    ck_assert_msg(expected >= 5 && statistic <= limit, "%s: chi-square %g over %d cells, at most %g", what,
                  statistic, cells, limit);
}

/* E x^2k = 1, 3, 15, 105 for k = 1..4, so the mean of n values of x, x^2, x^3, x^4 has variance 1, 2, 15,
 * 96 over n. */
START_TEST(test_random_normal_has_the_moments_and_shape_of_a_normal)
{
    enum { DRAWS = 200000, CELLS = 32 };
    static const double want[4] = {0, 1, 0, 3}, variance[4] = {1, 2, 15, 96};
    double moments[4] = {0};
    int counts[CELLS] = {0};
    for (uint32_t i = 0; i < DRAWS; i++) {
        double x = random_normal(5, STREAM_FILTERS, i / 1000, i % 1000);
        ck_assert_msg(isfinite(x), "draw %u is %g", (unsigned)i, x);
        for (int k = 0; k < 4; k++)
            moments[k] += pow(x, k + 1) / DRAWS;
        counts[(int)(gsl_cdf_ugaussian_P(x) * CELLS)]++;
    }
    for (int k = 0; k < 4; k++)
        ck_assert_msg(fabs(moments[k] - want[k]) <= 5 * sqrt(variance[k] / DRAWS),
                      "moment %d is %g, expected %g", k + 1, moments[k], want[k]);
    check_chi_square("normal", counts, CELLS, DRAWS);
}
END_TEST

/* The uniform number behind a normal: Phi(x) gives it back. Its rounding near 1/2 is a few units of 2^-53,
 * and the words determine all 52 of its bits. */
START_TEST(test_random_normal_inverts_its_words)
{
    for (uint32_t i = 0; i < 1000; i++) {
        uint32_t words[4];
        random_words(words, 6, STREAM_FILTERS, 1, i);
        double uniform = words[0] * 0x1p-32 + words[1] * 0x1p-64;
        double got = gsl_cdf_ugaussian_P(random_normal(6, STREAM_FILTERS, 1, i));
        ck_assert_msg(fabs(got - uniform) <= 1e-12, "draw %u: %.17g for %.17g", (unsigned)i, got, uniform);
    }
}
END_TEST

START_TEST(test_random_permutation_is_the_shuffle_by_definition)
{
    enum { COUNT = 1000000 };
    uint32_t *got = malloc(COUNT * sizeof *got), *want = malloc(COUNT * sizeof *want);
    random_permutation(got, COUNT, 7, STREAM_ORDER_A, 3);
    int rejected = plain_permutation(want, COUNT, 7, STREAM_ORDER_A, 3);
    bool equal = memcmp(got, want, COUNT * sizeof *got) == 0;
    free(got);
    free(want);
    ck_assert(equal);
    ck_assert_msg(rejected > 0, "no word was rejected: this test does not see that path");
}
END_TEST

static const int counts[] = {0, 1, 2, 3, 17, 1000, 50000};
enum { COUNTS = sizeof counts / sizeof counts[0] };

START_TEST(test_random_permutation_holds_each_number_once)
{
    int count = counts[_i], repeated = 0;
    uint32_t *permutation = malloc((size_t)count * sizeof *permutation + 1);
    char *seen = calloc((size_t)count + 1, 1);
    random_permutation(permutation, count, 8, STREAM_ORDER_B, 0);
    for (int i = 0; i < count; i++)
        if (permutation[i] >= (uint32_t)count || seen[permutation[i]]++)
            repeated++;
    free(permutation);
    free(seen);
    ck_assert_int_eq(repeated, 0);
}
END_TEST

START_TEST(test_random_permutation_differs_by_seed_stream_and_epoch)
{
    enum { COUNT = 1000 };
    uint32_t first[COUNT], other[COUNT];
    random_permutation(first, COUNT, 9, STREAM_ORDER_A, 0);
    random_permutation(other, COUNT, 9, STREAM_ORDER_A, 0);
    ck_assert_mem_eq(first, other, sizeof first);
    random_permutation(other, COUNT, 9, STREAM_ORDER_A, 1);
    ck_assert_mem_ne(first, other, sizeof first);
    random_permutation(other, COUNT, 9, STREAM_ORDER_B, 0);
    ck_assert_mem_ne(first, other, sizeof first);
    random_permutation(other, COUNT, 10, STREAM_ORDER_A, 0);
    ck_assert_mem_ne(first, other, sizeof first);
}
END_TEST

START_TEST(test_random_permutation_has_a_uniform_first_element)
{
    enum { COUNT = 10, DRAWS = 20000 };
    int first[COUNT] = {0};
    for (uint32_t a = 0; a < DRAWS; a++) {
        uint32_t permutation[COUNT];
        random_permutation(permutation, COUNT, 11, STREAM_ORDER_A, a);
        first[permutation[0]]++;
    }
    check_chi_square("first element", first, COUNT, DRAWS);
}
END_TEST

START_TEST(test_random_permutation_has_all_24_orders_of_4_equally_often)
{
    enum { DRAWS = 24000 };
    int orders[256] = {0}, cells[24] = {0}, found = 0;
    for (uint32_t a = 0; a < DRAWS; a++) {
        uint32_t p[4];
        random_permutation(p, 4, 12, STREAM_ORDER_A, a);
        orders[p[0] << 6 | p[1] << 4 | p[2] << 2 | p[3]]++;
    }
    for (int i = 0; i < 256; i++)
        if (orders[i] > 0 && found++ < 24)
            cells[found - 1] = orders[i];
    ck_assert_int_eq(found, 24);
    check_chi_square("orders of 4", cells, 24, DRAWS);
}
END_TEST

Suite *random_suite(void)
{
    Suite *suite = suite_create("random");
    TCase *tcase = tcase_create("random");
    tcase_set_timeout(tcase, 60);
    tcase_add_loop_test(tcase, test_philox_has_the_published_values, 0, KNOWN);
    tcase_add_test(tcase, test_random_words_are_philox_of_their_key);
    tcase_add_test(tcase, test_random_words_differ_where_any_part_of_the_key_does);
    tcase_add_test(tcase, test_random_normal_has_the_moments_and_shape_of_a_normal);
    tcase_add_test(tcase, test_random_normal_inverts_its_words);
    tcase_add_test(tcase, test_random_permutation_is_the_shuffle_by_definition);
    tcase_add_loop_test(tcase, test_random_permutation_holds_each_number_once, 0, COUNTS);
    tcase_add_test(tcase, test_random_permutation_differs_by_seed_stream_and_epoch);
    tcase_add_test(tcase, test_random_permutation_has_a_uniform_first_element);
    tcase_add_test(tcase, test_random_permutation_has_all_24_orders_of_4_equally_often);
    suite_add_tcase(suite, tcase);
    return suite;
}
