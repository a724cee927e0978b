/* build/bench: what the kernels reach, against this machine's measured peaks and against oneDNN in the same
 * process. */
#include "bench.h"
#include "../../base/program.h"
#include "../../base/threads.h"
#include <omp.h>
#include <stdio.h>

static void bench_set(const Kernels *kernels, int threads)
{
    const Peak peak = measure_peak(kernels, threads);
    char name[64];
    snprintf(name, sizeof name, "%s-%s", kernels->name, kernels->instruction_set);
    measure_line("peak_multiply_add", name, "registers", threads, peak.flops / 1e9, "GFLOP/s", 1, 0);
    measure_line("peak_read", name, "256 MiB", threads, peak.bytes / 1e9, "GB/s", 1, 0);
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
