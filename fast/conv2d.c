// book: conv2d_direct_limits
/* Convolution, forward and backward data. Twin of ref/conv2d.c; backward weights is in
 * fast/conv2d/backward_weights.c, backward data at stride 2 in fast/conv2d/backward_data_strided.c.
 *
 * Bound by arithmetic: at 64 channels each loaded byte takes part in about 10 operations. A tile of PIXELS
 * pixels of one row x FILTERS output channels stays in registers over the whole sum: per tap and input unit
 * it loads PIXELS vectors (16 images each) and FILTERS broadcast weights for PIXELS x FILTERS multiply-adds.
 * With 32 registers that is 4 x 6 (24 sums, 4 inputs, 1 weight); with 16 it is 4 x 3, for each part of the
 * lanes, and 2 x 4 in bf16, whose inputs take two registers and whose outputs come in pairs. Zero padding is
 * a tap that is skipped, so border pixels cost less, not more.
 *
 * Backward data is the forward pass from dy with the filters flipped and transposed.
 *
 * Where it pays, the engine takes fast/conv2d/winograd.c instead.
 *
 * On AMX, convolutions without a stride are made of tile products instead: fast/conv2d/tiles.c.
 *
 * Error: a sum of n = S S C products (S S K backward) and the start value, each added with one rounding of
 * the sum and one of the product where there is no fused multiply-add: |got - ref| <= (n + 2) 2^-24 gauge. In
 * bf16 that, and one rounding of 2^-8 when the result is stored, from filters that were rounded to
 * bfloat16.
 *
 * Claims: eq1. */
// book: end
#include "conv2d/bands.h"
#include "conv2d/direct_filters.h"
#include "conv2d/products.h"
#include "conv2d/sums.h"
#include "operations.h"
#include <assert.h>

/* What every tile of one call shares. The operation is a convolution from x (shape in) to y (shape out). */
typedef struct {
    Rows x;
    const Weight *weights;
    const float *bias;
    Word *y;
    Shape in, out;
    int side, stride;
    bool add, relu; /* start from y; end with max(.., 0) */
    const MapSums *sums;
} Convolution;

/* Bytes of the packed filters of either pass. */
size_t SET(conv2d_packed)(Conv2dShape s)
{
    const size_t forward = (size_t)units_of(s.k) * UNIT * units_of(s.c);
    const size_t backward = (size_t)units_of(s.c) * UNIT * units_of(s.k);
    const size_t bytes = (forward > backward ? forward : backward) * s.side * s.side * sizeof(Weight);
#ifdef TILE_PRODUCTS
    const size_t tiles = SET(conv2d_tiles_scratch)(s, 0);
    return tiles > bytes ? tiles : bytes;
#else
    return bytes;
#endif
}

/* Adds one tap to the sums of pixels first..last-1 of the tile. All of the tile's sizes are constants of the
 * call site: the compiler keeps sum[][] in registers. */
INLINE void accumulate_tap(Vec sum[PIXELS][FILTERS], const Word *x, size_t pixel_stride,
                           const Weight *weights, int units, int first, int last, int filters)
{
    for (int unit = 0; unit < units; unit++, x += LANES, weights += filters) {
        Operand input[PIXELS];
#pragma GCC unroll 8
        for (int p = first; p < last; p++)
            input[p] = load_operand(x + (size_t)p * pixel_stride);
#pragma GCC unroll 8
        for (int f = 0; f < filters; f++) {
            const Factor weight = spread_weight(weights[f]);
#pragma GCC unroll 8
            for (int p = first; p < last; p++)
                sum[p][f] = multiply_add(sum[p][f], input[p], weight);
        }
    }
}

