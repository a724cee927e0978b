/* A table as text on stdout. */
#ifndef NOPOOL_PRINT_H
#define NOPOOL_PRINT_H

#include "rows.h"

typedef struct {
    const char *budget, *title;
    bool speed; /* images a second, seconds a step and peak memory too */
} TableStyle;

/* What was trained on which data, and in what it differs from the paper's protocol. */
void table_print_header(const Table *table, const TableStyle *style);

/* A line a row: the paper's cells, what was measured, and verdicts. */
void table_print_rows(const Table *table, const TableStyle *style);

/* The differences that the paper's text claims, and under them what the design can see; with one seed a row
 * McNemar's test of the networks. */
void table_print_differences(const Table *table);

/* Numbers by others stand under a line of their own. The file's columns: net, parameters, macs, accuracy,
 * source; a line that has others, or none in one of them, is refused. NULL: none. */
bool table_print_literature(const char *path, Error *error);

#endif
