/* MBConv, forward. Twin of ref/mbconv.c, whose numbers 1 to 7 it keeps:
 *
 *     1. expanded   1x1 convolution                                            fast/conv2d*.c
 *     2. activated  batch norm and swish in one pass, in its place             fast/squeeze_excite.c
 *     3. filtered                                                              fast/depthwise.c
 *     4, 5. excited swish(norm) is formed where it is read: for the averages, then times the gates, in the
 * place of filtered
 *     6. projected  1x1 convolution
 *     7.            norm, skip, upsampling and mix are one pass over all levels  fast/engine/multires.c
 *
 * Bytes, in expanded maps of 6 C channels read or written for one level: 1 writes, its statistics read, 2
 * reads and writes, 3 reads and writes, its statistics read, the averages read, 5 reads and writes, 6
 * reads: 11. The expanded maps are six times the input, so they are not kept for the backward pass: it makes
 * them again (1 to 5) from the input and the statistics, and a network needs three such maps, whatever its
 * depth. */
#include "mbconv.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Activation coefficients and gradient coefficients of a norm of E channels, padded to whole units. */
enum { COEFFICIENTS = 4 };

static size_t padded_expanded(const Layer *layer)
{
    return (size_t)units_of(layer_expanded(&layer->spec)) * UNIT;
}

static float *floats(size_t count, bool *ok)
{
    Buffer b = {0};
    *ok = SET(buffer_grow)(&b, count * sizeof(float)) && *ok;
    return b.data;
}

bool SET(mbconv_create)(Layer *layer, int r, int batch)
{
    bool ok = true;
    const size_t lanes = (size_t)lanes_groups(batch) * LANES, wide = lanes * layer_expanded(&layer->spec),
                 narrow = lanes * layer_squeezed(&layer->spec);
    layer->excite[r] =
        (ExciteCache){floats(wide, &ok), floats(narrow, &ok), floats(narrow, &ok), floats(wide, &ok)};
    return ok;
}

void SET(mbconv_free)(Layer *layer, int r)
{
    free(layer->excite[r].average);
    free(layer->excite[r].squeezed);
    free(layer->excite[r].hidden);
    free(layer->excite[r].gate);
}

static size_t convolutions_scratch(const Layer *layer, int batch)
{
    const size_t expand = SET(conv2d_scratch)(expansion_at(layer, batch, 0), layer->threads),
                 project = SET(conv2d_scratch)(projection_at(layer, batch, 0), layer->threads);
    return expand > project ? expand : project;
}

bool SET(mbconv_grow_scratch)(Layer *layer, int batch)
{
    Scratch *s = layer->scratch;
    const Shape wide = expanded_at(layer, batch, layer->finest);
    const size_t lanes = (size_t)lanes_groups(batch) * LANES * sizeof(float);
    bool ok = SET(buffer_grow)(&s->conv, convolutions_scratch(layer, batch));
    for (int i = 0; i < 3; i++)
        ok = ok && SET(buffer_grow)(&s->wide[i], tensor_words(wide) * sizeof(Word));
    ok = ok && SET(buffer_grow)(&s->reduce, SET(channel_sums_scratch)(wide));
    ok = ok && SET(buffer_grow)(&s->depthwise, SET(depthwise_scratch)(wide));
    ok = ok && SET(buffer_grow)(&s->norms, 2 * COEFFICIENTS * padded_expanded(layer) * sizeof(float));
    ok = ok && SET(buffer_grow)(&s->excite[0], lanes * wide.c) &&
         SET(buffer_grow)(&s->excite[1], lanes * wide.c);
    return ok && SET(buffer_grow)(&s->excite[2], lanes * layer_squeezed(&layer->spec));
}

Activation SET(mbconv_activation)(const Layer *layer, int r, int norm)
{
    const int channels = layer_expanded(&layer->spec);
    float *scale = (float *)layer->scratch->norms.data + 2 * norm * padded_expanded(layer),
          *shift = scale + padded_expanded(layer);
    const double *mean = layer->mean[r] + norm * channels, *variance = layer->variance[r] + norm * channels;
    const float *gamma = gamma_of(layer, r, norm);
    memset(scale, 0, 2 * padded_expanded(layer) * sizeof *scale);
    for (int c = 0; c < channels; c++) {
        const double a = (gamma ? gamma[c] : 1) / sqrt(variance[c] + layer->spec.eps);
        scale[c] = a;
        shift[c] = (gamma ? gamma[channels + c] : 0) - a * mean[c];
    }
    return (Activation){scale, shift};
}

void SET(mbconv_expand)(const Layer *layer, int n, int r)
{
    SET(conv2d_forward)
    (layer->scratch->wide[0].data, SET(layer_pooled)(layer, r), filters_of(layer, 0), NULL, false,
     expansion_at(layer, n, r), layer->scratch->conv.data);
}

void SET(mbconv_filter)(const Layer *layer, Word *activated, int n, int r)
{
    const Shape wide = expanded_at(layer, n, r);
    const float *w = filters_of(layer, 0) + layer_mbconv(&layer->spec).depthwise;
    SET(excite_scale)
    (activated, layer->scratch->wide[0].data, SET(mbconv_activation)(layer, r, 0), NULL, wide);
    SET(depthwise_forward)(layer->scratch->wide[1].data, activated, w, NULL, wide);
}

void SET(mbconv_forward)(Layer *layer, int n, int r, Pass pass)
{
    const Shape wide = expanded_at(layer, n, r);
    const MbconvPlaces at = layer_mbconv(&layer->spec);
    Word *expanded = layer->scratch->wide[0].data, *filtered = layer->scratch->wide[1].data;
    SET(mbconv_expand)(layer, n, r); /* 1 */
    SET(layer_statistics)(layer, r, 0, expanded, wide, pass);
    SET(mbconv_filter)(layer, expanded, n, r); /* 2, 3 */
    SET(layer_statistics)(layer, r, 1, filtered, wide, pass);
    const Activation norm = SET(mbconv_activation)(layer, r, 1); /* 4, 5 */
    SET(excite_average)(layer->excite[r].average, filtered, norm, wide);
    SET(excite_gates)(&layer->excite[r], excite_weights(layer), n, wide.c, layer_squeezed(&layer->spec));
    SET(excite_scale)(filtered, filtered, norm, layer->excite[r].gate, wide);
    SET(conv2d_forward) /* 6 */
    (layer->activation[r], filtered, filters_of(layer, 0) + at.project, NULL, false,
     projection_at(layer, n, r), layer->scratch->conv.data);
}
