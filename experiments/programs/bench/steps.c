#define _DEFAULT_SOURCE /* wait4 */
/* Whole steps of the tables' networks, and the memory that they take. */
#include "steps.h"
#include "../../base/error.h"
#include "../../data/batch.h"
#include "../../network/cost.h"
#include "bench.h"
#include "nets.h"
#include "roofline.h"
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum { BATCH = 192, SMALL_BATCH = 48, LEVELS = 5 };

void weight_step(void *context)
{
    StepWork *work = context;
    filters_step(work->net, work->batch, (Sgd){0.01, 0.9, 0});
}

void alpha_step(void *context)
{
    StepWork *work = context;
    logits_step(work->net, work->batch, (Adam){1e-4, 0.5, 0.999, 1e-8, 3e-4}, ++work->t);
}

static void evaluate(void *context)
{
    StepWork *work = context;
    network_forward(work->net, work->batch.images, work->batch.labels, work->batch.n, PASS_INFERENCE);
}

/* A step, and its operations for each multiply-accumulate of the forward pass. */
static const struct {
    const char *what;
    void (*make)(void *);
    int operations;
} steps[] = {[WEIGHT_STEP] = {"weight_step", weight_step, 6},
             [ALPHA_STEP] = {"alpha_step", alpha_step, 4},
             [EVALUATION] = {"evaluation", evaluate, 2}};
enum { STEPS = sizeof steps / sizeof *steps };

StepWork make_work(const Kernels *kernels, Case c)
{
    const NetworkSpec s = net_spec(c);
    Error error;
    int *labels = measure_numbers((size_t)c.batch * sizeof *labels);
    for (int i = 0; i < c.batch; i++)
        labels[i] = i % 10;
    const StepWork work = {
        network_create(kernels->engine, &s, c.batch, &error),
        {measure_numbers((size_t)c.batch * 3 * s.height * s.width * sizeof(float)), labels, c.batch},
        0};
    if (!work.net)
        die("bench", &error);
    network_initialise(work.net, 1);
    return work;
}

void free_work(StepWork *work)
{
    free((void *)work->batch.images);
    free((void *)work->batch.labels);
    network_free(work->net);
}

typedef struct {
    const Kernels *kernels;
    Dataset data;
    uint32_t indices[BATCH];
    float *images;
    Word *tensor;
    int labels[BATCH];
} Assembly;

static void assemble(void *context)
{
    Assembly *a = context;
    batch_assemble(a->images, a->labels, &a->data, &a->data.train, a->indices, BATCH,
                   (BatchMode){.augment = true, .seed = 1, .epoch = 1});
    a->kernels->import(a->tensor, a->images, (Shape){BATCH, IMAGE_CHANNELS, IMAGE_SIDE, IMAGE_SIDE});
}

void bench_batch(const Kernels *kernels, int threads)
{
    if (!measure_wanted("batch", kernels->name, "192x3,32x32"))
        return;
    static uint8_t labels[BATCH];
    const Shape s = {BATCH, IMAGE_CHANNELS, IMAGE_SIDE, IMAGE_SIDE};
    const size_t floats = shape_count(s) * sizeof(float);
    Assembly a = {.kernels = kernels,
                  .data = {.train = {BATCH, measure_numbers(floats), labels}, .deviation = {1, 1, 1}},
                  .images = measure_numbers(floats),
                  .tensor = measure_tensor(kernels, s)};
    for (int i = 0; i < BATCH; i++)
        a.indices[i] = (uint32_t)((i * 89) % BATCH);
    measure_line("batch", kernels->name, "192x3,32x32", threads, BATCH / measure_seconds(assemble, &a),
                 "images/s", 0, 0);
    free(a.data.train.images);
    free(a.images);
    free(a.tensor);
}

/* Pooling of the input and of its gradient, and upsampling of the gradient, from one level to the next, as
 * passes of their own: an upper bound, since the engine does most of it on the way of other passes. (Forward,
 * upsampling is part of the pass that normalises and mixes.) */
typedef struct {
    const Kernels *kernels;
    Word *fine, *dfine, *coarse;
    Shape s;
} Sampling;

static void sample(void *context)
{
    Sampling *a = context;
    a->kernels->pool_forward(a->coarse, a->fine, POOL_MAX, 2, a->s);
    a->kernels->pool_backward(a->dfine, a->coarse, a->fine, POOL_MAX, 2, a->s);
    a->kernels->upsample_backward(a->coarse, a->dfine, UPSAMPLE_NEAREST, 2, shape_coarser(a->s, 2));
}

