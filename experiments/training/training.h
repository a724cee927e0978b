/* The training of a run: epochs of bilevel steps, a test after each, records, and the final result. */
#ifndef NOPOOL_TRAINING_H
#define NOPOOL_TRAINING_H

#include "../runs/run.h"

/* Opens the run in its folder (run.h): new, continued, or new from the network of the run that it prunes
 * or whose alphas it reverses (source.h). The caller closes it, after a failure too. */
bool training_open(Run *run, const char *folder, const Options *options, Error *error);

/* Trains until the last epoch is done and writes result.tsv: then run->finished; or until a signal asks to
 * stop (base/stop.h), finishes its step and saves the run, which then goes on from there. Within an epoch it
 * is saved every so many seconds. An estimate of the time is printed after the first steps. A dump (dump.h)
 * of the whole run goes to the file of this name, if it is not NULL: before result.tsv, so that a run whose
 * dump failed is not finished. */
bool training_finish(Run *run, double save_every, const char *dump, Error *error);

#endif
