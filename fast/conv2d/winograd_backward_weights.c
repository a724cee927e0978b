/* Convolution with 3x3 filters at stride 1, backward weights, by Winograd's F(4x4, 3x3) transposed. Twin of
 * ref/conv2d.c beside the direct fast/conv2d/backward_weights.c. With the matrices of fast/conv2d/winograd.c,
 *
 *     dw = G^T [ sum over images and tiles of (A dy A^T) . (B^T d B) ] G,
 *
 * of 4x4 pixels dy of a filter and 6x6 pixels d of a channel. At each of the 36 positions the sum is an outer
 * product, filters times channels, contracted over images and tiles: the direct sum of
 * fast/conv2d/backward_weights.c with a position in place of a tap and a tile in place of a pixel. As there,
 * the operand with more channels is transposed, so that channels become lanes, and the other is broadcast,
 * number by number. Of equal ones dy is transposed, before it is transformed: it has 16 pixels a tile.
 *
 * Order: 3 tiles of both operands, all channels, are transformed (gather): 0.9 MiB at 64 channels, of which
 * a position takes 24 KiB, and each position adds its outer product to its sums, 0.6 MiB in all (multiply: 6
 * rows of 4 vectors in registers, over 48 images). L2 does not hold all of it, but it is read and written in
 * the order of memory, 5 bytes a cycle. Meanwhile the pixels of the next 3 tiles are fetched; without that
 * the pass takes a fifth more.
 *
 * A partial gradient is the sum of half a group of 16 images, of small maps of so many groups that they make
 * 12 tiles, for G^T and the partial's way through memory take time too. Which, the shape alone says. Where a
 * partial spans groups, every rank takes both operands of the whole batch: its sums cannot be divided. A
 * thread that takes a part of a partial takes it by channels of the broadcast operand: it transforms all of
 * the transposed one, but no sum changes.
 *
 * Limit: 36 C K multiply-adds a tile, a quarter of the direct sum's, so 4 times the peak in operations of the
 * direct sum. Transforms add 144 instructions a tile, 16 images and channel of x and 100 of dy, the
 * transposition 64 a pixel and 16 channels: 13% at 64 channels, 53% at 16; their vectors are stored once and
 * read once more. x and dy are read once from memory, dy once more for the bias. Reached at 32x32 with
 * AVX-512 (1 thread, Zen 4): 2.6 times the peak at 64 channels, 2.0 at 32, 1.5 at 16, 2.8 at 128. At 64
 * multiply takes 74% of the time, at 87% of the peak; gather takes 21%, where its instructions alone would be
 * 9%.
 *
 * Error: x is rounded up to 4 times in each direction, dy up to 3 times, the products and their sums n times,
 * n = N tiles, the sum of partials and the start less often than those that they spare, G^T, whose entries
 * are rounded, up to 5 times in each direction:
 *
 *     |got - ref| <= (n + G + 24) 2^-24 gauge,
 *     gauge = |G^T| [ sum over images and tiles of (|A| |dy| |A^T|) . (|B^T| |d| |B|) ] |G| + |dw|,
 *
 * in bf16 too: the transformed operands and their products are float there. */
#include "../operations.h"
#include "../ranks.h"
#include "partials.h"
#include "products.h"
#include "winograd_outer.h"
#include <assert.h>
#include <limits.h>
#include <omp.h>
#include <string.h>

enum { LEAST = 12 }; /* tiles of a partial gradient */

/* Measured against the direct sum in every instruction set, 192 images, one thread: 8->8 channels at 4x4
 * are 1.2 to 1.4 times as fast, 64->10 at 32x32 1.4 to 2.0, 3->64 1.0 to 1.5; 64->64 at 7x7 1.7, at 6x6 1.2
 * to 1.4 (16->16: 1.0), at 5x5 0.9, at 2x2 0.6. Where bf16 multiplies pairs its direct sum is twice as fast:
 * 24->24 at 4x4 are 1.1 times as fast, 64->64 1.3 to 1.5, but 16->16 at 4x4 as fast, 64->10 0.8, 64->64 at
 * 14x14 1.0 and 16 images of 64->64 at 4x4 0.9. */
