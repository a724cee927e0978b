/* What the three passes of Winograd's F(4x4, 3x3) share: the geometry of a tile, the points, and B^T d B, the
 * transform of the input. The algorithm is explained in fast/conv2d_winograd.c. */
#ifndef NOPOOL_FAST_WINOGRAD_H
#define NOPOOL_FAST_WINOGRAD_H

#include "isa.h"

enum { TILE = 4, SPAN = TILE + 2, PIXELS = TILE * TILE, POSITIONS = SPAN * SPAN };

/* The points, and what the transforms multiply with. All of them are exact. */
#define A    0.625f
#define B    1.5f
#define AA   (A * A)
#define BB   (B * B)
#define AAA  (A * A * A)
#define BBB  (B * B * B)
#define AABB (A * A * B * B)

/* Tiles that cover so many pixels. */
INLINE int tiles_over(int pixels)
{
    return (pixels + TILE - 1) / TILE;
}

/* Pixel (y, x) of a group; beyond the border of its map, `outside`. */
INLINE const Word *pixel_at(const Word *map, Shape s, int group, int y, int x, const Word *outside)
{
    const bool inside = 0 <= y && y < s.h && 0 <= x && x < s.w;
    return inside ? map + row_at(s, group, y) + x * pixel_words(s) : outside;
}

/* B^T times 6 numbers. */
INLINE void transform_input(Vec to[SPAN], const Vec d[SPAN])
{
    const Vec even_a = d[4] - BB * d[2], odd_a = d[3] - BB * d[1];
    const Vec even_b = d[4] - AA * d[2], odd_b = d[3] - AA * d[1];
    to[0] = d[4] + AABB * d[0] - (AA + BB) * d[2];
    to[1] = even_a + A * odd_a;
    to[2] = even_a - A * odd_a;
    to[3] = even_b + B * odd_b;
    to[4] = even_b - B * odd_b;
    to[5] = d[5] + AABB * d[1] - (AA + BB) * d[3];
}

/* B^T d B of one channel to its place `to`, `step` from position to position. */
INLINE void transform_x(float *to, size_t step, const Vec pixels[POSITIONS])
{
    Vec rows[SPAN][SPAN], d[SPAN], t[SPAN];
#pragma GCC unroll 8
    for (int j = 0; j < SPAN; j++) {
#pragma GCC unroll 8
        for (int i = 0; i < SPAN; i++)
            d[i] = pixels[i * SPAN + j];
        transform_input(t, d);
#pragma GCC unroll 8
        for (int i = 0; i < SPAN; i++)
            rows[i][j] = t[i];
    }
#pragma GCC unroll 8
    for (int i = 0; i < SPAN; i++) {
        transform_input(t, rows[i]);
#pragma GCC unroll 8
        for (int j = 0; j < SPAN; j++)
            store(to + (i * SPAN + j) * step, t[j]);
    }
}

#endif
