/* The fabric's node of the engine. Twin of ref/fabric_node.c, whose numbers it keeps:
 *
 *     1. brought   the map of a coarser edge with zeros between its pixels, in scratch
 *     2. part[e]   the convolution of each edge, by the algorithm that the layers' take; z, their sum
 *     3. y         normalised and rectified in one pass
 *
 * and backward 3. dz in the place of dy, from the sums over the batch, 2. and 1. dw and dx of each edge.
 *
 * Bound by the convolutions, three a node. Beside them, in maps read or written: forward each part is written
 * and read, z is written and read twice, y written, 10; backward 7, and the coarser edge's brought map.
 *
 * Error: z is a sum of parts, each of which has the error of its convolution; in bf16 each is stored once,
 * and their sum. y = max(scale z + shift, 0): scale, shift, product and sum are rounded, |got - ref| <= 4
 * 2^-24 gauge, gauge = |scale| (|z| + |mean|) + |beta|; dz = a dy + b z + c likewise, 5 and the sums' own
 * (fast/engine/channel_sums.c). */
#include "../ranks.h"
#include "layer.h"
#include <assert.h>
#include <math.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>

struct Node {
    NodeSpec spec;
    Slices at;
    Scratch *scratch;
    bool own_scratch;
    int capacity, n;
    int threads;                    /* that scratch is sized for */
    const Tensor *x[MAX_EDGES], *y; /* of the last forward pass */
    Word *z;
    const Word *dz;
    double *mean, *variance;
    float *coefficient; /* a, b, c: (K) each, K rounded up to whole units, the rest 0 */
    int padded;
};

void SET(node_free)(Node *node)
{
    if (!node)
        return;
    free(node->z);
    free(node->mean);
    free(node->variance);
    free(node->coefficient);
    if (node->own_scratch)
        SET(scratch_free)(node->scratch);
    free(node);
}

static size_t convolution_scratch(Conv2dShape s, int threads)
{
    const size_t direct = SET(conv2d_scratch)(s, threads),
                 winograd = s.stride == 1 ? SET(winograd_scratch)(s, threads) : 0;
    return direct > winograd ? direct : winograd;
}

static bool grow_scratch(Node *node)
{
    Scratch *s = node->scratch;
    const NodeSpec *spec = &node->spec;
    const int n = node->capacity;
    const size_t map = tensor_words(node_output(spec, n)) * sizeof(Word);
    bool ok = SET(buffer_grow)(&s->reduce, SET(channel_sums_scratch)(node_output(spec, n)));
    for (int e = 0; e < spec->edges; e++) {
        const Conv2dShape convolution = node_convolution(spec, e, n);
        const size_t filters = conv2d_filters(convolution) * sizeof(float);
        ok = ok && SET(buffer_grow)(&s->part[e], map) &&
             SET(buffer_grow)(&s->conv, convolution_scratch(convolution, node->threads)) &&
             SET(buffer_grow)(&s->seen, filters);
        if (spec->edge[e].from == EDGE_COARSER)
            ok = ok && SET(buffer_grow)(&s->brought, tensor_words(conv2d_input(convolution)) * sizeof(Word));
    }
    return ok;
}

Node *SET(node_create)(const NodeSpec *spec, Slices slices, int batch)
{
    Node *node = calloc(1, sizeof *node);
    if (!node)
        return NULL;
    Buffer z = {0}, coefficient = {0};
    node->spec = *spec;
    node->at = slices;
    node->capacity = batch;
    node->threads = omp_get_max_threads();
    node->own_scratch = !slices.scratch;
    node->scratch = slices.scratch ? slices.scratch : SET(scratch_create)();
    node->padded = units_of(spec->channels) * UNIT;
    node->mean = calloc(spec->channels, sizeof(double));
    node->variance = calloc(spec->channels, sizeof(double));
    bool ok = SET(buffer_grow)(&z, tensor_words(node_output(spec, batch)) * sizeof(Word)) &&
              SET(buffer_grow)(&coefficient, (size_t)3 * node->padded * sizeof(float));
    node->z = z.data;
    node->coefficient = coefficient.data;
    if (ok && node->scratch && node->mean && node->variance && grow_scratch(node))
        return node;
    SET(node_free)(node);
    return NULL;
}

