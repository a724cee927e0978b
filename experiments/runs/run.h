/* A run and its folder: opened new or where it stopped, saved after every epoch, finished once.
 *
 *   config.tsv                     every option, resolved, and what else decides the bits
 *   log.tsv, alpha.tsv             an epoch a line; the grid alpha (L,R), an epoch a block
 *   result.tsv                     final figures and cost: its presence says that the run is finished
 *   timing.tsv, provenance.tsv     seconds; commit, compiler, CPU, data, of each part of a continued run
 *   checkpoint.h5                  from which the run continues
 *
 * An epoch's texts are written before its checkpoint; whoever continues cuts them back to the checkpoint. */
#ifndef NOPOOL_RUN_H
#define NOPOOL_RUN_H

#include "../base/text.h"
#include "../protocol/plan.h"

typedef struct {
    const char *folder;
    Dataset data;
    Plan plan;
    Network *net;
    uint32_t *a, *b; /* the images of D_a (or of D_a and D_b) and of D_b */
    int epoch;       /* epochs done */
    bool finished;   /* there is nothing left to do */
    bool fresh;      /* it starts now: its network is as network_initialise leaves it */
    Text log, alpha, timing;
} Run;

/* Loads the data and resolves the options; the folder is not touched. The caller closes the run, after a
 * failure too. */
bool run_plan(Run *run, const char *folder, const Options *options, Error *error);

/* Starts a planned run in its folder, or continues it there. A folder that was made with other options is
 * refused, and the first that differs is named. Runs that start from a trained network, pruned, are opened by
 * training_open, which is above this. */
bool run_enter(Run *run, Error *error);

/* Writes log, alpha, timing and checkpoint after an epoch. */
bool run_save(Run *run, Error *error);

void run_close(Run *run);

/* A trained network from a finished or unfinished run's folder, with what normalises its images. */
typedef struct {
    Options options;
    Network *net;
    float mean[IMAGE_CHANNELS], deviation[IMAGE_CHANNELS];
    int epoch;
} TrainedNetwork;

/* batch 0: the run's own. The caller frees net. */
bool run_load(TrainedNetwork *trained, const char *folder, int batch, Error *error);

/* The folder of another run as --prune-from names it: a name without a '/' is that of a sibling of `folder`,
 * so that runs can move together. */
void run_sibling(char *path, size_t size, const char *folder, const char *name);

/* config.tsv of a folder. */
bool run_options(Options *options, const char *folder, Error *error);

#endif
