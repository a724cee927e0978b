/* The fabric of a training as plain arrays: see training_fabric.h. */
#include "training_fabric.h"
#include "batchnorm.h"
#include <string.h>

static int scales_of(const PlainNetworkShape *s)
{
    int scales = 0;
    for (int side = s->height; side > 0; side /= 2)
        scales++;
    return scales;
}

/* Adds an edge to a node, from node `from` (layer, scale) or from the images. */
static void join(PlainNode *node, EdgeFrom way, const PlainNetworkShape *s, int from)
{
    const bool images = from < 0;
    node->from[node->spec.edges] = from;
    node->spec.edge[node->spec.edges++] =
        (Edge){way, images ? s->image_channels : s->channels, s->net == NET_FABRIC_SPARSE && !images};
}

/* Node (layer, scale) and its edges (choice "fabric"). */
static PlainNode node_of(const PlainNetworkShape *s, int layer, int scale)
{
    const int scales = scales_of(s), here = layer * scales + scale;
    PlainNode node = {.spec = {.channels = s->channels,
                               .height = s->height >> scale,
                               .width = s->width >> scale,
                               .affine = s->affine,
                               .eps = s->eps,
                               .momentum = s->momentum}};
    if (layer == 0) {
        if (scale == 0)
            join(&node, EDGE_SAME, s, -1);
        else
            join(&node, EDGE_FINER, s, here - 1);
        return node;
    }
    join(&node, EDGE_SAME, s, here - scales);
    if (scale > 0)
        join(&node, EDGE_FINER, s, here - scales - 1);
    if (scale + 1 < scales)
        join(&node, EDGE_COARSER, s, here - scales + 1);
    if (layer == s->fabric_layers - 1 && scale > 0)
        join(&node, EDGE_FINER, s, here - 1);
    return node;
}

static size_t edge_filters(const PlainNode *node, int e)
{
    return conv2d_filters(node_convolution(&node->spec, e, 1));
}

static size_t node_filters(const PlainNode *node)
{
    size_t count = node->spec.affine ? 2 * (size_t)node->spec.channels : 0;
    for (int e = 0; e < node->spec.edges; e++)
        count += edge_filters(node, e);
    return count;
}

size_t plain_fabric_filters(const PlainNetworkShape *s)
{
    size_t count = 0;
    for (int i = 0; i < s->fabric_layers * scales_of(s); i++) {
        const PlainNode node = node_of(s, i / scales_of(s), i % scales_of(s));
        count += node_filters(&node);
    }
    return count;
}

size_t plain_fabric_statistics(const PlainNetworkShape *s)
{
    return (size_t)s->fabric_layers * scales_of(s) * (2 * (size_t)s->channels + 1);
}

/* The next count numbers of an array. */
static double *next(double **at, size_t count)
{
    double *here = *at;
    *at += count;
    return here;
}

static double *zeros(size_t count, bool *failed)
{
    double *made = calloc(count, sizeof *made);
    *failed = *failed || !made;
    return made;
}

static void place(PlainNode *node, double **w, double **dw, double **statistics)
{
    const size_t k = (size_t)node->spec.channels;
    for (int e = 0; e < node->spec.edges; e++) {
        node->parameters.w[e] = next(w, edge_filters(node, e));
        node->gradients.dw[e] = next(dw, edge_filters(node, e));
    }
    if (node->spec.affine) {
        node->parameters.gamma = next(w, k);
        node->parameters.beta = next(w, k);
        node->gradients.dgamma = next(dw, k);
        node->gradients.dbeta = next(dw, k);
    }
    node->mean = next(statistics, k);
    node->variance = next(statistics, k);
    node->weight = next(statistics, 1);
}

static void make_arrays(PlainNode *node, int batch, bool *failed)
{
    const size_t map = shape_count(node_output(&node->spec, batch)), k = (size_t)node->spec.channels;
    size_t filters = 0;
    for (int e = 0; e < node->spec.edges; e++)
        filters = edge_filters(node, e) > filters ? edge_filters(node, e) : filters;
    NodeArrays *a = &node->arrays;
    node->y = zeros(map, failed);
    node->dy = zeros(map, failed);
    *a = (NodeArrays){.z = zeros(map, failed),
                      .mean = zeros(k, failed),
                      .variance = zeros(k, failed),
                      .part = zeros(map, failed),
                      .brought = zeros(map, failed),
                      .seen = zeros(filters, failed),
                      .dnormalised = zeros(map, failed),
                      .dz = zeros(map, failed),
                      .dbrought = zeros(map, failed),
                      .dseen = zeros(filters, failed)};
}

