/* Convolution, backward weights: dw[k][c][tap] = sum over images and pixels of dy[k] x[c]. Twin of
 * ref/conv2d.c.
 *
 * Bound by arithmetic. The sum runs over images, which are the lanes, so one of the two operands is turned
 * around first: 16 images x 16 channels of a pixel are transposed, a channel becomes a lane, and the sums
 * need no horizontal addition. The other operand is broadcast, number by number, from where it stands. The
 * operand with more channels is the one transposed; one row of it at a time, used for every tap and every
 * channel of the other operand before the next row, so the transposition costs about a hundredth of the
 * products.
 *
 * bf16 multiplies pairs of images where the CPU has such an instruction (fast/conv2d/products.h), so there
 * both operands are brought from pairs of channels to pairs of images: an item is two images of one channel,
 * and a pixel has 8 items a channel. Otherwise an item is a float, 16 of them a channel.
 *
 * A tile of ROWS broadcast channels x COLUMNS transposed vectors stays in registers over one row of the map:
 * per item and pixel it loads COLUMNS vectors and ROWS items for ROWS x COLUMNS multiply-adds. Each sum is a
 * chain of additions, and a chain takes one in 4 to 6 cycles, where up to two a cycle could start: fewer
 * vectors are met by more rows, a single one by SINGLE_ROWS. At 16 channels that is a seventh of a step in
 * bf16.
 *
 * Each part of a group (fast/conv2d/bands.h) has its own partial gradient; the partials are added in their
 * order.
 *
 * On AMX, 3x3 filters without a stride are for tile products instead: fast/conv2d/tiles_backward_weights.c.
 *
 * Error: n = N H' W' products a filter, added one by one within a part, then the parts of G groups:
 * |got - ref| <= (n + G + 2) 2^-24 gauge. */
#include "../operations.h"
#include "../simd/items.h"
#include "partials.h"
#include <assert.h>
#include <omp.h>
#include <string.h>

enum { ROWS = VL == 16 ? 6 : 3, COLUMNS = 4, SINGLE_ROWS = VL == 16 ? 16 : 8 };

/* One row of the wide operand, transposed: [w][item][padded c]. */
static size_t transposed_items(const Products *p)
{
    return (size_t)p->wide_shape.w * ITEMS * p->padded;
}

/* One row of the narrow one, [w][c][item]. In f32 that is how it stands in memory. */
static size_t narrow_pixel(const Products *p)
{
    return (size_t)units_of(p->narrow_shape.c) * UNIT * ITEMS;
}

/* A row of the narrow operand meets three rows of the wide one: it is brought to items once, and kept. */
enum { KEPT_ROWS = 3 };

static size_t narrow_row_items(const Products *p)
{
    return (p->narrow_shape.w * narrow_pixel(p) + LANES - 1) / LANES * LANES;
}

static size_t thread_items(const Products *p)
{
    return transposed_items(p) + KEPT_ROWS * narrow_row_items(p);
}

static Products shapes_only(Conv2dShape s)
{
    return products_of(all_rows(NULL), all_rows(NULL), s, s.c >= s.k);
}

size_t SET(conv2d_scratch)(Conv2dShape s, int threads)
{
    const Products p = shapes_only(s);
    const int partials = lanes_groups(s.n) * group_parts(s);
    const size_t weights =
        (partials_floats(&p, partials) + bias_floats(s) + thread_items(&p) * threads) * sizeof(float);
    const size_t packed = SET(conv2d_packed)(s);
    size_t most = weights > packed ? weights : packed;
#ifdef TILE_PRODUCTS
    const size_t tiles = SET(conv2d_tiles_scratch)(s, threads),
                 gradient = SET(conv2d_backward_weights_tiles_scratch)(s, threads);
    most = tiles > most ? tiles : most;
    most = gradient > most ? gradient : most;
#endif
    return most;
}

/* Adds to `sums` (rows x columns vectors, `padded` floats apart) the products of one row and one tap:
 * `count` pixels, the items in use. The tile's sizes are constants of the call site. */
INLINE void accumulate_tile(float *sums, const Item *wide, const Item *narrow, size_t wide_step,
                            size_t narrow_step, int count, int items, int padded, int rows, int columns)
{
    Vec sum[SINGLE_ROWS][COLUMNS];
#pragma GCC unroll 16
    for (int i = 0; i < rows; i++)
#pragma GCC unroll 8
        for (int j = 0; j < columns; j++)
            sum[i][j] = load(sums + (size_t)i * padded + j * VL);
    for (int pixel = 0; pixel < count; pixel++, wide += wide_step, narrow += narrow_step)
        for (int item = 0; item < items; item++) {
            const Item *vectors = wide + (size_t)item * padded;
#pragma GCC unroll 16
            for (int i = 0; i < rows; i++)
#pragma GCC unroll 8
                for (int j = 0; j < columns; j++)
                    sum[i][j] = add_products(sum[i][j], vectors + j * VL, narrow[i * ITEMS + item]);
        }
#pragma GCC unroll 16
    for (int i = 0; i < rows; i++)
#pragma GCC unroll 8
        for (int j = 0; j < columns; j++)
            store(sums + (size_t)i * padded + j * VL, sum[i][j]);
}

