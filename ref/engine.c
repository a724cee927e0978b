/* The reference engine: the operations of this folder, composed, and nothing else. Tensors are plain arrays
 * (N,C,H,W) of doubles; memory is taken when a layer is created and given back when it is freed. */
#include "cross_entropy.h"
#include "engine_parts.h"
#include "global_average.h"
#include "linear.h"
#include <assert.h>
#include <stdlib.h>
#include <string.h>

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

static double head_forward(Head *head, const Tensor *x, const int *labels, int n)
{
    const HeadSpec *spec = &head->spec;
    assert(n == x->shape.n);
    head->n = n;
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
    .layer_create = ref_layer_create,
    .layer_free = ref_layer_free,
    .layer_forward = ref_layer_forward,
    .layer_backward = ref_layer_backward,
    .layer_alpha = ref_layer_alpha,
    .layer_stage = ref_layer_stage,
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
