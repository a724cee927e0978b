/* What the project itself says of claims: test functions and their last results, the `Claims:` comments of
 * code and tests, the choices; and what is published of other nets. */
#ifndef NOPOOL_SOURCES_H
#define NOPOOL_SOURCES_H

#include "claims.h"
#include "evidence.h"
#include <stdio.h>

typedef enum { NOT_RUN, PASSED, FAILED } TestOutcome;

typedef struct {
    char name[96], file[1024];
    TestOutcome outcome;
    bool stale; /* it ran in another commit than this program's */
    bool given; /* its file gives it to a case, of a suite that tests/suites.def has */
} TestFunction;

/* A claim's id in a comment of a file. */
typedef struct {
    char id[64], file[1024];
    int line;
} Marker;

typedef struct {
    TestFunction *tests;
    Marker *markers;
    int tests_count, markers_count;
    char *suites;         /* tests/suites.def */
    Tsv choices, outside; /* outside: published nets; without rows where the file is missing */
    bool ran;             /* there is a file of results */
} Sources;

/* Reads tests/, ref/, fast/ and experiments/ under `root`, paper/choices.tsv and, where it is,
 * paper/expected/outside.tsv; `results` is what `make
 * check` left (test <tab> pass|fail <tab> commit a line), which may be missing. */
bool sources_read(Sources *sources, const char *root, const char *results, Error *error);
const TestFunction *sources_test(const Sources *sources, const char *name);

/* How many values the project offers for a choice, 0 if there is no such row. */
int sources_choice(const Sources *sources, const char *id);
bool sources_marked(const Sources *sources, const char *id, const char *file);
void sources_free(Sources *sources);

/* Every orphan, a sentence a line on `out`; returns how many: deciders that do not exist (tests, files, rows,
 * spaces of readings, choices, claims that `printed:` names), tests that nothing runs, tests and files that
 * do not carry the claim's id, ids in comments that no claim has or whose claim does not name that file. */
int sources_orphans(const Sources *sources, const Claims *claims, const Rows *rows, const char *root,
                    FILE *out);

#endif
