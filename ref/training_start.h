/* What stands before the first step of a training: training.h moves it from there. */
#ifndef NOPOOL_REF_TRAINING_START_H
#define NOPOOL_REF_TRAINING_START_H

#include "training.h"

/* The network of a row: levels, widths and masks of each layer. */
PlainNetworkShape training_shape(const TrainingSettings *s);

/* Choice "conv-bias": filters normal with variance 2 / fan-in, biases 0, a 0: "the mixing weights are
 * initialized with the same value". A linear head has variance 1 / fan-in. Each weight is keyed by its place.
 */
void training_initialise(PlainNetwork *net, uint64_t seed);

/* Controls: alpha starts at random, with 0.9 = e^a / (e^a + R - 1) on the finest or on the coarsest level, or
 * as another training left it, its levels in reversed order. */
void training_start_alpha(PlainNetwork *net, const TrainingSettings *s);

#endif
