/* The f32 engine: tensors in lanes, vectors, scratch, the head and the optimizers. The layer is in
 * fast/layer.c. */
#include "layer.h"
#include "operations.h"
#include <assert.h>
#include <stdlib.h>
#include <string.h>

struct Head {
    HeadSpec spec;
    Slices at;
    int n;                   /* images in the last forward pass */
    const int *labels;       /* of these images */
    float *average, *logits; /* tensors with 1x1 maps; the same array if there is no linear layer */
    float *daverage, *dlogits;
};

bool F32(buffer_grow)(Buffer *b, size_t bytes)
{
    const size_t rounded = (bytes + 63) / 64 * 64;
    if (b->data && rounded <= b->bytes)
        return true;
    free(b->data);
    *b = (Buffer){aligned_alloc(64, rounded ? rounded : 64), rounded};
    if (b->data)
        memset(b->data, 0, rounded);
    return b->data != NULL;
}

Tensor *F32(tensor_create)(Shape s)
{
    Tensor *t = calloc(1, sizeof *t);
    Buffer b = {0};
    if (!t || !F32(buffer_grow)(&b, lanes_count(s) * sizeof(float))) {
        free(t);
        return NULL;
    }
    *t = (Tensor){s, s.n, b.data};
    return t;
}

void F32(tensor_free)(Tensor *t)
{
    if (t)
        free(t->data);
    free(t);
}

static void tensor_import(Tensor *t, const float *images, int n)
{
    assert(0 < n && n <= t->capacity);
    t->shape.n = n;
    F32(import)(t->data, images, t->shape);
}

static void tensor_export(double *images, const Tensor *t)
{
    const Shape s = t->shape;
    for (int n = 0; n < s.n; n++)
        for (int c = 0; c < s.c; c++)
            for (int pixel = 0; pixel < s.h * s.w; pixel++)
                *images++ =
                    t->data[n / LANES * group_floats(s) + ((size_t)pixel * s.c + c) * LANES + n % LANES];
}

