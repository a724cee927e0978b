/* The reference engine: the operations of this folder, composed, and nothing else. Tensors are plain arrays
 * (N,C,H,W) of doubles; memory is taken when a layer is created and given back when it is freed. */
#include "batchnorm.h"
#include "cross_entropy.h"
#include "engine_mbconv.h"
#include "engine_parts.h"
#include "global_average.h"
#include "linear.h"
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

/* A layer of the reference keeps all its arrays to itself. */
struct Scratch {
    char nothing;
};

struct Head {
    HeadSpec spec;
    Slices at;
    int n;                    /* images in the last forward pass */
    const int *labels;        /* of these images */
    double *average, *logits; /* (N, channels), (N, classes); the same array if there is no linear layer */
    double *daverage, *dlogits;
};

static Tensor *tensor_create(Shape s)
{
    Tensor *t = calloc(1, sizeof *t);
    if (!t)
        return NULL;
    *t = (Tensor){s, s.n, calloc(shape_count(s), sizeof(double))};
    if (t->data)
        return t;
    free(t);
    return NULL;
}

static void tensor_free(Tensor *t)
{
    if (t)
        free(t->data);
    free(t);
}

static void tensor_import(Tensor *t, const float *images, int n)
{
    assert(0 < n && n <= t->capacity);
    t->shape.n = n;
    for (size_t i = 0; i < shape_count(t->shape); i++)
        t->data[i] = images[i];
}

static void tensor_export(double *images, const Tensor *t)
{
    memcpy(images, t->data, shape_count(t->shape) * sizeof *images);
}

static void tensor_clear(Tensor *t, int n)
{
    assert(0 < n && n <= t->capacity);
    t->shape.n = n;
    memset(t->data, 0, shape_count(t->shape) * sizeof *t->data);
}

static Vector *vector_create(size_t count)
{
    Vector *v = calloc(1, sizeof *v);
    if (!v)
        return NULL;
    *v = (Vector){count, calloc(count ? count : 1, sizeof(double))};
    if (v->data)
        return v;
    free(v);
    return NULL;
}

static void vector_free(Vector *v)
{
    if (v)
        free(v->data);
    free(v);
}

static void vector_write(Vector *v, size_t at, const double *values, size_t count)
{
    assert(at + count <= v->count);
    memcpy(v->data + at, values, count * sizeof *values);
}

static void vector_read(double *values, const Vector *v, size_t at, size_t count)
{
    assert(at + count <= v->count);
    memcpy(values, v->data + at, count * sizeof *values);
}

static void vector_clear(Vector *v)
{
    memset(v->data, 0, v->count * sizeof *v->data);
}

static Scratch *scratch_create(void)
{
    return calloc(1, sizeof(Scratch));
}

static void scratch_free(Scratch *s)
{
    free(s);
}

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

static void layer_free(Layer *layer)
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

static Layer *layer_create(const LayerSpec *spec, Slices slices, int batch)
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
    layer_free(layer);
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

static void layer_forward(Layer *layer, Tensor *y, const Tensor *x, Pass pass)
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

static void layer_backward(Layer *layer, Tensor *dx, Tensor *dy, unsigned wanted)
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

static void layer_alpha(const Layer *layer, double *alpha)
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

static bool layer_stage(const Layer *layer, Stage stage, int r, double *values)
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

static void head_free(Head *head)
{
    if (!head)
        return;
    if (head->spec.linear) {
        free(head->logits);
        free(head->dlogits);
    }
    free(head->average);
    free(head->daverage);
    free(head);
}

static Head *head_create(const HeadSpec *spec, Slices slices, int batch)
{
    assert(spec->linear || spec->channels == spec->classes);
    Head *head = calloc(1, sizeof *head);
    if (!head)
        return NULL;
    const Shape averages = {batch, spec->channels, 1, 1}, logits = {batch, spec->classes, 1, 1};
    bool ok = true;
    head->spec = *spec;
    head->at = slices;
    head->average = array(averages, &ok);
    head->daverage = array(averages, &ok);
    head->logits = spec->linear ? array(logits, &ok) : head->average;
    head->dlogits = spec->linear ? array(logits, &ok) : head->daverage;
    if (ok)
        return head;
    head_free(head);
    return NULL;
}

