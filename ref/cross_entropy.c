/* Softmax cross-entropy (paper, section 3.4), the mean over the batch of
 *
 *     loss = log( sum over k of exp(logits[k]) ) - logits[label].
 *
 * Reference; its fast twin is fast/cross_entropy.c.
 *
 * Claims: s3.4.loss. */
#include "cross_entropy.h"
#include <assert.h>
#include <math.h>
#include <stddef.h>

// book: cross_entropy
/* log of the sum of exponentials; the largest logit is taken out, so that nothing overflows. */
static double log_sum_exp(const double *logits, int k)
{
    double largest = logits[0], sum = 0;
    for (int i = 1; i < k; i++)
        largest = fmax(largest, logits[i]);
    for (int i = 0; i < k; i++)
        sum += exp(logits[i] - largest);
    return largest + log(sum);
}

double ref_cross_entropy_forward(const double *logits, const int *labels, int n, int k)
{
    assert(n > 0 && k > 0);
    double sum = 0;
    for (int i = 0; i < n; i++) {
        const double *row = logits + (size_t)i * k;
        assert(0 <= labels[i] && labels[i] < k);
        sum += log_sum_exp(row, k) - row[labels[i]];
    }
    return sum / n;
}

/* From loss = log sum exp(logits) - logits[label]: dlogits[k] = softmax[k] - [k = label], over N for the
 * mean. */
void ref_cross_entropy_backward(double *dlogits, const double *logits, const int *labels, int n, int k)
{
    for (int i = 0; i < n; i++) {
        const double *row = logits + (size_t)i * k;
        const double normaliser = log_sum_exp(row, k);
        for (int o = 0; o < k; o++)
            dlogits[(size_t)i * k + o] += (exp(row[o] - normaliser) - (o == labels[i])) / n;
    }
}
// book: end
