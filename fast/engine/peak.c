/* The yardstick: the multiply-adds of the convolutions, between registers, that wait for nothing. 12 sums in
 * flight cover the latency of the units of every current CPU (4 to 6 cycles, 1 to 3 a cycle). */
#include "../operations.h"

#ifdef TILE_PRODUCTS
#include "../conv2d/tiles.h"

enum { REPEATS = 64 };

/* Tile products, of which six in flight cover the latency (52 cycles, 16 a product). */
double SET(multiply_add_loop)(long rounds)
{
    const TileShape full = {TILE_ROWS, TILE_COLUMNS};
    Word row[TILE_COLUMNS] __attribute__((aligned(64)));
    tiles_configure((TileShape[TILES_COUNT]){full, full, full, full, full, full, full, full});
    for (int i = 0; i < LANES; i += VL)
        store_unit(row + i, (Unit){{broadcast(0x1p-30f), broadcast(1)}});
    tile_zero(0);
    tile_zero(1);
    tile_zero(2);
    tile_zero(3);
    tile_zero(4);
    tile_zero(5);
    tile_load(6, row, 0);
    tile_load(7, row, 0);
    for (long repeat = 0; repeat < rounds * REPEATS; repeat++) {
        tile_dot(0, 6, 7);
        tile_dot(1, 6, 7);
        tile_dot(2, 6, 7);
        tile_dot(3, 6, 7);
        tile_dot(4, 6, 7);
        tile_dot(5, 6, 7);
    }
    tiles_release();
    return 2.0 * 6 * REPEATS * TILE_ROWS * TILE_COLUMNS * LANES * UNIT * (double)rounds;
}
#else
#include "../conv2d/products.h"

enum { SUMS = 12, REPEATS = 256 };

double SET(multiply_add_loop)(long rounds)
{
    const float weights[2] = {0x1p-30f, 0x1p-30f};
    const Word ones[LANES] __attribute__((aligned(64))) = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1};
    Vec sum[SUMS];
    Operand x = load_operand(ones);
    Factor w = spread_weight(weight_of(weights));
    for (int i = 0; i < SUMS; i++)
        sum[i] = broadcast((float)i);
    for (long round = 0; round < rounds; round++) {
        /* The compiler must not see that x and w stay the same. */
        __asm__ volatile("" : "+m"(x), "+m"(w));
        const Operand input = x;
        const Factor weight = w;
        for (int repeat = 0; repeat < REPEATS; repeat++)
#pragma GCC unroll 12
            for (int i = 0; i < SUMS; i++)
                sum[i] = multiply_add(sum[i], input, weight);
    }
    Vec total = sum[0];
    for (int i = 1; i < SUMS; i++)
        total += sum[i];
    volatile float sink = total[0];
    (void)sink;
    return 2.0 * REPEATS * SUMS * VL * UNIT * (double)rounds;
}
#endif
