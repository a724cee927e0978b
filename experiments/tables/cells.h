/* What stands in the cells of a printed or written row. */
#ifndef NOPOOL_CELLS_H
#define NOPOOL_CELLS_H

#include "rows.h"
#include "verdict.h"
#include <stddef.h>

/* The mean over a row's runs of the double at this offset of RunRecord. */
double row_mean(const Row *row, size_t offset);

/* Of the mean over seeds; for a single seed of the test set, which knows nothing of the spread between seeds.
 */
double row_half_width(const Row *row, Spread spread);

/* A word of value_word, or "-" where the paper prints no accuracy. */
const char *row_accuracy_verdict(const Row *row, const Table *table);

/* Of multiply-accumulates at the paper's size. Pruned rows have the architecture that their logits learned: a
 * short run's says nothing of the paper's. */
const char *row_cost_verdict(const Row *row, double macs);

/* Of the paper's millions: "holds" of the network's graph, "by formula" of the formula of a fabric's paper.
 */
const char *row_parameters_verdict(const Row *row, ParameterCounts counts);

#endif
