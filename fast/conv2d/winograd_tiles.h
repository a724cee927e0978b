/* Tiles of Winograd's forward and backward data: where they lie, from pixels to their values at the 36
 * positions (gather), and from products back to pixels (scatter), with the pooling that the layer wants on
 * the way. fast/conv2d/winograd.c explains the whole. */
#ifndef NOPOOL_FAST_WINOGRAD_TILES_H
#define NOPOOL_FAST_WINOGRAD_TILES_H

#include "../pool.h"
#include "sums.h"
#include "winograd.h"
#include "winograd_filters.h"

enum { TILES = VL == 16 ? 2 : 3, ROW = TILES * LANES }; /* tiles of a block in the cache; images */
enum { SQUARES = PIXELS / 4 };                          /* of a tile */

/* What all tiles of one call share. The operation is a convolution from x (shape in) to y (shape out). */
typedef struct {
    Rows x;
    const float *filters, *bias;
    Word *y;
    Shape in, out;
    bool add, relu;      /* start from y; end with max(.., 0) */
    Unpooling unpooling; /* what to add to y, or no dy */
    Word *pooled;        /* maxima of x to make, or NULL */
    Mark *marks;
    const MapSums *sums; /* of y, or NULL */
    int down, across;    /* tiles of a map */
    int end;             /* the tile after the last, numbered over all groups */
    const Word *zeros;   /* a pixel beyond the border of a map */
} Winograd;

/* Where a tile reads and writes: the pixels' channels, and of maps pooled from x, or of the gradient of maps
 * pooled from what becomes y, the pixel of each of the tile's 2x2 squares; NULL beyond the map, or without
 * them.
 */
typedef struct {
    const Word *in[POSITIONS];
    Word *out[PIXELS];
    const Word *dpooled[SQUARES];
    Word *pooled[SQUARES];
    Word *squares[SQUARES]; /* sums over them to make, or NULL */
    double *partial;        /* of its sums, or NULL */
    int used;               /* lanes of its group */
} Tile;

/* The line more keeps the 36 positions of one channel out of the same set of the cache. */
static size_t position_floats(int channels)
{
    return (size_t)channels * ROW + LANES;
}

/* A pixel of maps pooled from shape s. */
static const Word *coarse_pixel(const Word *maps, Shape s, int group, int y, int x)
{
    return maps ? pixel_at(all_rows(maps), shape_coarser(s, 2), group, y, x, NULL) : NULL;
}

/* Tiles are numbered over all groups, so that small maps fill a block too. Beyond the border, and beyond the
 * last tile, a tile reads zeros and writes nowhere. */
static void locate(Tile *tile, const Winograd *win, int number, Word *nowhere)
{
    const Shape in = win->in, out = win->out;
    const int group = number / (win->down * win->across), rest = number % (win->down * win->across);
    const int top = rest / win->across * TILE, left = rest % win->across * TILE;
    const bool real = number < win->end;
    tile->used = lanes_used(out.n, group);
    tile->partial =
        win->sums && real ? partial_at(win->sums, out, group, rest, win->down * win->across) : NULL;
    for (int p = 0; p < POSITIONS; p++) {
        const int y = top + p / SPAN - 1, x = left + p % SPAN - 1;
        tile->in[p] = real ? pixel_at(win->x, in, group, y, x, win->zeros) : win->zeros;
    }
    for (int p = 0; p < PIXELS; p++) {
        const int y = top + p / TILE, x = left + p % TILE;
        const bool inside = real && y < out.h && x < out.w;
        tile->out[p] = inside ? win->y + row_at(out, group, y) + x * pixel_words(out) : nowhere;
    }
    for (int q = 0; q < SQUARES; q++) {
        const int y = top / 2 + q / 2, x = left / 2 + q % 2;
        tile->dpooled[q] = coarse_pixel(real ? win->unpooling.dy : NULL, win->out, group, y, x);
        tile->pooled[q] = (Word *)coarse_pixel(real ? win->pooled : NULL, in, group, y, x);
        tile->squares[q] =
            (Word *)coarse_pixel(real && win->sums ? win->sums->squares : NULL, out, group, y, x);
    }
}

