/* See trained.h. The forward pass is equation 4 in plain steps; the backward pass walks them from the last to
 * the first, with batch norm as the fixed scale that it is at inference. */
#include "trained.h"
#include "../../../ref/batchnorm.h"
#include <omp.h>
#include <stdlib.h>
#include <string.h>

static void *memory(size_t bytes)
{
    void *p = aligned_alloc(64, (bytes + 63) / 64 * 64 + 64);
    if (!p) {
        Error error;
        fail(&error, "not enough memory for %zu bytes: choose a smaller network", bytes);
        die("probe", &error);
    }
    return memset(p, 0, bytes);
}

Word *probe_tensor(Shape s)
{
    return memory(lanes_count(s) * sizeof(Word));
}

static Shape at_level(Shape s, int r)
{
    return shape_coarser(s, 1 << r);
}

Shape probe_input(const Probe *probe, int layer, int n)
{
    return (Shape){n, probe->layer[layer].spec.channels_in, probe->height, probe->width};
}

Shape probe_output(const Probe *probe, int layer, int n)
{
    return (Shape){n, probe->layer[layer].spec.channels_out, probe->height, probe->width};
}

static Conv2dShape block_at(const Probe *probe, int layer, int r, int n)
{
    const LayerSpec *s = &probe->layer[layer].spec;
    return (Conv2dShape){n, s->channels_in, s->channels_out, probe->height >> r, probe->width >> r, 3, 1};
}

static float *read_floats(const Engine *engine, const Vector *from, size_t at, size_t count)
{
    double *numbers = memory(count * sizeof *numbers);
    float *floats = memory(count * sizeof *floats);
    engine->vector_read(numbers, from, at, count);
    for (size_t i = 0; i < count; i++)
        floats[i] = (float)numbers[i];
    free(numbers);
    return floats;
}

/* Tracked statistics as inference uses them: corrected for their start. */
static void read_statistics(ProbeLayer *layer, const Network *net, size_t at, int r)
{
    const int channels = layer->spec.channels_out;
    double *tracked = memory((2 * (size_t)channels + 1) * sizeof *tracked),
           *corrected = memory(2 * (size_t)channels * sizeof *corrected);
    net->engine->vector_read(tracked, net->statistics, at + layer_statistics_at(&layer->spec, r),
                             2 * (size_t)channels + 1);
    ref_batchnorm_tracked(corrected, corrected + channels, tracked, tracked + channels, tracked[2 * channels],
                          channels);
    layer->mean[r] = memory((size_t)channels * sizeof(float));
    layer->variance[r] = memory((size_t)channels * sizeof(float));
    for (int c = 0; c < channels; c++) {
        layer->mean[r][c] = (float)corrected[c];
        layer->variance[r][c] = (float)corrected[channels + c];
    }
    free(tracked);
    free(corrected);
}

static void read_layer(ProbeLayer *layer, const Probe *probe, const Network *net, int l, size_t filters_at,
                       size_t statistics_at)
{
    const LayerSpec *s = &layer->spec;
    const Engine *e = net->engine;
    const size_t channels = (size_t)s->channels_out;
    double alpha[MAX_LEVELS];
    layer->w = read_floats(e, net->filters, filters_at, layer_weights_count(s));
    layer->b = s->bias ? read_floats(e, net->filters, filters_at + layer_weights_count(s), channels) : NULL;
    e->layer_alpha(net->layer[l], alpha);
    for (int r = 0; r < s->levels; r++) {
        layer->alpha[r] = (float)alpha[r];
        if (!level_kept(s->kept, r))
            continue;
        read_statistics(layer, net, statistics_at, r);
        if (s->affine) {
            layer->gamma[r] = read_floats(e, net->filters, filters_at + layer_gamma_at(s, r), channels);
            layer->beta[r] =
                read_floats(e, net->filters, filters_at + layer_gamma_at(s, r) + channels, channels);
        }
        layer->activation[r] = probe_tensor(at_level(probe_output(probe, l, probe->batch), r));
    }
}

bool probe_create(Probe *probe, const Network *net, Error *error)
{
    const NetworkSpec *s = &net->spec;
    *probe = (Probe){.kernels = kernels_best("f32"),
                     .layers = s->layers,
                     .batch = net->batch,
                     .height = s->height,
                     .width = s->width};
    if (s->net != NET_LAYERS)
        return fail(error,
                    "the run is a fabric, whose nodes the probe does not follow: name one of --net=layers");
    if (s->depth || s->unshared)
        return fail(error,
                    "the run has a learned depth or unshared filters, which the probe does not follow: "
                    "choose another one");
    if (!probe->kernels)
        return fail(error, "NOPOOL_ISA names an instruction set that this CPU lacks: unset it");
    if (s->block != BLOCK_CONV)
        return fail(
            error,
            "this run has --block=mbconv, whose filters cannot be looked into: name one of --block=conv");
    size_t filters_at = 0, statistics_at = 0, scratch = 0;
    for (int l = 0; l < s->layers; l++) {
        probe->layer[l].spec = network_layer(s, l);
        const LayerSpec *layer = &probe->layer[l].spec;
        read_layer(&probe->layer[l], probe, net, l, filters_at, statistics_at);
        filters_at += layer_filters_count(layer);
        statistics_at += layer_statistics_count(layer);
        for (int r = 0; r < s->levels; r++) {
            const size_t needed =
                probe->kernels->conv2d_scratch(block_at(probe, l, r, probe->batch), omp_get_max_threads());
            scratch = needed > scratch ? needed : scratch;
        }
        probe->map[l] = probe_tensor(probe_input(probe, l, probe->batch));
    }
    probe->map[s->layers] = probe_tensor(probe_output(probe, s->layers - 1, probe->batch));
    probe->convolution = memory(scratch);
    return true;
}

