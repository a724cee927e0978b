/* The yardstick: the multiply-adds of the convolutions, between registers, that wait for nothing. 12 sums in
 * flight cover the latency of the units of every current CPU (4 to 6 cycles, 1 to 3 a cycle). */
#include "operations.h"
#include "products.h"

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