/* The sums start from the bias, or from what is in y. */
INLINE void start_sums(Vec sum[PIXELS][FILTERS], const Convolution *conv, const Word *y, int k, int pixels,
                       int filters)
{
#pragma GCC unroll 8
    for (int p = 0; p < pixels; p++)
#pragma GCC unroll 8
        for (int f = 0; f < filters; f++) {
            const bool biased = conv->bias && k + f < conv->out.c;
            sum[p][f] = biased ? broadcast(conv->bias[k + f]) : (Vec){0};
            if (conv->add)
                sum[p][f] = load_unit(y + p * pixel_words(conv->out) + f / UNIT * LANES).channel[f % UNIT];
        }
}

/* The filter beyond an odd last one has weights 0, but 0 times infinity is NaN: it is stored as 0. sum[][]
 * becomes what was stored. */
INLINE void store_sums(Word *y, const Convolution *conv, Vec sum[PIXELS][FILTERS], int k, int pixels,
                       int filters)
{
#pragma GCC unroll 8
    for (int p = 0; p < pixels; p++)
#pragma GCC unroll 8
        for (int f = 0; f < filters; f += UNIT) {
            Unit u;
            UNROLL_UNIT
            for (int i = 0; i < UNIT; i++)
                u.channel[i] = conv->relu ? positive(sum[p][f + i]) : sum[p][f + i];
            if (UNIT > 1 && k + f + UNIT > conv->out.c)
                u.channel[UNIT - 1] = (Vec){0};
            u = store_unit(y + p * pixel_words(conv->out) + f / UNIT * LANES, u);
            UNROLL_UNIT
            for (int i = 0; i < UNIT; i++)
                sum[p][f + i] = u.channel[i];
        }
}

/* Adds what the tile has stored to the sums of its channels. What the next row is multiplied with is fetched
 * meanwhile: 3% of a step of bf16 with 16 channels. */
INLINE void add_tile(RunSums *runs, Vec sum[PIXELS][FILTERS], const Word *with, Shape out, int pixels,
                     int filters)
{
#pragma GCC unroll 8
    for (int f = 0; f < filters; f += UNIT)
#pragma GCC unroll 8
        for (int p = 0; p < pixels; p++) {
            Unit factor = {{{0}}};
            if (with) {
                const Word *at = with + p * pixel_words(out) + f / UNIT * LANES;
                __builtin_prefetch(at + row_words(out));
                factor = load_unit(at);
            }
            UNROLL_UNIT
            for (int i = 0; i < UNIT; i++)
                add_pixel(&runs[f + i], sum[p][f + i], with ? factor.channel[i] : sum[p][f + i]);
        }
}

/* y[yo][xo .. xo + pixels - 1][k .. k + filters - 1] of one group, one part of its lanes, and the sums of
 * these channels, if they are wanted. */
INLINE void tile(const Convolution *conv, RunSums *runs, int group, int yo, int xo, int k, int part,
                 int pixels, int filters)
{
    const Shape in = conv->in, out = conv->out;
    const int side = conv->side, stride = conv->stride, pad = (side - 1) / 2, units = units_of(in.c);
    const size_t in_pixel = pixel_words(in);
    const Weight *weights = conv->weights + (size_t)k * side * side * units;
    Word *y =
        conv->y + row_at(out, group, yo) + xo * pixel_words(out) + (size_t)(k / UNIT) * LANES + part * VL;
    Vec sum[PIXELS][FILTERS];
    start_sums(sum, conv, y, k, pixels, filters);
    for (int i = 0; i < side; i++) {
        const int yi = yo * stride + i - pad;
        if (yi < 0 || yi >= in.h)
            continue;
        for (int j = 0; j < side; j++) {
            const int xi = xo * stride + j - pad;
            const bool no_first = xi < 0, no_last = xi + (pixels - 1) * stride >= in.w;
            const Weight *tap_weights = weights + (size_t)(i * side + j) * units * filters;
            const Word *x = row_of(conv->x, in, group, yi) + xi * (ptrdiff_t)in_pixel + part * VL;
            const size_t step = (size_t)stride * in_pixel;
            if (!no_first && !no_last)
                accumulate_tap(sum, x, step, tap_weights, units, 0, pixels, filters);
            else if (!no_last)
                accumulate_tap(sum, x, step, tap_weights, units, 1, pixels, filters);
            else if (!no_first)
                accumulate_tap(sum, x, step, tap_weights, units, 0, pixels - 1, filters);
            else
                accumulate_tap(sum, x, step, tap_weights, units, 1, pixels - 1, filters);
        }
    }
    store_sums(y, conv, sum, k, pixels, filters);
    if (conv->sums && conv->sums->with)
        add_tile(runs, sum, conv->sums->with + (y - conv->y), out, pixels, filters);
    else if (conv->sums)
        add_tile(runs, sum, NULL, out, pixels, filters);
}

