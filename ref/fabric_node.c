/* A node of a fabric (fabric_node.h). In steps:
 *
 *     1. brought = x, or x with zeros between its pixels         of each edge
 *     2. z       = sum over edges of w * brought                 with the filters that the edge sees
 *     3. y       = ReLU( gamma (z - mean) / sqrt(variance + eps) + beta )
 *
 * Reference: the plain operations, composed. The backward pass walks the same numbers from 3 to 1. */
#include "fabric_node.h"
#include "batchnorm.h"
#include "conv2d.h"
#include "relu.h"
#include "upsample.h"
#include <assert.h>
#include <string.h>

/* The filters of an edge with 0 for the channels that it does not see. */
static void see(double *seen, const double *w, const Edge *edge, int filters)
{
    for (int k = 0; k < filters; k++)
        for (int c = 0; c < edge->channels; c++)
            for (int tap = 0; tap < 9; tap++) {
                const size_t at = ((size_t)k * edge->channels + c) * 9 + tap;
                seen[at] = edge_sees(edge, k, c) ? w[at] : 0;
            }
}

/* 1 */
static const double *bring(double *brought, const double *x, const NodeSpec *s, int e, int n)
{
    if (s->edge[e].from != EDGE_COARSER)
        return x;
    ref_upsample_forward(brought, x, UPSAMPLE_ZEROS, 2, node_input(s, e, n));
    return brought;
}

// book: fabric_node_forward
void ref_node_forward(double *y, NodeArrays *a, const double *const x[], const NodeParameters *p,
                      bool training, const NodeSpec *s, int n)
{
    const Shape map = node_output(s, n);
    assert(1 <= s->edges && s->edges <= MAX_EDGES);
    memset(a->z, 0, shape_count(map) * sizeof *a->z);
    for (int e = 0; e < s->edges; e++) {
        const double *brought = bring(a->brought, x[e], s, e, n); /* 1 */
        see(a->seen, p->w[e], &s->edge[e], s->channels);
        ref_conv2d_forward(a->part, brought, a->seen, NULL, node_convolution(s, e, n)); /* 2 */
        for (size_t i = 0; i < shape_count(map); i++)
            a->z[i] += a->part[i];
    }
    if (training)
        ref_batchnorm_statistics(a->mean, a->variance, a->z, map);
    ref_batchnorm_forward(y, a->z, a->mean, a->variance, p->gamma, p->beta, s->eps, map); /* 3 */
    ref_relu_forward(y, y, shape_count(map));
}
// book: end

// book: fabric_node_backward
/* Steps 2 and 1 of one edge, from dz. */
static void edge_backward(double *dx, double *dw, NodeArrays *a, const double *x, const double *w,
                          const NodeSpec *s, int e, int n)
{
    const Conv2dShape convolution = node_convolution(s, e, n);
    const Edge *edge = &s->edge[e];

    /* z = .. + w * brought */
    if (dw) {
        memset(a->dseen, 0, conv2d_filters(convolution) * sizeof *a->dseen);
        ref_conv2d_backward_weights(a->dseen, NULL, a->dz, bring(a->brought, x, s, e, n), convolution);
        see(a->dseen, a->dseen, edge, s->channels);
        for (size_t i = 0; i < conv2d_filters(convolution); i++)
            dw[i] += a->dseen[i];
    }
    if (!dx)
        return;
    see(a->seen, w, edge, s->channels);
    if (edge->from != EDGE_COARSER) {
        ref_conv2d_backward_data(dx, a->dz, a->seen, convolution);
        return;
    }

    /* brought = x with zeros between its pixels */
    memset(a->dbrought, 0, shape_count(conv2d_input(convolution)) * sizeof *a->dbrought);
    ref_conv2d_backward_data(a->dbrought, a->dz, a->seen, convolution);
    ref_upsample_backward(dx, a->dbrought, UPSAMPLE_ZEROS, 2, node_input(s, e, n));
}

void ref_node_backward(double *const dx[], NodeGradients d, NodeArrays *a, const double *dy, const double *y,
                       const double *const x[], const NodeParameters *p, const NodeSpec *s, int n)
{
    const Shape map = node_output(s, n);
    const size_t count = shape_count(map);

    /* y = ReLU( gamma (z - mean) / sqrt(variance + eps) + beta ) */
    memset(a->dnormalised, 0, count * sizeof *a->dnormalised);
    ref_relu_backward(a->dnormalised, dy, y, count);
    memset(a->dz, 0, count * sizeof *a->dz);
    ref_batchnorm_backward(a->dz, d.dgamma, d.dbeta, a->dnormalised, a->z, a->mean, a->variance, p->gamma,
                           s->eps, map);

    for (int e = 0; e < s->edges; e++)
        edge_backward(dx[e], d.dw[0] ? d.dw[e] : NULL, a, x[e], p->w[e], s, e, n);
}
// book: end
