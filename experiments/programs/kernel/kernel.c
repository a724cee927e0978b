/* kernel OP SET IN.h5 OUT.h5: one operation of one kernel set on arrays of your own, so that anyone can
 * compare it with NumPy or PyTorch. */
#include "../../base/program.h"
#include "../../base/threads.h"
#include "operations.h"
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { EXIT_USAGE = 2, READING_SECONDS = 60 };

static const struct {
    const char *name;
    const Adapter *(*find)(const char *pass);
    bool (*choose)(const char *set, Error *error); /* NULL: nothing to choose */
    bool single;                                   /* float32 results */
} sets[] = {
    {"ref", kernel_ref, NULL, false},
    {"f32", kernel_fast, kernel_fast_choose, true},
    {"bf16", kernel_fast, kernel_fast_choose, true},
};
enum { SETS = sizeof sets / sizeof *sets };

static void print_help(void)
{
    printf(
        "usage: kernel OP SET IN.h5 OUT.h5\n"
        "\n"
        "Runs one operation of one kernel set on the arrays in IN.h5 and writes its results to OUT.h5.\n"
        "SET is ref (double precision), f32 (single precision) or bf16 (tensors and filters rounded to\n"
        "bfloat16, sums and parameters in single precision), with the fastest instruction set of this CPU.\n"
        "\n"
        "Arrays are HDF5 datasets in PyTorch's conventions, of floating-point or integer numbers of any\n"
        "width; numbers are scalar datasets or have one element; words (mode, down, up) are string\n"
        "attributes of the root group. What stands in [brackets] may be absent. Results are float64 for\n"
        "ref, float32 for the others; a backward pass takes the cotangent dy of its first result and gives\n"
        "the gradient of every differentiable input that is there. In\n"
        "\n"
        "  N images, C channels in, K channels out or classes, H x W the map, H' x W' the map of the\n"
        "  result, S x S the filter, R resolutions; (*) is any shape, the same for all that have it\n"
        "\n"
        "OP is one of\n"
        "\n");
    operations_help();
    printf(
        "\n"
        "Exit status: 0 done; 1 an input is wrong or a file cannot be read or written, and OUT.h5 is left\n"
        "as it was; 2 the command line is wrong.\n");
}

static int misused(const char *sentence, const char *word)
{
    char list[1024];
    operations_list(list, sizeof list);
    fprintf(stderr, "kernel: %s '%s'; known are %s\n", sentence, word, list);
    return EXIT_USAGE;
}

/* HDF5 itself crashes, or never ends, on some damaged files. Nothing has been written while inputs are read,
 * so what is left to do is to say so; only write and _exit are allowed here. */
static char damaged[2048];

static void stop_reading(int signal)
{
    (void)signal;
    ssize_t written = write(STDERR_FILENO, damaged, strlen(damaged));
    (void)written;
    _exit(EXIT_FAILURE);
}

static bool read_guarded(Job *job, const char *in, Error *error)
{
    static const int signals[] = {SIGSEGV, SIGBUS, SIGFPE, SIGABRT, SIGALRM};
    enum { SIGNALS = sizeof signals / sizeof *signals };
    struct sigaction guard = {.sa_handler = stop_reading}, before[SIGNALS];
    snprintf(damaged, sizeof damaged,
             "kernel: %.1024s is damaged: HDF5 crashed on it or took over %d s; write it again\n", in,
             READING_SECONDS);
    for (int i = 0; i < SIGNALS; i++)
        sigaction(signals[i], &guard, &before[i]);
    alarm(READING_SECONDS);
    bool read = job_read(job, in, error);
    alarm(0);
    for (int i = 0; i < SIGNALS; i++)
        sigaction(signals[i], &before[i], NULL);
    return read;
}

static bool run(Job *job, const Adapter *adapter, bool single, const char *in, const char *out, Error *error)
{
    if (!read_guarded(job, in, error))
        return false;
    adapter->run(job);
    if (job->memory_failed)
        return fail(error, "%s: no memory to run the operation; use smaller arrays", in);
    return arrays_write(out, job->outputs, job->output_count, single, error);
}

int main(int count, char **arguments)
{
    program_begin();
    if (count == 2 && program_asks_help(count, arguments)) {
        print_help();
        return program_end("kernel");
    }
    if (count == 1) {
        print_help();
        return EXIT_USAGE;
    }
    if (count != 5) {
        fprintf(stderr, "kernel: expected OP SET IN.h5 OUT.h5, not %d arguments; kernel --help explains\n",
                count - 1);
        return EXIT_USAGE;
    }
    const char *pass = arguments[1], *set = arguments[2];
    Job job;
    if (!job_find(&job, pass))
        return misused("unknown operation", pass);
    int s = 0;
    while (s < SETS && strcmp(sets[s].name, set) != 0)
        s++;
    if (s == SETS) {
        fprintf(stderr, "kernel: unknown kernel set '%s'; known are ref, f32 and bf16\n", set);
        return EXIT_USAGE;
    }
    const Adapter *adapter = sets[s].find(pass);
    if (adapter == NULL) {
        fprintf(stderr, "kernel: the kernel set %s does not have %s; use ref\n", set, pass);
        return EXIT_USAGE;
    }
    Error error;
    threads_set(0);
    bool done = (sets[s].choose == NULL || sets[s].choose(set, &error)) &&
                run(&job, adapter, sets[s].single, arguments[3], arguments[4], &error);
    job_free(&job);
    if (!done)
        die("kernel", &error);
    return program_end("kernel");
}
