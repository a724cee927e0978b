/* Whole steps of the networks of Tables 1 and 2, and the memory that they take. */
#include "../../data/batch.h"
#include "../../network/bilevel.h"
#include "../../network/cost.h"
#include "bench.h"
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum { BATCH = 192, LAYERS = 10, LEVELS = 5 };

typedef enum { NO_POOLING, PREDEFINED, FIVE_LEVELS, PRUNED, LEARNED_DEPTH, NETS } Net;
static const char *const names[NETS] = {"no-pooling", "predefined", "R=5", "one-res", "R=5 and depth"};

static NetworkSpec spec_of(Net net, int channels)
{
    static const int stages[LAYERS] = {0, 0, 0, 1, 1, 1, 2, 2, 3, 3};
    static const int one[LAYERS] = {0, 1, 0, 1, 2, 1, 2, 3, 4, 4}; /* a fine-to-coarse pruned net */
    NetworkSpec s = {.layers = LAYERS,
                     .channels = channels,
                     .classes = 10,
                     .image_channels = 3,
                     .height = 32,
                     .width = 32,
                     .levels = net == NO_POOLING ? 1 : LEVELS,
                     .bias = true,
                     .eps = 1e-5,
                     .momentum = 0.1,
                     .depth = net == LEARNED_DEPTH ? all_levels(LAYERS - 1) : 0};
    for (int l = 0; l < LAYERS; l++)
        s.kept[l] = net == NO_POOLING   ? 1
                    : net == PREDEFINED ? 1u << stages[l]
                    : net == PRUNED     ? 1u << one[l]
                                        : 31;
    return s;
}

typedef struct {
    Network *net;
    Batch batch;
    int t;
} StepWork;

static void weight_step(void *context)
{
    StepWork *work = context;
    filters_step(work->net, work->batch, (Sgd){0.01, 0.9, 0});
}

static void alpha_step(void *context)
{
    StepWork *work = context;
    logits_step(work->net, work->batch, (Adam){1e-4, 0.5, 0.999, 1e-8, 3e-4}, ++work->t);
}

/* Noise and labels in turn. */
static bool make_work(StepWork *work, const Kernels *kernels, const NetworkSpec *s, int batch)
{
    const size_t count = (size_t)batch * 3 * s->height * s->width;
    Error error;
    float *images = malloc(count * sizeof *images);
    int *labels = malloc((size_t)batch * sizeof *labels);
    for (size_t i = 0; images && i < count; i++)
        images[i] = (float)((i * 2654435761u >> 12) % 2001) / 1000 - 1;
    for (int i = 0; labels && i < batch; i++)
        labels[i] = i % 10;
    *work = (StepWork){network_create(kernels->engine, s, batch, &error), {images, labels, batch}, 0};
    if (work->net)
        network_initialise(work->net, 1);
    return work->net && images && labels;
}

static void free_work(StepWork *work)
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
static double sampling_seconds(const Kernels *kernels, int channels, int batch)
{
    double seconds = 0;
    for (int r = 0; r < LEVELS - 1; r++) {
        const Shape s = {batch, channels, 32 >> r, 32 >> r};
        Sampling a = {kernels, measure_tensor(kernels, s), measure_tensor(kernels, s),
                      measure_tensor(kernels, shape_coarser(s, 2)), s};
        seconds += (LAYERS - 1) * measure_seconds(sample, &a);
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
    for (int l = LAYERS - 2; l >= 0; l--)
        net->engine->depth_share(net->depth, net->dmap[0], l, true);
}

/* Bytes: forward reads every hidden map and writes one; backward reads map and gradient for beta, and reads
 * two and writes one for each map's share. */
static void bench_depth(StepWork *work, const Kernels *kernels, Peak peak, const char *shape, int threads)
{
    const NetworkSpec *s = &work->net->spec;
    const double map = (double)lanes_count((Shape){BATCH, s->channels, s->height, s->width}) *
                       (strcmp(kernels->name, "bf16") == 0 ? 2 : 4);
    const double forward = LAYERS * map / measure_seconds(depth_forward, work);
    const double backward = 5 * (LAYERS - 1) * map / measure_seconds(depth_backward, work);
    measure_line("depth_mix_forward", kernels->name, shape, threads, forward / 1e9, "GB/s",
               forward / peak.bytes, 0);
    measure_line("depth_mix_backward", kernels->name, shape, threads, backward / 1e9, "GB/s",
               backward / peak.bytes, 0);
}

static void bench_net(const Kernels *kernels, Peak peak, int threads, Net net, int channels, int batch)
{
    char shape[64];
    StepWork work;
    const NetworkSpec s = spec_of(net, channels);
    const double macs = network_cost(&s).macs;
    snprintf(shape, sizeof shape, "%s,%dx%d,batch %d", names[net], LAYERS, channels, batch);
    if (make_work(&work, kernels, &s, batch)) {
        const double weight = measure_seconds(weight_step, &work) / batch;
        measure_line("weight_step", kernels->name, shape, threads, 1 / weight, "images/s",
                   6 * macs / weight / peak.flops, 0);
        if (net == LEARNED_DEPTH)
            bench_depth(&work, kernels, peak, shape, threads);
        if (net == FIVE_LEVELS || net == LEARNED_DEPTH) {
            const double alpha = measure_seconds(alpha_step, &work) / batch;
            measure_line("alpha_step", kernels->name, shape, threads, 1 / alpha, "images/s",
                       4 * macs / alpha / peak.flops, 0);
        }
        if (net == FIVE_LEVELS)
            measure_line("pool_and_upsample", kernels->name, shape, threads,
                       100 * sampling_seconds(kernels, channels, batch) / (weight * batch),
                       "% of weight_step", 0, 0);
    }
    free_work(&work);
}

void bench_steps(const Kernels *kernels, Peak peak, int threads)
{
    static const int channels[] = {16, 32, 64};
    for (int i = 0; i < 3; i++)
        for (Net net = 0; net < NETS; net++)
            bench_net(kernels, peak, threads, net, channels[i], BATCH);
    bench_net(kernels, peak, threads, NO_POOLING, 64, 48);
    bench_net(kernels, peak, threads, FIVE_LEVELS, 64, 48);
}

/* A process of its own makes one step and prints its peak resident size. */
void bench_memory(const Kernels *kernels)
{
    for (Net net = 0; net < NETS; net++) {
        fflush(stdout);
        const pid_t child = fork();
        if (child == 0) {
            char shape[64];
            StepWork work;
            struct rusage usage;
            const NetworkSpec s = spec_of(net, 64);
            if (!make_work(&work, kernels, &s, BATCH))
                _exit(1);
            weight_step(&work);
            getrusage(RUSAGE_SELF, &usage);
            snprintf(shape, sizeof shape, "%s,%dx64,batch %d", names[net], LAYERS, BATCH);
            measure_line("peak_memory", kernels->name, shape, omp_get_max_threads(),
                         (double)usage.ru_maxrss / 1048576, "GiB", 0, 0);
            _exit(0);
        }
        if (child > 0)
            waitpid(child, NULL, 0);
    }
}
