/* Depthwise convolution, backward weights: dw[c][tap] = sum over images and pixels of dy x. Twin of
 * ref/depthwise.c.
 *
 * Bound by bytes: it reads two tensors once. Each lane keeps its own 9 sums a channel, and the bias's; those
 * of CHANNELS channels stay in the first cache while the map goes by, those of a unit in registers over a
 * row. Each group's sums over its used lanes are partials, in double, which are added in group order.
 *
 * Error: a lane adds M = H W products one by one: |got - ref| <= (M + 2) 2^-24 gauge. */
#include "operations.h"
#include "simd/isa.h"
#include <string.h>

enum { CHANNELS = 32, BLOCK = CHANNELS / UNIT, TAPS = 9, SUMS = TAPS + 1 };

typedef struct {
    Vec sum[BLOCK][UNIT][SUMS];
} Block;

size_t SET(depthwise_scratch)(Shape s)
{
    return (size_t)lanes_groups(s.n) * s.c * SUMS * sizeof(double);
}

INLINE Unit column(const Word *row, int x, Shape s)
{
    return row && x >= 0 && x < s.w ? load_unit(row + x * pixel_words(s)) : (Unit){{{0}}};
}

/* Adds row y of one unit to its sums; dy and x are the unit's words in pixel 0 of the group. */
INLINE void add_row(Vec sum[UNIT][SUMS], const Word *dy, const Word *x, int y, Shape s)
{
    Vec kept[UNIT][SUMS];
    const Word *rows[3];
    memcpy(kept, sum, sizeof kept);
    for (int i = 0; i < 3; i++)
        rows[i] = y + i - 1 >= 0 && y + i - 1 < s.h ? x + (y + i - 1) * row_words(s) : NULL;
    for (int column_at = 0; column_at < s.w; column_at++) {
        const Unit gradient = load_unit(dy + y * row_words(s) + column_at * pixel_words(s));
#pragma GCC unroll 9
        for (int tap = 0; tap < TAPS; tap++) {
            const Unit input = column(rows[tap / 3], column_at + tap % 3 - 1, s);
            UNROLL_UNIT
            for (int k = 0; k < UNIT; k++)
                kept[k][tap] += gradient.channel[k] * input.channel[k];
        }
        UNROLL_UNIT
        for (int k = 0; k < UNIT; k++)
            kept[k][TAPS] += gradient.channel[k];
    }
    memcpy(sum, kept, sizeof kept);
}

/* Adds the sums of the lanes from `part` on that are in use to the partials of the group, [c][SUMS]. */
static void add_lanes(double *partial, const Block *block, int first, int units, int part, Shape s, int used)
{
    for (int unit = 0; unit < units; unit++)
        for (int k = 0; k < UNIT && (first + unit) * UNIT + k < s.c; k++)
            for (int i = 0; i < SUMS; i++)
                for (int lane = 0; lane < VL && part + lane < used; lane++)
                    partial[(size_t)((first + unit) * UNIT + k) * SUMS + i] += block->sum[unit][k][i][lane];
}

void SET(depthwise_backward_weights)(float *dw, float *db, const Word *dy, const Word *x, Shape s,
                                     double *scratch)
{
    const int groups = lanes_groups(s.n), units = units_of(s.c), blocks = (units + BLOCK - 1) / BLOCK;
    memset(scratch, 0, SET(depthwise_scratch)(s));
#pragma omp parallel for collapse(2) schedule(static)
    for (int group = 0; group < groups; group++)
        for (int i = 0; i < blocks; i++) {
            const int first = i * BLOCK, count = units - first < BLOCK ? units - first : BLOCK;
            for (int part = 0; part < LANES; part += VL) {
                Block block;
                memset(&block, 0, sizeof block);
                for (int y = 0; y < s.h; y++)
                    for (int unit = 0; unit < count; unit++) {
                        const size_t at =
                            group * group_words(s) + (size_t)(first + unit) * LANES + (size_t)part;
                        add_row(block.sum[unit], dy + at, x + at, y, s);
                    }
                add_lanes(scratch + (size_t)group * s.c * SUMS, &block, first, count, part, s,
                          lanes_used(s.n, group));
            }
        }
    for (int c = 0; c < s.c; c++)
        for (int i = 0; i < SUMS; i++) {
            double sum = 0;
            for (int group = 0; group < groups; group++)
                sum += scratch[((size_t)group * s.c + c) * SUMS + i];
            if (i < TAPS)
                dw[(size_t)c * TAPS + i] += sum;
            else if (db)
                db[c] += sum;
        }
}
