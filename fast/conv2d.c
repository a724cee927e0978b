/* Convolution, forward and backward data. Twin of ref/conv2d.c; backward weights is in
 * fast/conv2d_backward_weights.c.
 *
 * Bound by arithmetic: at 64 channels each loaded byte takes part in about 10 operations. A tile of PIXELS
 * pixels of one row x FILTERS output channels stays in registers over the whole sum: per tap and input
 * channel it loads PIXELS vectors (16 images each) and FILTERS broadcast weights for PIXELS x FILTERS
 * multiply-adds. With 32 registers that is 4 x 6 (24 sums, 4 inputs, 1 weight); with 16 it is 4 x 3, for each
 * part of the lanes. Zero padding is a tap that is skipped, so border pixels cost less, not more.
 *
 * Backward data is the forward pass from dy with the filters flipped and transposed.
 *
 * Error: a sum of n = S S C products (S S K backward) and the start value, each added with one rounding of
 * the sum and one of the product where there is no fused multiply-add: |got - ref| <= (n + 2) 2^-24 gauge. */
#include "isa.h"
#include "operations.h"
#include <assert.h>
#include <string.h>

enum { PIXELS = 4, FILTERS = VL == 16 ? 6 : 3 };

/* What every tile of one call shares. The operation is a convolution from x (shape in) to y (shape out). */
typedef struct {
    const float *x, *weights, *bias;
    float *y;
    Shape in, out;
    int side, stride;
    bool add, relu; /* start from y; end with max(.., 0) */
} Convolution;

/* Filters of one tile start at k, a multiple of FILTERS; the last tile is split into 4, 2 and 1. */
static int tile_filters(int left)
{
    return left >= FILTERS ? FILTERS : left >= 4 ? 4 : left >= 2 ? 2 : 1;
}

/* Where tile number `tile` of `filters` starts, and how wide it is: whole tiles, then 4, 2 and 1. */
static int tile_start(int tile, int filters)
{
    int k = tile < filters / FILTERS ? tile * FILTERS : filters / FILTERS * FILTERS;
    for (int i = filters / FILTERS; i < tile; i++)
        k += tile_filters(filters - k);
    return k;
}

/* At most three tiles are narrower than the others. */
static int tile_count(int filters)
{
    return filters / FILTERS + 3;
}

/* Packs w (K,C,S,S) tile after tile, each as [tap][c][filter of the tile], so that a tile reads straight on.
 */
static void pack_filters(float *packed, const float *w, int filters, int channels, int taps)
{
#pragma omp parallel for schedule(static)
    for (int tile = 0; tile < tile_count(filters); tile++) {
        const int k = tile_start(tile, filters), width = k < filters ? tile_filters(filters - k) : 0;
        float *to = packed + (size_t)k * channels * taps;
        for (int f = 0; f < width; f++)
            for (int c = 0; c < channels; c++)
                for (int tap = 0; tap < taps; tap++)
                    to[((size_t)tap * channels + c) * width + f] =
                        w[((size_t)(k + f) * channels + c) * taps + tap];
    }
}

/* The same for backward data, where x and y change roles: filter c, channel k, taps in reverse. */
static void pack_filters_flipped(float *packed, const float *w, int channels, int filters, int taps)
{
#pragma omp parallel for schedule(static)
    for (int tile = 0; tile < tile_count(channels); tile++) {
        const int c = tile_start(tile, channels), width = c < channels ? tile_filters(channels - c) : 0;
        float *to = packed + (size_t)c * filters * taps;
        for (int k = 0; k < filters; k++)
            for (int f = 0; f < width; f++)
                for (int tap = 0; tap < taps; tap++)
                    to[((size_t)(taps - 1 - tap) * filters + k) * width + f] =
                        w[((size_t)k * channels + c + f) * taps + tap];
    }
}

/* Adds one tap to the sums of pixels first..last-1 of the tile. All of the tile's sizes are constants of the
 * call site: the compiler keeps sum[][] in registers. */
INLINE void accumulate_tap(Vec sum[PIXELS][FILTERS], const float *x, size_t pixel_stride,
                           const float *weights, int channels, int first, int last, int filters)
{
    for (int c = 0; c < channels; c++, x += LANES, weights += filters) {
        Vec input[PIXELS];
#pragma GCC unroll 8
        for (int p = first; p < last; p++)
            input[p] = load(x + (size_t)p * pixel_stride);
#pragma GCC unroll 8
        for (int f = 0; f < filters; f++) {
            const Vec weight = broadcast(weights[f]);
#pragma GCC unroll 8
            for (int p = first; p < last; p++)
                sum[p][f] += input[p] * weight;
        }
    }
}

