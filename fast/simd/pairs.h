/* From lanes to pairs of images, bf16: what backward weights multiplies, since it sums over images. An item
 * is two images of one channel; a pixel has 8 of them a channel. */
#ifndef NOPOOL_FAST_PAIRS_H
#define NOPOOL_FAST_PAIRS_H

#include "isa.h"

enum { PAIRS = LANES / 2 };

/* A word of each of the 16 lanes, on any CPU; as single numbers; half of it. */
typedef uint32_t LaneBits __attribute__((vector_size(64), may_alias));
typedef uint16_t LaneNumbers __attribute__((vector_size(64)));
typedef uint32_t PairBits __attribute__((vector_size(32), may_alias));

/* All bits of the lanes in use. */
INLINE LaneBits lanes_mask(int used)
{
    LaneBits mask;
    for (int lane = 0; lane < LANES; lane++)
        mask[lane] = lane < used ? 0xffffffffu : 0;
    return mask;
}

/* A unit's pairs of channels to pairs of images: 8 of its even channel, 8 of the odd one. */
INLINE LaneBits pair_images(const Word *unit, LaneBits used)
{
    const LaneNumbers numbers = (LaneNumbers)(*(const LaneBits *)unit & used);
    return (LaneBits)__builtin_shufflevector(numbers, numbers, 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24,
                                             26, 28, 30, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27,
                                             29, 31);
}

/* 8 units to 8 items of 16 channels. The index of an item, channel (4 bits) item (3 bits), rotates right by
 * one bit in each round, which takes the even items, then the odd ones. */
INLINE void transpose_pairs(LaneBits square[PAIRS])
{
#pragma GCC unroll 3
    for (int round = 0; round < 3; round++) {
        LaneBits next[PAIRS];
#pragma GCC unroll 4
        for (int i = 0; i < PAIRS / 2; i++) {
            next[i] = __builtin_shufflevector(square[2 * i], square[2 * i + 1], 0, 2, 4, 6, 8, 10, 12, 14, 16,
                                              18, 20, 22, 24, 26, 28, 30);
            next[i + PAIRS / 2] = __builtin_shufflevector(square[2 * i], square[2 * i + 1], 1, 3, 5, 7, 9, 11,
                                                          13, 15, 17, 19, 21, 23, 25, 27, 29, 31);
        }
#pragma GCC unroll 8
        for (int i = 0; i < PAIRS; i++)
            square[i] = next[i];
    }
}

/* Units first .. first + 7 of a pixel to its items of these 16 channels; channels beyond C become 0. */
INLINE void pairs_of_pixel(LaneBits square[PAIRS], const Word *pixel, int first, int units, LaneBits used)
{
#pragma GCC unroll 8
    for (int i = 0; i < PAIRS; i++)
        square[i] =
            first + i < units ? pair_images(pixel + (size_t)(first + i) * LANES, used) : (LaneBits){0};
    transpose_pairs(square);
}

#endif
