/* A layer of the reference engine: the multi-resolution layer (multires.h) at its place in the network's
 * vectors, and the arrays that its passes leave. */
#include "batchnorm.h"
#include "engine_mbconv.h"
#include "engine_parts.h"
#include "mix.h"
#include "multires.h"
#include <assert.h>
#include <stdlib.h>
#include <string.h>

struct Layer {
    LayerSpec spec;
    Slices at;
    int capacity;
    const Tensor *x; /* the input of the last forward pass */
    MultiresCache cache;
    MultiresScratch scratch;
    double *mbconv[MAX_LEVELS]; /* the memory of the arrays in there that are MBConv's */
};

static MultiresShape multires_shape(const LayerSpec *spec, int n)
{
    return (MultiresShape){
        .block = {n, spec->channels_in, spec->channels_out, spec->height, spec->width, 3, 1},
        .levels = spec->levels,
        .kept = spec->kept,
        .down = spec->down,
        .up = spec->up,
        .eps = spec->eps,
        .kind = spec->block,
        .expanded = layer_expanded(spec),
        .squeezed = layer_squeezed(spec),
    };
}

/* The layer's parameters as multires sees them: pointers into the network's vectors. */
static MultiresParameters parameters_of(const Layer *layer)
{
    const LayerSpec *spec = &layer->spec;
    const double *filters = layer->at.filters->data + layer->at.filters_at;
    MultiresParameters p = {.w = filters,
                            .b = spec->bias ? filters + layer_weights_count(spec) : NULL,
                            .a = layer->at.logits->data + layer->at.logits_at,
                            .own = layer_set_at(spec, 1)};
    for (int r = 0; spec->block == BLOCK_MBCONV && r < spec->levels; r++)
        p.mbconv[r] = mbconv_parameters_at(filters, spec, r);
    for (int r = 0; spec->affine && r < spec->levels; r++) {
        p.gamma[r] = filters + layer_gamma_at(spec, r);
        p.beta[r] = p.gamma[r] + spec->channels_out;
    }
    return p;
}

static MultiresGradients gradients_of(const Layer *layer, unsigned wanted)
{
    const LayerSpec *spec = &layer->spec;
    MultiresGradients d = {0};
    if (wanted & WANT_LOGITS)
        d.da = layer->at.dlogits->data + layer->at.logits_at;
    if (wanted & WANT_FILTERS) {
        d.dw = layer->at.dfilters->data + layer->at.filters_at;
        d.db = spec->bias ? d.dw + layer_weights_count(spec) : NULL;
        for (int r = 0; spec->block == BLOCK_MBCONV && r < spec->levels; r++)
            d.mbconv[r] = mbconv_gradients_at(d.dw, spec, r);
        for (int r = 0; spec->affine && r < spec->levels; r++) {
            d.dgamma[r] = d.dw + layer_gamma_at(spec, r);
            d.dbeta[r] = d.dgamma[r] + spec->channels_out;
        }
    }
    return d;
}

void ref_layer_free(Layer *layer)
{
    if (!layer)
        return;
    for (int r = 0; r < MAX_LEVELS; r++) {
        free(layer->cache.pooled[r]);
        free(layer->cache.activation[r]);
        free(layer->cache.mean[r]);
        free(layer->cache.variance[r]);
        free(layer->cache.upsampled[r]);
        free(layer->scratch.dpooled[r]);
        free(layer->scratch.dactivation[r]);
        free(layer->scratch.dnormalised[r]);
        free(layer->scratch.dconv[r]);
        free(layer->scratch.dupsampled[r]);
        free(layer->cache.block[r]);
        free(layer->mbconv[r]);
    }
    free(layer);
}

/* The arrays of level r between its pooled and its upsampled maps. */
static void create_block(Layer *layer, int r, bool *ok)
{
    const LayerSpec *spec = &layer->spec;
    const Shape out = {layer->capacity, spec->channels_out, spec->height >> r, spec->width >> r},
                channels = {1, spec->channels_out, 1, 1};
    layer->scratch.dnormalised[r] = array(out, ok);
    if (spec->block == BLOCK_MBCONV) {
        layer->cache.block[r] = array(out, ok);
        layer->mbconv[r] = mbconv_arrays_create(&layer->cache.mbconv[r], &layer->scratch.mbconv[r],
                                                mbconv_shape(spec, r, layer->capacity));
        *ok = *ok && layer->mbconv[r];
        return;
    }
    layer->cache.activation[r] = array(out, ok);
    layer->cache.mean[r] = array(channels, ok);
    layer->cache.variance[r] = array(channels, ok);
    layer->scratch.dactivation[r] = array(out, ok);
    layer->scratch.dconv[r] = array(out, ok);
}

