/* The engine of this kernel set: tensors in lanes, vectors, scratch, the head and the optimizers. The layer
 * is in fast/engine/layer.c. */
#include "../ranks.h"
#include "layer.h"
#include <assert.h>
#include <stdlib.h>
#include <string.h>

struct Head {
    HeadSpec spec;
    Slices at;
    int n, own, level;         /* images in the last forward pass; this rank's, and how they were stored */
    const int *labels;         /* of all n */
    float *average, *daverage; /* matrices of this rank's images */
    float *own_logits;         /* the same array as average if there is no linear layer */
    float *logits, *dlogits;   /* of all images */
};

Tensor *SET(tensor_create)(Shape s)
{
    Tensor *t = calloc(1, sizeof *t);
    Buffer b = {0};
    double *sums = calloc(2 * (size_t)s.c, sizeof *sums);
    if (!t || !sums || !SET(buffer_grow)(&b, tensor_words(s) * sizeof(Word))) {
        free(t);
        free(sums);
        return NULL;
    }
    *t = (Tensor){.shape = s, .capacity = s.n, .data = b.data, .sums = sums};
    return t;
}

void SET(tensor_free)(Tensor *t)
{
    if (t) {
        free(t->data);
        free(t->sums);
    }
    free(t);
}

static void tensor_import(Tensor *t, const float *images, int n)
{
    assert(0 < n && n <= t->capacity);
    t->shape.n = n;
    t->level = 0;
    t->gradient = false;
    t->with = NULL;
    t->summed = false;
    SET(import)(t->data, images, t->shape);
}

static void tensor_export(double *images, const Tensor *t)
{
    const Shape s = t->shape, stored = shape_stored(t);
    const double share = t->gradient ? 1.0 / (1 << 2 * t->level) : 1;
    for (int n = 0; n < s.n; n++)
        for (int c = 0; c < s.c; c++)
            for (int y = 0; y < s.h; y++)
                for (int x = 0; x < s.w; x++)
                    *images++ = share * load_double(t->data + row_at(stored, n / LANES, y >> t->level) +
                                                        (x >> t->level) * pixel_words(s) +
                                                        (size_t)(c / UNIT) * LANES + n % LANES / HALF * HALF,
                                                    c % UNIT)[n % HALF];
}

static void tensor_clear(Tensor *t, int n)
{
    assert(0 < n && n <= t->capacity);
    t->shape.n = n;
    t->level = 0;
    t->gradient = true;
    t->summed = false;
    memset(t->data, 0, tensor_words(t->shape) * sizeof *t->data);
}

static Vector *vector_create(size_t count)
{
    Vector *v = calloc(1, sizeof *v);
    Buffer b = {0};
    if (!v || !SET(buffer_grow)(&b, count * sizeof(float))) {
        free(v);
        return NULL;
    }
    *v = (Vector){count, b.data};
    return v;
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
    for (size_t i = 0; i < count; i++)
        v->data[at + i] = values[i];
}

static void vector_read(double *values, const Vector *v, size_t at, size_t count)
{
    assert(at + count <= v->count);
    for (size_t i = 0; i < count; i++)
        values[i] = v->data[at + i];
}

static void vector_clear(Vector *v)
{
    memset(v->data, 0, v->count * sizeof *v->data);
}

Scratch *SET(scratch_create)(void)
{
    return calloc(1, sizeof(Scratch));
}

void SET(scratch_free)(Scratch *s)
{
    if (!s)
        return;
    free(s->conv.data);
    free(s->reduce.data);
    free(s->depthwise.data);
    free(s->norms.data);
    for (int i = 0; i < 3; i++) {
        free(s->wide[i].data);
        free(s->excite[i].data);
    }
    free(s->brought.data);
    free(s->seen.data);
    for (int e = 0; e < MAX_EDGES; e++)
        free(s->part[e].data);
    for (int r = 0; r < MAX_LEVELS; r++) {
        free(s->dsum[r].data);
        free(s->squares[r].data);
        free(s->dpooled[r].data);
        free(s->upsampled[r].data);
        free(s->skips[r].data);
        free(s->finer[r].data);
        free(s->pooled[r].data);
        free(s->marks[r].data);
    }
    free(s);
}

static void head_free(Head *head)
{
    if (!head)
        return;
    if (head->spec.linear)
        free(head->own_logits);
    free(head->logits);
    free(head->dlogits);
    free(head->average);
    free(head->daverage);
    free(head);
}

