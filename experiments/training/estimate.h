/* The time that a run will take, from its own first steps: nothing is computed twice and no second network is
 * made. */
#ifndef NOPOOL_ESTIMATE_H
#define NOPOOL_ESTIMATE_H

#include "../runs/run.h"

/* Starts as {0}. */
typedef struct {
    int steps;      /* that were timed */
    double seconds; /* of all of them */
    double step;    /* of the quickest but the first, which pays for what is done once */
    bool told;
} Estimate;

/* Called after each iteration with the seconds that it took. After five, or a second, it times the test of a
 * batch (which changes nothing that the run keeps) and prints a line, once. */
bool estimate_step(Estimate *estimate, Run *run, double seconds, Error *error);

#endif
