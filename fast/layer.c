/* The multi-resolution layer of the engine. Twin of ref/multires.c, whose numbers 1 to 5 it keeps:
 *
 *     1. pooled[r]     from level to level, by 2                            fast/pool.c
 *     2. activation[r] convolution and ReLU in one pass                     fast/conv2d*.c
 *     3, 4, 5. y       normalise, upsample, mix in one pass                 fast/multires.c
 *
 * and backwards
 *
 *     5, 4. dsum[r]    dy brought to level r, from level to level: the sum of each 2x2 square
 *     3. dconv[r]      batch norm and ReLU in one pass, from the sums of dsum and dsum times activation over
 * the batch, which also give the gradient of alpha
 *     2. dw, dpooled[r]
 *     1. dx            from the coarsest level up */
#include "layer.h"
#include "operations.h"
#include <assert.h>
#include <math.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>

struct Layer {
    LayerSpec spec;
    Slices at;
    Scratch *scratch;
    bool own_scratch;
    int capacity;
    int finest, top; /* levels that are kept */
    int stored;      /* the level that y is stored at: see struct Tensor */
    int threads;     /* that scratch is sized for: a pass may run on fewer, not on more */
    const Tensor *x; /* the input of the last forward pass */
    float alpha[MAX_LEVELS];
    Word *pooled[MAX_LEVELS];     /* (N,C,H/2^r,W/2^r), coarser than x is stored, to top */
    Word *activation[MAX_LEVELS]; /* (N,K,H/2^r,W/2^r), kept levels */
    double *mean[MAX_LEVELS];     /* (K) of the activation, kept levels */
    double *variance[MAX_LEVELS];
    /* (R,K), then the constants (K), and for backward a, b, c (K each). K is rounded up to whole units, the
     * numbers of the channel beyond stay 0. */
    float *coefficient;
    int padded; /* that K */
};

static Shape input_at(const Layer *layer, int n, int r)
{
    return (Shape){n, layer->spec.channels_in, layer->spec.height >> r, layer->spec.width >> r};
}

static Shape output_at(const Layer *layer, int n, int r)
{
    return (Shape){n, layer->spec.channels_out, layer->spec.height >> r, layer->spec.width >> r};
}

static Conv2dShape block_at(const Layer *layer, int n, int r)
{
    const LayerSpec *s = &layer->spec;
    return (Conv2dShape){n, s->channels_in, s->channels_out, s->height >> r, s->width >> r, 3, 1};
}

static bool kept(const Layer *layer, int r)
{
    return level_kept(layer->spec.kept, r);
}

void SET(layer_free)(Layer *layer)
{
    if (!layer)
        return;
    for (int r = 0; r < MAX_LEVELS; r++) {
        free(layer->pooled[r]);
        free(layer->activation[r]);
        free(layer->mean[r]);
        free(layer->variance[r]);
    }
    free(layer->coefficient);
    if (layer->own_scratch)
        SET(scratch_free)(layer->scratch);
    free(layer);
}

/* Aligned floats; *ok turns false when memory runs out. */
static float *floats(size_t count, bool *ok)
{
    Buffer b = {0};
    *ok = SET(buffer_grow)(&b, count * sizeof(float)) && *ok;
    return b.data;
}

static size_t convolution_scratch(Conv2dShape block, int threads)
{
    const size_t direct = SET(conv2d_scratch)(block, threads),
                 winograd = SET(winograd_scratch)(block, threads);
    return direct > winograd ? direct : winograd;
}

static bool grow_scratch(Layer *layer, int batch)
{
    Scratch *s = layer->scratch;
    const LayerSpec *spec = &layer->spec;
    const size_t full = tensor_words(output_at(layer, batch, 0)) * sizeof(float);
    /* Two sums a group and channel, for every group that a batch can have. */
    bool ok =
        SET(buffer_grow)(&s->reduce, (size_t)lanes_groups(batch) * 2 * spec->channels_out * sizeof(double));
    ok = ok && SET(buffer_grow)(&s->conv, convolution_scratch(block_at(layer, batch, 0), layer->threads));
    for (int r = 0; r <= layer->top; r++) {
        const size_t out = tensor_words(output_at(layer, batch, r)) * sizeof(float);
        const size_t in = tensor_words(input_at(layer, batch, r)) * sizeof(float);
        const bool finer = kept(layer, r) && r < s->coarsest;
        ok = ok && SET(buffer_grow)(&s->dconv[r], out);
        ok = ok && (r == 0 || SET(buffer_grow)(&s->dsum[r], out));
        ok = ok && ((r == 0 && !finer) || SET(buffer_grow)(&s->dpooled[r], in));
        ok = ok && (!finer || SET(buffer_grow)(&s->finer[r], in));
        ok = ok && (r == 0 || spec->up == UPSAMPLE_NEAREST || SET(buffer_grow)(&s->upsampled[r], full));
    }
    return ok;
}

