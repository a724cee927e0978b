/* result.tsv: the final figures of a run and its cost. */
#ifndef NOPOOL_RESULT_H
#define NOPOOL_RESULT_H

#include "run.h"

/* From the run's log: the last epoch is the result; the best on test stands beside it and is never used. */
bool result_write(const Run *run, Error *error);

/* One value of a table `name <tab> value` (result.tsv, timing of a run, ..); false if the name is not there.
 */
bool result_value(char *value, size_t size, const char *table, const char *name);

#endif
