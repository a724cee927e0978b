/* Options to plan. The arithmetic of the choices (paper/choices.tsv): default stages, the logits' rate in a
 * short run, the schedule of fine-tuning. */
#include "plan.h"
#include "../../fast/kernels.h"
#include <float.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

enum { STAGES = 4, PAPER_ITERATIONS = 83200 }; /* 400 epochs of 208 batches of 192 */

void plan_stages(char text[TEXT_OPTION], int layers)
{
    int length = 0;
    for (int stage = 0; stage < STAGES && stage < layers; stage++)
        length += snprintf(text + length, (size_t)(TEXT_OPTION - length), "%s%d", stage ? "," : "",
                           layers / STAGES + (stage < layers % STAGES));
}

/* One level a layer: stage 0 at full resolution, each later stage pooled by 2 once more. */
static bool predefined_levels(NetworkSpec *s, const char *stages, Error *error)
{
    int l = 0, stage = 0;
    for (const char *at = stages; *at; stage++) {
        char *end;
        const long count = strtol(at, &end, 10);
        if (end == at || (*end && *end != ',') || count < 1 || count > s->layers - l || stage >= MAX_LEVELS)
            return fail(error,
                        "--stages is %s, but must be numbers of layers, such as 3,3,2,2, that add up to %d",
                        stages, s->layers);
        for (long i = 0; i < count; i++)
            s->kept[l++] = 1u << stage;
        at = *end ? end + 1 : end;
    }
    s->levels = stage;
    if (l != s->layers)
        return fail(error, "--stages is %s: these are %d layers, but the network has %d", stages, l,
                    s->layers);
    return true;
}

/* A fabric has no pooling and no biases, and its head is linear: options that say something else are refused,
 * not left out. */
static bool check_fabric(const Options *o, Error *error)
{
    static const char *const needed[][2] = {{"pooling", "none"}, {"head", "linear"}, {"bias", "no"}};
    for (size_t i = 0; i < sizeof needed / sizeof *needed; i++) {
        char is[TEXT_OPTION];
        options_value(is, sizeof is, o, needed[i][0]);
        if (strcmp(is, needed[i][1]) != 0)
            return fail(
                error,
                "a fabric needs --%s=%s, not %.100s: it has no pooling and no biases, and a linear head",
                needed[i][0], needed[i][1], is);
    }
    return true;
}

static bool plan_fabric(NetworkSpec *s, const Options *o, Error *error)
{
    s->net = (NetKind)o->net;
    s->levels = 0;
    return check_fabric(o, error) && network_check(s, error);
}

bool plan_network(NetworkSpec *s, const Options *o, Error *error)
{
    *s = (NetworkSpec){
        .layers = o->layers,
        .channels = o->channels,
        .classes = CLASSES,
        .image_channels = IMAGE_CHANNELS,
        .height = IMAGE_SIDE,
        .width = IMAGE_SIDE,
        .levels = 1,
        .down = (PoolMode)o->down,
        .up = (UpsampleMode)o->up,
        .bias = o->bias,
        .affine = o->affine,
        .shared_norm = o->norm == NORM_SHARED,
        .linear_head = o->head == HEAD_LINEAR,
        .unshared = o->filters == FILTERS_UNSHARED,
        .depth = o->depth == DEPTH_LEARNED ? all_levels(o->layers - 1) : 0,
        .eps = o->norm_eps,
        .momentum = o->norm_momentum,
        .block = (BlockKind)o->block,
    };
    if (o->net != NET_LAYERS)
        return plan_fabric(s, o, error);
    if (o->pooling == POOLING_PREDEFINED) {
        if (!predefined_levels(s, o->stages, error))
            return false;
        return network_check(s, error);
    }
    if (o->pooling == POOLING_UNIFORM || o->pooling == POOLING_LEARNED)
        s->levels = o->levels + o->first_level;
    for (int l = 0; l < s->layers; l++)
        s->kept[l] = all_levels(s->levels) & (s->levels > 1 ? ~all_levels(o->first_level) : 1u);
    return network_check(s, error);
}

const Engine *engine_of(int set, Error *error)
{
    if (set == KERNELS_REF)
        return &ref_engine;
    const Kernels *kernels = kernels_best(set == KERNELS_F32 ? "f32" : "bf16");
    if (!kernels)
        fail(error,
             "NOPOOL_ISA is %s, which this CPU or kernel set lacks: unset it, or choose plain, avx2, avx512 "
             "(f32), avx512bf16 or amx (bf16)",
             getenv("NOPOOL_ISA"));
    return kernels ? kernels->engine : NULL;
}

/* At the printed 1e-4 a logit moves by about 1e-4 a step: it cannot leave uniform in a short run. */
static double logits_rate(long iterations)
{
    const double scaled = 1e-4 * PAPER_ITERATIONS / iterations;
    return iterations >= PAPER_ITERATIONS ? 1e-4 : scaled < 1e-2 ? scaled : 1e-2;
}

