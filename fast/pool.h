/* Pooling by 2, for fast/pool.c and for the convolutions that do it on the way. */
#ifndef NOPOOL_FAST_POOL_H
#define NOPOOL_FAST_POOL_H

#include "operations.h"

/* A square of pixels of one unit: the pixel at row i, column j is at[i row + j pixel]. */
typedef struct {
    const Word *at;
    size_t row, pixel;
} Square;

INLINE Square square_at(const Word *x, Shape s, int group, int y, int column, int unit, int part)
{
    const size_t pixel = pixel_words(s);
    return (Square){x + row_at(s, group, y) + column * pixel + (size_t)unit * LANES + part, row_words(s),
                    pixel};
}

/* The sum of a 2x2 square. */
INLINE Unit square_sum(Square q)
{
    const Unit upper = add_units(load_unit(q.at), load_unit(q.at + q.pixel));
    return add_units(add_units(upper, load_unit(q.at + q.row)), load_unit(q.at + q.row + q.pixel));
}

/* Marks: where the maxima of 2x2 squares stand, 0 upper left, 1 upper right, 2 lower left, 3 lower right. The
 * marks of the word at w of pooled maps, VL images of its channels, are those from w UNIT on.
 *
 * Of a conversion between bytes and numbers of 32 bits gcc 12 makes two instructions a lane; in bf16 these
 * were a third of all that scatter (fast/conv2d/winograd_tiles.h) does with five resolutions. The CPU has one
 * for all lanes. */
typedef Mark MarkVec __attribute__((vector_size(VECTOR_FLOATS), may_alias));

INLINE UnitMask load_marks(const Mark *marks)
{
    UnitMask which;
    UNROLL_UNIT
    for (int i = 0; i < UNIT; i++)
#if VECTOR_FLOATS == 16
        which.channel[i] = (VecMask)_mm512_cvtepi8_epi32(*(const __m128i *)(marks + i * VL));
#elif VECTOR_FLOATS == 8
        which.channel[i] = (VecMask)_mm256_cvtepi8_epi32(_mm_loadl_epi64((const __m128i *)(marks + i * VL)));
#else
        which.channel[i] = __builtin_convertvector(*(const MarkVec *)(marks + i * VL), VecMask);
#endif
    return which;
}

INLINE void store_marks(Mark *marks, UnitMask which)
{
    UNROLL_UNIT
    for (int i = 0; i < UNIT; i++) {
#if VECTOR_FLOATS == 8
        const __m256i wide = (__m256i)which.channel[i];
        const __m128i half = _mm_packs_epi32(_mm256_castsi256_si128(wide), _mm256_extracti128_si256(wide, 1));
        _mm_storel_epi64((__m128i *)(marks + i * VL), _mm_packs_epi16(half, half));
#else
        *(MarkVec *)(marks + i * VL) = __builtin_convertvector(which.channel[i], MarkVec);
#endif
    }
}

/* Whether a takes the place of b as the maximum: it is larger, or NaN. */
INLINE VecMask exceeds(Vec a, Vec b)
{
    return (a > b) | (a != a);
}

/* The largest number of a 2x2 square, the only one that training takes, by three comparisons in ref's order;
 * and which it is: the first one, in case of a tie. */
INLINE Unit square_maximum(const Unit pixel[4], UnitMask *which)
{
    Unit best = pixel[0];
    UNROLL_UNIT
    for (int i = 0; i < UNIT; i++) {
        VecMask at = {0};
#pragma GCC unroll 4
        for (int p = 1; p < 4; p++) {
            const VecMask better = exceeds(pixel[p].channel[i], best.channel[i]);
            best.channel[i] = choose(better, pixel[p].channel[i], best.channel[i]);
            at = (better & p) | (~better & at);
        }
        which->channel[i] = at;
    }
    return best;
}

/* What pooling by 2 hands to the four pixels of a square whose maximum is `which`. */
INLINE void pooled_shares(Unit share[4], Unit gradient, UnitMask which, PoolMode mode)
{
    const Unit zero = {{{0}}}, quarter = scale_unit(gradient, 0.25f);
#pragma GCC unroll 4
    for (int p = 0; p < 4; p++) {
        UnitMask here;
        UNROLL_UNIT
        for (int i = 0; i < UNIT; i++)
            here.channel[i] = which.channel[i] == p;
        share[p] = mode == POOL_MAX       ? keep_units(here, gradient)
                   : mode == POOL_AVERAGE ? quarter
                   : p == 0               ? gradient
                                          : zero;
    }
}

/* The same of word `at` of its maps. */
INLINE void unpooled_shares(Unit share[4], const Unpooling *unpooling, size_t at)
{
    const UnitMask none = {{{0}}};
    pooled_shares(share, load_unit(unpooling->dy + at),
                  unpooling->mode == POOL_MAX ? load_marks(unpooling->marks + at * UNIT) : none,
                  unpooling->mode);
}

#endif