/* The filters of edge e with 0 for the channels that it does not see: from w, or w itself if it sees all. */
static const float *seen_filters(float *seen, const Node *node, int e)
{
    const Edge *edge = &node->spec.edge[e];
    const float *w = node->at.filters->data + node->at.filters_at + node_weights_at(&node->spec, e);
    if (!edge->sparse)
        return w;
    for (int k = 0; k < node->spec.channels; k++)
        for (int c = 0; c < edge->channels; c++)
            for (int tap = 0; tap < 9; tap++) {
                const size_t at = ((size_t)k * edge->channels + c) * 9 + tap;
                seen[at] = edge_sees(edge, k, c) ? w[at] : 0;
            }
    return seen;
}

/* 1 */
static const Word *bring(const Node *node, int e)
{
    if (node->spec.edge[e].from != EDGE_COARSER)
        return node->x[e]->data;
    SET(upsample_forward)
    (node->scratch->brought.data, node->x[e]->data, UPSAMPLE_ZEROS, 2, node_input(&node->spec, e, node->n));
    return node->scratch->brought.data;
}

/* 2: the part of edge e. */
static void convolve(const Node *node, Word *part, int e)
{
    const Conv2dShape s = node_convolution(&node->spec, e, node->n);
    const float *w = seen_filters(node->scratch->seen.data, node, e);
    (SET(winograd_pays)(s) ? SET(winograd_forward) : SET(conv2d_forward))(part, bring(node, e), w, NULL,
                                                                          false, s, node->scratch->conv.data);
}

static void sum_parts(Word *z, Buffer *part, int count, Shape s)
{
    const size_t words = tensor_words(s);
#pragma omp parallel for schedule(static)
    for (size_t at = 0; at < words; at += VL) {
        Unit sum = load_unit((const Word *)part[0].data + at);
        for (int e = 1; e < count; e++)
            sum = add_units(sum, load_unit((const Word *)part[e].data + at));
        store_unit(z + at, sum);
    }
}

/* Mean and variance to normalise with: of the batch, which are tracked as ref_batchnorm_track does after a
 * step of the filters, or the tracked ones, as ref_batchnorm_tracked. */
static void statistics(Node *node, Pass pass)
{
    const Shape s = node_output(&node->spec, node->n);
    const double m = (double)ranks_batch(s.n) * s.h * s.w, momentum = node->spec.momentum,
                 unbiased = m > 1 ? m / (m - 1) : 1;
    float *mean = node->at.statistics->data + node->at.statistics_at, *variance = mean + s.c,
          *weight = variance + s.c;
    if (pass != PASS_INFERENCE)
        SET(channel_sums)(node->mean, node->variance, NULL, node->z, node->z, s, node->scratch->reduce.data);
    for (int k = 0; k < s.c; k++) {
        if (pass == PASS_INFERENCE) {
            node->mean[k] = *weight > 0 ? (double)mean[k] / *weight : 0;
            node->variance[k] = *weight > 0 ? (double)variance[k] / *weight : 1;
            continue;
        }
        node->mean[k] /= m;
        const double difference = node->variance[k] / m - node->mean[k] * node->mean[k];
        node->variance[k] = difference < 0 ? 0 : difference; /* NaN stays NaN */
        if (pass == PASS_FILTERS) {
            mean[k] = (1 - momentum) * mean[k] + momentum * node->mean[k];
            variance[k] = (1 - momentum) * variance[k] + momentum * unbiased * node->variance[k];
        }
    }
    if (pass == PASS_FILTERS)
        *weight = (1 - momentum) * *weight + momentum;
}

static const float *node_gamma(const Node *node)
{
    return node->spec.affine
               ? node->at.filters->data + node->at.filters_at + node_weights_at(&node->spec, node->spec.edges)
               : NULL;
}

