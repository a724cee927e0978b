/* Findings. See findings.h. */
#include "findings.h"
#include "predictions.h"
#include <math.h>

/* Half widths of the rows' binomial intervals, added up as independent errors. */
static double test_sets(const Difference *d, const Table *table)
{
    double squares = 0;
    for (int i = 0; i < d->count; i++) {
        const Row *row = &table->rows[d->row[i]];
        const Interval one =
            binomial_interval(row_accuracies(row, false).mean, row->runs[0].test_images * row->count, 0.95);
        squares += (one.high - one.low) * (one.high - one.low) / 4;
    }
    return sqrt(squares);
}

/* Runs stand in the order of their seeds, the same ones in every row (table_check). */
static Estimate pair_by_seed(const Difference *d, const Table *table)
{
    double plus[MAX_SEEDS] = {0}, minus[MAX_SEEDS] = {0};
    const int seeds = table->rows[d->row[0]].count;
    for (int i = 0; i < d->count; i++)
        for (int k = 0; k < seeds; k++)
            *(d->weight[i] > 0 ? &plus[k] : &minus[k]) +=
                fabs(d->weight[i]) * table->rows[d->row[i]].runs[k].accuracy;
    return estimate_paired(plus, minus, seeds);
}

static void compare_networks(Finding *f, const Difference *d, const Table *table)
{
    const Row *plus = &table->rows[d->row[0]], *minus = &table->rows[d->row[1]];
    f->mcnemar = NAN;
    if (d->count == 2 && d->weight[0] * d->weight[1] < 0 && plus->count == 1 && minus->count == 1 &&
        predictions_discordant(&f->only_plus, &f->only_minus, &plus->runs[0], &minus->runs[0]))
        f->mcnemar = mcnemar_p(f->only_plus, f->only_minus);
}

static DifferenceVerdict verdict_of(ClaimKind kind, Estimate here, double paper)
{
    if (kind == CLAIM_EQUAL || paper == 0)
        return verdict_equality(here, MARGIN);
    if (kind == CLAIM_SIZE && !isnan(paper))
        return verdict_difference(here, paper, MARGIN);
    return verdict_direction(here, paper < 0 ? -1 : 1, MARGIN);
}

static Finding find(const Difference *d, const Table *table)
{
    Sample rows[MAX_TERMS];
    const Spread spread = table_spread(table, false);
    Finding f = {.test_sets = test_sets(d, table)};
    for (int i = 0; i < d->count; i++) {
        rows[i] = row_accuracies(&table->rows[d->row[i]], false);
        f.paper += d->weight[i] * table->rows[d->row[i]].accuracy;
    }
    if (fabs(f.paper) < 1e-6) /* cells have two decimals at most: what differs by less is rounding */
        f.paper = 0;
    f.here = d->count == 2 ? estimate_fair(rows[0], rows[1], spread)
                           : estimate_contrast(rows, d->weight, d->count, spread);
    f.verdict = verdict_of(d->kind, f.here, f.paper);
    f.p = estimate_p(f.here);
    f.paired = pair_by_seed(d, table);
    compare_networks(&f, d, table);
    return f;
}

void findings(Finding *found, const Table *table)
{
    double p[MAX_DIFFERENCES], adjusted[MAX_DIFFERENCES];
    for (int i = 0; i < table->differences; i++) {
        found[i] = find(&table->difference[i], table);
        p[i] = found[i].p;
    }
    holm(adjusted, p, table->differences);
    for (int i = 0; i < table->differences; i++)
        found[i].adjusted = adjusted[i];
}
