/* Loading the run that another starts from. See source.h. */
#include "source.h"
#include "../base/files.h"
#include <string.h>

const char *source_name(const char **option, const Options *o)
{
    const bool pruned = o->prune_from[0] != 0;
    *option = pruned ? "prune-from" : "logits-from";
    if (pruned)
        return o->prune_from;
    return o->pooling == POOLING_LEARNED && o->logits_start == LOGITS_START_REVERSED ? o->logits_from : NULL;
}

/* What a run may have of its own: how it starts from its source, how many images it is tested on, where the
 * data lies. */
static const char *other_option(const Options *theirs, const Options *mine)
{
    Options o = *theirs;
    memcpy(o.data, mine->data, sizeof o.data);
    memcpy(o.prune_from, mine->prune_from, sizeof o.prune_from);
    o.prune_threshold = mine->prune_threshold;
    o.prune_start = mine->prune_start;
    o.prune_epochs = mine->prune_epochs;
    o.images_test = mine->images_test;
    o.images_epoch = mine->images_epoch;
    if (!mine->prune_from[0]) {
        memcpy(o.logits_from, mine->logits_from, sizeof o.logits_from);
        o.logits_start = mine->logits_start;
        o.logits_data = mine->logits_data;
    }
    return options_difference(&o, mine);
}

/* With another seed, data or split the source has learned its alphas on images that this run trains and tests
 * on. */
static bool check_source(const TrainedNetwork *source, const Plan *plan, const Dataset *data,
                         const char *folder, Error *error)
{
    const char *option;
    const Options *theirs = &source->plan.options;
    source_name(&option, &plan->options);
    if (theirs->pooling != POOLING_LEARNED || theirs->prune_from[0])
        return fail(error,
                    "--%s is %.400s, which has not learned its alphas: name a run with --pooling=learned",
                    option, folder);
    const char *name = other_option(theirs, &plan->options);
    if (name) {
        char was[TEXT_OPTION], is[TEXT_OPTION];
        options_value(was, sizeof was, theirs, name);
        options_value(is, sizeof is, &plan->options, name);
        return fail(
            error,
            "--%s is %.400s, which was trained with --%s=%.100s, not %.100s: a run has the options of "
            "its source",
            option, folder, name, was, is);
    }
    return strcmp(source->data_sha256, data->sha256) == 0 ||
           fail(error,
                "--%s is %.400s, which was trained on the data of SHA-256 %s, not %s: a run has the data of "
                "its source",
                option, folder, source->data_sha256, data->sha256);
}

bool source_load(TrainedNetwork *source, const Plan *plan, const Dataset *data, const char *folder,
                 Error *error)
{
    const char *option;
    char result[4096];
    source_name(&option, &plan->options);
    snprintf(result, sizeof result, "%.4000s/result.tsv", folder);
    if (!file_exists(result))
        return fail(error, "--%s is %.400s, which is not the folder of a finished run: train that one first",
                    option, folder);
    return run_load(source, folder, 1, error) && check_source(source, plan, data, folder, error) &&
           run_verify(folder, &source->plan, &source->state, error);
}
