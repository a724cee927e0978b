/* What both views of build/probe are given: a number of the command line, and images. */
#include "probe.h"
#include <stdlib.h>

bool number_of(int *number, const char *text, const char *what, int least, int most, Error *error)
{
    char *end;
    const long value = strtol(text, &end, 10);
    *number = (int)value;
    return (end != text && !*end && value >= least && value <= most) ||
           fail(error, "%s is %s, but must be a whole number from %d to %d", what, text, least, most);
}

void normalised_images(float *images, const TrainedNetwork *trained, const ImageSet *set, int first, int n)
{
    for (int i = 0; i < n; i++)
        for (int p = 0; p < IMAGE_BYTES; p++) {
            const int c = p / (IMAGE_SIDE * IMAGE_SIDE);
            images[(size_t)i * IMAGE_BYTES + p] =
                ((float)set->images[(size_t)(first + i) * IMAGE_BYTES + p] / 255 - trained->state.mean[c]) /
                trained->state.deviation[c];
        }
}