Layer *ref_layer_create(const LayerSpec *spec, Slices slices, int batch)
{
    Layer *layer = calloc(1, sizeof *layer);
    if (!layer)
        return NULL;
    layer->spec = *spec;
    layer->at = slices;
    layer->capacity = batch;
    const Conv2dShape block = multires_shape(spec, batch).block;
    const Shape in = conv2d_input(block), out = conv2d_output(block);
    bool ok = true;
    for (int r = 0; r < spec->levels; r++) {
        if (!level_kept(spec->kept, r))
            continue;
        layer->cache.pooled[r] = array(shape_coarser(in, 1 << r), &ok);
        layer->cache.upsampled[r] = array(out, &ok);
        layer->scratch.dpooled[r] = array(shape_coarser(in, 1 << r), &ok);
        layer->scratch.dupsampled[r] = array(out, &ok);
        create_block(layer, r, &ok);
    }
    if (ok)
        return layer;
    ref_layer_free(layer);
    return NULL;
}

/* Moves statistics between the cache and the tracked averages: into the averages after a training step of the
 * filters, out of them before inference. */
static void track_statistics(Layer *layer, Pass pass, int n)
{
    const LayerSpec *spec = &layer->spec;
    const int channels = spec->channels_out;
    for (int r = 0; r < spec->levels; r++) {
        if (!level_kept(spec->kept, r))
            continue;
        double *mean = layer->at.statistics->data + layer->at.statistics_at + layer_statistics_at(spec, r);
        if (spec->block == BLOCK_MBCONV) {
            mbconv_track(&layer->cache.mbconv[r], mean, spec, pass, r, n);
            continue;
        }
        double *variance = mean + channels, *weight = variance + channels;
        const Shape map = {n, channels, spec->height >> r, spec->width >> r};
        if (pass == PASS_FILTERS)
            ref_batchnorm_track(mean, variance, weight, layer->cache.mean[r], layer->cache.variance[r],
                                spec->momentum, map);
        if (pass == PASS_INFERENCE)
            ref_batchnorm_tracked(layer->cache.mean[r], layer->cache.variance[r], mean, variance, *weight,
                                  channels);
    }
}

void ref_layer_forward(Layer *layer, Tensor *y, const Tensor *x, Pass pass)
{
    const int n = x->shape.n;
    assert(n <= layer->capacity && n <= y->capacity);
    y->shape.n = n;
    layer->x = x;
    if (pass == PASS_INFERENCE)
        track_statistics(layer, pass, n);
    ref_multires_forward(y->data, &layer->cache, x->data, parameters_of(layer), pass != PASS_INFERENCE,
                         multires_shape(&layer->spec, n));
    if (pass == PASS_FILTERS)
        track_statistics(layer, pass, n);
}

void ref_layer_backward(Layer *layer, Tensor *dx, Tensor *dy, unsigned wanted)
{
    const int n = layer->x->shape.n;
    if (dx) {
        dx->shape.n = n;
        memset(dx->data, 0, shape_count(dx->shape) * sizeof *dx->data);
    }
    ref_multires_backward(dx ? dx->data : NULL, gradients_of(layer, wanted), &layer->scratch, dy->data,
                          layer->x->data, &layer->cache, parameters_of(layer),
                          multires_shape(&layer->spec, n));
}

void ref_layer_alpha(const Layer *layer, double *alpha)
{
    ref_softmax_forward(alpha, parameters_of(layer).a, layer->spec.kept, layer->spec.levels);
}

/* `norm`: which of MBConv's means and variances. */
static const double *stage_of(const Layer *layer, Stage stage, int r, int norm)
{
    const bool mbconv = layer->spec.block == BLOCK_MBCONV;
    switch (stage) {
    case STAGE_POOLED:
        return layer->cache.pooled[r];
    case STAGE_DPOOLED:
        return layer->scratch.dpooled[r];
    default:
        if (mbconv)
            return mbconv_stage(&layer->cache.mbconv[r], &layer->scratch.mbconv[r], stage, norm);
        return stage == STAGE_ACTIVATION ? layer->cache.activation[r]
               : stage == STAGE_MEAN     ? layer->cache.mean[r]
               : stage == STAGE_VARIANCE ? layer->cache.variance[r]
               : stage == STAGE_DCONV    ? layer->scratch.dconv[r]
                                         : NULL;
    }
}

bool ref_layer_stage(const Layer *layer, Stage stage, int r, double *values)
{
    const LayerSpec *spec = &layer->spec;
    const bool is_vector = stage == STAGE_MEAN || stage == STAGE_VARIANCE;
    const size_t count = shape_count(layer_stage_shape(spec, stage, r, layer->x->shape.n));
    if (!stage_of(layer, stage, r, 0))
        return false;
    if (!is_vector)
        memcpy(values, stage_of(layer, stage, r, 0), count * sizeof *values);
    for (int i = 0; is_vector && i < layer_block_norms(spec); i++)
        memcpy(values + layer_norms_channels(spec, i), stage_of(layer, stage, r, i),
               (size_t)layer_norm_channels(spec, i) * sizeof *values);
    return true;
}