/* The four squares of a tile, whose pixels start at row and column 1 of the 6x6, to the pooled maps. */
INLINE void pool_squares(const Winograd *win, const Tile *tile, size_t at, const Unit pixels[POSITIONS])
{
#pragma GCC unroll 4
    for (int q = 0; q < SQUARES; q++) {
        const int corner = (1 + q / 2 * 2) * SPAN + 1 + q % 2 * 2;
        const Unit square[4] = {pixels[corner], pixels[corner + 1], pixels[corner + SPAN],
                                pixels[corner + SPAN + 1]};
        UnitMask which;
        if (!tile->pooled[q])
            continue;
        store_unit(tile->pooled[q] + at, square_maximum(square, &which));
        store_marks(win->marks + (tile->pooled[q] + at - win->pooled) * UNIT, which);
    }
}

/* One tile to its place in v [position][c][tile]. */
INLINE void gather(float *v, const Winograd *win, const Tile *tile, const bool pooling)
{
    const int channels = win->in.c;
    for (int unit = 0; unit < units_of(channels); unit++)
        for (int part = 0; part < LANES; part += VL) {
            const size_t at = (size_t)unit * LANES + part;
            Unit units[POSITIONS];
            Vec pixels[POSITIONS];
#pragma GCC unroll 36
            for (int p = 0; p < POSITIONS; p++)
                units[p] = load_unit(tile->in[p] + at);
            if (pooling)
                pool_squares(win, tile, at, units);
            UNROLL_UNIT
            for (int i = 0; i < UNIT; i++) {
#pragma GCC unroll 36
                for (int p = 0; p < POSITIONS; p++)
                    pixels[p] = units[p].channel[i];
                if (unit * UNIT + i < channels)
                    transform_x(v + (size_t)(unit * UNIT + i) * ROW + part, position_floats(channels),
                                pixels);
            }
        }
}

/* A^T times 6 numbers. */
INLINE void transform_output(Vec to[TILE], const Vec m[SPAN])
{
    const Vec even_a = m[1] + m[2], odd_a = m[1] - m[2], even_b = m[3] + m[4], odd_b = m[3] - m[4];
    to[0] = m[0] + even_a + even_b;
    to[1] = A * odd_a + B * odd_b;
    to[2] = AA * even_a + BB * even_b;
    to[3] = m[5] + AAA * odd_a + BBB * odd_b;
}

/* A^T m A of one filter, from its place in m. */
INLINE void transform_products(Vec y[PIXELS], const float *m)
{
    Vec columns[TILE][SPAN], s[SPAN], t[TILE];
#pragma GCC unroll 8
    for (int j = 0; j < SPAN; j++) {
#pragma GCC unroll 8
        for (int i = 0; i < SPAN; i++)
            s[i] = load(m + (i * SPAN + j) * ROW);
        transform_output(t, s);
#pragma GCC unroll 8
        for (int i = 0; i < TILE; i++)
            columns[i][j] = t[i];
    }
#pragma GCC unroll 8
    for (int i = 0; i < TILE; i++)
        transform_output(y + i * TILE, columns[i]);
}

/* Adds what pooling hands back to the four squares of a tile of a unit of filters. */
INLINE void add_pooled(Vec y[UNIT][PIXELS], const Unpooling *unpooling, const Tile *tile, size_t at)
{
#pragma GCC unroll 4
    for (int q = 0; q < SQUARES; q++) {
        const int corner = q / 2 * 2 * TILE + q % 2 * 2;
        Unit share[4];
        if (!tile->dpooled[q])
            continue;
        unpooled_shares(share, unpooling, tile->dpooled[q] + at - unpooling->dy);
#pragma GCC unroll 4
        for (int p = 0; p < 4; p++)
            UNROLL_UNIT
        for (int i = 0; i < UNIT; i++)
            y[i][corner + p / 2 * TILE + p % 2] += share[p].channel[i];
    }
}

/* One tile of the `real` filters of a unit, to `at` in its pixels, their sums, and those over squares. The
 * one beyond an odd last has filters of 0, but 0 times infinity is NaN. */
