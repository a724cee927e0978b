/* The softmax mix (paper, equations 4 and 5; equation 6 over layers):
 *
 *     alpha[r] = exp(a[r]) / sum over kept s of exp(a[s]),       y = sum over kept r of alpha[r] x[r].
 *
 * Pruning removes entries from the sums: never a huge logit. Reference; its fast twin is fast/mix.c.
 *
 * Claims: eq5. */
#include "mix.h"
#include <assert.h>
#include <math.h>

// book: softmax
void ref_softmax_forward(double *alpha, const double *a, uint64_t kept, int levels)
{
    assert(levels > 0 && levels <= MAX_MIXED && (kept & all_levels(levels)) != 0);
    double largest = -INFINITY, sum = 0;
    for (int r = 0; r < levels; r++)
        if (level_kept(kept, r))
            largest = fmax(largest, a[r]);
    for (int r = 0; r < levels; r++) {
        alpha[r] = level_kept(kept, r) ? exp(a[r] - largest) : 0;
        sum += alpha[r];
    }
    for (int r = 0; r < levels; r++)
        alpha[r] /= sum;
}
// book: end

/* From alpha[r] = exp(a[r]) / sum: d alpha[r] / d a[s] = alpha[r] ([r = s] - alpha[s]), so
 * da[s] = alpha[s] (dalpha[s] - sum over r of alpha[r] dalpha[r]). */
void ref_softmax_backward(double *da, const double *dalpha, const double *alpha, uint64_t kept, int levels)
{
    double mean = 0;
    for (int r = 0; r < levels; r++)
        if (level_kept(kept, r))
            mean += alpha[r] * dalpha[r];
    for (int r = 0; r < levels; r++)
        if (level_kept(kept, r))
            da[r] += alpha[r] * (dalpha[r] - mean);
}

// book: mix
void ref_mix_forward(double *y, const double *const x[], const double *alpha, uint64_t kept, int levels,
                     size_t count)
{
    for (size_t i = 0; i < count; i++) {
        double sum = 0;
        for (int r = 0; r < levels; r++)
            if (level_kept(kept, r))
                sum += alpha[r] * x[r][i];
        y[i] = sum;
    }
}

/* From y = sum of alpha[r] x[r]: dx[r] = alpha[r] dy, and dalpha[r] = <dy, x[r]>. */
void ref_mix_backward(double *const dx[], double *dalpha, const double *dy, const double *const x[],
                      const double *alpha, uint64_t kept, int levels, size_t count)
{
    for (int r = 0; r < levels; r++) {
        if (!level_kept(kept, r))
            continue;
        double dot = 0;
        for (size_t i = 0; i < count; i++) {
            dot += dy[i] * x[r][i];
            if (dx && dx[r])
                dx[r][i] += alpha[r] * dy[i];
        }
        dalpha[r] += dot;
    }
}
// book: end
