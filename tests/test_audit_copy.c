/* What the reader's own copy of the paper decides: whether its sentences are those that are covered, and
 * whether it makes a choice that we call ours. */
#include "../experiments/base/files.h"
#include "program.h"
#include "project.h"
#include "suites.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

START_TEST(test_coverage_compares_a_copy)
{
    project_write();
    project_put("copy.txt", "Abstract\n\nIt adds up.\n");
    char line[256], hash[65], option[256];
    snprintf(option, sizeof option, "--paper=%s/copy.txt", program_folder);
    sha256_hex(hash, "it adds up", 10);
    snprintf(line, sizeof line, "section\tsentence\tsha256\tclaims\nabstract\t1\t%s\teq gain\n", hash);
    project_put("paper/coverage.tsv", line);
    ck_assert_msg(project_audit(option) == 0, "%s", project_said());
    project_put("copy.txt", "Abstract\n\nIt adds\nup, - or.\n");
    ck_assert_int_eq(project_audit(option), 1);
    ck_assert_ptr_nonnull(strstr(program_output, "is not covered"));
    ck_assert_ptr_nonnull(strstr(program_output, "(claims: eq gain) is not in the copy"));
}
END_TEST

/* A choice is ours unless the copy has one of the words that would make it, from the beginning of a word on.
 */
START_TEST(test_audit_finds_words_that_make_a_choice)
{
    static const struct {
        const char *words, *verdict;
    } cases[] = {{"sub,adds_up", "impossible"},
                 {"it_add", "impossible"},
                 {"sub,dds_up", "underdetermined (2 of 2 readings)"},
                 {"it_up", "underdetermined (2 of 2 readings)"},
                 {"up_or", "underdetermined (2 of 2 readings)"}};
    char text[4096], option[256], copy[1024], hash[2][65];
    project_write();
    char *claims = program_file("paper/claims.tsv");
    project_put("copy.txt", "Abstract\n\nIt adds up. Or not.\n");
    snprintf(option, sizeof option, "--paper=%s/copy.txt", program_folder);
    sha256_hex(hash[0], "it adds up", 10);
    sha256_hex(hash[1], "or not", 6);
    snprintf(copy, sizeof copy,
             "section\tsentence\tsha256\tclaims\nabstract\t1\t%s\teq gain new\nabstract\t2\t%s\tno claim\n",
             hash[0], hash[1]);
    project_put("paper/coverage.tsv", copy);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        snprintf(text, sizeof text,
                 "%snew\t1\tprotocol\tIt is new\tprotocol\t\t1\t\t0\t\t\t\topen\t\t\tchoice:down,%s\t-\n",
                 claims, cases[i].words);
        project_put("paper/claims.tsv", text);
        ck_assert_msg(project_audit(option) == 0, "%s", project_said());
        ck_assert_str_eq(project_column("new", 1), cases[i].verdict);
        ck_assert_int_eq(strstr(project_column("new", 18), "the paper says") != NULL,
                         cases[i].verdict[0] == 'i');
        ck_assert_int_eq(project_audit(""), 0);
        ck_assert_str_eq(project_column("new", 1), "underdetermined (2 of 2 readings)");
    }
    free(claims);
}
END_TEST

Suite *audit_copy_suite(void)
{
    Suite *suite = suite_create("audit_copy");
    TCase *tcase = tcase_create("project");
    tcase_add_checked_fixture(tcase, program_setup, program_teardown);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, test_coverage_compares_a_copy);
    tcase_add_test(tcase, test_audit_finds_words_that_make_a_choice);
    suite_add_tcase(suite, tcase);
    return suite;
}
