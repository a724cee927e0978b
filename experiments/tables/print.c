/* See print.h. */
#include "print.h"
#include "../base/files.h"
#include "../runs/provenance.h"
#include "cells.h"
#include "findings.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool any(const Table *table, size_t offset)
{
    for (int i = 0; i < table->count; i++)
        if (!isnan(*(const double *)((const char *)&table->rows[i] + offset)))
            return true;
    return false;
}

/* The options in which a row's runs differ from the paper's protocol, each once. */
static void print_protocol(const Table *table)
{
    for (int i = 0; options_name(i); i++) {
        const char *name = options_name(i);
        char seen[8192] = "";
        for (int r = 0; r < table->count; r++) {
            char paper[TEXT_OPTION], is[TEXT_OPTION], line[1200];
            const Row *row = &table->rows[r];
            if (!row_protocol(paper, sizeof paper, row, name))
                continue;
            options_value(is, sizeof is, &row->runs[0].options, name);
            snprintf(line, sizeof line, "  %-16s %s instead of %s%s\n", name, *is ? is : "none", paper,
                     options_stated(name) ? "" : " (the paper does not say)");
            if (strcmp(paper, is) == 0 || strstr(seen, line) || strlen(seen) + strlen(line) >= sizeof seen)
                continue;
            strcat(seen, line);
        }
        printf("%s", seen);
    }
}

/* Instruction sets of one kernel set round alike but sum in other orders: rows made with others are told. */
static void print_instruction_sets(const Table *table)
{
    const char *first = table->rows[0].runs[0].instruction_set;
    bool mixed = false;
    for (int i = 0; i < table->count; i++)
        for (int k = 0; k < table->rows[i].count; k++)
            mixed = mixed || strcmp(table->rows[i].runs[k].instruction_set, first) != 0;
    printf("kernels  %s (%s%s)\n", table->rows[0].runs[0].kernels, first,
           mixed ? ", and others: rows with ~" : "");
}

static bool has_other_set(const Row *row, const Table *table)
{
    for (int k = 0; k < row->count; k++)
        if (strcmp(row->runs[k].instruction_set, table->rows[0].runs[0].instruction_set) != 0)
            return true;
    return false;
}

static bool is_older(const Row *row)
{
    bool older = false;
    for (int i = 0; i < row->count; i++)
        older = older || strcmp(row->runs[i].commit, provenance_commit()) != 0;
    return older;
}

void table_print_header(const Table *table, const TableStyle *style)
{
    const RunRecord *first = &table->rows[0].runs[0];
    printf("%s\n\nbudget   %s\ndata     %s, sha256 %s\n", style->title, style->budget, first->data,
           first->data_sha256);
    print_instruction_sets(table);
    printf("seeds   ");
    for (int i = 0; i < table->rows[0].count; i++)
        printf(" %d", table->rows[0].runs[i].options.seed);
    printf("\ncommit   %s\n\nDiffers from the paper's protocol:\n", first->commit);
    if (strcmp(first->data, "cifar10") != 0)
        printf("  %-16s %s\n", "data",
               strcmp(first->data, "cifar10-jpeg75") == 0
                   ? "CIFAR-10 with its images re-encoded as JPEG, quality 75, instead of CIFAR-10"
                   : "not CIFAR-10");
    print_protocol(table);
    if (table->rows[0].count == 1)
        printf("  %-16s one, so the intervals are those of the test set, without the spread between seeds\n",
               "seeds");
}

/* A cell of so many places, or `-`. */
static void print_cell(int width, int places, double value)
{
    if (isfinite(value))
        printf(" %*.*f", width, places, value);
    else
        printf(" %*s", width, "-");
}

static double shown(const Table *table, double accuracy)
{
    return table->errors ? 100 - accuracy : accuracy;
}

/* The width of the labels. */
static int label_width(const Table *table)
{
    int width = 22;
    for (int i = 0; i < table->count; i++)
        if ((int)strlen(table->rows[i].label) > width)
            width = (int)strlen(table->rows[i].label);
    return width;
}

static void print_titles(const Table *table, const TableStyle *style)
{
    printf("\n%-*s %6s %16s %8s  %-10s", label_width(table), "", "paper", "here", "best on", "");
    if (any(table, offsetof(Row, cost)))
        printf(" %6s %9s %9s  %-13s", "paper", "here", "at paper's", "");
    if (any(table, offsetof(Row, parameters)))
        printf(" %6s %9s %9s %8s  %-13s", "paper", "here", "at paper's", "by", "");
    if (any(table, offsetof(Row, depth)))
        printf(" %6s %-20s", "paper", "here: likeliest,");
    if (style->speed)
        printf(" %8s %8s %8s", "", "", "peak");
    printf(" %7s\n", "epochs");
    printf("%-*s %6s %16s %8s  %-10s", label_width(table), "row", table->errors ? "error" : "acc.",
           table->errors ? "error, %" : "accuracy, %", "test", "verdict");
    if (any(table, offsetof(Row, cost)))
        printf(" %6s %9s %9s  %-13s", "cost", "cost, G", "size", "cost");
    if (any(table, offsetof(Row, parameters)))
        printf(" %6s %9s %9s %8s  %-13s", "par, M", "par, M", "size", "formula", "parameters");
    if (any(table, offsetof(Row, depth)))
        printf(" %6s %-20s", "depth", "expected, last");
    if (style->speed)
        printf(" %8s %8s %8s", "images/s", "s a step", "MiB");
    printf(" %7s %8s\n", "in all", "minutes");
}

