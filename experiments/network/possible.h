/* Whether a network's numbers can be: NaN passes through ReLU as 0 and leaves a finite loss, so that a loss
 * alone shows nothing. */
#ifndef NOPOOL_POSSIBLE_H
#define NOPOOL_POSSIBLE_H

#include "network.h"

/* The first number that cannot be. */
typedef struct {
    const char *array; /* "filters", "statistics", .. */
    int layer;         /* from 1; one more than there are layers: the head */
    double value;
} Impossible;

/* Of all that a checkpoint keeps: finite, second moments not negative, and of the tracked statistics
 * variances not negative and weights from 0 to 1. */
bool network_possible(const Network *net, Impossible *where);

/* Of the gradients of the last steps: finite. */
bool network_gradients_possible(const Network *net, Impossible *where);

/* "the filters of layer 3 hold nan" */
void impossible_words(char *words, size_t size, const Network *net, const Impossible *where);

#endif