/* All pixels of one row for one tile of filters: 4 at a time, then 2, then 1. */
INLINE void row_of_tiles(const Convolution *conv, int group, int yo, int k, int filters)
{
    const Shape out = conv->out;
    for (int part = 0; part < PARTS; part++) {
        RunSums runs[FILTERS] = {0};
        LaneSums lanes[FILTERS] = {0};
        int xo = 0;
        for (; xo + PIXELS <= out.w; xo += PIXELS) {
            tile(conv, runs, group, yo, xo, k, part, PIXELS, filters);
            if (UNIT > 1 && conv->sums && (xo + PIXELS) % BF16_RUN == 0)
                end_runs(lanes, runs, filters);
        }
        for (; xo + 2 <= out.w; xo += 2)
            tile(conv, runs, group, yo, xo, k, part, 2, filters);
        for (; xo < out.w; xo++)
            tile(conv, runs, group, yo, xo, k, part, 1, filters);
        if (!conv->sums)
            continue;
        end_runs(lanes, runs, filters);
        double *partial = partial_at(conv->sums, out, group, yo, out.h) + k;
        store_lanes(partial, partial + out.c, lanes, filters, filters < out.c - k ? filters : out.c - k, part,
                    lanes_used(out.n, group));
    }
}

static void row_full(const Convolution *conv, int group, int yo, int k)
{
    row_of_tiles(conv, group, yo, k, FILTERS);
}

static void row_rest(const Convolution *conv, int group, int yo, int k, int filters)
{
    if (FILTERS > 4 && filters == 4)
        row_of_tiles(conv, group, yo, k, FILTERS > 4 ? 4 : UNIT);
    else if (filters == 2)
        row_of_tiles(conv, group, yo, k, 2);
    else
        row_of_tiles(conv, group, yo, k, UNIT);
}

static void row(const Convolution *conv, int group, int yo)
{
    const int filters = units_of(conv->out.c) * UNIT;
    for (int k = 0; k < filters;) {
        const int width = tile_filters(filters - k);
        if (width == FILTERS)
            row_full(conv, group, yo, k);
        else
            row_rest(conv, group, yo, k, width);
        k += width;
    }
}

/* Rows from..to-1; behind the second row of a square the sums over squares. */
static void rows(const Convolution *conv, int group, int from, int to)
{
    for (int yo = from; yo < to; yo++) {
        row(conv, group, yo);
        if (conv->sums && conv->sums->squares && yo % 2 == 1)
            SET(square_row)
        (conv->sums->squares, conv->y, 0, units_of(conv->out.c), conv->out, group, yo / 2);
    }
}

/* Rows of all groups are independent, those of a square belong together: the unit of work of a thread. */
static void convolve(const Convolution *conv)
{
    const int h = conv->out.h, together = conv->sums && conv->sums->squares ? 2 : 1;
#pragma omp parallel for collapse(2) schedule(static)
    for (int group = 0; group < lanes_groups(conv->out.n); group++)
        for (int yo = 0; yo < h; yo += together)
            rows(conv, group, yo, yo + together < h ? yo + together : h);
    if (conv->sums)
        SET(map_sums_finish)
    (conv->sums->sum, conv->sums->product, conv->sums->partials, conv->out.h, conv->out);
}

