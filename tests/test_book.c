/* The weaver of the book: what does not hold together is refused with a sentence, and what does is one page.
 * On small chapters, sources, operations and ledgers of the test's own. */
#include "program.h"
#include "suites.h"
#include <stdlib.h>
#include <string.h>

static const char *const source =
    "/* A file. */\n// book: twice\nint twice(int x)\n{\n    return 2 * x;\n}\n// book: end\n";
static const char *operations =
    "id\twhat\tref\tfast\ttests\tbounds\tclaims\n"
    "double\tdoubling\tref/conv2d.c\tfast/conv2d.c\ttest_relu_keeps_nan\tdoubling_test\tone\n";
static const char *const claims =
    "id\tplace\tstatement\tdecider\tpaper_value\none\t3.1\tit doubles\ttest_relu_keeps_nan\t92.5\n";
static const char *audit = "id\tverdict\tgrade\tstate\none\tholds\tA\tdecided\n";
static const char *const errors =
    "test\tarray\tsubject\telements\tworst\tbound\ndoubling_test\ty\tf32 plain\t4\t0.5\t2\n";
static const char *const choices =
    "id\tpaper\tdefault\treason\toption\nfactor\tnot given\t2\tit is even\t--factor\n";

#define EQUATION "::: {.equation #eq op=double}\n$$ y = 2x $$\n:::\n\n"
#define PULL     "``` {.pull marker=twice}\n```\n\n"
#define REST     "::: {.chosen ids=\"rest\"}\n:::\n\n::: {.ledger place=\"rest\"}\n:::\n"

/* Weaves one chapter; its exit status. The page is book.html. */
static int weave(const char *chapter)
{
    program_put("chapter.md", ".", "%s", chapter);
    program_put("operations.tsv", ".", "%s", operations);
    program_put("claims.tsv", ".", "%s", claims);
    program_put("audit.tsv", ".", "%s", audit);
    program_put("errors.tsv", ".", "%s", errors);
    program_put("choices.tsv", ".", "%s", choices);
    const char *f = program_folder;
    return program_shell("BOOK_SOURCES='ls %s/*.c' BOOK_FILES='operations=%s/operations.tsv "
                         "claims=%s/claims.tsv audit=%s/audit.tsv "
                         "errors=%s/errors.tsv choices=%s/choices.tsv' pandoc -f markdown -t html5 --mathml "
                         "--lua-filter=paper/weave.lua -o %s/book.html %s/chapter.md",
                         f, f, f, f, f, f, f, f);
}

static void expect_refused(const char *chapter, const char *words)
{
    ck_assert_msg(weave(chapter) != 0, "this was woven: %s", chapter);
    program_expects_one_line("paper: ", words);
    ck_assert_ptr_null(program_file("book.html"));
}

START_TEST(test_book_weaves_code_numbers_and_verdicts)
{
    program_put("a.c", ".", "%s", source);
    ck_assert_msg(weave("# A {#a}\n\n" EQUATION PULL "It is [claims one paper_value]{.value digits=2}, the "
                        "paper has [one]{.printed}; [one]{.claim}, of [errors]{.file}.\n\n" REST) == 0,
                  "%s", program_output);
    char *page = program_file("book.html");
    ck_assert_ptr_nonnull(page);
    ck_assert_ptr_nonnull(strstr(page, "92.50"));
    ck_assert_ptr_nonnull(strstr(page, "/errors.tsv</code>"));
    ck_assert_ptr_nonnull(strstr(page, "a.c:3</code></a> to 6"));
    ck_assert_ptr_nonnull(strstr(page, "worst error 0.5 of a bound of 2 (25%; f32 plain)"));
    ck_assert_ptr_nonnull(strstr(page, "href=\"./ref/conv2d.c\""));
    ck_assert_ptr_nonnull(strstr(page, "href=\"./fast/conv2d.c\""));
    ck_assert_ptr_nonnull(strstr(page, "href=\"./tests/test_nan.c\""));
    ck_assert_ptr_nonnull(strstr(page, "class=\"formula\" tabindex=\"0\""));
    ck_assert_ptr_nonnull(strstr(page, "href=\"#claim-one\""));
    ck_assert_ptr_nonnull(strstr(page, "id=\"claim-one\""));
    ck_assert_ptr_nonnull(strstr(page, "id=\"choice-factor\""));
    ck_assert_ptr_nonnull(strstr(page, "<math"));
    free(page);
}
END_TEST

START_TEST(test_book_refuses_markers_that_do_not_match)
{
    program_put("a.c", ".", "%s", source);
    expect_refused("``` {.pull marker=thrice}\n```\n\n" REST, "thrice, which no source has");
    expect_refused(EQUATION "``` {.pull marker=thrice}\n```\n\n" REST, "which no source has (claims one)");
    expect_refused("Nothing.\n\n" REST, "twice (");
    expect_refused(PULL PULL REST, "pulled twice");
    program_put("b.c", ".", "%s", source);
    expect_refused(PULL REST, "stands twice");
    program_put("b.c", ".", "// book: other\nint x;\n");
    expect_refused(PULL REST, "without its end");
}
END_TEST

