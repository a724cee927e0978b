/* The ledger as it is printed, from judgements made by hand: what is counted, in which column a number
 * stands, and what would decide the rest. */
#include "../experiments/audit/ledger.h"
#include "court.h"
#include "program.h"
#include "suites.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

static Claim of(const char *id, const char *place, Rule rule, int weight, const char *family, double value)
{
    Claim claim = claim_about(rule, value, "test:none");
    claim.id = id;
    claim.place = place;
    claim.statement = "It is so";
    claim.weight = weight;
    claim.family = family;
    return claim;
}

static Judgement judgement(const Claim *claim, const char *verdict, State state, double estimate)
{
    Judgement j = {.claim = claim,
                   .grade = 'B',
                   .state = state,
                   .estimate = estimate,
                   .p = NAN,
                   .holm = NAN,
                   .ci95 = {NAN, NAN},
                   .s = NAN,
                   .mde80 = NAN};
    snprintf(j.verdict, sizeof j.verdict, "%s", verdict);
    return j;
}

/* What was written to a stream, whole. */
static char *printed(const Judgement *all, const Court *court)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    ck_assert_ptr_nonnull(out);
    ledger_print(all, court, out);
    fclose(out);
    return text;
}

/* Cells of 87.3, 90 and 92.5 come out as 80, 85 and 82: of three pairs two are in order. A stale cell is not
 * reproduced, a contradicted direction not upheld; of the weight of 10 all but the stale cell and the test
 * are decided. */
START_TEST(test_ledger_counts_what_is_decided)
{
    const Claim claims[] = {
        of("v1", "Table 1, a", RULE_VALUE, 3, "table1-cells", 87.3),
        of("v2", "Table 1, b", RULE_VALUE, 1, "table1-cells", 90),
        of("v3", "Table 1, c", RULE_VALUE, 1, "table1-cells", 92.5),
        of("d", "Section 4", RULE_DIFFERENCE, 2, "table1", 1),
        of("e", "Section 4", RULE_DIRECTION, 2, "table1", NAN),
        of("t", "Section 4", RULE_TESTS, 1, "", NAN),
    };
    const Judgement all[] = {
        judgement(&claims[0], "reproduced", DECIDED, 80),
        judgement(&claims[1], "lower", DECIDED, 85),
        judgement(&claims[2], "reproduced", STALE, 82),
        judgement(&claims[3], "contradicted", DECIDED, -1),
        judgement(&claims[4], "confirmed", DECIDED, 1),
        judgement(&claims[5], "undecided", STATE_NOT_RUN, NAN),
    };
    const Claims list = {.claims = (Claim *)claims, .count = 6};
    const Evidence none = {0};
    static const Rows rows;
    const Court court = {.claims = &list, .evidence = &none, .rows = &rows};
    char *text = printed(all, &court);
    ck_assert_msg(
        strstr(text,
               "6 claims. Cells of accuracy reproduced: 1 of 3. Kendall's tau of Table 1's row order: 0.33.\n"
               "Directions upheld: 1 of 2. Decided, by weight: 80%.\n") != NULL,
        "%s", text);
    free(text);
    Text part = {0};
    ledger_markdown(&part, all, &court);
    ck_assert_msg(
        strstr(part.bytes,
               "6 claims; cells of accuracy reproduced 1 of 3; Kendall's tau of Table 1's row order 0.33; "
               "directions upheld 1 of 2; decided, by weight, 80 %.\n") != NULL,
        "%s", part.bytes);
    ck_assert_ptr_nonnull(strstr(part.bytes, "{#claim-v3 .upheld}"));
    ck_assert_ptr_nonnull(strstr(part.bytes, "{#claim-v2 .against}"));
    ck_assert_ptr_nonnull(strstr(part.bytes, "{#claim-t .open}"));
    text_free(&part);
}
END_TEST

