/* Random streams: counter-based (Random123's Philox 4x32-10), so a draw is a pure function of its key and
 * does not depend on who draws, in which order, or on how many threads. */
#ifndef NOPOOL_RANDOM_H
#define NOPOOL_RANDOM_H

#include <stdint.h>

/* What is drawn; each has a stream of its own, so that one can be changed without the others. */
typedef enum { STREAM_FILTERS = 1, STREAM_SPLIT, STREAM_ORDER_A, STREAM_ORDER_B, STREAM_AUGMENT } Stream;

/* Four 32-bit words: Philox with key (seed low, seed high) and counter (stream, a, b, 0). */
void random_words(uint32_t words[4], uint64_t seed, Stream stream, uint32_t a, uint32_t b);

/* Standard normal, by inverting the distribution function at a uniform number of 53 bits. */
double random_normal(uint64_t seed, Stream stream, uint32_t a, uint32_t b);

/* A uniformly random permutation of 0..count-1, keyed by (seed, stream, a). */
void random_permutation(uint32_t *permutation, int count, uint64_t seed, Stream stream, uint32_t a);

#endif
