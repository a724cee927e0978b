/* The multi-resolution layer of the engine: backward. Twin of ref/multires.c, whose numbers 5 to 1 it keeps:
 *
 *     5, 4. dsum[r]    dy brought to level r, from level to level: the sum of each 2x2 square
 *     3. dconv[r]      batch norm and ReLU in one pass; the sums over the batch that it starts from
 *                      also give the gradient of alpha
 *     2. dw, dpooled[r]
 *     1. dx            from the coarsest level up
 *
 * Bytes, in maps read or written for one level: the sums read dsum and z, the next pass reads them again and
 * writes dconv, the gradients of filters and bias read dconv twice and x, that of the input reads dconv and
 * writes dx, 10 in all. The sums must be known before the second pass; with them in the pass that writes
 * dsum, and all else in one, it would be 5. */
#include "layer.h"
#include "operations.h"
#include <assert.h>
#include <math.h>
#include <omp.h>
#include <string.h>

static void convolve_backward(Layer *layer, Word *dpooled, int n, int r)
{
    const Conv2dShape block = block_at(layer, n, r);
    (SET(winograd_pays)(block) ? SET(winograd_backward_data_from) : SET(conv2d_backward_data_from))(
        dpooled, false, layer->scratch->dconv[r].data, filters_of(layer), block, layer->scratch->conv.data);
}

static void filters_backward(Layer *layer, int n, int r)
{
    const Conv2dShape block = block_at(layer, n, r);
    float *dw = layer->at.dfilters->data + layer->at.filters_at;
    float *db = layer->spec.bias ? dw + layer_weights_count(&layer->spec) : NULL;
    (SET(winograd_weights_pays)(block) ? SET(winograd_backward_weights) : SET(conv2d_backward_weights))(
        dw, db, layer->scratch->dconv[r].data, SET(layer_pooled)(layer, r), block, layer->scratch->conv.data);
}

/* 5 and 4: dsum[r] = U^T(dy). With nearest upsampling each level is the one before, summed over 2x2 squares.
 */
static const Word *bring_to_level(Layer *layer, const Word *finer, const Tensor *dy, int n, int r)
{
    if (r == dy->level)
        return dy->data;
    Word *dsum = layer->scratch->dsum[r].data;
    const Shape map = output_at(layer, n, r);
    memset(dsum, 0, tensor_words(map) * sizeof *dsum);
    if (layer->spec.up == UPSAMPLE_NEAREST)
        SET(upsample_backward)(dsum, finer, UPSAMPLE_NEAREST, 2, map);
    else if (kept(layer, r))
        SET(upsample_backward)(dsum, dy->data, layer->spec.up, 1 << r, map);
    return dsum;
}

/* 3: from dsum to dconv at level r, and the gradients that fall out of its sums over the batch: dalpha,
 * gamma's and beta's. With g = alpha gamma dsum the gradient of the normalised activation zhat = (z - mean)
 * scale, dz = scale (g - sum g / M - zhat sum (g zhat) / M) = a dsum + b z + c. */
static double normalisation_backward(Layer *layer, const Word *dsum, Shape map, int r, unsigned wanted)
{
    const int channels = map.c;
    const double m = (double)map.n * map.h * map.w, alpha = layer->alpha[r];
    float *a = layer->coefficient + (size_t)(layer->spec.levels + 1) * layer->padded, *b = a + layer->padded,
          *c = b + layer->padded;
    const float *gamma = gamma_of(layer, r);
    float *dgamma = NULL;
    if (gamma && wanted & WANT_FILTERS)
        dgamma = layer->at.dfilters->data + layer->at.filters_at + layer_gamma_at(&layer->spec, r);
    double *sum = layer->scratch->reduce.data, *product = sum + channels, dalpha = 0;
    SET(channel_sums)(sum, product, dsum, layer->activation[r], map, layer->scratch->reduce.data);
    for (int k = 0; k < channels; k++) {
        const double scale = 1 / sqrt(layer->variance[r][k] + layer->spec.eps), mean = layer->mean[r][k];
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
    SET(multires_gradient)(layer->scratch->dconv[r].data, dsum, layer->activation[r], a, b, c, map);
    return dalpha;
}

/* 2 and 1: from dconv at every kept level to dx. */
static void input_backward(Layer *layer, Tensor *dx, int n)
{
    Word *dpooled[MAX_LEVELS];
    const int stored = layer->x->level;
    dx->shape.n = n;
    dx->level = stored;
    dx->gradient = true;
    for (int r = layer->top > stored ? layer->top : stored; r >= 0; r--) {
        if (r < stored && !kept(layer, r))
            continue;
        dpooled[r] = r == stored ? dx->data : layer->scratch->dpooled[r].data;
        if (kept(layer, r))
            convolve_backward(layer, dpooled[r], n, r);
        else
            memset(dpooled[r], 0, tensor_words(input_at(layer, n, r)) * sizeof(Word));
        if (r >= stored && r < layer->top)
            SET(pool_backward)
        (dpooled[r], dpooled[r + 1], SET(layer_pooled)(layer, r), layer->spec.down, 2, input_at(layer, n, r));
        if (r < stored)
            SET(upsample_backward)
        (dx->data, dpooled[r], UPSAMPLE_NEAREST, 1 << (stored - r), shape_stored(dx));
    }
}

void SET(layer_backward)(Layer *layer, Tensor *dx, Tensor *dy, unsigned wanted)
{
    const int n = layer->x->shape.n;
    float dalpha[MAX_LEVELS] = {0};
    const Word *dsum = NULL;
    assert(omp_get_max_threads() <= layer->threads && dy->level <= layer->stored);
    for (int r = dy->level; r <= layer->top; r++) {
        dsum = bring_to_level(layer, dsum, dy, n, r);
        if (!kept(layer, r))
            continue;
        dalpha[r] = normalisation_backward(layer, dsum, output_at(layer, n, r), r, wanted);
        if (wanted & WANT_FILTERS)
            filters_backward(layer, n, r);
    }
    if (wanted & WANT_LOGITS)
        SET(softmax_backward)
    (layer->at.dlogits->data + layer->at.logits_at, dalpha, layer->alpha, layer->spec.kept,
     layer->spec.levels);
    if (dx)
        input_backward(layer, dx, n);
}
