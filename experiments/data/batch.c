/* Batches: see batch.h. An image's crop and flip are a function of (seed, epoch, index), so a batch does not
 * depend on which thread assembles which image. */
#include "batch.h"
#include "../../ref/random.h"
#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum {
    PADDING = 4,
    OFFSETS = 2 * PADDING + 1, /* a crop starts at row and column 0..8 of the padded image */
    PADDED_SIDE = IMAGE_SIDE + 2 * PADDING,
    PLANE = IMAGE_SIDE * IMAGE_SIDE
};

typedef struct {
    int top, left;
    bool flip;
} Crop;

static Crop draw_crop(BatchMode mode, uint32_t index)
{
    if (!mode.augment)
        return (Crop){PADDING, PADDING, false};
    uint32_t words[4];
    random_words(words, mode.seed, STREAM_AUGMENT, mode.epoch, index);
    /* 2^32 is no multiple of 9: some offsets are more likely than others by 1 in 2^28. */
    return (Crop){(int)((uint64_t)words[0] * OFFSETS >> 32), (int)((uint64_t)words[1] * OFFSETS >> 32),
                  words[2] >> 31};
}

/* One row of the output: a window of the padded row, read from its right end if flipped. image_row is NULL
 * above and below the image. */
static void assemble_row(float *row, const uint8_t *image_row, Crop crop, const float normalised[256])
{
    uint8_t padded[PADDED_SIDE] = {0};
    if (image_row != NULL)
        memcpy(padded + PADDING, image_row, IMAGE_SIDE);
    if (crop.flip)
        for (int x = 0; x < IMAGE_SIDE; x++)
            row[x] = normalised[padded[crop.left + IMAGE_SIDE - 1 - x]];
    else
        for (int x = 0; x < IMAGE_SIDE; x++)
            row[x] = normalised[padded[crop.left + x]];
}

static void assemble_image(float *to, const uint8_t *image, Crop crop, float normalised[IMAGE_CHANNELS][256])
{
    for (int c = 0; c < IMAGE_CHANNELS; c++)
        for (int y = 0; y < IMAGE_SIDE; y++) {
            int from = y + crop.top - PADDING;
            bool inside = from >= 0 && from < IMAGE_SIDE;
            assemble_row(to + c * PLANE + y * IMAGE_SIDE,
                         inside ? image + c * PLANE + from * IMAGE_SIDE : NULL, crop, normalised[c]);
        }
}

void batch_assemble(float *images, int *labels, const Dataset *d, const ImageSet *set,
                    const uint32_t *indices, int n, BatchMode mode)
{
    float normalised[IMAGE_CHANNELS][256];
    for (int c = 0; c < IMAGE_CHANNELS; c++)
        for (int byte = 0; byte < 256; byte++)
            normalised[c][byte] = ((float)byte / 255 - d->mean[c]) / d->deviation[c];

#pragma omp parallel for schedule(static)
    for (int i = 0; i < n; i++) {
        assert(indices[i] < (uint32_t)set->count);
        assemble_image(images + (size_t)i * IMAGE_BYTES, set->images + (size_t)indices[i] * IMAGE_BYTES,
                       draw_crop(mode, indices[i]), normalised);
        labels[i] = set->labels[indices[i]];
    }
}

void split_training_set(uint32_t *a, int count_a, uint32_t *b, int count_b, int train, uint64_t seed)
{
    assert(count_a >= 0 && count_b >= 0 && count_a <= train && count_b <= train - count_a);
    uint32_t *order = malloc((size_t)train * sizeof *order + 1);
    if (order == NULL) {
        Error error;
        fail(&error, "no memory to split a training set of %d images; free some and start again", train);
        die("nopool", &error);
    }
    random_permutation(order, train, seed, STREAM_SPLIT, 0);
    memcpy(a, order, (size_t)count_a * sizeof *a);
    memcpy(b, order + count_a, (size_t)count_b * sizeof *b);
    free(order);
}
