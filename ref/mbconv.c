/* MBConv with squeeze-and-excitation (Table 4, Eff-Conv), N = batch norm:
 *
 *     1. expanded  = expand * x                      1x1, C to E channels
 *     2. activated = swish(N(expanded))
 *     3. filtered  = depthwise * activated           3x3, channel by channel
 *     4. excitable = swish(N(filtered))
 *     5. excited   = squeeze_excite(excitable)
 *     6. projected = project * excited               1x1, E to K channels
 *     7. y         = N(projected) + x                the skip only where K = C
 *
 * Reference: plain operations, composed. The backward pass walks the same numbers from 7 to 1. Its fast twin
 * is fast/engine/mbconv.c.
 *
 * Claims: eq1.any-block s4.1.mbconv. */
#include "mbconv.h"
#include "batchnorm.h"
#include "conv2d.h"
#include "depthwise.h"
#include "swish.h"
#include <string.h>

static Conv2dShape expansion(MbconvShape s)
{
    return (Conv2dShape){s.n, s.c, s.expanded, s.h, s.w, 1, 1};
}

static Conv2dShape projection(MbconvShape s)
{
    return (Conv2dShape){s.n, s.expanded, s.k, s.h, s.w, 1, 1};
}

static SqueezeExciteShape excitation(MbconvShape s)
{
    return (SqueezeExciteShape){mbconv_expanded(s), s.squeezed};
}

/* y = batch norm number i of x. */
static void normalise(double *y, const double *x, MbconvCache *cache, MbconvParameters p, int i,
                      bool training, double eps, Shape map)
{
    if (training)
        ref_batchnorm_statistics(cache->mean[i], cache->variance[i], x, map);
    ref_batchnorm_forward(y, x, cache->mean[i], cache->variance[i], p.gamma[i], p.beta[i], eps, map);
}

// book: mbconv_forward
void ref_mbconv_forward(double *y, MbconvCache *cache, const double *x, MbconvParameters p, bool training,
                        MbconvShape s)
{
    const Shape wide = mbconv_expanded(s), out = mbconv_output(s);
    const size_t count = shape_count(wide);

    ref_conv2d_forward(cache->expanded, x, p.expand, NULL, expansion(s)); /* 1 */

    normalise(cache->expanded_norm, cache->expanded, cache, p, 0, training, s.eps, wide); /* 2 */
    ref_swish_forward(cache->activated, cache->expanded_norm, count);

    ref_depthwise_forward(cache->filtered, cache->activated, p.depthwise, NULL, wide); /* 3 */

    normalise(cache->filtered_norm, cache->filtered, cache, p, 1, training, s.eps, wide); /* 4 */
    ref_swish_forward(cache->excitable, cache->filtered_norm, count);

    ref_squeeze_excite_forward(cache->excited, &cache->excite, cache->excitable, p.excite,
                               excitation(s)); /* 5 */

    ref_conv2d_forward(cache->projected, cache->excited, p.project, NULL, projection(s)); /* 6 */

    normalise(y, cache->projected, cache, p, 2, training, s.eps, out); /* 7 */
    for (size_t i = 0; s.k == s.c && i < shape_count(out); i++)
        y[i] += x[i];
}
// book: end

/* dx of batch norm number i of x, whose gradient before it was cleared. */
static void normalise_backward(double *dx, MbconvGradients d, const double *dy, const double *x,
                               const MbconvCache *cache, MbconvParameters p, int i, double eps, Shape map)
{
    memset(dx, 0, shape_count(map) * sizeof *dx);
    ref_batchnorm_backward(dx, d.dexpand ? d.dgamma[i] : NULL, d.dexpand ? d.dbeta[i] : NULL, dy, x,
                           cache->mean[i], cache->variance[i], p.gamma[i], eps, map);
}

// book: mbconv_backward
void ref_mbconv_backward(double *dx, MbconvGradients d, MbconvScratch *scratch, const double *dy,
                         const double *x, const MbconvCache *cache, MbconvParameters p, MbconvShape s)
{
    const Shape wide = mbconv_expanded(s), out = mbconv_output(s);
    const size_t count = shape_count(wide), bytes = count * sizeof(double);
    memset(scratch->dexcited, 0, bytes);
    memset(scratch->dexcitable, 0, bytes);
    memset(scratch->dfiltered_norm, 0, bytes);
    memset(scratch->dactivated, 0, bytes);
    memset(scratch->dexpanded_norm, 0, bytes);

    /* y = N(projected) + x */
    for (size_t i = 0; dx && s.k == s.c && i < shape_count(out); i++)
        dx[i] += dy[i];
    normalise_backward(scratch->dprojected, d, dy, cache->projected, cache, p, 2, s.eps, out);

    /* projected = project * excited */
    if (d.dexpand)
        ref_conv2d_backward_weights(d.dproject, NULL, scratch->dprojected, cache->excited, projection(s));
    ref_conv2d_backward_data(scratch->dexcited, scratch->dprojected, p.project, projection(s));

    /* excited = squeeze_excite(excitable) */
    ref_squeeze_excite_backward(scratch->dexcitable, d.dexpand ? d.excite : (SqueezeExciteGradients){0},
                                &scratch->excite, scratch->dexcited, cache->excitable, &cache->excite,
                                p.excite, excitation(s));

    /* excitable = swish(N(filtered)) */
    ref_swish_backward(scratch->dfiltered_norm, scratch->dexcitable, cache->filtered_norm, count);
    normalise_backward(scratch->dfiltered, d, scratch->dfiltered_norm, cache->filtered, cache, p, 1, s.eps,
                       wide);

    /* filtered = depthwise * activated */
    if (d.dexpand)
        ref_depthwise_backward_weights(d.ddepthwise, NULL, scratch->dfiltered, cache->activated, wide);
    ref_depthwise_backward_data(scratch->dactivated, scratch->dfiltered, p.depthwise, wide);

    /* activated = swish(N(expanded)) */
    ref_swish_backward(scratch->dexpanded_norm, scratch->dactivated, cache->expanded_norm, count);
    normalise_backward(scratch->dexpanded, d, scratch->dexpanded_norm, cache->expanded, cache, p, 0, s.eps,
                       wide);

    /* expanded = expand * x */
    if (d.dexpand)
        ref_conv2d_backward_weights(d.dexpand, NULL, scratch->dexpanded, x, expansion(s));
    if (dx)
        ref_conv2d_backward_data(dx, scratch->dexpanded, p.expand, expansion(s));
}
// book: end
