/* Pruning (section 3.2, Table 1): levels with small alpha are removed, the others' alpha is the softmax over
 * them, frozen, and the network is fine-tuned. */
#ifndef NOPOOL_PRUNE_H
#define NOPOOL_PRUNE_H

#include "../runs/run.h"

/* The masks that remain of alpha (L,R): levels with alpha >= threshold, and each layer's largest. */
void prune_levels(unsigned kept[MAX_LAYERS], const double *alpha, int layers, int levels, double threshold);

/* Sets the masks of plan's network from the source's alphas, and plan's source_epochs. */
void prune_plan(Plan *plan, const TrainedNetwork *source);

/* The pruned network starts from the source's logits and, if it is to be fine-tuned, its filters and
 * statistics. The velocity starts at 0: the step before belonged to another network. */
void prune_start(Network *net, const TrainedNetwork *source, const Plan *plan);

#endif
