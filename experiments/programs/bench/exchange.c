/* What the ranks of a job exchange in a step, counted where the steps gather it (fast/ranks.h): one process
 * makes the steps of one of several ranks, and is handed its own parts for those of the others. */
#include "../../../fast/ranks.h"
#include "bench.h"
#include "steps.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BATCH = 192 };

static struct {
    double bytes; /* of one rank's parts */
    int gathers;
    void *parts[RANKS_PLACES];
} counted;

static const void *count(const void *own, size_t bytes, int place)
{
    const int ranks = ranks_count();
    counted.bytes += (double)bytes;
    counted.gathers++;
    free(counted.parts[place]);
    unsigned char *parts = counted.parts[place] = measure_numbers(bytes * (size_t)ranks);
    for (int rank = 0; rank < ranks; rank++)
        memcpy(parts + rank * bytes, own, bytes);
    return parts;
}

typedef struct {
    const char *bytes, *gathers;
    void (*make)(void *);
} ExchangeStep;

static const ExchangeStep steps[] = {{"weight_step_gathered", "weight_step_gathers", weight_step},
                                     {"alpha_step_gathered", "alpha_step_gathers", alpha_step}};

static bool step_wanted(const ExchangeStep *step, const Kernels *kernels, const char *shape)
{
    return measure_wanted(step->bytes, kernels->name, shape) ||
           measure_wanted(step->gathers, kernels->name, shape);
}

static void step_lines(const ExchangeStep *step, const Kernels *kernels, const char *shape, int threads,
                       int ranks)
{
    ranks_join(ranks, 0, count);
    StepWork work = make_work(kernels, (Case){FIVE_LEVELS, 10, 64, BATCH});
    counted.bytes = 0;
    counted.gathers = 0;
    step->make(&work);
    free_work(&work);
    ranks_join(1, 0, NULL);
    measure_line(step->bytes, kernels->name, shape, threads, ranks * counted.bytes / 1e6, "MB of all ranks",
                 0, 0);
    measure_line(step->gathers, kernels->name, shape, threads, counted.gathers, "gathers", 0, 0);
}

void bench_exchange(const Kernels *kernels, int threads)
{
    static const int ranks[] = {2, 3, 4, 6, 12};
    for (int i = 0; i < 5; i++)
        for (int step = 0; step < 2; step++) {
            char net[64], shape[96];
            net_name(net, sizeof net, (Case){FIVE_LEVELS, 10, 64, BATCH});
            snprintf(shape, sizeof shape, "%s,ranks %d", net, ranks[i]);
            if (step_wanted(&steps[step], kernels, shape))
                step_lines(&steps[step], kernels, shape, threads, ranks[i]);
        }
    for (int place = 0; place < RANKS_PLACES; place++) {
        free(counted.parts[place]);
        counted.parts[place] = NULL;
    }
}
