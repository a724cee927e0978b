/* Outer products of Winograd's backward weights: at one of the 36 positions, narrow channels times wide ones,
 * summed over the images of a block of tiles, ROWS x COLUMNS vectors in registers. Its bounds and its order
 * stand in fast/conv2d/winograd_backward_weights.c. */
#ifndef NOPOOL_FAST_WINOGRAD_OUTER_H
#define NOPOOL_FAST_WINOGRAD_OUTER_H

#include "winograd_operands.h"

enum { ROWS = VL == 16 ? 6 : 3, COLUMNS = 4 }; /* of one outer product in registers */

/* The tiles of one block of products, how many images each of them has, and their pixels. */
typedef struct {
    int tiles, images[TILES];
    Tile wide[TILES], narrow[TILES];
} Block;

/* One block's outer products at one position. Meanwhile the same pixel of the next block's tiles is fetched,
 * 16 lines of the wide operand at a time, then of the narrow one. */
typedef struct {
    const Block *block, *next;
    bool start; /* from 0, rather than from the sums so far */
    int position, padded, from, to;
    int wide_lines, narrow_from, narrow_lines, fetched; /* wide_lines: rounded up to 16 */
} Outer;

/* The lines that are fetched next, of one tile of the next block; `other` if none are left. */
INLINE const Word *lines_of(const Outer *o, int tile, const Word *other)
{
    if (tile >= o->next->tiles)
        return other;
    const Tile *wide = &o->next->wide[tile], *narrow = &o->next->narrow[tile];
    const int second = o->fetched - o->wide_lines;
    if (second < 0)
        return o->position < pixels_of(wide->is_x) ? wide->pixel[o->position] + (size_t)o->fetched * LANES
                                                   : other;
    return second < o->narrow_lines && o->position < pixels_of(narrow->is_x)
               ? narrow->pixel[o->position] + (size_t)(o->narrow_from + second) * LANES
               : other;
}

/* Adds to `sums`, or starts them: rows narrow channels times columns vectors of wide ones. */
INLINE void multiply(float *sums, const float *wide, const float *narrow, Outer *o, const int rows,
                     const int columns)
{
    Vec sum[ROWS][COLUMNS];
#pragma GCC unroll 8
    for (int i = 0; i < rows; i++)
#pragma GCC unroll 8
        for (int j = 0; j < columns; j++)
            sum[i][j] = o->start ? (Vec){0} : load(sums + (size_t)i * o->padded + j * VL);
    const int padded = o->padded;
    for (int tile = 0; tile < o->block->tiles; tile++) {
        const float *vectors = wide + (size_t)tile * LANES * padded, *numbers = narrow + tile * LANES;
        const Word *later = lines_of(o, tile, numbers);
        const size_t step = later == numbers ? 0 : LANES;
        for (int image = 0; image < o->block->images[tile];
             image++, vectors += padded, numbers++, later += step) {
            __builtin_prefetch(later);
#pragma GCC unroll 8
            for (int i = 0; i < rows; i++)
#pragma GCC unroll 8
                for (int j = 0; j < columns; j++)
                    sum[i][j] += load(vectors + j * VL) * broadcast(numbers[i * ROW]);
        }
    }
    o->fetched += LANES;
#pragma GCC unroll 8
    for (int i = 0; i < rows; i++)
#pragma GCC unroll 8
        for (int j = 0; j < columns; j++)
            store(sums + (size_t)i * padded + j * VL, sum[i][j]);
}

#define MULTIPLY(rows) \
    multiply(sums + (size_t)at * o->padded, wide, narrow + (size_t)at * ROW, o, rows, columns)

/* The narrow channels times `columns` vectors. */
INLINE void multiply_columns(float *sums, const float *wide, const float *narrow, Outer *o, const int columns)
{
    int at = o->from;
    for (; at + ROWS <= o->to; at += ROWS)
        MULTIPLY(ROWS);
    if (ROWS > 4 && at + 4 <= o->to) {
        MULTIPLY(ROWS > 4 ? 4 : ROWS);
        at += 4;
    }
    if (at + 2 <= o->to) {
        MULTIPLY(2);
        at += 2;
    }
    if (at < o->to)
        MULTIPLY(1);
}

#endif
