/* Cutting the paper and checking its coverage. See coverage.h. */
#include "coverage.h"
#include "../base/files.h"
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

const char coverage_header[] = "section\tsentence\tsha256\tclaims";

char *normalised(const char *text, size_t length)
{
    char *words = malloc(length + 1);
    size_t used = 0;
    bool gap = false;
    for (size_t i = 0; words && i < length; i++) {
        const int c = (unsigned char)text[i];
        /* A hyphen at a line's end divides a word. */
        if (c == '-' && i + 1 < length && text[i + 1] == '\n') {
            i++;
            continue;
        }
        if (!isalnum(c)) {
            gap = used > 0;
            continue;
        }
        if (gap)
            words[used++] = ' ';
        gap = false;
        words[used++] = (char)tolower(c);
    }
    if (words)
        words[used] = '\0';
    return words;
}

static bool add(Paper *paper, const char *section, const char *text, size_t length, Error *error)
{
    char *words = normalised(text, length);
    if (words && !*words) {
        free(words);
        return true;
    }
    Sentence *more = words ? realloc(paper->sentences, (size_t)(paper->count + 1) * sizeof *more) : NULL;
    if (!more) {
        free(words);
        return fail(error, "no memory for the sentences of the paper");
    }
    paper->sentences = more;
    int number = 1;
    for (int i = 0; i < paper->count; i++)
        number += strcmp(more[i].section, section) == 0;
    Sentence *sentence = &more[paper->count++];
    *sentence = (Sentence){.number = number, .words = words};
    snprintf(sentence->section, sizeof sentence->section, "%s", section);
    sha256_hex(sentence->sha256, words, strlen(words));
    return true;
}

/* Marks after which a full stop ends no sentence. */
static bool is_abbreviation(const char *text, const char *stop)
{
    static const char *const marks[] = {"e.g", "i.e", "Fig", "al", "equ", "Eq", "thr", "res", "Acc"};
    for (size_t m = 0; m < sizeof marks / sizeof *marks; m++) {
        const size_t length = strlen(marks[m]);
        if ((size_t)(stop - text) >= length && strncmp(stop - length, marks[m], length) == 0 &&
            ((size_t)(stop - text) == length || !isalpha((unsigned char)stop[-(long)length - 1])))
            return true;
    }
    return false;
}

static bool ends_sentence(const char *text, const char *at)
{
    if (!strchr(".?!", *at) || !isspace((unsigned char)at[1]) || is_abbreviation(text, at))
        return false;
    const char *next = at + 1;
    next += strspn(next, " \n");
    return isupper((unsigned char)*next) || strchr("-(", *next);
}

static bool cut_sentences(Paper *paper, const char *section, const char *text, Error *error)
{
    const char *start = text;
    for (const char *at = text; *at; at++)
        if (ends_sentence(start, at)) {
            if (!add(paper, section, start, (size_t)(at - start), error))
                return false;
            start = at + 1;
        }
    return add(paper, section, start, strlen(start), error);
}

/* What a line of the copy is. */
typedef enum { LINE_TEXT, LINE_NUMBERS, LINE_HEADING, LINE_CAPTION, LINE_TABLE, LINE_EQUATION } LineKind;

static bool only_numbers(const char *line)
{
    return strspn(line, " 0123456789()") == strlen(line);
}

/* "3.2. Title" or "Abstract": its section's name. */
static bool heading(char section[24], const char *line)
{
    const size_t digits = strspn(line, "0123456789.");
    if (strcmp(line, "Abstract") == 0 || strcmp(line, "References") == 0) {
        snprintf(section, 24, "%c%s", tolower((unsigned char)line[0]), line + 1);
        return true;
    }
    if (digits < 2 || line[digits - 1] != '.' || line[digits] != ' ' ||
        !isupper((unsigned char)line[digits + 1]) || strlen(line) > 60)
        return false;
    snprintf(section, 24, "%.*s", (int)digits - 1, line);
    return true;
}

