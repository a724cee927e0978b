/* The sums over the batch that batch normalisation starts from: of a and of a b, channel by channel.
 *
 * They are taken in double, where products of floats are exact: a partial a group and channel, lane by lane,
 * then added in lane and group order. So with M = N H W numbers |got - ref| <= M 2^-52 of the sum over
 * absolute values. bf16, whose numbers have 8 bits, adds BF16_RUN pixels in float before it goes on in
 * double: BF16_RUN 2^-24 of that sum more.
 *
 * Bound by bytes: it reads two tensors, or one if a is b. Memory is read fastest straight on, and a pixel has
 * more channels than sums fit in registers: so the sums of CHANNELS channels stay in the first cache, and
 * those of a few units are brought into registers for RUN pixels at a time, while the same units of the next
 * RUN are fetched. Two tensors of 192 images, 64 channels, 32x32 take 2.6 ms (2 threads, Zen 4); a few units
 * of all pixels at a time, 256 bytes of each, took 4.5. The sums of 2x2 squares of a, which the layer needs
 * of dy, cost a quarter of a tensor to write here, and a pass over dy anywhere else. */
#include "../conv2d/parts.h"
#include "../conv2d/sums.h"
#include "../pool.h"
#include <assert.h>
#include <omp.h>
#include <string.h>

/* Sums of either kind in registers: 8 of 32, or 4 of 16, those of BLOCK units, at least one. Channels whose
 * sums stay in the cache. */
enum { SUMS = LANES / SUM_LANES, FIT = (VL == 16 ? 8 : 4) / SUMS / UNIT };
enum { BLOCK = FIT > 0 ? FIT : 1, WIDTH = BLOCK * UNIT };
enum { CHANNELS = 64, RUN = 4 };

typedef struct {
    Sum a[CHANNELS][SUMS], ab[CHANNELS][SUMS];
} Sums;

typedef struct {
    double a[CHANNELS][LANES], ab[CHANNELS][LANES];
} Totals;

/* Some units of one group. Pixels are taken one by one, or in 2x2 squares, whose sums go to `squares`. */
typedef struct {
    const Word *a, *b;
    Word *squares;
    Shape s;
    int units;
} Part;

INLINE Sum load_sum(const Word *p, int channel)
{
#ifdef BF16
    return load_unit(p).channel[channel];
#else
    return load_double(p, channel);
#endif
}

/* Pixel p of the square in column x of squares, or the pixel in column x, where side is 1. */
INLINE size_t pixel_of(const Part *part, int y, int x, int p, const int side)
{
    return (y * side + p / side) * row_words(part->s) + (x * side + p % side) * pixel_words(part->s);
}

/* Units `unit` .. of the sums of one square. */
INLINE void store_square(const Part *part, int y, int x, int unit, const int units)
{
    const size_t to = y * row_words(shape_coarser(part->s, 2)) + x * pixel_words(part->s);
#pragma GCC unroll 4
    for (int word = unit * LANES; word < (unit + units) * LANES; word += VL) {
        const Square square = {part->a + pixel_of(part, y, x, 0, 2) + word, row_words(part->s),
                               pixel_words(part->s)};
        store_unit(part->squares + to + word, square_sum(square));
    }
}

/* To or from registers. */
INLINE void move_sums(Sum (*to)[SUMS], Sum (*from)[SUMS], const int channels)
{
#pragma GCC unroll 8
    for (int i = 0; i < channels; i++)
#pragma GCC unroll 8
        for (int j = 0; j < SUMS; j++)
            to[i][j] = from[i][j];
}

/* Adds columns x .. end - 1 of one row to the sums of units `unit` .. */
INLINE void add_pixels(Sums *sums, const Part *part, int y, int x, int end, int unit, const int units,
                       const int side, const bool same)
{
    Sum a[WIDTH][SUMS], ab[WIDTH][SUMS];
    move_sums(a, sums->a + unit * UNIT, units * UNIT);
    move_sums(ab, sums->ab + unit * UNIT, units * UNIT);
    const size_t ahead = (size_t)RUN / side * pixel_words(part->s);
    for (; x < end; x++) {
#pragma GCC unroll 4
        for (int p = 0; p < side * side; p++)
#pragma GCC unroll 8
            for (int i = 0; i < units * UNIT; i++)
#pragma GCC unroll 8
                for (int j = 0; j < SUMS; j++) {
                    const size_t word =
                        pixel_of(part, y, x, p, side) + (size_t)(unit + i / UNIT) * LANES + j * SUM_LANES;
                    if (i % UNIT == 0 && j == 0) {
                        __builtin_prefetch(part->a + word + ahead);
                        if (!same)
                            __builtin_prefetch(part->b + word + ahead);
                    }
                    const Sum value = load_sum(part->a + word, i % UNIT);
                    a[i][j] += value;
                    ab[i][j] += value * (same ? value : load_sum(part->b + word, i % UNIT));
                }
        if (side == 2)
            store_square(part, y, x, unit, units);
    }
    move_sums(sums->a + unit * UNIT, a, units * UNIT);
    move_sums(sums->ab + unit * UNIT, ab, units * UNIT);
}

