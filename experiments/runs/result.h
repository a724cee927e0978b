/* result.tsv: the final figures of a run and its cost. */
#ifndef NOPOOL_RESULT_H
#define NOPOOL_RESULT_H

#include "../base/text.h"
#include "../protocol/plan.h"

/* From the run's log and, with a depth mix, the text of its betas: the last epoch is the result; the best on
 * test stands beside it and is never used. False if one does not end with the plan's last epoch. */
bool result_text(Text *text, const Plan *plan, const char *log, const char *beta);

/* Whether the result.tsv of a folder says what result_text wrote; the first line that differs is named. */
bool result_same(const char *result, const char *expected, const char *folder, Error *error);

/* For who reads a finished run without its plan: whether result.tsv's accuracies and losses are those of
 * log.tsv, and all its figures ones that a run can have. */
bool result_check(const char *result, const char *log, const char *folder, Error *error);

/* One value of a table `name <tab> value` (result.tsv, config.tsv, ..); false if the name is not there. */
bool result_value(char *value, size_t size, const char *table, const char *name);

#endif
