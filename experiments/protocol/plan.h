/* From options to a plan: what `auto` stands for, the network, the engine, the lengths of loops. */
#ifndef NOPOOL_PLAN_H
#define NOPOOL_PLAN_H

#include "../data/data.h"
#include "../network/network.h"
#include "options.h"

typedef struct {
    Options options; /* resolved: nothing is `auto` or 0 any more */
    NetworkSpec network;
    const Engine *engine;
    bool learns_alpha;    /* alpha steps on D_b are made */
    int images;           /* that the filters are trained on: D_a, or D_a and D_b */
    int iterations;       /* an epoch */
    int epochs;           /* this run makes: all of them, or those of fine-tuning */
    double schedule_from; /* the epoch of the cosine schedule at which this run starts */
    int source_epochs;    /* of the run that was pruned; 0 otherwise */
} Plan;

/* What the options alone decide: all but whether a data set is large enough. */
bool plan_resolve(Plan *plan, const Options *options, Error *error);

/* Resolves everything but the levels of a pruned run, which prune_plan sets from the alphas of its source
 * (prune.h). */
bool plan_make(Plan *plan, const Options *options, const Dataset *data, Error *error);

/* The engine of a kernel set; NULL with a sentence if this CPU cannot run it. */
const Engine *engine_of(int set, Error *error);

/* The network that the options describe, before pruning. */
bool plan_network(NetworkSpec *s, const Options *o, Error *error);

/* What --stages=auto stands for, "3,3,2,2" for 10 layers: as many layers in each of four stages as possible
 * alike, the larger first. */
void plan_stages(char text[TEXT_OPTION], int layers);

/* The rate of the cosine schedule in epoch 0.. of this run. */
double plan_lr(const Plan *plan, int epoch);

#endif
