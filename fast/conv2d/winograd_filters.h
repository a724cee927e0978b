/* The filters of Winograd's forward and backward data: transformed, in the order in which products read them.
 * fast/conv2d/winograd.c explains the whole. */
#ifndef NOPOOL_FAST_WINOGRAD_FILTERS_H
#define NOPOOL_FAST_WINOGRAD_FILTERS_H

#include "winograd.h"

enum { BLOCK = 8, FILTERS = VL == 16 ? 8 : 4 }; /* of a block of products; of one product in registers */

static int block_count(int filters)
{
    return (filters + BLOCK - 1) / BLOCK;
}

static size_t packed_floats(int channels, int filters)
{
    return (size_t)block_count(filters) * BLOCK * POSITIONS * channels;
}

/* G times 3 numbers, `step` apart. */
INLINE void transform_filter(VecDouble to[SPAN], const VecDouble *g, int step)
{
    const double a = A, b = B, p = 1 / (2 * a * a * (a * a - b * b)), q = 1 / (2 * b * b * (b * b - a * a));
    const VecDouble even_a = p * (g[0] + a * a * g[2 * step]), odd_a = p * a * g[step];
    const VecDouble even_b = q * (g[0] + b * b * g[2 * step]), odd_b = q * b * g[step];
    to[0] = g[0] / (a * a * b * b);
    to[1] = even_a + odd_a;
    to[2] = even_a - odd_a;
    to[3] = even_b + odd_b;
    to[4] = even_b - odd_b;
    to[5] = g[2 * step];
}

/* Filters k .. k + HALF - 1, channel c, to the same place of every position. Filters beyond the last are 0.
 */
static void pack_filters_half(float *to, const float *w, int k, int c, int filters, int channels,
                              bool flipped)
{
    VecDouble g[9] = {{0}}, rows[3][SPAN], u[SPAN];
    for (int f = 0; f < HALF && k + f < filters; f++) {
        const size_t filter = k + f;
        const float *at = w + (flipped ? c * (size_t)filters + filter : filter * channels + c) * 9;
        for (int tap = 0; tap < 9; tap++)
            g[tap][f] = at[flipped ? 8 - tap : tap];
    }
    for (int j = 0; j < 3; j++)
        transform_filter(rows[j], g + j, 3);
    for (int i = 0; i < SPAN; i++) {
        const VecDouble row[3] = {rows[0][i], rows[1][i], rows[2][i]};
        transform_filter(u, row, 1);
        for (int j = 0; j < SPAN; j++)
            store_double(to + (size_t)(i * SPAN + j) * BLOCK * channels, u[j]);
    }
}

/* Transforms w and packs it as [block][position][filter / FILTERS][c][filter % FILTERS], so that products
 * read straight on. w is (K,C,3,3); flipped, for backward data, it is (channels,filters,3,3) with taps in
 * reverse. */
static void pack_filters(float *packed, const float *w, int filters, int channels, bool flipped)
{
#pragma omp parallel for collapse(2) schedule(static)
    for (int block = 0; block < block_count(filters); block++)
        for (int c = 0; c < channels; c++)
            for (int f = 0; f < BLOCK; f += HALF)
                pack_filters_half(packed +
                                      ((size_t)block * POSITIONS * BLOCK + f / FILTERS * FILTERS) * channels +
                                      c * FILTERS + f % FILTERS,
                                  w, block * BLOCK + f, c, filters, channels, flipped);
}

#endif
