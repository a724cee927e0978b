/* The differences that the paper's text claims, as the runs have them. */
#ifndef NOPOOL_FINDINGS_H
#define NOPOOL_FINDINGS_H

#include "rows.h"
#include "verdict.h"

typedef struct {
    double paper; /* NaN where the paper prints no cells for it */
    Estimate here;
    Estimate paired; /* by seed: of the rows' differences seed for seed; shown beside, decides nothing */
    DifferenceVerdict verdict;
    double p,
        adjusted; /* two-sided, and by Holm over the table's differences; 1 if the spread is not known */
    /* One seed a row, and two rows: the images that only one of the two networks has right, and McNemar's
     * exact two-sided p, which is about these two networks and decides nothing. NaN where predictions are
     * missing. */
    int only_plus, only_minus;
    double mcnemar;
    double test_sets; /* half width of the 95% interval that test sets of this size alone would give */
} Finding;

/* One for each of the table's differences. Two rows by estimate_fair, more by the table's spread. */
void findings(Finding *found, const Table *table);

#endif
