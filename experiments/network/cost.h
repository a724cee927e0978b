/* The cost model: parameters, and multiply-accumulates of the convolutions for one image, forward. All 9 taps
 * of every pixel count, padded or not, as in the paper's numbers (its column "MFLOPS" is in units of 10^9 of
 * them). The mixes, over levels and over depth, have none. Filters that are not shared cost the same and
 * count once for each kept level: those of the others take no part. The zeros between a fabric's pixels are
 * multiplied too; filters that a sparse edge does not see do not count. */
#ifndef NOPOOL_COST_H
#define NOPOOL_COST_H

#include "network.h"

typedef struct {
    size_t weights;                            /* numbers in filters, without biases and affine maps; MBConv's
                                                  squeeze-and-excitation with its own biases */
    size_t parameters;                         /* everything that SGD trains */
    size_t formula;                            /* of a fabric, `weights` as its paper counts them; or 0 */
    double macs;                               /* of all layers and kept levels, and of a linear head */
    double level_macs[MAX_LAYERS][MAX_LEVELS]; /* 0 where a level is not kept; of a fabric's scales */
} Cost;

Cost network_cost(const NetworkSpec *s);

#endif
