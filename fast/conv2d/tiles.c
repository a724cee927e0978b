// book: tiles_limits
/* Convolution by tile products (fast/conv2d/tiles.h), forward and backward data at stride 1: the core of
 * fast/conv2d.c in bf16 on AMX.
 *
 * The layout is the operand of the product as it stands: up to 16 consecutive units of a pixel are a tile of
 * 16 pairs of channels x 16 images; a tile of filters is up to 16 output channels x 16 pairs of channels; the
 * sums are output channels x images. Zero padding is a tap that is skipped.
 *
 * Bound by arithmetic, if the loads come from the caches nearby: a product takes 16 cycles, a load 8 at best.
 * Two tiles of filters x two neighbouring pixels stay in registers over all taps and channels: 4 loads (4 KB)
 * and 4 products a step, so the loads take half the time of the products, and four sums in flight cover the
 * latency of 52 cycles. One by one each product would need two loads, and wait. At 64 channels and 9 taps the
 * step is made 18 times, 1152 cycles of products, for 4 tiles to be stored and rounded.
 *
 * The filters of a pair of tiles (36 KB at 64 channels) are used for about BAND pixels before those of the
 * next; a row and its two neighbours (192 KB at 32 x 64) wait in the second cache.
 *
 * Channels are cut into equal blocks of at most 16 units, so that one configuration serves all of them; where
 * they do not divide, the last block starts earlier, and the filters of units that are counted already are 0.
 * So nothing beyond a pixel's units is ever read: it may be NaN, or past the end.
 *
 * Error: a sum of n = S S C products (S S K backward), in tiles of at most 32. Additions of 0 are exact, so a
 * product is rounded at most n - 1 times on its way, and once more with the bias or with what is in dx:
 * |got - ref| <= (n + 2) 2^-24 gauge, and one rounding of 2^-8 when the result is stored. Denormals:
 * fast/kernels.h. */
// book: end
#include "bands.h"

#ifdef TILE_PRODUCTS
#include "sums.h"
#include "tiles.h"
#include <assert.h>

/* How channels are cut: `blocks` of `pairs` units going in, `tiles` of `units` units coming out. */
typedef struct {
    int blocks, pairs, tiles, units;
} Cut;