Layer *SET(layer_create)(const LayerSpec *spec, Slices slices, int batch)
{
    Layer *layer = calloc(1, sizeof *layer);
    if (!layer)
        return NULL;
    layer->spec = *spec;
    layer->at = slices;
    layer->capacity = batch;
    layer->threads = omp_get_max_threads();
    layer->own_scratch = !slices.scratch;
    layer->scratch = slices.scratch ? slices.scratch : SET(scratch_create)();
    bool ok = layer->scratch != NULL;
    for (int r = 0; r < spec->levels; r++)
        layer->top = kept(layer, r) ? r : layer->top;
    while (!kept(layer, layer->finest))
        layer->finest++;
    layer->stored = spec->up == UPSAMPLE_NEAREST ? layer->finest : 0;
    for (int r = 0; r <= layer->top; r++) {
        if (r > 0)
            layer->pooled[r] = floats(tensor_words(input_at(layer, batch, r)), &ok);
        if (!kept(layer, r))
            continue;
        layer->activation[r] = floats(tensor_words(output_at(layer, batch, r)), &ok);
        layer->mean[r] = calloc(spec->channels_out, sizeof(double));
        layer->variance[r] = calloc(spec->channels_out, sizeof(double));
        ok = ok && layer->mean[r] && layer->variance[r];
    }
    layer->padded = units_of(spec->channels_out) * UNIT;
    layer->coefficient = floats((size_t)(spec->levels + 4) * layer->padded, &ok);
    if (ok && grow_scratch(layer, batch)) {
        if (layer->stored > layer->scratch->coarsest)
            layer->scratch->coarsest = layer->stored;
        return layer;
    }
    SET(layer_free)(layer);
    return NULL;
}

static const float *filters_of(const Layer *layer)
{
    return layer->at.filters->data + layer->at.filters_at;
}

static const float *bias_of(const Layer *layer)
{
    return layer->spec.bias ? filters_of(layer) + layer_weights_count(&layer->spec) : NULL;
}

/* gamma (K) of level r, with beta (K) behind it; NULL without an affine map. */
static const float *gamma_of(const Layer *layer, int r)
{
    return layer->spec.affine ? filters_of(layer) + layer_gamma_at(&layer->spec, r) : NULL;
}

/* The input at level r. Finer than it is stored at it stands in scratch, so it is made when it is asked for.
 */
static const Word *pooled_at(const Layer *layer, int r)
{
    const Tensor *x = layer->x;
    if (r >= x->level)
        return r == x->level ? x->data : layer->pooled[r];
    Word *finer = layer->scratch->finer[r].data;
    SET(upsample_forward)(finer, x->data, UPSAMPLE_NEAREST, 1 << (x->level - r), shape_stored(x));
    return finer;
}

/* Tracked averages, as ref_batchnorm_track. */
static void track(Layer *layer, int r, double m)
{
    const int channels = layer->spec.channels_out;
    const double momentum = layer->spec.momentum, unbiased = m > 1 ? m / (m - 1) : 1;
    float *mean = layer->at.statistics->data + layer->at.statistics_at + layer_statistics_at(&layer->spec, r);
    float *variance = mean + channels, *weight = variance + channels;
    for (int k = 0; k < channels; k++) {
        mean[k] = (1 - momentum) * mean[k] + momentum * layer->mean[r][k];
        variance[k] = (1 - momentum) * variance[k] + momentum * unbiased * layer->variance[r][k];
    }
    *weight = (1 - momentum) * *weight + momentum;
}

/* What inference normalises with, as ref_batchnorm_tracked. */
static void use_tracked(Layer *layer, int r)
{
    const int channels = layer->spec.channels_out;
    const float *mean =
        layer->at.statistics->data + layer->at.statistics_at + layer_statistics_at(&layer->spec, r);
    const float *variance = mean + channels;
    const double weight = variance[channels];
    for (int k = 0; k < channels; k++) {
        layer->mean[r][k] = weight > 0 ? mean[k] / weight : 0;
        layer->variance[r][k] = weight > 0 ? variance[k] / weight : 1;
    }
}

static void statistics(Layer *layer, int r, Shape map, Pass pass)
{
    if (pass == PASS_INFERENCE) {
        use_tracked(layer, r);
        return;
    }
    const double m = (double)map.n * map.h * map.w;
    double *sum = layer->mean[r], *squares = layer->variance[r];
    SET(channel_sums)
    (sum, squares, layer->activation[r], layer->activation[r], map, layer->scratch->reduce.data);
    for (int k = 0; k < map.c; k++) {
        layer->mean[r][k] = sum[k] / m;
        layer->variance[r][k] = fmax(squares[k] / m - layer->mean[r][k] * layer->mean[r][k], 0);
    }
    if (pass == PASS_FILTERS)
        track(layer, r, m);
}