/* Every number in its column. */
START_TEST(test_ledger_writes_each_number_in_its_column)
{
    Claim claim = of("id", "Table 1", RULE_DIFFERENCE, 1, "table1", 2.5);
    claim.statement = "a|b";
    claim.paper = "2.5";
    Judgement j = judgement(&claim, "v", BLOCKED, 1.25);
    j.ci95 = (Interval){0.5, 2};
    j.n = 7;
    j.s = 0.125;
    j.mde80 = 0.25;
    j.seeds_needed = 9;
    j.p = 0.01;
    j.holm = 0.02;
    j.minutes = 12.5;
    strcpy(j.why, "w");
    strcpy(j.half, "half");
    strcpy(j.twice, "twice");
    strcpy(j.best, "best");
    strcpy(j.bounded, "bounded");
    strcpy(j.bounded_by, "by");
    strcpy(j.rule_date, "date");
    strcpy(j.evidence, "evidence");
    strcpy(j.command, "command");
    const Claims list = {.claims = &claim, .count = 1};
    const Evidence none = {0};
    static const Rows rows;
    const Court court = {.claims = &list, .evidence = &none, .rows = &rows};
    Text table = {0};
    ledger_tsv(&table, &j, &court);
    ck_assert_str_eq(strchr(table.bytes, '\n') + 1,
                     "id\tv\tB\tblocked: "
                     "w\t1.2500\t0.500..2.000\t7\t0.1250\t0.2500\t9\thalf\ttwice\tbest\t0.01\t0.02\tbounded\t"
                     "by\tdate\tevidence\tcommand\t12.5\n");
    text_free(&table);
    char *text = printed(&j, &court);
    ck_assert_ptr_nonnull(strstr(text, "at half the margin: half; at twice: twice\n"));
    ck_assert_ptr_nonnull(strstr(text, "bounded: bounded (by)\n"));
    free(text);
    Text part = {0};
    ledger_markdown(&part, &j, &court);
    ck_assert_msg(strstr(part.bytes, "| a\\|b | 2.5 | 1.25 | v | B | blocked | by | \n") != NULL, "%s",
                  part.bytes);
    text_free(&part);
}
END_TEST

START_TEST(test_ledger_groups_places)
{
    const Claim claims[] = {of("a", "Table 10, x", RULE_TESTS, 1, "", NAN),
                            of("b", "Table 1, y", RULE_TESTS, 1, "", NAN),
                            of("c", "Table 1, x", RULE_TESTS, 1, "", NAN)};
    const Judgement all[] = {judgement(&claims[0], "holds", DECIDED, NAN),
                             judgement(&claims[1], "holds", DECIDED, NAN),
                             judgement(&claims[2], "holds", DECIDED, NAN)};
    const Claims list = {.claims = (Claim *)claims, .count = 3};
    const Evidence none = {0};
    static const Rows rows;
    const Court court = {.claims = &list, .evidence = &none, .rows = &rows};
    char *text = printed(all, &court), *first = strstr(text, "\nTable 1\n");
    ck_assert_ptr_nonnull(first);
    ck_assert_ptr_null(strstr(first + 1, "\nTable 1\n"));
    ck_assert_ptr_nonnull(strstr(text, "\nTable 10\n"));
    ck_assert_ptr_null(strstr(text, "What would decide"));
    free(text);
}
END_TEST

/* Of t.a, which u.a is by another name, 3 seeds of 40 epochs are wanted and 5 of 400: these, of 36 seconds on
 * 4 threads each, 36 * 4 * 400 * 5 / 3600 = 80 hours of a core. What is decided needs nothing. */
