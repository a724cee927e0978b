/* Random streams: counter-based (Random123's Philox 4x32-10), so a draw is a pure function of its key and
 * does not depend on who draws, in which order, or on how many threads.
 *
 * Every draw of a run, which is all that two implementations of its training must share. Philox has the key
 * (seed low, seed high) and the counter (stream, a, b, attempt); the seed is the run's:
 *
 *   STREAM_FILTERS  a = place of the weight, b = 0: a normal. The place counts all that SGD trains, layer
 *                   by layer: w (K,C,3,3), b, then gamma and beta of each level; then a linear head's w, b.
 *                   Of MBConv: expand, depthwise, w1, b1, w2, b2, project, then of each level gamma and beta
 *                   of its first norm, of its second, of its third
 *   STREAM_SPLIT    a = 0: a permutation of the training set, whose images count in the order of its
 *                   files; the first ones are D_a, the next ones D_b
 *   STREAM_ORDER_A  a = epoch, 0 the first: a permutation of D_a, its batches in this epoch
 *   STREAM_ORDER_B  a = pass over D_b, 0 the first: a permutation of D_b, its batches in this pass, which
 *                   goes on over the ends of epochs
 *   STREAM_AUGMENT  a = epoch, b = image, its index in the training set: words 0 and 1 are row and column
 *                   0..8 of the crop, the high half of word * 9; flipped if the highest bit of word 2 is set
 *   STREAM_LOGITS   a = place of the logit a (L,R), b = 0: a normal; only where alpha starts at random
 *
 * STREAM_SCALES is of no run: experiments/data/scales.c draws its images from it, with a seed of their own.
 *
 * In a permutation b is the position that is drawn.
 *
 * Fine-tuning counts its epochs on from those of the run that it prunes; retraining from scratch from 0.
 *
 * attempt is 0 but in a permutation that rejects all four words of a draw: see random.c. */
#ifndef NOPOOL_REF_RANDOM_H
#define NOPOOL_REF_RANDOM_H

#include <stdint.h>

/* What is drawn; each has a stream of its own, so that one can be changed without the others. */
typedef enum {
    STREAM_FILTERS = 1,
    STREAM_SPLIT,
    STREAM_ORDER_A,
    STREAM_ORDER_B,
    STREAM_AUGMENT,
    STREAM_LOGITS,
    STREAM_SCALES
} Stream;

/* Four 32-bit words: Philox with key (seed low, seed high) and counter (stream, a, b, 0). */
void random_words(uint32_t words[4], uint64_t seed, Stream stream, uint32_t a, uint32_t b);

/* Standard normal, by inverting the distribution function at a uniform number of 53 bits. */
double random_normal(uint64_t seed, Stream stream, uint32_t a, uint32_t b);

/* A uniformly random permutation of 0..count-1, keyed by (seed, stream, a). From the last position i down to
 * 1, the elements at i and at a uniform draw from 0..i, keyed by b = i, change places. */
void random_permutation(uint32_t *permutation, int count, uint64_t seed, Stream stream, uint32_t a);

#endif
