/* Readers of the paper's side: tables, claims, the project's own sources, rows and records, the copy of the
 * paper. */
#include "../../experiments/audit/ledger.h"
#include "../../experiments/audit/liveness.h"
#include "../../experiments/audit/manifest.h"
#include "../../experiments/base/files.h"
#include "../../experiments/tables/print.h"
#include "../../experiments/tables/rows.h"
#include "../results.h"
#include "harness.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Where what is printed goes. */
static FILE *sink(void)
{
    static FILE *file;
    if (!file)
        file = fopen("/dev/null", "w");
    expect(file != NULL, "/dev/null can be written");
    return file;
}

static const Rows *own_rows(void)
{
    static Rows rows;
    Error error;
    if (!rows.table.bytes)
        expect(rows_read(&rows, "paper/rows.tsv", &error), "the project's own rows are read");
    return &rows;
}

void fuzz_table(const uint8_t *bytes, size_t count)
{
    static const char *const names[] = {"table.tsv", "table-differences.tsv", "literature.tsv", NULL};
    static Table table;
    Error error = {""};
    char value[TEXT_OPTION], path[1024];
    scratch_unpack(names, bytes, count);
    snprintf(path, sizeof path, "%s", scratch("table.tsv"));
    const bool read = table_read(&table, path, &error);
    expect_sentence(read, &error);
    for (int r = 0; read && r < table.count; r++) {
        ParameterCounts weights;
        const Row *row = &table.rows[r];
        expect(row->id[0] && row->label[0] && table_row(&table, row->id) == row,
               "a row has a name of its own");
        expect(row_paper_macs(&weights, row) == 0, "a row without runs has no cost of theirs");
        for (int i = 0; options_name(i); i++)
            row_protocol(value, sizeof value, row, options_name(i));
    }
    for (int d = 0; read && d < table.differences; d++)
        for (int t = 0; t < table.difference[d].count; t++)
            expect(table.difference[d].row[t] < table.count, "a difference is one of rows");
    if (read)
        expect(!table_check(&table, &error), "a table without runs compares nothing");
    table_print_literature(scratch("literature.tsv"), &error);
    memset(table.rows, 0, (size_t)(table.count + (table.count < MAX_ROWS)) * sizeof *table.rows);
    memset(table.difference, 0, sizeof table.difference);
    table.count = table.differences = 0;
    table.errors = false;
}

/* Judges all claims on evidence that is made up for one of them. */
static void judge_on(Judgement *all, const Court *court, const Claim *claim)
{
    Evidence made;
    Court with = *court;
    with.evidence = &made;
    if (made_up_evidence(&made, claim, true))
        expect(judge(all, &with, NULL), "claims are judged on evidence");
    evidence_free(&made);
}

/* Judges the claims on no evidence, and on made-up evidence. */
static void judge_claims(const Court *court)
{
    Judgement *all = calloc((size_t)court->claims->count, sizeof *all);
    Text text = {0};
    Error error = {""};
    expect(all != NULL, "there is memory for verdicts");
    const bool judged = judge(all, court, &error);
    expect_sentence(judged, &error);
    if (judged) {
        ledger_print(all, court, sink());
        ledger_tsv(&text, all, court);
        ledger_markdown(&text, all, court);
        liveness_check(court, sink());
        for (int c = 0; c < court->claims->count && c < 4; c++)
            judge_on(all, court, &court->claims->claims[c]);
    }
    text_free(&text);
    free(all);
}

void fuzz_claims(const uint8_t *bytes, size_t count)
{
    static const char *const names[] = {"claims.tsv", "coverage.tsv", NULL};
    Claims claims;
    Tsv coverage;
    Error error = {""};
    scratch_unpack(names, bytes, count);
    const bool read = claims_read(&claims, scratch("claims.tsv"), &error);
    expect_sentence(read, &error);
    if (read) {
        static char choices[] = "id\tpaper\toption\n";
        const Sources sources = {.choices = {.bytes = choices, .columns = 3}};
        const Evidence evidence = {0};
        const Court court = {
            .claims = &claims, .sources = &sources, .evidence = &evidence, .rows = own_rows()};
        for (int c = 0; c < claims.count; c++)
            expect(claim_of(&claims, claims.claims[c].id) == &claims.claims[c],
                   "a claim has a name of its own");
        judge_claims(&court);
        sources_orphans(&sources, &claims, own_rows(), scratch(""), sink());
    }
    error.text[0] = 0;
    const bool covered = tsv_read(&coverage, scratch("coverage.tsv"), coverage_header, &error);
    expect_sentence(covered, &error);
    if (read && covered)
        coverage_check(&coverage, &claims, NULL, sink());
    tsv_free(&coverage);
    claims_free(&claims);
}

