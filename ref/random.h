/* Random streams: counter-based (Random123's Philox 4x32-10), so a draw is a pure function of its key and
 * does not depend on who draws, in which order, or on how many threads.
 *
 * Every draw of a run, which is all that two implementations of its training must share. Philox has the key
 * (seed low, seed high) and the counter (stream, a, b, attempt); the seed is the run's:
 *
 *   stream          a                        b            what is drawn
 *   STREAM_FILTERS  place of the weight      0            a normal; the place counts all that SGD trains:
 * layer (below)                               by layer w (K,C,3,3), b, gamma and beta a level, then the
 * linear head's w, b, which has them or not STREAM_SPLIT    0                        position     a
 * permutation of the training set, in the order of its files: the first images are D_a, the next ones D_b
 *   STREAM_ORDER_A  epoch, 0 the first       position     a permutation of D_a: its batches in this epoch
 *   STREAM_ORDER_B  pass over D_b, 0 the     position     a permutation of D_b: its batches in this pass; a
 * pass first                                 goes on over the ends of epochs STREAM_AUGMENT  epoch, 0 the
 * first       image, its   words 0, 1: row and column 0..8 of the crop, the high index in     half of word *
 * 9; word 2: flipped if its highest bit the training is set set
 *
 * Fine-tuning counts its epochs on from those of the run that it prunes; retraining from scratch from 0.
 *
 * attempt is 0 but in a permutation that rejects all four words of a draw: see random.c. */
#ifndef NOPOOL_REF_RANDOM_H
#define NOPOOL_REF_RANDOM_H

#include <stdint.h>

/* What is drawn; each has a stream of its own, so that one can be changed without the others. */
typedef enum { STREAM_FILTERS = 1, STREAM_SPLIT, STREAM_ORDER_A, STREAM_ORDER_B, STREAM_AUGMENT } Stream;

/* Four 32-bit words: Philox with key (seed low, seed high) and counter (stream, a, b, 0). */
void random_words(uint32_t words[4], uint64_t seed, Stream stream, uint32_t a, uint32_t b);

/* Standard normal, by inverting the distribution function at a uniform number of 53 bits. */
double random_normal(uint64_t seed, Stream stream, uint32_t a, uint32_t b);

/* A uniformly random permutation of 0..count-1, keyed by (seed, stream, a). From the last position i down to
 * 1, the elements at i and at a uniform draw from 0..i, keyed by b = i, change places. */
void random_permutation(uint32_t *permutation, int count, uint64_t seed, Stream stream, uint32_t a);

#endif
