/* Logistic function. Twin of ref/sigmoid.c. Bound by bytes. Error: |got - ref| <= 8 2^-24 |ref|
 * (fast/simd/logistic.h); backward, dx + dy y (1 - y), 4 2^-24 gauge; in bf16 one rounding of 2^-8 more. */
#include "operations.h"
#include "simd/logistic.h"

/* Where the channel beyond an odd last one is not 0, but it must stay so: words of a pixel are taken
 * together. */
INLINE Unit without_padding(Unit u, size_t at, Shape s)
{
    if (UNIT > 1 && s.c % UNIT && at / LANES % units_of(s.c) == (size_t)units_of(s.c) - 1)
        u.channel[UNIT - 1] = (Vec){0};
    return u;
}

void SET(sigmoid_forward)(Word *y, const Word *x, Shape s)
{
#pragma omp parallel for schedule(static)
    for (size_t at = 0; at < tensor_words(s); at += VL) {
        Unit u = load_unit(x + at);
        UNROLL_UNIT
        for (int i = 0; i < UNIT; i++)
            u.channel[i] = logistic(u.channel[i]).s;
        store_unit(y + at, without_padding(u, at, s));
    }
}

void SET(sigmoid_backward)(Word *dx, const Word *dy, const Word *y, Shape s)
{
#pragma omp parallel for schedule(static)
    for (size_t at = 0; at < tensor_words(s); at += VL) {
        const Unit output = load_unit(y + at), gradient = load_unit(dy + at);
        Unit sum = load_unit(dx + at);
        UNROLL_UNIT
        for (int i = 0; i < UNIT; i++)
            sum.channel[i] += gradient.channel[i] * output.channel[i] * (1 - output.channel[i]);
        store_unit(dx + at, sum);
    }
}
