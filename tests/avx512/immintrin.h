/* AVX-512 on a CPU that has AVX2: what fast/ takes of it, by AVX2, to the bit. In a build with this header
 * in front of the compiler's (make check-avx512) the sets avx512 and avx512bf16 are the same sources with the
 * same vectors of 16 floats, which the compiler makes of two of 8 each; and the CPU is said to have
 * everything. */
#ifndef NOPOOL_TESTS_AVX512_H
#define NOPOOL_TESTS_AVX512_H

/* The compiler's header has AVX2 alone. */
#undef __AVX512F__
#undef __AVX512BF16__
#include_next <immintrin.h>
#define __AVX512F__ 1
#ifdef EMULATED_AVX512BF16
#define __AVX512BF16__ 1
#endif

#define EMULATED static inline __attribute__((always_inline))

/* A register as the two of AVX2 that hold it: of whole ones gcc compares number by number. */
typedef union {
    __m512 floats;
    __m512i bits;
    __m512bh rounded;
    __m512d doubles;
    __m256 half[2];
    __m256i half_bits[2];
    unsigned short number[32];
} Emulated;

EMULATED __m512d emulated_cvtps_pd(__m256 v)
{
    typedef float Floats __attribute__((vector_size(32)));
    typedef double Doubles __attribute__((vector_size(64)));
    return (__m512d) __builtin_convertvector((Floats)v, Doubles);
}

EMULATED __m256 emulated_cvtpd_ps(__m512d v)
{
    typedef float Floats __attribute__((vector_size(32)));
    typedef double Doubles __attribute__((vector_size(64)));
    return (__m256) __builtin_convertvector((Doubles)v, Floats);
}

EMULATED __m512i emulated_cvtepi8_epi32(__m128i v)
{
    const Emulated e = {.half_bits = {_mm256_cvtepi8_epi32(v), _mm256_cvtepi8_epi32(_mm_srli_si128(v, 8))}};
    return e.bits;
}

EMULATED __m512i emulated_permutexvar_epi16(__m512i index, __m512i v)
{
    const Emulated from = {.bits = v}, at = {.bits = index};
    Emulated to;
    for (int i = 0; i < 32; i++)
        to.number[i] = from.number[at.number[i] % 32];
    return to.bits;
}

/* A denormal becomes 0 of its sign. */
EMULATED __m256 emulated_flushed(__m256 v)
{
    const __m256i exponent = _mm256_and_si256((__m256i)v, _mm256_set1_epi32(0x7f800000)),
                  none = _mm256_cmpeq_epi32(exponent, _mm256_setzero_si256());
    return (__m256)_mm256_andnot_si256(_mm256_and_si256(none, _mm256_set1_epi32(0x7fffffff)), (__m256i)v);
}

/* To nearest, ties to even, in the lower half of each number of 32 bits; a NaN stays one. */
EMULATED __m256i emulated_rounded(__m256 v)
{
    const __m256i bits = (__m256i)emulated_flushed(v),
                  odd = _mm256_and_si256(_mm256_srli_epi32(bits, 16), _mm256_set1_epi32(1)),
                  sum = _mm256_add_epi32(_mm256_add_epi32(bits, odd), _mm256_set1_epi32(0x7fff)),
                  nan = _mm256_or_si256(bits, _mm256_set1_epi32(0x400000)),
                  ordered = (__m256i)_mm256_cmp_ps(v, v, _CMP_EQ_OQ);
    return _mm256_srli_epi32(_mm256_blendv_epi8(nan, sum, ordered), 16);
}

/* 16 rounded numbers in order: the instruction that packs them keeps halves of 128 bits apart. */
EMULATED __m256i emulated_packed(const Emulated *v)
{
    const __m256i pairs = _mm256_packus_epi32(emulated_rounded(v->half[0]), emulated_rounded(v->half[1]));
    return _mm256_permute4x64_epi64(pairs, 0xd8);
}

EMULATED __m512bh emulated_cvtne2ps_pbh(__m512 high, __m512 low)
{
    const Emulated h = {.floats = high}, l = {.floats = low};
    const Emulated both = {.half_bits = {emulated_packed(&l), emulated_packed(&h)}};
    return both.rounded;
}

/* Of each pair the product of the upper numbers is added first; each product is exact, each sum rounded. */
EMULATED __m256 emulated_dot(__m256 sum, __m256i x, __m256i y)
{
    const __m256i upper = _mm256_set1_epi32((int)0xffff0000u);
    sum = _mm256_fmadd_ps(emulated_flushed((__m256)_mm256_and_si256(x, upper)),
                          emulated_flushed((__m256)_mm256_and_si256(y, upper)), emulated_flushed(sum));
    sum = _mm256_fmadd_ps(emulated_flushed((__m256)_mm256_slli_epi32(x, 16)),
                          emulated_flushed((__m256)_mm256_slli_epi32(y, 16)), emulated_flushed(sum));
    return emulated_flushed(sum);
}

EMULATED __m512 emulated_dpbf16_ps(__m512 sum, __m512bh a, __m512bh b)
{
    const Emulated s = {.floats = sum}, x = {.rounded = a}, y = {.rounded = b};
    const Emulated out = {.half = {emulated_dot(s.half[0], x.half_bits[0], y.half_bits[0]),
                                   emulated_dot(s.half[1], x.half_bits[1], y.half_bits[1])}};
    return out.floats;
}

#define _mm512_cvtps_pd          emulated_cvtps_pd
#define _mm512_cvtpd_ps          emulated_cvtpd_ps
#define _mm512_cvtepi8_epi32     emulated_cvtepi8_epi32
#define _mm512_permutexvar_epi16 emulated_permutexvar_epi16
#define _mm512_cvtne2ps_pbh      emulated_cvtne2ps_pbh
#define _mm512_dpbf16_ps         emulated_dpbf16_ps

#endif
