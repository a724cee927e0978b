/* Orphans: what claims and code say of each other must be there. See sources.h. */
#include "../base/files.h"
#include "readings.h"
#include "sources.h"
#include <stdarg.h>
#include <string.h>

/* Where orphans are told, and what they are told of. */
typedef struct {
    const Sources *sources;
    const Claims *claims;
    const Rows *rows;
    const char *root;
    FILE *out;
    int count;
} Orphans;

static void orphan(Orphans *o, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void orphan(Orphans *o, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fputs("orphan: ", o->out);
    vfprintf(o->out, format, arguments);
    fputc('\n', o->out);
    va_end(arguments);
    o->count++;
}

static void check_test(Orphans *o, const Claim *claim, const char *name)
{
    const TestFunction *test = sources_test(o->sources, name);
    if (!test)
        orphan(o, "claim %s is decided by the test %s, which does not exist", claim->id, name);
    else if (!test->given)
        orphan(o,
               "claim %s is decided by the test %s, which nothing runs: give it to a case in %s, and the "
               "suite to tests/suites.def",
               claim->id, name, test->file);
    else if (!sources_marked(o->sources, claim->id, test->file))
        orphan(o, "claim %s is decided by a test in %s, which does not name it: add it to `Claims:` there",
               claim->id, test->file);
}

static void check_code(Orphans *o, const Claim *claim, const char *file)
{
    char path[1024];
    snprintf(path, sizeof path, "%s/%s", o->root, file);
    if (!file_exists(path))
        orphan(o, "claim %s is implemented in %s, which does not exist", claim->id, file);
    else if (!sources_marked(o->sources, claim->id, file))
        orphan(o, "claim %s is implemented in %s, which does not name it: add it to `Claims:` there",
               claim->id, file);
}

static void check_rows(Orphans *o, const Claim *claim, const char *list)
{
    char name[64];
    while (next_name(name, sizeof name, &list))
        if (!rows_have(o->rows, name))
            orphan(o, "claim %s is decided by runs of %s, which is no row of paper/rows.tsv", claim->id,
                   name);
}

/* A list that begins with one of the words `known`, behind which stand claims with printed values. */
static void check_values(Orphans *o, const Claim *claim, const char *list, const char *known,
                         const char *unknown)
{
    char name[64];
    next_name(name, sizeof name, &list);
    if (!has_word(known, name))
        orphan(o, "claim %s: %s `%s`", claim->id, unknown, name);
    while (next_name(name, sizeof name, &list)) {
        const Claim *other = claim_of(o->claims, name);
        if (!other || !*other->paper)
            orphan(o, "claim %s takes the printed value of %s, which has none", claim->id, name);
    }
}

static void check_decider(Orphans *o, const Claim *claim, const char *word)
{
    static const char rows[] = "run diff early seconds slope depth deeper order";
    char kind[32], first[64];
    const int length = (int)strcspn(word, ":");
    const char *argument = word[length] ? word + length + 1 : "";
    snprintf(kind, sizeof kind, "%.*s", length, word);
    if (strcmp(kind, "test") == 0)
        check_test(o, claim, argument);
    else if (strcmp(kind, "code") == 0)
        check_code(o, claim, argument);
    else if (strcmp(kind, "printed") == 0)
        check_values(o, claim, argument, "minus ratio less order noise", "there is no arithmetic");
    else if (strcmp(kind, "outside") == 0)
        check_values(o, claim, argument, "macs parameters", "published nets have no cost");
    else if (has_word(rows, kind))
        check_rows(o, claim, argument);
    else if (strcmp(kind, "readings") == 0 && !readings_known(argument))
        orphan(o, "claim %s: there is no space of readings `%s`", claim->id, argument);
    else if (strcmp(kind, "choice") == 0 && next_name(first, sizeof first, &argument) &&
             sources_choice(o->sources, first) == 0)
        orphan(o, "claim %s: paper/choices.tsv has no row %s", claim->id, first);
}

/* Whether a claim says that this file implements or tests it. */
static bool names_file(const Sources *s, const Claim *claim, const char *file)
{
    char word[512];
    for (const char *at = claim->decider; next_word(word, sizeof word, &at);) {
        const TestFunction *test = strncmp(word, "test:", 5) == 0 ? sources_test(s, word + 5) : NULL;
        if ((test && strcmp(test->file, file) == 0) ||
            (strncmp(word, "code:", 5) == 0 && strcmp(word + 5, file) == 0))
            return true;
    }
    return false;
}

static void check_marker(Orphans *o, const Marker *marker)
{
    const Claim *claim = claim_of(o->claims, marker->id);
    if (!claim)
        orphan(o, "%s:%d names the claim %s, which does not exist", marker->file, marker->line, marker->id);
    else if (!names_file(o->sources, claim, marker->file))
        orphan(o,
               "%s:%d names the claim %s, whose deciders do not name this file: add code:%s or a test of it",
               marker->file, marker->line, marker->id, marker->file);
}

static void check_readings(Orphans *o, const Claim *claim)
{
    char id[64];
    for (const char *at = claim->readings; next_word(id, sizeof id, &at);)
        if (sources_choice(o->sources, id) == 0)
            orphan(o, "claim %s depends on the choice %s, which paper/choices.tsv does not have", claim->id,
                   id);
}

int sources_orphans(const Sources *sources, const Claims *claims, const Rows *rows, const char *root,
                    FILE *out)
{
    Orphans o = {sources, claims, rows, root, out, 0};
    for (int c = 0; c < claims->count; c++) {
        char word[512];
        const Claim *claim = &claims->claims[c];
        for (const char *at = claim->decider; next_word(word, sizeof word, &at);)
            check_decider(&o, claim, word);
        check_readings(&o, claim);
    }
    for (int m = 0; m < sources->markers_count; m++)
        check_marker(&o, &sources->markers[m]);
    return o.count;
}
