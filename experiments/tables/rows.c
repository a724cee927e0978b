/* Tables from TSV files and run folders. See rows.h; what compares with what is in comparable.c. */
#include "rows.h"
#include "../base/files.h"
#include "../protocol/plan.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_COLUMNS = 16, CELL = 512 };

/* One line's cells; returns the start of the next line, or NULL behind the last. */
static const char *read_line(char cells[MAX_COLUMNS][CELL], int *count, const char *line)
{
    *count = 0;
    for (bool more = true; more && *count < MAX_COLUMNS; ++*count) {
        const size_t length = strcspn(line, "\t\n");
        snprintf(cells[*count], CELL, "%.*s", (int)length, line);
        more = line[length] == '\t';
        line += length + more;
    }
    line += strcspn(line, "\n");
    return *line && line[1] ? line + 1 : NULL;
}

/* The cell under a column's name; "" if there is no such column. */
static const char *cell(char cells[MAX_COLUMNS][CELL], char names[MAX_COLUMNS][CELL], int columns,
                        const char *name)
{
    for (int i = 0; i < columns; i++)
        if (strcmp(names[i], name) == 0)
            return cells[i];
    return "";
}

static double number(const char *text)
{
    char *end;
    const double value = strtod(text, &end);
    return end == text || *end || isinf(value) ? NAN : value;
}

/* A number, or nothing or `-` for none; anything else is refused. */
static bool read_number(double *value, const char *text, const Table *table, Error *error)
{
    *value = number(text);
    return !isnan(*value) || !*text || strcmp(text, "-") == 0 ||
           fail(error, "%s, row number %d: `%.40s` is no number; `-` stands for none", table->expected,
                table->count + 1, text);
}

static double half_digit(const char *text)
{
    const char *point = strchr(text, '.');
    return 0.5 * pow(10, point ? -(double)strlen(point + 1) : 0);
}

static bool paper_options(Options *o, const char *words, const char *path, Error *error)
{
    Error why;
    options_default(o);
    for (int i = 0; options_name(i); i++) {
        const char *name = options_name(i), *stated = options_stated(name);
        if (stated && !options_set(o, name, stated, error))
            return false;
    }
    return options_set_words(o, words, &why) || fail(error, "%.300s: %.600s", path, why.text);
}

static bool add_row(Table *table, char cells[MAX_COLUMNS][CELL], char names[MAX_COLUMNS][CELL], int columns,
                    Error *error)
{
    Row *row = &table->rows[table->count];
    if (table->count == MAX_ROWS)
        return fail(error, "%s has more than %d rows", table->expected, MAX_ROWS);
    table->errors = table->errors || cell(names, names, columns, "error")[0];
    snprintf(row->id, sizeof row->id, "%.63s", cell(cells, names, columns, "row"));
    snprintf(row->label, sizeof row->label, "%.63s", cell(cells, names, columns, "label"));
    const char *accuracy = cell(cells, names, columns, table->errors ? "error" : "accuracy");
    if (!read_number(&row->accuracy, accuracy, table, error) ||
        !read_number(&row->cost, cell(cells, names, columns, "cost"), table, error) ||
        !read_number(&row->parameters, cell(cells, names, columns, "parameters"), table, error) ||
        !read_number(&row->depth, cell(cells, names, columns, "depth"), table, error))
        return false;
    row->accuracy = table->errors ? 100 - row->accuracy : row->accuracy;
    row->half_digit = half_digit(accuracy);
    snprintf(row->stated, sizeof row->stated, "%s", cell(cells, names, columns, "options"));
    if (!row->id[0] || !row->label[0] || table_row(table, row->id))
        return fail(error, "%s: row number %d has no name, no label, or the name of an earlier one",
                    table->expected, table->count + 1);
    table->count++;
    return paper_options(&row->paper, row->stated, table->expected, error);
}

static bool add_terms(Difference *d, const Table *table, const char *ids, double weight, const char *path,
                      Error *error)
{
    for (ids += strspn(ids, " "); *ids; ids += strspn(ids, " ")) {
        char id[64];
        const size_t length = strcspn(ids, " ");
        snprintf(id, sizeof id, "%.*s", (int)length, ids);
        const Row *row = table_row(table, id);
        if (!row || d->count == MAX_TERMS)
            return fail(error, "%s: %s is no row of %s, or one of too many", path, id, table->expected);
        d->weight[d->count] = weight;
        d->row[d->count++] = (int)(row - table->rows);
        ids += length;
    }
    return true;
}

static bool add_difference(Table *table, char cells[MAX_COLUMNS][CELL], char names[MAX_COLUMNS][CELL],
                           int columns, const char *path, Error *error)
{
    static const char *const kinds[] = {"size", "direction", "equal"};
    const char *kind = cell(cells, names, columns, "claim");
    Difference *d = &table->difference[table->differences];
    if (table->differences == MAX_DIFFERENCES)
        return fail(error, "%s has more than %d differences", path, MAX_DIFFERENCES);
    snprintf(d->label, sizeof d->label, "%.127s", cell(cells, names, columns, "label"));
    while (d->kind < 3 && strcmp(kind, kinds[d->kind]) != 0)
        d->kind++;
    if (d->kind == 3)
        return fail(error, "%s: the claim of %s is %s, but must be size, direction or equal", path, d->label,
                    kind);
    table->differences++;
    return add_terms(d, table, cell(cells, names, columns, "plus"), 1, path, error) &&
           add_terms(d, table, cell(cells, names, columns, "minus"), -1, path, error) &&
           ((d->count && d->weight[0] > 0 && d->weight[d->count - 1] < 0) ||
            fail(error, "%s: %s has no row on one of its sides, `plus` and `minus`", path, d->label));
}

