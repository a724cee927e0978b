/* The images of section 4.1, from bytes to what a network reads. */
#ifndef NOPOOL_REF_TRAINING_IMAGES_H
#define NOPOOL_REF_TRAINING_IMAGES_H

#include <stdbool.h>
#include <stdint.h>

/* Bytes, as in CIFAR-10's files: images (count,3,32,32), labels (count). */
typedef struct {
    int train, test;
    const uint8_t *images, *labels, *test_images, *test_labels;
} TrainingImages;

enum { IMAGE_PLANES = 3, IMAGE_EDGE = 32, IMAGE_CLASSES = 10 };

/* Of each channel of the training set's pixels, in 0..1. Images, and these, are single precision in every
 * kernel set. */
typedef struct {
    float mean[IMAGE_PLANES], deviation[IMAGE_PLANES]; /* 1 for a channel that is constant */
} Normalisation;

Normalisation training_normalisation(const TrainingImages *images);

/* A window of the image padded by 4 with raw zeros: its upper left pixel against the image's, -4..4, and
 * whether it is flipped from left to right. */
typedef struct {
    int top, left;
    bool flip;
} Crop;

/* The augmentation of image number `index` of the training set in this epoch (choice "augmentation"). */
Crop training_crop(uint64_t seed, uint32_t epoch, uint32_t index);

/* The whole image, as it is: D_b and the test set are never augmented. */
extern const Crop whole_image;

/* x (3,32,32) = (pixel / 255 - mean) / deviation of the crop of an image. */
void training_image(double *x, const uint8_t *image, Crop crop, Normalisation normalisation);

#endif
