/* The sums over the batch that batch normalisation starts from, taken where a convolution stores its result:
 * of every channel, and of its products with another map or with itself. A pass over the map for them alone,
 * fast/engine/channel_sums.c, would read it once more.
 *
 * A group has a partial for each of its parts, a row of pixels or a tile of Winograd's: lane by lane in
 * registers and in the first cache, then over the lanes in use. What the parts are depends on the shape
 * alone. They are added up in their order, then the groups in theirs: no sum depends on the threads, nor on
 * which rank has a group.
 *
 * What is added is what was stored, in bf16 the rounded number. The error is that of channel_sums.c: f32 adds
 * in double, bf16 at most BF16_RUN pixels in float before it goes on in double.
 *
 * Cost, for a register of results: 7 instructions in f32 (two halves become doubles, are added, multiplied
 * and added), 2 in bf16 and 2 to unpack a pair of them; for a part and channel about 15 more, until the lanes
 * are added up. At 64 channels a register of results takes 576 multiply-adds of the direct sum, 144 of
 * Winograd's algorithm and 18 cycles of tile products. */
#ifndef NOPOOL_FAST_SUMS_H
#define NOPOOL_FAST_SUMS_H

#include "../operations.h"

/* A register of sums: of doubles, half as many lanes as floats; in bf16 of floats. */
#ifdef BF16
typedef Vec Sum;
enum { SUM_LANES = VL };
#else
typedef VecDouble Sum;
enum { SUM_LANES = HALF };
#endif
enum { SUM_PARTS = VL / SUM_LANES };

/* The sums of one channel over a run of pixels, in bf16 of at most BF16_RUN, and over more of them. */
typedef struct {
    Sum a[SUM_PARTS], ab[SUM_PARTS];
} RunSums;

typedef struct {
    VecDouble a[2], ab[2];
} LaneSums;

INLINE void widen(VecDouble to[2], Vec v)
{
    const union {
        Vec whole;
        VecHalf half[2];
    } u = {v};
    to[0] = doubles_of(u.half[0]);
    to[1] = doubles_of(u.half[1]);
}

/* Adds one pixel: a, and a b. */
INLINE void add_pixel(RunSums *run, Vec a, Vec b)
{
#ifdef BF16
    run->a[0] += a;
    run->ab[0] += a * b;
#else
    VecDouble left[2], right[2];
    widen(left, a);
    widen(right, b);
#pragma GCC unroll 2
    for (int i = 0; i < 2; i++) {
        run->a[i] += left[i];
        run->ab[i] += left[i] * right[i];
    }
#endif
}

/* The sums of a run in double. */
INLINE LaneSums lane_sums(const RunSums *run)
{
    LaneSums sums;
#ifdef BF16
    widen(sums.a, run->a[0]);
    widen(sums.ab, run->ab[0]);
#else
#pragma GCC unroll 2
    for (int i = 0; i < 2; i++) {
        sums.a[i] = run->a[i];
        sums.ab[i] = run->ab[i];
    }
#endif
    return sums;
}

/* Moves the sums of runs to those of more pixels. */
INLINE void end_runs(LaneSums *to, RunSums *runs, int channels)
{
    for (int channel = 0; channel < channels; channel++) {
        const LaneSums sums = lane_sums(&runs[channel]);
#pragma GCC unroll 2
        for (int i = 0; i < 2; i++) {
            to[channel].a[i] += sums.a[i];
            to[channel].ab[i] += sums.ab[i];
        }
        runs[channel] = (RunSums){0};
    }
}

#if VECTOR_FLOATS == 16
#define EVEN_LANES 0, 2, 4, 6, 8, 10, 12, 14
#define ODD_LANES  1, 3, 5, 7, 9, 11, 13, 15
#elif VECTOR_FLOATS == 8
#define EVEN_LANES 0, 2, 4, 6
#define ODD_LANES  1, 3, 5, 7
#else
#define EVEN_LANES 0, 2
#define ODD_LANES  1, 3
#endif

/* Lane i is the sum over the lanes of v[i]. */
INLINE VecDouble add_across(VecDouble v[HALF])
{
#pragma GCC unroll 3
    for (int count = HALF / 2; count > 0; count /= 2)
#pragma GCC unroll 4
        for (int i = 0; i < count; i++)
            v[i] = __builtin_shufflevector(v[2 * i], v[2 * i + 1], EVEN_LANES) +
                   __builtin_shufflevector(v[2 * i], v[2 * i + 1], ODD_LANES);
    return v[0];
}

typedef int64_t LongMask __attribute__((vector_size(4 * VECTOR_FLOATS)));

/* Both halves of a register's sums, but for lanes that are not in use, which may be NaN. */
INLINE VecDouble add_halves(const VecDouble half[2], const LongMask used[2])
{
    return (VecDouble)((LongMask)half[0] & used[0]) + (VecDouble)((LongMask)half[1] & used[1]);
}

/* The sums of `channels` channels over part number `part` of the lanes of a group with `used` images, to the
 * first `end` numbers of a and of ab, or, but for the first part, added to them. */
INLINE void store_lanes(double *a, double *ab, const LaneSums *sums, const int channels, int end, int part,
                        int used)
{
    LongMask lane = {0};
    for (int i = 0; i < HALF; i++)
        lane[i] = part * VL + i;
    const LongMask mask[2] = {lane < used, lane + HALF < used};
    for (int from = 0; from < channels; from += HALF) {
        VecDouble of_a[HALF], of_ab[HALF];
#pragma GCC unroll 8
        for (int i = 0; i < HALF; i++) {
            const LaneSums of_channel = from + i < channels ? sums[from + i] : (LaneSums){0};
            of_a[i] = add_halves(of_channel.a, mask);
            of_ab[i] = add_halves(of_channel.ab, mask);
        }
        const VecDouble total = add_across(of_a), products = add_across(of_ab);
        for (int i = 0; i < HALF && from + i < end; i++) {
            a[from + i] = (part > 0 ? a[from + i] : 0) + total[i];
            ab[from + i] = (part > 0 ? ab[from + i] : 0) + products[i];
        }
    }
}

/* Where the partial of a part of a group stands: C sums, then C of products. */
INLINE double *partial_at(const MapSums *sums, Shape s, int group, int part, int parts)
{
    return sums->partials + ((size_t)group * parts + part) * 2 * s.c;
}

#endif
