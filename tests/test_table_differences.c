/* The differences that a table's text claims, on runs written by hand: which rule judges them, their p, and
 * what the design can see. From tables: t[0.975] is 2.776445 with 4 degrees of freedom, 2.306004 with 8. */
#include "program.h"
#include "suites.h"
#include "table_runs.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A row with the paper's cell, and three runs that lie `apart` from seed to seed around a mean. */
typedef struct {
    const char *id, *cell;
    double mean, apart;
} WrittenRow;

/* The table of these rows and differences, each "label <tab> plus <tab> minus <tab> claim", a line. */
static void tell(int count, const WrittenRow *rows, const char *differences)
{
    char table[1024] = "row\tlabel\taccuracy\n", beside[1024], runs[1024] = "";
    for (int i = 0; i < count; i++) {
        snprintf(table + strlen(table), sizeof table - strlen(table), "%s\tRow %s\t%s\n", rows[i].id,
                 rows[i].id, rows[i].cell);
        for (int seed = 1; seed <= 3; seed++) {
            char name[32], config[64];
            snprintf(name, sizeof name, "%s%d", rows[i].id, seed);
            snprintf(config, sizeof config, "seed\t%d\npooling\tnone\n", seed);
            write_run((Written){name, config, .accuracy = rows[i].mean + rows[i].apart * (seed - 2)});
            snprintf(runs + strlen(runs), sizeof runs - strlen(runs), "%s=%s ", rows[i].id, name);
        }
    }
    put_file("", "t.tsv", table);
    snprintf(beside, sizeof beside, "label\tplus\tminus\tclaim\n%s", differences);
    put_file("", "t-differences.tsv", beside);
    ck_assert_msg(make_table_of("", runs) == 0, "%s", program_output);
}

/* The line of the difference with this label: its kind, the paper's and ours, and how it ends. */
static void expects_difference(const char *label, const char *numbers, const char *end)
{
    char start[256];
    snprintf(start, sizeof start, "%-62s %s", label, numbers);
    expects_line(start, end);
}

/* The same difference by each kind of claim: the paper's +5.2 is met in direction, not in size; where claims
 * are turned around, so are their numbers. */
START_TEST(test_each_kind_of_claim_has_its_rule)
{
    const WrittenRow rows[] = {{"a", "92.5", 90.3, 0.1}, {"b", "87.3", 87.3, 0.1}};
    tell(2, rows,
         "by size\ta\tb\tsize\nby direction\ta\tb\tdirection\nturned, by size\tb\ta\tsize\n"
         "turned, by direction\tb\ta\tdirection\nno loss\ta\tb\tequal\n");
    expects_difference("by size", "size        +5.2     +3.00 +- 0.23 ", "  confirmed, other size");
    expects_difference("by direction", "direction   +5.2     +3.00 +- 0.23 ", "  confirmed");
    expects_difference("turned, by size", "size        -5.2     -3.00 +- 0.23 ", "  confirmed, other size");
    expects_difference("turned, by direction", "direction   -5.2     -3.00 +- 0.23 ", "  confirmed");
    expects_difference("no loss", "equal       +5.2     +3.00 +- 0.23 ", "  contradicted");
}
END_TEST

/* A cell that the paper does not print leaves the direction: more is claimed of the first than of the second.
 */
START_TEST(test_a_claim_without_cells_is_of_direction)
{
    const WrittenRow rows[] = {{"a", "-", 90.3, 0.1}, {"b", "87.3", 87.3, 0.1}};
    tell(2, rows, "a, b\ta\tb\tsize\nb, a\tb\ta\tdirection\n");
    expects_difference("a, b", "size           -     +3.00 +- 0.23 ", "  confirmed");
    expects_difference("b, a", "direction      -     -3.00 +- 0.23 ", "  contradicted");
}
END_TEST

/* Equal cells claim that there is no difference, whatever the claim is called. */
START_TEST(test_a_direction_of_equal_cells_is_equality)
{
    const WrittenRow rows[] = {{"a", "90.0", 90.1, 0.1}, {"b", "90.0", 90, 0.1}};
    tell(2, rows, "a = b\ta\tb\tdirection\n");
    expects_difference("a = b", "direction   +0.0     +0.10 +- 0.23 ", "  confirmed");
}
END_TEST

/* (91 - 88) - (87 - 86.5), where the paper has (90 - 88) - (87 - 86); the error is 0.1 sqrt(4 / 3), with 8
 * degrees of freedom +- 0.2663. Pairs of seeds are all alike. */
START_TEST(test_a_difference_of_differences)
{
    const WrittenRow rows[] = {
        {"a", "90", 91, 0.1}, {"b", "88", 88, 0.1}, {"c", "87", 87, 0.1}, {"d", "86", 86.5, 0.1}};
    tell(4, rows, "gains\ta d\tb c\tsize\n");
    expects_difference("gains", "size        +1.0     +2.50 +- 0.27   +- 0.00  0.000   0.000",
                       "confirmed, other size");
    char *tsv = program_file("out.tsv");
    ck_assert_ptr_nonnull(strstr(tsv, "\ngains\t1\t2.5000\t2.2337\t2.7663\t8.00\t"));
    free(tsv);
}
END_TEST

/* The variances 1 and 0.0001 object to one spread: by Welch's the error is sqrt(1.0001 / 3), with little more
 * than the 2 degrees of freedom of the first, of which t[0.975] is 4.302653: +- 2.48, where the table's
 * spread would give 1.60. */
START_TEST(test_rows_that_vary_otherwise_keep_their_own_spread)
{
    const WrittenRow rows[] = {{"a", "92.5", 90.3, 1}, {"b", "87.3", 87.3, 0.01}};
    tell(2, rows, "a - b\ta\tb\tsize\n");
    expects_difference("a - b", "size        +5.2     +3.00 +- 2.48 ", "");
}
END_TEST

