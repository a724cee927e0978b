/* Testing a network: the accuracy that a table prints, and the loss. */
#ifndef NOPOOL_SCORE_H
#define NOPOOL_SCORE_H

#include "../data/data.h"
#include "../network/network.h"

/* Loss (mean) and correct images of a network on images of a set, with tracked statistics. */
typedef struct {
    double loss;
    int correct, images;
} Score;

/* The images at indices (count); NULL: the first count. predictions (count) may be NULL. A signal that asks
 * to stop (base/job.h) ends it early: then score->images is less than count. */
bool score_network(Score *score, int *predictions, Network *net, const Dataset *data, const ImageSet *set,
                   const uint32_t *indices, int count, Error *error);

#endif
