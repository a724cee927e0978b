/* What the sources of this folder share: the vector type of the instruction set they are compiled for, the
 * unit of a tensor of their kernel set, and names that tell the versions apart. SET_NAME (f32, bf16), BF16
 * (for bf16) and ISA (plain, avx2, ...) come from the command line. */
#ifndef NOPOOL_FAST_ISA_H
#define NOPOOL_FAST_ISA_H

#include "../kernels.h"
#if defined(__AVX2__) || defined(__AVX512F__)
#include <immintrin.h>
#endif

#define JOIN_NAMES(a, b, c)  a##_##b##_##c
#define EXPAND_JOIN(a, b, c) JOIN_NAMES(a, b, c)
/* SET(conv2d_forward) is f32_conv2d_forward_avx512, say. */
#define SET(name) EXPAND_JOIN(SET_NAME, name, ISA)

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

/* bf16 with tile products: fast/conv2d/tiles.h. */
#if defined(AMX) || defined(AMX_EMULATED)
#define TILE_PRODUCTS
#endif

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

/* max(v, 0); NaN stays NaN, as in ref: the comparison that clears is one that NaN fails. */
INLINE Vec positive(Vec v)
{
    return choose(v <= 0, (Vec){0}, v);
}

/* Between half a register of floats and one of doubles. Of the conversion of 8 numbers gcc 12 makes two of 4
 * each, and what takes the register apart and puts it together again. */
INLINE VecDouble doubles_of(VecHalf v)
{
#if VECTOR_FLOATS == 16
    return (VecDouble)_mm512_cvtps_pd((__m256)v);
#else
    return __builtin_convertvector(v, VecDouble);
#endif
}

INLINE void store_double(float *p, VecDouble v)
{
#if VECTOR_FLOATS == 16
    *(VecHalf *)p = (VecHalf)_mm512_cvtpd_ps((__m512d)v);
#else
    *(VecHalf *)p = __builtin_convertvector(v, VecHalf);
#endif
}

/* One unit of VL images: the one channel of a word of f32, the two of a word of bf16. */
#ifdef BF16
enum { UNIT = 2 };
#else
enum { UNIT = 1 };
#endif
typedef struct {
    Vec channel[UNIT];
} Unit;

/* For loops over the channels of a unit. */
#define UNROLL_UNIT _Pragma("GCC unroll 2")

#ifdef BF16

/* The bits of a register of words; of half a register. */
typedef uint32_t VecBits __attribute__((vector_size(4 * VECTOR_FLOATS), may_alias));
typedef uint32_t HalfBits __attribute__((vector_size(2 * VECTOR_FLOATS), may_alias));

INLINE Unit unit_of(VecBits bits)
{
    return (Unit){{(Vec)(bits << 16), (Vec)(bits & 0xffff0000u)}};
}

INLINE Unit load_unit(const Word *p)
{
    return unit_of(*(const VecBits *)p);
}

#ifdef __AVX512BF16__

/* The instruction rounds two registers into the halves of one; a shuffle brings the pairs together. */
INLINE VecBits round_unit(Unit u)
{
    const __m512i pairs =
        (__m512i)(VecBits){0x100000, 0x110001, 0x120002, 0x130003, 0x140004, 0x150005, 0x160006, 0x170007,
                           0x180008, 0x190009, 0x1a000a, 0x1b000b, 0x1c000c, 0x1d000d, 0x1e000e, 0x1f000f};
    return (VecBits)_mm512_permutexvar_epi16(
        pairs, (__m512i)_mm512_cvtne2ps_pbh((__m512)u.channel[1], (__m512)u.channel[0]));
}
#else

/* To nearest, ties to even: half a unit of the last place less one is added, and one more if that place is
 * odd. NaN stays NaN. */
INLINE VecBits round_up(Vec v)
{
    const VecBits bits = (VecBits)v, rounded = bits + 0x7fff + ((bits >> 16) & 1);
    return (VecBits)choose(v == v, (Vec)rounded, (Vec)(bits | 0x400000));
}

INLINE VecBits round_unit(Unit u)
{
    return (round_up(u.channel[0]) >> 16) | (round_up(u.channel[1]) & 0xffff0000u);
}
#endif

/* Returns what it has stored: in bf16 the rounded numbers. */
INLINE Unit store_unit(Word *p, Unit u)
{
    const VecBits bits = round_unit(u);
    *(VecBits *)p = bits;
    return unit_of(bits);
}

/* Half a register of channel i of the unit at p, as doubles. */
INLINE VecDouble load_double(const Word *p, int i)
{
    const HalfBits bits = *(const HalfBits *)p;
    const HalfBits channel = i == 0 ? (HalfBits)(bits << 16) : (HalfBits)(bits & 0xffff0000u);
    return doubles_of((VecHalf)channel);
}

#else

INLINE Unit load_unit(const Word *p)
{
    return (Unit){{load(p)}};
}

INLINE Unit store_unit(Word *p, Unit u)
{
    store(p, u.channel[0]);
    return u;
}

INLINE VecDouble load_double(const Word *p, int i)
{
    (void)i;
    return doubles_of(*(const VecHalf *)p);
}

#endif

INLINE Unit add_units(Unit a, Unit b)
{
    UNROLL_UNIT
    for (int i = 0; i < UNIT; i++)
        a.channel[i] += b.channel[i];
    return a;
}

INLINE Unit scale_unit(Unit a, float factor)
{
    UNROLL_UNIT
    for (int i = 0; i < UNIT; i++)
        a.channel[i] *= broadcast(factor);
    return a;
}

/* a where the mask of its channel is set, 0 elsewhere. */
typedef struct {
    VecMask channel[UNIT];
} UnitMask;

INLINE Unit keep_units(UnitMask mask, Unit a)
{
    UNROLL_UNIT
    for (int i = 0; i < UNIT; i++)
        a.channel[i] = choose(mask.channel[i], a.channel[i], (Vec){0});
    return a;
}

/* Images in a group: 16, or fewer in the last one. Lanes beyond are empty and hold anything. */
INLINE int lanes_used(int n, int group)
{
    int left = n - group * LANES;
    return left < LANES ? left : LANES;
}

/* Set in the first `used` lanes of a register, 0 of them or fewer included. */
INLINE VecMask first_lanes(int used)
{
    VecMask mask;
    for (int lane = 0; lane < VL; lane++)
        mask[lane] = lane < used ? -1 : 0;
    return mask;
}

/* Units that hold so many channels. */
INLINE int units_of(int channels)
{
    return (channels + UNIT - 1) / UNIT;
}

/* Words of a pixel of a group of 16 images, of a row, of the group, of a tensor. */
INLINE size_t pixel_words(Shape s)
{
    return (size_t)units_of(s.c) * LANES;
}

INLINE size_t row_words(Shape s)
{
    return s.w * pixel_words(s);
}

INLINE size_t group_words(Shape s)
{
    return s.h * row_words(s);
}

INLINE size_t tensor_words(Shape s)
{
    return lanes_groups(s.n) * group_words(s);
}

/* The offset of row y of a group. */
INLINE size_t row_at(Shape s, int group, int y)
{
    return group * group_words(s) + y * row_words(s);
}

#endif
