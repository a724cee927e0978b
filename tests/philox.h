/* The draws of ref/random.h, worked out apart from it and from its library. */
#ifndef NOPOOL_TESTS_PHILOX_H
#define NOPOOL_TESTS_PHILOX_H

#include <stdint.h>

/* Philox 4x32-10, written from its paper (Salmon et al., SC11). */
void plain_philox(uint32_t out[4], const uint32_t counter[4], const uint32_t key[2]);

/* The shuffle of random_permutation, straight from its definition: of the 2^32 words, those that would favour
 * some position are drawn again. Returns how many were. */
int plain_permutation(uint32_t *permutation, int count, uint64_t seed, uint32_t stream, uint32_t a);

#endif
