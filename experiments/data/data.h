/* Data sets: images as bytes, with their labels, in the order of their files. */
#ifndef NOPOOL_DATA_H
#define NOPOOL_DATA_H

#include "../base/error.h"
#include <stdint.h>

enum {
    IMAGE_CHANNELS = 3,
    IMAGE_SIDE = 32,
    CLASSES = 10,
    IMAGE_BYTES = IMAGE_CHANNELS * IMAGE_SIDE * IMAGE_SIDE
};

/* The SHA-256 of CIFAR-10's official binary archive. */
#define CIFAR10_ARCHIVE "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd"

typedef struct {
    int count;
    uint8_t *images; /* (count,3,32,32) */
    uint8_t *labels; /* (count), 0..9 */
} ImageSet;

typedef struct {
    char name[64]; /* by the SHA-256: one of known.def, "cifar10" if verified.tsv vouches for it, or "custom"
                    */
    char sha256[65]; /* of the bytes of all its files as read, in the order of reading, in hexadecimal */
    ImageSet train, test;
    char class_names[CLASSES][32];
    float mean[IMAGE_CHANNELS], deviation[IMAGE_CHANNELS]; /* of the training set's pixels, in 0..1 */
} Dataset;

/* Loads what `data` names: "cifar10" (in data/cifar-10-batches-bin), "fashion-mnist" (Debian's package
 * dataset-fashion-mnist), "scales-2" and the like (scales.h), or a folder, recognised by its '/', in either
 * layout. The caller frees it. */
bool dataset_load(Dataset *d, const char *data, Error *error);
void dataset_free(Dataset *d);

/* "cifar10" if its folder is there, else "fashion-mnist". */
const char *dataset_default(void);

/* Appends the images of one file in CIFAR-10 binary layout: per image 1 label byte, then 1024 red, 1024
 * green, 1024 blue. A file that is empty or no multiple of 3073 bytes, or a label over 9, is an error. */
bool read_cifar10(ImageSet *set, const char *path, Error *error);

/* Reads a pair of IDX files (gzip-compressed or not): 28x28 grey images, padded to 32x32 with raw zeros,
 * three equal channels; the first `most` images. */
bool read_idx(ImageSet *set, const char *images_path, const char *labels_path, int most, Error *error);

void image_set_free(ImageSet *set);

#endif