static void forward(Word *y, const Word *x, const float *w, const float *b, bool relu, const MapSums *sums,
                    Conv2dShape s, void *scratch)
{
    assert((s.side == 1 || s.side == 3) && (s.stride == 1 || s.stride == 2));
#ifdef TILE_PRODUCTS
    if (s.stride == 1) {
        SET(conv2d_tiles)(y, x, w, b, relu, false, false, sums, s, scratch);
        return;
    }
#endif
    const int taps = s.side * s.side;
    pack_filters(scratch, &(Filters){w, s.k, s.c, taps, (size_t)s.c * taps, taps, false});
    const Convolution conv = {.x = all_rows(x),
                              .y = y,
                              .weights = scratch,
                              .bias = b,
                              .in = conv2d_input(s),
                              .out = conv2d_output(s),
                              .side = s.side,
                              .stride = s.stride,
                              .relu = relu,
                              .sums = sums};
    convolve(&conv);
}

void SET(conv2d_forward)(Word *y, const Word *x, const float *w, const float *b, bool relu, Conv2dShape s,
                         void *scratch)
{
    forward(y, x, w, b, relu, NULL, s, scratch);
}

void SET(conv2d_layer_forward)(Word *y, const Word *x, const float *w, const float *b, const MapSums *sums,
                               Conv2dShape s, void *scratch)
{
    forward(y, x, w, b, true, sums, s, scratch);
}

void SET(conv2d_backward_data)(Word *dx, const Word *dy, const float *w, Conv2dShape s, void *scratch)
{
    if (s.stride == 2)
        SET(conv2d_backward_data_strided)(dx, dy, w, s);
    else
        SET(conv2d_backward_data_from)(dx, true, dy, w, NULL, s, scratch);
}

#ifdef TILE_PRODUCTS
void SET(conv2d_backward_data_from)(Word *dx, bool add, const Word *dy, const float *w, const MapSums *sums,
                                    Conv2dShape s, void *scratch)
{
    assert(s.stride == 1);
    SET(conv2d_tiles)(dx, dy, w, NULL, false, true, add, sums, s, scratch);
}
#else
/* The forward pass from dy with the filters flipped and transposed. */
static void pack_backward(Weight *packed, const float *w, Conv2dShape s)
{
    const int taps = s.side * s.side;
    pack_filters(packed, &(Filters){w, s.c, s.k, taps, taps, (size_t)s.c * taps, true});
}

static Convolution backward_of(Word *dx, bool add, Rows dy, const void *packed, const MapSums *sums,
                               Conv2dShape s)
{
    return (Convolution){.x = dy,
                         .y = dx,
                         .weights = packed,
                         .in = conv2d_output(s),
                         .out = conv2d_input(s),
                         .side = s.side,
                         .stride = 1,
                         .add = add,
                         .sums = sums};
}

void SET(conv2d_backward_data_from)(Word *dx, bool add, const Word *dy, const float *w, const MapSums *sums,
                                    Conv2dShape s, void *scratch)
{
    assert(s.stride == 1);
    pack_backward(scratch, w, s);
    const Convolution conv = backward_of(dx, add, all_rows(dy), scratch, sums, s);
    convolve(&conv);
}

static void pack_data(float *packed, const float *w, Conv2dShape s)
{
    pack_backward((Weight *)packed, w, s);
}

/* Adds to what pooling hands back, a square of rows after the other. */
static void data_band(const DataBands *data, Rows dy, Band band, Later later, float *room)
{
    (void)room;
    (void)later;
    const bool pooled = data->unpooling.dy != NULL;
    const Convolution conv =
        backward_of(data->dx, data->add || pooled, dy, data->packed, data->sums, data->s);
    for (int y = band.from; y < band.to; y++) {
        if (pooled && y % 2 == 0)
            SET(unpool_rows)(data->dx, &data->unpooling, conv.out, band.group, y / 2);
        rows(&conv, band.group, y, y + 1);
    }
}

const DataKernel SET(direct_data) = {direct_packed_floats, no_floats, pack_data, data_band, rows_of_sums};
#endif