static bool caption(char section[24], const char *line)
{
    const bool table = strncmp(line, "Table ", 6) == 0;
    if (!table && strncmp(line, "Figure ", 7) != 0)
        return false;
    const char *number = line + (table ? 6 : 7);
    if (!isdigit((unsigned char)number[0]) || number[1] != ':')
        return false;
    snprintf(section, 24, "%s-%c", table ? "table" : "figure", number[0]);
    return true;
}

static LineKind kind_of(char section[24], const char *line, bool in_equation)
{
    if (in_equation || strncmp(line, "$$", 2) == 0)
        return LINE_EQUATION;
    if (only_numbers(line))
        return LINE_NUMBERS;
    if (line[0] == '|')
        return LINE_TABLE;
    return caption(section, line) ? LINE_CAPTION : heading(section, line) ? LINE_HEADING : LINE_TEXT;
}

/* The text of a section as far as it has been read. */
typedef struct {
    Paper *paper;
    char section[24];
    char *text;
    size_t used;
    bool in_equation;
    int tables;
} Cutter;

static bool flush(Cutter *c, Error *error)
{
    c->text[c->used] = '\0';
    c->used = 0;
    return strcmp(c->section, "references") == 0 || cut_sentences(c->paper, c->section, c->text, error);
}

/* The rows of a table stand before its caption: they are counted by the tables that were read. */
static bool take_line(Cutter *c, const char *line, Error *error)
{
    char section[24];
    const size_t length = strlen(line);
    switch (kind_of(section, line, c->in_equation)) {
    case LINE_NUMBERS:
        return true;
    case LINE_TABLE:
        snprintf(section, sizeof section, "table-%d-row", c->tables + 1);
        return add(c->paper, section, line, length, error);
    case LINE_CAPTION:
        c->tables += section[0] == 't';
        return cut_sentences(c->paper, section, line, error);
    case LINE_EQUATION:
        c->in_equation = !strstr(line + (!c->in_equation ? 2 : 0), "$$");
        return add(c->paper, "equations", line, length, error);
    case LINE_HEADING:
        if (!flush(c, error))
            return false;
        snprintf(c->section, sizeof c->section, "%s", section);
        return true;
    default:
        memcpy(c->text + c->used, line, length);
        c->text[c->used + length] = '\n';
        c->used += length + 1;
        return true;
    }
}

bool paper_read(Paper *paper, const char *path, Error *error)
{
    char *bytes;
    size_t size;
    *paper = (Paper){0};
    if (!file_read(&bytes, &size, path, error))
        return false;
    Cutter cutter = {.paper = paper, .section = "title", .text = malloc(size + 2)};
    bool ok = cutter.text || fail(error, "no memory for the paper's text");
    for (char *line = bytes, *end; ok && line; line = end ? end + 1 : NULL) {
        end = strchr(line, '\n');
        if (end)
            *end = '\0';
        const size_t length = strcspn(line, "\r");
        line[length] = '\0';
        ok = take_line(&cutter, line + strspn(line, " "), error);
    }
    ok = ok && flush(&cutter, error);
    free(cutter.text);
    free(bytes);
    return ok && (paper->count > 0 || fail(error, "%s has no sentences", path));
}

void paper_free(Paper *paper)
{
    for (int i = 0; i < paper->count; i++)
        free(paper->sentences[i].words);
    free(paper->sentences);
    *paper = (Paper){0};
}

bool paper_has(const Paper *paper, const char *name, const char *words)
{
    bool has = false;
    char *wanted = normalised(words, strlen(words));
    for (int i = 0; wanted && i < paper->count; i++) {
        char id[48];
        const Sentence *s = &paper->sentences[i];
        snprintf(id, sizeof id, "%s-%d", s->section, s->number);
        has = has || (strcmp(id, name) == 0 && strstr(s->words, wanted));
    }
    free(wanted);
    return has;
}

/* Whether `wanted` stands in a normalised text, from the beginning of a word on. */
static bool begins_in(const char *text, const char *wanted)
{
    for (const char *at = strstr(text, wanted); at; at = strstr(at + 1, wanted))
        if (at == text || at[-1] == ' ')
            return true;
    return false;
}