static bool check_sizes(const Plan *plan, const Dataset *data, Error *error)
{
    const Options *o = &plan->options;
    if (o->images_a > data->train.count - o->images_b)
        return fail(error,
                    "D_a and D_b are %d + %d images, but %s has %d for training: choose smaller --images-a, "
                    "--images-b",
                    o->images_a, o->images_b, data->name, data->train.count);
    if (o->images_test > data->test.count)
        return fail(error, "--images-test is %d, but %s has %d test images", o->images_test, data->name,
                    data->test.count);
    return true;
}

/* Steps are counted in an int (Adam's t); the rates of float sets are floats. */
static bool check_numbers(const Plan *plan, Error *error)
{
    const Options *o = &plan->options;
    const long steps = (long)o->epochs * plan->iterations;
    const char *tiny = o->kernels == KERNELS_REF ? NULL : options_below(o, FLT_MIN);
    if (steps > INT_MAX || (long)plan->epochs * plan->iterations > INT_MAX)
        return fail(error,
                    "--epochs=%d of %d iterations are %ld steps, but at most %d can be counted: choose fewer "
                    "epochs or a larger --batch",
                    o->epochs, plan->iterations, steps, INT_MAX);
    if (tiny) {
        char value[TEXT_OPTION];
        options_value(value, sizeof value, o, tiny);
        return fail(error, "--%s=%s is 0 to float arithmetic: choose 0, at least %.3g, or --kernels=ref",
                    tiny, value, FLT_MIN);
    }
    return true;
}

bool plan_resolve(Plan *plan, const Options *options, Error *error)
{
    *plan = (Plan){.options = *options};
    Options *o = &plan->options;
    const bool pruned = o->prune_from[0] != 0;
    if (!(plan->engine = engine_of(o->kernels, error)))
        return false;
    if (strcmp(o->stages, "auto") == 0)
        plan_stages(o->stages, o->layers);
    if (pruned && o->pooling != POOLING_LEARNED)
        return fail(error, "--prune-from needs --pooling=learned: only learned alphas can be pruned");
    if (o->pooling == POOLING_LEARNED && o->logits_start == LOGITS_START_REVERSED && !o->logits_from[0])
        return fail(error,
                    "--logits-start=reversed needs --logits-from: name the run whose order of levels it "
                    "reverses");
    if (o->depth == DEPTH_LEARNED &&
        (o->pooling != POOLING_LEARNED || o->logits_data == LOGITS_DATA_NONE || o->layers < 2))
        return fail(error,
                    "--depth=learned needs --pooling=learned, --logits-data other than none and at least 2 "
                    "layers: beta is learned with alpha");
    if (o->depth == DEPTH_LEARNED && pruned)
        return fail(error, "a network with --depth=learned is not pruned, as in the paper's Table 3: name a "
                           "source with --depth=fixed");
    if (o->images_epoch > o->images_test)
        o->images_epoch = o->images_test;
    plan->learns_alpha = o->pooling == POOLING_LEARNED && !pruned && o->logits_data != LOGITS_DATA_NONE;
    plan->images = o->images_a;
    if (o->pooling != POOLING_LEARNED && o->fixed_data == FIXED_DATA_ALL)
        plan->images += o->images_b;
    if (o->batch > plan->images || (plan->learns_alpha && o->batch > o->images_b))
        return fail(error, "a batch of %d is larger than D_a (%d) or D_b (%d): choose a smaller --batch",
                    o->batch, o->images_a, o->images_b);
    if (plan->learns_alpha && o->logits_data == LOGITS_DATA_A && o->images_b > o->images_a)
        return fail(error,
                    "--logits-data=a takes %d images of D_a, which has %d: choose a smaller --images-b",
                    o->images_b, o->images_a);
    plan->iterations = plan->images / o->batch;
    plan->epochs = o->epochs;
    if (o->logits_lr == 0)
        o->logits_lr = logits_rate((long)o->epochs * plan->iterations);
    if (pruned && o->prune_start == PRUNE_TRAINED) {
        if (o->prune_epochs == 0)
            o->prune_epochs = o->epochs / 10 > 1 ? o->epochs / 10 : 1;
        plan->epochs = o->prune_epochs;
        plan->schedule_from = 0.9 * o->epochs;
    }
    return check_numbers(plan, error) && plan_network(&plan->network, o, error);
}

bool plan_make(Plan *plan, const Options *options, const Dataset *data, Error *error)
{
    return plan_resolve(plan, options, error) && check_sizes(plan, data, error);
}

/* Fine-tuning walks the last tenth of the cosine in as many epochs as it has. */
double plan_lr(const Plan *plan, int epoch)
{
    const Options *o = &plan->options;
    const double step = (o->epochs - plan->schedule_from) / plan->epochs;
    return ref_cosine_lr(plan->schedule_from + epoch * step, o->epochs, o->lr, o->lr_min);
}