static void print_row(const Row *row, const Table *table, const TableStyle *style)
{
    ParameterCounts weights;
    const double macs = row_paper_macs(&weights, row);
    printf("%-*s", label_width(table), row->label);
    print_cell(6, 1 + table->errors, shown(table, row->accuracy));
    printf(" %8.2f +-%5.2f %8.2f  %-10s", shown(table, row_accuracies(row, false).mean),
           row_half_width(row, table_spread(table, false)), shown(table, row_accuracies(row, true).mean),
           row_accuracy_verdict(row, table));
    if (any(table, offsetof(Row, cost))) {
        print_cell(6, 2, row->cost);
        print_cell(9, 4, row_mean(row, offsetof(RunRecord, macs)) / 1e9);
        print_cell(9, 4, macs > 0 ? macs / 1e9 : NAN);
        printf("  %-13s", row_cost_verdict(row, macs));
    }
    if (any(table, offsetof(Row, parameters))) {
        print_cell(6, 1, row->parameters);
        print_cell(9, 4, row_mean(row, offsetof(RunRecord, parameters)) / 1e6);
        print_cell(9, 2, weights.graph > 0 ? weights.graph / 1e6 : NAN);
        print_cell(8, 2, weights.formula > 0 ? weights.formula / 1e6 : NAN);
        printf("  %-13s", row_parameters_verdict(row, weights));
    }
    if (any(table, offsetof(Row, depth))) {
        print_cell(6, 0, row->depth);
        for (int i = 0; i < 3; i++)
            print_cell(6, i == 1 ? 1 : 0,
                       row_mean(row, offsetof(RunRecord, depth) + (size_t)i * sizeof(double)));
    }
    if (style->speed) {
        const double rate = row_mean(row, offsetof(RunRecord, images_per_second));
        print_cell(8, 0, rate);
        print_cell(8, 3, row->runs[0].options.batch / rate);
        print_cell(8, 0, row_mean(row, offsetof(RunRecord, peak_mib)));
    }
    printf(" %7d %8.1f%s%s\n", row->runs[0].total_epochs,
           row_mean(row, offsetof(RunRecord, seconds)) * row->count / 60, is_older(row) ? " *" : "",
           has_other_set(row, table) ? " ~" : "");
}

static bool has_formula(const Table *table)
{
    ParameterCounts counts;
    for (int i = 0; i < table->count; i++) {
        row_paper_macs(&counts, &table->rows[i]);
        if (counts.formula > 0)
            return any(table, offsetof(Row, parameters));
    }
    return false;
}

void table_print_rows(const Table *table, const TableStyle *style)
{
    bool older = false;
    print_titles(table, style);
    for (int i = 0; i < table->count; i++) {
        print_row(&table->rows[i], table, style);
        older = older || is_older(&table->rows[i]);
    }
    putchar('\n');
    if (any(table, offsetof(Row, cost)))
        printf("Cost is 10^9 multiply-accumulates of the convolutions for one image (the paper's column is "
               "headed "
               "MFLOPS); a\nverdict on it is arithmetic, at the paper's size.\n");
    printf(
        "+- is a 95%% interval; accuracy is that of the last epoch, and the best on test is never used.\n");
    if (has_formula(table))
        printf("By formula: a fabric as its paper counts it, three full convolutions a node; its graph has "
               "fewer, "
               "which stand at\npaper's size.\n");
    if (older)
        printf("* trained by another commit than this program's\n");
}

/* Of two networks as they are, of which the test set is a sample: not of two architectures. */
static void print_mcnemar(const Table *table, const Finding *found)
{
    printf("\n%-62s %9s %9s %9s\n", "McNemar's exact test of the two networks (not of other seeds)",
           "only 1st", "only 2nd", "p");
    for (int i = 0; i < table->differences; i++) {
        const Difference *d = &table->difference[i];
        const Row *first = &table->rows[d->row[0]], *second = &table->rows[d->row[1]];
        if (d->count != 2)
            continue;
        printf("%-62s", d->label);
        if (!isnan(found[i].mcnemar))
            printf(" %9d %9d %9.3g\n", found[i].only_plus, found[i].only_minus, found[i].mcnemar);
        else if (first->runs[0].predicts && second->runs[0].predicts)
            printf("  tested on other images\n");
        else
            printf("  no predictions.tsv in %.400s: only what is in brackets\n",
                   first->runs[0].predicts ? second->runs[0].folder : first->runs[0].folder);
    }
}