/* alpha (gamma (z - mean) scale + beta), summed over levels, is sum of coefficient z + constant. */
static void fold_normalisation(Layer *layer, MixedMaps *maps)
{
    const int channels = layer->spec.channels_out;
    float *constant = layer->coefficient + (size_t)layer->spec.levels * layer->padded;
    for (int k = 0; k < channels; k++) {
        double sum = 0;
        for (int r = 0; r <= layer->top; r++) {
            if (!kept(layer, r))
                continue;
            const float *gamma = gamma_of(layer, r);
            const double scale = 1 / sqrt(layer->variance[r][k] + layer->spec.eps);
            const double coefficient = layer->alpha[r] * (gamma ? gamma[k] : 1) * scale;
            layer->coefficient[(size_t)r * layer->padded + k] = coefficient;
            sum +=
                layer->alpha[r] * (double)(gamma ? gamma[channels + k] : 0) - coefficient * layer->mean[r][k];
        }
        constant[k] = sum;
    }
    maps->constant = constant;
    for (int r = 0; r <= layer->top; r++)
        maps->coefficient[r] = layer->coefficient + (size_t)r * layer->padded;
}

static void convolve(const Layer *layer, int n, int r)
{
    const Conv2dShape block = block_at(layer, n, r);
    (SET(winograd_pays)(block) ? SET(winograd_forward) : SET(conv2d_forward))(
        layer->activation[r], pooled_at(layer, r), filters_of(layer), bias_of(layer), true, block,
        layer->scratch->conv.data);
}

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
        dw, db, layer->scratch->dconv[r].data, pooled_at(layer, r), block, layer->scratch->conv.data);
}

void SET(layer_forward)(Layer *layer, Tensor *y, const Tensor *x, Pass pass)
{
    const LayerSpec *spec = &layer->spec;
    const int n = x->shape.n;
    assert(n <= layer->capacity && n <= y->capacity && omp_get_max_threads() <= layer->threads);
    MixedMaps maps = {.kept = spec->kept, .levels = spec->levels};
    y->shape.n = n;
    y->level = layer->stored;
    y->gradient = false;
    layer->x = x;
    for (int r = 0; r <= layer->top; r++) {
        if (r > x->level)
            SET(pool_forward)
        (layer->pooled[r], pooled_at(layer, r - 1), spec->down, 2, input_at(layer, n, r - 1));
        if (!kept(layer, r))
            continue;
        convolve(layer, n, r);
        statistics(layer, r, output_at(layer, n, r), pass);
        maps.z[r] = layer->activation[r];
        maps.step[r] = 1 << (r - layer->stored);
        if (spec->up == UPSAMPLE_BILINEAR && r > 0) {
            Word *upsampled = layer->scratch->upsampled[r].data;
            SET(upsample_forward)(upsampled, layer->activation[r], spec->up, 1 << r, output_at(layer, n, r));
            maps.z[r] = upsampled;
            maps.step[r] = 1;
        }
    }
    SET(softmax_forward)
    (layer->alpha, layer->at.logits->data + layer->at.logits_at, spec->kept, spec->levels);
    fold_normalisation(layer, &maps);
    SET(multires_mix)(y->data, &maps, shape_stored(y));
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
    double sum[channels], product[channels], dalpha = 0;
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
        (dpooled[r], dpooled[r + 1], pooled_at(layer, r), layer->spec.down, 2, input_at(layer, n, r));
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

void SET(layer_alpha)(const Layer *layer, double *alpha)
{
    float rounded[MAX_LEVELS];
    SET(softmax_forward)
    (rounded, layer->at.logits->data + layer->at.logits_at, layer->spec.kept, layer->spec.levels);
    for (int r = 0; r < layer->spec.levels; r++)
        alpha[r] = rounded[r];
}

bool SET(layer_stage)(const Layer *layer, Stage stage, int r, double *values)
{
    const int n = layer->x->shape.n;
    const double *statistic = stage == STAGE_MEAN ? layer->mean[r] : layer->variance[r];
    const Word *map = stage == STAGE_POOLED       ? pooled_at(layer, r)
                      : stage == STAGE_ACTIVATION ? layer->activation[r]
                      : stage == STAGE_DCONV      ? layer->scratch->dconv[r].data
                                                  : NULL;
    if (stage == STAGE_MEAN || stage == STAGE_VARIANCE) {
        memcpy(values, statistic, layer->spec.channels_out * sizeof *values);
        return true;
    }
    if (!map)
        return false;
    const Tensor view = {stage == STAGE_POOLED ? input_at(layer, n, r) : output_at(layer, n, r), n, 0, false,
                         (Word *)map};
    SET(engine).tensor_export(values, &view);
    return true;
}
