/* Depthwise convolution, backward weights: dw[c][tap] = sum over images and pixels of dy x. Twin of
 * ref/depthwise.c.
 *
 * Bound by bytes, if each pixel comes from memory once: it reads two tensors. CHANNELS channels of a pixel
 * are a run of 4 KB, long enough for memory. A tile of ROWS x PIXELS neighbours brings the sums of a unit, of
 * 9 taps and of the bias, into registers and reads each row of x once for the three of dy beside it: with
 * less, loads from the second cache decide, since neighbouring pixels, a multiple of 4 KB apart, are in each
 * other's way in the first. Each tile asks for what the next one brings.
 *
 * Where the CPU multiplies pairs of bfloat16 (fast/conv2d/products.h) a pair is two images of a channel,
 * since the sum is over images: one instruction does what four multiply-adds do, and a register holds the
 * sums of both channels of a unit. Each group's sums over its used lanes are partials, in double, which are
 * added in group order.
 *
 * Error: a lane adds M = H W products one by one, 2 M where they are pairs: |got - ref| <= (M + 2) 2^-24
 * gauge, with pairs (2 M + 2) 2^-24 gauge. */
#include "conv2d/products.h"
#include "operations.h"
#include "ranks.h"
#include <string.h>

enum { CHANNELS = 64, BLOCK = CHANNELS / UNIT, ROWS = 4, PIXELS = 4, TAPS = 9, SUMS = TAPS + 1 };

/* Numbers are what one instruction multiplies: of channel k of a unit, or of both in pairs of images. A unit
 * has KINDS registers for a sum. Empty lanes are left out at the end, or, where pairs mix them, cleared. */
#ifdef DOT_PRODUCTS
#include "simd/pairs.h"

typedef LaneBits Numbers;
typedef LaneBits Used;
enum { KINDS = 1 };

INLINE Used used_lanes(int used)
{
    return lanes_mask(used);
}

INLINE Numbers numbers(const Word *p, int k, Used used)
{
    (void)k;
    return pair_images(p, used);
}

INLINE Vec add_product(Vec sum, Numbers a, Numbers b)
{
    return multiply_add(sum, (VecBits)a, (VecBits)b);
}

INLINE Vec add_numbers(Vec sum, Numbers a)
{
    const uint32_t ones = 0x3f803f80;
    return multiply_add(sum, (VecBits)a, spread_weight(ones));
}

/* The even channel's 8 pairs, then the odd one's. */
INLINE double lanes_sum(const Vec sum[KINDS][SUMS], int k, int i, int used)
{
    double total = 0;
    (void)used;
    for (int pair = 0; pair < PAIRS; pair++)
        total += sum[0][i][k * PAIRS + pair];
    return total;
}

#else

typedef Vec Numbers;
typedef int Used;
enum { KINDS = UNIT };

INLINE Used used_lanes(int used)
{
    return used;
}

INLINE Numbers numbers(const Word *p, int k, Used used)
{
    (void)used;
    return load_unit(p).channel[k];
}

INLINE Vec add_product(Vec sum, Numbers a, Numbers b)
{
    return sum + a * b;
}

INLINE Vec add_numbers(Vec sum, Numbers a)
{
    return sum + a;
}

INLINE double lanes_sum(const Vec sum[KINDS][SUMS], int k, int i, int used)
{
    double total = 0;
    for (int lane = 0; lane < VL && lane < used; lane++)
        total += sum[k][i][lane];
    return total;
}

#endif

typedef struct {
    Vec sum[BLOCK][KINDS][SUMS];
} Block;

size_t SET(depthwise_scratch)(Shape s)
{
    return (size_t)lanes_groups(s.n) * s.c * SUMS * sizeof(double);
}

/* What a tile reads: one unit of one group. */
typedef struct {
    const Word *dy, *x; /* the unit in pixel 0 */
    Shape s;
    Used used;
} Part;

/* Row y of x from column x - 1 on: the columns of a tile of so many pixels, zeros beside the map. */
INLINE void take_columns(Numbers columns[PIXELS + 2], const Part *part, int k, int y, int x, const int pixels)
{
    const size_t pixel = pixel_words(part->s);
    const Word *row = part->x + y * row_words(part->s) + x * pixel;
    columns[0] = columns[pixels + 1] = (Numbers){0};
    if (x > 0)
        columns[0] = numbers(row - pixel, k, part->used);
#pragma GCC unroll 4
    for (int p = 0; p < pixels; p++)
        columns[p + 1] = numbers(row + p * pixel, k, part->used);
    if (x + pixels < part->s.w)
        columns[pixels + 1] = numbers(row + pixels * pixel, k, part->used);
}

/* Adds a tile, rows x pixels from (y, x) on, to the unit's sums. Each row of x is read once, for the three
 * rows of dy beside it. */