INLINE void scatter(const Winograd *win, LaneSums lanes[UNIT], const Tile *tile, size_t at, const float *m,
                    const Vec bias[UNIT], int real, const bool add, const bool pooling, const bool summing,
                    const Word *with, const bool squaring)
{
    const bool relu = win->relu;
    RunSums run[UNIT] = {{{{0}}, {{0}}}};
    Unit square[SQUARES];
    _Static_assert((int)PIXELS <= (int)BF16_RUN, "a tile is a run");
    Vec y[UNIT][PIXELS] = {{{0}}};
    UNROLL_UNIT
    for (int i = 0; i < UNIT; i++)
        if (i == 0 || i < real)
            transform_products(y[i], m + (size_t)i * POSITIONS * ROW);
    if (pooling)
        add_pooled(y, &win->unpooling, tile, at);
#pragma GCC unroll 16
    for (int p = 0; p < PIXELS; p++) {
        Word *to = tile->out[p] + at;
        Unit u = load_unit(to);
        UNROLL_UNIT
        for (int i = 0; i < UNIT; i++) {
            const Vec sum = y[i][p] + (add ? u.channel[i] : bias[i]);
            u.channel[i] = relu ? positive(sum) : sum;
        }
        u = store_unit(to, u);
        const Unit factor = with ? load_unit(tile->partial ? with + (to - win->y) : to) : u;
        UNROLL_UNIT
        for (int i = 0; i < UNIT && summing; i++)
            add_pixel(&run[i], u.channel[i], factor.channel[i]);
        const int q = p / TILE / 2 * 2 + p % TILE / 2;
        if (squaring)
            square[q] = p / TILE % 2 + p % 2 > 0 ? add_units(square[q], u) : u;
    }
#pragma GCC unroll 4
    for (int q = 0; q < SQUARES && squaring; q++)
        if (tile->squares[q])
            store_unit(tile->squares[q] + at, square[q]);
    UNROLL_UNIT
    for (int i = 0; i < UNIT && summing; i++)
        lanes[i] = lane_sums(&run[i]);
}

/* The sums of filters k .. of a block of tiles to their partials. */
static void store_partials(const Winograd *win, const Tile tiles[TILES], LaneSums lanes[ROW / VL][BLOCK],
                           int k)
{
    const int end = win->out.c - k < BLOCK ? win->out.c - k : BLOCK;
    for (int i = 0; i < ROW / VL; i++) {
        const Tile *tile = &tiles[i / PARTS];
        for (int f = end; f < BLOCK; f++)
            lanes[i][f] = (LaneSums){0};
        if (tile->partial)
            store_lanes(tile->partial + k, tile->partial + win->out.c + k, lanes[i], BLOCK, end, i % PARTS,
                        tile->used);
    }
}

static void scatter_block(const Winograd *win, const Tile tiles[TILES], const float *m, int k)
{
    LaneSums lanes[ROW / VL][BLOCK];
    for (int f = 0; f < BLOCK && k + f < win->out.c; f += UNIT)
        for (int lane = 0; lane < ROW; lane += VL) {
            const Tile *tile = &tiles[lane / LANES];
            const float *products = m + (size_t)f * POSITIONS * ROW + lane;
            const size_t at = (size_t)(k + f) / UNIT * LANES + lane % LANES;
            const int real = UNIT == 1 || k + f + 1 < win->out.c ? UNIT : 1;
            Vec bias[UNIT];
            UNROLL_UNIT
            for (int i = 0; i < UNIT; i++)
                bias[i] = broadcast(win->bias && k + f + i < win->out.c ? win->bias[k + f + i] : 0);
            LaneSums *sums = &lanes[lane / VL][f];
            const Word *with = win->sums ? win->sums->with : NULL;
            const bool squaring = win->sums && win->sums->squares;
            if (win->unpooling.dy && with && squaring)
                scatter(win, sums, tile, at, products, bias, real, false, true, true, with, true);
            else if (win->unpooling.dy && with)
                scatter(win, sums, tile, at, products, bias, real, false, true, true, with, false);
            else if (win->unpooling.dy)
                scatter(win, sums, tile, at, products, bias, real, false, true, false, NULL, false);
            else if (win->add)
                scatter(win, sums, tile, at, products, bias, real, true, false, false, NULL, false);
            else if (with && squaring)
                scatter(win, sums, tile, at, products, bias, real, false, false, true, with, true);
            else if (with)
                scatter(win, sums, tile, at, products, bias, real, false, false, true, with, false);
            else if (win->sums)
                scatter(win, sums, tile, at, products, bias, real, false, false, true, NULL, false);
            else
                scatter(win, sums, tile, at, products, bias, real, false, false, false, NULL, false);
        }
    if (win->sums)
        store_partials(win, tiles, lanes, k);
}

#endif