bool paper_says(const Paper *paper, const char *words)
{
    bool says = false;
    char *wanted = normalised(words, strlen(words));
    for (int i = 0; wanted && *wanted && i < paper->count; i++)
        says = says || begins_in(paper->sentences[i].words, wanted);
    free(wanted);
    return says;
}

enum { SECTION, NUMBER, HASH, CLAIMS_OF };

static int check_lines(const Tsv *coverage, const Claims *claims, FILE *out)
{
    int wrong = 0;
    for (int r = 0; r < coverage->rows; r++) {
        char id[64];
        const char *list = tsv_cell(coverage, r, CLAIMS_OF);
        if (strcmp(list, "no claim") == 0)
            continue;
        wrong += !*list;
        if (!*list)
            fprintf(out, "coverage: sentence %s-%s names no claim: write the ids, or `no claim`\n",
                    tsv_cell(coverage, r, SECTION), tsv_cell(coverage, r, NUMBER));
        while (next_word(id, sizeof id, &list))
            if (!claim_of(claims, id)) {
                fprintf(out, "coverage: sentence %s-%s names the claim %s, which does not exist\n",
                        tsv_cell(coverage, r, SECTION), tsv_cell(coverage, r, NUMBER), id);
                wrong++;
            }
    }
    return wrong;
}

/* Whatever stands in the paper stands in one of its sentences. */
static int check_claims(const Tsv *coverage, const Claims *claims, FILE *out)
{
    int wrong = 0;
    for (int c = 0; c < claims->count; c++) {
        bool covered = false;
        for (int r = 0; r < coverage->rows; r++)
            covered = covered || has_word(tsv_cell(coverage, r, CLAIMS_OF), claims->claims[c].id);
        if (!covered) {
            fprintf(out, "coverage: claim %s is in no sentence of paper/coverage.tsv\n",
                    claims->claims[c].id);
            wrong++;
        }
    }
    return wrong;
}

static int row_of_hash(const Tsv *coverage, const char *sha256)
{
    for (int r = 0; coverage && r < coverage->rows; r++)
        if (strcmp(tsv_cell(coverage, r, HASH), sha256) == 0)
            return r;
    return -1;
}

static int check_copy(const Tsv *coverage, const Paper *paper, FILE *out)
{
    int wrong = 0;
    for (int i = 0; i < paper->count; i++)
        if (row_of_hash(coverage, paper->sentences[i].sha256) < 0) {
            fprintf(out, "coverage: sentence %s-%d of the copy is not covered: \"%.60s..\"\n",
                    paper->sentences[i].section, paper->sentences[i].number, paper->sentences[i].words);
            wrong++;
        }
    for (int r = 0; r < coverage->rows; r++) {
        bool there = false;
        for (int i = 0; i < paper->count; i++)
            there = there || strcmp(paper->sentences[i].sha256, tsv_cell(coverage, r, HASH)) == 0;
        if (!there) {
            fprintf(out, "coverage: sentence %s-%s (claims: %s) is not in the copy\n",
                    tsv_cell(coverage, r, SECTION), tsv_cell(coverage, r, NUMBER),
                    tsv_cell(coverage, r, CLAIMS_OF));
            wrong++;
        }
    }
    return wrong;
}

int coverage_check(const Tsv *coverage, const Claims *claims, const Paper *paper, FILE *out)
{
    return check_lines(coverage, claims, out) + check_claims(coverage, claims, out) +
           (paper ? check_copy(coverage, paper, out) : 0);
}

void coverage_print(const Tsv *before, const Paper *paper, FILE *out)
{
    fprintf(out, "%s\n", coverage_header);
    for (int i = 0; i < paper->count; i++) {
        const Sentence *s = &paper->sentences[i];
        const int row = row_of_hash(before, s->sha256);
        fprintf(out, "%s\t%d\t%s\t%s\n", s->section, s->number, s->sha256,
                row < 0 ? "?" : tsv_cell(before, row, CLAIMS_OF));
    }
}