/* Which pixels of one row meet at tap column j: `count` of them, from these of either operand on. */
typedef struct {
    int count, wide_first, narrow_first;
} Overlap;

static Overlap overlap_of(const Products *p, int j)
{
    const int pad = (p->side - 1) / 2;
    const int x_width = p->wide_is_x ? p->wide_shape.w : p->narrow_shape.w;
    const int y_width = p->wide_is_x ? p->narrow_shape.w : p->wide_shape.w;
    int first = 0, last = y_width;
    while (first < last && first * p->stride + j - pad < 0)
        first++;
    while (last > first && (last - 1) * p->stride + j - pad >= x_width)
        last--;
    const int x_first = first * p->stride + j - pad;
    return (Overlap){last - first, p->wide_is_x ? x_first : first, p->wide_is_x ? first : x_first};
}

/* The row of the narrow operand that meets row `wide_y` of the wide one at tap row i, where dy is that of a
 * band; -1 if there is none. */
static int narrow_row(const Products *p, Band band, int wide_y, int i)
{
    const int pad = (p->side - 1) / 2;
    if (!p->wide_is_x) {
        int yi = wide_y * p->stride + i - pad;
        return yi < p->narrow_shape.h ? yi : -1;
    }
    int at = wide_y + pad - i;
    if (at < 0 || at % p->stride != 0)
        return -1;
    return at / p->stride >= band.from && at / p->stride < band.to ? at / p->stride : -1;
}

/* The first row of the wide operand that meets a band of dy, and the one after the last. */
static int first_wide(const Products *p, Band band)
{
    const int first = p->wide_is_x ? band.from * p->stride - (p->side - 1) / 2 : band.from;
    return first > 0 ? first : 0;
}

static int end_wide(const Products *p, Band band)
{
    const int end = p->wide_is_x ? (band.to - 1) * p->stride + (p->side - 1) / 2 + 1 : band.to;
    return end < p->wide_shape.h ? end : p->wide_shape.h;
}

/* At most so many rows has a tile of so many columns. */
INLINE int tile_rows(int columns)
{
    return columns == COLUMNS ? ROWS : SINGLE_ROWS / columns;
}

#define ACCUMULATE(rows)                                                                         \
    for (; rows <= tile_rows(columns) && to - at >= rows; at += rows)                            \
    accumulate_tile(sums + (size_t)at * p->padded, wide, narrow + (size_t)at * ITEMS, wide_step, \
                    narrow_step, o.count, items, p->padded, rows, columns)

/* `columns` vectors of wide channels x narrow channels from..to-1 of one row and tap. */
INLINE void accumulate_columns(const Products *p, float *sums, const Item *wide, const Item *narrow,
                               Overlap o, int items, int from, int to, const int columns)
{
    const size_t wide_step = (size_t)(p->wide_is_x ? p->stride : 1) * ITEMS * p->padded;
    const size_t narrow_step = (p->wide_is_x ? 1 : p->stride) * narrow_pixel(p);
    int at = from;
    ACCUMULATE(16);
    ACCUMULATE(8);
    ACCUMULATE(6);
    ACCUMULATE(4);
    ACCUMULATE(3);
    ACCUMULATE(2);
    ACCUMULATE(1);
}

static void accumulate_channels(const Products *p, float *sums, const Item *wide, const Item *narrow,
                                Overlap o, int items, int from, int to)
{
    int left = p->padded / VL;
    for (; left >= COLUMNS; left -= COLUMNS, sums += COLUMNS * VL, wide += COLUMNS * VL)
        accumulate_columns(p, sums, wide, narrow, o, items, from, to, COLUMNS);
    for (; left >= 2; left -= 2, sums += 2 * VL, wide += 2 * VL)
        accumulate_columns(p, sums, wide, narrow, o, items, from, to, 2);
    if (left)
        accumulate_columns(p, sums, wide, narrow, o, items, from, to, 1);
}

/* One row of the wide operand, transposed, with one row of the narrow one: every tap of tap row i. */
static void add_rows(const Products *p, float *partial, const Item *transposed, const Item *narrow, int i,
                     int items, int from, int to)
{
    for (int j = 0; j < p->side; j++) {
        const Overlap o = overlap_of(p, j);
        if (o.count == 0)
            continue;
        const Item *wide = transposed + (size_t)o.wide_first * ITEMS * p->padded;
        const Item *at = narrow + o.narrow_first * narrow_pixel(p);
        float *tap = partial + (size_t)(i * p->side + j) * p->narrow_shape.c * p->padded;
        accumulate_channels(p, tap, wide, at, o, items, from, to);
    }
}

