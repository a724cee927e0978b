/* HEAD */
#include "operations.h"
#include "partials.h"
#include "transpose.h"
#include "winograd.h"
#include <assert.h>
#include <omp.h>
#include <string.h>

enum { ROWS = VL == 16 ? 6 : 3, COLUMNS = 4 }; /* of one outer product in registers */
#ifndef TT
#define TT 4
#endif
enum { TILES = TT, ROW = TILES * LANES }; /* tiles of one block in the cache */

bool SET(winograd_weights_pays)(Conv2dShape s)
{
    return SET(winograd_pays)(s);
}

/* Maps of fewer tiles are taken together, so that a partial is a sum over so many tiles at least. */
static int groups_together(Conv2dShape s)
{
    const int tiles = tiles_over(s.h) * tiles_over(s.w);
    return tiles < TILES ? (TILES + tiles - 1) / tiles : 1;
}

/* The line more keeps the 36 positions of one channel out of the same set of the cache. */
static size_t wide_floats(const Products *p)
{
    return (size_t)ROW * p->padded + LANES;
}

static size_t narrow_floats(const Products *p)
{
    return (size_t)units_of(p->narrow_shape.c) * UNIT * ROW + LANES;
}

static size_t sums_floats(const Products *p)
{
    return (size_t)p->narrow_shape.c * p->padded + LANES;
}

/* What one thread works in. */
typedef struct {
    float *wide;   /* [position][tile][lane][padded wide channel] */
    float *narrow; /* [position][narrow channel][tile][lane] */
    float *sums;   /* [position][narrow channel][padded wide channel] */
    float *square; /* [pixel][lane][VL channels] of the wide operand */
    const Word *zeros;
} Buffers;

enum { SQUARE = LANES * VL };

static size_t thread_floats(const Products *p)
{
    const size_t position = wide_floats(p) + narrow_floats(p) + (sums_floats(p) + LANES - 1) / LANES * LANES;
    return POSITIONS * (position + SQUARE);
}

static Buffers buffers_of(const Products *p, float *at, const Word *zeros)
{
    Buffers b = {.wide = at, .zeros = zeros};
    b.narrow = b.wide + POSITIONS * wide_floats(p);
    b.square = b.narrow + POSITIONS * narrow_floats(p);
    b.sums = b.square + POSITIONS * SQUARE;
    return b;
}

static size_t zeros_floats(const Products *p)
{
    const size_t wide = pixel_words(p->wide_shape), narrow = pixel_words(p->narrow_shape);
    return wide > narrow ? wide : narrow;
}

static Products products(const Word *dy, const Word *x, Conv2dShape s)
{
    return products_of(dy, x, s, s.c > s.k);
}

static int partial_count(Conv2dShape s)
{
    const int together = groups_together(s);
    return (lanes_groups(s.n) + together - 1) / together;
}

size_t SET(winograd_weights_scratch)(Conv2dShape s, int threads)
{
    const Products p = products(NULL, NULL, s);
    return (partials_floats(&p, partial_count(s)) + bias_floats(s) + zeros_floats(&p) +
            thread_floats(&p) * threads) *
           sizeof(float);
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
#pragma GCC unroll 8
        for (int j = 0; j < SPAN; j++)
            store(to + (i * SPAN + j) * step, t[j]);
    }
}

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

static Tile tile_at(const Word *map, Shape s, bool is_x, int group, int number, const Word *zeros)
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

/* The tiles of one block of products, and how many images each of them has. */
typedef struct {
    int tiles, images[TILES];
} Block;

/* Adds a block's outer products of one position to `sums`, or starts them: rows narrow channels times columns
 * vectors of wide ones. */