void table_print_differences(const Table *table)
{
    static const char *const kinds[] = {"size", "direction", "equal"};
    Finding found[MAX_DIFFERENCES];
    const Spread spread = table_spread(table, false);
    const int seeds = table->rows[0].count;
    findings(found, table);
    if (table->differences)
        printf("\n%-62s %-9s %6s %17s %8s %6s %7s\n", "difference in accuracy, points", "claim", "paper",
               "here", "by seed", "p", "Holm");
    for (int i = 0; i < table->differences; i++) {
        const Finding *f = &found[i];
        const Interval interval = estimate_interval(f->here, 0.95);
        char width[32] = "";
        if (isfinite(interval.high))
            snprintf(width, sizeof width, "+-%5.2f", (interval.high - interval.low) / 2);
        else
            snprintf(width, sizeof width, "(+-%.2f)", f->test_sets);
        char paper[32] = "-";
        if (!isnan(f->paper))
            snprintf(paper, sizeof paper, "%+.1f", f->paper);
        printf("%-62s %-9s %6s %+9.2f %-8s", table->difference[i].label, kinds[table->difference[i].kind],
               paper, f->here.mean, width);
        const Interval paired = estimate_interval(f->paired, 0.95);
        if (isfinite(paired.high))
            snprintf(width, sizeof width, "+-%5.2f", (paired.high - paired.low) / 2);
        else
            snprintf(width, sizeof width, "-");
        printf(" %8s", width);
        print_cell(6, 3, f->here.df > 0 ? f->p : NAN);
        print_cell(7, 3, f->here.df > 0 ? f->adjusted : NAN);
        printf("  %s", difference_word(f->verdict));
        const int needed = spread.df > 0 && f->verdict == DIFFERENCE_UNDECIDED
                               ? seeds_needed(fmax(fabs(f->paper), MARGIN), spread.sd, table->count)
                               : 0;
        if (needed > seeds)
            printf(" (%d seeds would decide)", needed);
        printf("\n");
    }
    if (spread.df > 0)
        printf("\nSpread over seeds, pooled over the rows: %.2f points (%.0f degrees of freedom). Of a "
               "difference of two "
               "rows, %d seeds\nsee %.2f points with 80%% power. Differences count from %.1f points; p is "
               "two-sided.\nA row is better only where the 95%% interval is clear of 0, equal only where the "
               "90%% interval lies inside +-%.1f.\n"
               "By seed: the 95%% interval of the differences seed for seed, which decides nothing.\n",
               spread.sd, spread.df, seeds, detectable_difference(spread, seeds), MARGIN, MARGIN);
    else
        printf("\nOne seed a row: no spread between seeds is known, and nothing is decided. In brackets, "
               "what test sets of "
               "this size\nalone would move.\n");
    if (seeds == 1 && table->differences)
        print_mcnemar(table, found);
}

/* A line of five cells; false where there are fewer, or one is too long. */
static bool print_net(const char *line)
{
    char net[64], parameters[32], macs[32], accuracy[32], source[96];
    int end = 0;
    if (sscanf(line, "%63[^\t\n]\t%31[^\t\n]\t%31[^\t\n]\t%31[^\t\n]\t%95[^\t\n]%n", net, parameters, macs,
               accuracy, source, &end) != 5 ||
        end != (int)strcspn(line, "\n"))
        return false;
    printf("%-40s %9s", net, accuracy);
    print_cell(7, 2, *parameters == '-' ? NAN : strtod(parameters, NULL) / 1e6);
    print_cell(7, 3, *macs == '-' ? NAN : strtod(macs, NULL) / 1e9);
    printf("  %s\n", source);
    return true;
}

bool table_print_literature(const char *path, Error *error)
{
    char *text;
    size_t count;
    bool ok = true;
    if (!path)
        return true;
    if (!file_read(&text, &count, path, error))
        return false;
    printf("\n--------------------------------------------------------------------------------\n"
           "Literature, under other protocols, nothing of it measured here:\n%-40s %9s %7s %7s  %s\n",
           "net", "accuracy", "par, M", "cost, G", "source");
    for (const char *line = strchr(text, '\n'); line && line[1] && ok; line = strchr(line + 1, '\n'))
        ok = print_net(line + 1) ||
             fail(error, "%.300s: `%.*s` is not a net, its parameters, macs, accuracy and source", path,
                  (int)strcspn(line + 1, "\n"), line + 1);
    free(text);
    return ok;
}
