/* See fast/conv2d/tiles_operands.h.
 *
 * Filters are packed anew in every call, which on a small map takes longer than the products: number by
 * number 39 microseconds at 64 -> 64, so 12 (one thread of an AVX-512 CPU), where 4 x 4 pixels of a group are
 * 12,800 cycles of products. w is read by whole vectors, a channel's taps at a time, two channels are rounded
 * at once, and turned around in registers.
 *
 * A map of few channels fills little of a tile: a pixel of 3 channels is 2 of its 16 rows, and each of nine
 * taps costs a whole product. So the taps are gathered, row by row, as pixels of nine times as many channels:
 * an even number of them tap by tap, then the odd last channel of all taps, two taps a unit. 27 channels are
 * 14 units: one product. That takes a load and a store a unit, about 20 cycles a pixel for all tiles of
 * filters, and spares 8 products of 16 cycles for each of them (counted, not timed). A tap outside the map is
 * 0, not skipped. */
#include "tiles_operands.h"

#ifdef TILE_PRODUCTS
#include "../simd/pairs.h"
#include "../simd/transpose.h"

enum { SIDE = 3, TAPS = SIDE * SIDE };

/* Parts of at most `most` that are as equal as can be: how many. */
static int parts_of(int count, int most)
{
    return (count + most - 1) / most;
}

/* Where nine taps gathered take at most a third of the products. */
static bool gathers(int channels)
{
    const int alone = TAPS * parts_of(units_of(channels), TILE_COLUMNS);
    return 3 * parts_of(units_of(TAPS * channels), TILE_COLUMNS) <= alone;
}

TilePlan SET(tile_plan)(Conv2dShape s, bool backward)
{
    TilePlan p = {.s = s,
                  .in = backward ? conv2d_output(s) : conv2d_input(s),
                  .out = backward ? conv2d_input(s) : conv2d_output(s),
                  .backward = backward};
    p.gathers = s.side == SIDE && gathers(p.in.c);
    p.map = p.in;
    p.map.c = p.gathers ? TAPS * p.in.c : p.in.c;
    p.side = p.gathers ? 1 : s.side;
    const int in = units_of(p.map.c), out = units_of(p.out.c);
    p.cut.blocks = parts_of(in, TILE_COLUMNS);
    p.cut.pairs = parts_of(in, p.cut.blocks);
    p.cut.tiles = parts_of(out, TILE_ROWS / UNIT);
    p.cut.units = parts_of(out, p.cut.tiles);
    return p;
}

/* Of a gathered pixel's channels those that come tap by tap; then each tap has one more, or none. */
static int tap_by_tap(const TilePlan *p)
{
    return p->in.c / UNIT * UNIT;
}

/* The weights of filter f for channel c of the products: those of its taps, or from its one tap on. */
static const float *weights_at(const float *w, const TilePlan *p, int f, int c)
{
    const int taps = p->s.side * p->s.side, even = tap_by_tap(p), last = c - TAPS * even;
    const size_t k_step = (size_t)p->s.c * taps, c_step = taps;
    int channel = c, tap = 0;
    if (p->gathers) {
        channel = last < 0 ? c % even : even;
        tap = last < 0 ? c / even : last;
        tap = p->backward ? taps - 1 - tap : tap;
    }
    return w + f * (p->backward ? c_step : k_step) + channel * (p->backward ? k_step : c_step) + tap;
}

/* Numbers from `at` on; 0 from `end` on. */
INLINE Vec load_weights(const float *at, const float *end)
{
    Vec v = {0};
    if (end - at >= VL)
        memcpy(&v, at, sizeof v);
    else
        for (int i = 0; i < end - at; i++)
            v[i] = at[i];
    return v;
}

/* The words of pair number `pair` of a block from tap number `from` on: 0 beyond the last filter, and for
 * channels that earlier blocks have counted. What stands behind a channel's taps is the next one's. */
INLINE VecBits pair_of_weights(const float *w, const TilePlan *p, int block, int f, int pair, int from)
{
    const float *end = w + conv2d_filters(p->s);
    const int unit = block_start(p, block) + pair, counted = block * p->cut.pairs;
    Unit u = {{{0}}};
    for (int i = 0; i < UNIT && pair < p->cut.pairs && unit >= counted && f < p->out.c; i++)
        if (unit * UNIT + i < p->map.c)
            u.channel[i] = load_weights(weights_at(w, p, f, unit * UNIT + i) + from, end);
    return round_unit(u);
}

/* Filter f, at `to` in its tile: a row of all pairs for each tap. */
static void pack_filter(uint32_t *to, const float *w, const TilePlan *p, int block, int f)
{
    const int side = p->side, taps = side * side;
    for (int from = 0; from < taps; from += VL)
        for (int part = 0; part < TILE_COLUMNS; part += VL) {
            Vec square[VL];
            for (int i = 0; i < VL; i++)
                square[i] = (Vec)pair_of_weights(w, p, block, f, part + i, from);
            transpose(square);
            for (int i = 0; i < VL && from + i < taps; i++) {
                const int tap = p->backward ? taps - 1 - from - i : from + i;
                const size_t tile = (size_t)(tap / side * p->cut.blocks + block) * side + tap % side;
                *(VecBits *)(to + tile * TILE_WORDS + part) = (VecBits)square[i];
            }
        }
}

void SET(pack_tiles)(uint32_t *packed, const float *w, const TilePlan *p)
{
    const int rows = p->cut.units * UNIT;
#pragma omp parallel for collapse(2) schedule(static)
    for (int tile = 0; tile < p->cut.tiles; tile++)
        for (int row = 0; row < rows; row++)
            for (int block = 0; block < p->cut.blocks; block++)
                pack_filter(packed + tile * tile_filters(p) + row * TILE_COLUMNS, w, p, block,
                            tile * rows + row);
}

size_t SET(gathered_words)(const TilePlan *p)
{
    return p->gathers ? row_words(p->map) : 0;
}

/* A unit of a tap's pixel; 0 outside the map. */
INLINE LaneBits tap_unit(const Word *pixel, int unit)
{
    return pixel ? *(const LaneBits *)(pixel + (size_t)unit * LANES) : (LaneBits){0};
}

static Word *gather_pixel(Word *to, const Word *pixels[TAPS], const TilePlan *p)
{
    const int whole = p->in.c / UNIT;
    for (int tap = 0; tap < TAPS; tap++)
        for (int unit = 0; unit < whole; unit++, to += LANES)
            *(LaneBits *)to = tap_unit(pixels[tap], unit);
    for (int tap = 0; tap < TAPS && p->in.c % UNIT; tap += UNIT, to += LANES) {
        const LaneBits next = tap + 1 < TAPS ? tap_unit(pixels[tap + 1], whole) : (LaneBits){0};
        *(LaneBits *)to = tap_unit(pixels[tap], whole) | next << 16;
    }
    return to;
}

Rows SET(gather_row)(Word *to, Rows x, const TilePlan *p, int group, int y)
{
    const Shape in = p->in;
    Word *at = to;
    for (int xo = 0; xo < in.w; xo++) {
        const Word *pixels[TAPS];
        for (int tap = 0; tap < TAPS; tap++) {
            const int yi = y + tap / SIDE - 1, xi = xo + tap % SIDE - 1;
            const bool inside = yi >= 0 && yi < in.h && xi >= 0 && xi < in.w;
            pixels[tap] = inside ? row_of(x, in, group, yi) + xi * pixel_words(in) : NULL;
        }
        at = gather_pixel(at, pixels, p);
    }
    return (Rows){to, group * in.h + y};
}

#endif
