/* What the checkpoint of a run holds: the position in the run, the sums of the epoch underway, masks, what
 * normalises images, every vector of the network but the gradients, and the SHA-256 of the texts beside it as
 * they were when it was written, so that a folder is one state. */
#ifndef NOPOOL_STATE_H
#define NOPOOL_STATE_H

#include "../protocol/plan.h"
#include "checkpoint.h"

/* Sums over the steps of an epoch, of one kind. */
typedef struct {
    double loss, gradient2, decay2;
    long correct, images, steps;
} Tally;

/* The texts that are part of the state. A run without a depth mix has none of beta, and a run before its last
 * epoch, or of before there were any, none of predictions: then the hash is empty. */
enum { STATE_CONFIG, STATE_LOG, STATE_ALPHA, STATE_BETA, STATE_PREDICTIONS, STATE_TEXTS };
extern const char *const state_texts[STATE_TEXTS];

typedef struct {
    int epoch;      /* epochs done */
    int iteration;  /* iterations done of the next one; all of them: it is still to be tested */
    Tally a, b;     /* of these iterations: steps of the filters, of the logits */
    double seconds; /* that they took */
    unsigned kept[MAX_LAYERS];
    float mean[IMAGE_CHANNELS], deviation[IMAGE_CHANNELS];
    char sha256[STATE_TEXTS][65];
} State;

/* The vectors of a network that are saved. */
typedef struct {
    const char *name;
    Vector *vector;
    size_t count;
} Saved;

enum { SAVED_VECTORS = 6 };
void state_vectors(Saved saved[SAVED_VECTORS], const Network *net);

/* Writes folder/checkpoint.h5. */
bool state_write(const State *state, const Network *net, const char *folder, Error *error);

/* Opens folder/checkpoint.h5 and reads all but the vectors; what is impossible in itself is refused. NULL on
 * failure; the caller gives the checkpoint to state_load or to checkpoint_abandon. */
Checkpoint *state_open(State *state, const char *folder, Error *error);

/* Refuses a position, sums or masks that a run of this plan cannot have. */
bool state_check(const State *state, const Plan *plan, const char *folder, Error *error);

/* Reads the vectors into a network made for the state's masks, refuses impossible ones, and closes the
 * checkpoint either way. */
bool state_load(Checkpoint *c, Network *net, const char *folder, Error *error);

/* Whether bytes are the text that the checkpoint was written with. */
bool state_matches(const State *state, int text, const char *bytes, size_t count, const char *folder,
                   Error *error);

#endif
