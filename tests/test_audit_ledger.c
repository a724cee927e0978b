/* The paper's text as build/audit cuts it, and build/audit on this project's own ledger. */
#include "../experiments/audit/coverage.h"
#include "../experiments/audit/judge.h"
#include "../experiments/base/files.h"
#include "program.h"
#include "suites.h"
#include <stdlib.h>
#include <string.h>

static Error error;

static const char copy[] =
    "A Title\n\nAbstract\n\nWe learn things, e.g. sizes. It works (really).\n123\n\n456 789\n\n1. Intro\n\n"
    "A split sen-\n\nFigure 1: **A.** One two.\n\ntence ends. Then\nmore.\n\n$$a = b$$\n(1)\n\n"
    "| x | 92.5 |\n| y | 90.0 |\n\nTable 1: Cells.\n\nReferences\n\n[1] Nobody. Nothing.\n\n| z | 1 |\n";

START_TEST(test_paper_is_cut)
{
    static const struct {
        const char *section;
        int number;
        const char *words;
    } expected[] = {
        {"title", 1, "a title"},
        {"abstract", 1, "we learn things e g sizes"},
        {"abstract", 2, "it works really"},
        {"figure-1", 1, "figure 1 a one two"},
        {"equations", 1, "a b"},
        {"table-1-row", 1, "x 92 5"},
        {"table-1-row", 2, "y 90 0"},
        {"table-1", 1, "table 1 cells"},
        {"1", 1, "a split sentence ends"},
        {"1", 2, "then more"},
        {"table-2-row", 1, "z 1"},
    };
    Paper paper;
    program_put("copy.txt", ".", "%s", copy);
    char path[256];
    snprintf(path, sizeof path, "%s/copy.txt", program_folder);
    ck_assert_msg(paper_read(&paper, path, &error), "%s", error.text);
    ck_assert_int_eq(paper.count, sizeof expected / sizeof *expected);
    for (int i = 0; i < paper.count; i++) {
        ck_assert_str_eq(paper.sentences[i].words, expected[i].words);
        ck_assert_str_eq(paper.sentences[i].section, expected[i].section);
        ck_assert_int_eq(paper.sentences[i].number, expected[i].number);
    }
    char hash[65];
    sha256_hex(hash, "then more", 9);
    ck_assert_str_eq(paper.sentences[9].sha256, hash);
    ck_assert(paper_has(&paper, "1-2", "Then\nMORE"));
    ck_assert(!paper_has(&paper, "1-1", "then more"));
    paper_free(&paper);
}
END_TEST

/* Where a sentence of the abstract ends, and what is none. */
START_TEST(test_paper_is_cut_at_the_ends_of_sentences)
{
    static const struct {
        const char *text, *sentences[3];
    } cases[] = {
        {"Hu et al. Show it.", {"hu et al show it"}},
        {"It is final. Then it ends.", {"it is final", "then it ends"}}, /* no \"al.\" of an author */
        {"Why? Because! So.", {"why", "because", "so"}},
        {"It ends. (It does.)", {"it ends", "it does"}},
        {"It ends. - It does.", {"it ends", "it does"}},
        {"3. It begins as a heading does, but no heading is as long as this line is.",
         {"3", "it begins as a heading does but no heading is as long as this line is"}},
    };
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        Paper paper;
        char path[256];
        program_put("copy.txt", ".", "A Title\n\nAbstract\n\n%s\n", cases[c].text);
        snprintf(path, sizeof path, "%s/copy.txt", program_folder);
        ck_assert_msg(paper_read(&paper, path, &error), "%s", error.text);
        for (int i = 0; i < 3 && cases[c].sentences[i]; i++) {
            ck_assert_msg(paper.count > i + 1, "%s: %d", cases[c].text, paper.count);
            ck_assert_str_eq(paper.sentences[i + 1].section, "abstract");
            ck_assert_str_eq(paper.sentences[i + 1].words, cases[c].sentences[i]);
        }
        ck_assert_int_eq(paper.count,
                         1 + !!cases[c].sentences[0] + !!cases[c].sentences[1] + !!cases[c].sentences[2]);
        paper_free(&paper);
    }
}
END_TEST

/* An equation over several lines is none of the text; and a sentence that coverage.tsv has not is marked, not
 * covered. */
