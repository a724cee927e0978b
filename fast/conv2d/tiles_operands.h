/* The operands of tile products (fast/conv2d/tiles.c): channels cut into tiles, filters packed, and the taps
 * of a map of few channels gathered. */
#ifndef NOPOOL_FAST_TILES_OPERANDS_H
#define NOPOOL_FAST_TILES_OPERANDS_H

#include "bands.h"
#include "tiles.h"

/* `blocks` of `pairs` units going in, `tiles` of `units` units coming out: equal ones, so that one
 * configuration serves all of them. Where they do not divide, the last block starts earlier, and the filters
 * of units that are counted already are 0. So nothing beyond a pixel's units is ever read: it may be NaN, or
 * past the end. */
typedef struct {
    int blocks, pairs, tiles, units;
} Cut;

/* A convolution at stride 1 from a map `in` to a map `out`: forward, or `backward` data, which is the forward
 * pass from dy with the filters flipped and transposed. The products read pixels of `map` through filters of
 * `side` x `side` taps; where taps are gathered, these are its channels, and the side is 1. */
typedef struct {
    Conv2dShape s;
    Shape in, map, out;
    bool backward, gathers;
    int side;
    Cut cut;
} TilePlan;

TilePlan SET(tile_plan)(Conv2dShape s, bool backward);

/* The first unit of a block. */
INLINE int block_start(const TilePlan *p, int block)
{
    const int start = block * p->cut.pairs, last = units_of(p->map.c) - p->cut.pairs;
    return start < last ? start : last;
}

/* Words of a tile's packed filters, [row of taps][block][tap][filter][pair]; of all tiles. */
INLINE size_t tile_filters(const TilePlan *p)
{
    return (size_t)p->side * p->side * p->cut.blocks * TILE_WORDS;
}

INLINE size_t packed_words(const TilePlan *p)
{
    return p->cut.tiles * tile_filters(p);
}

/* From w (K,C,S,S), for every tile of filters. */
void SET(pack_tiles)(uint32_t *packed, const float *w, const TilePlan *p);

/* Words of a row whose taps are gathered; 0 where none are. */
size_t SET(gathered_words)(const TilePlan *p);

/* Row y of a group with the channels of all nine taps in each pixel, 0 outside the map. `to` holds it. */
Rows SET(gather_row)(Word *to, Rows x, const TilePlan *p, int group, int y);

#endif
