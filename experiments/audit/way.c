/* The way of one claim: paper, code, test, run, and back. See ledger.h. */
#include "ledger.h"
#include <string.h>

static void print_sentences(const char *id, const Tsv *coverage, FILE *out)
{
    fprintf(out, "paper     ");
    for (int r = 0; coverage && r < coverage->rows; r++)
        if (has_word(tsv_cell(coverage, r, 3), id))
            fprintf(out, " %s, sentence %s (sha256 %.12s);", tsv_cell(coverage, r, 0),
                    tsv_cell(coverage, r, 1), tsv_cell(coverage, r, 2));
    fprintf(out, "\n");
}

static void print_files(const char *id, const char *title, const char *folder, const Sources *sources,
                        FILE *out)
{
    for (int m = 0; m < sources->markers_count; m++) {
        const Marker *marker = &sources->markers[m];
        if (strcmp(marker->id, id) == 0 && strncmp(marker->file, folder, strlen(folder)) == 0)
            fprintf(out, "%-10s %s:%d\n", title, marker->file, marker->line);
    }
}

static void print_tests(const Claim *claim, const Sources *sources, FILE *out)
{
    static const char *const outcomes[] = {"not run", "pass", "FAIL"};
    char word[512];
    for (const char *at = claim->decider; next_word(word, sizeof word, &at);) {
        const TestFunction *test = strncmp(word, "test:", 5) == 0 ? sources_test(sources, word + 5) : NULL;
        if (test)
            fprintf(out, "test       %s: %s (%s)\n", test->file, test->name, outcomes[test->outcome]);
    }
}

static void print_back(const char *id, const Claims *claims, FILE *out)
{
    for (int c = 0; c < claims->count; c++)
        if (has_word(claims->claims[c].requires, id) || strcmp(claims->claims[c].rival, id) == 0)
            fprintf(out, "required by %s: %s\n", claims->claims[c].id, claims->claims[c].statement);
}

bool ledger_way(const char *id, const Judgement *all, const Court *court, const Tsv *coverage, FILE *out,
                Error *error)
{
    const Claim *claim = claim_of(court->claims, id);
    if (!claim)
        return fail(error, "there is no claim %s in %s", id, court->claims->table.path);
    const Judgement *j = &all[claim - court->claims->claims];
    fprintf(out, "%s (%s)\n%s\n\n", id, claim->place, claim->statement);
    print_sentences(id, coverage, out);
    print_files(id, "ref", "ref/", court->sources, out);
    print_files(id, "fast", "fast/", court->sources, out);
    print_files(id, "code", "experiments/", court->sources, out);
    print_tests(claim, court->sources, out);
    fprintf(out, "decided by %s (rule: %s, at least grade %s)\n", claim->decider, rule_words[claim->rule],
            claim->min_grade);
    fprintf(out, "evidence   %s\n", j->evidence[0] ? j->evidence : "none");
    fprintf(out, "verdict    %s\ngrade      %c\nstate      %s%s%s\n", j->verdict, j->grade,
            state_words[j->state], j->why[0] ? ": " : "", j->why);
    if (j->bounded_by[0])
        fprintf(out, "bounded    %s (%s)\n", j->bounded, j->bounded_by);
    fprintf(out, "command    %s\n", j->command);
    if (claim->needed > 0)
        fprintf(out, "requires   %d at least of %s: %s\n", claim->needed, claim->requires,
                claim->margin_reason);
    else if (*claim->requires)
        fprintf(out, "requires   %s\n", claim->requires);
    print_back(id, court->claims, out);
    return true;
}
