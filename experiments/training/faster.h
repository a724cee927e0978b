/* Which kernel set would train a network faster here than the one in use. */
#ifndef NOPOOL_FASTER_H
#define NOPOOL_FASTER_H

#include "../network/network.h"

/* A version of a set, by its names, and the seconds of an image in it. */
typedef struct {
    const char *kernels, *instruction_set;
    double seconds;
} SetTime;

/* "about 1.4 times as fast with --kernels=bf16", of the quickest of `count` others; false if it is not at
 * least a tenth faster than `used`. The environment variable NOPOOL_ISA is named where it, as `isa`, keeps
 * that set from being taken; NULL or empty: it is not set. */
bool faster_words(char words[64], SetTime used, const SetTime others[], int count, const char *isa);

/* The same by measuring: a hidden layer of this size, forward and backward, for a few images, in the engine
 * that is used and in the best version of each other set that this CPU runs. Tenths of a second. Nothing that
 * a run keeps is touched. false, too, if memory runs out. */
bool faster_set(char words[64], const NetworkSpec *s, const Engine *used);

#endif
