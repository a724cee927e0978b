/* The multi-resolution layer (paper, equation 4 and figure 2). For every kept level r, with f = 2^r:
 *
 *     1. pooled     = S_f(x)                          the input at this resolution
 *     2. activation = ReLU(w * pooled + b)            the block B, with the same filters at every level,
 *                                                     or with w[r], b[r]:
 *     3. B          = (activation - mean) / sqrt(variance + eps)
 *     4. upsampled  = U_f(B)                          back at full resolution
 *     5. y          = sum of alpha[r] upsampled       mixed, alpha = softmax(a)
 *
 * Where B is MBConv, 2 and 3 are ref/mbconv.c. Reference: the plain operations, composed. The backward pass
 * walks the same numbers from 5 to 1.
 *
 * Claims: fig2.layer eq4. */
#include "multires.h"
#include "batchnorm.h"
#include "conv2d.h"
#include "mix.h"
#include "pool.h"
#include "relu.h"
#include "upsample.h"
#include <assert.h>
#include <string.h>

/* B at level r: the same channels on a map that is coarser by 2^r. */
static Conv2dShape block_at(MultiresShape s, int r)
{
    Conv2dShape block = s.block;
    block.h >>= r;
    block.w >>= r;
    return block;
}

static MbconvShape mbconv_at(MultiresShape s, int r)
{
    const Conv2dShape block = block_at(s, r);
    return (MbconvShape){block.n, block.c, block.k, block.h, block.w, s.expanded, s.squeezed, s.eps};
}

/* The bias of level r. */
static const double *bias_at(MultiresParameters p, int r)
{
    return p.b ? p.b + r * p.own : NULL;
}

static void clear(double *x, Shape s)
{
    memset(x, 0, shape_count(s) * sizeof *x);
}

// book: multires_forward
/* B at level r, upsampled. */
static void conv_block_forward(MultiresCache *cache, MultiresParameters p, bool training, MultiresShape s,
                               int r)
{
    const Conv2dShape block = block_at(s, r);
    const Shape map = conv2d_output(block);
    double *activation = cache->activation[r], *upsampled = cache->upsampled[r];
    ref_conv2d_forward(activation, cache->pooled[r], p.w + r * p.own, bias_at(p, r), block); /* 2 */
    ref_relu_forward(activation, activation, shape_count(map));
    if (training)
        ref_batchnorm_statistics(cache->mean[r], cache->variance[r], activation, map);

    /* 3 and 4: normalisation is the same for every pixel and the weights of U add up to 1, so the order
     * of the two does not matter: upsample first, then normalise in place at full resolution. */
    ref_upsample_forward(upsampled, activation, s.up, 1 << r, map);
    ref_batchnorm_forward(upsampled, upsampled, cache->mean[r], cache->variance[r], p.gamma[r], p.beta[r],
                          s.eps, conv2d_output(s.block));
}

static void mbconv_block_forward(MultiresCache *cache, MultiresParameters p, bool training, MultiresShape s,
                                 int r)
{
    ref_mbconv_forward(cache->block[r], &cache->mbconv[r], cache->pooled[r], p.mbconv[r], training,
                       mbconv_at(s, r));
    ref_upsample_forward(cache->upsampled[r], cache->block[r], s.up, 1 << r, mbconv_output(mbconv_at(s, r)));
}

void ref_multires_forward(double *y, MultiresCache *cache, const double *x, MultiresParameters p,
                          bool training, MultiresShape s)
{
    assert(s.block.stride == 1 && s.levels >= 1 && s.levels <= MAX_LEVELS);
    for (int r = 0; r < s.levels; r++) {
        if (!level_kept(s.kept, r))
            continue;
        ref_pool_forward(cache->pooled[r], x, s.down, 1 << r, conv2d_input(s.block)); /* 1 */
        (s.kind == BLOCK_MBCONV ? mbconv_block_forward : conv_block_forward)(cache, p, training, s, r);
    }
    ref_softmax_forward(cache->alpha, p.a, s.kept, s.levels); /* 5 */
    ref_mix_forward(y, (const double *const *)cache->upsampled, cache->alpha, s.kept, s.levels,
                    shape_count(conv2d_output(s.block)));
}
// book: end

