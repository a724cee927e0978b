/* The sums over the batch that batch normalisation starts from: of a and of a b, channel by channel.
 *
 * They are taken in double, where products of floats are exact: a partial a channel and part of a group's
 * rows, lane by lane, then added in the order of parts and groups. So with M = N H W numbers |got - ref| <= M
 * 2^-52 of the sum over absolute values. bf16, whose numbers have 8 bits, adds BF16_RUN pixels in float
 * before it goes on in double: BF16_RUN 2^-24 of that sum more.
 *
 * Bound by bytes: it reads two tensors, or one if a is b. Memory is read fastest straight on, and a pixel has
 * more channels than sums fit in registers: so the sums of CHANNELS channels stay in the first cache, and
 * those of one unit after the other are brought into registers for RUN pixels, each pixel's lines in their
 * order, while those of the next RUN are fetched. Several units at a time, or a few groups divided among
 * threads by channels, lose that order: with 48 images of 64 channels at 16x16 a third more time (2 threads,
 * Zen 5). The sums of 2x2 squares of a, which the layer needs of dy, cost a quarter of a tensor to write
 * here, and a pass over dy anywhere else. */
#include "../conv2d/sums.h"
#include "../pool.h"
#include <assert.h>
#include <string.h>

/* Channels whose sums stay in the cache, and pixels of which those of one unit are in registers. */
enum { CHANNELS = 64, RUN = 4 };

/* Rows from..to-1 and some units of one group. Pixels are taken one by one, or in 2x2 squares, whose sums go
 * to `squares`. */
typedef struct {
    const Word *a, *b;
    Word *squares;
    Shape s;
    int from, to, units;
} Part;

/* The sums of these units, part by part of the lanes. */
typedef struct {
    RunSums runs[PARTS][CHANNELS];
    LaneSums lanes[PARTS][CHANNELS];
} Sums;

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

/* Words `word` .. of the sum of one square. */
INLINE void store_square(const Part *part, int y, int x, int word)
{
    const size_t to = y * row_words(shape_coarser(part->s, 2)) + x * pixel_words(part->s);
    const Square square = {part->a + pixel_of(part, y, x, 0, 2) + word, row_words(part->s),
                           pixel_words(part->s)};
    store_unit(part->squares + to + word, square_sum(square));
}

/* Adds columns x .. end - 1 of one row to the sums of one unit, one part of the lanes. */
INLINE void add_pixels(RunSums *runs, const Part *part, int y, int x, int end, int unit, int lanes,
                       const int side, const bool same)
{
    const int word = unit * LANES + lanes * VL;
    const size_t ahead = (size_t)RUN / side * pixel_words(part->s);
    RunSums sums[UNIT];
    memcpy(sums, runs + unit * UNIT, sizeof sums);
    for (; x < end; x++) {
#pragma GCC unroll 4
        for (int p = 0; p < side * side; p++) {
            const size_t at = pixel_of(part, y, x, p, side) + word;
            __builtin_prefetch(part->a + at + ahead);
            if (!same)
                __builtin_prefetch(part->b + at + ahead);
            UNROLL_UNIT
            for (int i = 0; i < UNIT; i++)
#pragma GCC unroll 2
                for (int j = 0; j < SUM_PARTS; j++) {
                    const Sum value = load_sum(part->a + at + j * SUM_LANES, i);
                    sums[i].a[j] += value;
                    sums[i].ab[j] += value * (same ? value : load_sum(part->b + at + j * SUM_LANES, i));
                }
        }
        if (side == 2)
            store_square(part, y, x, word);
    }
    memcpy(runs + unit * UNIT, sums, sizeof sums);
}

INLINE void part_sums(Sums *sums, const Part *part, const int side, const bool same)
{
    const int columns = part->s.w / side, run = RUN / (side * side), channels = part->units * UNIT;
    for (int lanes = 0; lanes < PARTS; lanes++) {
        RunSums *runs = sums->runs[lanes];
        int pending = 0; /* pixels of the present runs */
        memset(runs, 0, channels * sizeof *runs);
        memset(sums->lanes[lanes], 0, channels * sizeof *sums->lanes[lanes]);
        for (int y = part->from / side; y < part->to / side; y++)
            for (int x = 0; x < columns; x += run) {
                const int end = x + run < columns ? x + run : columns;
                for (int unit = 0; unit < part->units; unit++)
                    add_pixels(runs, part, y, x, end, unit, lanes, side, same);
                pending += RUN;
                if (UNIT > 1 && pending == BF16_RUN) {
                    end_runs(sums->lanes[lanes], runs, channels);
                    pending = 0;
                }
            }
        end_runs(sums->lanes[lanes], runs, channels);
    }
}

/* A group's rows are divided, squares kept together, into so many parts that threads divide a few groups
 * evenly; which rows, the shape alone says. */
enum { MOST_PARTS = 4 };

static int row_parts(Shape s)
{
    return s.h >= 2 * MOST_PARTS ? MOST_PARTS : s.h >= 4 ? 2 : 1;
}

static int part_row(Shape s, int i)
{
    return s.h / 2 * i / row_parts(s) * 2 + (i == row_parts(s) ? s.h % 2 : 0);
}

/* Part i of the rows of a group: its sums of all channels, CHANNELS at a time. */
static void add_part(double *a, double *ab, Word *squares, const Word *from, const Word *with, Shape s,
                     int group, int i)
{
    Sums sums;
    for (int unit = 0; unit < units_of(s.c); unit += CHANNELS / UNIT) {
        const size_t at = group * group_words(s) + (size_t)unit * LANES;
        const int left = units_of(s.c) - unit, units = left < CHANNELS / UNIT ? left : CHANNELS / UNIT,
                  first = unit * UNIT, channels = s.c - first < CHANNELS ? s.c - first : CHANNELS;
        Part part = {from + at, with + at, NULL, s, part_row(s, i), part_row(s, i + 1), units};
        if (squares) {
            part.squares = squares + group * group_words(shape_coarser(s, 2)) + (size_t)unit * LANES;
            part_sums(&sums, &part, 2, false);
        } else if (from == with)
            part_sums(&sums, &part, 1, true);
        else
            part_sums(&sums, &part, 1, false);
        for (int lanes = 0; lanes < PARTS; lanes++)
            store_lanes(a + first, ab + first, sums.lanes[lanes], units * UNIT, channels, lanes,
                        lanes_used(s.n, group));
    }
}

size_t SET(channel_sums_scratch)(Shape s)
{
    const int parts = row_parts(s);
    return (size_t)lanes_groups(s.n) * (parts > 1 ? parts + 1 : 1) * 2 * s.c * sizeof(double);
}

void SET(channel_sums)(double *sum, double *product, Word *squares, const Word *a, const Word *b, Shape s,
                       double *scratch)
{
    const int groups = lanes_groups(s.n), parts = row_parts(s);
    assert(!squares || (s.h % 2 == 0 && s.w % 2 == 0));
#pragma omp parallel for collapse(2) schedule(static)
    for (int group = 0; group < groups; group++)
        for (int i = 0; i < parts; i++) {
            double *sums = scratch + ((size_t)group * parts + i) * 2 * s.c;
            add_part(sums, sums + s.c, squares, a, b, s, group, i);
        }
    SET(map_sums_finish)(sum, product, scratch, parts, s);
}
