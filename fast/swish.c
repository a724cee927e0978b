/* Swish. Twin of ref/swish.c. Bound by bytes. Error (fast/simd/logistic.h): |got - ref| <= 9 2^-24 |ref|;
 * backward, dx + dy slope, 22 2^-24 (|dx| + |dy| (s + |x| s (1 - s))); in bf16 one rounding of 2^-8 more. */
#include "operations.h"
#include "simd/logistic.h"

void SET(swish_forward)(Word *y, const Word *x, Shape s)
{
#pragma omp parallel for schedule(static)
    for (size_t at = 0; at < tensor_words(s); at += VL) {
        Unit u = load_unit(x + at);
        UNROLL_UNIT
        for (int i = 0; i < UNIT; i++)
            u.channel[i] = swish(u.channel[i]);
        store_unit(y + at, u);
    }
}

void SET(swish_backward)(Word *dx, const Word *dy, const Word *x, Shape s)
{
#pragma omp parallel for schedule(static)
    for (size_t at = 0; at < tensor_words(s); at += VL) {
        const Unit input = load_unit(x + at), gradient = load_unit(dy + at);
        Unit sum = load_unit(dx + at);
        UNROLL_UNIT
        for (int i = 0; i < UNIT; i++)
            sum.channel[i] += gradient.channel[i] * swish_slope(input.channel[i]);
        store_unit(dx + at, sum);
    }
}
