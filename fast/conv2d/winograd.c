// book: winograd_limits
/* Convolution with 3x3 filters at stride 1, forward and backward data, by Winograd's F(4x4, 3x3). Twin of
 * ref/conv2d.c beside the direct fast/conv2d.c; backward weights is fast/conv2d/winograd_backward_weights.c.
 *
 * A tile of 4x4 pixels of y comes from 6x6 pixels d of x. With the filter g of a channel c of x,
 *
 *     y = A^T [ sum over c of (G g G^T) . (B^T d B) ] A,       . position by position, of 36.
 *
 * The matrices interpolate at the points 0, a, -a, b, -b and infinity; their rows are in transform_filter,
 * transform_input and transform_output, in the headers. With a = 5/8, b = 3/2 the error is twice that of
 * the direct sum (root mean square, 16 to 128 channels); with the usual 1 and 2 it is five times, for a few
 * additions less.
 *
 * Order: the input of 2 tiles, all channels, is transformed into v (gather), which stays in L2: 288 KiB at 64
 * channels. For 8 filters at a time, position by position, v and the transformed filters give products
 * (multiply: 2 vectors x 8 filters in registers), whose transform is y (scatter). The products of 2 tiles
 * and 8 filters, 36 KiB, stay in L1 until then; those of 3 tiles do not, and a step of f32 takes 6% more.
 * With registers of 8 or 4 floats it is 3 tiles, and 3 vectors x 4 filters. Per block of tiles v is read once
 * a block of filters, from L2; the filters once, from L2 or L3, at 64 channels 4 bytes a cycle; x and y once,
 * from memory, fetched while multiply computes, a line at a time: they lie 4 KiB and more apart, where no
 * hardware prefetcher follows, and many at once would wait for each other. The next tiles' x is fetched last:
 * earlier, the filters push it out of L2 again before it is used.
 *
 * A multi-resolution layer pools the x of its convolution, and adds what pooling hands back to the dx of it.
 * Maxima are taken here, and any mode's gradient added, in registers, where x and dx pass anyway.
 *
 * Limit: 36 C K multiply-adds a tile where the direct sum has 144, so 4 times the peak in operations of the
 * direct sum. Transforms add 144 instructions a tile and channel and 120 a tile and filter, 11% at 64
 * channels, 46% at 16; their vectors are stored once and read once more. F(2x2, 3x3) would end at 2.25 times
 * the peak, below what F(4x4, 3x3) reaches from 32 channels on, and its transforms cost as much a pixel.
 * Reached at 32x32 with AVX-512 (2 cores, Zen 5): 2.5 times the peak at 64 channels, 2.1 at 32, 1.5 at 16. In
 * a step at 64 multiply takes 71% of the time, at 82 to 88% of the peak; gather and scatter take 29%, where
 * their instructions alone would be 8%: the lines that they load and store are in L2 or in memory, not in L1.
 *
 * Error: every term of y is a product of entries of A, G, g, B, d and A. The input's transform rounds it up
 * to 4 times in each direction (product, sum, product, sum), the filter's, in double, once when it becomes
 * float, the sum over C products C times, the output's transform up to 4 times in each direction, the bias or
 * the start once:
 *
 *     |got - ref| <= (C + 18) 2^-24 gauge,
 *     gauge = |A^T| [ sum over c of (|G| |g| |G^T|) . (|B^T| |d| |B|) ] |A| + |b|,
 *
 * about 50 times the gauge of the direct sum, and in bf16, whose filters are float here, one rounding of 2^-8
 * when the result is stored. a, b and all that the transforms multiply with are exact. */
// book: end
#include "products.h"
#include "winograd_filters.h"
#include "winograd_tiles.h"
#include <assert.h>
#include <limits.h>
#include <omp.h>
#include <string.h>

/* Of one product in registers, beside FILTERS; that scatter needs at a position; lines of a run. */
enum { VECTORS = TILES, RUNS = 2 * TILES, LINES = BLOCK / UNIT };

