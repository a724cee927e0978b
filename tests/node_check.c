/* Stage-by-stage checks of a fabric's node; see node_check.h. */
#include "node_check.h"
#include "../ref/conv2d.h"
#include "../ref/upsample.h"
#include "lanes.h"
#include "layer_check.h"
#include "winograd_gauge.h"
#include <math.h>
#include <string.h>

static int channel_of(size_t i, Shape s)
{
    return (int)(i / ((size_t)s.h * s.w) % s.c);
}

static double *stage(const NodeCase *c, NodeStage which)
{
    const bool map = which == NODE_SUM || which == NODE_DSUM;
    double *values = doubles(map ? shape_count(node_output(&c->spec, c->n)) : (size_t)c->spec.channels);
    ck_assert(c->engine->node_stage(c->node, which, values));
    return values;
}

static double *copy_of(const double *x, size_t count)
{
    double *y = doubles(count);
    memcpy(y, x, count * sizeof *y);
    return y;
}

/* One edge: its convolution, its map, and its filters as the set's convolution uses them. */
typedef struct {
    Conv2dShape shape;
    const double *map;
    double *w;
    bool winograd;
} EdgeCase;

static EdgeCase edge_of(const NodeCase *c, int e)
{
    const Edge *edge = &c->spec.edge[e];
    const double *w = c->filters + node_weights_at(&c->spec, e);
    EdgeCase k = {.shape = node_convolution(&c->spec, e, c->n), .map = c->input[e]};
    k.winograd = version_used()->conv2d_winograd_pays(k.shape);
    k.w = zeros(conv2d_filters(k.shape));
    for (int o = 0; o < k.shape.k; o++)
        for (int i = 0; i < k.shape.c; i++)
            for (int tap = 0; tap < 9; tap++) {
                const size_t at = ((size_t)o * k.shape.c + i) * 9 + tap;
                if (!edge->sparse || (i - o <= 1 && o - i <= 1))
                    k.w[at] = k.winograd ? w[at] : representable(w[at]);
            }
    if (edge->from == EDGE_COARSER) {
        double *map = doubles(shape_count(conv2d_input(k.shape)));
        ref_upsample_forward(map, c->input[e], UPSAMPLE_ZEROS, 2, node_input(&c->spec, e, c->n));
        k.map = map;
    }
    return k;
}

/* z: the parts are stored, then their sum. */
static void check_sum(const NodeCase *c)
{
    const size_t out = shape_count(node_output(&c->spec, c->n));
    double *z = zeros(out), *gauge = zeros(out), *size = zeros(out), *part = doubles(out), n = 0;
    for (int e = 0; e < c->spec.edges; e++) {
        const EdgeCase k = edge_of(c, e);
        const double *w = absolute(k.w, conv2d_filters(k.shape));
        double *part_gauge = zeros(out);
        ref_conv2d_forward(part, k.map, k.w, NULL, k.shape);
        if (k.winograd)
            winograd_gauge_forward(part_gauge, k.map, k.w, k.shape);
        else
            ref_conv2d_forward(part_gauge, absolute(k.map, shape_count(conv2d_input(k.shape))), w, NULL,
                               k.shape);
        n = fmax(n, k.winograd ? winograd_roundings(k.shape.c) : 9 * k.shape.c + 2);
        for (size_t i = 0; i < out; i++) {
            z[i] += part[i];
            size[i] += fabs(part[i]);
            gauge[i] += part_gauge[i];
        }
    }
    n += c->spec.edges;
    add_stores(gauge, size, out, n, c->spec.edges > 1 ? 2 : 1);
    CK_WITHIN(compare_rounded(stage(c, NODE_SUM), z, gauge, out), roundings(n), "z");
}