static Vector *vector_create(size_t count)
{
    Vector *v = calloc(1, sizeof *v);
    Buffer b = {0};
    if (!v || !F32(buffer_grow)(&b, count * sizeof(float))) {
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

Scratch *F32(scratch_create)(void)
{
    return calloc(1, sizeof(Scratch));
}

void F32(scratch_free)(Scratch *s)
{
    if (!s)
        return;
    free(s->conv.data);
    free(s->reduce.data);
    for (int r = 0; r < MAX_LEVELS; r++) {
        free(s->dsum[r].data);
        free(s->dconv[r].data);
        free(s->dpooled[r].data);
        free(s->upsampled[r].data);
    }
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

static float *floats(int batch, int channels, bool *ok)
{
    Buffer b = {0};
    *ok = F32(buffer_grow)(&b, lanes_count((Shape){batch, channels, 1, 1}) * sizeof(float)) && *ok;
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
    head->logits = spec->linear ? floats(batch, spec->classes, &ok) : head->average;
    head->dlogits = spec->linear ? floats(batch, spec->classes, &ok) : head->daverage;
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
    F32(global_average_forward)(head->average, x->data, x->shape);
    if (spec->linear) {
        const float *w = head->at.filters->data + head->at.filters_at;
        F32(linear_forward)
        (head->logits, head->average, w, w + (size_t)spec->classes * spec->channels, head->n, spec->channels,
         spec->classes);
    }
    return F32(cross_entropy_forward)(head->logits, labels, head->n, spec->classes);
}

static void head_logits(const Head *head, double *logits)
{
    const Tensor view = {{head->n, head->spec.classes, 1, 1}, head->n, head->logits};
    tensor_export(logits, &view);
}

static void clear(float *x, int n, int channels)
{
    memset(x, 0, lanes_count((Shape){n, channels, 1, 1}) * sizeof *x);
}

static void head_backward(Head *head, Tensor *dx, unsigned wanted)
{
    const HeadSpec *spec = &head->spec;
    clear(head->dlogits, head->n, spec->classes);
    F32(cross_entropy_backward)(head->dlogits, head->logits, head->labels, head->n, spec->classes);
    if (spec->linear) {
        const size_t at = head->at.filters_at, bias = (size_t)spec->classes * spec->channels;
        float *dw = wanted & WANT_FILTERS ? head->at.dfilters->data + at : NULL;
        clear(head->daverage, head->n, spec->channels);
        F32(linear_backward)
        (head->daverage, dw, dw ? dw + bias : NULL, head->dlogits, head->average, head->at.filters->data + at,
         head->n, spec->channels, spec->classes);
    }
    dx->shape.n = head->n;
    memset(dx->data, 0, lanes_count(dx->shape) * sizeof *dx->data);
    F32(global_average_backward)(dx->data, head->daverage, dx->shape);
}

static void sgd_step(Vector *w, Vector *v, const Vector *dw, Sgd sgd)
{
    F32(sgd_step)(w->data, v->data, dw->data, sgd, w->count);
}

static void adam_step(Vector *w, Vector *m, Vector *v, const Vector *dw, int t, Adam adam)
{
    F32(adam_step)(w->data, m->data, v->data, dw->data, t, adam, w->count);
}

#define NAME_OF(isa)        #isa
#define EXPAND_NAME_OF(isa) NAME_OF(isa)

const Engine F32(engine) = {
    .name = "f32",
    .instruction_set = EXPAND_NAME_OF(ISA),
    .tensor_create = F32(tensor_create),
    .tensor_free = F32(tensor_free),
    .tensor_import = tensor_import,
    .tensor_export = tensor_export,
    .vector_create = vector_create,
    .vector_free = vector_free,
    .vector_write = vector_write,
    .vector_read = vector_read,
    .vector_clear = vector_clear,
    .scratch_create = F32(scratch_create),
    .scratch_free = F32(scratch_free),
    .layer_create = F32(layer_create),
    .layer_free = F32(layer_free),
    .layer_forward = F32(layer_forward),
    .layer_backward = F32(layer_backward),
    .layer_alpha = F32(layer_alpha),
    .layer_stage = F32(layer_stage),
    .head_create = head_create,
    .head_free = head_free,
    .head_forward = head_forward,
    .head_logits = head_logits,
    .head_backward = head_backward,
    .sgd_step = sgd_step,
    .adam_step = adam_step,
};

const F32 EXPAND_JOIN(f32, ISA) = {
    .instruction_set = EXPAND_NAME_OF(ISA),
    .import = F32(import),
    .export = F32(export),
    .conv2d_scratch = F32(conv2d_scratch),
    .conv2d_forward = F32(conv2d_forward),
    .conv2d_backward_data = F32(conv2d_backward_data),
    .conv2d_backward_weights = F32(conv2d_backward_weights),
    .conv2d_winograd_scratch = F32(winograd_scratch),
    .conv2d_winograd_forward = F32(winograd_forward),
    .conv2d_winograd_backward_data = F32(winograd_backward_data),
    .relu_forward = F32(relu_forward),
    .relu_backward = F32(relu_backward),
    .batchnorm_statistics = F32(batchnorm_statistics),
    .batchnorm_forward = F32(batchnorm_forward),
    .batchnorm_backward = F32(batchnorm_backward),
    .pool_forward = F32(pool_forward),
    .pool_backward = F32(pool_backward),
    .upsample_forward = F32(upsample_forward),
    .upsample_backward = F32(upsample_backward),
    .softmax_forward = F32(softmax_forward),
    .softmax_backward = F32(softmax_backward),
    .mix_forward = F32(mix_forward),
    .mix_backward = F32(mix_backward),
    .global_average_forward = F32(global_average_forward),
    .global_average_backward = F32(global_average_backward),
    .linear_forward = F32(linear_forward),
    .linear_backward = F32(linear_backward),
    .cross_entropy_forward = F32(cross_entropy_forward),
    .cross_entropy_backward = F32(cross_entropy_backward),
    .sgd_step = F32(sgd_step),
    .adam_step = F32(adam_step),
    .multiply_add_loop = F32(multiply_add_loop),
    .engine = &F32(engine),
};