INLINE void multiply(float *sums, const float *wide, const float *narrow, const Block *block, bool start,
                     int padded, const int rows, const int columns)
{
    Vec sum[ROWS][COLUMNS];
#pragma GCC unroll 8
    for (int i = 0; i < rows; i++)
#pragma GCC unroll 8
        for (int j = 0; j < columns; j++)
            sum[i][j] = start ? (Vec){0} : load(sums + (size_t)i * padded + j * VL);
    for (int tile = 0; tile < block->tiles; tile++) {
        const float *vectors = wide + (size_t)tile * LANES * padded, *numbers = narrow + tile * LANES;
        for (int image = 0; image < block->images[tile]; image++, vectors += padded, numbers++)
#pragma GCC unroll 8
            for (int i = 0; i < rows; i++)
#pragma GCC unroll 8
                for (int j = 0; j < columns; j++)
                    sum[i][j] += load(vectors + j * VL) * broadcast(numbers[i * ROW]);
    }
#pragma GCC unroll 8
    for (int i = 0; i < rows; i++)
#pragma GCC unroll 8
        for (int j = 0; j < columns; j++)
            store(sums + (size_t)i * padded + j * VL, sum[i][j]);
}

/* Narrow channels from..to-1 times `columns` vectors. */
INLINE void multiply_columns(float *sums, const float *wide, const float *narrow, const Block *block,
                             bool start, int padded, int from, int to, const int columns)
{
#define MULTIPLY(rows)                                                                                    \
    multiply(sums + (size_t)from * padded, wide, narrow + (size_t)from * ROW, block, start, padded, rows, \
             columns)
    for (; from + ROWS <= to; from += ROWS)
        MULTIPLY(ROWS);
    if (ROWS > 4 && from + 4 <= to) {
        MULTIPLY(ROWS > 4 ? 4 : ROWS);
        from += 4;
    }
    if (from + 2 <= to) {
        MULTIPLY(2);
        from += 2;
    }
    if (from < to)
        MULTIPLY(1);
#undef MULTIPLY
}

/* Every position of a block, narrow channels from..to-1. */
static void multiply_block(const Products *p, const Buffers *b, const Block *block, bool start, int from,
                           int to)
{
    for (int position = 0; position < POSITIONS; position++) {
        float *sums = b->sums + position * sums_floats(p);
        const float *wide = b->wide + position * wide_floats(p),
                    *narrow = b->narrow + position * narrow_floats(p);
        int left = p->padded / VL;
        for (; left >= COLUMNS; left -= COLUMNS, sums += COLUMNS * VL, wide += COLUMNS * VL)
            multiply_columns(sums, wide, narrow, block, start, p->padded, from, to, COLUMNS);
        for (; left >= 2; left -= 2, sums += 2 * VL, wide += 2 * VL)
            multiply_columns(sums, wide, narrow, block, start, p->padded, from, to, 2);
        if (left)
            multiply_columns(sums, wide, narrow, block, start, p->padded, from, to, 1);
    }
}

/* G^T times 6 numbers. */
INLINE void transform_sums(Vec to[3], const Vec m[SPAN])
{
    const float p = 1 / (2 * AA * (AA - BB)), q = 1 / (2 * BB * (BB - AA));
    const Vec even_a = m[1] + m[2], odd_a = m[1] - m[2], even_b = m[3] + m[4], odd_b = m[3] - m[4];
    to[0] = m[0] * (1 / AABB) + p * even_a + q * even_b;
    to[1] = p * A * odd_a + q * B * odd_b;
    to[2] = m[5] + p * AA * even_a + q * BB * even_b;
}