// book: multires_backward
/* From the gradient of B to that of the pooled map, if wanted, and to those of the parameters. */
static void conv_block_backward(double *dpooled, MultiresGradients d, MultiresScratch *scratch,
                                const MultiresCache *cache, MultiresParameters p, MultiresShape s, int r)
{
    const Conv2dShape block = block_at(s, r);
    const Shape map = conv2d_output(block);

    /* B = gamma (activation - mean) / sqrt(variance + eps) + beta */
    clear(scratch->dactivation[r], map);
    ref_batchnorm_backward(scratch->dactivation[r], d.dw ? d.dgamma[r] : NULL, d.dw ? d.dbeta[r] : NULL,
                           scratch->dnormalised[r], cache->activation[r], cache->mean[r], cache->variance[r],
                           p.gamma[r], s.eps, map);

    /* activation = ReLU(w * pooled + b) */
    clear(scratch->dconv[r], map);
    ref_relu_backward(scratch->dconv[r], scratch->dactivation[r], cache->activation[r], shape_count(map));
    if (d.dw)
        ref_conv2d_backward_weights(d.dw + r * p.own, d.db ? d.db + r * p.own : NULL, scratch->dconv[r],
                                    cache->pooled[r], block);
    if (dpooled)
        ref_conv2d_backward_data(dpooled, scratch->dconv[r], p.w + r * p.own, block);
}

static void mbconv_block_backward(double *dpooled, MultiresGradients d, MultiresScratch *scratch,
                                  const MultiresCache *cache, MultiresParameters p, MultiresShape s, int r)
{
    ref_mbconv_backward(dpooled, d.mbconv[r], &scratch->mbconv[r], scratch->dnormalised[r], cache->pooled[r],
                        &cache->mbconv[r], p.mbconv[r], mbconv_at(s, r));
}

/* Steps 4 to 1 of one level: from the gradient of its upsampled map to those of x and of the parameters. */
static void level_backward(double *dx, MultiresGradients d, MultiresScratch *scratch, const double *x,
                           const MultiresCache *cache, MultiresParameters p, MultiresShape s, int r)
{
    const Conv2dShape block = block_at(s, r);
    const Shape map = conv2d_output(block);
    double *dpooled = dx ? scratch->dpooled[r] : NULL;

    /* upsampled = U_f(B) */
    clear(scratch->dnormalised[r], map);
    ref_upsample_backward(scratch->dnormalised[r], scratch->dupsampled[r], s.up, 1 << r, map);

    /* B, from pooled */
    if (dpooled)
        clear(dpooled, conv2d_input(block));
    (s.kind == BLOCK_MBCONV ? mbconv_block_backward : conv_block_backward)(dpooled, d, scratch, cache, p, s,
                                                                           r);

    /* pooled = S_f(x) */
    if (dx)
        ref_pool_backward(dx, dpooled, x, s.down, 1 << r, conv2d_input(s.block));
}

void ref_multires_backward(double *dx, MultiresGradients d, MultiresScratch *scratch, const double *dy,
                           const double *x, const MultiresCache *cache, MultiresParameters p, MultiresShape s)
{
    const Shape full = conv2d_output(s.block);

    /* y = sum of alpha[r] upsampled[r], alpha = softmax(a) */
    for (int r = 0; r < s.levels; r++) {
        scratch->dalpha[r] = 0;
        if (level_kept(s.kept, r))
            clear(scratch->dupsampled[r], full);
    }
    ref_mix_backward(scratch->dupsampled, scratch->dalpha, dy, (const double *const *)cache->upsampled,
                     cache->alpha, s.kept, s.levels, shape_count(full));
    if (d.da)
        ref_softmax_backward(d.da, scratch->dalpha, cache->alpha, s.kept, s.levels);

    for (int r = 0; r < s.levels; r++)
        if (level_kept(s.kept, r))
            level_backward(dx, d, scratch, x, cache, p, s, r);
}
// book: end
