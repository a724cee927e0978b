/* What may stand in one table. See rows.h. */
#include "../protocol/effect.h"
#include "../protocol/plan.h"
#include "rows.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

/* Names ending in '-' stand for all that begin so. */
static bool among(const char *name, const char *const *names)
{
    for (; *names; names++) {
        const size_t length = strlen(*names);
        if (strcmp(name, *names) == 0 || ((*names)[length - 1] == '-' && strncmp(name, *names, length) == 0))
            return true;
    }
    return false;
}

/* No part of a protocol, or compared otherwise: the data by its hash, the run that another starts from by
 * its options. */
static bool is_apart(const char *name)
{
    static const char *const names[] = {"data", "kernels", "seed", "prune-from", "logits-from", NULL};
    return among(name, names);
}

/* What a budget scales. */
static bool is_size(const char *name)
{
    static const char *const names[] = {"layers", "channels", "images-", "epochs", "batch", NULL};
    return among(name, names);
}

/* Whether an option is one of the protocol and changes anything in a run like this. */
static bool matters(const char *name, const Options *o)
{
    return !is_apart(name) && option_has_effect(name, o, NULL);
}

/* Options whose default stands for a value that plan.c works out from the sizes. */
static bool is_worked_out(const char *name)
{
    static const char *const names[] = {"stages", "logits-lr", "prune-epochs", NULL};
    return among(name, names);
}

static bool states(const char *words, const char *name)
{
    char option[80];
    snprintf(option, sizeof option, "--%s=", name);
    return strstr(words, option) != NULL;
}

/* The value that a row gives an option: its own or the default. Without stated options a row is about
 * pooling, and is what its runs are. */
static void row_value(char *value, const Row *row, const char *name)
{
    Options o;
    options_default(&o);
    if (!row->stated[0])
        snprintf(o.stages, sizeof o.stages, "%s", row->runs[0].options.stages);
    const bool about = !row->stated[0] && (strcmp(name, "pooling") == 0 || strncmp(name, "prune-", 6) == 0);
    options_value(value, TEXT_OPTION,
                  about                       ? &row->runs[0].options
                  : states(row->stated, name) ? &row->paper
                                              : &o,
                  name);
}

static bool check_seeds(const Table *table, Error *error)
{
    for (int i = 0; i < table->count; i++) {
        const Row *row = &table->rows[i], *first = &table->rows[0];
        if (row->count == 0 || row->count != first->count)
            return fail(error, "row %s has %d runs, row %s has %d: give each the same number, at least 1",
                        row->id, row->count, first->id, first->count);
        for (int k = 0; k < row->count; k++) {
            const int seed = row->runs[k].options.seed;
            if (k > 0 && seed == row->runs[k - 1].options.seed)
                return fail(error, "row %s has seed %d twice, %.200s and %.200s: a run counts once", row->id,
                            seed, row->runs[k - 1].folder, row->runs[k].folder);
            if (seed != first->runs[k].options.seed)
                return fail(error,
                            "row %s has seed %d (%.200s) where row %s has seed %d: give each the same seeds",
                            row->id, seed, row->runs[k].folder, first->id, first->runs[k].options.seed);
        }
    }
    return true;
}

static bool refuse_pair(const RunRecord *a, const RunRecord *b, const char *what, const char *of_a,
                        const char *of_b, Error *error)
{
    return fail(error, "%.300s and %.300s do not compare: %s is %.90s in one and %.90s in the other",
                a->folder, b->folder, what, of_a, of_b);
}

/* Options that two rows give the same value must have the same value in their runs. */
static bool check_options(const Row *row_a, const RunRecord *a, const Row *row_b, const RunRecord *b,
                          Error *error)
{
    for (int i = 0; options_name(i); i++) {
        const char *name = options_name(i);
        char row_a_value[TEXT_OPTION], row_b_value[TEXT_OPTION], of_a[TEXT_OPTION], of_b[TEXT_OPTION];
        const bool same_sizes = a->options.layers == b->options.layers &&
                                a->options.epochs == b->options.epochs &&
                                a->options.fixed_data == b->options.fixed_data;
        if (!matters(name, &a->options) || !matters(name, &b->options) ||
            (is_worked_out(name) && !same_sizes))
            continue;
        row_value(row_a_value, row_a, name);
        row_value(row_b_value, row_b, name);
        options_value(of_a, sizeof of_a, &a->options, name);
        options_value(of_b, sizeof of_b, &b->options, name);
        char what[80];
        snprintf(what, sizeof what, "--%s", name);
        if (strcmp(row_a_value, row_b_value) == 0 && strcmp(of_a, of_b) != 0)
            return refuse_pair(a, b, what, of_a, of_b, error);
    }
    return true;
}