INLINE void add_tile(Vec sum[KINDS][SUMS], const Part *part, int y, int x, const int rows, const int pixels)
{
    const Word *dy = part->dy + y * row_words(part->s) + x * pixel_words(part->s);
    UNROLL_UNIT
    for (int k = 0; k < KINDS; k++) {
        Vec kept[SUMS];
        Numbers gradient[ROWS][PIXELS];
        memcpy(kept, sum[k], sizeof kept);
#pragma GCC unroll 8
        for (int row = -1; row <= rows; row++) {
            if (row + 1 < rows)
#pragma GCC unroll 4
                for (int p = 0; p < pixels; p++) {
                    gradient[row + 1][p] = numbers(
                        dy + (row + 1) * row_words(part->s) + p * pixel_words(part->s), k, part->used);
                    kept[TAPS] = add_numbers(kept[TAPS], gradient[row + 1][p]);
                }
            if (y + row < 0 || y + row >= part->s.h)
                continue;
            Numbers columns[PIXELS + 2];
            take_columns(columns, part, k, y + row, x, pixels);
#pragma GCC unroll 9
            for (int tap = 0; tap < TAPS; tap++)
                if (row + 1 - tap / 3 >= 0 && row + 1 - tap / 3 < rows)
#pragma GCC unroll 4
                    for (int p = 0; p < pixels; p++)
                        kept[tap] =
                            add_product(kept[tap], gradient[row + 1 - tap / 3][p], columns[p + tap % 3]);
        }
        memcpy(sum[k], kept, sizeof kept);
    }
}

/* Asks for what the tile at (y, x) brings, the next one: its part of dy, and of x one row further, and to the
 * right of another tile one column. */
INLINE void ask(const Part *part, int y, int x, const int rows)
{
    const size_t pixel = pixel_words(part->s), row = row_words(part->s), at = y * row + x * pixel,
                 right = x > 0 ? pixel : 0;
#pragma GCC unroll 4
    for (int r = 0; r < rows; r++)
#pragma GCC unroll 4
        for (int p = 0; p < PIXELS; p++) {
            __builtin_prefetch(part->dy + at + r * row + p * pixel, 0, 2);
            __builtin_prefetch(part->x + at + (r + 1) * row + p * pixel + right, 0, 2);
        }
}

/* Adds rows y .. y + rows - 1 of some units. */
INLINE void add_rows(Block *block, Part part, int units, int y, const int rows)
{
    const Part first = part;
    for (int x = 0; x < part.s.w; x += PIXELS)
        for (int unit = 0; unit < units; unit++) {
            part.dy = first.dy + (size_t)unit * LANES;
            part.x = first.x + (size_t)unit * LANES;
            if (x + PIXELS < part.s.w)
                ask(&part, y, x + PIXELS, rows);
            else
                ask(&part, y + rows, 0, rows);
            if (x + PIXELS <= part.s.w)
                add_tile(block->sum[unit], &part, y, x, rows, PIXELS);
            else
                for (int p = x; p < part.s.w; p++)
                    add_tile(block->sum[unit], &part, y, p, rows, 1);
        }
}

/* Adds the map of some units. */
static void add_map(Block *block, Part part, int units)
{
    int y = 0;
    for (; y + ROWS <= part.s.h; y += ROWS)
        add_rows(block, part, units, y, ROWS);
    for (; y < part.s.h; y++)
        add_rows(block, part, units, y, 1);
}

/* Adds the sums of the lanes from `part` on that are in use to the partials of the group, [c][SUMS]. */
static void add_lanes(double *partial, const Block *block, int first, int units, int part, Shape s, int used)
{
    for (int unit = 0; unit < units; unit++)
        for (int k = 0; k < UNIT && (first + unit) * UNIT + k < s.c; k++)
            for (int i = 0; i < SUMS; i++)
                partial[(size_t)((first + unit) * UNIT + k) * SUMS + i] +=
                    lanes_sum(block->sum[unit], k, i, used - part);
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
            const int used = lanes_used(s.n, group);
            for (int part = 0; part < LANES; part += VL) {
                const size_t at = group * group_words(s) + (size_t)first * LANES + (size_t)part;
                Block block;
                memset(&block, 0, sizeof block);
                add_map(&block, (Part){dy + at, x + at, s, used_lanes(used)}, count);
                add_lanes(scratch + (size_t)group * s.c * SUMS, &block, first, count, part, s, used);
            }
        }
    const double *partials = ranks_gathered(scratch, SET(depthwise_scratch)(s), RANKS_FIRST);
    for (int c = 0; c < s.c; c++)
        for (int i = 0; i < SUMS; i++) {
            double sum = 0;
            for (int group = 0; group < groups * ranks_count(); group++)
                sum += partials[((size_t)group * s.c + c) * SUMS + i];
            if (i < TAPS)
                dw[(size_t)c * TAPS + i] += sum;
            else if (db)
                db[c] += sum;
        }
}