static void check_statistics(const NodeCase *c)
{
    const Shape s = node_output(&c->spec, c->n);
    const double m = (double)s.n * s.h * s.w, *z = stage(c, NODE_SUM);
    double *mean = zeros(s.c), *variance = zeros(s.c), *gauge = zeros(s.c), *squares = zeros(s.c);
    for (size_t i = 0; i < shape_count(s); i++) {
        mean[channel_of(i, s)] += z[i] / m;
        gauge[channel_of(i, s)] += fabs(z[i]) / m;
        squares[channel_of(i, s)] += z[i] * z[i] / m;
    }
    for (size_t i = 0; i < shape_count(s); i++) {
        const double away = z[i] - mean[channel_of(i, s)];
        variance[channel_of(i, s)] += away * away / m;
    }
    CK_WITHIN(compare_gauged_double(stage(c, NODE_MEAN), mean, gauge, s.c), 2 * m + run_roundings() * 0x1p29,
              "mean");
    CK_WITHIN(compare_gauged_double(stage(c, NODE_VARIANCE), variance, squares, s.c),
              8 * m + 3 * run_roundings() * 0x1p29, "variance");
}

static const double *gamma_of(const NodeCase *c)
{
    return c->spec.affine ? c->filters + node_weights_at(&c->spec, c->spec.edges) : NULL;
}

void node_check_forward(const NodeCase *c)
{
    const Shape s = node_output(&c->spec, c->n);
    const size_t count = shape_count(s);
    check_sum(c);
    check_statistics(c);
    const double *z = stage(c, NODE_SUM), *mean = stage(c, NODE_MEAN), *variance = stage(c, NODE_VARIANCE),
                 *gamma = gamma_of(c);
    double *y = doubles(count), *gauge = doubles(count);
    for (size_t i = 0; i < count; i++) {
        const int k = channel_of(i, s);
        const double scale = (gamma ? gamma[k] : 1) / sqrt(variance[k] + c->spec.eps);
        const double shift = gamma ? gamma[s.c + k] : 0;
        y[i] = fmax(scale * (z[i] - mean[k]) + shift, 0);
        gauge[i] = fabs(scale) * (fabs(z[i]) + fabs(mean[k])) + fabs(shift);
    }
    CK_WITHIN(compare_rounded(c->output, y, gauge, count), stored(4, 1), "y");
}

/* dz from dy, and the gradients of gamma and beta. */
static void check_normalisation(const NodeCase *c, const double *dy, const double *before,
                                const double *after)
{
    const Shape s = node_output(&c->spec, c->n);
    const size_t count = shape_count(s);
    const double m = (double)s.n * s.h * s.w, *gamma = gamma_of(c), own = m * 0x1p-27 + run_roundings();
    const double *z = stage(c, NODE_SUM), *mean = stage(c, NODE_MEAN), *variance = stage(c, NODE_VARIANCE);
    double *sum = zeros(s.c), *sum_zhat = zeros(s.c), *size = zeros(s.c), *size_zhat = zeros(s.c);
    double *dz = doubles(count), *gauge = doubles(count);
    for (size_t i = 0; i < count; i++) {
        const int k = channel_of(i, s);
        const double scale = 1 / sqrt(variance[k] + c->spec.eps), g = c->output[i] > 0 ? dy[i] : 0;
        sum[k] += g;
        sum_zhat[k] += g * (z[i] - mean[k]) * scale;
        size[k] += fabs(g);
        size_zhat[k] += fabs(g) * (fabs(z[i]) + fabs(mean[k])) * scale;
    }
    for (size_t i = 0; i < count; i++) {
        const int k = channel_of(i, s);
        const double scale = 1 / sqrt(variance[k] + c->spec.eps), share = (gamma ? gamma[k] : 1) * scale;
        const double g = c->output[i] > 0 ? dy[i] : 0;
        dz[i] = share * (g - sum[k] / m - (z[i] - mean[k]) * scale * sum_zhat[k] / m);
        gauge[i] =
            fabs(share) * (fabs(g) + size[k] / m + (fabs(z[i]) + fabs(mean[k])) * scale * size_zhat[k] / m);
    }
    CK_WITHIN(compare_rounded(stage(c, NODE_DSUM), dz, gauge, count), stored(5 + own, 1), "dz");
    if (!gamma)
        return;
    const size_t at = node_weights_at(&c->spec, c->spec.edges);
    double *right = copy_of(before + at, 2 * s.c), *bound = absolute(right, 2 * s.c);
    for (int k = 0; k < s.c; k++) {
        right[k] += sum_zhat[k];
        right[s.c + k] += sum[k];
        bound[k] += size_zhat[k];
        bound[s.c + k] += size[k];
    }
    CK_WITHIN(compare_rounded(after + at, right, bound, 2 * s.c), roundings(3 + own), "dgamma and dbeta");
}

