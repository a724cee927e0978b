/* The level of a layer whose block is MBConv: fast/engine/mbconv.c forward, mbconv_backward.c. */
#ifndef NOPOOL_FAST_MBCONV_H
#define NOPOOL_FAST_MBCONV_H

#include "layer.h"

/* What the layer keeps of each level besides the projected maps, which are its activation. */
bool SET(mbconv_create)(Layer *layer, int r, int batch);
void SET(mbconv_free)(Layer *layer, int r);

/* Room for a level's expanded maps, and what their passes need, in the scratch that layers share. */
bool SET(mbconv_grow_scratch)(Layer *layer, int batch);

/* From the input at level r to its projected maps, layer->activation[r]. The statistics of the first two
 * norms are formed or, at inference, taken from what is tracked. */
void SET(mbconv_forward)(Layer *layer, int n, int r, Pass pass);

/* dpooled, what the block hands back to its input at level r, is added to it; NULL: not wanted. From dsum,
 * the gradient of the upsampled maps' sum; dfilters NULL: no gradients of the filters. */
void SET(mbconv_backward)(Layer *layer, Word *dpooled, float *dfilters, int n, int r);

/* A stage of level r that is made again, or NULL: it stands in scratch. */
const Word *SET(mbconv_stage)(const Layer *layer, Stage stage, int r);

/* The expanded maps' shape, and the two 1x1 convolutions. */
INLINE Shape expanded_at(const Layer *layer, int n, int r)
{
    return (Shape){n, layer_expanded(&layer->spec), layer->spec.height >> r, layer->spec.width >> r};
}

INLINE Conv2dShape expansion_at(const Layer *layer, int n, int r)
{
    const LayerSpec *s = &layer->spec;
    return (Conv2dShape){n, s->channels_in, layer_expanded(s), s->height >> r, s->width >> r, 1, 1};
}

INLINE Conv2dShape projection_at(const Layer *layer, int n, int r)
{
    const LayerSpec *s = &layer->spec;
    return (Conv2dShape){n, layer_expanded(s), s->channels_out, s->height >> r, s->width >> r, 1, 1};
}

INLINE bool has_skip(const Layer *layer)
{
    return layer->spec.block == BLOCK_MBCONV && layer->spec.channels_in == layer->spec.channels_out;
}

/* Norms 0 and 1 as scale x + shift, from what layer->mean and variance hold. Valid until the next call for
 * this norm. */
Activation SET(mbconv_activation)(const Layer *layer, int r, int norm);

/* The expanded, the filtered maps of level r, made from the input and the statistics; activated is room for
 * what is in between. */
void SET(mbconv_expand)(const Layer *layer, int n, int r);
void SET(mbconv_filter)(const Layer *layer, Word *activated, int n, int r);

INLINE ExciteWeights excite_weights(const Layer *layer)
{
    const MbconvPlaces at = layer_mbconv(&layer->spec);
    const float *w = filters_of(layer, 0);
    return (ExciteWeights){w + at.w1, w + at.b1, w + at.w2, w + at.b2};
}

#endif
