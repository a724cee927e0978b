/* The tile of direct convolution, and its filters in the order in which it reads them: fast/conv2d.c. */
#ifndef NOPOOL_FAST_DIRECT_FILTERS_H
#define NOPOOL_FAST_DIRECT_FILTERS_H

#include "products.h"

#if defined(BF16) && VECTOR_FLOATS < 16
enum { PIXELS = 2, FILTERS = 4 };
#else
enum { PIXELS = 4, FILTERS = VL == 16 ? 6 : 3 };
#endif
enum { MAX_TAPS = 9 };

/* Filters of one tile start at k, a multiple of FILTERS; the last tile is split into 4, 2 and 1. In bf16
 * there is an even number of them: one beyond the last, if need be, has weights 0. */
static int tile_filters(int left)
{
    return left >= FILTERS ? FILTERS : left >= 4 ? 4 : left >= 2 ? 2 : 1;
}

/* Where tile number `tile` of `filters` starts, and how wide it is: whole tiles, then 4, 2 and 1. */
static int tile_start(int tile, int filters)
{
    int k = tile < filters / FILTERS ? tile * FILTERS : filters / FILTERS * FILTERS;
    for (int i = filters / FILTERS; i < tile; i++)
        k += tile_filters(filters - k);
    return k;
}

/* At most three tiles are narrower than the others. */
static int tile_count(int filters)
{
    return filters / FILTERS + 3;
}

/* w seen as the filters of a convolution: the weight of filter f, channel c and tap t. */
typedef struct {
    const float *w;
    int filters, channels, taps;
    size_t filter_step, channel_step;
    bool flipped; /* taps in reverse */
} Filters;

/* Filter f of one unit of channels to its place at every tap, `step` apart. */
static void pack_taps(Weight *to, size_t step, const Filters *v, int f, int unit)
{
    static const float zeros[MAX_TAPS];
    const float *from[UNIT];
    for (int i = 0; i < UNIT; i++) {
        const int c = unit * UNIT + i;
        from[i] = f < v->filters && c < v->channels ? v->w + f * v->filter_step + c * v->channel_step : zeros;
    }
    for (int tap = 0; tap < v->taps; tap++) {
        float channel[UNIT];
        for (int i = 0; i < UNIT; i++)
            channel[i] = from[i][v->flipped ? v->taps - 1 - tap : tap];
        to[tap * step] = weight_of(channel);
    }
}

/* Tile after tile, each as [tap][unit][filter of the tile], so that a tile reads straight on. What stands
 * together in w is read together: all units of a filter, or, flipped, all filters of a unit. */
static void pack_filters(Weight *packed, const Filters *v)
{
    const int filters = units_of(v->filters) * UNIT, units = units_of(v->channels),
              runs = v->flipped ? units : 1, run_units = units / runs;
#pragma omp parallel for collapse(2) schedule(static)
    for (int run = 0; run < runs; run++)
        for (int tile = 0; tile < tile_count(filters); tile++) {
            const int k = tile_start(tile, filters), width = k < filters ? tile_filters(filters - k) : 0;
            Weight *to = packed + (size_t)k * units * v->taps;
            for (int f = 0; f < width; f++)
                for (int unit = run * run_units; unit < (run + 1) * run_units; unit++)
                    pack_taps(to + unit * width + f, (size_t)units * width, v, k + f, unit);
        }
}

#endif
