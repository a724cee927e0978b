/* The depth that a depth mix has learned, read in three ways from beta (section 4.4 gives one number and not
 * how it was read). All count layers, the last one included. */
#ifndef NOPOOL_DEPTH_H
#define NOPOOL_DEPTH_H

typedef struct {
    int argmax;      /* the layer of the largest beta, the first of equal ones, plus 1 */
    double expected; /* the mean of the layer over beta, plus 1 */
    int last;        /* the last layer whose beta is at least 1 / maps, its share at the start, plus 1 */
} DepthReading;

/* beta[l] is the weight of hidden layer l + 1 of `maps`; the weights add up to 1. */
DepthReading depth_reading(const double *beta, int maps);

#endif
