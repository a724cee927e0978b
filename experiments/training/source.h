/* The finished run that another starts from: the one that it prunes, or the one whose alphas it starts with
 * in reversed order. */
#ifndef NOPOOL_SOURCE_H
#define NOPOOL_SOURCE_H

#include "../runs/run.h"

/* The option that names it, "prune-from" or "logits-from", and the name; NULL where a run starts from none.
 */
const char *source_name(const char **option, const Options *options);

/* Loads it. The caller frees source->net, after a failure too. Refuses a folder that is not finished or not
 * one state, is itself pruned, or was trained with other options or on other data than the plan's, and names
 * what differs. */
bool source_load(TrainedNetwork *source, const Plan *plan, const Dataset *data, const char *folder,
                 Error *error);

#endif
