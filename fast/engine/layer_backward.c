/* The multi-resolution layer of the engine: backward. Twin of ref/multires.c, whose numbers 5 to 1 it keeps:
 *
 *     5, 4. dsum[r]    dy brought to level r, from level to level: the sum of each 2x2 square, on the way of
 *                      the sums over the batch that 3 starts from, which also give the gradient of alpha; the
 *                      first of them on the way of dy, in the layer after
 *     3. dconv[r]      batch norm and ReLU
 *     2. dw, dpooled[r]
 *     1. dx            from the coarsest level up, on the way of 2
 *
 * 3 to 1 are one pass a level, from the coarsest up, band by band of rows (fast/engine/bands.c).
 *
 * Bytes, in maps read or written for one level: the sums read dsum and z, the next pass reads them again and
 * x and writes dx, 6 in all, and a quarter each for the next level's dsum and for its dx. The sums must be
 * known before the second pass: those of the level that dy is stored at, and the next level's dsum, are
 * handed on by the pass that writes dy, as the next layer's dx, which reads z for that: 5 in all. Where there
 * are no bands dconv is written once and read twice more, and a direct convolution adds to what pooling has
 * written: 2 more.
 *
 * Claims: eq1.fast. */
#include "../ranks.h"
#include "layer.h"
#include "mbconv.h"
#include <assert.h>
#include <math.h>
#include <omp.h>
#include <string.h>

/* 3 to 1 of a kept level: the gradients of its filters and bias, where they are wanted, and dpooled[r], if it
 * is not NULL: what its convolution hands back, and what pooling does. Returns whether scratch holds the next
 * level's filters. */
static bool convolve_backward(Layer *layer, Word *dpooled, Unpooling unpooling, const MapSums *sums,
                              bool packed, float *dfilters, int n, int r)
{
    const LayerSpec *spec = &layer->spec;
    const Conv2dShape block = block_at(layer, n, r);
    float *dw = dfilters ? dfilters + layer_set_at(spec, r) : NULL;
    BandsPass pass = {.block = block,
                      .maps = gradient_maps(layer, r),
                      .w = filters_of(layer, r),
                      .dw = dw,
                      .db = dw && spec->bias ? dw + layer_weights_count(spec) : NULL,
                      .dx = dpooled,
                      .unpooling = unpooling,
                      .packed = packed,
                      .sums = sums,
                      .scratch = layer->scratch->conv.data};
    if (dw)
        pass.x = SET(layer_pooled)(layer, r);
    layer->in_place[r] = !SET(bands_roll)(block, dpooled != NULL, dw != NULL);
    return SET(bands_backward)(&pass) && !spec->unshared;
}

/* The same where the block is MBConv. */
static void mbconv_backward(Layer *layer, Word *dpooled, Unpooling unpooling, float *dfilters, int n, int r)
{
    if (unpooling.dy)
        SET(unpool)(dpooled, &unpooling, input_at(layer, n, r));
    else if (dpooled)
        memset(dpooled, 0, tensor_words(input_at(layer, n, r)) * sizeof(Word));
    SET(mbconv_backward)(layer, dpooled, dfilters, n, r);
}

/* dsum of the level after r, which with nearest upsampling is dsum[r] summed over 2x2 squares, in the pass
 * that sums dsum[r] over the batch. NULL otherwise. */
static Word *next_dsum(const Layer *layer, int r)
{
    return layer->spec.up == UPSAMPLE_NEAREST && r < layer->top ? layer->scratch->dsum[r + 1].data : NULL;
}

/* The same where level r is not kept, so that there is no such pass. */
static void pass_level(Layer *layer, const Word *dsum, int n, int r)
{
    Word *next = next_dsum(layer, r);
    const Shape map = output_at(layer, n, r + 1);
    if (next) {
        memset(next, 0, tensor_words(map) * sizeof *next);
        SET(upsample_backward)(next, dsum, UPSAMPLE_NEAREST, 2, map);
    }
}

