// book: tiles_limits
/* Convolution by tile products (fast/conv2d/tiles.h), forward and backward data at stride 1: the core of
 * fast/conv2d.c in bf16 on AMX.
 *
 * The layout is the operand of the product as it stands: up to 16 consecutive units of a pixel are a tile of
 * 16 pairs of channels x 16 images; a tile of filters is up to 16 output channels x 16 pairs of channels; the
 * sums are output channels x images. Zero padding is a tap that is skipped. Of a map of few channels all nine
 * taps become one pixel first (fast/conv2d/tiles_operands.c).
 *
 * Bound by arithmetic, if the loads come from the caches nearby: a product takes 16 cycles, a load 8 at best.
 * Two tiles of filters x two neighbouring pixels stay in registers over all taps and channels, so four sums
 * are in flight and cover the latency of 52 cycles. Of a row of three taps they read four pixels: the right
 * one of a tap is the left one of the next, and stays in its register. So 10 loads (10 KB) go with 12
 * products, 8 with 8 in a row of two pixels, where each tap by itself would take 12 and 10; the loads take
 * 0.42 and 0.5 of the time of the products. At 128 channels, whose filters do not stay in the first cache,
 * that is 53 bytes a cycle of products instead of 64, and the second cache gives about 47: there bytes
 * decide. These are counts, not times. At 64 channels and 9 taps 72 products, 1152 cycles, are made for 4
 * tiles to be stored and rounded.
 *
 * The filters of a pair of tiles (36 KB at 64 channels) are used for about BAND pixels before those of the
 * next; a row and its two neighbours (192 KB at 32 x 64) wait in the second cache.
 *
 * Error: a sum of n = S S C products (S S K backward), in tiles of at most 32: row of taps by row, in each
 * block of channels by block, in each tap by tap. Additions of 0 are exact, so a
 * product is rounded at most n - 1 times on its way, and once more with the bias or with what is in dx:
 * |got - ref| <= (n + 2) 2^-24 gauge, and one rounding of 2^-8 when the result is stored. Denormals:
 * fast/kernels.h. */
// book: end
#include "bands.h"

#ifdef TILE_PRODUCTS
#include "sums.h"
#include "tiles_operands.h"
#include <assert.h>
#include <omp.h>

/* What every tile of one call shares. The operation is a convolution from x, of a plan's `in`, to y. */
typedef struct {
    TilePlan plan;
    Rows x;
    const uint32_t *weights;
    const float *bias;
    Word *y;
    bool add, relu; /* add to y; max(.., 0) */
    const MapSums *sums;
} Convolution;

/* Sums of the channels of a pair of tiles of filters, each part of the lanes for itself: of a run of pixels
 * and of a row. */
enum { PAIR = 2 * TILE_ROWS };
typedef struct {
    RunSums run[PARTS][PAIR];
    LaneSums lanes[PARTS][PAIR];
} RowSums;

enum { BAND = 32 };

/* The tile registers: sums of either filters at either pixel, filters, pixels, of which the right one of a
 * tap is the left one of the next. */
#define FIRST_LEFT   0
#define FIRST_RIGHT  1
#define SECOND_LEFT  2
#define SECOND_RIGHT 3
#define FIRST        4
#define SECOND       5
#define EVEN_PIXEL   6
#define ODD_PIXEL    7
enum { SUMS = 4 };

static void configure(const TilePlan *p)
{
    const TileShape sums = {p->cut.units * UNIT, LANES}, filters = {p->cut.units * UNIT, p->cut.pairs},
                    pixel = {p->cut.pairs, LANES};
    tiles_configure((TileShape[TILES_COUNT]){sums, sums, sums, sums, filters, filters, pixel, pixel});
}

