/* What the sources of this folder share: the vector type of the instruction set they are compiled for, and
 * names that tell the sets apart. ISA (plain, avx2, avx512) comes from the command line. */
#ifndef NOPOOL_FAST_ISA_H
#define NOPOOL_FAST_ISA_H

#include "f32.h"

#define JOIN_NAMES(a, b)  a##_##b
#define EXPAND_JOIN(a, b) JOIN_NAMES(a, b)
/* F32(conv2d_forward) is f32_conv2d_forward_avx512, say. */
#define F32(name) EXPAND_JOIN(f32_##name, ISA)

#if defined(__AVX512F__)
#define VECTOR_FLOATS 16
#elif defined(__AVX2__)
#define VECTOR_FLOATS 8
#else
#define VECTOR_FLOATS 4
#endif

/* One register of floats: a channel of 16, 8 or 4 images. PARTS of them make the 16 lanes of a group. */
enum { VL = VECTOR_FLOATS, PARTS = LANES / VL };
typedef float Vec __attribute__((vector_size(4 * VECTOR_FLOATS)));
typedef int VecMask __attribute__((vector_size(4 * VECTOR_FLOATS)));

/* Half a register of floats, and the register of doubles that they become. HALVES of them make a group. */
enum { HALF = VL / 2, HALVES = LANES / HALF };
typedef float VecHalf __attribute__((vector_size(2 * VECTOR_FLOATS)));
typedef double VecDouble __attribute__((vector_size(4 * VECTOR_FLOATS)));

#define INLINE static inline __attribute__((always_inline))

INLINE Vec load(const float *p)
{
    return *(const Vec *)p;
}

INLINE void store(float *p, Vec v)
{
    *(Vec *)p = v;
}

INLINE Vec broadcast(float value)
{
    return value - (Vec){0};
}

/* a where the mask is set, b elsewhere. */
INLINE Vec choose(VecMask mask, Vec a, Vec b)
{
    return (Vec)((mask & (VecMask)a) | (~mask & (VecMask)b));
}

/* max(v, 0); NaN becomes 0, as in ref. */
INLINE Vec positive(Vec v)
{
    return choose(v > 0, v, (Vec){0});
}

INLINE VecDouble load_double(const float *p)
{
    return __builtin_convertvector(*(const VecHalf *)p, VecDouble);
}

INLINE void store_double(float *p, VecDouble v)
{
    *(VecHalf *)p = __builtin_convertvector(v, VecHalf);
}

/* Images in a group: 16, or fewer in the last one. Lanes beyond are empty and hold anything. */
INLINE int lanes_used(int n, int group)
{
    int left = n - group * LANES;
    return left < LANES ? left : LANES;
}

/* Floats in one group of a tensor, and in one row of it. */
INLINE size_t group_floats(Shape s)
{
    return (size_t)s.h * s.w * s.c * LANES;
}

INLINE size_t row_floats(Shape s)
{
    return (size_t)s.w * s.c * LANES;
}

/* The offset of row y of a group. */
INLINE size_t row_at(Shape s, int group, int y)
{
    return (size_t)group * group_floats(s) + (size_t)y * row_floats(s);
}

#endif