/* G^T sums G of narrow channels from..to-1 to the partial gradient. */
static void scatter(const Products *p, float *partial, const float *sums, int from, int to)
{
    const size_t tap = (size_t)p->narrow_shape.c * p->padded, step = sums_floats(p);
    for (size_t at = (size_t)from * p->padded; at < (size_t)to * p->padded; at += VL) {
        Vec rows[3][SPAN], m[SPAN], t[3];
#pragma GCC unroll 8
        for (int j = 0; j < SPAN; j++) {
#pragma GCC unroll 8
            for (int i = 0; i < SPAN; i++)
                m[i] = load(sums + (i * SPAN + j) * step + at);
            transform_sums(t, m);
#pragma GCC unroll 8
            for (int i = 0; i < 3; i++)
                rows[i][j] = t[i];
        }
#pragma GCC unroll 8
        for (int i = 0; i < 3; i++) {
            transform_sums(t, rows[i]);
#pragma GCC unroll 8
            for (int j = 0; j < 3; j++)
                store(partial + (i * 3 + j) * tap + at, t[j]);
        }
    }
}

static void gather_tile(const Products *p, const Buffers *b, int place, int group, int number, int from,
                        int to)
{
    const Tile wide = tile_at(p->wide, p->wide_shape, p->wide_is_x, group, number, b->zeros);
    const Tile narrow = tile_at(p->narrow, p->narrow_shape, !p->wide_is_x, group, number, b->zeros);
    const int used = lanes_used(p->n, group);
    float *wide_to = b->wide + (size_t)place * LANES * p->padded, *narrow_to = b->narrow + place * LANES;
    if (p->wide_is_x) {
        gather_wide(wide_to, wide_floats(p), b->square, &wide, p, used, true);
        gather_narrow(narrow_to, narrow_floats(p), &narrow, from, to, false);
    } else {
        gather_wide(wide_to, wide_floats(p), b->square, &wide, p, used, false);
        gather_narrow(narrow_to, narrow_floats(p), &narrow, from, to, true);
    }
}

/* The partial gradient of groups first..last-1 for narrow channels from..to-1. */
static void groups_gradient(const Products *p, float *partial, const Buffers *b, int first, int last,
                            int from, int to)
{
    const int map = tiles_over(p->wide_shape.h) * tiles_over(p->wide_shape.w);
    const int tiles = (last - first) * map;
    for (int done = 0; done < tiles; done += TILES) {
        Block block = {.tiles = tiles - done < TILES ? tiles - done : TILES};
        for (int i = 0; i < block.tiles; i++) {
            const int group = first + (done + i) / map;
            block.images[i] = lanes_used(p->n, group);
            gather_tile(p, b, i, group, (done + i) % map, from, to);
        }
        multiply_block(p, b, &block, done == 0, from, to);
    }
    scatter(p, partial, b->sums, from, to);
}

void SET(winograd_backward_weights)(float *dw, float *db, const Word *dy, const Word *x, Conv2dShape s,
                                    void *scratch)
{
    assert(s.side == 3 && s.stride == 1);
    const Products p = products(dy, x, s);
    const int groups = lanes_groups(s.n), together = groups_together(s), count = partial_count(s);
    const int channels = p.narrow_shape.c, threads = omp_get_max_threads(), parts = parts_of(count, threads);
    float *partials = scratch, *bias = partials + partials_floats(&p, count);
    float *zeros = bias + bias_floats(s), *buffers = zeros + zeros_floats(&p);
    memset(zeros, 0, zeros_floats(&p) * sizeof *zeros);
#pragma omp parallel for collapse(2) schedule(static) num_threads(threads)
    for (int i = 0; i < count; i++)
        for (int part = 0; part < parts; part++) {
            const Buffers b =
                buffers_of(&p, buffers + omp_get_thread_num() * thread_floats(&p), (const Word *)zeros);
            const int first = i * together, last = first + together < groups ? first + together : groups;
            groups_gradient(&p, partials + i * partial_floats(&p), &b, first, last,
                            part_from(channels, ROWS, part, parts),
                            part_from(channels, ROWS, part + 1, parts));
            for (int group = first; db && part == 0 && group < last; group++)
                SET(bias_partial)(bias, dy, conv2d_output(s), group);
        }
    SET(add_partials)(dw, partials, count, &p);
    if (db)
        SET(add_bias)(db, bias, conv2d_output(s));
}
