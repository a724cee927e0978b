/* What `train --dump=FILE` leaves: all that a second implementation needs to repeat a run step by step, and
 * what to compare it with. An HDF5 file of T iterations of N images:
 *
 *   config (attribute)             the options, as in config.tsv
 *   filters (F), logits (P)        before the first step, in the network's order (ref/engine.h); logits: a[r]
 *                                  of layer l at l R + r, then b
 *   a/images (T,N,3,32,32), a/labels (T,N), a/loss (T)   the batches of the filters, augmented and
 *                                  normalised, and their mean losses before the step
 *   b/images, b/labels, b/loss     the same of the logits, if they are learned
 *   alpha (T,L,R), beta (T,L-1)    after each iteration; beta with a depth mix
 *
 * A fabric has no alpha. Images are float32, labels int32, the rest float64. */
#ifndef NOPOOL_DUMP_H
#define NOPOOL_DUMP_H

#include "../network/bilevel.h"
#include "../runs/run.h"

typedef struct Dump Dump;

typedef enum { DUMP_A, DUMP_B } DumpPart;

/* Begins the dump of a whole run and takes its parameters. NULL with a sentence for a run of which steps are
 * done, for one that starts from another's network, for more than a GiB of images, and where path cannot be
 * written. The caller frees the dump. */
Dump *dump_begin(const Run *run, const char *path, Error *error);
void dump_free(Dump *dump);

/* Takes the batch of this iteration, from 0 over the run, and its loss; what alpha and beta are after it. */
void dump_batch(Dump *dump, long iteration, DumpPart part, Batch batch, double loss);
void dump_mixes(Dump *dump, long iteration, const Network *net);

/* Writes the file, after the last iteration. */
bool dump_write(const Dump *dump, Error *error);

#endif