static bool check_pair(const Row *row_a, const RunRecord *a, const Row *row_b, const RunRecord *b,
                       Error *error)
{
    if (strcmp(a->data_sha256, b->data_sha256) != 0)
        return refuse_pair(a, b, "the data's SHA-256", a->data_sha256, b->data_sha256, error);
    if (strcmp(a->kernels, b->kernels) != 0)
        return refuse_pair(a, b, "the kernel set", a->kernels, b->kernels, error);
    return check_options(row_a, a, row_b, b, error);
}

/* A run is what its row states: every option but the sizes has the value that the row gives it. */
static bool check_stated(const Row *row, const RunRecord *run, Error *error)
{
    for (int i = 0; options_name(i) && row->stated[0]; i++) {
        const char *name = options_name(i);
        char stated[TEXT_OPTION], is[TEXT_OPTION];
        options_value(stated, sizeof stated, &row->paper, name);
        options_value(is, sizeof is, &run->options, name);
        if (states(row->stated, name) && !is_size(name) && strcmp(stated, is) != 0)
            return fail(error,
                        "%.300s was made with --%s=%.100s, but row %s is --%s=%.100s: name a run of that row",
                        run->folder, name, is, row->id, name, stated);
    }
    if (row->stated[0] && (run->options.prune_from[0] != 0) != states(row->stated, "prune-threshold"))
        return fail(error, "%.300s is %s, but row %s is not: name a run of that row", run->folder,
                    run->options.prune_from[0] ? "a pruned run" : "no pruned run", row->id);
    return true;
}

/* A run is what was asked for: every option has the value that the command gives it, or the default. */
static bool check_made(const Row *row, const RunRecord *run, Error *error)
{
    Options asked;
    options_default(&asked);
    if (!row->made[0])
        return true;
    if (!options_set_words(&asked, row->made, error))
        return false;
    if (asked.images_epoch > asked.images_test)
        asked.images_epoch = asked.images_test;
    for (int i = 0; options_name(i); i++) {
        const char *name = options_name(i);
        char value[TEXT_OPTION], is[TEXT_OPTION];
        options_value(value, sizeof value, &asked, name);
        options_value(is, sizeof is, &run->options, name);
        if (is_apart(name) || (is_worked_out(name) && !states(row->made, name)) || strcmp(value, is) == 0)
            continue;
        return fail(
            error,
            "%.300s was made with --%s=%.100s, not %.100s: choose another RUNS folder or the same options",
            run->folder, name, is, value);
    }
    return true;
}

bool table_check(const Table *table, Error *error)
{
    if (!check_seeds(table, error))
        return false;
    for (int i = 0; i < table->count; i++)
        for (int k = 0; k < table->rows[i].count; k++) {
            const Row *row = &table->rows[i];
            if (!check_stated(row, &row->runs[k], error) || !check_made(row, &row->runs[k], error))
                return false;
            for (int j = 0; j <= i; j++)
                if (!check_pair(&table->rows[j], &table->rows[j].runs[0], row, &row->runs[k], error))
                    return false;
        }
    return true;
}

const char *row_protocol(char *value, size_t size, const Row *row, const char *name)
{
    const Options *o = &row->runs[0].options;
    Options paper = row->paper;
    if (!matters(name, o) || (!row->stated[0] && strcmp(name, "pooling") == 0))
        return NULL;
    if (strcmp(name, "stages") == 0 && strcmp(paper.stages, "auto") == 0)
        plan_stages(paper.stages, o->layers);
    if (strcmp(name, "prune-epochs") == 0 && paper.prune_epochs == 0)
        paper.prune_epochs = o->epochs / 10 > 1 ? o->epochs / 10 : 1;
    if (!row->stated[0] && strcmp(name, "prune-threshold") == 0)
        paper.prune_threshold = o->prune_threshold;
    options_value(value, size, &paper, name);
    return value;
}
