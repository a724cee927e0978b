/* The yardstick: multiply-adds between registers that wait for nothing. 12 sums in flight cover the latency
 * of the units of every current CPU (4 cycles, 2 or 3 a cycle). */
#include "isa.h"
#include "operations.h"

enum { SUMS = 12, REPEATS = 256 };

double F32(multiply_add_loop)(long rounds)
{
    Vec sum[SUMS];
    Vec a = broadcast(1.0f), b = broadcast(0x1p-30f);
    for (int i = 0; i < SUMS; i++)
        sum[i] = broadcast((float)i);
    for (long round = 0; round < rounds; round++) {
        /* The compiler must not see that a and b stay the same. */
        __asm__ volatile("" : "+m"(a), "+m"(b));
        const Vec factor = a, summand = b;
        for (int repeat = 0; repeat < REPEATS; repeat++)
#pragma GCC unroll 12
            for (int i = 0; i < SUMS; i++)
                sum[i] = sum[i] * factor + summand;
    }
    Vec total = sum[0];
    for (int i = 1; i < SUMS; i++)
        total += sum[i];
    volatile float sink = total[0];
    (void)sink;
    return 2.0 * REPEATS * SUMS * VL * (double)rounds;
}
