/* Operands of Winograd's backward weights: from lanes to their values at the 36 positions, the wide one
 * [position][tile][lane][padded channel], the narrow one [position][channel][tile][lane]. */
#ifndef NOPOOL_FAST_WINOGRAD_OPERANDS_H
#define NOPOOL_FAST_WINOGRAD_OPERANDS_H

#include "../simd/transpose.h"
#include "partials.h"
#include "winograd.h"

enum { TILES = 3, ROW = TILES * LANES }; /* tiles of one block in the cache, and their images */
enum { SQUARE = LANES * VL };            /* floats of a transposed pixel */

/* The pixels of one tile of an operand: 6x6 of x, 4x4 of dy. */
typedef struct {
    const Word *pixel[POSITIONS];
    bool is_x;
} Tile;

INLINE int pixels_of(bool is_x)
{
    return is_x ? POSITIONS : PIXELS;
}

INLINE void transform(float *to, size_t step, const Vec *pixels, bool is_x)
{
    if (is_x)
        transform_x(to, step, pixels);
    else
        transform_dy(to, step, pixels);
}

static Tile tile_at(Rows map, Shape s, bool is_x, int group, int number, const Word *zeros)
{
    const int across = tiles_over(s.w), span = is_x ? SPAN : TILE, border = is_x ? 1 : 0;
    const int top = number / across * TILE - border, left = number % across * TILE - border;
    Tile tile = {.is_x = is_x};
    for (int p = 0; p < span * span; p++)
        tile.pixel[p] = pixel_at(map, s, group, top + p / span, left + p % span, zeros);
    return tile;
}

/* Channels from..to-1 of a tile of the narrow operand to their place in [position][channel][tile][lane]. */
INLINE void gather_narrow(float *narrow, size_t step, const Tile *tile, int from, int to, const bool is_x)
{
    for (int unit = from / UNIT; unit * UNIT < to; unit++)
        for (int part = 0; part < LANES; part += VL) {
            Vec pixels[UNIT][POSITIONS];
#pragma GCC unroll 36
            for (int p = 0; p < pixels_of(is_x); p++) {
                const Unit u = load_unit(tile->pixel[p] + (size_t)unit * LANES + part);
                UNROLL_UNIT
                for (int i = 0; i < UNIT; i++)
                    pixels[i][p] = u.channel[i];
            }
            UNROLL_UNIT
            for (int i = 0; i < UNIT; i++)
                transform(narrow + (size_t)(unit * UNIT + i) * ROW + part, step, pixels[i], is_x);
        }
}

/* VL channels from c on of 16 images of a pixel, to [lane][channel]; channels beyond the last become 0. */
INLINE void transpose_pixel(float *to, const Word *from, int c, int channels)
{
    for (int part = 0; part < LANES; part += VL) {
        Vec square[VL];
#pragma GCC unroll 16
        for (int i = 0; i < VL; i++)
            square[i] = c + i < channels
                            ? load_unit(from + (size_t)((c + i) / UNIT) * LANES + part).channel[i % UNIT]
                            : (Vec){0};
        transpose(square);
#pragma GCC unroll 16
        for (int i = 0; i < VL; i++)
            store(to + (size_t)(part + i) * VL, square[i]);
    }
}

/* A tile of the wide operand to its place in [position][tile][lane][padded channel]: its pixels are
 * transposed first, 16 or 36 squares where the positions would be 36. */
INLINE void gather_wide(float *wide, size_t step, float *square, const Tile *tile, const Products *p,
                        int used, const bool is_x)
{
    for (int c = 0; c < p->padded; c += VL) {
        for (int i = 0; i < pixels_of(is_x); i++)
            transpose_pixel(square + i * SQUARE, tile->pixel[i], c, p->wide_shape.c);
        for (int lane = 0; lane < used; lane++) {
            Vec pixels[POSITIONS];
#pragma GCC unroll 36
            for (int i = 0; i < pixels_of(is_x); i++)
                pixels[i] = load(square + i * SQUARE + lane * VL);
            transform(wide + (size_t)lane * p->padded + c, step, pixels, is_x);
        }
    }
}

#endif
