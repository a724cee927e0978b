/* What each test function came to, for the audit: test <tab> pass|fail <tab> commit, a line each. */
#ifndef NOPOOL_TESTS_RESULTS_H
#define NOPOOL_TESTS_RESULTS_H

#include "../experiments/base/error.h"

/* Takes the log that Check wrote over into the table: a test that ran replaces its line, one that did not
 * keeps it. Of a loop every turn must have passed. */
bool results_take(const char *table, const char *log, const char *commit, Error *error);

#endif
