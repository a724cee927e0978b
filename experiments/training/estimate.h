/* The time that a run will take, from its own first steps: nothing is computed twice and no second network is
 * made. Where that is a minute or more, a layer is timed in the other kernel sets too. */
#ifndef NOPOOL_ESTIMATE_H
#define NOPOOL_ESTIMATE_H

#include "../runs/run.h"

/* Starts as {0}. */
typedef struct {
    int steps;      /* that were timed */
    double seconds; /* of all of them */
    double step;    /* of the quickest but the first, which pays for what is done once */
    bool told;
    bool starts; /* the run starts now: that another kernel set is faster is said once */
} Estimate;

/* Called after each iteration with the seconds that it took. After five, or a second, it times the test of a
 * batch (which changes nothing that the run keeps) and prints a line, once; and one more if it is
 * long and another kernel set would be faster (faster.h). */
bool estimate_step(Estimate *estimate, Run *run, double seconds, Error *error);

#endif
