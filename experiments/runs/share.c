/* Dividing a run between ranks. */
#include "share.h"
#include "../../fast/kernels.h"
#include "../base/job.h"
#include <stdlib.h>
#include <string.h>

bool share_check(const Plan *plan, Error *error)
{
    const int batch = plan->options.batch, groups = batch / LANES, ranks = job_ranks();
    char allowed[256] = "1";
    if (ranks == 1)
        return true;
    if (plan->options.kernels == KERNELS_REF)
        return fail(error, "--kernels=ref is not divided between %d ranks: choose f32 or bf16, or start one",
                    ranks);
    if (batch % LANES == 0 && groups % ranks == 0)
        return true;
    for (int i = 2; batch % LANES == 0 && i <= groups; i++)
        if (groups % i == 0 && strlen(allowed) + 16 < sizeof allowed)
            snprintf(allowed + strlen(allowed), 16, "%s%d", i == groups ? " or " : ", ", i);
    return fail(error,
                "--batch=%d is not %d equal parts of whole groups of %d images: start %s rank%s, or choose "
                "a batch that is a multiple of %d",
                batch, ranks, LANES, allowed, allowed[1] ? "s" : "", ranks * LANES);
}

/* What the writing rank's folder and source decide, and what every rank must find for itself. */
typedef struct {
    bool finished, fresh;
    int epoch, iteration, source_epochs;
    Tally a, b;
    double seconds;
    unsigned kept[MAX_LAYERS];
    char data[65], instruction_set[32];
} Opened;

static Opened opened_here(const Run *run)
{
    Opened o;
    memset(&o, 0, sizeof o);
    o.finished = run->finished;
    o.fresh = run->fresh;
    o.epoch = run->epoch;
    o.iteration = run->iteration;
    o.source_epochs = run->plan.source_epochs;
    o.a = run->tally_a;
    o.b = run->tally_b;
    o.seconds = run->seconds;
    memcpy(o.kept, run->plan.network.kept, sizeof o.kept);
    snprintf(o.data, sizeof o.data, "%s", run->data.sha256);
    snprintf(o.instruction_set, sizeof o.instruction_set, "%s", run->plan.engine->instruction_set);
    return o;
}

static bool same_machine(const Run *run, const Opened *o, Error *error)
{
    if (strcmp(run->data.sha256, o->data) != 0)
        return fail(
            error,
            "a rank has the data of SHA-256 %s, not %s like the first: give all of them the same --data",
            run->data.sha256, o->data);
    return strcmp(run->plan.engine->instruction_set, o->instruction_set) == 0 ||
           fail(error,
                "a rank has the instruction set %s, not %s like the first, and other bits: name one that all "
                "have in NOPOOL_ISA",
                run->plan.engine->instruction_set, o->instruction_set);
}

/* The run of a rank that does not write: in memory alone. */
static bool follow(Run *run, const Opened *o, Error *error)
{
    run->finished = o->finished;
    run->fresh = o->fresh;
    run->epoch = o->epoch;
    run->iteration = o->iteration;
    run->tally_a = o->a;
    run->tally_b = o->b;
    run->seconds = o->seconds;
    run->plan.source_epochs = o->source_epochs;
    memcpy(run->plan.network.kept, o->kept, sizeof o->kept);
    return run->finished ||
           (run_split(run, error) && (run->net = network_create(run->plan.engine, &run->plan.network,
                                                                run->plan.options.batch, error)));
}

static bool share_vectors(const Network *net, Error *error)
{
    Saved saved[SAVED_VECTORS];
    state_vectors(saved, net);
    for (int i = 0; i < SAVED_VECTORS; i++) {
        double *numbers = malloc((saved[i].count + 1) * sizeof *numbers);
        if (!job_agrees(numbers || fail(error, "not enough memory to share %s", saved[i].name), error)) {
            free(numbers);
            return false;
        }
        net->engine->vector_read(numbers, saved[i].vector, 0, saved[i].count);
        job_share(numbers, saved[i].count * sizeof *numbers);
        net->engine->vector_write(saved[i].vector, 0, numbers, saved[i].count);
        free(numbers);
    }
    return true;
}

bool share_run(Run *run, Error *error)
{
    if (job_ranks() == 1)
        return true;
    Opened opened = opened_here(run);
    job_share(&opened, sizeof opened);
    const bool ok = same_machine(run, &opened, error) && (job_writes() || follow(run, &opened, error));
    return job_agrees(ok, error) && (run->finished || share_vectors(run->net, error));
}
