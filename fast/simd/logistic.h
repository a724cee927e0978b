/* The logistic function of a register of floats, sigmoid(v) = 1 / (1 + exp(-v)), and of what swish needs of
 * it.
 *
 * With t = exp(-|v|), which is at most 1, sigmoid(v) is 1 / (1 + t) or t / (1 + t), and 1 - sigmoid(v) the
 * other: neither is a difference, so both have a relative error.
 *
 * exp(x), -87 <= x <= 0: x = k log 2 + f with |f| <= log(2) / 2; 2^k is written into the exponent, and exp(f)
 * is Taylor's polynomial of degree 7, whose remainder is under 0.1 2^-24. log 2 is taken in two parts, the
 * first of 10 bits, so that k times it and the difference to x are exact; with the second part f is wrong by
 * half of 2^-24 at most. The polynomial's last step rounds a product under 0.42 and a sum over 0.7; what its
 * inside is wrong by comes times |f|: 4 2^-24 in all. So t has 4, 1 + t has (4 t + 1 + t) / (1 + t) <= 3, the
 * quotients 4 and 8: sigmoid 8 2^-24 of itself. Below -87, where t would be under the smallest normal number,
 * it stays at exp(-87), an absolute error of 2^-125. NaN stays NaN. */
#ifndef NOPOOL_FAST_LOGISTIC_H
#define NOPOOL_FAST_LOGISTIC_H

#include "isa.h"

typedef uint32_t VecWords __attribute__((vector_size(4 * VECTOR_FLOATS)));

/* exp(x) for -87 <= x <= 0. */
INLINE Vec exponential(Vec x)
{
    const float to_integer = 0x1.8p23f; /* added, it leaves no bits for fractions */
    const Vec shifted = x * broadcast(0x1.715476p0f) + broadcast(to_integer);
    const Vec k = shifted - broadcast(to_integer);
    const Vec f = (x - k * broadcast(0.693359375f)) - k * broadcast(-2.12194440e-4f);
    static const float taylor[] = {1.0f / 720, 1.0f / 120, 1.0f / 24, 1.0f / 6, 0.5f, 1, 1};
    Vec sum = broadcast(1.0f / 5040);
#pragma GCC unroll 8
    for (int i = 0; i < 7; i++)
        sum = sum * f + broadcast(taylor[i]);
    return sum * (Vec)(((VecWords)shifted << 23) + 0x3f800000u);
}

typedef struct {
    Vec s, rest; /* sigmoid, and 1 - sigmoid */
} Logistic;

INLINE Logistic logistic(Vec v)
{
    const Vec minus = choose(v > 0, -v, v);
    const Vec t = exponential(choose(minus < -87, broadcast(-87), minus));
    const Vec large = 1 / (1 + t), small = t / (1 + t);
    return (Logistic){choose(v > 0, large, small), choose(v > 0, small, large)};
}

/* swish(v) = v s: 9 2^-24 of itself. */
INLINE Vec swish(Vec v)
{
    return v * logistic(v).s;
}

/* Its slope, s + v s (1 - s): 20 2^-24 (s + |v| s (1 - s)). */
INLINE Vec swish_slope(Vec v)
{
    const Logistic l = logistic(v);
    return l.s + v * l.s * l.rest;
}

#endif
