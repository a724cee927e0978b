/* Statistics over plain arrays. See statistics.h. */
#include "statistics.h"
#include <assert.h>
#include <gsl/gsl_cdf.h>
#include <gsl/gsl_statistics_double.h>
#include <math.h>

Sample sample_of(const double *x, int n)
{
    assert(n > 0);
    return (Sample){gsl_stats_mean(x, 1, (size_t)n), n > 1 ? gsl_stats_sd(x, 1, (size_t)n) : 0, n};
}

Spread spread_pooled(const Sample *rows, int count)
{
    double squares = 0, df = 0;
    for (int i = 0; i < count; i++) {
        squares += (rows[i].n - 1) * rows[i].sd * rows[i].sd;
        df += rows[i].n - 1;
    }
    return (Spread){df > 0 ? sqrt(squares / df) : 0, df};
}

Estimate estimate_mean(Sample s, Spread spread)
{
    return (Estimate){s.mean, spread.sd / sqrt(s.n), spread.df, s.n};
}

static int fewer(int a, int b)
{
    return a < b ? a : b;
}

Estimate estimate_contrast(const Sample *rows, const double *weights, int count, Spread spread)
{
    Estimate e = {.df = spread.df, .n = rows[0].n};
    double squares = 0;
    for (int i = 0; i < count; i++) {
        e.mean += weights[i] * rows[i].mean;
        squares += weights[i] * weights[i] / rows[i].n;
        e.n = fewer(e.n, rows[i].n);
    }
    e.error = spread.sd * sqrt(squares);
    return e;
}

Estimate estimate_difference(Sample a, Sample b, Spread spread)
{
    return estimate_contrast((Sample[]){a, b}, (double[]){1, -1}, 2, spread);
}

Estimate estimate_welch(Sample a, Sample b)
{
    if (a.n < 2 || b.n < 2)
        return (Estimate){a.mean - b.mean, 0, 0, fewer(a.n, b.n)};
    const double va = a.sd * a.sd / a.n, vb = b.sd * b.sd / b.n, sum = va + vb;
    const double df = sum > 0 ? sum * sum / (va * va / (a.n - 1) + vb * vb / (b.n - 1)) : a.n + b.n - 2;
    return (Estimate){a.mean - b.mean, sqrt(sum), df, fewer(a.n, b.n)};
}

Estimate estimate_paired(const double *a, const double *b, int n)
{
    double mean = 0, squares = 0;
    for (int i = 0; i < n; i++)
        mean += (a[i] - b[i]) / n;
    for (int i = 0; i < n; i++)
        squares += (a[i] - b[i] - mean) * (a[i] - b[i] - mean);
    return (Estimate){mean, n > 1 ? sqrt(squares / (n - 1) / n) : 0, n - 1, n};
}

double variance_ratio_p(Sample a, Sample b)
{
    if (a.n < 2 || b.n < 2 || (a.sd == 0 && b.sd == 0))
        return 1;
    if (b.sd == 0 || a.sd == 0)
        return 0;
    const double ratio = a.sd * a.sd / (b.sd * b.sd);
    const double below = gsl_cdf_fdist_P(ratio, a.n - 1, b.n - 1);
    return 2 * fmin(below, 1 - below);
}

Estimate estimate_fair(Sample a, Sample b, Spread spread)
{
    return variance_ratio_p(a, b) < 0.05 ? estimate_welch(a, b) : estimate_difference(a, b, spread);
}

static Interval around(double mean, double error, double df, double level)
{
    if (df <= 0)
        return (Interval){-INFINITY, INFINITY};
    const double half = gsl_cdf_tdist_Pinv(0.5 + level / 2, df) * error;
    return (Interval){mean - half, mean + half};
}

Interval estimate_interval(Estimate e, double level)
{
    return around(e.mean, e.error, e.df, level);
}

double estimate_p(Estimate e)
{
    if (e.df <= 0)
        return 1;
    if (e.error == 0)
        return e.mean == 0;
    return 2 * gsl_cdf_tdist_Q(fabs(e.mean) / e.error, e.df);
}

Interval prediction_interval(Sample s, Spread spread, double level)
{
    return around(s.mean, spread.sd * sqrt(1 + 1.0 / s.n), spread.df, level);
}

Interval binomial_interval(double percent, int images, double level)
{
    const double z = gsl_cdf_ugaussian_Pinv(0.5 + level / 2), p = percent / 100, n = images;
    const double middle = (p + z * z / (2 * n)) / (1 + z * z / n);
    const double half = z / (1 + z * z / n) * sqrt(p * (1 - p) / n + z * z / (4 * n * n));
    return (Interval){100 * (middle - half), 100 * (middle + half)};
}

double mcnemar_p(int only_a, int only_b)
{
    const int n = only_a + only_b;
    return n == 0 ? 1 : fmin(1, 2 * gsl_cdf_binomial_P((unsigned)fewer(only_a, only_b), 0.5, (unsigned)n));
}

/* The i-th smallest p (from 0) counts count - i times, and none less than a smaller one. Ties by their order.
 */
void holm(double *adjusted, const double *p, int count)
{
    for (int i = 0; i < count; i++) {
        double largest = 0;
        for (int j = 0; j < count; j++) {
            int smaller = 0;
            if (p[j] > p[i])
                continue;
            for (int k = 0; k < count; k++)
                smaller += p[k] < p[j] || (p[k] == p[j] && k < j);
            largest = fmax(largest, (count - smaller) * p[j]);
        }
        adjusted[i] = fmin(1, largest);
    }
}

double detectable_difference(Spread spread, int n)
{
    if (spread.df <= 0)
        return INFINITY;
    return (gsl_cdf_tdist_Pinv(0.975, spread.df) + gsl_cdf_tdist_Pinv(0.8, spread.df)) * spread.sd *
           sqrt(2.0 / n);
}

int seeds_needed(double difference, double sd, int rows)
{
    for (int n = 2; n <= 1000; n++)
        if (detectable_difference((Spread){sd, rows * (n - 1.0)}, n) <= fabs(difference))
            return n;
    return 0;
}