bool SET(winograd_weights_pays)(Conv2dShape s)
{
#if defined TILE_PRODUCTS
    const int least = INT_MAX, excess = 0;
#elif defined DOT_PRODUCTS
    const int least = 24, excess = 0;
#else
    const int least = 8, excess = s.h * s.w / 2;
#endif
    const int covered = PIXELS * tiles_over(s.h) * tiles_over(s.w);
    return s.side == 3 && s.stride == 1 && s.c >= least && s.k >= least && covered <= s.h * s.w + excess;
}

/* Groups of small maps are taken together, so that a partial is a sum over enough tiles; those of large maps
 * are halved, so that threads divide a few groups evenly. */
static int groups_together(Conv2dShape s)
{
    const int map = tiles_over(s.h) * tiles_over(s.w);
    return (LEAST + map - 1) / map;
}

static int partial_count(Conv2dShape s)
{
    const int together = groups_together(s);
    return together > 1 ? (lanes_groups(s.n) + together - 1) / together : lanes_groups(s.n) * group_parts(s);
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

static size_t zeros_floats(const Products *p)
{
    const size_t wide = pixel_words(p->wide_shape), narrow = pixel_words(p->narrow_shape);
    return wide > narrow ? wide : narrow;
}

/* Floats of the sums and zeros, which stay from band to band, and of the operands. */
static size_t kept_floats(const Products *p)
{
    return POSITIONS * ((sums_floats(p) + LANES - 1) / LANES * LANES) + zeros_floats(p);
}

static size_t room_floats(const Products *p)
{
    return POSITIONS * (wide_floats(p) + narrow_floats(p) + SQUARE);
}

static size_t thread_floats(const Products *p)
{
    return kept_floats(p) + room_floats(p);
}

static Buffers buffers_of(const Products *p, float *kept, float *room)
{
    Buffers b = {.wide = room, .sums = kept + zeros_floats(p), .zeros = kept};
    b.narrow = b.wide + POSITIONS * wide_floats(p);
    b.square = b.narrow + POSITIONS * narrow_floats(p);
    memset(kept, 0, zeros_floats(p) * sizeof *kept);
    return b;
}

static Products products(Rows dy, Rows x, Conv2dShape s)
{
    return products_of(dy, x, s, s.c > s.k);
}

static Products shapes_only(Conv2dShape s)
{
    return products(all_rows(NULL), all_rows(NULL), s);
}

/* For the whole batch, since a level of small maps takes all of it (see below). */
size_t SET(winograd_weights_scratch)(Conv2dShape s, int threads)
{
    const Products p = shapes_only(s);
    s.n = ranks_batch(s.n);
    return (partials_floats(&p, partial_count(s)) + bias_floats(s) + thread_floats(&p) * threads) *
           sizeof(float);
}

/* Every position of a block. */
static void multiply_block(const Products *p, const Buffers *b, Outer o)
{
    for (o.position = 0; o.position < POSITIONS; o.position++) {
        float *sums = b->sums + o.position * sums_floats(p);
        const float *wide = b->wide + o.position * wide_floats(p),
                    *narrow = b->narrow + o.position * narrow_floats(p);
        int left = p->padded / VL;
        o.fetched = 0;
        for (; left >= COLUMNS; left -= COLUMNS, sums += COLUMNS * VL, wide += COLUMNS * VL)
            multiply_columns(sums, wide, narrow, &o, COLUMNS);
        for (; left >= 2; left -= 2, sums += 2 * VL, wide += 2 * VL)
            multiply_columns(sums, wide, narrow, &o, 2);
        if (left)
            multiply_columns(sums, wide, narrow, &o, 1);
    }
}

/* G^T sums G of narrow channels from..to-1 to the partial gradient. */
static void scatter(const Products *p, float *partial, const float *sums, int from, int to)
{
    const size_t tap = (size_t)p->narrow_shape.c * p->padded, step = sums_floats(p);
    for (size_t at = (size_t)from * p->padded; at < (size_t)to * p->padded; at += VL) {
        Vec rows[TAPS][SPAN], m[SPAN], t[TAPS];
#pragma GCC unroll 8
        for (int j = 0; j < SPAN; j++) {
#pragma GCC unroll 8
            for (int i = 0; i < SPAN; i++)
                m[i] = load(sums + (i * SPAN + j) * step + at);
            transform_sums(t, m);
#pragma GCC unroll 8
            for (int i = 0; i < TAPS; i++)
                rows[i][j] = t[i];
        }
#pragma GCC unroll 8
        for (int i = 0; i < TAPS; i++) {
            transform_sums(t, rows[i]);
#pragma GCC unroll 8
            for (int j = 0; j < TAPS; j++)
                store(partial + (i * TAPS + j) * tap + at, t[j]);
        }
    }
}

/* The tiles, numbered over all groups, and narrow channels of one partial gradient, or of a part of it. */
typedef struct {
    int first, end, from, to;
} Part;

/* The block of tiles from number `first` on. */
static void locate(Block *block, const Products *p, const Buffers *b, const Part *part, int first)
{
    const int map = tiles_over(p->wide_shape.h) * tiles_over(p->wide_shape.w), left = part->end - first;
    block->tiles = left < TILES ? left : TILES;
    for (int i = 0; i < block->tiles; i++) {
        const int group = (first + i) / map, number = (first + i) % map;
        block->images[i] = lanes_used(p->n, group);
        block->wide[i] = tile_at(p->wide, p->wide_shape, p->wide_is_x, group, number, b->zeros);
        block->narrow[i] = tile_at(p->narrow, p->narrow_shape, !p->wide_is_x, group, number, b->zeros);
    }
}

static void gather(const Products *p, const Buffers *b, const Block *block, const Part *part)
{
    for (int i = 0; i < block->tiles; i++) {
        float *wide = b->wide + (size_t)i * LANES * p->padded, *narrow = b->narrow + i * LANES;
        const Tile *w = &block->wide[i], *n = &block->narrow[i];
        if (p->wide_is_x) {
            gather_wide(wide, wide_floats(p), b->square, w, p, block->images[i], true);
            gather_narrow(narrow, narrow_floats(p), n, part->from, part->to, false);
        } else {
            gather_wide(wide, wide_floats(p), b->square, w, p, block->images[i], false);
            gather_narrow(narrow, narrow_floats(p), n, part->from, part->to, true);
        }
    }
}

/* Adds the tiles of a part to its sums, or starts them. */
static void add_tiles(const Products *p, const Buffers *b, const Part *part, bool starts)
{
    Block blocks[2], *block = &blocks[0], *next = &blocks[1];
    Outer o = {.start = starts, .padded = p->padded, .from = part->from, .to = part->to};
    o.wide_lines = (units_of(p->wide_shape.c) + LANES - 1) / LANES * LANES;
    o.narrow_from = part->from / UNIT;
    o.narrow_lines = units_of(part->to) - o.narrow_from;
    locate(block, p, b, part, part->first);
    for (int first = part->first; block->tiles > 0; first += TILES, o.start = false) {
        locate(next, p, b, part, first + TILES);
        gather(p, b, block, part);
        o.block = block;
        o.next = next;
        multiply_block(p, b, o);
        block = next;
        next = &blocks[block == &blocks[0]];
    }
}

/* The tiles of these rows; narrow channels from..to-1. */
static Part part_of(const Products *p, Band band, int from, int to)
{
    const int across = tiles_over(p->wide_shape.w), above = band.group * tiles_over(p->wide_shape.h);
    return (Part){(above + band.from / TILE) * across, (above + tiles_over(band.to)) * across, from, to};
}

/* Those of partial number i, which is of several groups where maps are small. */
static Part partial_part(const Products *p, Conv2dShape s, int i, int count, int from, int to)
{
    const int together = groups_together(s);
    if (together == 1)
        return part_of(p, part_rows(s, i), from, to);
    const long tiles = (long)lanes_groups(s.n) * tiles_over(s.h) * tiles_over(s.w);
    return (Part){(int)(tiles * i / count), (int)(tiles * (i + 1) / count), from, to};
}

/* From the images that are given, as if there were no other ranks or of each rank its own. */
static void weights_gradient(float *dw, float *db, const Word *dy, const Word *x, Conv2dShape s, bool alone,
                             void *scratch)
{
    const Products p = products(all_rows(dy), all_rows(x), s);
    const int groups = lanes_groups(s.n), map = tiles_over(s.h) * tiles_over(s.w), count = partial_count(s);
    const int channels = p.narrow_shape.c, threads = omp_get_max_threads(), parts = parts_of(count, threads);
    float *partials = scratch, *bias = partials + partials_floats(&p, count);
    float *buffers = bias + bias_floats(s);
#pragma omp parallel for collapse(2) schedule(static) num_threads(threads)
    for (int i = 0; i < count; i++)
        for (int part = 0; part < parts; part++) {
            float *own = buffers + omp_get_thread_num() * thread_floats(&p);
            const Buffers b = buffers_of(&p, own, own + kept_floats(&p));
            const Part these = partial_part(&p, s, i, count, part_from(channels, ROWS, part, parts),
                                            part_from(channels, ROWS, part + 1, parts));
            add_tiles(&p, &b, &these, true);
            scatter(&p, partials + i * partial_floats(&p), b.sums, these.from, these.to);
            for (int group = (these.first + map - 1) / map; db && part == 0 && group * map < these.end;
                 group++)
                SET(bias_partial)(bias, dy, conv2d_output(s), group);
        }
    if (alone) {
        SET(add_partials)(dw, partials, count, &p);
        if (db)
            SET(add_bias)(db, bias, groups, s.k);
    } else {
        SET(add_ranks_partials)(dw, partials, count, &p);
        if (db)
            SET(add_ranks_bias)(db, bias, s.n, s.k);
    }
}

void SET(winograd_backward_weights)(float *dw, float *db, const Word *dy, const Word *x, Conv2dShape s,
                                    void *scratch)
{
    assert(s.side == 3 && s.stride == 1);
    const bool spans = groups_together(s) > 1; /* a partial may have groups of several ranks */
    if (spans) {
        dy = ranks_gathered(dy, tensor_words(conv2d_output(s)) * sizeof *dy, RANKS_FIRST);
        x = ranks_gathered(x, tensor_words(conv2d_input(s)) * sizeof *x, RANKS_SECOND);
        s.n = ranks_batch(s.n);
    }
    weights_gradient(dw, db, dy, x, s, spans, scratch);
}

static bool weights_divides(Conv2dShape s)
{
    return groups_together(s) == 1;
}

static size_t weights_partial_floats(Conv2dShape s)
{
    const Products p = shapes_only(s);
    return partial_floats(&p);
}

static size_t weights_kept_floats(Conv2dShape s)
{
    const Products p = shapes_only(s);
    return kept_floats(&p);
}

static size_t weights_room_floats(Conv2dShape s)
{
    const Products p = shapes_only(s);
    return room_floats(&p);
}

static void weights_band(float *partial, Rows dy, const Word *x, Band band, bool starts, bool ends,
                         Conv2dShape s, float *kept, float *room)
{
    const Products p = products(dy, all_rows(x), s);
    const Buffers b = buffers_of(&p, kept, room);
    const Part part = part_of(&p, band, 0, p.narrow_shape.c);
    add_tiles(&p, &b, &part, starts);
    if (ends)
        scatter(&p, partial, b.sums, part.from, part.to);
}

static void weights_add(float *dw, const float *partials, int count, Conv2dShape s)
{
    const Products p = shapes_only(s);
    SET(add_ranks_partials)(dw, partials, count, &p);
}

const WeightsKernel SET(winograd_weights) = {weights_divides,     weights_partial_floats, weights_kept_floats,
                                             weights_room_floats, weights_band,           weights_add};
