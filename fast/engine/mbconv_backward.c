/* MBConv, backward. Twin of ref/mbconv.c: from 7 to 1, with three expanded maps in all. They hold
 *
 *              0            1                       2
 *     1        expanded
 *     2, 3     expanded     filtered                activated
 *     5, 6     expanded     filtered                excited, then dexcited
 *     4        expanded     filtered                dfiltered
 *     3        expanded     activated, dactivated   dfiltered
 *     2, 1     expanded     dexpanded               dfiltered
 *
 * Where swish and its slope are needed they are formed from the map before its norm, where it is read. */
#include "../ranks.h"
#include "mbconv.h"
#include <math.h>
#include <string.h>

/* From du, the gradient of norm number `norm` of x, to dx, in its place: a du + b x + c, as in
 * fast/batchnorm.c; and the gradients of gamma and beta. */
static void norm_backward(Layer *layer, Word *du, const Word *x, float *dfilters, Shape map, int r, int norm)
{
    const int channels = map.c, padded = units_of(map.c) * UNIT;
    const double m = (double)ranks_batch(map.n) * map.h * map.w;
    const double *mean = layer->mean[r] + norm * channels, *variance = layer->variance[r] + norm * channels;
    const float *gamma = gamma_of(layer, r, norm);
    float *dgamma = NULL;
    if (gamma && dfilters)
        dgamma = dfilters + layer_gamma_at(&layer->spec, r) + layer_norm_gamma(&layer->spec, norm);
    float *a = (float *)layer->scratch->norms.data + 4 * padded, *b = a + padded, *c = b + padded;
    double *sum = layer->scratch->reduce.data, *product = sum + channels;
    SET(channel_sums)(sum, product, NULL, du, x, map, layer->scratch->reduce.data);
    memset(a, 0, 3 * padded * sizeof *a);
    for (int k = 0; k < channels; k++) {
        const double scale = 1 / sqrt(variance[k] + layer->spec.eps), g = gamma ? gamma[k] : 1;
        const double sum_xhat = (product[k] - mean[k] * sum[k]) * scale,
                     slope = -g * scale * scale * sum_xhat / m;
        if (dgamma) {
            dgamma[k] += sum_xhat;
            dgamma[channels + k] += sum[k];
        }
        a[k] = g * scale;
        b[k] = slope;
        c[k] = -g * scale * sum[k] / m - slope * mean[k];
    }
    SET(multires_gradient)(du, &(GradientMaps){du, x, a, b, c, false}, map);
}

/* 7: the skip's share of dpooled, and dprojected in the place of dsum. The sums over the batch are those of
 * normalisation_backward, which has left the coefficients. */
static void norm_and_skip(Layer *layer, Word *dpooled, int n, int r)
{
    const Shape out = output_at(layer, n, r);
    const GradientMaps maps = gradient_maps(layer, r);
    const float alpha = layer->alpha[r];
    if (dpooled && has_skip(layer)) {
#pragma omp parallel for schedule(static)
        for (size_t at = 0; at < tensor_words(out); at += VL)
            store_unit(dpooled + at, add_units(load_unit(dpooled + at),
                                               scale_unit(load_unit(layer->dconv[r] + at), alpha)));
    }
    SET(multires_gradient)
    (layer->dconv[r], &maps, out);
}