/* Seconds of all hidden layers in one step; the first layer's three channels are left out. */
static double sampling_seconds(const Kernels *kernels, Case c)
{
    double seconds = 0;
    for (int r = 0; r < LEVELS - 1; r++) {
        const Shape s = {c.batch, c.channels, 32 >> r, 32 >> r};
        Sampling a = {kernels, measure_tensor(kernels, s), measure_tensor(kernels, s),
                      measure_tensor(kernels, shape_coarser(s, 2)), s};
        seconds += (c.layers - 1) * measure_seconds(sample, &a);
        free(a.fine);
        free(a.dfine);
        free(a.coarse);
    }
    return seconds;
}

/* The depth mix alone, on what a step has left in its network. */
static void depth_forward(void *context)
{
    const Network *net = ((StepWork *)context)->net;
    net->engine->depth_forward(net->depth, net->mixed, (const Tensor *const *)net->map + 1);
}

static void depth_backward(void *context)
{
    const Network *net = ((StepWork *)context)->net;
    net->engine->depth_backward(net->depth, net->dmixed, WANT_LOGITS);
    for (int l = net->spec.layers - 2; l >= 0; l--)
        net->engine->depth_share(net->depth, net->dhidden, l, true);
}

/* One measured network: what its lines share. */
typedef struct {
    const Kernels *kernels;
    Case net;
    int threads;
    char shape[64];
    double macs; /* of an image, forward */
} StepLines;

static bool step_wanted(const StepLines *lines, StepKind step)
{
    if (step == ALPHA_STEP && !net_learns(lines->net.net))
        return false;
    return measure_wanted(steps[step].what, lines->kernels->name, lines->shape) ||
           roofline_wanted(steps[step].what, lines->kernels, lines->shape);
}

/* A line of images a second and those of the roofline; the seconds of the step, 0 if none is asked for. */
static double step_lines(const StepLines *lines, StepWork *work, StepKind step)
{
    if (!step_wanted(lines, step))
        return 0;
    const char *what = steps[step].what;
    const Case c = lines->net;
    const NetworkSpec s = net_spec(c);
    const double seconds = measure_seconds(steps[step].make, work), rate = c.batch / seconds;
    measure_line(
        what, lines->kernels->name, lines->shape, lines->threads, rate, "images/s",
        steps[step].operations * lines->macs * rate / measure_peak(lines->kernels, lines->threads).flops, 0);
    roofline_times(what, lines->kernels, &s, c.batch, step, lines->shape, lines->threads, seconds);
    return seconds;
}

/* Bytes: forward reads every hidden map and writes one; backward reads map and gradient for beta, and reads
 * two and writes one for each map's share. */
static void depth_lines(const StepLines *lines, StepWork *work)
{
    static const struct {
        const char *what;
        void (*pass)(void *);
        int maps_a_layer, maps;
    } passes[] = {{"depth_mix_forward", depth_forward, 1, 1}, {"depth_mix_backward", depth_backward, 5, 0}};
    const Case c = lines->net;
    const double map = (double)lanes_count((Shape){c.batch, c.channels, 32, 32}) *
                       (strcmp(lines->kernels->name, "bf16") == 0 ? 2 : 4);
    for (int i = 0; i < 2; i++) {
        if (!measure_wanted(passes[i].what, lines->kernels->name, lines->shape))
            continue;
        network_forward(work->net, work->batch.images, work->batch.labels, c.batch, PASS_LOGITS);
        network_backward(work->net, WANT_LOGITS);
        const double rate = (passes[i].maps_a_layer * (c.layers - 1) + passes[i].maps) * map /
                            measure_seconds(passes[i].pass, work);
        measure_line(passes[i].what, lines->kernels->name, lines->shape, lines->threads, rate / 1e9, "GB/s",
                     rate / measure_peak(lines->kernels, lines->threads).bytes, 0);
    }
}

static bool any_wanted(const StepLines *lines)
{
    static const char *const names[] = {"pool_and_upsample", "depth_mix_forward", "depth_mix_backward"};
    const Net net = lines->net.net;
    const bool has[] = {net == FIVE_LEVELS, net == LEARNED_DEPTH, net == LEARNED_DEPTH};
    for (int i = 0; i < 3; i++)
        if (has[i] && measure_wanted(names[i], lines->kernels->name, lines->shape))
            return true;
    for (int step = 0; step < STEPS; step++)
        if (step_wanted(lines, (StepKind)step))
            return true;
    return false;
}