/* Reads a file with a line of names, and gives each further line to add_row or, with differences,
 * add_difference. */
static bool read_file(Table *table, const char *path, bool differences, Error *error)
{
    static char names[MAX_COLUMNS][CELL], cells[MAX_COLUMNS][CELL];
    char *bytes;
    size_t size;
    int columns, count;
    bool ok = true;
    if (!file_read(&bytes, &size, path, error))
        return false;
    for (const char *line = read_line(names, &columns, bytes); line && ok;) {
        line = read_line(cells, &count, line);
        ok = count == columns ||
             fail(error, "%s: a line has %d columns, but the first has %d", path, count, columns);
        ok = ok && (differences ? add_difference(table, cells, names, columns, path, error)
                                : add_row(table, cells, names, columns, error));
    }
    free(bytes);
    return ok;
}

bool table_read(Table *table, const char *path, Error *error)
{
    char beside[4096];
    const char *dot = strrchr(path, '.');
    table->expected = path;
    if (!read_file(table, path, false, error))
        return false;
    if (table->count == 0)
        return fail(error, "%s has no rows `row <tab> label <tab> accuracy <tab> cost`", path);
    snprintf(beside, sizeof beside, "%.*s-differences.tsv", dot ? (int)(dot - path) : (int)strlen(path),
             path);
    return !file_exists(beside) || read_file(table, beside, true, error);
}

const Row *table_row(const Table *table, const char *id)
{
    for (int i = 0; i < table->count; i++)
        if (strcmp(table->rows[i].id, id) == 0)
            return &table->rows[i];
    return NULL;
}

/* Puts the last run of the row where its seed belongs. */
static void sort_last(Row *row)
{
    for (int i = row->count - 1; i > 0 && row->runs[i].options.seed < row->runs[i - 1].options.seed; i--) {
        const RunRecord later = row->runs[i];
        row->runs[i] = row->runs[i - 1];
        row->runs[i - 1] = later;
    }
}

bool table_add_run(Table *table, const char *argument, Error *error)
{
    const char *equals = strchr(argument, '=');
    char id[64];
    snprintf(id, sizeof id, "%.*s", equals ? (int)(equals - argument) : 0, argument);
    Row *row = (Row *)table_row(table, id);
    if (!row)
        return fail(error, "%s does not name a row of %s: write ROW=FOLDER", argument, table->expected);
    if (row->count == MAX_SEEDS)
        return fail(error, "row %s has more than %d runs", row->id, MAX_SEEDS);
    if (!run_record_read(&row->runs[row->count], equals + 1, error))
        return false;
    row->count++;
    sort_last(row);
    return true;
}

Sample row_accuracies(const Row *row, bool best_on_test)
{
    double values[MAX_SEEDS];
    for (int i = 0; i < row->count; i++)
        values[i] = best_on_test ? row->runs[i].best_on_test : row->runs[i].accuracy;
    return sample_of(values, row->count);
}

Spread table_spread(const Table *table, bool best_on_test)
{
    Sample rows[MAX_ROWS];
    for (int i = 0; i < table->count; i++)
        rows[i] = row_accuracies(&table->rows[i], best_on_test);
    return spread_pooled(rows, table->count);
}

bool row_is_pruned(const Row *row)
{
    return row->count && row->runs[0].options.prune_from[0];
}

/* The paper's network of a row: as its options state it, else as its runs were made, 10 x 64. */
static bool paper_network(NetworkSpec *s, const Row *row, const RunRecord *run)
{
    Options o = row->stated[0] ? row->paper : run->options;
    if (!row->stated[0]) {
        o.layers = row->paper.layers;
        o.channels = row->paper.channels;
    }
    if (strcmp(o.stages, "auto") == 0 || !row->stated[0])
        plan_stages(o.stages, o.layers);
    if (!plan_network(s, &o, NULL))
        return false;
    if (run->options.prune_from[0])
        memcpy(s->kept, run->kept, sizeof s->kept);
    return !run->options.prune_from[0] || run->options.layers == o.layers;
}

double row_paper_macs(ParameterCounts *weights, const Row *row)
{
    double sum = 0;
    *weights = (ParameterCounts){0};
    for (int i = 0; i < row->count; i++) {
        NetworkSpec s;
        if (!paper_network(&s, row, &row->runs[i])) {
            *weights = (ParameterCounts){0};
            return 0;
        }
        const Cost cost = network_cost(&s);
        sum += cost.macs / row->count;
        *weights = (ParameterCounts){(double)cost.weights, (double)cost.formula};
    }
    return sum;
}
