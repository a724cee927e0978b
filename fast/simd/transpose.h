/* A square of floats, transposed in registers. */
#ifndef NOPOOL_FAST_TRANSPOSE_H
#define NOPOOL_FAST_TRANSPOSE_H

#include "isa.h"

#if VECTOR_FLOATS == 16
#define INTERLEAVE_LOW  0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23
#define INTERLEAVE_HIGH 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31
#elif VECTOR_FLOATS == 8
#define INTERLEAVE_LOW  0, 8, 1, 9, 2, 10, 3, 11
#define INTERLEAVE_HIGH 4, 12, 5, 13, 6, 14, 7, 15
#else
#define INTERLEAVE_LOW  0, 4, 1, 5
#define INTERLEAVE_HIGH 2, 6, 3, 7
#endif

/* Transposes a square of VL x VL in registers: log2(VL) perfect shuffles of the rows. */
INLINE void transpose(Vec square[VL])
{
#pragma GCC unroll 4
    for (int round = 1; round < VL; round *= 2) {
        Vec next[VL];
#pragma GCC unroll 8
        for (int i = 0; i < VL / 2; i++) {
            next[2 * i] = __builtin_shufflevector(square[i], square[i + VL / 2], INTERLEAVE_LOW);
            next[2 * i + 1] = __builtin_shufflevector(square[i], square[i + VL / 2], INTERLEAVE_HIGH);
        }
#pragma GCC unroll 16
        for (int i = 0; i < VL; i++)
            square[i] = next[i];
    }
}

#endif