/* Measured against the direct sum in every instruction set, 192 images: 16->16 channels at 4x4 are 1.5 times
 * as fast (1.1 on two threads), 64->10 at 32x32 1.3, 64->64 2.0 at 4x4 and 2.8 at 32x32; 8->8 at 4x4 are as
 * fast, and maps that tiles of 4x4 cover badly slower (64->64: 0.9 at 5x5, 0.4 at 2x2). Where bf16 multiplies
 * pairs its direct sum is twice as fast: 16 channels do not pay, nor do maps of 4x4, which gain 7% at 64
 * channels and lose 40% at 128. The batch and the threads have no say,
 * though 48 images at 4x4 are no work for two threads (0.9): the same images give the same bits in any batch
 * and at any number of threads. */
bool SET(winograd_pays)(Conv2dShape s)
{
#if defined TILE_PRODUCTS /* whose products are an order of magnitude faster than those of floats */
    const int least = INT_MAX, smallest = TILE;
#elif defined DOT_PRODUCTS
    const int least = 24, smallest = 2 * TILE;
#else
    const int least = 10, smallest = TILE;
#endif
    return s.side == 3 && s.stride == 1 && s.c >= least && s.k >= least && s.h % TILE == 0 &&
           s.w % TILE == 0 && s.h >= smallest && s.w >= smallest;
}

static size_t buffer_floats(Shape in, Shape out)
{
    return POSITIONS * position_floats(in.c) + (size_t)BLOCK * POSITIONS * ROW + pixel_words(out);
}

/* Packed filters, and behind them the zeros beyond a border. */
static size_t constant_floats(Shape in, Shape out)
{
    return packed_floats(in.c, out.c) + pixel_words(in);
}

static size_t scratch_floats(Shape in, Shape out, int threads)
{
    return constant_floats(in, out) + threads * buffer_floats(in, out);
}

size_t SET(winograd_scratch)(Conv2dShape s, int threads)
{
    const size_t forward = scratch_floats(conv2d_input(s), conv2d_output(s), threads);
    const size_t backward = scratch_floats(conv2d_output(s), conv2d_input(s), threads);
    const size_t data = (forward > backward ? forward : backward) * sizeof(float);
    const size_t weights = SET(winograd_weights_scratch)(s, threads);
    return data > weights ? data : weights;
}

/* The runs of lines that scatter needs of 8 filters of every tile, a share at each position: first of a pixel
 * of y; of the gradient of pooled maps and of sums over squares; of the marks; last of the map that y is
 * multiplied with. */
static int runs_of(const Word *runs[RUNS], const Winograd *win, const Tile tiles[TILES], int position, int k)
{
    const int q = position % SQUARES, share = position / SQUARES - PIXELS / SQUARES,
              last = position + PIXELS - POSITIONS;
    const size_t at = (size_t)k / UNIT * LANES;
    const bool with = win->sums && win->sums->with && last >= 0;
    int count = 0;
    for (int t = 0; t < TILES; t++) {
        const Word *dpooled = tiles[t].dpooled[q];
        if (share < 0)
            runs[count++] = tiles[t].out[position] + at;
        if (share == 0 && dpooled)
            runs[count++] = dpooled + at;
        if (share == 0 && tiles[t].squares[q])
            runs[count++] = tiles[t].squares[q] + at;
        if (share == 1 && dpooled && win->unpooling.marks)
            runs[count++] = (const Word *)(win->unpooling.marks + (dpooled + at - win->unpooling.dy) * UNIT);
        if (with && tiles[t].partial)
            runs[count++] = win->sums->with + (tiles[t].out[last] - win->y) + at;
    }
    return count;
}

/* VECTORS x FILTERS sums over the channels at one position. Meanwhile a pixel that is needed later is
 * fetched.
 */
INLINE void multiply(float *m, const float *v, const float *u, int channels, const Word *later,
                     const Word *const runs[RUNS], int count)
{
    Vec sum[VECTORS][FILTERS] = {{{0}}};
    for (int c = 0; c < channels; c++, v += ROW, u += FILTERS) {
        Vec input[VECTORS];
        __builtin_prefetch(later + c / UNIT * LANES);
        if (c < count * LINES)
            __builtin_prefetch(runs[c / LINES] + c % LINES * LANES);
#pragma GCC unroll 8
        for (int i = 0; i < VECTORS; i++)
            input[i] = load(v + i * VL);
#pragma GCC unroll 8
        for (int f = 0; f < FILTERS; f++) {
            const Vec weight = broadcast(u[f]);
#pragma GCC unroll 8
            for (int i = 0; i < VECTORS; i++)
                sum[i][f] += input[i] * weight;
        }
    }
#pragma GCC unroll 8
    for (int f = 0; f < FILTERS; f++)
#pragma GCC unroll 8
        for (int i = 0; i < VECTORS; i++)
            store(m + (size_t)f * POSITIONS * ROW + i * VL, sum[i][f]);
}