PlainFabric *plain_fabric_create(const PlainNetworkShape *s, int batch, double **w, double **dw,
                                 double **statistics)
{
    PlainFabric *f = calloc(1, sizeof *f);
    if (!f)
        return NULL;
    *f = (PlainFabric){s->fabric_layers, scales_of(s), s->momentum, NULL};
    f->node = calloc((size_t)f->layers * f->scales, sizeof *f->node);
    bool failed = !f->node;
    for (int i = 0; f->node && i < f->layers * f->scales; i++) {
        f->node[i] = node_of(s, i / f->scales, i % f->scales);
        place(&f->node[i], w, dw, statistics);
        make_arrays(&f->node[i], batch, &failed);
    }
    if (!failed)
        return f;
    plain_fabric_free(f);
    return NULL;
}

void plain_fabric_free(PlainFabric *f)
{
    for (int i = 0; f && f->node && i < f->layers * f->scales; i++) {
        PlainNode *node = &f->node[i];
        NodeArrays *a = &node->arrays;
        double *const arrays[] = {node->y,    node->dy, a->z,           a->mean, a->variance, a->part,
                                  a->brought, a->seen,  a->dnormalised, a->dz,   a->dbrought, a->dseen};
        for (size_t k = 0; k < sizeof arrays / sizeof *arrays; k++)
            free(arrays[k]);
    }
    if (f)
        free(f->node);
    free(f);
}

/* The inputs of a node. */
static void inputs_of(const double *x[MAX_EDGES], const PlainFabric *f, const PlainNode *node,
                      const double *images)
{
    for (int e = 0; e < node->spec.edges; e++)
        x[e] = node->from[e] < 0 ? images : f->node[node->from[e]].y;
}

const double *plain_fabric_forward(PlainFabric *f, const double *images, int n, StatisticsUse use)
{
    for (int i = 0; i < f->layers * f->scales; i++) {
        PlainNode *node = &f->node[i];
        NodeArrays *a = &node->arrays;
        const double *x[MAX_EDGES];
        inputs_of(x, f, node, images);
        if (use == STATISTICS_TRACKED)
            ref_batchnorm_tracked(a->mean, a->variance, node->mean, node->variance, *node->weight,
                                  node->spec.channels);
        ref_node_forward(node->y, a, x, &node->parameters, use != STATISTICS_TRACKED, &node->spec, n);
        if (use == STATISTICS_OF_BATCH_TRACKED)
            ref_batchnorm_track(node->mean, node->variance, node->weight, a->mean, a->variance, f->momentum,
                                node_output(&node->spec, n));
    }
    return f->node[f->layers * f->scales - 1].y;
}

void plain_fabric_backward(PlainFabric *f, const double *dy, const double *images, int n)
{
    const int last = f->layers * f->scales - 1;
    for (int i = 0; i <= last; i++)
        memset(f->node[i].dy, 0, shape_count(node_output(&f->node[i].spec, n)) * sizeof *f->node[i].dy);
    memcpy(f->node[last].dy, dy, shape_count(node_output(&f->node[last].spec, n)) * sizeof *dy);
    for (int i = last; i >= 0; i--) {
        PlainNode *node = &f->node[i];
        const double *x[MAX_EDGES];
        double *dx[MAX_EDGES];
        inputs_of(x, f, node, images);
        for (int e = 0; e < node->spec.edges; e++)
            dx[e] = node->from[e] < 0 ? NULL : f->node[node->from[e]].dy;
        ref_node_backward(dx, node->gradients, &node->arrays, node->dy, node->y, x, &node->parameters,
                          &node->spec, n);
    }
}

void plain_fabric_cost(PlainCost *cost, const PlainNetworkShape *s)
{
    const int scales = scales_of(s);
    for (int i = 0; i < s->fabric_layers * scales; i++) {
        const PlainNode node = node_of(s, i / scales, i % scales);
        size_t weights = 0;
        for (int e = 0; e < node.spec.edges; e++)
            for (int k = 0; k < s->channels; k++)
                for (int c = 0; c < node.spec.edge[e].channels; c++)
                    weights += edge_sees(&node.spec.edge[e], k, c) ? 9 : 0;
        cost->weights += weights;
        cost->parameters += weights + (s->affine ? 2 * (size_t)s->channels : 0);
        cost->level_macs[i / scales][i % scales] =
            (double)node.spec.height * node.spec.width * (double)weights;
        cost->macs += cost->level_macs[i / scales][i % scales];
        cost->formula +=
            3 * 9 * (size_t)s->channels * (s->net == NET_FABRIC_SPARSE ? 3 : (size_t)s->channels);
    }
}
