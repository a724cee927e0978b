/* Every load and store of the engine, counted. The kernel sets f32 and bf16 are compiled once more, as
 * instruction set `traced`, so that each load, store and function entry calls a hook here (the compiler's
 * thread sanitizer puts the calls in; its library is not linked), and memory is got and cleared through this
 * file. What is counted are bytes of the arrays that are watched, in lines of 64, as fast/traffic.h has it:
 * in each pass, a parallel region or a memset, every line once that is read before it is
 * written, and every line once that is written. One thread only. */
#ifndef NOPOOL_TESTS_TRACE_H
#define NOPOOL_TESTS_TRACE_H

#include "../fast/kernels.h"
#include <stddef.h>

extern const Kernels f32_kernels_traced, bf16_kernels_traced; /* bf16 with the tile products emulated */

typedef struct {
    double read, written; /* bytes */
} Moved;

/* Whether arrays that the traced sets allocate from here on are watched (those of 256 bytes and more). */
void trace_watches(bool on);

/* Watches an array of one's own, from a multiple of 64; no longer watches an array. */
void trace_watch(const void *array, size_t bytes);
void trace_forget(const void *array);

/* What has moved since the last call. */
Moved trace_moved(void);

#endif
