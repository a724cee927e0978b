/* What build/audit tells of one claim: where it comes from, what decides it, and what bounds it. */
#include "../experiments/audit/claims.h"
#include "program.h"
#include "project.h"
#include "suites.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A conclusion from so many of its premises, or from all of them. */
START_TEST(test_audit_tells_how_many_premises_are_needed)
{
    static const char conclusion[] =
        "all\t1\tconclusion\tBoth\tconclusion\t\t1\t\t\teq gain\t\t\tpremises\t\tone is an example\t%s\t-\n";
    static const struct {
        const char *decider, *line;
    } ways[] = {{"premises", "requires   eq gain\n"},
                {"premises:1", "requires   1 at least of eq gain: one is an example\n"},
                {"premises:2", "requires   2 at least of eq gain: one is an example\n"}};
    for (int w = 0; w < 3; w++) {
        char line[256], text[4096];
        project_write();
        char *claims = program_file("paper/claims.tsv");
        snprintf(line, sizeof line, conclusion, ways[w].decider);
        snprintf(text, sizeof text, "%s%s", claims, line);
        free(claims);
        project_put("paper/claims.tsv", text);
        project_put("paper/coverage.tsv",
                    "section\tsentence\tsha256\tclaims\n1\t1\tabc\teq gain all\n1\t2\tdef\tno claim\n");
        ck_assert_msg(project_audit("--claim=all") == 0, "%s", project_said());
        ck_assert_msg(strstr(program_output, ways[w].line) != NULL, "%s", program_output);
        ck_assert_ptr_nonnull(strstr(program_output, "verdict    confirmed\n"));
    }
}
END_TEST

/* A verdict beside which another one stands is not told alone. */
START_TEST(test_audit_tells_what_bounds_a_claim)
{
    project_write();
    char *claims = program_file("paper/claims.tsv"), text[4096];
    snprintf(text, sizeof text,
             "%sbase\t1\tarithmetic\tIt is odd\tarithmetic\t\t1\t1.58\t2\t\t\t\treadings\t\t\t"
             "readings:ours-over-predefined\t-\nheld\t1\tarithmetic\tIt rests on "
             "it\tidentity\t\t1\t\t\tbase\t\t\ttests"
             "\t\t\ttest:test_one\t-\n",
             claims);
    free(claims);
    project_put("paper/claims.tsv", text);
    project_put("paper/coverage.tsv",
                "section\tsentence\tsha256\tclaims\n1\t1\tabc\teq gain base held\n1\t2\tdef\tno claim\n");
    ck_assert_msg(project_audit("--claim=held") == 0, "%s", project_said());
    ck_assert_ptr_nonnull(strstr(program_output, "verdict    holds\n"));
    ck_assert_ptr_nonnull(strstr(program_output, "bounded    contradicted by a premise (base)\n"));
    ck_assert_int_eq(project_audit("--claim=base"), 0);
    ck_assert_ptr_null(strstr(program_output, "bounded"));
}
END_TEST

START_TEST(test_audit_tells_the_way_of_a_claim)
{
    project_write();
    ck_assert_int_eq(project_audit("--claim=eq"), 0);
    ck_assert_ptr_nonnull(strstr(program_output, "ref/sum.c:3"));
    ck_assert_ptr_nonnull(strstr(program_output, "tests/test_x.c: test_one (pass)"));
    ck_assert_ptr_nonnull(strstr(program_output, "1, sentence 1 (sha256 abc);"));
    ck_assert_int_eq(project_audit("--claim=gain"), 0);
    ck_assert_ptr_nonnull(strstr(program_output, "records/a1@c0"));
    ck_assert_ptr_null(strstr(program_output, "requires"));
    ck_assert_int_eq(project_audit("--claim=moon"), 1);
    ck_assert_ptr_nonnull(strstr(program_output, "moon"));
}
END_TEST

/* All of it: where it is said, made, tested, what the audit says, and what rests on it or is its rival. */
START_TEST(test_audit_tells_the_whole_way_of_a_claim)
{
    static const char whole[] =
        "eq (Section 1)\n"
        "It adds up\n"
        "\n"
        "paper      1, sentence 1 (sha256 abc); 2, sentence 3 (sha256 0123456789ab);\n"
        "ref        ref/sum.c:3\n"
        "fast       fast/sum.c:1\n"
        "code       experiments/sum.c:2\n"
        "test       tests/test_x.c: test_one (pass)\n"
        "decided by test:test_one code:ref/sum.c code:fast/sum.c (rule: tests, at "
        "least grade -)\n"
        "evidence   tests/test_x.c test_one\n"
        "verdict    holds\n"
        "grade      -\n"
        "state      stale: its tests ran in another commit: make check\n"
        "command    make check\n"
        "required by all: Both\n"
        "required by other: It does not\n";
    project_write();
    project_put("ref/other.c", "/* " PROJECT_MARK "gain. */\n");
    project_put("fast/sum.c", "/* " PROJECT_MARK "eq. */\n");
    project_put("experiments/sum.c", "\n/* " PROJECT_MARK "eq. */\n");
    project_put("paper/coverage.tsv",
                "section\tsentence\tsha256\tclaims\n1\t1\tabc\teq gain\n1\t2\tdef\tgain "
                "all\n2\t3\t0123456789abcdef\teq\n");
    char text[4096];
    snprintf(text, sizeof text,
             "%s\n"
             "eq\tSection 1\tarithmetic\tIt adds up\tidentity\t\t1\t\t\t\t\t\ttests\t\t\ttest:test_one "
             "code:ref/sum.c code:fast/sum.c\t-\n"
             "gain\tSection 1\tarithmetic\tIt gains\tidentity\t\t1\t\t\t\t\t\ttests\t\t\ttest:test_one\t-\n"
             "all\t1\tconclusion\tBoth\tconclusion\t\t1\t\t\tgain eq\t\t\tpremises\t\t\tpremises\t-\n"
             "other\t1\tarithmetic\tIt does "
             "not\tidentity\t\t1\t\t\t\teq\t\ttests\t\t\ttest:test_one\t-\n",
             claims_header);
    project_put("paper/claims.tsv", text);
    ck_assert_int_eq(project_audit("--claim=eq"), 0);
    ck_assert_str_eq(program_output, whole);
}
END_TEST

TCase *project_way_case(void)
{
    TCase *tcase = tcase_create("one claim");
    tcase_add_checked_fixture(tcase, program_setup, program_teardown);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, test_audit_tells_how_many_premises_are_needed);
    tcase_add_test(tcase, test_audit_tells_what_bounds_a_claim);
    tcase_add_test(tcase, test_audit_tells_the_way_of_a_claim);
    tcase_add_test(tcase, test_audit_tells_the_whole_way_of_a_claim);
    return tcase;
}
