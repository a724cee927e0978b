/* A run and its folder: opened new or where it stopped, saved after every epoch and within it, finished once.
 *
 *   config.tsv                     every option, resolved, and what else decides the bits (config.h)
 *   log.tsv, alpha.tsv             an epoch a line; the grid alpha (L,R), an epoch a block
 *   beta.tsv                       with a depth mix: its weights (L-1), an epoch a line
 *   predictions.tsv                after the last epoch: the class of each test image, and the predicted one
 *   result.tsv                     final figures and cost: its presence says that the run is finished
 *   timing.tsv, provenance.tsv     seconds; commit, compiler, CPU, data, of each part of a continued run
 *   checkpoint.h5                  from which the run continues (state.h)
 *   lock                           who trains it
 *
 * A folder is one state: the checkpoint holds the SHA-256 of config, log, alpha, beta and predictions, and
 * what does not match is refused by name. An epoch's texts are written before its checkpoint; whoever
 * continues cuts them back to the checkpoint, and then they must match. The first checkpoint, of no epochs,
 * is written before the texts: where there is a text, there was a checkpoint. */
#ifndef NOPOOL_RUN_H
#define NOPOOL_RUN_H

#include "../base/text.h"
#include "config.h"
#include "state.h"

typedef struct {
    const char *folder;
    Dataset data;
    Plan plan;
    Network *net;
    uint32_t *a, *b;        /* the images of D_a (or of D_a and D_b) and of D_b */
    int epoch;              /* epochs done */
    int iteration;          /* iterations done of the next one; all of them: it is still to be tested */
    Tally tally_a, tally_b; /* of these iterations: steps of the filters, of the logits */
    double seconds;         /* that they took */
    bool finished;          /* there is nothing left to do */
    bool fresh;             /* it starts now: its network is as network_initialise leaves it */
    Text config, log, alpha, beta, timing, predictions;
    int lock;
} Run;

/* Loads the data and resolves the options; the folder is not touched. The caller closes the run, after a
 * failure too. */
bool run_plan(Run *run, const char *folder, const Options *options, Error *error);

/* Starts a planned run in its folder, or continues it there, and locks the folder. A folder that was made
 * with other options is refused, and the first that differs is named; so is one that another process trains.
 * Runs that start from a trained network, pruned, are opened by training_open, which is above this. */
bool run_enter(Run *run, Error *error);

/* Makes run->a and run->b, the split of a planned run; run_enter does. */
bool run_split(Run *run, Error *error);

/* Writes log, alpha, beta, timing, predictions and checkpoint. Parameters that are not finite are refused;
 * then the last good checkpoint stays. All ranks of a job call it, and one writes (base/job.h). */
bool run_save(Run *run, Error *error);

/* The sentence of a run that ends because of its numbers: what is wrong (words), found after this iteration,
 * from 1. */
bool run_fails(const Run *run, int epoch, int iteration, const char *words, Error *error);

void run_close(Run *run);

/* A trained network from a finished or unfinished run's folder, with what normalises its images. */
typedef struct {
    Plan plan; /* with the masks of the network */
    Network *net;
    State state;
    char data_sha256[65];
} TrainedNetwork;

/* batch 0: the run's own. The caller frees net, after a failure too. */
bool run_load(TrainedNetwork *trained, const char *folder, int batch, Error *error);

/* Whether the texts of a finished run's folder, result.tsv too, are those of its state. */
bool run_verify(const char *folder, const Plan *plan, const State *state, Error *error);

#endif
