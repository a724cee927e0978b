/* kernel OP SET IN.h5 OUT.h5: one operation of one kernel set on arrays of your own, so that anyone can
 * compare it with NumPy or PyTorch. */
#include "../../base/program.h"
#include "../../base/threads.h"
#include "operations.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { EXIT_USAGE = 2 };

/* Sets *kernels: NULL for ref. */
static bool choose(const Kernels **kernels, const char *set, Error *error)
{
    *kernels = kernels_best(set);
    return *kernels != NULL || strcmp(set, "ref") == 0 ||
           fail(
               error,
               "this CPU cannot run the instruction set that NOPOOL_ISA names, or %s does not have it; unset "
               "it, or set it to plain or avx2, or to avx512 for f32, avx512bf16 or amx for bf16",
               set);
}

static int misused(const char *sentence, const char *word)
{
    char list[1024];
    help_list(list, sizeof list);
    fprintf(stderr, "kernel: %s '%s'; known are %s\n", sentence, word, list);
    return EXIT_USAGE;
}

static bool run(Job *job, const char *in, const char *out, Error *error)
{
    if (!job_read(job, in, error) || !job_run(job, error))
        return false;
    Array results[MAX_JOB_ARRAYS];
    for (int i = 0; i < job->output_count; i++)
        results[i] = job->outputs[i].array;
    return arrays_write(out, results, job->output_count, job->kernels != NULL, error);
}

int main(int count, char **arguments)
{
    threads_wait_briefly(arguments);
    program_begin();
    if (count == 2 && program_asks_help(count, arguments)) {
        help_print();
        return program_end("kernel");
    }
    if (count == 1) {
        help_print();
        return EXIT_USAGE;
    }
    if (count != 5) {
        fprintf(stderr, "kernel: expected OP SET IN.h5 OUT.h5, not %d arguments; kernel --help explains\n",
                count - 1);
        return EXIT_USAGE;
    }
    const char *pass = arguments[1], *set = arguments[2];
    Job job = {0};
    job.operation = operation_find(&job.backward, pass);
    if (job.operation == NULL)
        return misused("unknown operation", pass);
    if (strcmp(set, "ref") != 0 && strcmp(set, "f32") != 0 && strcmp(set, "bf16") != 0) {
        fprintf(stderr, "kernel: unknown kernel set '%s'; known are ref, f32 and bf16\n", set);
        return EXIT_USAGE;
    }
    Error error;
    threads_set(0);
    bool done = choose(&job.kernels, set, &error) && run(&job, arguments[3], arguments[4], &error);
    job_free(&job);
    if (!done)
        die("kernel", &error);
    return program_end("kernel");
}
