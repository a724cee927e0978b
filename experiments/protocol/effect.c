/* Which options need which others. An option that is not in the table always has an effect. */
#include "effect.h"
#include <string.h>

/* What must be so, in words for the sentence. */
static bool pools(const Options *o)
{
    return o->pooling != POOLING_NONE;
}

static bool has_levels(const Options *o)
{
    return o->pooling == POOLING_UNIFORM || o->pooling == POOLING_LEARNED;
}

static bool is_predefined(const Options *o)
{
    return o->pooling == POOLING_PREDEFINED;
}

static bool is_fixed(const Options *o)
{
    return o->pooling != POOLING_LEARNED;
}

static bool prunes(const Options *o)
{
    return o->prune_from[0] != 0;
}

static bool fine_tunes(const Options *o)
{
    return prunes(o) && o->prune_start == PRUNE_TRAINED;
}

static bool starts(const Options *o)
{
    return o->pooling == POOLING_LEARNED && !prunes(o);
}

static bool starts_reversed(const Options *o)
{
    return starts(o) && o->logits_start == LOGITS_START_REVERSED;
}

static bool learns(const Options *o)
{
    return starts(o) && o->logits_data != LOGITS_DATA_NONE;
}

static bool has_middle(const Options *o)
{
    return o->layers > 2 && o->net == 0;
}

static const struct {
    const char *name;
    bool (*has_effect)(const Options *o);
    const char *needs;
} table[] = {
    {"block", has_middle, "--net=layers, and a layer between the first and the last"},
    {"levels", has_levels, "--pooling=uniform or --pooling=learned"},
    {"first-level", has_levels, "--pooling=uniform or --pooling=learned"},
    {"stages", is_predefined, "--pooling=predefined"},
    {"down", pools, "a --pooling other than none"},
    {"up", pools, "a --pooling other than none"},
    {"norm", pools, "a --pooling other than none"},
    {"filters", has_levels, "--pooling=uniform or --pooling=learned"},
    {"depth", learns, "--pooling=learned without --prune-from and --logits-data=none"},
    {"fixed-data", is_fixed, "a --pooling other than learned"},
    {"logits-data", starts, "--pooling=learned without --prune-from"},
    {"logits-start", starts, "--pooling=learned without --prune-from"},
    {"logits-from", starts_reversed, "--logits-start=reversed without --prune-from"},
    {"logits-lr", learns, "--pooling=learned without --prune-from and --logits-data=none"},
    {"logits-beta1", learns, "--pooling=learned without --prune-from and --logits-data=none"},
    {"logits-beta2", learns, "--pooling=learned without --prune-from and --logits-data=none"},
    {"logits-eps", learns, "--pooling=learned without --prune-from and --logits-data=none"},
    {"logits-decay", learns, "--pooling=learned without --prune-from and --logits-data=none"},
    {"order", learns, "--pooling=learned without --prune-from and --logits-data=none"},
    {"prune-threshold", prunes, "--prune-from"},
    {"prune-start", prunes, "--prune-from"},
    {"prune-epochs", fine_tunes, "--prune-from with --prune-start=trained"},
};

bool option_has_effect(const char *name, const Options *options, Error *error)
{
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (strcmp(table[i].name, name) == 0 && !table[i].has_effect(options))
            return fail(error, "--%s has no effect in this run, it needs %s: leave it out", name,
                        table[i].needs);
    return true;
}
