/* Operands of backward weights, which sums over images: from lanes to items.
 *
 * Where the CPU multiplies pairs (fast/products.h), an item is two images of one channel, and a pixel has 8
 * of them a channel; otherwise an item is one float, and there are 16. The wide operand is transposed,
 * channels become lanes: [w][item][padded c]; the narrow one is [w][c][item], as f32 has it in memory. A row
 * of a map at a time, used for all taps and all channels of the other operand. */
#ifndef NOPOOL_FAST_ITEMS_H
#define NOPOOL_FAST_ITEMS_H

#include "products.h"

#ifdef DOT_PRODUCTS
typedef uint32_t Item __attribute__((may_alias));
enum { ITEMS = LANES / 2 };

INLINE Vec add_products(Vec sum, const Item *wide, Item narrow)
{
    return multiply_add(sum, *(const VecBits *)wide, spread_weight(narrow));
}
#else
typedef float Item;
enum { ITEMS = LANES };

INLINE Vec add_products(Vec sum, const Item *wide, Item narrow)
{
    return sum + load(wide) * broadcast(narrow);
}
#endif

#ifdef DOT_PRODUCTS

/* A unit's pairs of channels to pairs of images: 8 of its even channel, 8 of the odd one. */
INLINE VecBits pair_images(const Word *unit, VecBits used)
{
    const __m512i evens_then_odds =
        (__m512i)(VecBits){0x020000, 0x060004, 0x0a0008, 0x0e000c, 0x120010, 0x160014, 0x1a0018, 0x1e001c,
                           0x030001, 0x070005, 0x0b0009, 0x0f000d, 0x130011, 0x170015, 0x1b0019, 0x1f001d};
    return (VecBits)_mm512_permutexvar_epi16(evens_then_odds, (__m512i)(*(const VecBits *)unit & used));
}

/* All bits of the lanes in use. */
INLINE VecBits lanes_mask(int used)
{
    VecBits mask;
    for (int lane = 0; lane < LANES; lane++)
        mask[lane] = lane < used ? 0xffffffffu : 0;
    return mask;
}

/* 8 units to 8 items of 16 channels. The index of an item, channel (4 bits) item (3 bits), rotates right by
 * one bit in each round, which takes the even items, then the odd ones. */
INLINE void transpose(VecBits square[ITEMS])
{
#pragma GCC unroll 3
    for (int round = 0; round < 3; round++) {
        VecBits next[ITEMS];
#pragma GCC unroll 4
        for (int i = 0; i < ITEMS / 2; i++) {
            next[i] = __builtin_shufflevector(square[2 * i], square[2 * i + 1], 0, 2, 4, 6, 8, 10, 12, 14, 16,
                                              18, 20, 22, 24, 26, 28, 30);
            next[i + ITEMS / 2] = __builtin_shufflevector(square[2 * i], square[2 * i + 1], 1, 3, 5, 7, 9, 11,
                                                          13, 15, 17, 19, 21, 23, 25, 27, 29, 31);
        }
#pragma GCC unroll 8
        for (int i = 0; i < ITEMS; i++)
            square[i] = next[i];
    }
}

/* One row of the wide operand, [w][unit][lane], to [w][item][padded c]; channels beyond C become 0. */
INLINE void transpose_row(Item *to, const Word *from, Shape s, int padded, int used)
{
    const VecBits mask = lanes_mask(used);
    for (int x = 0; x < s.w; x++, from += pixel_words(s), to += (size_t)ITEMS * padded)
        for (int c = 0; c < padded; c += VL) {
            VecBits square[ITEMS];
#pragma GCC unroll 8
            for (int i = 0; i < ITEMS; i++)
                square[i] = c / UNIT + i < units_of(s.c)
                                ? pair_images(from + (size_t)(c / UNIT + i) * LANES, mask)
                                : (VecBits){0};
            transpose(square);
#pragma GCC unroll 8
            for (int i = 0; i < ITEMS; i++)
                *(VecBits *)(to + (size_t)i * padded + c) = square[i];
        }
}

/* One row of the narrow operand as items. */
INLINE void narrow_items(Item *room, const Word *row, Shape s, int used)
{
    const VecBits mask = lanes_mask(used);
    for (size_t at = 0; at < row_words(s); at += LANES)
        *(VecBits *)(room + at) = pair_images(row + at, mask);
}

#else

#include "transpose.h"

/* One row of the wide operand, [w][unit][lane], to [w][lane][padded c]; channels beyond C become 0. Empty
 * lanes are left out where the products are taken. */
INLINE void transpose_row(Item *to, const Word *from, Shape s, int padded, int used)
{
    (void)used;
    for (int x = 0; x < s.w; x++, from += pixel_words(s), to += (size_t)LANES * padded)
        for (int c = 0; c < padded; c += VL)
            for (int part = 0; part < LANES; part += VL) {
                Vec square[VL];
#pragma GCC unroll 16
                for (int i = 0; i < VL; i++)
                    square[i] =
                        c + i < s.c
                            ? load_unit(from + (size_t)((c + i) / UNIT) * LANES + part).channel[i % UNIT]
                            : (Vec){0};
                transpose(square);
#pragma GCC unroll 16
                for (int i = 0; i < VL; i++)
                    store(to + (size_t)(part + i) * padded + c, square[i]);
            }
}

/* One row of the narrow operand as items: in f32 they are what stands in memory. */
INLINE void narrow_items(Item *room, const Word *row, Shape s, int used)
{
    (void)used;
    for (size_t at = 0; at < row_words(s); at += VL) {
        const Unit u = load_unit(row + at);
        Item *to = room + at / LANES * UNIT * LANES + at % LANES;
        UNROLL_UNIT
        for (int i = 0; i < UNIT; i++)
            store(to + i * LANES, u.channel[i]);
    }
}

#endif

enum { ITEMS_IN_PLACE = UNIT == 1 };

#endif