/* Adds a tap to the sums of the left and the right pixel, where these have it. */
#define ADD_TAP(weights, left, has_left, right, has_right)                         \
    do {                                                                           \
        tile_load(FIRST, weights, TILE_STRIDE);                                    \
        if (two)                                                                   \
            tile_load(SECOND, (weights) + tile_filters(&conv->plan), TILE_STRIDE); \
        if (has_left)                                                              \
            tile_dot(FIRST_LEFT, FIRST, left);                                     \
        if (has_right)                                                             \
            tile_dot(FIRST_RIGHT, FIRST, right);                                   \
        if (has_left && two)                                                       \
            tile_dot(SECOND_LEFT, SECOND, left);                                   \
        if (has_right && two)                                                      \
            tile_dot(SECOND_RIGHT, SECOND, right);                                 \
    } while (0)

/* A row of taps of one block: the pixel of x under the left one's middle tap, and whether there is one
 * before it, to its right, and after that. For one tile of filters, or for `two`. */
INLINE void add_taps(const Convolution *conv, const Word *x, const uint32_t *weights, bool before, bool right,
                     bool after, bool two)
{
    const size_t pixel = pixel_words(conv->plan.map);
    tile_load(ODD_PIXEL, x, TILE_STRIDE);
    if (conv->plan.side == 1) {
        if (right)
            tile_load(EVEN_PIXEL, x + pixel, TILE_STRIDE);
        ADD_TAP(weights, ODD_PIXEL, true, EVEN_PIXEL, right);
        return;
    }
    if (before)
        tile_load(EVEN_PIXEL, x - pixel, TILE_STRIDE);
    if (before || right)
        ADD_TAP(weights, EVEN_PIXEL, before, ODD_PIXEL, right);
    if (right)
        tile_load(EVEN_PIXEL, x + pixel, TILE_STRIDE);
    ADD_TAP(weights + TILE_WORDS, ODD_PIXEL, true, EVEN_PIXEL, right);
    if (after)
        tile_load(ODD_PIXEL, x + 2 * pixel, TILE_STRIDE);
    if (right)
        ADD_TAP(weights + 2 * TILE_WORDS, EVEN_PIXEL, true, ODD_PIXEL, after);
}

/* Two channels of the sums as a unit of y: with the bias of channels k and k + 1, or added to what is there.
 * The one beyond an odd last has filters of 0, but 0 times infinity is NaN. `channel` is k's number among
 * those of `row`. */
INLINE void store_pair(Word *y, RowSums *row, const Convolution *conv, const float *sums, int k, int channel)
{
    Vec bias[UNIT];
    for (int i = 0; i < UNIT; i++)
        bias[i] = broadcast(conv->bias && k + i < conv->plan.out.c ? conv->bias[k + i] : 0);
    for (int part = 0; part < LANES; part += VL) {
        Unit u = {{load(sums + part) + bias[0], load(sums + TILE_COLUMNS + part) + bias[1]}};
        if (conv->add)
            u = add_units(u, load_unit(y + part));
        for (int i = 0; i < UNIT && conv->relu; i++)
            u.channel[i] = positive(u.channel[i]);
        if (k + 1 >= conv->plan.out.c)
            u.channel[1] = (Vec){0};
        u = store_unit(y + part, u);
        const Unit factor =
            conv->sums && conv->sums->with ? load_unit(conv->sums->with + (y + part - conv->y)) : u;
        for (int i = 0; i < UNIT && conv->sums; i++)
            add_pixel(&row->run[part / VL][channel + i], u.channel[i], factor.channel[i]);
    }
}

/* The sums of tiles of filters `tile` and, if `two`, the next, at the pixel at y and, if `right`, the next.
 */
INLINE void store_sums(Word *y, RowSums *row, const Convolution *conv, int tile, bool right, bool two)
{
    float sums[SUMS][TILE_WORDS] __attribute__((aligned(64)));
    tile_store(sums[FIRST_LEFT], TILE_STRIDE, FIRST_LEFT);
    if (right)
        tile_store(sums[FIRST_RIGHT], TILE_STRIDE, FIRST_RIGHT);
    if (two)
        tile_store(sums[SECOND_LEFT], TILE_STRIDE, SECOND_LEFT);
    if (right && two)
        tile_store(sums[SECOND_RIGHT], TILE_STRIDE, SECOND_RIGHT);
    for (int sum = 0; sum < SUMS; sum++) {
        const bool at_right = sum == FIRST_RIGHT || sum == SECOND_RIGHT;
        const bool of_second = sum == SECOND_LEFT || sum == SECOND_RIGHT;
        if ((at_right && !right) || (of_second && !two))
            continue;
        const int first = (tile + of_second) * conv->plan.cut.units,
                  left = units_of(conv->plan.out.c) - first;
        Word *to = y + (at_right ? pixel_words(conv->plan.out) : 0) + (size_t)first * LANES;
        for (int unit = 0; unit < conv->plan.cut.units && unit < left; unit++)
            store_pair(to + unit * LANES, row, conv, sums[sum] + UNIT * unit * TILE_COLUMNS,
                       UNIT * (first + unit), UNIT * (of_second * conv->plan.cut.units + unit));
    }
}

