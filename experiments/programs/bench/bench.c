/* build/bench: what the kernels reach, against this machine's measured peaks and against oneDNN in the same
 * process. */
#include "bench.h"
#include "../../base/program.h"
#include "../../base/threads.h"
#include <omp.h>
#include <stdio.h>

static void bench_set(const Kernels *kernels, int threads, bool all_cores)
{
    char name[64];
    snprintf(name, sizeof name, "%s-%s", kernels->name, kernels->instruction_set);
    if (measure_wanted("peak_multiply_add", name, "registers"))
        measure_line("peak_multiply_add", name, "registers", threads,
                     measure_peak(kernels, threads).flops / 1e9, "GFLOP/s", 1, 0);
    if (measure_wanted("peak_read", name, "256 MiB"))
        measure_line("peak_read", name, "256 MiB", threads, measure_peak(kernels, threads).bytes / 1e9,
                     "GB/s", 1, 0);
    if (measure_wanted("peak_write", name, "256 MiB"))
        measure_line("peak_write", name, "256 MiB", threads, measure_peak(kernels, threads).written / 1e9,
                     "GB/s", 1, 0);
    bench_convolutions(kernels, threads);
    bench_maps(kernels, threads);
    bench_mbconv(kernels, threads);
    bench_batch(kernels, threads);
    bench_steps(kernels, threads, all_cores);
    if (all_cores)
        bench_exchange(kernels, threads);
}

static void usage(void)
{
    printf(
        "bench [WORD ...]\n\n"
        "Measures the kernel sets f32 and bf16 on this machine, in the fastest instruction set of each;\n"
        "NOPOOL_ISA=plain|avx2 chooses another for both, avx512, avx512bf16 or amx measures that set alone.\n"
        "With words only the lines whose name, \"what kernels shape\", has every word in it:\n\n"
        "    bench weight_step bf16 10x64\n"
        "    bench conv2d_forward f32 192x64\n"
        "    bench peak_memory eff-conv\n"
        "    bench weight_step_maps\n\n"
        "A line: what, kernels, shape, threads, value, unit, fraction of the measured peak, ratio to "
        "oneDNN's\n"
        "direct algorithm. Without words all lines, which take many minutes.\n\n"
        "Beside the images a second of weight_step, alpha_step and evaluation stands their roofline, from a "
        "count\n"
        "of the passes over maps that a step makes:\n\n"
        "    STEP_bytes          read and written, each map once a pass; nothing is timed for it\n"
        "    STEP_products       operations of the convolutions, as the algorithms taken make them\n"
        "    STEP_maps           the bytes of a hidden layer, in maps of full resolution\n"
        "    STEP_by_bytes       bytes read over peak_read and written over peak_write\n"
        "    STEP_by_arithmetic  products over peak_multiply_add\n"
        "    STEP_roofline       the larger of the two\n"
        "    STEP_measured       the time of the step\n\n"
        "with each time's share of the measured one in the column of fractions. Where maps fit the caches, "
        "bytes\n"
        "take less than at memory's bandwidth. make bench-plot draws it.\n\n"
        "weight_step_ratio is how many times as long as a step of the net without pooling one of five\n"
        "resolutions takes, both in turns.\n\n"
        "weight_step_gathered and alpha_step_gathered count the bytes that all ranks of a job together hand "
        "in,\n"
        "and each is handed, in a step of 10x64 layers; nothing is timed for them.\n");
}

/* The sentence of words that no line has. */
static int refuse(int argc, char **argv)
{
    fprintf(stderr, "bench: no line has every one of these words in its name:");
    for (int i = 1; i < argc; i++)
        fprintf(stderr, " %s", argv[i]);
    fprintf(stderr, "; bench --help tells how lines are named\n");
    return 1;
}

int main(int argc, char **argv)
{
    static const char *const names[] = {"f32", "bf16"};
    threads_wait_briefly(argv);
    program_begin();
    const int cores = threads_allowed();
    if (program_asks_help(argc, argv)) {
        usage();
        return program_end("bench");
    }
    const Kernels *sets[] = {kernels_best(names[0]), kernels_best(names[1])};
    if (!sets[0] && !sets[1]) {
        fprintf(stderr, "bench: NOPOOL_ISA names a set that this CPU cannot run or nobody knows: unset it\n");
        return 1;
    }
    measure_only(argv + 1, argc - 1);
    bool all = true;
    for (int set = 0; set < 2; set++)
        if (sets[set])
            all = bench_memory(sets[set]) && all; /* forks: before any thread starts */
    for (int threads = 1; threads <= cores; threads = threads < cores ? cores : cores + 1) {
        omp_set_num_threads(threads);
        for (int set = 0; set < 2; set++)
            if (sets[set])
                bench_set(sets[set], threads, threads == cores);
    }
    if (all && !measure_made())
        return refuse(argc, argv);
    return program_end("bench") || !all;
}
