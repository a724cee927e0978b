/* The multiply-add of the convolutions: a unit of the input, 16 images or a part of them, times the weights
 * of its channels, added to one sum an image.
 *
 * f32: one multiply-add. bf16 with AVX-512-BF16: one instruction for the two channels, twice the arithmetic
 * of f32; products of bfloat16 are exact in float, and it rounds after each of the two additions (denormals:
 * fast/kernels.h). Other bf16: the channels are taken apart, two multiply-adds in float. */
#ifndef NOPOOL_FAST_PRODUCTS_H
#define NOPOOL_FAST_PRODUCTS_H

#include "../simd/isa.h"

#if defined(BF16) && defined(__AVX512BF16__)
#define DOT_PRODUCTS
typedef uint32_t Weight; /* a pair of bfloat16 */
typedef VecBits Operand;
typedef VecBits Factor; /* a weight in every lane */

INLINE Operand load_operand(const Word *p)
{
    return *(const VecBits *)p;
}

INLINE Factor spread_weight(Weight w)
{
    return w + (VecBits){0};
}

INLINE Vec multiply_add(Vec sum, Operand x, Factor w)
{
    return (Vec)_mm512_dpbf16_ps((__m512)sum, (__m512bh)x, (__m512bh)w);
}

#else
typedef struct {
    float channel[UNIT];
} Weight;
typedef Unit Operand;
typedef Unit Factor;

INLINE Operand load_operand(const Word *p)
{
    return load_unit(p);
}

INLINE Factor spread_weight(Weight w)
{
    Factor factor;
    UNROLL_UNIT
    for (int i = 0; i < UNIT; i++)
        factor.channel[i] = broadcast(w.channel[i]);
    return factor;
}

INLINE Vec multiply_add(Vec sum, Operand x, Factor w)
{
    UNROLL_UNIT
    for (int i = 0; i < UNIT; i++)
        sum += x.channel[i] * w.channel[i];
    return sum;
}
#endif

/* A number as the set's convolutions use it: bf16 rounds it. */
INLINE float rounded_weight(float w)
{
#ifdef BF16
    const VecBits bits = round_unit((Unit){{broadcast(w), broadcast(w)}}) << 16;
    return ((Vec)bits)[0];
#else
    return w;
#endif
}

INLINE Weight weight_of(const float channel[UNIT])
{
#ifdef DOT_PRODUCTS
    return round_unit((Unit){{broadcast(channel[0]), broadcast(channel[1])}})[0];
#else
    Weight weight;
    for (int i = 0; i < UNIT; i++)
        weight.channel[i] = rounded_weight(channel[i]);
    return weight;
#endif
}

#endif