/* y[yo][xo] and, unless the row ends there, y[yo][xo + 1] of one group. */
INLINE void pixels(const Convolution *conv, RowSums *row, int group, int yo, int xo, int tile, bool two)
{
    const TilePlan *p = &conv->plan;
    const Shape map = p->map;
    const int pad = (p->side - 1) / 2;
    const bool right = xo + 1 < map.w;
    const uint32_t *weights = conv->weights + tile * tile_filters(p);
    tile_zero(FIRST_LEFT);
    tile_zero(FIRST_RIGHT);
    tile_zero(SECOND_LEFT);
    tile_zero(SECOND_RIGHT);
    for (int i = 0; i < p->side; i++) {
        const int yi = yo + i - pad;
        if (yi < 0 || yi >= map.h)
            continue;
        const Word *x = row_of(conv->x, map, group, yi) + xo * pixel_words(map);
        for (int block = 0; block < p->cut.blocks; block++)
            add_taps(conv, x + (size_t)block_start(p, block) * LANES,
                     weights + (size_t)(i * p->cut.blocks + block) * p->side * TILE_WORDS, xo > 0, right,
                     xo + 2 < map.w, two);
    }
    store_sums(conv->y + row_at(p->out, group, yo) + xo * pixel_words(p->out), row, conv, tile, right, two);
}

/* The sums of a run join those of the row. */
static void end_run(RowSums *row)
{
    for (int part = 0; part < PARTS; part++)
        end_runs(row->lanes[part], row->run[part], PAIR);
}

/* The row's partials of channels k .., and behind the second row of a square the sums over squares. */
static void end_row(RowSums *row, const Convolution *conv, int group, int yo, int k, int channels)
{
    const int units = units_of(conv->plan.out.c), end = (k + channels) / UNIT;
    if (conv->sums->squares && yo % 2 == 1)
        SET(square_row)
    (conv->sums->squares, conv->y, k / UNIT, end < units ? end : units, conv->plan.out, group, yo / 2);
    double *partial = partial_at(conv->sums, conv->plan.out, group, yo, conv->plan.out.h) + k;
    end_run(row);
    for (int part = 0; part < PARTS; part++)
        store_lanes(partial, partial + conv->plan.out.c, row->lanes[part], PAIR,
                    channels < conv->plan.out.c - k ? channels : conv->plan.out.c - k, part,
                    lanes_used(conv->plan.out.n, group));
}

static void row(const Convolution *conv, int group, int yo, int tile, bool two)
{
    const int channels = conv->plan.cut.units * UNIT;
    RowSums sums;
    if (conv->sums)
        memset(&sums, 0, sizeof sums);
    for (int xo = 0; xo < conv->plan.out.w; xo += 2) {
        if (two)
            pixels(conv, &sums, group, yo, xo, tile, true);
        else
            pixels(conv, &sums, group, yo, xo, tile, false);
        if (conv->sums && (xo + 2) % BF16_RUN == 0)
            end_run(&sums);
    }
    if (conv->sums)
        end_row(&sums, conv, group, yo, tile * channels, two ? 2 * channels : channels);
}

/* Rows from..end-1 of a group for the tiles of filters from `tile` to `last`: two of them, or all, if taps
 * are gathered, to `room`. */