/* Adds to the partial gradient of narrow channels from..to-1 what a band of dy gives, or starts it. */
static void band_gradient(const Products *p, float *partial, Item *transposed, Band band, bool starts,
                          int from, int to)
{
    const int group = band.group, used = lanes_used(p->n, group), items = (used * ITEMS + LANES - 1) / LANES;
    int row_kept[KEPT_ROWS] = {-1, -1, -1};
    for (int tap = 0; starts && tap < p->side * p->side; tap++)
        memset(partial + ((size_t)tap * p->narrow_shape.c + from) * p->padded, 0,
               (size_t)(to - from) * p->padded * sizeof *partial);
    for (int wide_y = first_wide(p, band); wide_y < end_wide(p, band); wide_y++) {
        const Word *row = row_of(p->wide, p->wide_shape, group, wide_y);
        transpose_row(transposed, row, p->wide_shape, p->padded, used);
        for (int i = 0; i < p->side; i++) {
            const int narrow_y = narrow_row(p, band, wide_y, i);
            if (narrow_y < 0)
                continue;
            const Word *meets = row_of(p->narrow, p->narrow_shape, group, narrow_y);
            Item *room = transposed + transposed_items(p) + narrow_y % KEPT_ROWS * narrow_row_items(p);
            if (!ITEMS_IN_PLACE && row_kept[narrow_y % KEPT_ROWS] != narrow_y)
                narrow_items(room, meets, p->narrow_shape, used);
            row_kept[narrow_y % KEPT_ROWS] = narrow_y;
            add_rows(p, partial, transposed, ITEMS_IN_PLACE ? (const Item *)meets : room, i, items, from, to);
        }
    }
}

/* Narrow channels of which threads that share a partial take whole numbers: those of a tile, or half of one
 * where wide channels are few, so that two threads divide the 16 rows of a single column evenly. */
static int share_rows(const Products *p)
{
    return p->padded / VL <= 2 ? SINGLE_ROWS / 2 : ROWS;
}

void SET(conv2d_backward_weights)(float *dw, float *db, const Word *dy, const Word *x, Conv2dShape s,
                                  void *scratch)
{
#ifdef TILE_PRODUCTS
    if (s.side == 3 && s.stride == 1) {
        SET(conv2d_backward_weights_tiles)(dw, db, dy, x, s, scratch);
        return;
    }
#endif
    const Products p = products_of(all_rows(dy), all_rows(x), s, s.c >= s.k);
    const int count = lanes_groups(s.n) * group_parts(s), channels = p.narrow_shape.c;
    const int threads = omp_get_max_threads(), parts = parts_of(count, threads);
    const int step = share_rows(&p);
    float *partials = scratch, *bias = partials + partials_floats(&p, count);
    Item *items = (Item *)(bias + bias_floats(s));
#pragma omp parallel for collapse(2) schedule(static) num_threads(threads)
    for (int i = 0; i < count; i++)
        for (int part = 0; part < parts; part++) {
            const Band band = part_rows(s, i);
            band_gradient(&p, partials + i * partial_floats(&p),
                          items + omp_get_thread_num() * thread_items(&p), band, true,
                          part_from(channels, step, part, parts), part_from(channels, step, part + 1, parts));
            if (db && part == 0 && band.from == 0)
                SET(bias_partial)(bias, dy, conv2d_output(s), band.group);
        }
    SET(add_ranks_partials)(dw, partials, count, &p);
    if (db)
        SET(add_ranks_bias)(db, bias, s.n, s.k);
}

#ifndef TILE_PRODUCTS
static size_t weights_partial_floats(Conv2dShape s)
{
    const Products p = shapes_only(s);
    return partial_floats(&p);
}

static size_t weights_room_floats(Conv2dShape s)
{
    const Products p = shapes_only(s);
    return thread_items(&p);
}

static void weights_band(float *partial, Rows dy, const Word *x, Band band, bool starts, bool ends,
                         Conv2dShape s, float *kept, float *room)
{
    (void)kept;
    (void)ends;
    const Products p = products_of(dy, all_rows(x), s, s.c >= s.k);
    band_gradient(&p, partial, (Item *)room, band, starts, 0, p.narrow_shape.c);
}

static void weights_add(float *dw, const float *partials, int count, Conv2dShape s)
{
    const Products p = shapes_only(s);
    SET(add_ranks_partials)(dw, partials, count, &p);
}

const WeightsKernel SET(direct_weights) = {every_part,          weights_partial_floats, no_floats,
                                           weights_room_floats, weights_band,           weights_add};
#endif