/* Down to dfiltered (until == STAGE_DFILTERED) or dexpanded. */
static void chain(Layer *layer, float *dfilters, int n, int r, Stage until)
{
    const Shape wide = expanded_at(layer, n, r);
    const MbconvPlaces at = layer_mbconv(&layer->spec);
    const float *w = filters_of(layer, 0);
    Scratch *s = layer->scratch;
    Word *expanded = s->wide[0].data, *middle = s->wide[1].data, *gradient = s->wide[2].data;
    const Conv2dShape projection = projection_at(layer, n, r);
    const ExciteCache *cache = &layer->excite[r];
    const ExciteScratch scratch = {s->excite[0].data, s->excite[2].data, s->excite[1].data};

    SET(mbconv_expand)(layer, n, r);
    SET(mbconv_filter)(layer, gradient, n, r);
    const Activation norm = SET(mbconv_activation)(layer, r, 1);
    if (dfilters) { /* projected = project * excited */
        SET(excite_scale)(gradient, middle, norm, cache->gate, wide);
        SET(conv2d_backward_weights)
        (dfilters + at.project, NULL, layer->dconv[r], gradient, projection, s->conv.data);
    }
    SET(conv2d_backward_data_from)
    (gradient, false, layer->dconv[r], w + at.project, NULL, projection, s->conv.data);

    SET(excite_dgate)
    (scratch.dgate, gradient, middle, norm, wide); /* excited = gate swish(norm of filtered) */
    ExciteGradients d = {0};
    if (dfilters)
        d = (ExciteGradients){dfilters + at.w1, dfilters + at.b1, dfilters + at.w2, dfilters + at.b2};
    SET(excite_gates_backward)
    (&scratch, d, cache, excite_weights(layer), n, wide.c, layer_squeezed(&layer->spec));
    SET(excite_backward)(gradient, gradient, middle, norm, cache->gate, scratch.daverage, false, wide);
    norm_backward(layer, gradient, middle, dfilters, wide, r, 1);
    if (until == STAGE_DFILTERED)
        return;

    const Activation first = SET(mbconv_activation)(layer, r, 0);
    if (dfilters) { /* filtered = depthwise * activated */
        SET(excite_scale)(middle, expanded, first, NULL, wide);
        SET(depthwise_backward_weights)
        (dfilters + at.depthwise, NULL, gradient, middle, wide, s->depthwise.data);
    }
    SET(depthwise_backward_data_to)(middle, gradient, w + at.depthwise, wide);
    SET(excite_backward)
    (middle, middle, expanded, first, NULL, NULL, false, wide); /* activated = swish(norm) */
    norm_backward(layer, middle, expanded, dfilters, wide, r, 0);
}

void SET(mbconv_backward)(Layer *layer, Word *dpooled, float *dfilters, int n, int r)
{
    const Conv2dShape expansion = expansion_at(layer, n, r);
    const Word *dexpanded = layer->scratch->wide[1].data;
    norm_and_skip(layer, dpooled, n, r);
    chain(layer, dfilters, n, r, STAGE_DEXPANDED);
    if (dfilters) /* expanded = expand * pooled */
        SET(conv2d_backward_weights)
    (dfilters, NULL, dexpanded, SET(layer_pooled)(layer, r), expansion, layer->scratch->conv.data);
    if (dpooled)
        SET(conv2d_backward_data_from)
    (dpooled, true, dexpanded, filters_of(layer, 0), NULL, expansion, layer->scratch->conv.data);
}

const Word *SET(mbconv_stage)(const Layer *layer, Stage stage, int r)
{
    const int n = layer->x->shape.n;
    Scratch *s = layer->scratch;
    Layer *working = (Layer *)layer; /* its scratch changes, the layer does not */
    switch (stage) {
    case STAGE_ACTIVATION:
        return layer->activation[r];
    case STAGE_EXPANDED:
        SET(mbconv_expand)(layer, n, r);
        return s->wide[0].data;
    case STAGE_FILTERED:
    case STAGE_EXCITED:
        SET(mbconv_expand)(layer, n, r);
        SET(mbconv_filter)(layer, s->wide[2].data, n, r);
        if (stage == STAGE_FILTERED)
            return s->wide[1].data;
        SET(excite_scale)
        (s->wide[2].data, s->wide[1].data, SET(mbconv_activation)(layer, r, 1), layer->excite[r].gate,
         expanded_at(layer, n, r));
        return s->wide[2].data;
    case STAGE_DCONV:
        return layer->dconv[r];
    case STAGE_DFILTERED:
    case STAGE_DEXPANDED:
        chain(working, NULL, n, r, stage);
        return stage == STAGE_DFILTERED ? s->wide[2].data : s->wide[1].data;
    default:
        return NULL;
    }
}