/* dw of an edge; of filters that it does not see nothing changes. */
static void check_filters(const NodeCase *c, int e, const double *before, const double *after)
{
    const EdgeCase k = edge_of(c, e);
    const Shape out = conv2d_output(k.shape);
    const size_t count = conv2d_filters(k.shape), at = node_weights_at(&c->spec, e);
    const double *dz = stage(c, NODE_DSUM);
    const bool winograd = version_used()->conv2d_winograd_weights_pays(k.shape);
    double *dw = zeros(count), *gauge = zeros(count);
    ref_conv2d_backward_weights(dw, NULL, dz, k.map, k.shape);
    if (winograd)
        winograd_gauge_backward_weights(gauge, dz, k.map, k.shape);
    else
        ref_conv2d_backward_weights(gauge, NULL, absolute(dz, shape_count(out)),
                                    absolute(k.map, shape_count(conv2d_input(k.shape))), k.shape);
    for (size_t i = 0; i < count; i++) {
        const int far = (int)(i / 9 / k.shape.c) - (int)(i / 9 % k.shape.c);
        const bool seen = !c->spec.edge[e].sparse || (far <= 1 && far >= -1);
        dw[i] = before[at + i] + (seen ? dw[i] : 0);
        gauge[i] = fabs(before[at + i]) + (seen ? gauge[i] : 0);
    }
    const double n = winograd ? winograd_weights_roundings(k.shape) + 2
                              : (double)out.n * out.h * out.w + lanes_groups(out.n) + 4;
    CK_WITHIN(compare_rounded(after + at, dw, gauge, count), roundings(n), "dw");
}

/* dx of an edge. */
static void check_input(const NodeCase *c, int e, const double *before, const double *after)
{
    const EdgeCase k = edge_of(c, e);
    const Shape x = node_input(&c->spec, e, c->n);
    const EdgeFrom from = c->spec.edge[e].from;
    const size_t in = shape_count(conv2d_input(k.shape)), count = shape_count(x);
    const double *dz = stage(c, NODE_DSUM), *w = absolute(k.w, conv2d_filters(k.shape));
    double *map = zeros(in), *map_gauge = zeros(in), *map_size = zeros(in);
    ref_conv2d_backward_data(map, dz, k.w, k.shape);
    ref_conv2d_backward_data(map_size, absolute(dz, shape_count(conv2d_output(k.shape))), w, k.shape);
    memcpy(map_gauge, map_size, in * sizeof *map_gauge);
    if (k.winograd) {
        memset(map_gauge, 0, in * sizeof *map_gauge);
        winograd_gauge_backward_data(map_gauge, dz, k.w, k.shape);
    }
    double *dx = copy_of(before, count), *gauge = absolute(before, count), *size = absolute(before, count);
    if (from == EDGE_COARSER) {
        ref_upsample_backward(dx, map, UPSAMPLE_ZEROS, 2, x);
        ref_upsample_backward(gauge, map_gauge, UPSAMPLE_ZEROS, 2, x);
        ref_upsample_backward(size, map_size, UPSAMPLE_ZEROS, 2, x);
    }
    for (size_t i = 0; from != EDGE_COARSER && i < count; i++) {
        dx[i] += map[i];
        gauge[i] += map_gauge[i];
        size[i] += map_size[i];
    }
    const double n = (k.winograd ? winograd_roundings(k.shape.k) : 9 * k.shape.k + 2) + 1;
    add_stores(gauge, size, count, n, from == EDGE_SAME ? 1 : from == EDGE_COARSER ? 2 : 4);
    CK_WITHIN(compare_rounded(after, dx, gauge, count), roundings(n), "dx");
}

void node_check_backward(const NodeCase *c, const double *dy, const double *before, const double *after,
                         const double *const dx_before[], const double *const dx_after[])
{
    check_normalisation(c, dy, before, after);
    for (int e = 0; e < c->spec.edges; e++) {
        check_filters(c, e, before, after);
        if (dx_before[e])
            check_input(c, e, dx_before[e], dx_after[e]);
    }
}
