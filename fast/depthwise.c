/* Depthwise convolution. Twin of ref/depthwise.c; backward weights is in fast/depthwise_backward_weights.c.
 *
 * Bound by bytes, if each pixel comes from memory once: it is read and written once, for 9 multiply-adds. The
 * three rows that an output row needs wait in the second cache, which they fit for CHANNELS channels at a
 * time (32 columns of 64 channels are 128 KB a row); and a pixel of so many channels is 4 KB in a row, long
 * enough for memory. From there to registers a tile of PIXELS neighbouring pixels shares its columns and its
 * weights: 3 times PIXELS + 2 loads and 9 broadcasts for 9 PIXELS multiply-adds a channel. Nothing in a tile
 * may depend on the channel but addresses: weights stand in the order in which it takes them.
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

/* The weights of a block of units in the order in which a tile takes them, and its bias; a channel beyond an
 * odd last one has zeros. */
typedef struct {
    float tap[BLOCK][UNIT][TAPS], bias[BLOCK][UNIT];
} Filters;

static void take_filters(Filters *f, const Depthwise *d, int first, int units)
{
    for (int unit = 0; unit < units; unit++)
        for (int k = 0; k < UNIT; k++) {
            const int c = (first + unit) * UNIT + k;
            const bool used = c < d->s.c;
            f->bias[unit][k] = used && d->b ? d->b[c] : 0;
            for (int tap = 0; tap < TAPS; tap++)
                f->tap[unit][k][tap] =
                    used ? d->w[(size_t)c * TAPS + (d->flipped ? TAPS - 1 - tap : tap)] : 0;
        }
}

/* Pixels x .. x + pixels - 1 of row y of one unit; at: the unit's words in pixel 0 of the group. */
INLINE void tile(const Depthwise *d, const float taps[UNIT][TAPS], const float bias[UNIT], size_t at, int y,
                 int x, const int pixels, const bool add)
{
    const Shape s = d->s;
    const size_t pixel = pixel_words(s);
    Word *to = d->y + at + y * row_words(s) + x * pixel;
    Unit sum[PIXELS];
#pragma GCC unroll 4
    for (int p = 0; p < pixels; p++) {
        UNROLL_UNIT
        for (int k = 0; k < UNIT; k++)
            sum[p].channel[k] = broadcast(bias[k]);
        if (add)
            sum[p] = load_unit(to + p * pixel);
    }
#pragma GCC unroll 3
    for (int i = 0; i < 3; i++) {
        if (y + i - 1 < 0 || y + i - 1 >= s.h)
            continue;
        const Word *row = d->x + at + (y + i - 1) * row_words(s) + x * pixel;
        Unit columns[PIXELS + 2] = {{{{0}}}};
        if (x > 0)
            columns[0] = load_unit(row - pixel);
#pragma GCC unroll 4
        for (int p = 0; p < pixels; p++)
            columns[p + 1] = load_unit(row + p * pixel);
        if (x + pixels < s.w)
            columns[pixels + 1] = load_unit(row + pixels * pixel);
#pragma GCC unroll 3
        for (int j = 0; j < 3; j++)
            UNROLL_UNIT
        for (int k = 0; k < UNIT; k++)
#pragma GCC unroll 4
            for (int p = 0; p < pixels; p++)
                sum[p].channel[k] += columns[p + j].channel[k] * broadcast(taps[k][i * 3 + j]);
    }
#pragma GCC unroll 4
    for (int p = 0; p < pixels; p++)
        store_unit(to + p * pixel, sum[p]);
}

/* The maps of some units; at: those units' words in pixel 0 of the group. Each tile asks for what the next
 * one brings: of x one row and column further. */
INLINE void map(const Depthwise *d, const Filters *f, size_t at, int units, const bool add)
{
    const Shape s = d->s;
    const size_t pixel = pixel_words(s), row = row_words(s);
    for (int y = 0; y < s.h; y++)
        for (int x = 0; x < s.w; x += PIXELS)
            for (int unit = 0; unit < units; unit++) {
                const size_t here = at + (size_t)unit * LANES, next = here + y * row + (x + PIXELS) * pixel;
#pragma GCC unroll 4
                for (int p = 0; p < PIXELS; p++) {
                    __builtin_prefetch(d->x + next + row + (p + 1) * pixel);
                    if (add)
                        __builtin_prefetch(d->y + next + p * pixel);
                }
                for (int part = 0; part < LANES; part += VL)
                    if (x + PIXELS <= s.w)
                        tile(d, f->tap[unit], f->bias[unit], here + part, y, x, PIXELS, add);
                    else
                        for (int p = x; p < s.w; p++)
                            tile(d, f->tap[unit], f->bias[unit], here + part, y, p, 1, add);
            }
}

static void convolve(const Depthwise *d)
{
    const Shape s = d->s;
    const int units = units_of(s.c), blocks = (units + BLOCK - 1) / BLOCK;
#pragma omp parallel for collapse(2) schedule(static)
    for (int group = 0; group < lanes_groups(s.n); group++)
        for (int block = 0; block < blocks; block++) {
            const int first = block * BLOCK, count = units - first < BLOCK ? units - first : BLOCK;
            const size_t at = group * group_words(s) + (size_t)first * LANES;
            Filters f;
            take_filters(&f, d, first, count);
            if (d->add)
                map(d, &f, at, count, true);
            else
                map(d, &f, at, count, false);
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
