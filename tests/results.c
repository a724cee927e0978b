/* Check's log as a table. See results.h. */
#include "results.h"
#include "../experiments/base/files.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    char name[96], outcome[8], commit[64];
    bool taken; /* from this log */
} Line;

typedef struct {
    Line *lines;
    int count;
} Lines;

static Line *line_of(Lines *all, const char *name)
{
    for (int i = 0; i < all->count; i++)
        if (strcmp(all->lines[i].name, name) == 0)
            return &all->lines[i];
    Line *more = realloc(all->lines, (size_t)(all->count + 1) * sizeof *more);
    if (!more)
        return NULL;
    all->lines = more;
    Line *line = &more[all->count++];
    *line = (Line){.taken = false};
    snprintf(line->name, sizeof line->name, "%s", name);
    return line;
}

static const char *next_line(const char *line)
{
    const char *end = strchr(line, '\n');
    return end ? end + 1 : line + strlen(line);
}

static void read_table(Lines *all, const char *bytes)
{
    for (const char *at = bytes; *at; at = next_line(at)) {
        char name[96], outcome[8], commit[64];
        Line *line = sscanf(at, "%95s %7s %63s", name, outcome, commit) == 3 ? line_of(all, name) : NULL;
        if (line) {
            snprintf(line->outcome, sizeof line->outcome, "%s", outcome);
            snprintf(line->commit, sizeof line->commit, "%s", commit);
        }
    }
}

/* "file:line:P:case:test:turn: message"; F and E are failures and errors. */
static void read_log(Lines *all, const char *bytes, const char *commit)
{
    for (const char *at = bytes; *at; at = next_line(at)) {
        char mark, name[96];
        if (sscanf(at, "%*[^:\n]:%*d:%c:%*[^:\n]:%95[^:\n]:", &mark, name) != 2 || !strchr("PFE", mark))
            continue;
        Line *line = line_of(all, name);
        if (!line)
            continue;
        const bool passes = mark == 'P' && !(line->taken && strcmp(line->outcome, "fail") == 0);
        snprintf(line->outcome, sizeof line->outcome, "%s", passes ? "pass" : "fail");
        snprintf(line->commit, sizeof line->commit, "%s", commit);
        line->taken = true;
    }
}

bool results_take(const char *table, const char *log, const char *commit, Error *error)
{
    char *before = NULL, *bytes = NULL;
    size_t size;
    Lines all = {0};
    if (!file_read(&bytes, &size, log, error))
        return false;
    if (file_exists(table) && file_read(&before, &size, table, error))
        read_table(&all, before);
    read_log(&all, bytes, commit);
    char *text = malloc((size_t)all.count * sizeof(Line) + 1);
    size_t used = 0;
    for (int i = 0; text && i < all.count; i++)
        used += (size_t)sprintf(text + used, "%s\t%s\t%s\n", all.lines[i].name, all.lines[i].outcome,
                                all.lines[i].commit);
    const bool ok = text ? file_write(table, text, used, error) : fail(error, "no memory for %s", table);
    free(text);
    free(bytes);
    free(before);
    free(all.lines);
    return ok;
}
