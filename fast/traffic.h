/* What the engine's passes over maps move and multiply, counted, not measured: fast/engine/traffic.c has a
 * table of the passes of each kind of layer, which tests compare with every load and store that the engine
 * makes (tests/test_traffic.c).
 *
 * A pass is what goes over its maps once: a parallel region or a memset. Each map that
 * it takes is read once, each that it makes is written once, each that it adds to both; what it reads again
 * (the rows that a filter needs, a channel's pixels for the next filters) comes from a cache. Maps are the
 * tensors of N images with their channels and the marks of maxima, in whole groups of 16 images. Filters,
 * scratch, sums and averages are left out: they stay in caches, or are a few thousandths. */
#ifndef NOPOOL_FAST_TRAFFIC_H
#define NOPOOL_FAST_TRAFFIC_H

#include "../ref/engine.h"
#include <stdint.h>

typedef struct {
    double read, written; /* bytes of maps */
    /* Multiply-adds of the convolutions, as the algorithm that the engine takes makes them: by the set's own
     * products, without the taps that padding spares; and in float, 36 a tile of 4x4 pixels of Winograd's and
     * 9 a pixel of the depthwise one's. */
    double products, float_products;
} Traffic;

static inline Traffic traffic_sum(Traffic a, Traffic b)
{
    return (Traffic){a.read + b.read, a.written + b.written, a.products + b.products,
                     a.float_products + b.float_products};
}

/* The level that a layer's output is stored at, if its set is f32 or bf16 (struct Tensor in
 * fast/engine/layer.h); those of its input and its gradient are that of the layer before. */
static inline int layer_stored_level(const LayerSpec *s)
{
    int finest = 0;
    while (!level_kept(s->kept, finest))
        finest++;
    return s->up == UPSAMPLE_NEAREST ? finest : 0;
}

/* Whether the backward pass of a layer takes, on the way of dx, the sums over the batch that the layer
 * before, whose output it reads, starts from: where nothing is done to dx afterwards, and dx is all that
 * these are of. And whether it makes the sums over 2x2 squares, which the next level of that starts from. */
static inline bool layer_takes_sums(const LayerSpec *s, const LayerSpec *before)
{
    const int stored = layer_stored_level(before);
    return s->block == BLOCK_CONV && (before->up == UPSAMPLE_NEAREST || before->kept == 1) &&
           level_kept(s->kept, stored) && (s->kept & ((1u << stored) - 1)) == 0;
}

static inline bool layer_takes_squares(const LayerSpec *s, const LayerSpec *before)
{
    return layer_takes_sums(s, before) && before->kept >> layer_stored_level(before) > 1;
}

/* The sums of dx that a backward pass takes, those over squares too; and those of dy that are known to it. */
enum { SUMS_TAKEN = 1, SQUARES_TAKEN = 2, SUMS_KNOWN = 4 };

/* The passes of the engine's functions of the same names, for n images. `stored` is the level that the input
 * is stored at, or each map that a depth mix takes. dx: whether the input's gradient is wanted; of a node a
 * bit for each edge. */
typedef struct {
    double (*map)(Shape s); /* bytes of a tensor */
    Traffic (*layer_forward)(const LayerSpec *s, int n, int stored, Pass pass);
    Traffic (*layer_backward)(const LayerSpec *s, int n, int stored, bool dx, unsigned sums, unsigned wanted);
    Traffic (*depth_forward)(const DepthSpec *s, int n, const int stored[]);
    Traffic (*depth_backward)(const DepthSpec *s, int n, const int stored[], unsigned wanted);
    Traffic (*depth_share)(const DepthSpec *s, int n, const int stored[], int l, bool add);
    Traffic (*node_forward)(const NodeSpec *s, int n, Pass pass);
    Traffic (*node_backward)(const NodeSpec *s, int n, unsigned dx, unsigned wanted);
} TrafficCount;

#endif
