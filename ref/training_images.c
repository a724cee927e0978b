/* From bytes to what a network reads: see training_images.h. */
#include "training_images.h"
#include "random.h"
#include <math.h>
#include <stddef.h>

enum { PLANE = IMAGE_EDGE * IMAGE_EDGE };

const Crop whole_image = {0, 0, false};

Normalisation training_normalisation(const TrainingImages *images)
{
    Normalisation result;
    const double count = (double)images->train * PLANE;
    for (int plane = 0; plane < IMAGE_PLANES; plane++) {
        double sum = 0, squares = 0;
        for (int n = 0; n < images->train; n++)
            for (int i = 0; i < PLANE; i++)
                sum += images->images[((size_t)n * IMAGE_PLANES + (size_t)plane) * PLANE + i];
        for (int n = 0; n < images->train; n++)
            for (int i = 0; i < PLANE; i++) {
                const uint8_t pixel = images->images[((size_t)n * IMAGE_PLANES + (size_t)plane) * PLANE + i];
                squares += (pixel - sum / count) * (pixel - sum / count);
            }
        result.mean[plane] = (float)(sum / count / 255);
        result.deviation[plane] = squares > 0 ? (float)(sqrt(squares / count) / 255) : 1;
    }
    return result;
}

// book: training_images
/* Every offset of 0..8 in both directions, and a flip with probability 1/2; keys and words are random.h's. */
Crop training_crop(uint64_t seed, uint32_t epoch, uint32_t index)
{
    uint32_t words[4];
    random_words(words, seed, STREAM_AUGMENT, epoch, index);
    return (Crop){.top = (int)((uint64_t)words[0] * 9 >> 32) - 4,
                  .left = (int)((uint64_t)words[1] * 9 >> 32) - 4,
                  .flip = words[2] >> 31};
}

void training_image(double *x, const uint8_t *image, Crop crop, Normalisation normalisation)
{
    for (int plane = 0; plane < IMAGE_PLANES; plane++)
        for (int row = 0; row < IMAGE_EDGE; row++)
            for (int column = 0; column < IMAGE_EDGE; column++) {
                const int from_row = row + crop.top;
                const int from_column = (crop.flip ? IMAGE_EDGE - 1 - column : column) + crop.left;
                const bool inside =
                    0 <= from_row && from_row < IMAGE_EDGE && 0 <= from_column && from_column < IMAGE_EDGE;
                const float pixel = inside ? image[plane * PLANE + from_row * IMAGE_EDGE + from_column] : 0;
                x[plane * PLANE + row * IMAGE_EDGE + column] =
                    (pixel / 255 - normalisation.mean[plane]) / normalisation.deviation[plane];
            }
}
// book: end
