/* Depthwise convolution. Twin of ref/depthwise.c; backward weights is in fast/depthwise_backward_weights.c.
 *
 * Bound by bytes, if each pixel comes from memory once: it is read and written once, for 9 multiply-adds. The
 * three rows that an output row needs wait in the second cache, which they fit for CHANNELS channels at a
 * time (32 columns of 64 channels are 128 KB a row); and a pixel of so many channels is 4 KB in a row, long
 * enough for memory. From there to registers a tile of PIXELS neighbouring pixels shares its columns and its
 * weights: 3 times PIXELS + 2 loads and 9 broadcasts for 9 PIXELS multiply-adds a channel.
 *
 * Backward data is the forward pass from dy with the taps in reverse. Weights are not rounded in bf16.
 *
 * Error: a sum of 9 products and a start: |got - ref| <= 11 2^-24 gauge, in bf16 one rounding of 2^-8 more.
 */
#include "operations.h"
#include "simd/isa.h"

enum { PIXELS = 4, CHANNELS = 64, BLOCK = CHANNELS / UNIT, TAPS = 9 };

/* What the tiles of one call share. */
typedef struct {
    Word *y;
    const Word *x;
    const float *w, *b;
    Shape s;
    bool flipped, add; /* taps in reverse; start from y */
} Depthwise;

/* Column x of a row; 0 beside the map. */
INLINE Unit column(const Word *row, int x, Shape s)
{
    return x >= 0 && x < s.w ? load_unit(row + x * pixel_words(s)) : (Unit){{{0}}};
}

/* The weight of channel c; a channel beyond an odd last one has none. */
INLINE Vec weight(const Depthwise *d, int c, int tap)
{
    return broadcast(c < d->s.c ? d->w[(size_t)c * TAPS + (d->flipped ? TAPS - 1 - tap : tap)] : 0);
}

/* Pixels x .. x + pixels - 1 of row y of one unit; at: the words of the unit in a pixel of the group. */
INLINE void tile(const Depthwise *d, size_t group, int unit, int part, int y, int x, const int pixels)
{
    const Shape s = d->s;
    const size_t at = group + (size_t)unit * LANES + part, pixel = pixel_words(s);
    Word *to = d->y + at + y * row_words(s) + x * pixel;
    Unit sum[PIXELS];
#pragma GCC unroll 4
    for (int p = 0; p < pixels; p++)
        UNROLL_UNIT
    for (int i = 0; i < UNIT; i++) {
        const int c = unit * UNIT + i;
        sum[p].channel[i] = broadcast(d->b && c < s.c ? d->b[c] : 0);
        if (d->add)
            sum[p].channel[i] = load_unit(to + p * pixel).channel[i];
    }
    for (int i = 0; i < 3; i++) {
        if (y + i - 1 < 0 || y + i - 1 >= s.h)
            continue;
        const Word *row = d->x + at + (y + i - 1) * row_words(s);
        Unit columns[PIXELS + 2];
#pragma GCC unroll 8
        for (int p = 0; p < pixels + 2; p++)
            columns[p] = column(row, x + p - 1, s);
#pragma GCC unroll 4
        for (int j = 0; j < 3; j++)
            UNROLL_UNIT
        for (int k = 0; k < UNIT; k++) {
            const Vec w = weight(d, unit * UNIT + k, i * 3 + j);
#pragma GCC unroll 4
            for (int p = 0; p < pixels; p++)
                sum[p].channel[k] += columns[p + j].channel[k] * w;
        }
    }
#pragma GCC unroll 4
    for (int p = 0; p < pixels; p++)
        store_unit(to + p * pixel, sum[p]);
}

static void convolve(const Depthwise *d)
{
    const Shape s = d->s;
    const int blocks = (units_of(s.c) + BLOCK - 1) / BLOCK;
#pragma omp parallel for collapse(2) schedule(static)
    for (int group = 0; group < lanes_groups(s.n); group++)
        for (int block = 0; block < blocks; block++) {
            const int end = (block + 1) * BLOCK < units_of(s.c) ? (block + 1) * BLOCK : units_of(s.c);
            for (int y = 0; y < s.h; y++)
                for (int x = 0; x < s.w; x += PIXELS)
                    for (int unit = block * BLOCK; unit < end; unit++)
                        for (int part = 0; part < LANES; part += VL) {
                            const size_t at = group * group_words(s);
                            if (x + PIXELS <= s.w)
                                tile(d, at, unit, part, y, x, PIXELS);
                            else
                                for (int p = x; p < s.w; p++)
                                    tile(d, at, unit, part, y, p, 1);
                        }
        }
}

void SET(depthwise_forward)(Word *y, const Word *x, const float *w, const float *b, Shape s)
{
    convolve(&(Depthwise){y, x, w, b, s, false, false});
}

void SET(depthwise_backward_data)(Word *dx, const Word *dy, const float *w, Shape s)
{
    convolve(&(Depthwise){dx, dy, w, NULL, s, true, true});
}

void SET(depthwise_backward_data_to)(Word *dx, const Word *dy, const float *w, Shape s)
{
    convolve(&(Depthwise){dx, dy, w, NULL, s, true, false});
}