/* dsum of level r: dy, or with it from the layer after, or in scratch. */
static Word *dsum_at(const Layer *layer, const Tensor *dy, int r)
{
    const bool brought = r == dy->level + 1 && dy->summed && dy->squares;
    return r == dy->level ? dy->data : brought ? dy->squares : layer->scratch->dsum[r].data;
}

/* Room for dsum[r] of the layer before, which this layer's own stays beside. */
static Word *squares_at(const Layer *layer, int r)
{
    const Scratch *s = layer->scratch;
    return kept(layer, r) && layer->dconv[r] == s->squares[r].data ? s->dsum[r].data : s->squares[r].data;
}

/* With bilinear upsampling every level comes from dy, before dy is overwritten. */
static void bilinear_dsum(Layer *layer, const Tensor *dy, int n)
{
    for (int r = 1; r <= layer->top; r++) {
        Word *dsum = layer->scratch->dsum[r].data;
        const Shape map = output_at(layer, n, r);
        if (!kept(layer, r))
            continue;
        memset(dsum, 0, tensor_words(map) * sizeof *dsum);
        SET(upsample_backward)(dsum, dy->data, UPSAMPLE_BILINEAR, 1 << r, map);
    }
}

/* What a skip adds to the gradient of alpha: <dsum, pooled>. */
static double skip_dalpha(Layer *layer, const Word *dsum, Shape map, int r)
{
    double *sum = layer->scratch->reduce.data, *product = sum + map.c, dalpha = 0;
    SET(channel_sums)
    (sum, product, NULL, dsum, SET(layer_pooled)(layer, r), map, layer->scratch->reduce.data);
    for (int k = 0; k < map.c; k++)
        dalpha += product[k];
    return dalpha;
}

/* The sums over the batch at level r, and what falls out of them: dalpha, the gradients of gamma and beta,
 * unless they are known, and the coefficients of 3. With g = alpha gamma dsum the gradient of the normalised
 * activation zhat = (z - mean) scale, dz = scale (g - sum g / M - zhat sum (g zhat) / M) = a dsum + b z + c.
 */
static double normalisation_backward(Layer *layer, Word *dsum, const double *summed, Shape map, int r,
                                     unsigned wanted)
{
    const int channels = map.c;
    const double m = (double)ranks_batch(map.n) * map.h * map.w, alpha = layer->alpha[r];
    float *a = gradient_coefficients(layer, r), *b = a + layer->padded, *c = b + layer->padded;
    const int norm = last_norm(layer);
    const size_t last = last_channels(layer);
    const float *gamma = gamma_of(layer, r, norm);
    float *dgamma = NULL;
    if (gamma && wanted & WANT_FILTERS)
        dgamma = layer->at.dfilters->data + layer->at.filters_at + layer_gamma_at(&layer->spec, r) +
                 layer_norm_gamma(&layer->spec, norm);
    double *partials = layer->scratch->reduce.data, dalpha = 0;
    if (!summed)
        SET(channel_sums)
    (partials, partials + channels, next_dsum(layer, r), dsum, layer->activation[r], map, partials);
    const double *sum = summed ? summed : partials, *product = sum + channels;
    for (int k = 0; k < channels; k++) {
        const double scale = 1 / sqrt(layer->variance[r][last + k] + layer->spec.eps),
                     mean = layer->mean[r][last + k];
        const double sum_zhat = (product[k] - mean * sum[k]) * scale; /* sum of dsum zhat */
        const double share = alpha * (gamma ? gamma[k] : 1) * scale;
        dalpha += (gamma ? gamma[k] : 1) * sum_zhat + (gamma ? gamma[channels + k] : 0) * sum[k];
        if (dgamma) {
            dgamma[k] += alpha * sum_zhat;
            dgamma[channels + k] += alpha * sum[k];
        }
        const double slope = -share * scale * sum_zhat / m;
        a[k] = share;
        b[k] = slope;
        c[k] = -share * sum[k] / m - slope * mean;
    }
    layer->dconv[r] = dsum;
    layer->in_place[r] = false;
    if (has_skip(layer) && wanted & WANT_LOGITS)
        dalpha += skip_dalpha(layer, dsum, map, r);
    return dalpha;
}