START_TEST(test_book_refuses_numbers_typed_by_hand)
{
    program_put("a.c", ".", "%s", source);
    expect_refused(PULL "We reached 92.5 in the end.\n\n" REST, "stands in prose");
    expect_refused(PULL "We reached 92%% in the end.\n\n" REST, "stands in prose");
    expect_refused(PULL "[s3.2.two]{.claim}\n\n" REST, "the claim s3.2.two, which claims.tsv does not have");
    expect_refused(PULL "[claims two paper_value]{.value}\n\n" REST, "has no row");
    expect_refused(PULL "[claims one no_column]{.value}\n\n" REST, "no column no_column");
    ck_assert_msg(weave(PULL EQUATION "See section 3.4.\n\n" REST) == 0, "%s", program_output);
}
END_TEST

START_TEST(test_book_refuses_an_equation_that_lacks_evidence)
{
    program_put("a.c", ".", "%s", source);
    expect_refused(PULL "::: {.equation #eq op=triple}\n$$ y = 3x $$\n:::\n\n" REST,
                   "triple, which operations.tsv");
    expect_refused(PULL "::: {.equation op=double}\n$$ y = 2x $$\n:::\n\n" REST, "no identifier");
    operations = "id\twhat\tref\tfast\ttests\tbounds\tclaims\ndouble\td\tref/conv2d.c\tfast/"
                 "conv2d.c\ttest_that_is_not_there\tdoubling_test\tone\n";
    expect_refused(PULL EQUATION REST,
                   "double (claims one) names the test test_that_is_not_there, which does not exist");
    operations = "id\twhat\tref\tfast\ttests\tbounds\tclaims\ndouble\td\tref/none.c\tfast/"
                 "conv2d.c\ttest_relu_keeps_nan\tdoubling_test\tone\n";
    expect_refused(PULL EQUATION REST, "double (claims one) names ref/none.c, which is not there");
    operations = "id\twhat\tref\tfast\ttests\tbounds\tclaims\ndouble\td\tref/conv2d.c\tfast/"
                 "conv2d.c\ttest_relu_keeps_nan\tno_record\tone\n";
    expect_refused(PULL EQUATION REST,
                   "double (claims one) takes its bound from no_record, which no run of the tests recorded");
    operations = "id\twhat\tref\tfast\ttests\tbounds\tclaims\ndouble\td\tref/conv2d.c\tfast/"
                 "conv2d.c\ttest_relu_keeps_nan\tdoubling_test\tnone\n";
    expect_refused(PULL EQUATION REST, "claim none, which claims.tsv does not have");
}
END_TEST

START_TEST(test_book_refuses_what_it_leaves_out)
{
    program_put("a.c", ".", "%s", source);
    expect_refused(PULL "::: {.ledger place=\"rest\"}\n:::\n", "choice factor is told nowhere");
    expect_refused(PULL "::: {.chosen ids=\"rest\"}\n:::\n", "claim one (place 3.1) is in no ledger");
    expect_refused(PULL "::: {.picture name=fig9}\nWords.\n:::\n\n" REST, "fig9 is not there");
    audit = "id\tverdict\tgrade\tstate\n";
    expect_refused(PULL REST, "no verdict of the claim one");
}
END_TEST

static void expect_links(const char *body, const char *words)
{
    program_put("page.html", ".", "%s", body);
    const int status = program_shell("bash paper/links.sh %s/page.html", program_folder);
    if (!words) {
        ck_assert_msg(status == 0, "%s", program_output);
        return;
    }
    ck_assert_msg(status != 0, "these links were taken: %s", body);
    program_expects_one_line("paper: ", words);
}

START_TEST(test_book_links_lead_somewhere)
{
    expect_links("<p id=\"a\"><a href=\"#a\">x</a> <a href=\"page.html\">y</a> <img src=\"data:,x\">", NULL);
    expect_links("<p id=\"a\"><a href=\"#b\">x</a>", "the anchor b, which is not there");
    expect_links("<p id=\"a\"><a xlink:href=\"#ab\">x</a>", "the anchor ab, which is not there");
    expect_links("<p id=\"a\"><p id=\"a\"><a href=\"#a\">x</a>", "the anchor a stands twice");
    expect_links("<p id=\"a\"><a href=\"gone.c\">x</a>", "the file gone.c, which is not there");
    program_put("test_a.c", ".", "START_TEST(test_one)\n");
    expect_links("<p id=\"a\"><a href=\"test_a.c\"><code>test_one</code></a>", NULL);
    expect_links("<p id=\"a\"><a href=\"test_a.c\"><code>test_on</code></a>",
                 "the test test_on is not in the file test_a.c");
    expect_links("<p id=\"a\"><img src=\"https://example.org/x.png\">", "leaves the page");
}
END_TEST

Suite *book_suite(void)
{
    Suite *suite = suite_create("book");
    TCase *tcase = tcase_create("weaver");
    tcase_add_checked_fixture(tcase, program_setup, program_teardown);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, test_book_weaves_code_numbers_and_verdicts);
    tcase_add_test(tcase, test_book_refuses_markers_that_do_not_match);
    tcase_add_test(tcase, test_book_refuses_numbers_typed_by_hand);
    tcase_add_test(tcase, test_book_refuses_an_equation_that_lacks_evidence);
    tcase_add_test(tcase, test_book_refuses_what_it_leaves_out);
    tcase_add_test(tcase, test_book_links_lead_somewhere);
    suite_add_tcase(suite, tcase);
    return suite;
}