static float *floats(int batch, int channels, bool *ok)
{
    Buffer b = {0};
    *ok = SET(buffer_grow)(&b, lanes_count((Shape){batch, channels, 1, 1}) * sizeof(float)) && *ok;
    return b.data;
}

static Head *head_create(const HeadSpec *spec, Slices slices, int batch)
{
    assert(spec->linear || spec->channels == spec->classes);
    Head *head = calloc(1, sizeof *head);
    if (!head)
        return NULL;
    bool ok = true;
    head->spec = *spec;
    head->at = slices;
    head->average = floats(batch, spec->channels, &ok);
    head->daverage = floats(batch, spec->channels, &ok);
    head->own_logits = spec->linear ? floats(batch, spec->classes, &ok) : head->average;
    head->logits = floats(ranks_batch(batch), spec->classes, &ok);
    head->dlogits = floats(ranks_batch(batch), spec->classes, &ok);
    if (ok)
        return head;
    head_free(head);
    return NULL;
}

/* The logits of all images, from every rank's. */
static void gather_logits(Head *head)
{
    const size_t bytes =
        lanes_count((Shape){ranks_share(head->n), head->spec.classes, 1, 1}) * sizeof *head->logits;
    memcpy(head->logits, ranks_gathered(head->own_logits, bytes, RANKS_FIRST), bytes * ranks_count());
}

static double head_forward(Head *head, const Tensor *x, const int *labels, int n)
{
    const HeadSpec *spec = &head->spec;
    head->n = n;
    head->own = x->shape.n;
    head->level = x->level;
    head->labels = labels;
    SET(global_average_forward)(head->average, x->data, shape_stored(x));
    if (spec->linear) {
        const float *w = head->at.filters->data + head->at.filters_at;
        SET(linear_forward)
        (head->own_logits, head->average, w, w + (size_t)spec->classes * spec->channels, head->own,
         spec->channels, spec->classes);
    }
    gather_logits(head);
    return SET(cross_entropy_forward)(head->logits, labels, head->n, spec->classes);
}

static void head_logits(const Head *head, double *logits)
{
    const int classes = head->spec.classes;
    for (int image = 0; image < head->n; image++)
        for (int k = 0; k < classes; k++)
            *logits++ = head->logits[((size_t)(image / LANES) * classes + k) * LANES + image % LANES];
}

static void clear(float *x, int n, int channels)
{
    memset(x, 0, lanes_count((Shape){n, channels, 1, 1}) * sizeof *x);
}

static void head_backward(Head *head, Tensor *dx, unsigned wanted)
{
    const HeadSpec *spec = &head->spec;
    clear(head->dlogits, head->n, spec->classes);
    SET(cross_entropy_backward)(head->dlogits, head->logits, head->labels, head->n, spec->classes);
    const float *own = head->dlogits + (size_t)ranks_part(head->n).first * spec->classes;
    if (spec->linear) {
        const size_t at = head->at.filters_at, bias = (size_t)spec->classes * spec->channels;
        float *dw = wanted & WANT_FILTERS ? head->at.dfilters->data + at : NULL;
        clear(head->daverage, head->own, spec->channels);
        SET(linear_backward)
        (head->daverage, dw, dw ? dw + bias : NULL, own, head->average, head->at.filters->data + at,
         head->own, spec->channels, spec->classes);
    }
    dx->shape.n = head->own;
    dx->level = head->level;
    dx->gradient = true;
    dx->summed = false;
    memset(dx->data, 0, tensor_words(shape_stored(dx)) * sizeof *dx->data);
    SET(global_average_backward)(dx->data, spec->linear ? head->daverage : own, shape_stored(dx));
}

static void sgd_step(Vector *w, Vector *v, const Vector *dw, Sgd sgd)
{
    SET(sgd_step)(w->data, v->data, dw->data, sgd, w->count);
}

static void adam_step(Vector *w, Vector *m, Vector *v, const Vector *dw, int t, Adam adam)
{
    SET(adam_step)(w->data, m->data, v->data, dw->data, t, adam, w->count);
}

#define NAME_OF(isa)        #isa
#define EXPAND_NAME_OF(isa) NAME_OF(isa)

