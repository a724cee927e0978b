/* Tables of tabs. See tsv.h. */
#include "tsv.h"
#include "../base/files.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Cuts the line at its tabs; returns how many cells it has, the first `room` of them stored. */
static int cut(char **cells, int room, char *line)
{
    int count = 0;
    for (char *cell = line; cell; count++) {
        char *tab = strchr(cell, '\t');
        if (tab)
            *tab = '\0';
        if (count < room)
            cells[count] = cell;
        cell = tab ? tab + 1 : NULL;
    }
    return count;
}

static int count_of(const char *text, char what)
{
    int count = 0;
    for (; *text; text++)
        count += *text == what;
    return count;
}

bool tsv_read(Tsv *table, const char *path, const char *header, Error *error)
{
    size_t size;
    *table = (Tsv){0};
    snprintf(table->path, sizeof table->path, "%s", path);
    if (!file_read(&table->bytes, &size, path, error))
        return false;
    const size_t length = strlen(header);
    if (strncmp(table->bytes, header, length) != 0 || !strchr("\t\n", table->bytes[length]))
        return fail(error, "the first line of %s must be: %s", path, header);
    for (const char *c = table->bytes; *c && *c != '\n'; c++)
        table->columns += *c == '\t';
    table->columns++;
    /* A cell ends at a tab or at a line's end; the last row may not be ended. */
    table->cells =
        calloc((size_t)count_of(table->bytes, '\n') + count_of(table->bytes, '\t') + 2, sizeof *table->cells);
    if (!table->cells)
        return fail(error, "no memory for the rows of %s", path);
    int number = 1;
    char *end = strchr(table->bytes, '\n');
    for (char *line = end ? end + 1 : NULL; line && *line; line = end ? end + 1 : NULL) {
        number++;
        end = strchr(line, '\n');
        if (end)
            *end = '\0';
        if (*line == '#')
            continue;
        const int cells = cut(table->cells + (size_t)table->rows * table->columns, table->columns, line);
        if (cells != table->columns)
            return fail(error, "%s:%d has %d cells, but its header has %d", path, number, cells,
                        table->columns);
        table->rows++;
    }
    return true;
}

int tsv_column(const Tsv *table, const char *name)
{
    const size_t length = strlen(name);
    int column = 0;
    for (const char *at = table->bytes; at && *at; at += strcspn(at, "\t\n") + 1, column++) {
        if (strncmp(at, name, length) == 0 && strchr("\t\n", at[length]))
            return column;
        if (at[strcspn(at, "\t\n")] != '\t')
            break;
    }
    return -1;
}

const char *tsv_cell(const Tsv *table, int row, int column)
{
    return table->cells[(size_t)row * table->columns + column];
}

void tsv_free(Tsv *table)
{
    free(table->bytes);
    free(table->cells);
    *table = (Tsv){0};
}

bool next_word(char *word, int size, const char **list)
{
    *list += strspn(*list, " ");
    const int length = (int)strcspn(*list, " ");
    snprintf(word, size, "%.*s", length, *list);
    *list += length;
    return length > 0;
}

bool has_word(const char *list, const char *word)
{
    char other[512];
    while (next_word(other, sizeof other, &list))
        if (strcmp(other, word) == 0)
            return true;
    return false;
}
