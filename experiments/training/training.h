/* The training of a run: epochs of bilevel steps, a test after each, records, and the final result. */
#ifndef NOPOOL_TRAINING_H
#define NOPOOL_TRAINING_H

#include "../runs/run.h"

/* Opens the run in its folder (run.h): new, continued, or new from the network of the run that it prunes. The
 * caller closes it, after a failure too. */
bool training_open(Run *run, const char *folder, const Options *options, Error *error);

/* Trains until the last epoch is done and writes result.tsv. */
bool training_finish(Run *run, Error *error);

/* Prints an estimate of what is left, from a few timed steps of a network of its own: the run is not touched.
 */
bool training_estimate(const Run *run, Error *error);

#endif
