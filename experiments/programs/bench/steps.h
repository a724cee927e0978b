/* A network with a batch to step on, as build/bench measures it. */
#ifndef NOPOOL_BENCH_STEPS_H
#define NOPOOL_BENCH_STEPS_H

#include "../../../fast/kernels.h"
#include "../../network/bilevel.h"
#include "nets.h"

typedef struct {
    Network *net;
    Batch batch;
    int t; /* steps of Adam */
} StepWork;

/* Noise and labels in turn. The program ends if there is no memory. */
StepWork make_work(const Kernels *kernels, Case c);
void free_work(StepWork *work);

/* Steps of a StepWork. */
void weight_step(void *context);
void alpha_step(void *context);

#endif
