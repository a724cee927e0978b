/* See cells.h. */
#include "cells.h"
#include <math.h>

double row_mean(const Row *row, size_t offset)
{
    double sum = 0;
    for (int i = 0; i < row->count; i++)
        sum += *(const double *)((const char *)&row->runs[i] + offset);
    return sum / row->count;
}

const char *row_cost_verdict(const Row *row, double here)
{
    if (row_is_pruned(row))
        return "learned";
    return isnan(row->cost)              ? "-"
           : here == 0                   ? "other size"
           : cost_holds(row->cost, here) ? "holds"
                                         : "does not hold";
}

double row_half_width(const Row *row, Spread spread)
{
    const Sample s = row_accuracies(row, false);
    const Interval i = row->count > 1 ? estimate_interval(estimate_mean(s, spread), 0.95)
                                      : binomial_interval(s.mean, row->runs[0].test_images, 0.95);
    return (i.high - i.low) / 2;
}

const char *row_accuracy_verdict(const Row *row, const Table *table)
{
    if (isnan(row->accuracy))
        return "-";
    return value_word(verdict_value(row->accuracy, row->half_digit, row_accuracies(row, false),
                                    table_spread(table, false), row_accuracies(row, true),
                                    table_spread(table, true), MARGIN));
}

const char *row_parameters_verdict(const Row *row, ParameterCounts counts)
{
    return isnan(row->parameters)                             ? "-"
           : parameters_hold(row->parameters, counts.graph)   ? "holds"
           : parameters_hold(row->parameters, counts.formula) ? "by formula"
                                                              : "does not hold";
}