/* The next words of those that are needed after these tiles, as many as a pixel has, or `none`. */
INLINE const Word *next_pixel(Later *later, const Word *none, size_t words)
{
    if (!later || later->words < words)
        return none;
    const Word *from = later->from[0];
    later->from[0] = later->from[1];
    later->from[1] = from + words;
    later->words -= words;
    return from;
}

/* What the next gather needs, a share at each position: a pixel of x, and instead of those of the first
 * column, which the tile before has read, where pooled maps and their marks go. */
static const Word *next_lines(const Winograd *win, const Tile *next, int position)
{
    const int q = position / SPAN;
    if (position % SPAN > 0 || !next->pooled[0])
        return next->in[position];
    return q < SQUARES ? next->pooled[q]
                       : (const Word *)(win->marks + (next->pooled[q % SQUARES * 2] - win->pooled) * UNIT);
}

/* The products m [filter][position][tile] of one block of filters from v. What scatter and, if there is
 * `later`, the next gather need is fetched meanwhile; otherwise what `other` names, if it is not NULL. */
static void multiply_block(float *m, const float *v, const Winograd *win, int k, const Tile tiles[TILES],
                           const Tile *later, Later *other)
{
    const int channels = win->in.c;
    const float *u = win->filters + (size_t)k * POSITIONS * channels;
    for (int p = 0; p < POSITIONS; p++, v += position_floats(channels)) {
        const Word *runs[RUNS];
        const int count = runs_of(runs, win, tiles, p, k);
        for (int f = 0; f < BLOCK; f += FILTERS, u += (size_t)FILTERS * channels)
            for (int i = 0; i < ROW; i += VECTORS * VL)
                multiply(m + ((size_t)f * POSITIONS + p) * ROW + i, v + i, u, channels,
                         later ? next_lines(win, later, p)
                               : next_pixel(other, tiles[0].in[p], pixel_words(win->in)),
                         runs, count);
        for (int line = channels; line < count * LINES; line++)
            __builtin_prefetch(runs[line / LINES] + line % LINES * LANES);
    }
}

/* TILES tiles from number `first` on, all filters. */
static void convolve_tiles(const Winograd *win, int first, Later *other, float *buffer)
{
    const int channels = win->in.c;
    float *v = buffer, *m = v + POSITIONS * position_floats(channels);
    Word *nowhere = m + (size_t)BLOCK * POSITIONS * ROW;
    Tile tiles[TILES], next[TILES];
    for (int t = 0; t < TILES; t++) {
        locate(&tiles[t], win, first + t, nowhere);
        locate(&next[t], win, first + TILES + t, nowhere);
        if (win->pooled)
            gather(v + t * LANES, win, &tiles[t], true);
        else
            gather(v + t * LANES, win, &tiles[t], false);
    }
    const int blocks = block_count(win->out.c);
    for (int block = 0; block < blocks; block++) {
        const int soon = block - (blocks - TILES);
        multiply_block(m, v, win, block * BLOCK, tiles, soon >= 0 ? &next[soon] : NULL, other);
        scatter_block(win, tiles, m, block * BLOCK);
    }
}

static void pack(float *constants, const float *w, Shape in, Shape out, bool flipped)
{
    pack_filters(constants, w, out.c, in.c, flipped);
    memset(constants + packed_floats(in.c, out.c), 0, pixel_words(in) * sizeof(Word));
}

/* With what is packed; all tiles. */
static Winograd with_constants(Winograd win, const float *constants)
{
    win.filters = constants;
    win.zeros = constants + packed_floats(win.in.c, win.out.c);
    win.down = tiles_over(win.out.h);
    win.across = tiles_over(win.out.w);
    win.end = lanes_groups(win.in.n) * win.down * win.across;
    return win;
}

