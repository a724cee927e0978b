/* Operands of backward weights, which sums over images: from lanes to items.
 *
 * Where the CPU multiplies pairs (fast/conv2d/products.h), an item is two images of one channel, and a pixel
 * has 8 of them a channel; otherwise an item is one float, and there are 16. The wide operand is transposed,
 * channels become lanes: [w][item][padded c]; the narrow one is [w][c][item], as f32 has it in memory. A row
 * of a map at a time, used for all taps and all channels of the other operand. */
#ifndef NOPOOL_FAST_ITEMS_H
#define NOPOOL_FAST_ITEMS_H

#include "../conv2d/products.h"

#ifdef DOT_PRODUCTS
#include "pairs.h"

typedef uint32_t Item __attribute__((may_alias));
enum { ITEMS = PAIRS };

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

/* One row of the wide operand, [w][unit][lane], to [w][item][padded c]; channels beyond C become 0. */
INLINE void transpose_row(Item *to, const Word *from, Shape s, int padded, int used)
{
    const LaneBits mask = lanes_mask(used);
    for (int x = 0; x < s.w; x++, from += pixel_words(s), to += (size_t)ITEMS * padded)
        for (int c = 0; c < padded; c += VL) {
            LaneBits square[ITEMS];
            pairs_of_pixel(square, from, c / UNIT, units_of(s.c), mask);
#pragma GCC unroll 8
            for (int i = 0; i < ITEMS; i++)
                *(LaneBits *)(to + (size_t)i * padded + c) = square[i];
        }
}

/* One row of the narrow operand as items. */
INLINE void narrow_items(Item *room, const Word *row, Shape s, int used)
{
    const LaneBits mask = lanes_mask(used);
    for (size_t at = 0; at < row_words(s); at += LANES)
        *(LaneBits *)(room + at) = pair_images(row + at, mask);
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