/* y[yo][xo .. xo + pixels - 1][k .. k + filters - 1] of one group, one part of its lanes. */
INLINE void tile(const Convolution *conv, int group, int yo, int xo, int k, int part, int pixels, int filters)
{
    const Shape in = conv->in, out = conv->out;
    const int side = conv->side, stride = conv->stride, pad = (side - 1) / 2;
    const size_t in_pixel = (size_t)in.c * LANES, out_pixel = (size_t)out.c * LANES;
    const float *weights = conv->weights + (size_t)k * side * side * in.c;
    float *y = conv->y + row_at(out, group, yo) + xo * out_pixel + (size_t)k * LANES + part * VL;

    Vec sum[PIXELS][FILTERS];
#pragma GCC unroll 8
    for (int p = 0; p < pixels; p++)
#pragma GCC unroll 8
        for (int f = 0; f < filters; f++) {
            Vec start = conv->bias ? broadcast(conv->bias[k + f]) : (Vec){0};
            sum[p][f] = conv->add ? load(y + p * out_pixel + f * LANES) : start;
        }

    for (int i = 0; i < side; i++) {
        const int yi = yo * stride + i - pad;
        if (yi < 0 || yi >= in.h)
            continue;
        for (int j = 0; j < side; j++) {
            const int xi = xo * stride + j - pad;
            const bool no_first = xi < 0, no_last = xi + (pixels - 1) * stride >= in.w;
            const float *tap_weights = weights + (size_t)(i * side + j) * in.c * filters;
            const float *x = conv->x + row_at(in, group, yi) + xi * (ptrdiff_t)in_pixel + part * VL;
            const size_t step = (size_t)stride * in_pixel;
            if (!no_first && !no_last)
                accumulate_tap(sum, x, step, tap_weights, in.c, 0, pixels, filters);
            else if (!no_last)
                accumulate_tap(sum, x, step, tap_weights, in.c, 1, pixels, filters);
            else if (!no_first)
                accumulate_tap(sum, x, step, tap_weights, in.c, 0, pixels - 1, filters);
            else
                accumulate_tap(sum, x, step, tap_weights, in.c, 1, pixels - 1, filters);
        }
    }

#pragma GCC unroll 8
    for (int p = 0; p < pixels; p++)
#pragma GCC unroll 8
        for (int f = 0; f < filters; f++)
            store(y + p * out_pixel + f * LANES, conv->relu ? positive(sum[p][f]) : sum[p][f]);
}

/* All pixels of one row for one tile of filters: 4 at a time, then 2, then 1. */
INLINE void row_of_tiles(const Convolution *conv, int group, int yo, int k, int filters)
{
    for (int part = 0; part < PARTS; part++) {
        int xo = 0;
        for (; xo + PIXELS <= conv->out.w; xo += PIXELS)
            tile(conv, group, yo, xo, k, part, PIXELS, filters);
        for (; xo + 2 <= conv->out.w; xo += 2)
            tile(conv, group, yo, xo, k, part, 2, filters);
        for (; xo < conv->out.w; xo++)
            tile(conv, group, yo, xo, k, part, 1, filters);
    }
}

static void row_full(const Convolution *conv, int group, int yo, int k)
{
    row_of_tiles(conv, group, yo, k, FILTERS);
}

static void row_rest(const Convolution *conv, int group, int yo, int k, int filters)
{
    if (FILTERS > 4 && filters == 4)
        row_of_tiles(conv, group, yo, k, FILTERS > 4 ? 4 : 1);
    else if (filters == 2)
        row_of_tiles(conv, group, yo, k, 2);
    else
        row_of_tiles(conv, group, yo, k, 1);
}

/* Rows of all groups are independent: the unit of work of a thread. */
static void convolve(const Convolution *conv)
{
    const int groups = lanes_groups(conv->out.n);
#pragma omp parallel for collapse(2) schedule(static)
    for (int group = 0; group < groups; group++)
        for (int yo = 0; yo < conv->out.h; yo++)
            for (int k = 0; k < conv->out.c;) {
                const int filters = tile_filters(conv->out.c - k);
                if (filters == FILTERS)
                    row_full(conv, group, yo, k);
                else
                    row_rest(conv, group, yo, k, filters);
                k += filters;
            }
}

void F32(conv2d_forward)(float *y, const float *x, const float *w, const float *b, bool relu, Conv2dShape s,
                         void *scratch)
{
    assert((s.side == 1 || s.side == 3) && (s.stride == 1 || s.stride == 2));
    float *packed = scratch;
    pack_filters(packed, w, s.k, s.c, s.side * s.side);
    const Convolution conv = {.x = x,
                              .y = y,
                              .weights = packed,
                              .bias = b,
                              .in = conv2d_input(s),
                              .out = conv2d_output(s),
                              .side = s.side,
                              .stride = s.stride,
                              .relu = relu};
    convolve(&conv);
}

/* Backward data at stride 2, pixel by pixel of dy: the paper's own networks have no strided convolution. */
static void backward_data_strided(float *dx, const float *dy, const float *w, Conv2dShape s)
{
    const Shape in = conv2d_input(s), out = conv2d_output(s);
    const int pad = (s.side - 1) / 2, taps = s.side * s.side;
#pragma omp parallel for schedule(static)
    for (int group = 0; group < lanes_groups(s.n); group++)
        for (int pixel = 0; pixel < out.h * out.w; pixel++)
            for (int tap = 0; tap < taps; tap++) {
                const int yi = pixel / out.w * s.stride + tap / s.side - pad;
                const int xi = pixel % out.w * s.stride + tap % s.side - pad;
                if (yi < 0 || yi >= in.h || xi < 0 || xi >= in.w)
                    continue;
                const float *from = dy + group * group_floats(out) + (size_t)pixel * s.k * LANES;
                float *to = dx + row_at(in, group, yi) + (size_t)xi * s.c * LANES;
                for (int c = 0; c < s.c; c++)
                    for (int part = 0; part < LANES; part += VL) {
                        Vec sum = load(to + c * LANES + part);
                        for (int k = 0; k < s.k; k++)
                            sum += load(from + k * LANES + part) *
                                   broadcast(w[((size_t)k * s.c + c) * taps + tap]);
                        store(to + c * LANES + part, sum);
                    }
            }
}

void F32(conv2d_backward_data)(float *dx, const float *dy, const float *w, Conv2dShape s, void *scratch)
{
    if (s.stride == 2) {
        backward_data_strided(dx, dy, w, s);
        return;
    }
    float *packed = scratch;
    pack_filters_flipped(packed, w, s.c, s.k, s.side * s.side);
    const Convolution conv = {.x = dy,
                              .y = dx,
                              .weights = packed,
                              .in = conv2d_output(s),
                              .out = conv2d_input(s),
                              .side = s.side,
                              .stride = 1,
                              .add = true};
    convolve(&conv);
}
