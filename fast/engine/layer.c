/* The multi-resolution layer of the engine: forward. Twin of ref/multires.c, whose numbers 1 to 5 it keeps:
 *
 *     1. pooled[r]     from level to level, by 2; maxima on the way of 2, where that is Winograd's
 *     2. activation[r] convolution, ReLU and the sums over the batch in one pass   fast/conv2d*.c
 *     3, 4, 5. y       normalise, upsample, mix in one pass                 fast/engine/multires.c
 *
 * Bytes, in maps read or written for one level: the convolution reads x and writes z and the next level's x
 * (a quarter, and marks: 1/16 in f32, 1/8 in bf16), the mix reads z and writes y: 4 and a third; pooling in a
 * pass of its own reads x once more. The statistics start from sums that the convolution takes of what it
 * stores. With the normalisation in the next convolution it would be 2. Backward
 * (fast/engine/layer_backward.c) it is 6 and a half, or 5 with one level, and would be 4.
 *
 * Claims: eq1.fast. */
#include "layer.h"
#include "../ranks.h"
#include "mbconv.h"
#include <assert.h>
#include <math.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>

void SET(layer_free)(Layer *layer)
{
    if (!layer)
        return;
    for (int r = 0; r < MAX_LEVELS; r++) {
        free(layer->pooled[r]);
        free(layer->marks[r]);
        free(layer->activation[r]);
        free(layer->mean[r]);
        free(layer->variance[r]);
        SET(mbconv_free)(layer, r);
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

/* Whether a layer after this one makes the sums over squares of dy, which takes a scratch that they share. */
static bool halves(const Layer *layer)
{
    return layer->spec.up == UPSAMPLE_NEAREST && layer->top > layer->stored && !layer->own_scratch;
}

static bool grow_scratch(Layer *layer, int batch)
{
    Scratch *s = layer->scratch;
    const LayerSpec *spec = &layer->spec;
    const size_t full = tensor_words(output_at(layer, batch, 0)) * sizeof(float);
    bool ok = SET(buffer_grow)(&s->reduce, SET(map_sums_scratch)(output_at(layer, batch, 0))) &&
              SET(buffer_grow)(&s->reduce, SET(map_sums_scratch)(input_at(layer, batch, 0)));
    if (spec->block == BLOCK_MBCONV)
        ok = ok && SET(mbconv_grow_scratch)(layer, batch);
    for (int r = 0; r <= layer->top; r++) {
        const size_t out = tensor_words(output_at(layer, batch, r)) * sizeof(float);
        const size_t in = tensor_words(input_at(layer, batch, r)) * sizeof(float);
        const bool finer = kept(layer, r) && r < s->coarsest;
        if (r > 0 && spec->block == BLOCK_MBCONV)
            ok = ok && SET(buffer_grow)(&s->pooled[r], in) &&
                 SET(buffer_grow)(&s->marks[r], in / sizeof(float) * UNIT);
        if (kept(layer, r) && spec->block == BLOCK_CONV)
            ok = ok &&
                 SET(buffer_grow)(&s->conv, SET(bands_scratch)(block_at(layer, batch, r), layer->threads));
        ok = ok && (r == 0 || SET(buffer_grow)(&s->dsum[r], out));
        ok = ok && (r != layer->stored + 1 || !halves(layer) || SET(buffer_grow)(&s->squares[r], out));
        ok = ok && ((r == 0 && !finer) || SET(buffer_grow)(&s->dpooled[r], in));
        ok = ok && (!finer || SET(buffer_grow)(&s->finer[r], in));
        ok = ok && (r == 0 || spec->up == UPSAMPLE_NEAREST || SET(buffer_grow)(&s->upsampled[r], full));
        ok = ok && (r == 0 || spec->up == UPSAMPLE_NEAREST || !has_skip(layer) ||
                    SET(buffer_grow)(&s->skips[r], full));
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
    assert(spec->height % (1 << layer->top) == 0 && spec->width % (1 << layer->top) == 0);
    for (int r = 0; r <= layer->top; r++) {
        const size_t pooled = tensor_words(input_at(layer, batch, r));
        if (r > 0 && spec->block == BLOCK_CONV)
            layer->pooled[r] = floats(pooled, &ok);
        if (r > 0 && spec->block == BLOCK_CONV && spec->down == POOL_MAX)
            layer->marks[r] = (Mark *)floats(pooled * UNIT / sizeof(float), &ok);
        if (!kept(layer, r))
            continue;
        layer->activation[r] = floats(tensor_words(output_at(layer, batch, r)), &ok);
        const size_t channels = layer_norms_channels(spec, layer_block_norms(spec));
        layer->mean[r] = calloc(channels, sizeof(double));
        layer->variance[r] = calloc(channels, sizeof(double));
        ok = ok && layer->mean[r] && layer->variance[r];
        ok = ok && (spec->block != BLOCK_MBCONV || SET(mbconv_create)(layer, r, batch));
    }
    layer->padded = units_of(spec->channels_out) * UNIT;
    layer->coefficient = floats((size_t)(5 * spec->levels + 1) * layer->padded, &ok);
    if (ok && grow_scratch(layer, batch)) {
        if (layer->stored > layer->scratch->coarsest)
            layer->scratch->coarsest = layer->stored;
        return layer;
    }
    SET(layer_free)(layer);
    return NULL;
}

/* The input at level r. Finer than it is stored at it stands in scratch, so it is made when it is asked for.
 */
const Word *SET(layer_pooled)(const Layer *layer, int r)
{
    const Tensor *x = layer->x;
    if (r >= x->level)
        return r == x->level ? x->data : pooled_at(layer, r);
    Word *finer = layer->scratch->finer[r].data;
    SET(upsample_forward)(finer, x->data, UPSAMPLE_NEAREST, 1 << (x->level - r), shape_stored(x));
    return finer;
}

/* Where the layer's statistics hold a norm's mean. */
static float *tracked_at(Layer *layer, int r, int norm)
{
    const LayerSpec *spec = &layer->spec;
    return layer->at.statistics->data + layer->at.statistics_at + layer_statistics_at(spec, r) +
           layer_norm_statistics(spec, norm);
}

/* Tracked averages, as ref_batchnorm_track. */
static void track(Layer *layer, float *mean, const double *batch_mean, const double *batch_variance, double m,
                  int channels)
{
    const double momentum = layer->spec.momentum, unbiased = m > 1 ? m / (m - 1) : 1;
    float *variance = mean + channels, *weight = variance + channels;
    for (int k = 0; k < channels; k++) {
        mean[k] = (1 - momentum) * mean[k] + momentum * batch_mean[k];
        variance[k] = (1 - momentum) * variance[k] + momentum * unbiased * batch_variance[k];
    }
    *weight = (1 - momentum) * *weight + momentum;
}

/* What inference normalises with, as ref_batchnorm_tracked. */
static void use_tracked(double *mean, double *variance, const float *tracked, int channels)
{
    const double weight = tracked[2 * channels];
    for (int k = 0; k < channels; k++) {
        mean[k] = weight > 0 ? tracked[k] / weight : 0;
        variance[k] = weight > 0 ? tracked[channels + k] / weight : 1;
    }
}

/* What a norm's input is normalised with: from its sums and those of its squares, which stand where mean and
 * variance shall, or from what was tracked. */
static void statistics(Layer *layer, int r, int norm, Shape map, Pass pass)
{
    const size_t at = layer_norms_channels(&layer->spec, norm);
    double *mean = layer->mean[r] + at, *variance = layer->variance[r] + at;
    float *tracked = tracked_at(layer, r, norm);
    if (pass == PASS_INFERENCE) {
        use_tracked(mean, variance, tracked, map.c);
        return;
    }
    const double m = (double)ranks_batch(map.n) * map.h * map.w;
    for (int k = 0; k < map.c; k++) {
        mean[k] /= m;
        const double difference = variance[k] / m - mean[k] * mean[k];
        variance[k] = difference < 0 ? 0 : difference; /* NaN stays NaN */
    }
    if (pass == PASS_FILTERS)
        track(layer, tracked, mean, variance, m, map.c);
}

void SET(layer_statistics)(Layer *layer, int r, int norm, const Word *x, Shape map, Pass pass)
{
    const size_t at = layer_norms_channels(&layer->spec, norm);
    if (pass != PASS_INFERENCE)
        SET(channel_sums)
    (layer->mean[r] + at, layer->variance[r] + at, NULL, x, x, map, layer->scratch->reduce.data);
    statistics(layer, r, norm, map, pass);
}

/* alpha (gamma (z - mean) scale + beta), summed over levels, is sum of coefficient z + constant. */
static void fold_normalisation(Layer *layer, MixedMaps *maps)
{
    const int channels = layer->spec.channels_out, levels = layer->spec.levels;
    const size_t last = last_channels(layer);
    float *constant = layer->coefficient + (size_t)levels * layer->padded;
    for (int k = 0; k < channels; k++) {
        double sum = 0;
        for (int r = 0; r <= layer->top; r++) {
            if (!kept(layer, r))
                continue;
            const float *gamma = gamma_of(layer, r, last_norm(layer));
            const double scale = 1 / sqrt(layer->variance[r][last + k] + layer->spec.eps);
            const double coefficient = layer->alpha[r] * (gamma ? gamma[k] : 1) * scale;
            layer->coefficient[(size_t)r * layer->padded + k] = coefficient;
            layer->coefficient[(size_t)(levels + 1 + r) * layer->padded + k] = layer->alpha[r];
            sum += layer->alpha[r] * (double)(gamma ? gamma[channels + k] : 0) -
                   coefficient * layer->mean[r][last + k];
        }
        constant[k] = sum;
    }
    maps->constant = constant;
    for (int r = 0; r <= layer->top; r++) {
        maps->coefficient[r] = layer->coefficient + (size_t)r * layer->padded;
        maps->coefficient[levels + r] = layer->coefficient + (size_t)(levels + 1 + r) * layer->padded;
    }
}

/* The input at level r from the level before. */
static void pool(Layer *layer, int n, int r)
{
    const Word *finer = SET(layer_pooled)(layer, r - 1);
    if (layer->spec.down == POOL_MAX)
        SET(pool_forward_marked)(pooled_at(layer, r), marks_at(layer, r), finer, input_at(layer, n, r - 1));
    else
        SET(pool_forward)(pooled_at(layer, r), finer, layer->spec.down, 2, input_at(layer, n, r - 1));
}

/* What the levels of a layer hand on to the next one: whether its input is made, whether scratch holds the
 * filters of Winograd's algorithm, which it does where levels share them. */
typedef struct {
    bool pooled, packed;
} Done;

void SET(layer_pool)(Layer *layer, int n)
{
    for (int r = layer->x->level + 1; r <= layer->top; r++)
        pool(layer, n, r);
}

/* The activation at level r, and what it is normalised with. */
static void convolve(Layer *layer, Done *done, int n, int r, Pass pass)
{
    const MapSums of_batch = {.sum = layer->mean[r],
                              .product = layer->variance[r],
                              .partials = layer->scratch->reduce.data},
                  *sums = pass == PASS_INFERENCE ? NULL : &of_batch;
    const Conv2dShape block = block_at(layer, n, r);
    const Word *x = SET(layer_pooled)(layer, r);
    const float *w = filters_of(layer, r), *b = bias_of(layer, r);
    void *scratch = layer->scratch->conv.data;
    if (SET(winograd_pays)(block)) {
        done->pooled = r >= layer->x->level && r < layer->top && layer->spec.down == POOL_MAX;
        Word *pooled = done->pooled ? layer->pooled[r + 1] : NULL;
        Mark *marks = done->pooled ? layer->marks[r + 1] : NULL;
        SET(winograd_layer_forward)
        (layer->activation[r], pooled, marks, x, w, b, done->packed, sums, block, scratch);
        done->packed = !layer->spec.unshared;
    } else {
        SET(conv2d_layer_forward)(layer->activation[r], x, w, b, sums, block, scratch);
        done->packed = false;
    }
    statistics(layer, r, last_norm(layer), output_at(layer, n, r), pass);
}

/* Map number i of the mix is z, which is at level r; with bilinear upsampling brought to full size in `room`.
 */
static void mix_in(const Layer *layer, MixedMaps *maps, int i, const Word *z, Buffer *room, int n, int r)
{
    maps->kept |= 1u << i;
    maps->z[i] = z;
    maps->step[i] = 1 << (r - layer->stored);
    if (layer->spec.up == UPSAMPLE_NEAREST || r == 0)
        return;
    SET(upsample_forward)(room->data, z, layer->spec.up, 1 << r, output_at(layer, n, r));
    maps->z[i] = room->data;
    maps->step[i] = 1;
}

void SET(layer_forward)(Layer *layer, Tensor *y, const Tensor *x, Pass pass)
{
    const LayerSpec *spec = &layer->spec;
    const int n = x->shape.n;
    assert(n <= layer->capacity && n <= y->capacity && omp_get_max_threads() <= layer->threads);
    MixedMaps maps = {.levels = 2 * spec->levels};
    y->shape.n = n;
    y->level = layer->stored;
    y->gradient = false;
    y->halved = halves(layer);
    y->with = layer->top == layer->stored || y->halved ? layer->activation[layer->stored] : NULL;
    layer->x = x;
    Done done = {false, false};
    for (int r = 0; r <= layer->top; r++) {
        if (r > x->level && !done.pooled)
            pool(layer, n, r);
        done.pooled = false;
        if (!kept(layer, r))
            continue;
        if (spec->block == BLOCK_CONV) {
            convolve(layer, &done, n, r, pass);
        } else {
            SET(mbconv_forward)(layer, n, r, pass);
            SET(layer_statistics)
            (layer, r, last_norm(layer), layer->activation[r], output_at(layer, n, r), pass);
        }
        mix_in(layer, &maps, r, layer->activation[r], &layer->scratch->upsampled[r], n, r);
        if (has_skip(layer))
            mix_in(layer, &maps, spec->levels + r, SET(layer_pooled)(layer, r), &layer->scratch->skips[r], n,
                   r);
    }
    SET(softmax_forward)
    (layer->alpha, layer->at.logits->data + layer->at.logits_at, spec->kept, spec->levels);
    fold_normalisation(layer, &maps);
    SET(multires_mix)(y->data, &maps, shape_stored(y));
}

void SET(layer_alpha)(const Layer *layer, double *alpha)
{
    float rounded[MAX_LEVELS];
    SET(softmax_forward)
    (rounded, layer->at.logits->data + layer->at.logits_at, layer->spec.kept, layer->spec.levels);
    for (int r = 0; r < layer->spec.levels; r++)
        alpha[r] = rounded[r];
}

/* The gradient of the convolution's output as the backward pass had it in bands, in the place of dsum, which
 * nobody needs afterwards. */
static const Word *dconv_at(const Layer *layer, int r)
{
    const GradientMaps maps = gradient_maps(layer, r);
    if (!layer->in_place[r])
        SET(multires_gradient)(layer->dconv[r], &maps, output_at(layer, layer->x->shape.n, r));
    ((Layer *)layer)->in_place[r] = true;
    return layer->dconv[r];
}

/* A map of a stage; NULL if this set does not form it. */
static const Word *stage_map(const Layer *layer, Stage stage, int r)
{
    if (layer->spec.block == BLOCK_MBCONV)
        SET(layer_pool)((Layer *)layer, layer->x->shape.n); /* scratch changes, the layer does not */
    if (stage == STAGE_POOLED)
        return SET(layer_pooled)(layer, r);
    if (layer->spec.block == BLOCK_MBCONV)
        return SET(mbconv_stage)(layer, stage, r);
    return stage == STAGE_ACTIVATION ? layer->activation[r]
           : stage == STAGE_DCONV    ? dconv_at(layer, r)
                                     : NULL;
}

bool SET(layer_stage)(const Layer *layer, Stage stage, int r, double *values)
{
    const int n = layer->x->shape.n;
    const Shape s = layer_stage_shape(&layer->spec, stage, r, n);
    if (stage == STAGE_MEAN || stage == STAGE_VARIANCE) {
        memcpy(values, stage == STAGE_MEAN ? layer->mean[r] : layer->variance[r],
               (size_t)s.c * sizeof *values);
        return true;
    }
    if (stage == STAGE_GATE) {
        for (int i = 0; i < s.n * s.c; i++)
            values[i] =
                layer->excite[r].gate[((size_t)(i / s.c / LANES) * s.c + i % s.c) * LANES + i / s.c % LANES];
        return true;
    }
    const Word *map = stage_map(layer, stage, r);
    if (!map)
        return false;
    const Tensor view = {.shape = s, .capacity = n, .data = (Word *)map};
    SET(engine).tensor_export(values, &view);
    return true;
}