/* Whether the last thing that is done to dx is a convolution's pass. */
static bool sums_dx(const Layer *layer)
{
    return layer->spec.block == BLOCK_CONV && layer->finest == layer->x->level;
}

/* 3 to 1: from dsum at every kept level to dx, and where the layer before needs no more than that, the sums
 * that it starts from. */
static void input_backward(Layer *layer, Tensor *dx, float *dfilters, int n)
{
    Word *dpooled[MAX_LEVELS];
    const int stored = layer->x->level;
    dx->shape.n = n;
    dx->level = stored;
    dx->gradient = true;
    dx->summed = layer->x->with && sums_dx(layer);
    dx->squares = dx->summed && layer->x->halved ? squares_at(layer, stored + 1) : NULL;
    const MapSums sums = {.sum = dx->sums,
                          .product = dx->sums + layer->spec.channels_in,
                          .with = layer->x->with,
                          .squares = dx->squares,
                          .partials = layer->scratch->reduce.data};
    bool packed = false;
    for (int r = layer->top > stored ? layer->top : stored; r >= 0; r--) {
        if (r < stored && !kept(layer, r))
            continue;
        dpooled[r] = r == stored ? dx->data : layer->scratch->dpooled[r].data;
        Unpooling unpooling = {0};
        if (r >= stored && r < layer->top)
            unpooling = (Unpooling){dpooled[r + 1], marks_at(layer, r + 1), layer->spec.down};
        if (kept(layer, r) && layer->spec.block == BLOCK_MBCONV)
            mbconv_backward(layer, dpooled[r], unpooling, dfilters, n, r);
        else if (kept(layer, r))
            packed = convolve_backward(layer, dpooled[r], unpooling, r == stored && dx->summed ? &sums : NULL,
                                       packed, dfilters, n, r);
        else if (unpooling.dy)
            SET(unpool)(dpooled[r], &unpooling, input_at(layer, n, r));
        else
            memset(dpooled[r], 0, tensor_words(input_at(layer, n, r)) * sizeof(Word));
        if (r < stored)
            SET(upsample_backward)
        (dx->data, dpooled[r], UPSAMPLE_NEAREST, 1 << (stored - r), shape_stored(dx));
    }
}

void SET(layer_backward)(Layer *layer, Tensor *dx, Tensor *dy, unsigned wanted)
{
    const int n = layer->x->shape.n;
    float dalpha[MAX_LEVELS] = {0};
    assert(omp_get_max_threads() <= layer->threads && dy->level <= layer->stored);
    if (layer->spec.up == UPSAMPLE_BILINEAR)
        bilinear_dsum(layer, dy, n);
    if (layer->spec.block == BLOCK_MBCONV)
        SET(layer_pool)(layer, n);
    for (int r = dy->level; r <= layer->top; r++) {
        Word *dsum = dsum_at(layer, dy, r);
        if (!kept(layer, r)) {
            pass_level(layer, dsum, n, r);
            continue;
        }
        const double *summed = r == dy->level && dy->summed ? dy->sums : NULL;
        dalpha[r] = normalisation_backward(layer, dsum, summed, output_at(layer, n, r), r, wanted);
    }
    if (wanted & WANT_LOGITS)
        SET(softmax_backward)
    (layer->at.dlogits->data + layer->at.logits_at, dalpha, layer->alpha, layer->spec.kept,
     layer->spec.levels);
    float *dfilters = wanted & WANT_FILTERS ? layer->at.dfilters->data + layer->at.filters_at : NULL;
    if (dx)
        input_backward(layer, dx, dfilters, n);
    for (int r = layer->top; !dx && dfilters && r >= 0; r--) {
        if (kept(layer, r) && layer->spec.block == BLOCK_MBCONV)
            mbconv_backward(layer, NULL, (Unpooling){0}, dfilters, n, r);
        else if (kept(layer, r))
            convolve_backward(layer, NULL, (Unpooling){0}, NULL, false, dfilters, n, r);
    }
}
