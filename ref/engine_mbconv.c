/* MBConv in the reference engine: where its numbers stand. */
#include "engine_mbconv.h"
#include "batchnorm.h"
#include <stdlib.h>

MbconvShape mbconv_shape(const LayerSpec *spec, int r, int n)
{
    return (MbconvShape){.n = n,
                         .c = spec->channels_in,
                         .k = spec->channels_out,
                         .h = spec->height >> r,
                         .w = spec->width >> r,
                         .expanded = layer_expanded(spec),
                         .squeezed = layer_squeezed(spec),
                         .eps = spec->eps};
}

/* The next `count` numbers of *at. */
static double *take(double **at, size_t count)
{
    double *array = *at;
    *at += count;
    return array;
}

double *mbconv_arrays_create(MbconvCache *cache, MbconvScratch *scratch, MbconvShape s)
{
    const size_t wide = shape_count(mbconv_expanded(s)), out = shape_count(mbconv_output(s)),
                 channels = (size_t)s.n * s.expanded, units = (size_t)s.n * s.squeezed,
                 statistics = 2 * (2 * (size_t)s.expanded + s.k);
    double *memory = calloc(14 * wide + 2 * out + 5 * channels + 4 * units + statistics, sizeof *memory),
           *at = memory;
    if (!memory)
        return NULL;
    double **const wide_maps[14] = {&cache->expanded,         &cache->expanded_norm,   &cache->activated,
                                    &cache->filtered,         &cache->excitable,       &cache->filtered_norm,
                                    &cache->excited,          &scratch->dexpanded,     &scratch->dexcited,
                                    &scratch->dexpanded_norm, &scratch->dactivated,    &scratch->dfiltered,
                                    &scratch->dexcitable,     &scratch->dfiltered_norm};
    for (int i = 0; i < 14; i++)
        *wide_maps[i] = take(&at, wide);
    cache->projected = take(&at, out);
    scratch->dprojected = take(&at, out);
    cache->excite.average = take(&at, channels);
    cache->excite.gate = take(&at, channels);
    scratch->excite.daverage = take(&at, channels);
    scratch->excite.dlogit = take(&at, channels);
    scratch->excite.dgate = take(&at, channels);
    cache->excite.squeezed = take(&at, units);
    cache->excite.hidden = take(&at, units);
    scratch->excite.dsqueezed = take(&at, units);
    scratch->excite.dhidden = take(&at, units);
    for (int i = 0; i < MBCONV_NORMS; i++) {
        cache->mean[i] = take(&at, i == 2 ? s.k : s.expanded);
        cache->variance[i] = take(&at, i == 2 ? s.k : s.expanded);
    }
    return memory;
}

MbconvGradients mbconv_gradients_at(double *dfilters, const LayerSpec *spec, int r)
{
    const MbconvPlaces at = layer_mbconv(spec);
    double *set = dfilters + layer_set_at(spec, r);
    MbconvGradients d = {.dexpand = set + at.expand,
                         .ddepthwise = set + at.depthwise,
                         .dproject = set + at.project,
                         .excite = {set + at.w1, set + at.b1, set + at.w2, set + at.b2}};
    for (int i = 0; spec->affine && i < MBCONV_NORMS; i++) {
        d.dgamma[i] = dfilters + layer_gamma_at(spec, r) + layer_norm_gamma(spec, i);
        d.dbeta[i] = d.dgamma[i] + layer_norm_channels(spec, i);
    }
    return d;
}

MbconvParameters mbconv_parameters_at(const double *filters, const LayerSpec *spec, int r)
{
    const MbconvPlaces at = layer_mbconv(spec);
    const double *set = filters + layer_set_at(spec, r);
    MbconvParameters p = {.expand = set + at.expand,
                          .depthwise = set + at.depthwise,
                          .project = set + at.project,
                          .excite = {set + at.w1, set + at.b1, set + at.w2, set + at.b2}};
    for (int i = 0; spec->affine && i < MBCONV_NORMS; i++) {
        p.gamma[i] = filters + layer_gamma_at(spec, r) + layer_norm_gamma(spec, i);
        p.beta[i] = p.gamma[i] + layer_norm_channels(spec, i);
    }
    return p;
}

void mbconv_track(MbconvCache *cache, double *statistics, const LayerSpec *spec, Pass pass, int r, int n)
{
    for (int i = 0; i < MBCONV_NORMS; i++) {
        const int channels = layer_norm_channels(spec, i);
        double *mean = statistics + layer_norm_statistics(spec, i), *variance = mean + channels,
               *weight = variance + channels;
        const Shape map = {n, channels, spec->height >> r, spec->width >> r};
        if (pass == PASS_FILTERS)
            ref_batchnorm_track(mean, variance, weight, cache->mean[i], cache->variance[i], spec->momentum,
                                map);
        if (pass == PASS_INFERENCE)
            ref_batchnorm_tracked(cache->mean[i], cache->variance[i], mean, variance, *weight, channels);
    }
}

const double *mbconv_stage(const MbconvCache *cache, const MbconvScratch *scratch, Stage stage, int norm)
{
    switch (stage) {
    case STAGE_ACTIVATION:
        return cache->projected;
    case STAGE_MEAN:
        return cache->mean[norm];
    case STAGE_VARIANCE:
        return cache->variance[norm];
    case STAGE_DCONV:
        return scratch->dprojected;
    case STAGE_EXPANDED:
        return cache->expanded;
    case STAGE_FILTERED:
        return cache->filtered;
    case STAGE_EXCITED:
        return cache->excited;
    case STAGE_DFILTERED:
        return scratch->dfiltered;
    case STAGE_DEXPANDED:
        return scratch->dexpanded;
    case STAGE_GATE:
        return cache->excite.gate;
    default:
        return NULL;
    }
}