void probe_free(Probe *probe)
{
    for (int l = 0; l < probe->layers; l++) {
        ProbeLayer *layer = &probe->layer[l];
        free(layer->w);
        free(layer->b);
        for (int r = 0; r < MAX_LEVELS; r++) {
            free(layer->mean[r]);
            free(layer->variance[r]);
            free(layer->gamma[r]);
            free(layer->beta[r]);
            free(layer->activation[r]);
        }
        free(probe->map[l]);
    }
    free(probe->map[probe->layers]);
    free(probe->convolution);
}

void probe_level(const Probe *probe, Word *upsampled, int l, int r, int n)
{
    const Kernels *k = probe->kernels;
    const ProbeLayer *layer = &probe->layer[l];
    const Shape coarse = at_level(probe_output(probe, l, n), r);
    Word *normalised = probe_tensor(coarse);
    k->batchnorm_forward(normalised, layer->activation[r], layer->mean[r], layer->variance[r],
                         layer->gamma[r], layer->beta[r], (float)layer->spec.eps, coarse);
    k->upsample_forward(upsampled, normalised, layer->spec.up, 1 << r, coarse);
    free(normalised);
}

static void layer_forward(Probe *probe, int l, int n)
{
    const Kernels *k = probe->kernels;
    ProbeLayer *layer = &probe->layer[l];
    const Shape in = probe_input(probe, l, n), out = probe_output(probe, l, n);
    Word *level[MAX_LEVELS] = {0};
    for (int r = 0; r < layer->spec.levels; r++) {
        if (!level_kept(layer->spec.kept, r))
            continue;
        Word *pooled = probe_tensor(at_level(in, r));
        k->pool_forward(pooled, probe->map[l], layer->spec.down, 1 << r, in);
        k->conv2d_forward(layer->activation[r], pooled, layer->w, layer->b, true, block_at(probe, l, r, n),
                          probe->convolution);
        free(pooled);
        level[r] = probe_tensor(out);
        probe_level(probe, level[r], l, r, n);
    }
    k->mix_forward(probe->map[l + 1], (const Word *const *)level, layer->alpha, layer->spec.kept,
                   layer->spec.levels, out);
    for (int r = 0; r < MAX_LEVELS; r++)
        free(level[r]);
}

void probe_forward(Probe *probe, const float *images, int n)
{
    probe->kernels->import(probe->map[0], images, probe_input(probe, 0, n));
    for (int l = 0; l < probe->layers; l++)
        layer_forward(probe, l, n);
}

/* From the gradient of a layer's output to that of its input, added up over the levels. */
static void layer_backward(Probe *probe, Word *dx, const Word *dy, int l, int n)
{
    const Kernels *k = probe->kernels;
    ProbeLayer *layer = &probe->layer[l];
    const Shape in = probe_input(probe, l, n), out = probe_output(probe, l, n);
    float *zero = memory((size_t)out.c * sizeof *zero);
    for (int r = 0; r < layer->spec.levels; r++) {
        if (!level_kept(layer->spec.kept, r))
            continue;
        const Shape coarse = at_level(out, r);
        Word *dupsampled = probe_tensor(out), *dnormalised = probe_tensor(coarse),
             *dactivation = probe_tensor(coarse), *dconv = probe_tensor(coarse),
             *dpooled = probe_tensor(at_level(in, r));
        /* y += alpha[r] upsampled */
        k->mix_forward(dupsampled, (const Word *const[]){dy}, &layer->alpha[r], 1, 1, out);
        /* upsampled = U(normalised) */
        k->upsample_backward(dnormalised, dupsampled, layer->spec.up, 1 << r, coarse);
        /* normalised = gamma (activation - mean) / sqrt(variance + eps) + beta */
        k->batchnorm_forward(dactivation, dnormalised, zero, layer->variance[r], layer->gamma[r], NULL,
                             (float)layer->spec.eps, coarse);
        /* activation = ReLU(conv(pooled)) */
        k->relu_backward(dconv, dactivation, layer->activation[r], coarse);
        k->conv2d_backward_data(dpooled, dconv, layer->w, block_at(probe, l, r, n), probe->convolution);
        /* pooled = S(x) */
        k->pool_backward(dx, dpooled, probe->map[l], layer->spec.down, 1 << r, in);
        free(dupsampled);
        free(dnormalised);
        free(dactivation);
        free(dconv);
        free(dpooled);
    }
    free(zero);
}

void probe_backward(Probe *probe, Word *dx, Word *dy, int layer, int n)
{
    for (int l = layer; l >= 0; l--) {
        Word *below = l > 0 ? probe_tensor(probe_input(probe, l, n)) : dx;
        layer_backward(probe, below, dy, l, n);
        if (l < layer)
            free(dy);
        dy = below;
    }
}