const Engine SET(engine) = {
    .name = EXPAND_NAME_OF(SET_NAME),
    .instruction_set = EXPAND_NAME_OF(ISA),
    .tensor_create = SET(tensor_create),
    .tensor_free = SET(tensor_free),
    .tensor_import = tensor_import,
    .tensor_export = tensor_export,
    .tensor_clear = tensor_clear,
    .vector_create = vector_create,
    .vector_free = vector_free,
    .vector_write = vector_write,
    .vector_read = vector_read,
    .vector_clear = vector_clear,
    .scratch_create = SET(scratch_create),
    .scratch_free = SET(scratch_free),
    .layer_create = SET(layer_create),
    .layer_free = SET(layer_free),
    .layer_forward = SET(layer_forward),
    .layer_backward = SET(layer_backward),
    .layer_alpha = SET(layer_alpha),
    .layer_stage = SET(layer_stage),
    .depth_create = SET(depth_create),
    .depth_free = SET(depth_free),
    .depth_forward = SET(depth_forward),
    .depth_backward = SET(depth_backward),
    .depth_share = SET(depth_share),
    .depth_beta = SET(depth_beta),
    .node_create = SET(node_create),
    .node_free = SET(node_free),
    .node_forward = SET(node_forward),
    .node_backward = SET(node_backward),
    .node_stage = SET(node_stage),
    .head_create = head_create,
    .head_free = head_free,
    .head_forward = head_forward,
    .head_logits = head_logits,
    .head_backward = head_backward,
    .sgd_step = sgd_step,
    .adam_step = adam_step,
};

const Kernels SET(kernels) = {
    .name = EXPAND_NAME_OF(SET_NAME),
    .instruction_set = EXPAND_NAME_OF(ISA),
    .import = SET(import),
    .export = SET(export),
    .import_matrix = SET(import_matrix),
    .export_matrix = SET(export_matrix),
    .conv2d_scratch = SET(conv2d_scratch),
    .conv2d_forward = SET(conv2d_forward),
    .conv2d_backward_data = SET(conv2d_backward_data),
    .conv2d_backward_weights = SET(conv2d_backward_weights),
    .conv2d_winograd_scratch = SET(winograd_scratch),
    .conv2d_winograd_forward = SET(winograd_forward),
    .conv2d_winograd_backward_data = SET(winograd_backward_data),
    .conv2d_winograd_backward_weights = SET(winograd_backward_weights),
    .conv2d_winograd_pays = SET(winograd_pays),
    .conv2d_winograd_weights_pays = SET(winograd_weights_pays),
    .relu_forward = SET(relu_forward),
    .relu_backward = SET(relu_backward),
    .sigmoid_forward = SET(sigmoid_forward),
    .sigmoid_backward = SET(sigmoid_backward),
    .swish_forward = SET(swish_forward),
    .swish_backward = SET(swish_backward),
    .depthwise_scratch = SET(depthwise_scratch),
    .depthwise_forward = SET(depthwise_forward),
    .depthwise_backward_data = SET(depthwise_backward_data),
    .depthwise_backward_weights = SET(depthwise_backward_weights),
    .squeeze_excite_forward = SET(squeeze_excite_forward),
    .squeeze_excite_backward = SET(squeeze_excite_backward),
    .batchnorm_scratch = SET(channel_sums_scratch),
    .batchnorm_statistics = SET(batchnorm_statistics),
    .batchnorm_forward = SET(batchnorm_forward),
    .batchnorm_backward = SET(batchnorm_backward),
    .pool_forward = SET(pool_forward),
    .pool_backward = SET(pool_backward),
    .upsample_forward = SET(upsample_forward),
    .upsample_backward = SET(upsample_backward),
    .softmax_forward = SET(softmax_forward),
    .softmax_backward = SET(softmax_backward),
    .mix_forward = SET(mix_forward),
    .mix_backward = SET(mix_backward),
    .global_average_forward = SET(global_average_forward),
    .global_average_backward = SET(global_average_backward),
    .linear_forward = SET(linear_forward),
    .linear_backward = SET(linear_backward),
    .cross_entropy_forward = SET(cross_entropy_forward),
    .cross_entropy_backward = SET(cross_entropy_backward),
    .sgd_step = SET(sgd_step),
    .adam_step = SET(adam_step),
    .multiply_add_loop = SET(multiply_add_loop),
    .engine = &SET(engine),
    .traffic = &SET(traffic),
};
