/* The fabric's node in the reference engine: ref/fabric_node.c, bound to slices of the network's vectors. */
#include "batchnorm.h"
#include "engine_parts.h"
#include <assert.h>
#include <string.h>

struct Node {
    NodeSpec spec;
    Slices at;
    int capacity, n;
    const Tensor *x[MAX_EDGES], *y; /* of the last forward pass */
    NodeArrays arrays;
};

static NodeParameters parameters_of(const Node *node)
{
    const NodeSpec *s = &node->spec;
    const double *filters = node->at.filters->data + node->at.filters_at;
    NodeParameters p = {{0}, NULL, NULL};
    for (int e = 0; e < s->edges; e++)
        p.w[e] = filters + node_weights_at(s, e);
    if (s->affine) {
        p.gamma = filters + node_weights_at(s, s->edges);
        p.beta = p.gamma + s->channels;
    }
    return p;
}

static NodeGradients gradients_of(const Node *node)
{
    const NodeSpec *s = &node->spec;
    double *filters = node->at.dfilters->data + node->at.filters_at;
    NodeGradients d = {{0}, NULL, NULL};
    for (int e = 0; e < s->edges; e++)
        d.dw[e] = filters + node_weights_at(s, e);
    if (s->affine) {
        d.dgamma = filters + node_weights_at(s, s->edges);
        d.dbeta = d.dgamma + s->channels;
    }
    return d;
}

void ref_engine_node_free(Node *node)
{
    if (!node)
        return;
    NodeArrays *a = &node->arrays;
    double *const arrays[] = {a->z,    a->mean,        a->variance, a->part,     a->brought,
                              a->seen, a->dnormalised, a->dz,       a->dbrought, a->dseen};
    for (size_t i = 0; i < sizeof arrays / sizeof *arrays; i++)
        free(arrays[i]);
    free(node);
}

Node *ref_engine_node_create(const NodeSpec *spec, Slices slices, int batch)
{
    Node *node = calloc(1, sizeof *node);
    if (!node)
        return NULL;
    int most = 0; /* channels of an input */
    for (int e = 0; e < spec->edges; e++)
        most = spec->edge[e].channels > most ? spec->edge[e].channels : most;
    const Shape map = node_output(spec, batch), channels = {1, spec->channels, 1, 1};
    const Shape brought = {batch, most, spec->height, spec->width}, filters = {spec->channels, most, 3, 3};
    bool ok = true;
    node->spec = *spec;
    node->at = slices;
    node->capacity = batch;
    node->arrays =
        (NodeArrays){array(map, &ok),     array(channels, &ok), array(channels, &ok), array(map, &ok),
                     array(brought, &ok), array(filters, &ok),  array(map, &ok),      array(map, &ok),
                     array(brought, &ok), array(filters, &ok)};
    if (ok)
        return node;
    ref_engine_node_free(node);
    return NULL;
}

void ref_engine_node_forward(Node *node, Tensor *y, const Tensor *const x[], Pass pass)
{
    const NodeSpec *s = &node->spec;
    const double *inputs[MAX_EDGES];
    const NodeParameters p = parameters_of(node);
    double *mean = node->at.statistics->data + node->at.statistics_at, *variance = mean + s->channels,
           *weight = variance + s->channels;
    node->n = y->shape.n = x[0]->shape.n;
    assert(node->n <= node->capacity && node->n <= y->capacity);
    node->y = y;
    for (int e = 0; e < s->edges; e++) {
        node->x[e] = x[e];
        inputs[e] = x[e]->data;
    }
    if (pass == PASS_INFERENCE)
        ref_batchnorm_tracked(node->arrays.mean, node->arrays.variance, mean, variance, *weight, s->channels);
    ref_node_forward(y->data, &node->arrays, inputs, &p, pass != PASS_INFERENCE, s, node->n);
    if (pass == PASS_FILTERS)
        ref_batchnorm_track(mean, variance, weight, node->arrays.mean, node->arrays.variance, s->momentum,
                            node_output(s, node->n));
}

void ref_engine_node_backward(Node *node, Tensor *const dx[], Tensor *dy, unsigned wanted)
{
    const NodeSpec *s = &node->spec;
    const NodeParameters p = parameters_of(node);
    const NodeGradients none = {{0}, NULL, NULL};
    const double *x[MAX_EDGES];
    double *outputs[MAX_EDGES];
    for (int e = 0; e < s->edges; e++) {
        x[e] = node->x[e]->data;
        outputs[e] = dx[e] ? dx[e]->data : NULL;
    }
    ref_node_backward(outputs, wanted & WANT_FILTERS ? gradients_of(node) : none, &node->arrays, dy->data,
                      node->y->data, x, &p, s, node->n);
}

bool ref_engine_node_stage(const Node *node, NodeStage stage, double *values)
{
    const NodeArrays *a = &node->arrays;
    const double *const data[] = {
        [NODE_SUM] = a->z, [NODE_MEAN] = a->mean, [NODE_VARIANCE] = a->variance, [NODE_DSUM] = a->dz};
    const size_t map = shape_count(node_output(&node->spec, node->n)), channels = (size_t)node->spec.channels;
    memcpy(values, data[stage], (stage == NODE_SUM || stage == NODE_DSUM ? map : channels) * sizeof *values);
    return true;
}