static double head_forward(Head *head, const Tensor *x, const int *labels)
{
    const HeadSpec *spec = &head->spec;
    head->n = x->shape.n;
    head->labels = labels;
    ref_global_average_forward(head->average, x->data, x->shape);
    if (spec->linear) {
        const double *w = head->at.filters->data + head->at.filters_at;
        const double *b = w + (size_t)spec->classes * spec->channels;
        ref_linear_forward(head->logits, head->average, w, b, head->n, spec->channels, spec->classes);
    }
    return ref_cross_entropy_forward(head->logits, labels, head->n, spec->classes);
}

static void head_logits(const Head *head, double *logits)
{
    memcpy(logits, head->logits, (size_t)head->n * head->spec.classes * sizeof *logits);
}

static void head_backward(Head *head, Tensor *dx, unsigned wanted)
{
    const HeadSpec *spec = &head->spec;
    memset(head->dlogits, 0, (size_t)head->n * spec->classes * sizeof *head->dlogits);
    ref_cross_entropy_backward(head->dlogits, head->logits, head->labels, head->n, spec->classes);
    if (spec->linear) {
        const size_t at = head->at.filters_at, b = (size_t)spec->classes * spec->channels;
        double *dw = wanted & WANT_FILTERS ? head->at.dfilters->data + at : NULL;
        memset(head->daverage, 0, (size_t)head->n * spec->channels * sizeof *head->daverage);
        ref_linear_backward(head->daverage, dw, dw ? dw + b : NULL, head->dlogits, head->average,
                            head->at.filters->data + at, head->n, spec->channels, spec->classes);
    }
    dx->shape.n = head->n;
    memset(dx->data, 0, shape_count(dx->shape) * sizeof *dx->data);
    ref_global_average_backward(dx->data, head->daverage, dx->shape);
}

static void sgd_step(Vector *w, Vector *v, const Vector *dw, Sgd sgd)
{
    ref_sgd_step(w->data, v->data, dw->data, sgd, w->count);
}

static void adam_step(Vector *w, Vector *m, Vector *v, const Vector *dw, int t, Adam adam)
{
    ref_adam_step(w->data, m->data, v->data, dw->data, t, adam, w->count);
}

const Engine ref_engine = {
    .name = "ref",
    .instruction_set = "double",
    .tensor_create = tensor_create,
    .tensor_free = tensor_free,
    .tensor_import = tensor_import,
    .tensor_export = tensor_export,
    .tensor_clear = tensor_clear,
    .vector_create = vector_create,
    .vector_free = vector_free,
    .vector_write = vector_write,
    .vector_read = vector_read,
    .vector_clear = vector_clear,
    .scratch_create = scratch_create,
    .scratch_free = scratch_free,
    .layer_create = layer_create,
    .layer_free = layer_free,
    .layer_forward = layer_forward,
    .layer_backward = layer_backward,
    .layer_alpha = layer_alpha,
    .layer_stage = layer_stage,
    .depth_create = ref_depth_create,
    .depth_free = ref_depth_free,
    .depth_forward = ref_depth_forward,
    .depth_backward = ref_depth_backward,
    .depth_share = ref_depth_share,
    .depth_beta = ref_depth_beta,
    .node_create = ref_engine_node_create,
    .node_free = ref_engine_node_free,
    .node_forward = ref_engine_node_forward,
    .node_backward = ref_engine_node_backward,
    .node_stage = ref_engine_node_stage,
    .head_create = head_create,
    .head_free = head_free,
    .head_forward = head_forward,
    .head_logits = head_logits,
    .head_backward = head_backward,
    .sgd_step = sgd_step,
    .adam_step = adam_step,
};