START_TEST(test_paper_marks_what_is_new)
{
    program_put("copy.txt", ".", "A Title\n\nAbstract\n\nIt is new.\n\n$$\nLet x = y\n$$\n\nAnd so on.\n");
    ck_assert_msg(program_run("audit --cut --paper=%s/copy.txt experiments/records", program_folder) == 0,
                  "%s", program_output);
    static const char *const starts[] = {"\ntitle\t1\t", "\nabstract\t1\t", "\nequations\t1\t",
                                         "\nabstract\t2\t"};
    for (int i = 0; i < 4; i++) {
        const char *line = strstr(program_output, starts[i]);
        ck_assert_msg(line != NULL, "no %s in %s", starts[i] + 1, program_output);
        const char *end = line + 1 + strcspn(line + 1, "\n");
        ck_assert_msg(end[-1] == '?' && end[-2] == '\t', "%s", line);
    }
}
END_TEST

START_TEST(test_the_ledger_is_whole)
{
    Claims claims;
    ck_assert_msg(claims_read(&claims, "paper/claims.tsv", &error), "%s", error.text);
    ck_assert_int_ge(claims.count, 90);
    claims_free(&claims);
    ck_assert_msg(program_run("audit --out=%s/out experiments/records", program_folder) == 0, "%s",
                  program_output);
    /* Whatever small or short runs say, they decide nothing. */
    char *table = program_file("out/audit.tsv");
    int low = 0;
    for (char *line = strchr(table, '\n'); line && line[1]; line = strchr(line + 1, '\n')) {
        char verdict[96], grade, state[32];
        if (sscanf(line, "\n%*[^\t]\t%95[^\t]\t%c\t%31[^\t:]", verdict, &grade, state) == 3 &&
            (grade == 'C' || grade == 'D')) {
            ck_assert_str_eq(state, "blocked");
            ck_assert_msg(strcmp(verdict, "undecided") == 0 || strstr(verdict, "(not decided at this grade)"),
                          "%s", verdict);
            low++;
        }
    }
    ck_assert_int_gt(low, 0);
    free(table);
}
END_TEST

START_TEST(test_seeds_are_listed)
{
    static const struct {
        int seeds;
        const char *words;
    } lists[] = {
        {0, ""}, {1, "1"}, {3, "1 2 3"}, {5, "1 2 3 4 5"}, {6, "$(seq -s' ' 6)"}, {70, "$(seq -s' ' 70)"}};
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
        char words[SEEDS_WORDS];
        seeds_words(words, lists[i].seeds);
        ck_assert_str_eq(words, lists[i].words);
    }
}
END_TEST

/* What the audit says would decide a claim is a line that a shell and make take; it names the rows that are
 * missing, and trains them all. */
START_TEST(test_what_would_decide_can_be_run)
{
    ck_assert_msg(program_run("audit --claim=s3.5.local-minima experiments/records") == 0, "%s",
                  program_output);
    ck_assert_msg(strstr(program_output, "not run: no runs of table1.unshared\n") != NULL, "%s",
                  program_output);
    char *command = strstr(program_output, "command    ");
    ck_assert_msg(command &&
                      strncmp(command + 11, "make table1 controls BUDGET=day SEEDS=\"1 2 3\"\n", 46) == 0,
                  "%s", program_output);
    ck_assert_msg(program_run("audit experiments/records") == 0, "%s", program_output);
    int lists = 0;
    char line[256], *text = strdup(program_output);
    for (const char *at = text; lists < 2 && (at = strstr(at, "  make ")) != NULL; at++) {
        snprintf(line, sizeof line, "%.*s", (int)strcspn(at + 2, "\n"), at + 2);
        if (!strstr(line, "seq"))
            continue;
        memcpy(line, "make", 4);
        ck_assert_msg(
            program_shell("make -n%s DATA=fashion-mnist BUILD=%s >/dev/null", line + 4, program_build()) == 0,
            "%s: %s", line, program_output);
        lists++;
    }
    ck_assert_int_eq(lists, 2);
    free(text);
}
END_TEST

START_TEST(test_every_claim_lives)
{
    ck_assert_msg(program_run("audit --liveness experiments/records") == 0, "%s", program_output);
    ck_assert_ptr_null(strstr(program_output, "DEAD"));
}
END_TEST

Suite *audit_ledger_suite(void)
{
    Suite *suite = suite_create("audit_ledger");
    TCase *tcase = tcase_create("ledger");
    tcase_add_checked_fixture(tcase, program_setup, program_teardown);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, test_paper_is_cut);
    tcase_add_test(tcase, test_paper_is_cut_at_the_ends_of_sentences);
    tcase_add_test(tcase, test_paper_marks_what_is_new);
    tcase_add_test(tcase, test_the_ledger_is_whole);
    tcase_add_test(tcase, test_seeds_are_listed);
    tcase_add_test(tcase, test_what_would_decide_can_be_run);
    tcase_add_test(tcase, test_every_claim_lives);
    suite_add_tcase(suite, tcase);
    return suite;
}
