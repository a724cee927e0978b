/* From bytes to a batch: augmentation and normalisation, keyed by (seed, epoch, image). */
#ifndef NOPOOL_BATCH_H
#define NOPOOL_BATCH_H

#include "data.h"

typedef struct {
    bool augment; /* pad 4 with raw zeros, crop 32x32 at random, flip horizontally with probability 1/2 */
    uint64_t seed;
    uint32_t epoch; /* an image is cropped and flipped anew each epoch */
} BatchMode;

/* images (n,3,32,32) = (pixel / 255 - mean) / deviation of the images of `set` at indices (n); labels (n).
 * Mean and deviation are those of `d`. The index of the image keys its augmentation. */
void batch_assemble(float *images, int *labels, const Dataset *d, const ImageSet *set,
                    const uint32_t *indices, int n, BatchMode mode);

/* The split of section 3.4: a (count_a) and b (count_b) are disjoint, drawn at random from 0..train-1. */
void split_training_set(uint32_t *a, int count_a, uint32_t *b, int count_b, int train, uint64_t seed);

#endif
