/* The operands of backward weights by tile products (fast/conv2d/tiles_backward_weights.c): pairs of images
 * of two neighbouring pixels, of 16 channels of dy and of x.
 *
 * dy needs its images paired, one permutation a unit; x is transposed on top, 24 more for 8 units
 * (fast/simd/pairs.h). Both are packed so that any two neighbouring pixels of x, at every tap's alignment,
 * are a tile as they stand, [pixel][item][16 c], and pixels 2p and 2p + 1 of dy are one, [16 k][pixel][item].
 * A row of x has a pixel of 0 at either end, one of dy at its end if its width is odd: every tap of a row
 * runs over the same pairs of pixels, and what is outside counts 0.
 *
 * Of at most 4 channels the three taps of a row stand side by side in the 16 columns of x, [tap][c]: a window
 * of three pixels, of which pixels 2p and 2p + 1 are a tile, and no ends. */
#ifndef NOPOOL_FAST_TILES_PAIRS_H
#define NOPOOL_FAST_TILES_PAIRS_H

#include "../simd/pairs.h"
#include "bands.h"
#include "tiles.h"

enum { SIDE = 3, BAND = 32, ITEM_WORDS = PAIRS * TILE_COLUMNS };

/* Tiles of either operand's channels; pairs of pixels of a row; rows of dy in a band. windows: whether a
 * pixel of x is a window of three. */
typedef struct {
    Rows dy;
    const Word *x;
    Shape in, out;
    int c_tiles, k_tiles, pairs, rows;
    bool windows;
} Plan;

static Plan plan_of(Rows dy, const Word *x, Conv2dShape s)
{
    const int rows = (BAND + s.w - 1) / s.w;
    return (Plan){.dy = dy,
                  .x = x,
                  .in = conv2d_input(s),
                  .out = conv2d_output(s),
                  .c_tiles = (s.c + TILE_COLUMNS - 1) / TILE_COLUMNS,
                  .k_tiles = (s.k + TILE_ROWS - 1) / TILE_ROWS,
                  .pairs = (s.w + 1) / 2,
                  .rows = rows < s.h ? rows : s.h,
                  .windows = SIDE * units_of(s.c) <= PAIRS};
}

/* Words of the packed operands of a thread: dy as [k tile][row of the band][pair], x as [row][c tile][pixel],
 * where a row has its place by its number modulo rows + 2. */
static size_t dy_words(const Plan *p)
{
    return (size_t)p->k_tiles * p->rows * p->pairs * TILE_WORDS;
}

static size_t x_row_words(const Plan *p)
{
    return (size_t)(2 * p->pairs + (p->windows ? 0 : 2)) * ITEM_WORDS;
}

static size_t x_words(const Plan *p)
{
    return (size_t)(p->rows + 2) * p->c_tiles * x_row_words(p);
}

/* What one thread works on: rows of one group, which start their partial or do not, and tiles from..to-1,
 * counted [c tile][k tile]. */
typedef struct {
    const Plan *plan;
    float *partial;
    Word *dy, *x;
    LaneBits used;
    Band rows;
    bool starts;
    int from, to;
} Task;

static Word *dy_tile(const Task *task, int k, int row, int pair)
{
    const Plan *p = task->plan;
    return task->dy + (((size_t)k * p->rows + row) * p->pairs + pair) * TILE_WORDS;
}

/* From the pixel of 0 before a row on, or from its first window. */
static Word *x_row(const Task *task, int y, int c)
{
    const Plan *p = task->plan;
    return task->x + ((size_t)(y % (p->rows + 2)) * p->c_tiles + c) * x_row_words(p);
}

/* The same; NULL outside the map. */
static const Word *x_inside(const Task *task, int y, int c)
{
    return y >= 0 && y < task->plan->in.h ? x_row(task, y, c) : NULL;
}

/* Row y of dy, row number `row` of its band: 16 channels of a tile k. Channels beyond K become 0. */
static void pack_dy(const Task *task, int y, int row, int k)
{
    const Plan *p = task->plan;
    const Word *from = row_of(p->dy, p->out, task->rows.group, y);
    for (int pixel = 0; pixel < 2 * p->pairs; pixel++, from += pixel_words(p->out)) {
        Word *to = dy_tile(task, k, row, pixel / 2) + pixel % 2 * PAIRS;
        for (int unit = 0; unit < PAIRS; unit++, to += UNIT * TILE_COLUMNS) {
            const int at = k * PAIRS + unit;
            LaneBits items = {0};
            if (pixel < p->out.w && at < units_of(p->out.c))
                items = pair_images(from + (size_t)at * LANES, task->used);
            *(PairBits *)to = __builtin_shufflevector(items, items, 0, 1, 2, 3, 4, 5, 6, 7);
            *(PairBits *)(to + TILE_COLUMNS) =
                __builtin_shufflevector(items, items, 8, 9, 10, 11, 12, 13, 14, 15);
        }
    }
}

/* The window around a pixel of a row of x, from its first tap on to 8 units. */
INLINE void pairs_of_window(LaneBits square[PAIRS], const Word *row, int pixel, Shape in, LaneBits used)
{
    const int units = units_of(in.c);
    for (int i = 0; i < PAIRS; i++) {
        const int tap = i / units, at = pixel + tap - 1;
        const bool inside = tap < SIDE && at >= 0 && at < in.w;
        square[i] = inside ? pair_images(row + at * pixel_words(in) + (size_t)(i % units) * LANES, used)
                           : (LaneBits){0};
    }
    transpose_pairs(square);
}

/* Row y of x: 16 channels of a tile c. */
static void pack_x(const Task *task, int y, int c)
{
    const Plan *p = task->plan;
    const Word *row = p->x + row_at(p->in, task->rows.group, y);
    Word *to = x_row(task, y, c), *end = to + x_row_words(p);
    if (!p->windows) {
        memset(to, 0, ITEM_WORDS * sizeof *to);
        to += ITEM_WORDS;
    }
    for (int pixel = 0; pixel < p->in.w; pixel++) {
        LaneBits square[PAIRS];
        if (p->windows)
            pairs_of_window(square, row, pixel, p->in, task->used);
        else
            pairs_of_pixel(square, row + pixel * pixel_words(p->in), c * PAIRS, units_of(p->in.c),
                           task->used);
        for (int item = 0; item < PAIRS; item++, to += TILE_COLUMNS)
            *(LaneBits *)to = square[item];
    }
    memset(to, 0, (size_t)(end - to) * sizeof *to);
}

#endif
