/* A table as TSV. */
#ifndef NOPOOL_WRITE_H
#define NOPOOL_WRITE_H

#include "rows.h"

/* Writes rows, then differences, to the file `out`, in a folder that is made if it is not there. */
bool table_write(const Table *table, const char *budget, const char *out, Error *error);

#endif