/* Moves the sums to the totals. */
static void flush(Totals *totals, Sums *sums, int channels)
{
    for (int c = 0; c < channels; c++)
        for (int lane = 0; lane < LANES; lane++) {
            totals->a[c][lane] += sums->a[c][lane / SUM_LANES][lane % SUM_LANES];
            totals->ab[c][lane] += sums->ab[c][lane / SUM_LANES][lane % SUM_LANES];
        }
    memset(sums->a, 0, channels * sizeof sums->a[0]);
    memset(sums->ab, 0, channels * sizeof sums->ab[0]);
}

INLINE void part_sums(Totals *totals, const Part *part, const int side, const bool same)
{
    const int columns = part->s.w / side, run = RUN / (side * side), channels = part->units * UNIT;
    Sums sums;
    int pending = 0; /* pixels since the last flush */
    memset(sums.a, 0, channels * sizeof sums.a[0]);
    memset(sums.ab, 0, channels * sizeof sums.ab[0]);
    for (int y = 0; y < part->s.h / side; y++)
        for (int x = 0; x < columns; x += run) {
            const int end = x + run < columns ? x + run : columns;
            int unit = 0;
            for (; unit + BLOCK <= part->units; unit += BLOCK)
                add_pixels(&sums, part, y, x, end, unit, BLOCK, side, same);
            for (; unit < part->units; unit++)
                add_pixels(&sums, part, y, x, end, unit, 1, side, same);
            pending += RUN;
            if (UNIT > 1 && pending == BF16_RUN) {
                flush(totals, &sums, channels);
                pending = 0;
            }
        }
    flush(totals, &sums, channels);
}

/* The sums over the used lanes, for channels from..to-1 of all C, to [C]. */
static void reduce(double *a, double *ab, const Totals *totals, int from, int to, int used)
{
    for (int c = from; c < to; c++) {
        a[c] = ab[c] = 0;
        for (int lane = 0; lane < used; lane++) {
            a[c] += totals->a[c - from][lane];
            ab[c] += totals->ab[c - from][lane];
        }
    }
}

void SET(channel_sums)(double *sum, double *product, Word *squares, const Word *a, const Word *b, Shape s,
                       double *scratch)
{
    const int groups = lanes_groups(s.n), units = units_of(s.c), most = CHANNELS / UNIT;
    int parts = parts_of(groups, omp_get_max_threads());
    parts = units > parts * most ? (units + most - 1) / most : parts;
#pragma omp parallel for collapse(2) schedule(static)
    for (int group = 0; group < groups; group++)
        for (int i = 0; i < parts; i++) {
            const int from = part_from(units, BLOCK, i, parts), to = part_from(units, BLOCK, i + 1, parts);
            const size_t at = group * group_words(s) + (size_t)from * LANES;
            double *sums = scratch + (size_t)group * 2 * s.c;
            Part part = {a + at, b + at, NULL, s, to - from};
            Totals totals;
            memset(&totals, 0, sizeof totals);
            if (squares) {
                assert(s.h % 2 == 0 && s.w % 2 == 0);
                part.squares = squares + group * group_words(shape_coarser(s, 2)) + (size_t)from * LANES;
                part_sums(&totals, &part, 2, false);
            } else if (a == b)
                part_sums(&totals, &part, 1, true);
            else
                part_sums(&totals, &part, 1, false);
            reduce(sums, sums + s.c, &totals, from * UNIT, to * UNIT < s.c ? to * UNIT : s.c,
                   lanes_used(s.n, group));
        }
    SET(map_sums_finish)(sum, product, scratch, 1, s);
}
