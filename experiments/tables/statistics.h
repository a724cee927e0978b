/* The statistics of tables and verdicts, over plain arrays of plain numbers (GSL has the distributions).
 * Accuracies are in per cent, differences in points. Nothing here knows of runs. */
#ifndef NOPOOL_STATISTICS_H
#define NOPOOL_STATISTICS_H

#include <stdbool.h>

typedef struct {
    double low, high;
} Interval;

/* n numbers: their mean and their standard deviation (n - 1; 0 for one number, which has none). */
typedef struct {
    double mean, sd;
    int n;
} Sample;

Sample sample_of(const double *x, int n);

/* A spread with its degrees of freedom; 0 of them where nothing was repeated: then it is not known. */
typedef struct {
    double sd, df;
} Spread;

/* Pooled over the rows of a table: sqrt(sum (n - 1) sd^2 / sum (n - 1)), with sum (n - 1) degrees of freedom.
 */
Spread spread_pooled(const Sample *rows, int count);

/* A mean, or a difference of means, with its standard error; n seeds a side. df is 0 if the spread is not
 * known. */
typedef struct {
    double mean, error, df;
    int n;
} Estimate;

/* One mean; the difference of the means of two rows of one table, by the table's spread; the same by the
 * rows' own spreads (Welch, Satterthwaite's degrees of freedom); and paired by seed: a[i] and b[i] are of one
 * seed. */
Estimate estimate_mean(Sample s, Spread spread);
Estimate estimate_difference(Sample a, Sample b, Spread spread);
Estimate estimate_welch(Sample a, Sample b);
Estimate estimate_paired(const double *a, const double *b, int n);

/* A sum of means with these weights, such as 1, -1, -1, 1 for a difference of two differences, by the table's
 * spread. */
Estimate estimate_contrast(const Sample *rows, const double *weights, int count, Spread spread);

/* By the table's spread, or by Welch's where the ratio of the two rows' variances objects to one spread (F
 * test, two-sided, at 5%). */
Estimate estimate_fair(Sample a, Sample b, Spread spread);
double variance_ratio_p(Sample a, Sample b);

/* Student's t interval around an estimate; level 0.95 or 0.90. All numbers if the spread is not known. */
Interval estimate_interval(Estimate e, double level);

/* Two-sided p of "the mean is 0"; 1 if the spread is not known. */
double estimate_p(Estimate e);

/* Where one more run would fall: mean +- t sd sqrt(1 + 1/n). */
Interval prediction_interval(Sample s, Spread spread, double level);

/* An accuracy of `percent` over so many test images: Wilson's score interval, in per cent. It knows the test
 * set's size and nothing of seeds. */
Interval binomial_interval(double percent, int images, double level);

/* McNemar's exact two-sided p, from the images that only one of two networks has right. */
double mcnemar_p(int only_a, int only_b);

/* Holm's step-down adjustment of a family of p values, in their order. */
void holm(double *adjusted, const double *p, int count);

/* The smallest difference between two rows of n seeds that a two-sided test at 5% sees with 80% power:
 * (t[0.975] + t[0.8]) sd sqrt(2/n). Infinite if the spread is not known. */
double detectable_difference(Spread spread, int n);

/* The fewest seeds a row with which a table of so many rows sees this difference with 80% power, if its
 * spread is sd; 0 if more than 1000. */
int seeds_needed(double difference, double sd, int rows);

#endif