/* A small project: a test, a file of code, choices, what `make check` left. */
void fuzz_sources(const uint8_t *bytes, size_t count)
{
    static const char *const names[] = {"tests/test_a.c", "tests/suites.def",  "ref/a.h",
                                        "fast/a.c",       "experiments/a.txt", "paper/choices.tsv",
                                        "check.tsv",      "check.log",         NULL};
    static Claims claims;
    Sources sources;
    Error error = {""};
    char table[1024], log[1024];
    if (!claims.claims) {
        expect(claims_read(&claims, "paper/claims.tsv", &error), "the project's own claims are read");
        for (int i = 0; i < 5; i++)
            scratch_put(names[i], "", 0); /* for their folders */
    }
    scratch_unpack(names, bytes, count);
    snprintf(table, sizeof table, "%s", scratch("check.tsv"));
    snprintf(log, sizeof log, "%s", scratch("check.log"));
    if (file_exists(log))
        expect_sentence(results_take(table, log, "abc", &error), &error);
    const bool read = sources_read(&sources, scratch(""), table, &error);
    expect_sentence(read, &error);
    for (int t = 0; read && t < sources.tests_count; t++)
        sources_test(&sources, sources.tests[t].name);
    for (int r = 0; read && r < sources.choices.rows; r++)
        sources_choice(&sources, tsv_cell(&sources.choices, r, 0));
    for (int m = 0; read && m < sources.markers_count; m++)
        expect(sources_marked(&sources, sources.markers[m].id, sources.markers[m].file), "a mark is found");
    if (read)
        sources_orphans(&sources, &claims, own_rows(), scratch(""), sink());
    sources_free(&sources);
}

void fuzz_evidence(const uint8_t *bytes, size_t count)
{
    static const char *const names[] = {"rows.tsv", "bench.tsv", "records/manifest.tsv", NULL};
    Rows rows;
    Evidence evidence = {0};
    const Claims claims = {0};
    Options run;
    Error error = {""};
    int lines;
    scratch_unpack(names, bytes, count);
    const bool read = rows_read(&rows, scratch("rows.tsv"), &error);
    expect_sentence(read, &error);
    options_default(&run);
    for (int r = 0; read && r < rows.table.rows; r++) {
        const char *id = tsv_cell(&rows.table, r, 0);
        expect(rows_have(&rows, id) && rows_same(&rows, id, id) && rows_target(&rows, id), "a row is found");
        rows_scale(&rows, id, &run);
    }
    if (evidence_bench(&evidence, scratch("bench.tsv"), &error))
        evidence_share(&evidence, "pool_and_upsample", &lines);
    manifest_check(scratch("records"), &evidence, &claims, sink());
    manifest_tell(scratch("records"), &claims, "broken", sink());
    evidence_free(&evidence);
    tsv_free(&rows.table);
}

void fuzz_paper(const uint8_t *bytes, size_t count)
{
    static const char *const names[] = {"paper.txt", "coverage.tsv", NULL};
    Paper paper;
    Tsv coverage;
    const Claims claims = {0};
    Error error = {""};
    scratch_unpack(names, bytes, count);
    const bool read = paper_read(&paper, scratch("paper.txt"), &error);
    expect_sentence(read, &error);
    for (int i = 0; read && i < paper.count; i++) {
        char name[64];
        const Sentence *s = &paper.sentences[i];
        snprintf(name, sizeof name, "%s-%d", s->section, s->number);
        expect(s->words[0] && paper_has(&paper, name, s->words), "a sentence has its own words");
    }
    error.text[0] = 0;
    const bool listed = tsv_read(&coverage, scratch("coverage.tsv"), coverage_header, &error);
    expect_sentence(listed, &error);
    if (read && listed) {
        coverage_check(&coverage, &claims, &paper, sink());
        coverage_print(&coverage, &paper, sink());
    }
    tsv_free(&coverage);
    paper_free(&paper);
}
