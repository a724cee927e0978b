/* Softmax cross-entropy on logits stored as [group][k][lane]. Twin of ref/cross_entropy.c. N K exponentials a
 * step, taken in double: the loss is exact for the given logits but for double rounding,
 * |got - ref| <= (N + K + 4) 2^-53 (1 + |logits|); dlogits is rounded to float once and added once:
 * 2 2^-24 gauge.
 *
 * Claims: s3.4.loss. */
#include "operations.h"
#include "simd/isa.h"
#include <assert.h>
#include <math.h>

/* Where the logits of an image start; they are LANES apart. */
static size_t logits_at(int image, int k)
{
    return (size_t)(image / LANES) * k * LANES + image % LANES;
}

static double log_sum_exp(const float *logits, int k)
{
    double largest = logits[0], sum = 0;
    for (int o = 1; o < k; o++)
        largest = fmax(largest, logits[o * LANES]);
    for (int o = 0; o < k; o++)
        sum += exp(logits[o * LANES] - largest);
    return largest + log(sum);
}

double SET(cross_entropy_forward)(const float *logits, const int *labels, int n, int k)
{
    assert(n > 0 && k > 0);
    double sum = 0;
    for (int group = 0; group < lanes_groups(n); group++) {
        double partial = 0;
        for (int image = group * LANES; image < group * LANES + lanes_used(n, group); image++) {
            assert(0 <= labels[image] && labels[image] < k);
            const float *row = logits + logits_at(image, k);
            partial += log_sum_exp(row, k) - row[labels[image] * LANES];
        }
        sum += partial;
    }
    return sum / n;
}

void SET(cross_entropy_backward)(float *dlogits, const float *logits, const int *labels, int n, int k)
{
    for (int image = 0; image < n; image++) {
        const float *row = logits + logits_at(image, k);
        float *gradient = dlogits + logits_at(image, k);
        const double normaliser = log_sum_exp(row, k);
        for (int o = 0; o < k; o++)
            gradient[o * LANES] += (float)((exp(row[o * LANES] - normaliser) - (o == labels[image])) / n);
    }
}