static void bench_net(const Kernels *kernels, int threads, Case c)
{
    const NetworkSpec s = net_spec(c);
    StepLines lines = {kernels, c, threads, "", network_cost(&s).macs};
    net_name(lines.shape, sizeof lines.shape, c);
    for (int step = 0; step < STEPS; step++)
        if (step != ALPHA_STEP || net_learns(c.net))
            roofline_counts(steps[step].what, kernels, &s, c.batch, (StepKind)step, lines.shape, threads);
    if (!any_wanted(&lines))
        return;
    StepWork work = make_work(kernels, c);
    const double weight = step_lines(&lines, &work, WEIGHT_STEP);
    step_lines(&lines, &work, ALPHA_STEP);
    step_lines(&lines, &work, EVALUATION);
    if (c.net == LEARNED_DEPTH)
        depth_lines(&lines, &work);
    if (c.net == FIVE_LEVELS && measure_wanted("pool_and_upsample", kernels->name, lines.shape))
        measure_line("pool_and_upsample", kernels->name, lines.shape, threads,
                     100 * sampling_seconds(kernels, c) /
                         (weight > 0 ? weight : measure_seconds(weight_step, &work)),
                     "% of weight_step", 0, 0);
    free_work(&work);
}

/* What five resolutions cost: their step over that of the net without pooling. */
static void bench_resolutions(const Kernels *kernels, int threads, int channels, int batch)
{
    char shape[64];
    snprintf(shape, sizeof shape, "R=5 over no-pooling,10x%d,batch %d", channels, batch);
    if (!measure_wanted("weight_step_ratio", kernels->name, shape))
        return;
    StepWork five = make_work(kernels, (Case){FIVE_LEVELS, 10, channels, batch}),
             one = make_work(kernels, (Case){NO_POOLING, 10, channels, batch});
    measure_line("weight_step_ratio", kernels->name, shape, threads, measure_ratio(weight_step, &five, &one),
                 "times", 0, 0);
    free_work(&five);
    free_work(&one);
}

/* Tables 1 and 2. */
static const Net common[] = {NO_POOLING, PREDEFINED, FIVE_LEVELS, PRUNED, LEARNED_DEPTH, UNSHARED};
enum { COMMON = sizeof common / sizeof *common };

/* Tables 3 and 4: minutes, hence on all cores only. */
static const Case large[] = {{LEARNED_DEPTH, 20, 64, BATCH},
                             {FIVE_LEVELS, 8, 128, BATCH},
                             {EFF_CONV, 8, 128, BATCH},
                             {FABRIC_SPARSE, 16, 64, BATCH},
                             {FABRIC_DENSE, 8, 128, BATCH}};
enum { LARGE = sizeof large / sizeof *large };

void bench_steps(const Kernels *kernels, int threads, bool all_cores)
{
    static const int channels[] = {16, 32, 64};
    for (int i = 0; i < 3; i++) {
        for (int net = 0; net < COMMON; net++)
            bench_net(kernels, threads, (Case){common[net], 10, channels[i], BATCH});
        bench_net(kernels, threads, (Case){NO_POOLING, 10, channels[i], SMALL_BATCH});
        bench_net(kernels, threads, (Case){FIVE_LEVELS, 10, channels[i], SMALL_BATCH});
        bench_resolutions(kernels, threads, channels[i], BATCH);
        bench_resolutions(kernels, threads, channels[i], SMALL_BATCH);
    }
    for (int i = 0; i < LARGE && all_cores; i++)
        bench_net(kernels, threads, large[i]);
}

/* A process of its own makes a step of each kind and prints its peak resident size. */
static bool bench_memory_of(const Kernels *kernels, Case c)
{
    char shape[64];
    net_name(shape, sizeof shape, c);
    if (!measure_wanted("peak_memory", kernels->name, shape))
        return true;
    fflush(stdout);
    const pid_t child = fork();
    if (child == 0) {
        StepWork work = make_work(kernels, c);
        weight_step(&work);
        if (net_learns(c.net))
            alpha_step(&work);
        _exit(0);
    }
    int status = 0;
    struct rusage usage;
    if (child < 0 || wait4(child, &status, 0, &usage) != child || status != 0) {
        fprintf(stderr,
                "bench: the steps of %s that show its memory did not end well: see that so much is free\n",
                shape);
        return false;
    }
    measure_line("peak_memory", kernels->name, shape, omp_get_max_threads(),
                 (double)usage.ru_maxrss / 1048576, "GiB", 0, 0);
    return true;
}

bool bench_memory(const Kernels *kernels)
{
    bool all = true;
    for (int net = 0; net < COMMON; net++)
        all = bench_memory_of(kernels, (Case){common[net], 10, 64, BATCH}) && all;
    for (int i = 0; i < LARGE; i++)
        all = bench_memory_of(kernels, large[i]) && all;
    return all;
}
