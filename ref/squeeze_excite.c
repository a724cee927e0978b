/* Squeeze-and-excitation. For every image,
 *
 *     1. average[c]  = sum over the map of x[c] / (H W)
 *     2. squeezed    = w1 average + b1                     C channels down to Q
 *     3. hidden      = swish(squeezed)
 *     4. gate        = sigmoid(w2 hidden + b2)             and back to C
 *     5. y[c]        = gate[c] x[c]
 *
 * Reference: plain operations, composed. Its fast twin is fast/squeeze_excite.c.
 *
 * Claims: s4.1.mbconv. */
#include "squeeze_excite.h"
#include "global_average.h"
#include "linear.h"
#include "sigmoid.h"
#include "swish.h"
#include <string.h>

// book: squeeze_excite_forward
void ref_squeeze_excite_forward(double *y, SqueezeExciteCache *cache, const double *x,
                                SqueezeExciteParameters p, SqueezeExciteShape s)
{
    const int n = s.x.n, c = s.x.c, q = s.squeezed, pixels = s.x.h * s.x.w;
    ref_global_average_forward(cache->average, x, s.x);                       /* 1 */
    ref_linear_forward(cache->squeezed, cache->average, p.w1, p.b1, n, c, q); /* 2 */
    ref_swish_forward(cache->hidden, cache->squeezed, (size_t)n * q);         /* 3 */
    ref_linear_forward(cache->gate, cache->hidden, p.w2, p.b2, n, q, c);      /* 4 */
    ref_sigmoid_forward(cache->gate, cache->gate, (size_t)n * c);
    for (size_t i = 0; i < shape_count(s.x); i++) /* 5 */
        y[i] = cache->gate[i / pixels] * x[i];
}
// book: end

// book: squeeze_excite_backward
void ref_squeeze_excite_backward(double *dx, SqueezeExciteGradients d, SqueezeExciteScratch *scratch,
                                 const double *dy, const double *x, const SqueezeExciteCache *cache,
                                 SqueezeExciteParameters p, SqueezeExciteShape s)
{
    const int n = s.x.n, c = s.x.c, q = s.squeezed, pixels = s.x.h * s.x.w;
    const size_t channels = (size_t)n * c * sizeof(double), units = (size_t)n * q * sizeof(double);
    memset(scratch->dgate, 0, channels);
    memset(scratch->dlogit, 0, channels);
    memset(scratch->dhidden, 0, units);
    memset(scratch->dsqueezed, 0, units);
    memset(scratch->daverage, 0, channels);

    /* y[c] = gate[c] x[c]: x receives by way of the product, and below by way of the average. */
    for (size_t i = 0; i < shape_count(s.x); i++) {
        scratch->dgate[i / pixels] += dy[i] * x[i];
        dx[i] += cache->gate[i / pixels] * dy[i];
    }
    /* gate = sigmoid(w2 hidden + b2) */
    ref_sigmoid_backward(scratch->dlogit, scratch->dgate, cache->gate, (size_t)n * c);
    ref_linear_backward(scratch->dhidden, d.dw1 ? d.dw2 : NULL, d.dw1 ? d.db2 : NULL, scratch->dlogit,
                        cache->hidden, p.w2, n, q, c);
    /* hidden = swish(squeezed), squeezed = w1 average + b1 */
    ref_swish_backward(scratch->dsqueezed, scratch->dhidden, cache->squeezed, (size_t)n * q);
    ref_linear_backward(scratch->daverage, d.dw1, d.dw1 ? d.db1 : NULL, scratch->dsqueezed, cache->average,
                        p.w1, n, c, q);
    /* average = mean of x */
    ref_global_average_backward(dx, scratch->daverage, s.x);
}
// book: end