START_TEST(test_ledger_tells_what_would_decide)
{
    Error error;
    Rows rows;
    Evidence evidence = {0};
    Folder folder = {.threads = 4};
    char path[128];
    program_put("rows.tsv", ".",
                "row\tlayers\tchannels\toptions\ttarget\nt.a\t10\t64\t--pooling=none\ttable1\n"
                "u.a\t10\t64\t--pooling=none\ttable2\nt.b\t10\t64\t--pooling=learned\ttable1\n"
                "t.c\t10\t64\t--pooling=uniform\ttable1\nt.d\t10\t64\t--pooling=predefined\ttable1\n");
    snprintf(path, sizeof path, "%s/rows.tsv", program_folder);
    ck_assert_msg(rows_read(&rows, path, &error), "%s", error.text);
    add_row(&evidence, "k", 'B', "", "t.a", 1, 36, 0);
    evidence.folders = &folder;
    group_row(&evidence.groups[0], "t.a", false)->folder[0] = 0;
    Claim claims[] = {of("d", "1", RULE_DIFFERENCE, 1, "", 1), of("r", "1", RULE_VALUE, 1, "", 1),
                      of("o", "1", RULE_ORDER, 1, "", NAN),    of("e", "1", RULE_DIRECTION, 1, "", NAN),
                      of("done", "1", RULE_VALUE, 1, "", 1),   of("t", "1", RULE_TESTS, 1, "", NAN),
                      of("u", "1", RULE_TESTS, 1, "", NAN)};
    static const char *const deciders[] = {"diff:t.a,t.b", "run:u.a", "order:t.a,t.c", "early:t.a,t.d",
                                           "run:t.a"};
    Judgement all[7];
    for (int c = 0; c < 7; c++) {
        if (c < 5)
            claims[c].decider = deciders[c];
        all[c] = judgement(&claims[c], "undecided", c == 4 || c == 5 ? DECIDED : BLOCKED, NAN);
        all[c].seeds_needed = c == 1 ? 5 : c == 4 ? 30 : 3;
    }
    claims[1].min_grade = claims[4].min_grade = "A";
    const Claims list = {.claims = claims, .count = 7};
    const Court court = {.claims = &list, .evidence = &evidence, .rows = &rows};
    char *text = printed(all, &court);
    static const char *const lines[] = {
        ("  t.a                              5    400        80.0  make table1 BUDGET=paper SEEDS=\"1 2 3 4 "
         "5\"\n"),
        "  t.b                              3     40           -  make table1 BUDGET=day SEEDS=\"1 2 3\"\n",
        "  t.c                              3     40           -  make table1 BUDGET=day SEEDS=\"1 2 3\"\n",
        "  t.d                              3     40           -  make table1 BUDGET=day SEEDS=\"1 2 3\"\n",
        "  in all 80 core-hours, from timing.tsv of the fastest runs of each row; 3 rows have no run",
        "  1 claims wait for tests",
    };
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
        ck_assert_msg(strstr(text, lines[i]) != NULL, "no line\n%sin\n%s", lines[i], text);
    ck_assert_ptr_null(strstr(text, "  u.a  "));
    free(text);
    evidence.folders = NULL;
    evidence_free(&evidence);
    tsv_free(&rows.table);
}
END_TEST

/* Where no run is wanted, tests and the reader's copy may be; where nothing is, nothing is said. */
START_TEST(test_ledger_tells_what_would_decide_without_runs)
{
    Evidence evidence = {0};
    const Rows rows = {0};
    Claim claims[] = {of("t", "1", RULE_TESTS, 1, "", NAN), of("q", "1", RULE_QUOTE, 1, "", NAN)};
    Judgement all[2];
    const Claims list = {.claims = claims, .count = 2};
    const Court court = {.claims = &list, .evidence = &evidence, .rows = &rows};
    for (int open = 0; open < 4; open++) {
        for (int c = 0; c < 2; c++)
            all[c] = judgement(&claims[c], "holds", open >> c & 1 ? STATE_NOT_RUN : DECIDED, NAN);
        char *text = printed(all, &court);
        ck_assert_int_eq(strstr(text, "\nWhat would decide what is undecided:\n  1 claims wait") != NULL,
                         open > 0);
        ck_assert_int_eq(strstr(text, "  1 claims wait for tests: make check") != NULL, open & 1);
        ck_assert_int_eq(strstr(text, "  1 claims wait for the words of the paper") != NULL, open >> 1);
        ck_assert_ptr_null(strstr(text, "core-hours"));
        free(text);
    }
}
END_TEST

/* What a verdict does to those that rest on it. */
START_TEST(test_every_verdict_has_its_weight)
{
    static const struct {
        Support support;
        const char *words[10];
    } table[] = {
        {UPHELD, {"confirmed", "confirmed, other size", "in direction", "reproduced", "holds", "isolated"}},
        {WEAKENED,
         {"compatible", "negligible", "only with test-set selection", "underdetermined (1 of 2 readings)"}},
        {AGAINST,
         {"absent", "contradicted", "lower", "higher", "impossible", "broken", "not isolated",
          "rival stands"}},
        {OPEN, {"undecided", "confirmed (not decided at this grade)", ""}},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        for (int w = 0; table[i].words[w]; w++)
            ck_assert_msg(support_of(table[i].words[w]) == table[i].support, "%s", table[i].words[w]);
}
END_TEST

Suite *ledger_suite(void)
{
    Suite *suite = suite_create("ledger");
    TCase *tcase = tcase_create("by hand");
    tcase_add_checked_fixture(tcase, program_setup, program_teardown);
    tcase_add_test(tcase, test_ledger_counts_what_is_decided);
    tcase_add_test(tcase, test_ledger_writes_each_number_in_its_column);
    tcase_add_test(tcase, test_ledger_groups_places);
    tcase_add_test(tcase, test_ledger_tells_what_would_decide);
    tcase_add_test(tcase, test_ledger_tells_what_would_decide_without_runs);
    tcase_add_test(tcase, test_every_verdict_has_its_weight);
    suite_add_tcase(suite, tcase);
    return suite;
}
