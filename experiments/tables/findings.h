/* The differences that the paper's text claims, as the runs have them. */
#ifndef NOPOOL_FINDINGS_H
#define NOPOOL_FINDINGS_H

#include "rows.h"
#include "verdict.h"

typedef struct {
    double paper; /* NaN where the paper prints no cells for it */
    Estimate here;
    DifferenceVerdict verdict;
    double p,
        adjusted;     /* two-sided, and by Holm over the table's differences; 1 if the spread is not known */
    double test_sets; /* half width of the 95% interval that test sets of this size alone would give */
} Finding;

/* One for each of the table's differences. Two rows by estimate_fair, more by the table's spread. */
void findings(Finding *found, const Table *table);

#endif