/* 3: y = max(scale z + shift, 0). */
static void normalise(Node *node, Word *y)
{
    const Shape s = node_output(&node->spec, node->n);
    const float *gamma = node_gamma(node);
    float *scale = node->coefficient, *shift = scale + node->padded;
    for (int k = 0; k < s.c; k++) {
        const double slope = (gamma ? gamma[k] : 1) / sqrt(node->variance[k] + node->spec.eps);
        scale[k] = slope;
        shift[k] = (gamma ? gamma[s.c + k] : 0) - slope * node->mean[k];
    }
#pragma omp parallel for schedule(static)
    for (int pixel = 0; pixel < lanes_groups(s.n) * s.h * s.w; pixel++)
        for (int unit = 0; unit < units_of(s.c); unit++)
            for (int part = 0; part < LANES; part += VL) {
                const size_t at = pixel * pixel_words(s) + (size_t)unit * LANES + part;
                Unit u = load_unit(node->z + at);
                UNROLL_UNIT
                for (int i = 0; i < UNIT; i++)
                    u.channel[i] = positive(broadcast(scale[unit * UNIT + i]) * u.channel[i] +
                                            broadcast(shift[unit * UNIT + i]));
                store_unit(y + at, u);
            }
}

void SET(node_forward)(Node *node, Tensor *y, const Tensor *const x[], Pass pass)
{
    const NodeSpec *s = &node->spec;
    assert(omp_get_max_threads() <= node->threads);
    node->n = y->shape.n = x[0]->shape.n;
    assert(node->n <= node->capacity && node->n <= y->capacity);
    y->level = 0;
    y->gradient = false;
    y->with = NULL;
    node->y = y;
    for (int e = 0; e < s->edges; e++) {
        assert(x[e]->level == 0);
        node->x[e] = x[e];
        convolve(node, s->edges == 1 ? node->z : node->scratch->part[e].data, e);
    }
    if (s->edges > 1)
        sum_parts(node->z, node->scratch->part, s->edges, node_output(s, node->n));
    statistics(node, pass);
    normalise(node, y->data);
}

/* dy where y is positive, in its place. */
static void rectify_gradient(Word *dy, const Word *y, Shape s)
{
    const size_t words = tensor_words(s);
#pragma omp parallel for schedule(static)
    for (size_t at = 0; at < words; at += VL) {
        const Unit output = load_unit(y + at);
        UnitMask active;
        UNROLL_UNIT
        for (int i = 0; i < UNIT; i++)
            active.channel[i] = ~(output.channel[i] <= 0);
        store_unit(dy + at, keep_units(active, load_unit(dy + at)));
    }
}

/* dz = a dy + b z + c, in the place of dy. */
static void normalise_gradient(Word *dy, const Word *z, const float *a, const float *b, const float *c,
                               Shape s)
{
#pragma omp parallel for schedule(static)
    for (int pixel = 0; pixel < lanes_groups(s.n) * s.h * s.w; pixel++)
        for (int unit = 0; unit < units_of(s.c); unit++)
            for (int part = 0; part < LANES; part += VL) {
                const size_t at = pixel * pixel_words(s) + (size_t)unit * LANES + part;
                const Unit sum = load_unit(z + at);
                Unit gradient = load_unit(dy + at);
                UNROLL_UNIT
                for (int i = 0; i < UNIT; i++) {
                    const int k = unit * UNIT + i;
                    gradient.channel[i] = broadcast(a[k]) * gradient.channel[i] +
                                          broadcast(b[k]) * sum.channel[i] + broadcast(c[k]);
                }
                store_unit(dy + at, gradient);
            }
}

/* 3: from dy to dz in its place, gamma's and beta's gradients on the way. With g = gamma dy the gradient of
 * zhat = (z - mean) scale, dz = scale (g - sum g / M - zhat sum (g zhat) / M) = a dy + b z + c. */