/* A tile's sums do not depend on which others share its block: the threads may divide them as they like. */
static void convolve(Winograd win, const float *w, bool packed, bool flipped, float *scratch)
{
    if (!packed)
        pack(scratch, w, win.in, win.out, flipped);
    const Winograd all = with_constants(win, scratch);
    float *buffers = scratch + constant_floats(win.in, win.out);
#pragma omp parallel for schedule(static)
    for (int first = 0; first < all.end; first += TILES)
        convolve_tiles(&all, first, NULL, buffers + omp_get_thread_num() * buffer_floats(win.in, win.out));
    if (win.sums)
        SET(map_sums_finish)
    (win.sums->sum, win.sums->product, win.sums->partials, all.down * all.across, win.out);
}

void SET(winograd_layer_forward)(Word *y, Word *pooled, Mark *marks, const Word *x, const float *w,
                                 const float *b, bool packed, const MapSums *sums, Conv2dShape s,
                                 void *scratch)
{
    assert(s.side == 3 && s.stride == 1 && (!sums || (s.h % TILE == 0 && s.w % TILE == 0)));
    convolve((Winograd){.x = all_rows(x),
                        .y = y,
                        .bias = b,
                        .in = conv2d_input(s),
                        .out = conv2d_output(s),
                        .relu = true,
                        .pooled = pooled,
                        .marks = marks,
                        .sums = sums},
             w, packed, false, scratch);
}

void SET(winograd_forward)(Word *y, const Word *x, const float *w, const float *b, bool relu, Conv2dShape s,
                           void *scratch)
{
    assert(s.side == 3 && s.stride == 1);
    convolve((Winograd){.x = all_rows(x),
                        .y = y,
                        .bias = b,
                        .relu = relu,
                        .in = conv2d_input(s),
                        .out = conv2d_output(s)},
             w, false, false, scratch);
}

/* The forward pass from dy with the filters flipped and transposed. */
void SET(winograd_layer_backward_data)(Word *dx, Unpooling unpooling, const Word *dy, const float *w,
                                       bool packed, const MapSums *sums, Conv2dShape s, void *scratch)
{
    assert(s.side == 3 && s.stride == 1 && (!sums || (s.h % TILE == 0 && s.w % TILE == 0)));
    convolve((Winograd){.x = all_rows(dy),
                        .y = dx,
                        .in = conv2d_output(s),
                        .out = conv2d_input(s),
                        .unpooling = unpooling,
                        .sums = sums},
             w, packed, true, scratch);
}

void SET(winograd_backward_data)(Word *dx, const Word *dy, const float *w, Conv2dShape s, void *scratch)
{
    assert(s.side == 3 && s.stride == 1);
    convolve(
        (Winograd){.x = all_rows(dy), .y = dx, .add = true, .in = conv2d_output(s), .out = conv2d_input(s)},
        w, false, true, scratch);
}

static size_t data_packed_floats(Conv2dShape s)
{
    return constant_floats(conv2d_output(s), conv2d_input(s));
}

static size_t data_room_floats(Conv2dShape s)
{
    return buffer_floats(conv2d_output(s), conv2d_input(s));
}

static void pack_data(float *packed, const float *w, Conv2dShape s)
{
    pack(packed, w, conv2d_output(s), conv2d_input(s), true);
}

static void data_band(const DataBands *data, Rows dy, Band band, Later later, float *room)
{
    Winograd win = with_constants((Winograd){.x = dy,
                                             .y = data->dx,
                                             .add = data->add,
                                             .in = conv2d_output(data->s),
                                             .out = conv2d_input(data->s),
                                             .unpooling = data->unpooling,
                                             .sums = data->sums},
                                  data->packed);
    const int above = band.group * win.down;
    win.end = (above + tiles_over(band.to)) * win.across;
    for (int first = (above + band.from / TILE) * win.across; first < win.end; first += TILES)
        convolve_tiles(&win, first, &later, room);
}

static int sum_parts(Conv2dShape s)
{
    return tiles_over(s.h) * tiles_over(s.w);
}

const DataKernel SET(winograd_data) = {data_packed_floats, data_room_floats, pack_data, data_band, sum_parts};
