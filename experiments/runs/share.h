/* A run in a job of several ranks (base/job.h): the one that writes has its folder, the others follow. */
#ifndef NOPOOL_SHARE_H
#define NOPOOL_SHARE_H

#include "run.h"

/* Refuses a batch that the ranks cannot divide into equal parts of whole groups of 16 images, with the
 * numbers of ranks that can, and the reference's kernels. */
bool share_check(const Plan *plan, Error *error);

/* Hands what the writing rank has opened to the others, whose runs are planned: the position, the levels of a
 * pruned run, and every vector of the network. Refused where a rank has other data or another instruction
 * set. All ranks call it. */
bool share_run(Run *run, Error *error);

#endif