/* What every tile of one call shares. The operation is a convolution from x (shape in) to y (shape out). */
typedef struct {
    Rows x;
    const uint32_t *weights;
    const float *bias;
    Word *y;
    Shape in, out;
    int side;
    Cut cut;
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

/* The tile registers: sums of either filters at either pixel, filters, pixels. */
#define FIRST_LEFT   0
#define FIRST_RIGHT  1
#define SECOND_LEFT  2
#define SECOND_RIGHT 3
#define FIRST        4
#define SECOND       5
#define LEFT         6
#define RIGHT        7
enum { SUMS = 4 };

/* Parts of at most `most` that are as equal as can be: how many; `count` of a part. */
static int parts_of(int count, int most)
{
    return (count + most - 1) / most;
}

static Cut cut_of(int channels, int filters)
{
    const int in = units_of(channels), out = units_of(filters);
    Cut cut = {.blocks = parts_of(in, TILE_COLUMNS), .tiles = parts_of(out, TILE_ROWS / UNIT)};
    cut.pairs = parts_of(in, cut.blocks);
    cut.units = parts_of(out, cut.tiles);
    return cut;
}

/* The first unit of a block. */
static int block_start(Cut cut, int block, int units)
{
    const int start = block * cut.pairs;
    return start + cut.pairs <= units ? start : units - cut.pairs;
}

/* Words of a tile's packed filters, all taps and blocks. */
static size_t tile_weights(const Cut *cut, int side)
{
    return (size_t)side * side * cut->blocks * TILE_WORDS;
}

size_t SET(conv2d_tiles_packed)(Conv2dShape s)
{
    const Cut forward = cut_of(s.c, s.k), backward = cut_of(s.k, s.c);
    const size_t one = forward.tiles * tile_weights(&forward, s.side);
    const size_t other = backward.tiles * tile_weights(&backward, s.side);
    return (one > other ? one : other) * sizeof(uint32_t);
}

/* The weights of filter f at one tap for the pairs of a block; 0 beyond the last, and for channels that
 * earlier blocks have counted. Backward data is the forward pass from dy with the filters flipped and
 * transposed. */
INLINE void pack_row(uint32_t *to, const float *w, bool backward, Conv2dShape s, const Cut *cut, int block,
                     int f, int tap)
{
    const int taps = s.side * s.side, in = backward ? s.k : s.c, out = backward ? s.c : s.k;
    const size_t k_step = (size_t)s.c * taps, c_step = taps, step = backward ? k_step : c_step;
    const float *from = w + f * (backward ? c_step : k_step) + (backward ? taps - 1 - tap : tap);
    const int first = UNIT * block_start(*cut, block, units_of(in)), counted = UNIT * block * cut->pairs;
    const int end = first + UNIT * cut->pairs < in ? first + UNIT * cut->pairs : in;
    float channels[UNIT][TILE_COLUMNS] __attribute__((aligned(64))) = {{0}};
    for (int c = counted; c < end && f < out; c++)
        channels[c % UNIT][(c - first) / UNIT] = from[c * step];
    for (int part = 0; part < TILE_COLUMNS; part += VL)
        store_unit((Word *)to + part, (Unit){{load(channels[0] + part), load(channels[1] + part)}});
}

/* Each tile of filters as [tap][block][filter][pair]. */
static void pack_filters(uint32_t *packed, const float *w, bool backward, Conv2dShape s, const Cut *cut)
{
    const int taps = s.side * s.side, rows = cut->units * UNIT;
#pragma omp parallel for collapse(2) schedule(static)
    for (int tile = 0; tile < cut->tiles; tile++)
        for (int tap = 0; tap < taps; tap++) {
            uint32_t *to = packed + tile * tile_weights(cut, s.side) + (size_t)tap * cut->blocks * TILE_WORDS;
            for (int block = 0; block < cut->blocks; block++, to += TILE_WORDS)
                for (int row = 0; row < rows; row++)
                    pack_row(to + row * TILE_COLUMNS, w, backward, s, cut, block, tile * rows + row, tap);
        }
}

static void configure(const Cut *cut)
{
    const TileShape sums = {cut->units * UNIT, LANES}, filters = {cut->units * UNIT, cut->pairs},
                    pixel = {cut->pairs, LANES};
    tiles_configure((TileShape[TILES_COUNT]){sums, sums, sums, sums, filters, filters, pixel, pixel});
}

/* Adds one tap to the sums of the pixel at x, if `left`, and of its right neighbour, if `right`; for one tile
 * of filters, or for `two`. */
INLINE void accumulate_tap(const Convolution *conv, const Word *x, const uint32_t *weights, bool left,
                           bool right, bool two)
{
    const Cut cut = conv->cut;
    const int units = units_of(conv->in.c);
    const size_t next = tile_weights(&conv->cut, conv->side), pixel = pixel_words(conv->in);
    for (int block = 0; block < cut.blocks; block++, weights += TILE_WORDS) {
        const Word *at = x + (ptrdiff_t)block_start(cut, block, units) * LANES;
        tile_load(FIRST, weights, TILE_STRIDE);
        if (two)
            tile_load(SECOND, weights + next, TILE_STRIDE);
        if (left) {
            tile_load(LEFT, at, TILE_STRIDE);
            tile_dot(FIRST_LEFT, FIRST, LEFT);
            if (two)
                tile_dot(SECOND_LEFT, SECOND, LEFT);
        }
        if (right) {
            tile_load(RIGHT, at + pixel, TILE_STRIDE);
            tile_dot(FIRST_RIGHT, FIRST, RIGHT);
            if (two)
                tile_dot(SECOND_RIGHT, SECOND, RIGHT);
        }
    }
}

/* Two channels of the sums as a unit of y: with the bias of channels k and k + 1, or added to what is there.
 * The one beyond an odd last has filters of 0, but 0 times infinity is NaN. `channel` is k's number among
 * those of `row`. */
INLINE void store_pair(Word *y, RowSums *row, const Convolution *conv, const float *sums, int k, int channel)
{
    Vec bias[UNIT];
    for (int i = 0; i < UNIT; i++)
        bias[i] = broadcast(conv->bias && k + i < conv->out.c ? conv->bias[k + i] : 0);
    for (int part = 0; part < LANES; part += VL) {
        Unit u = {{load(sums + part) + bias[0], load(sums + TILE_COLUMNS + part) + bias[1]}};
        if (conv->add)
            u = add_units(u, load_unit(y + part));
        for (int i = 0; i < UNIT && conv->relu; i++)
            u.channel[i] = positive(u.channel[i]);
        if (k + 1 >= conv->out.c)
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
    tile_store(sums[FIRST_RIGHT], TILE_STRIDE, FIRST_RIGHT);
    tile_store(sums[SECOND_LEFT], TILE_STRIDE, SECOND_LEFT);
    tile_store(sums[SECOND_RIGHT], TILE_STRIDE, SECOND_RIGHT);
    for (int sum = 0; sum < SUMS; sum++) {
        const bool at_right = sum == FIRST_RIGHT || sum == SECOND_RIGHT;
        const bool of_second = sum == SECOND_LEFT || sum == SECOND_RIGHT;
        if ((at_right && !right) || (of_second && !two))
            continue;
        const int first = (tile + of_second) * conv->cut.units, left = units_of(conv->out.c) - first;
        Word *to = y + (at_right ? pixel_words(conv->out) : 0) + (size_t)first * LANES;
        for (int unit = 0; unit < conv->cut.units && unit < left; unit++)
            store_pair(to + unit * LANES, row, conv, sums[sum] + UNIT * unit * TILE_COLUMNS,
                       UNIT * (first + unit), UNIT * (of_second * conv->cut.units + unit));
    }
}

/* y[yo][xo] and, if `right`, y[yo][xo + 1] of one group. */
INLINE void pixels(const Convolution *conv, RowSums *row, int group, int yo, int xo, int tile, bool right,
                   bool two)
{
    const Shape in = conv->in;
    const int side = conv->side, pad = (side - 1) / 2;
    const uint32_t *weights = conv->weights + tile * tile_weights(&conv->cut, side);
    tile_zero(FIRST_LEFT);
    tile_zero(FIRST_RIGHT);
    tile_zero(SECOND_LEFT);
    tile_zero(SECOND_RIGHT);
    for (int i = 0; i < side; i++) {
        const int yi = yo + i - pad;
        if (yi < 0 || yi >= in.h)
            continue;
        for (int j = 0; j < side; j++) {
            const int xi = xo + j - pad;
            const bool left_inside = xi >= 0 && xi < in.w;
            const bool right_inside = right && xi + 1 >= 0 && xi + 1 < in.w;
            const Word *x = row_of(conv->x, in, group, yi) + xi * (ptrdiff_t)pixel_words(in);
            if (left_inside || right_inside)
                accumulate_tap(conv, x, weights + (size_t)(i * side + j) * conv->cut.blocks * TILE_WORDS,
                               left_inside, right_inside, two);
        }
    }
    store_sums(conv->y + row_at(conv->out, group, yo) + xo * pixel_words(conv->out), row, conv, tile, right,
               two);
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
    const int units = units_of(conv->out.c), end = (k + channels) / UNIT;
    if (conv->sums->squares && yo % 2 == 1)
        SET(square_row)
    (conv->sums->squares, conv->y, k / UNIT, end < units ? end : units, conv->out, group, yo / 2);
    double *partial = partial_at(conv->sums, conv->out, group, yo, conv->out.h) + k;
    end_run(row);
    for (int part = 0; part < PARTS; part++)
        store_lanes(partial, partial + conv->out.c, row->lanes[part], PAIR,
                    channels < conv->out.c - k ? channels : conv->out.c - k, part,
                    lanes_used(conv->out.n, group));
}

static void row(const Convolution *conv, int group, int yo, int tile, bool two)
{
    const int channels = conv->cut.units * UNIT;
    RowSums sums;
    if (conv->sums)
        memset(&sums, 0, sizeof sums);
    for (int xo = 0; xo < conv->out.w; xo += 2) {
        if (two)
            pixels(conv, &sums, group, yo, xo, tile, xo + 1 < conv->out.w, true);
        else
            pixels(conv, &sums, group, yo, xo, tile, xo + 1 < conv->out.w, false);
        if (conv->sums && (xo + 2) % BF16_RUN == 0)
            end_run(&sums);
    }
    if (conv->sums)
        end_row(&sums, conv, group, yo, tile * channels, two ? 2 * channels : channels);
}

/* A band of rows for a pair of tiles of filters is the unit of work of a thread. */
static void convolve(const Convolution *conv)
{
    const int groups = lanes_groups(conv->out.n), tiles = conv->cut.tiles;
    const int least = parts_of(BAND, conv->out.w),
              rows = conv->sums && conv->sums->squares ? least + least % 2 : least,
              bands = parts_of(conv->out.h, rows);
#pragma omp parallel
    {
        configure(&conv->cut);
#pragma omp for collapse(3) schedule(static) nowait
        for (int group = 0; group < groups; group++)
            for (int band = 0; band < bands; band++)
                for (int tile = 0; tile < tiles; tile += 2)
                    for (int yo = band * rows; yo < (band + 1) * rows && yo < conv->out.h; yo++)
                        row(conv, group, yo, tile, tile + 1 < tiles);
        tiles_release();
    }
    if (conv->sums)
        SET(map_sums_finish)
    (conv->sums->sum, conv->sums->product, conv->sums->partials, conv->out.h, conv->out);
}

void SET(conv2d_tiles)(Word *y, const Word *x, const float *w, const float *b, bool relu, bool backward,
                       bool add, const MapSums *sums, Conv2dShape s, void *scratch)
{
    assert(s.stride == 1);
    const Shape in = conv2d_input(s), out = conv2d_output(s);
    Convolution conv = {.x = all_rows(x),
                        .weights = scratch,
                        .bias = b,
                        .y = y,
                        .in = backward ? out : in,
                        .out = backward ? in : out,
                        .side = s.side,
                        .add = add,
                        .relu = relu,
                        .sums = sums};
    conv.cut = cut_of(conv.in.c, conv.out.c);
    pack_filters(scratch, w, backward, s, &conv.cut);
    convolve(&conv);
}

static void pack_data(float *packed, const float *w, Conv2dShape s)
{
    const Cut cut = cut_of(s.k, s.c);
    pack_filters((uint32_t *)packed, w, true, s, &cut);
}

/* Adds to what pooling hands back. */
static void data_band(const DataBands *data, Rows dy, Band band, float *room)
{
    (void)room;
    const Conv2dShape s = data->s;
    const Convolution conv = {.x = dy,
                              .weights = (const uint32_t *)data->packed,
                              .y = data->dx,
                              .in = conv2d_output(s),
                              .out = conv2d_input(s),
                              .side = s.side,
                              .cut = cut_of(s.k, s.c),
                              .add = data->add || data->unpooling.dy,
                              .sums = data->sums};
    for (int y = band.from; data->unpooling.dy && y < band.to; y += 2)
        SET(unpool_rows)(data->dx, &data->unpooling, conv.out, band.group, y / 2);
    configure(&conv.cut);
    for (int tile = 0; tile < conv.cut.tiles; tile += 2)
        for (int y = band.from; y < band.to; y++)
            row(&conv, band.group, y, tile, tile + 1 < conv.cut.tiles);
    tiles_release();
}

const DataKernel SET(direct_data) = {direct_packed_floats, no_floats, pack_data, data_band, rows_of_sums};

#endif
