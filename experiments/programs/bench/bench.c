/* build/bench: what the kernels reach, against this machine's measured peaks and against oneDNN in the same
 * process. */
#include "bench.h"
#include "../../base/program.h"
#include "../../base/progress.h"
#include "../../base/threads.h"
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
    const Kernels *kernels;
    const char *memory;
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
    for (int block = 0; block < READ_BYTES / 4096; block++) {
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

Peak bench_peak(const Kernels *kernels, int threads)
{
    char *memory = malloc(READ_BYTES);
    PeakWork work = {kernels, memory};
    Peak peak = {0, 0};
    if (memory) {
        memset(memory, 1, READ_BYTES);
        peak.bytes = READ_BYTES / bench_seconds(read_memory, &work);
    }
    peak.flops = threads * kernels->multiply_add_loop(ROUNDS) / bench_seconds(multiply_add, &work);
    free(memory);
    return peak;
}

static void bench_set(const Kernels *kernels, int threads)
{
    const Peak peak = bench_peak(kernels, threads);
    char name[64];
    snprintf(name, sizeof name, "%s-%s", kernels->name, kernels->instruction_set);
    bench_line("peak_multiply_add", name, "registers", threads, peak.flops / 1e9, "GFLOP/s", 1, 0);
    bench_line("peak_read", name, "256 MiB", threads, peak.bytes / 1e9, "GB/s", 1, 0);
    bench_convolutions(kernels, peak, threads);
    bench_maps(kernels, peak, threads);
    bench_batch(kernels, threads);
    bench_steps(kernels, peak, threads);
}

int main(int argc, char **argv)
{
    static const char *const names[] = {"f32", "bf16"};
    threads_wait_briefly(argv);
    program_begin();
    const int cores = threads_allowed();
    const bool help = program_asks_help(argc, argv);
    if (argc > 1) {
        fprintf(help ? stdout : stderr,
                "bench\n\nMeasures the kernel sets f32 and bf16 on this machine, in the fastest instruction "
                "set of "
                "each;\nNOPOOL_ISA=plain|avx2 chooses another for both, avx512, avx512bf16 or amx measures "
                "that set alone."
                "\nA line: what, kernels, shape, threads, value, unit, fraction of the measured peak, "
                "ratio to "
                "oneDNN's direct algorithm.\n");
        return help ? program_end("bench") : 2;
    }
    const Kernels *sets[] = {kernels_best(names[0]), kernels_best(names[1])};
    if (!sets[0] && !sets[1]) {
        fprintf(stderr, "bench: NOPOOL_ISA names a set that this CPU cannot run or nobody knows: unset it\n");
        return 1;
    }
    printf("what\tkernels\tshape\tthreads\tvalue\tunit\tfraction_of_peak\tratio_to_onednn\n");
    for (int set = 0; set < 2; set++)
        if (sets[set])
            bench_memory(sets[set]); /* forks: before any thread starts */
    for (int threads = 1; threads <= cores; threads = threads < cores ? cores : cores + 1) {
        omp_set_num_threads(threads);
        for (int set = 0; set < 2; set++)
            if (sets[set])
                bench_set(sets[set], threads);
    }
    return program_end("bench");
}
