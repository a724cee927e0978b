/* The batches of a run, in turn. An epoch is one pass over D_a; D_b is smaller: it is gone through in passes,
 * each in an order of its own, that do not end with the epoch. Partial batches are dropped. All orders are
 * functions of (seed, epoch or pass), so a run that is continued draws what it would have drawn. */
#ifndef NOPOOL_FEED_H
#define NOPOOL_FEED_H

#include "../network/bilevel.h"
#include "../runs/run.h"

typedef struct {
    float *images; /* of one batch, which the next one overwrites */
    int *labels;
    uint32_t *order_a, *order_b; /* indices into the training set */
    long turn_a, turn_b;         /* the epoch and the pass that they are of; -1: none yet */
} Feed;

bool feed_make(Feed *feed, const Plan *plan, Error *error);
void feed_free(Feed *feed);

/* The images of a batch: of D_a by epoch and iteration, of D_b by the iteration counted from the start of the
 * run. Epochs count from 0 in each run; a run that fine-tunes draws its orders and crops as the epochs after
 * those of its source (plan.source_epochs). Valid until the epoch or the pass ends. */
const uint32_t *feed_indices_a(Feed *feed, const Run *run, int epoch, int iteration);
const uint32_t *feed_indices_b(Feed *feed, const Run *run, long iteration);

/* The batches themselves: those of D_a augmented anew each epoch, those of D_b as they are. */
Batch feed_a(Feed *feed, const Run *run, int epoch, int iteration);
Batch feed_b(Feed *feed, const Run *run, long iteration);

#endif
