/* build/bench: what the kernels reach, against this machine's measured peaks and against oneDNN in the same
 * process. */
#include "bench.h"
#include "../progress.h"
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_REPETITIONS = 101 };

static int compare(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

double bench_seconds(void (*work)(void *context), void *context)
{
    double seconds[MOST_REPETITIONS];
    const double start = progress_seconds();
    int count = 0;
    work(context); /* pages and caches are warm, threads are up */
    while (count < 3 || (count < MOST_REPETITIONS && progress_seconds() - start < 0.2)) {
        const double before = progress_seconds();
        work(context);
        seconds[count++] = progress_seconds() - before;
    }
    qsort(seconds, (size_t)count, sizeof *seconds, compare);
    return seconds[count / 2];
}

void bench_line(const char *what, const char *kernels, const char *shape, int threads, double value,
                const char *unit, double fraction, double ratio)
{
    char fraction_text[32] = "-", ratio_text[32] = "-";
    if (fraction > 0)
        snprintf(fraction_text, sizeof fraction_text, "%.3f", fraction);
    if (ratio > 0)
        snprintf(ratio_text, sizeof ratio_text, "%.3f", ratio);
    printf("%s\t%s\t%s\t%d\t%.4g\t%s\t%s\t%s\n", what, kernels, shape, threads, value, unit, fraction_text,
           ratio_text);
    fflush(stdout);
}

enum { READ_BYTES = 256 << 20 };

typedef struct {
    const F32 *f32;
    const char *memory;
} PeakWork;

enum { ROUNDS = 1 << 15 };

static void multiply_add(void *context)
{
    const PeakWork *work = context;
#pragma omp parallel
    work->f32->multiply_add_loop(ROUNDS);
}

static void read_memory(void *context)
{
    const PeakWork *work = context;
#pragma omp parallel for schedule(static)
    for (int block = 0; block < READ_BYTES / 4096; block++) {
        const unsigned long *words = (const unsigned long *)(work->memory + (size_t)block * 4096);
        unsigned long sum = 0;
        for (int i = 0; i < 512; i++)
            sum += words[i];
        __asm__ volatile("" : : "r"(sum));
    }
}

Peak bench_peak(const F32 *f32, int threads)
{
    char *memory = malloc(READ_BYTES);
    PeakWork work = {f32, memory};
    Peak peak = {0, 0};
    if (memory) {
        memset(memory, 1, READ_BYTES);
        peak.bytes = READ_BYTES / bench_seconds(read_memory, &work);
    }
    peak.flops = threads * f32->multiply_add_loop(ROUNDS) / bench_seconds(multiply_add, &work);
    free(memory);
    return peak;
}

int main(int argc, char **argv)
{
    const F32 *f32 = f32_best();
    const int cores = omp_get_num_procs();
    if (argc > 1) {
        fprintf(strcmp(argv[1], "--help") == 0 ? stdout : stderr,
                "bench\n\nMeasures the float kernels on this machine; NOPOOL_ISA=plain|avx2|avx512 chooses "
                "among instruction "
                "sets.\nA line: what, kernels, shape, threads, value, unit, fraction of the measured peak, "
                "ratio to "
                "oneDNN's direct algorithm.\n");
        return strcmp(argv[1], "--help") == 0 ? 0 : 2;
    }
    if (!f32) {
        fprintf(stderr, "bench: NOPOOL_ISA names a set that this CPU cannot run or nobody knows: unset it\n");
        return 1;
    }
    printf("what\tkernels\tshape\tthreads\tvalue\tunit\tfraction_of_peak\tratio_to_onednn\n");
    bench_memory(f32); /* forks: before any thread starts */
    for (int threads = 1; threads <= cores; threads = threads < cores ? cores : cores + 1) {
        omp_set_num_threads(threads);
        const Peak peak = bench_peak(f32, threads);
        bench_line("peak_multiply_add", f32->instruction_set, "registers", threads, peak.flops / 1e9,
                   "GFLOP/s", 1, 0);
        bench_line("peak_read", f32->instruction_set, "256 MiB", threads, peak.bytes / 1e9, "GB/s", 1, 0);
        bench_convolutions(f32, peak, threads);
        bench_maps(f32, peak, threads);
        bench_steps(f32, peak, threads);
    }
    return 0;
}