/* Of one seed a row, McNemar compares two networks, not four; where nothing is claimed there is no heading.
 */
START_TEST(test_of_four_networks_there_is_no_mcnemar)
{
    const WrittenRow rows[] = {
        {"a", "90", 91, 0.1}, {"b", "88", 88, 0.1}, {"c", "87", 87, 0.1}, {"d", "86", 86.5, 0.1}};
    tell(4, rows, "gains\ta d\tb c\tsize\ntwo\ta\tb\tsize\n");
    expects_not("McNemar");
    ck_assert_msg(make_table_of("", "a=a1 b=b1 c=c1 d=d1") == 0, "%s", program_output);
    expects_line("McNemar's exact test", "");
    const char *mcnemar = strstr(program_output, "McNemar");
    ck_assert_ptr_null(strstr(mcnemar, "\ngains "));
    ck_assert_ptr_nonnull(strstr(mcnemar, "\ntwo "));
    put_file("", "t-differences.tsv", "label\tplus\tminus\tclaim\n");
    ck_assert_msg(make_table_of("", "a=a1 b=b1 c=c1 d=d1") == 0, "%s", program_output);
    expects_not("McNemar");
    expects_not("difference in accuracy");
}
END_TEST

/* 87.3 + 92.4 - 87.2 - 92.5 is nothing, but -1.4e-14 in double: it claims no loss, not one of this size. */
START_TEST(test_cells_that_cancel_claim_nothing)
{
    const WrittenRow rows[] = {{"a", "87.3", 87.3, 0.1},
                               {"b", "87.2", 87.2, 0.1},
                               {"c", "92.5", 92.5, 0.1},
                               {"d", "92.4", 92.4, 0.1}};
    tell(4, rows, "gains\ta d\tb c\tsize\n");
    ck_assert_ptr_null(strstr(program_output, "-0.0 "));
    expects_difference("gains", "size        +0.0 ", "  confirmed");
}
END_TEST

/* t is t[0.975], so that p is 0.05; of three alike Holm makes 0.15: 2.776445 * 0.1 sqrt(2 / 3) = 0.226696. */
START_TEST(test_p_and_what_holm_makes_of_it)
{
    const WrittenRow rows[] = {{"a", "90", 90.226696, 0.1}, {"b", "90", 90, 0.1}};
    tell(2, rows, "one\ta\tb\tsize\ntwo\tb\ta\tsize\nthree\ta\tb\tdirection\n");
    expects_difference("one", "size        +0.0     +0.23 +- 0.23   +- 0.00  0.050   0.150  ", "");
    char *tsv = program_file("out.tsv");
    ck_assert_ptr_nonnull(strstr(tsv, "\t4.00\t0.050000\t0.150000\t"));
    free(tsv);
}
END_TEST

/* With a spread of 4 two rows of 10 seeds see (2.100922 + 0.862049) 4 sqrt(2 / 10) = 5.30 points, of 11
 * (2.085963 + 0.859964) 4 sqrt(2 / 11) = 5.02: the first under the paper's 5.2, while three see 3.717410 * 4
 * sqrt(2 / 3) = 12.14. With 1.5 three see 4.55, and are told nothing. */
START_TEST(test_seeds_that_would_decide)
{
    WrittenRow rows[] = {{"a", "92.5", 88.3, 4}, {"b", "87.3", 87.3, 4}};
    tell(2, rows, "a - b\ta\tb\tsize\n");
    expects_difference("a - b", "size        +5.2     +1.00 ", "  undecided (11 seeds would decide)");
    expects("pooled over the rows: 4.00 points (4 degrees of freedom)");
    expects("3 seeds\nsee 12.14 points");
    rows[0].apart = rows[1].apart = 1.5;
    tell(2, rows, "a - b\ta\tb\tsize\n");
    expects_difference("a - b", "size        +5.2     +1.00 ", "  undecided");
    expects("3 seeds\nsee 4.55 points");
}
END_TEST

/* What is smaller than 0.5 points need not be seen: 0.1 is judged by as many seeds as 0.5 is. With a spread
 * of 0.8 two rows of 41 see (1.990063 + 0.846137) 0.8 sqrt(2 / 41) = 0.5011 points, of 42 0.4950. */
START_TEST(test_seeds_for_less_than_the_margin)
{
    const WrittenRow rows[] = {{"a", "90.1", 90, 0.8}, {"b", "90.0", 90, 0.8}};
    tell(2, rows, "a - b\ta\tb\tsize\n");
    expects_difference("a - b", "size        +0.1     +0.00 ", "  undecided (42 seeds would decide)");
}
END_TEST

Suite *table_differences_suite(void)
{
    Suite *suite = suite_create("table_differences");
    TCase *tcase = tcase_create("runs by hand");
    tcase_add_checked_fixture(tcase, program_setup, program_teardown);
    tcase_add_test(tcase, test_each_kind_of_claim_has_its_rule);
    tcase_add_test(tcase, test_a_claim_without_cells_is_of_direction);
    tcase_add_test(tcase, test_a_direction_of_equal_cells_is_equality);
    tcase_add_test(tcase, test_a_difference_of_differences);
    tcase_add_test(tcase, test_rows_that_vary_otherwise_keep_their_own_spread);
    tcase_add_test(tcase, test_of_four_networks_there_is_no_mcnemar);
    tcase_add_test(tcase, test_cells_that_cancel_claim_nothing);
    tcase_add_test(tcase, test_p_and_what_holm_makes_of_it);
    tcase_add_test(tcase, test_seeds_that_would_decide);
    tcase_add_test(tcase, test_seeds_for_less_than_the_margin);
    suite_add_tcase(suite, tcase);
    return suite;
}
