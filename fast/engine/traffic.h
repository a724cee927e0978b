/* The tables of passes, and how they are added up: fast/engine/traffic.c for layers, traffic_node.c for
 * nodes. */
#ifndef NOPOOL_FAST_ENGINE_TRAFFIC_H
#define NOPOOL_FAST_ENGINE_TRAFFIC_H

#include "../operations.h"
#include "../traffic.h"

/* A pass over maps: it happens where all that `when` names is so, and moves sets of maps. The bits are its
 * table's own; so is what the convolutions are that multiply. */
typedef struct {
    const char *pass; /* what it is, for the reader */
    unsigned when, reads, writes;
    int products;
} PassRow;

INLINE double map_bytes(Shape s)
{
    return (double)tensor_words(s) * sizeof(Word);
}

/* Pairs of an output and a tap inside the map, along one axis. */
INLINE int taps_inside(int size, int side, int stride)
{
    int count = 0;
    for (int out = 0; out * stride < size; out++)
        for (int tap = 0; tap < side; tap++) {
            const int in = out * stride + tap - (side - 1) / 2;
            count += in >= 0 && in < size;
        }
    return count;
}

/* Multiply-adds of one pass of a convolution: direct, or by Winograd's algorithm. */
INLINE Traffic convolution_products(Conv2dShape s, bool winograd)
{
    const double pairs = (double)lanes_groups(s.n) * LANES * s.c * s.k;
    if (winograd)
        return (Traffic){.float_products = 36 * pairs * ((s.h + 3) / 4) * ((s.w + 3) / 4)};
    return (Traffic){.products =
                         pairs * taps_inside(s.h, s.side, s.stride) * taps_inside(s.w, s.side, s.stride)};
}

Traffic SET(layer_forward_traffic)(const LayerSpec *s, int n, int stored, Pass pass);
Traffic SET(layer_backward_traffic)(const LayerSpec *s, int n, int stored, bool dx, unsigned sums,
                                    unsigned wanted);
Traffic SET(node_forward_traffic)(const NodeSpec *s, int n, Pass pass);
Traffic SET(node_backward_traffic)(const NodeSpec *s, int n, unsigned dx, unsigned wanted);

#endif
