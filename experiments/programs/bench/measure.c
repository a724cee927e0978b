/* Measuring for build/bench. */
#define _DEFAULT_SOURCE /* madvise */
#include "measure.h"
#include "../../base/progress.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { MOST_REPETITIONS = 101 };

static int compare(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *values, int count)
{
    qsort(values, (size_t)count, sizeof *values, compare);
    return values[count / 2];
}

static double seconds_once(void (*work)(void *context), void *context)
{
    const double before = progress_seconds();
    work(context);
    return progress_seconds() - before;
}

double measure_seconds(void (*work)(void *context), void *context)
{
    double seconds[MOST_REPETITIONS];
    const double start = progress_seconds();
    int count = 0;
    work(context); /* pages and caches are warm, threads are up */
    while (count < 3 || (count < MOST_REPETITIONS && progress_seconds() - start < 0.2))
        seconds[count++] = seconds_once(work, context);
    return median(seconds, count);
}

double measure_ratio(void (*work)(void *context), void *a, void *b)
{
    double ratios[MOST_REPETITIONS];
    const double start = progress_seconds();
    int count = 0;
    work(a);
    work(b);
    while (count < 7 || (count < MOST_REPETITIONS && progress_seconds() - start < 1)) {
        const double seconds = seconds_once(work, a);
        ratios[count++] = seconds / seconds_once(work, b);
    }
    return median(ratios, count);
}

static struct {
    char *const *words;
    int count;
    bool made;
} only;

void measure_only(char *const *words, int count)
{
    only.words = words;
    only.count = count;
}

bool measure_wanted(const char *what, const char *kernels, const char *shape)
{
    char name[256];
    snprintf(name, sizeof name, "%s %s %s", what, kernels, shape);
    for (int i = 0; i < only.count; i++)
        if (!strstr(name, only.words[i]))
            return false;
    return true;
}

bool measure_made(void)
{
    return only.made;
}

void measure_line(const char *what, const char *kernels, const char *shape, int threads, double value,
                  const char *unit, double fraction, double ratio)
{
    char fraction_text[32] = "-", ratio_text[32] = "-";
    if (!measure_wanted(what, kernels, shape))
        return;
    if (!only.made)
        printf("what\tkernels\tshape\tthreads\tvalue\tunit\tfraction_of_peak\tratio_to_onednn\n");
    only.made = true;
    if (fraction > 0)
        snprintf(fraction_text, sizeof fraction_text, "%.3f", fraction);
    if (ratio > 0)
        snprintf(ratio_text, sizeof ratio_text, "%.3f", ratio);
    printf("%s\t%s\t%s\t%d\t%.4g\t%s\t%s\t%s\n", what, kernels, shape, threads, value, unit, fraction_text,
           ratio_text);
    fflush(stdout);
}

enum { MEMORY_BYTES = 256 << 20 };

typedef struct {
    const Kernels *kernels;
    char *memory;
} PeakWork;

enum { ROUNDS = 1 << 15 };

static void multiply_add(void *context)
{
    const PeakWork *work = context;
#pragma omp parallel
    work->kernels->multiply_add_loop(ROUNDS);
}

static void read_memory(void *context)
{
    const PeakWork *work = context;
#pragma omp parallel for schedule(static)
    for (int block = 0; block < MEMORY_BYTES / 4096; block++) {
        /* Eight sums, one for each word of a line: with one, its additions would be the limit. */
        const unsigned long *words = (const unsigned long *)(work->memory + (size_t)block * 4096);
        unsigned long sum[8] = {0};
        for (int i = 0; i < 512; i += 8)
#pragma GCC unroll 8
            for (int j = 0; j < 8; j++)
                sum[j] += words[i + j];
        __asm__ volatile("" : : "m"(sum));
    }
}

static void write_memory(void *context)
{
    const PeakWork *work = context;
#pragma omp parallel for schedule(static)
    for (int block = 0; block < MEMORY_BYTES / 4096; block++) {
        /* Quarters of a line. The compiler must not see a memset, which may go past the caches. */
        typedef unsigned long Quarter __attribute__((vector_size(16), may_alias));
        Quarter *quarters = (Quarter *)(work->memory + (size_t)block * 4096), value = {1, 2};
        for (int i = 0; i < 256; i += 4) {
            __asm__ volatile("" : "+m"(value));
#pragma GCC unroll 4
            for (int j = 0; j < 4; j++)
                quarters[i + j] = value;
        }
    }
}

static Peak peak_now(const Kernels *kernels, int threads)
{
    char *memory = aligned_alloc(4096, MEMORY_BYTES);
    PeakWork work = {kernels, memory};
    Peak peak = {0, 0, 0};
    if (memory) {
        memset(memory, 1, MEMORY_BYTES);
        peak.bytes = MEMORY_BYTES / measure_seconds(read_memory, &work);
        peak.written = MEMORY_BYTES / measure_seconds(write_memory, &work);
    }
    peak.flops = threads * kernels->multiply_add_loop(ROUNDS) / measure_seconds(multiply_add, &work);
    free(memory);
    return peak;
}

Peak measure_peak(const Kernels *kernels, int threads)
{
    enum { MOST = 16 };
    static struct {
        const Kernels *kernels;
        int threads;
        Peak peak;
    } known[MOST];
    static int count;
    for (int i = 0; i < count; i++)
        if (known[i].kernels == kernels && known[i].threads == threads)
            return known[i].peak;
    const int at = count < MOST ? count++ : MOST - 1;
    known[at].peak = peak_now(kernels, threads);
    known[at].kernels = kernels;
    known[at].threads = threads;
    return known[at].peak;
}

/* In pages of 2 MiB, like the engine's (fast/engine/memory.c). */
void *measure_numbers(size_t bytes)
{
    const size_t page = bytes < 1 << 23 ? 64 : 1 << 21, rounded = (bytes + page - 1) / page * page;
    float *x = aligned_alloc(page, rounded);
    if (!x) {
        fprintf(stderr, "bench: not enough memory for %zu bytes\n", bytes);
        exit(1);
    }
#ifdef MADV_HUGEPAGE
    if (page > 64)
        (void)madvise(x, rounded, MADV_HUGEPAGE);
#endif
    for (size_t i = 0; i < bytes / sizeof *x; i++)
        x[i] = (float)((i * 2654435761u >> 12) % 2001) / 1000 - 1;
    return x;
}

Word *measure_tensor(const Kernels *kernels, Shape s)
{
    float *x = measure_numbers(shape_count(s) * sizeof *x);
    Word *lanes = measure_numbers(lanes_count(s) * sizeof *lanes);
    kernels->import(lanes, x, s);
    free(x);
    return lanes;
}
