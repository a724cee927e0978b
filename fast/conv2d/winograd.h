/* What the three passes of Winograd's F(4x4, 3x3) share: the geometry of a tile, the points, and the
 * transforms that are not one pass's own. The algorithm is explained in fast/conv2d/winograd.c. */
#ifndef NOPOOL_FAST_WINOGRAD_H
#define NOPOOL_FAST_WINOGRAD_H

#include "bands.h"

enum { TILE = 4, SPAN = TILE + 2, PIXELS = TILE * TILE, POSITIONS = SPAN * SPAN, TAPS = 3 };

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
INLINE const Word *pixel_at(Rows map, Shape s, int group, int y, int x, const Word *outside)
{
    const bool inside = 0 <= y && y < s.h && 0 <= x && x < s.w;
    return inside ? row_of(map, s, group, y) + x * pixel_words(s) : outside;
}

/* A row of positions to its place `to`, `step` from one to the next; returns the place of the next row. The
 * compiler must not see where that is: it would count 36 addresses on from channel to channel, and keep them
 * in memory. */
INLINE float *store_positions(float *to, size_t step, const Vec t[SPAN])
{
#pragma GCC unroll 8
    for (int j = 0; j < SPAN; j++)
        store(to + j * step, t[j]);
    to += SPAN * step;
    __asm__("" : "+r"(to));
    return to;
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
        to = store_positions(to, step, t);
    }
}

/* A times 4 numbers. */
INLINE void transform_gradient(Vec to[SPAN], const Vec dy[TILE])
{
    const Vec even_a = dy[0] + AA * dy[2], odd_a = A * dy[1] + AAA * dy[3];
    const Vec even_b = dy[0] + BB * dy[2], odd_b = B * dy[1] + BBB * dy[3];
    to[0] = dy[0];
    to[1] = even_a + odd_a;
    to[2] = even_a - odd_a;
    to[3] = even_b + odd_b;
    to[4] = even_b - odd_b;
    to[5] = dy[3];
}

/* A dy A^T of one channel to its place `to`, `step` from position to position. */
INLINE void transform_dy(float *to, size_t step, const Vec pixels[PIXELS])
{
    Vec rows[SPAN][TILE], d[TILE], t[SPAN];
#pragma GCC unroll 8
    for (int j = 0; j < TILE; j++) {
#pragma GCC unroll 8
        for (int i = 0; i < TILE; i++)
            d[i] = pixels[i * TILE + j];
        transform_gradient(t, d);
#pragma GCC unroll 8
        for (int i = 0; i < SPAN; i++)
            rows[i][j] = t[i];
    }
#pragma GCC unroll 8
    for (int i = 0; i < SPAN; i++) {
        transform_gradient(t, rows[i]);
        to = store_positions(to, step, t);
    }
}

/* G^T times 6 numbers. */
INLINE void transform_sums(Vec to[TAPS], const Vec m[SPAN])
{
    const double p = 1 / (2.0 * AA * (AA - BB)), q = 1 / (2.0 * BB * (BB - AA));
    const float p0 = p, p1 = p * A, p2 = p * AA, q0 = q, q1 = q * B, q2 = q * BB;
    const Vec even_a = m[1] + m[2], odd_a = m[1] - m[2], even_b = m[3] + m[4], odd_b = m[3] - m[4];
    to[0] = m[0] * (1 / AABB) + p0 * even_a + q0 * even_b;
    to[1] = p1 * odd_a + q1 * odd_b;
    to[2] = m[5] + p2 * even_a + q2 * even_b;
}

#endif
