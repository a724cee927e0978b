/* A table as a file: a header line of names, then a line a row, tabs between the cells. */
#ifndef NOPOOL_TSV_H
#define NOPOOL_TSV_H

#include "../base/error.h"

typedef struct {
    char *bytes;
    char **cells; /* (rows, columns), pointing into bytes */
    int columns, rows;
    char path[512];
} Tsv;

/* Reads a file whose header begins with these names; a row with more or fewer cells than its header is
 * refused by its line. Lines that begin with '#' are left out. The caller frees, after a failure too. */
bool tsv_read(Tsv *table, const char *path, const char *header, Error *error);
/* The column of this name, -1 if there is none, as in a table that was not read. */
int tsv_column(const Tsv *table, const char *name);
const char *tsv_cell(const Tsv *table, int row, int column);
void tsv_free(Tsv *table);

/* Whether a list of words between blanks has this one; and its next word, copied, or false at the end. */
bool has_word(const char *list, const char *word);
bool next_word(char *word, int size, const char **list);

#endif