static void rows(const Convolution *conv, Word *room, int group, int from, int end, int tile, int last)
{
    Convolution gathered = *conv;
    for (int yo = from; yo < end; yo++) {
        if (conv->plan.gathers)
            gathered.x = SET(gather_row)(room, conv->x, &conv->plan, group, yo);
        for (int first = tile; first < last; first += 2)
            row(&gathered, group, yo, first, first + 1 < last);
    }
}

/* Tiles of filters that a pass over some rows makes. */
static int tiles_at_once(const TilePlan *p)
{
    return p->gathers ? p->cut.tiles : 2;
}

static int smaller(int a, int b)
{
    return a < b ? a : b;
}

/* A band of rows for some tiles of filters is the unit of work of a thread. */
static void convolve(const Convolution *conv, Word *room)
{
    const TilePlan *p = &conv->plan;
    const int groups = lanes_groups(p->out.n), tiles = p->cut.tiles, step = tiles_at_once(p);
    const int least = (BAND + p->out.w - 1) / p->out.w;
    const int band = conv->sums && conv->sums->squares ? least + least % 2 : least;
#pragma omp parallel
    {
        Word *own = room + omp_get_thread_num() * SET(gathered_words)(p);
        configure(p);
#pragma omp for collapse(3) schedule(static) nowait
        for (int group = 0; group < groups; group++)
            for (int from = 0; from < p->out.h; from += band)
                for (int tile = 0; tile < tiles; tile += step)
                    rows(conv, own, group, from, smaller(from + band, p->out.h), tile,
                         smaller(tile + step, tiles));
        tiles_release();
    }
    if (conv->sums)
        SET(map_sums_finish)
    (conv->sums->sum, conv->sums->product, conv->sums->partials, p->out.h, p->out);
}

size_t SET(conv2d_tiles_scratch)(Conv2dShape s, int threads)
{
    const TilePlan forward = SET(tile_plan)(s, false), backward = SET(tile_plan)(s, true);
    const size_t one = packed_words(&forward) + threads * SET(gathered_words)(&forward),
                 other = packed_words(&backward) + threads * SET(gathered_words)(&backward);
    return (one > other ? one : other) * sizeof(Word);
}

void SET(conv2d_tiles)(Word *y, const Word *x, const float *w, const float *b, bool relu, bool backward,
                       bool add, const MapSums *sums, Conv2dShape s, void *scratch)
{
    assert(s.stride == 1);
    const Convolution conv = {.plan = SET(tile_plan)(s, backward),
                              .x = all_rows(x),
                              .weights = scratch,
                              .bias = b,
                              .y = y,
                              .add = add,
                              .relu = relu,
                              .sums = sums};
    SET(pack_tiles)(scratch, w, &conv.plan);
    convolve(&conv, (Word *)scratch + packed_words(&conv.plan));
}

static size_t data_room_floats(Conv2dShape s)
{
    const TilePlan p = SET(tile_plan)(s, true);
    return SET(gathered_words)(&p);
}

static void pack_data(float *packed, const float *w, Conv2dShape s)
{
    const TilePlan p = SET(tile_plan)(s, true);
    SET(pack_tiles)((uint32_t *)packed, w, &p);
}

/* Adds to what pooling hands back. */
static void data_band(const DataBands *data, Rows dy, Band band, Later later, float *room)
{
    (void)later;
    const Convolution conv = {.plan = SET(tile_plan)(data->s, true),
                              .x = dy,
                              .weights = (const uint32_t *)data->packed,
                              .y = data->dx,
                              .add = data->add || data->unpooling.dy,
                              .sums = data->sums};
    const int tiles = conv.plan.cut.tiles, step = tiles_at_once(&conv.plan);
    for (int y = band.from; data->unpooling.dy && y < band.to; y += 2)
        SET(unpool_rows)(data->dx, &data->unpooling, conv.plan.out, band.group, y / 2);
    configure(&conv.plan);
    for (int tile = 0; tile < tiles; tile += step)
        rows(&conv, room, band.group, band.from, band.to, tile, smaller(tile + step, tiles));
    tiles_release();
}

const DataKernel SET(direct_data) = {direct_packed_floats, data_room_floats, pack_data, data_band,
                                     rows_of_sums};

#endif
