/* See layer_gauge.h. */
#include "layer_gauge.h"
#include "../ref/conv2d.h"
#include "compare.h"
#include "lanes.h"
#include "winograd_gauge.h"
#include <math.h>
#include <string.h>

int layer_channel_of(size_t i, Shape s)
{
    return (int)(i / ((size_t)s.h * s.w) % s.c);
}

const double *layer_filters_given(const LayerCase *c, int r)
{
    return c->filters + layer_set_at(&c->spec, r);
}

/* As the set's direct convolutions use them. */
static double *filters_used(const LayerCase *c, int r)
{
    const size_t count = layer_weights_count(&c->spec);
    double *w = doubles(count);
    for (size_t i = 0; i < count; i++)
        w[i] = representable(layer_filters_given(c, r)[i]);
    return w;
}

/* The version of the set whose engine is checked; NULL for ref. */
static const Kernels *kernels_of(const LayerCase *c)
{
    const Kernels *kernels = version_used();
    return kernels && kernels->engine == c->engine ? kernels : NULL;
}

static bool by_winograd(const LayerCase *c, int r)
{
    const Kernels *kernels = kernels_of(c);
    return kernels && kernels->conv2d_winograd_pays(layer_case_block(c, r));
}

const double *layer_filters_at(const LayerCase *c, int r)
{
    return by_winograd(c, r) ? layer_filters_given(c, r) : filters_used(c, r);
}

double layer_gauge_forward(double *gauge, const LayerCase *c, int r, const double *x, const double *w)
{
    const Conv2dShape s = layer_case_block(c, r);
    memset(gauge, 0, shape_count(conv2d_output(s)) * sizeof *gauge);
    if (by_winograd(c, r)) {
        winograd_gauge_forward(gauge, x, w, s);
        return winograd_roundings(s.c);
    }
    ref_conv2d_forward(gauge, absolute(x, shape_count(conv2d_input(s))), absolute(w, conv2d_filters(s)), NULL,
                       s);
    return 9 * s.c + 2;
}

double layer_gauge_backward_data(double *gauge, const LayerCase *c, int r, const double *dy, const double *w)
{
    const Conv2dShape s = layer_case_block(c, r);
    memset(gauge, 0, shape_count(conv2d_input(s)) * sizeof *gauge);
    if (by_winograd(c, r)) {
        winograd_gauge_backward_data(gauge, dy, w, s);
        return winograd_roundings(s.k);
    }
    ref_conv2d_backward_data(gauge, absolute(dy, shape_count(conv2d_output(s))),
                             absolute(w, conv2d_filters(s)), s);
    return 9 * s.k + 2;
}

double layer_add_filters(double *sum, double *gauge, const LayerCase *c, int r)
{
    const Conv2dShape s = layer_case_block(c, r);
    const size_t b = layer_weights_count(&c->spec);
    const double *dconv = layer_case_stage(c, STAGE_DCONV, r), *pooled = layer_case_stage(c, STAGE_POOLED, r);
    const double *size = absolute(dconv, shape_count(conv2d_output(s)));
    const double *input = absolute(pooled, shape_count(conv2d_input(s)));
    const Kernels *kernels = kernels_of(c);
    const bool winograd = kernels && kernels->conv2d_winograd_weights_pays(s);
    const double direct = (double)s.n * s.h * s.w + lanes_groups(s.n) + 3; /* the bias is always summed so */
    double *unused = zeros(b);
    sum += layer_set_at(&c->spec, r);
    gauge += layer_set_at(&c->spec, r);
    ref_conv2d_backward_weights(sum, c->spec.bias ? sum + b : NULL, dconv, pooled, s);
    ref_conv2d_backward_weights(winograd ? unused : gauge, c->spec.bias ? gauge + b : NULL, size, input, s);
    if (!winograd)
        return direct;
    winograd_gauge_backward_weights(gauge, dconv, pooled, s);
    return fmax(direct, winograd_weights_roundings(s) + 1);
}

bool layer_is_mbconv(const LayerCase *c)
{
    return c->spec.block == BLOCK_MBCONV;
}

bool layer_has_skip(const LayerCase *c)
{
    return layer_is_mbconv(c) && c->spec.channels_in == c->spec.channels_out;
}

double *layer_statistic(const LayerCase *c, Stage stage, int r, int norm)
{
    return layer_case_stage(c, stage, r) + layer_norms_channels(&c->spec, norm);
}

int layer_last_norm(const LayerCase *c)
{
    return layer_block_norms(&c->spec) - 1;
}