static void normalisation_backward(Node *node, Word *dy, unsigned wanted)
{
    const Shape s = node_output(&node->spec, node->n);
    const double m = (double)ranks_batch(s.n) * s.h * s.w;
    const float *gamma = node_gamma(node);
    float *a = node->coefficient, *b = a + node->padded, *c = b + node->padded;
    float *dgamma = NULL;
    if (gamma && wanted & WANT_FILTERS)
        dgamma =
            node->at.dfilters->data + node->at.filters_at + node_weights_at(&node->spec, node->spec.edges);
    double *sum = node->scratch->reduce.data, *product = sum + s.c;
    rectify_gradient(dy, node->y->data, s);
    SET(channel_sums)(sum, product, NULL, dy, node->z, s, node->scratch->reduce.data);
    for (int k = 0; k < s.c; k++) {
        const double scale = 1 / sqrt(node->variance[k] + node->spec.eps), mean = node->mean[k];
        const double sum_zhat = (product[k] - mean * sum[k]) * scale; /* sum of dy zhat */
        const double share = (gamma ? gamma[k] : 1) * scale, slope = -share * scale * sum_zhat / m;
        if (dgamma) {
            dgamma[k] += sum_zhat;
            dgamma[s.c + k] += sum[k];
        }
        a[k] = share;
        b[k] = slope;
        c[k] = -share * sum[k] / m - slope * mean;
    }
    normalise_gradient(dy, node->z, a, b, c, s);
}

static void filters_backward(const Node *node, int e)
{
    const Conv2dShape s = node_convolution(&node->spec, e, node->n);
    const Edge *edge = &node->spec.edge[e];
    float *dw = node->at.dfilters->data + node->at.filters_at + node_weights_at(&node->spec, e);
    float *seen = edge->sparse ? node->scratch->seen.data : dw;
    if (edge->sparse)
        memset(seen, 0, conv2d_filters(s) * sizeof *seen);
    (SET(winograd_weights_pays)(s) ? SET(winograd_backward_weights) : SET(conv2d_backward_weights))(
        seen, NULL, node->dz, bring(node, e), s, node->scratch->conv.data);
    for (int k = 0; edge->sparse && k < s.k; k++)
        for (int c = 0; c < s.c; c++)
            for (int tap = 0; tap < 9 && edge_sees(edge, k, c); tap++)
                dw[((size_t)k * s.c + c) * 9 + tap] += seen[((size_t)k * s.c + c) * 9 + tap];
}

static void input_backward(const Node *node, Tensor *dx, int e)
{
    const Conv2dShape s = node_convolution(&node->spec, e, node->n);
    const bool coarser = node->spec.edge[e].from == EDGE_COARSER;
    const float *w = seen_filters(node->scratch->seen.data, node, e);
    Word *dbrought = coarser ? node->scratch->brought.data : dx->data;
    assert(dx->level == 0 && dx->shape.n == node->n);
    if (coarser)
        memset(dbrought, 0, tensor_words(conv2d_input(s)) * sizeof *dbrought);
    (SET(winograd_pays)(s) ? SET(winograd_backward_data)
                           : SET(conv2d_backward_data))(dbrought, node->dz, w, s, node->scratch->conv.data);
    if (coarser)
        SET(upsample_backward)(dx->data, dbrought, UPSAMPLE_ZEROS, 2, node_input(&node->spec, e, node->n));
}

void SET(node_backward)(Node *node, Tensor *const dx[], Tensor *dy, unsigned wanted)
{
    assert(omp_get_max_threads() <= node->threads && dy->level == 0);
    normalisation_backward(node, dy->data, wanted);
    node->dz = dy->data;
    for (int e = 0; e < node->spec.edges; e++) {
        if (wanted & WANT_FILTERS)
            filters_backward(node, e);
        if (dx[e])
            input_backward(node, dx[e], e);
    }
}

bool SET(node_stage)(const Node *node, NodeStage stage, double *values)
{
    if (stage == NODE_MEAN || stage == NODE_VARIANCE) {
        memcpy(values, stage == NODE_MEAN ? node->mean : node->variance,
               node->spec.channels * sizeof *values);
        return true;
    }
    const Tensor view = {.shape = node_output(&node->spec, node->n),
                         .capacity = node->n,
                         .data = (Word *)(stage == NODE_SUM ? node->z : node->dz)};
    SET(engine).tensor_export(values, &view);
    return true;
}
