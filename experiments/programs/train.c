/* build/train: one run. */
#include "../base/job.h"
#include "../base/program.h"
#include "../base/progress.h"
#include "../base/stop.h"
#include "../base/threads.h"
#include "../protocol/effect.h"
#include "../training/source.h"
#include "../training/training.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_GIVEN = 256 };

typedef struct {
    const char *run;
    const char *dump;    /* NULL: none */
    int threads;         /* 0: what this process may use */
    double save_minutes; /* between checkpoints within an epoch */
    bool common;         /* options from here on are those of a whole table */
    int count;
    char given[MOST_GIVEN][64]; /* names of the options that are this run's own */
} Own;

static void usage(void)
{
    printf(
        "train --run=DIR [--threads=N] [--OPTION=VALUE ...] [--common --OPTION=VALUE ...]\n\n"
        "Trains one network and leaves its records in DIR; called again, it continues where it stopped. "
        "SIGTERM "
        "and\n"
        "SIGINT (Ctrl-C) stop it after a step and a checkpoint. A DIR that was made with other options is "
        "refused; so is\n"
        "an option that has no effect in this run.\n\n"
        "  --run=DIR\n      folder of the run\n"
        "  --threads=N  (0)\n      threads; the result does not depend on it. 0: OMP_NUM_THREADS, or all "
        "cores "
        "that this\n      process may use\n"
        "  --save-minutes=M  (3)\n      a checkpoint within the epoch every so many minutes; the result does "
        "not depend on it\n"
        "  --dump=FILE\n      a copy of the whole run in HDF5: first parameters, every batch and its loss, "
        "alpha and beta after each\n      iteration, for make check-torch; only from a run's start, at most "
        "a "
        "GiB of images\n"
        "  --common\n      the options after it are those of a whole table: one without effect in this run "
        "is "
        "recorded,\n      not refused\n"
        "  --help, -h\n      this text\n");
    options_help(stdout);
}

/* One argument: --name=value, or --name with the value as the next argument. */
static bool take(Own *own, Options *options, const char *name, const char *value, Error *error)
{
    char *end;
    if (strcmp(name, "run") == 0) {
        own->run = value;
        return *value || fail(error, "--run is empty: name a folder");
    }
    if (strcmp(name, "dump") == 0) {
        own->dump = value;
        return true;
    }
    if (strcmp(name, "threads") == 0) {
        const long threads = strtol(value, &end, 10);
        own->threads = (int)threads;
        return (end != value && !*end && threads >= 0 && threads <= 1024) ||
               fail(error, "--threads is %s, but must be a whole number from 1 to 1024, or 0 for all cores",
                    value);
    }
    if (strcmp(name, "save-minutes") == 0) {
        own->save_minutes = strtod(value, &end);
        return (end != value && !*end && own->save_minutes >= 0 && own->save_minutes <= 1e6) ||
               fail(error, "--save-minutes is %s, but must be a number from 0 to 1000000", value);
    }
    if (!own->common && own->count < MOST_GIVEN)
        snprintf(own->given[own->count++], sizeof own->given[0], "%s", name);
    return options_set(options, name, value, error);
}

static bool parse(Own *own, Options *options, int argc, char **argv, Error *error)
{
    *own = (Own){.save_minutes = 3};
    for (int i = 1; i < argc; i++) {
        char name[64];
        const char *equals = strchr(argv[i], '=');
        if (strncmp(argv[i], "--", 2) != 0 || (equals && equals - argv[i] - 2 >= (int)sizeof name))
            return fail(error, "%s is no option: options are --NAME=VALUE; train --help lists them", argv[i]);
        snprintf(name, sizeof name, "%.*s", equals ? (int)(equals - argv[i] - 2) : 63, argv[i] + 2);
        if (strcmp(argv[i], "--common") == 0) {
            own->common = true;
            continue;
        }
        if (!equals && i + 1 == argc)
            return fail(error, "%s has no value: write %s=VALUE", argv[i], argv[i]);
        if (!take(own, options, name, equals ? equals + 1 : argv[++i], error))
            return false;
    }
    return own->run ||
           fail(error, "--run=DIR is missing: name the folder of the run; train --help tells more");
}

/* The options of the run that this one starts from are its defaults: read them first, then the command line
 * over them. */
static bool take_source(Options *options, const Own *own, const char *name, Error *error)
{
    char folder[4096];
    run_sibling(folder, sizeof folder, own->run, name);
    return config_read(options, NULL, folder, error);
}

/* Options from the command line, over those of the run that this one starts from. */
static bool read_options(Own *own, Options *options, int argc, char **argv, Error *error)
{
    options_default(options);
    if (!parse(own, options, argc, argv, error))
        return false;
    const char *option, *source = source_name(&option, options);
    if (source && *source &&
        (!take_source(options, own, source, error) || !parse(own, options, argc, argv, error)))
        return false;
    for (int i = 0; i < own->count; i++)
        if (!option_has_effect(own->given[i], options, error))
            return false;
    if (strcmp(options->data, "auto") == 0) {
        snprintf(options->data, sizeof options->data, "%s", dataset_default());
        if (strcmp(options->data, "cifar10") != 0)
            printf("CIFAR-10 is not in data/cifar-10-batches-bin: using Fashion-MNIST instead (`make data` "
                   "fetches CIFAR-10)\n");
    }
    return true;
}

/* What is to be said where a rank dies. */
static void watch(const char *folder)
{
    char sentence[1024];
    snprintf(
        sentence, sizeof sentence,
        "train: a rank died, and the job of %.600s with it: the same command, on this or another number of "
        "ranks, goes on from its last checkpoint\n",
        folder);
    job_watch(sentence);
}

/* What is said where a signal, of this number, ended the run. */
static void tell_stop(const Own *own, const Run *run, int number)
{
    progress_end();
    fprintf(
        stderr,
        "train: %s ended %s after %d epochs and %d of %d iterations, and all is saved: the same command goes "
        "on from there\n",
        stop_name(number), own->run, run->epoch, run->iteration, run->plan.iterations);
    if (own->dump)
        fprintf(stderr,
                "train: there is no --dump=%s, which is for a whole run: remove %s to train it anew\n",
                own->dump, own->run);
}

int main(int argc, char **argv)
{
    static Own own;
    static Run run;
    Error error;
    Options options;
    threads_wait_briefly(argv);
    program_begin();
    if (program_asks_help(argc, argv)) {
        usage();
        return program_end("train");
    }
    stop_on_signals();
    if (!job_begin(&error))
        job_die("train", &error);
    if (!job_agrees(read_options(&own, &options, argc, argv, &error), &error))
        job_die("train", &error);
    watch(own.run);
    threads_set(job_threads(own.threads));
    if (!training_open(&run, own.run, &options, &error))
        job_die("train", &error);
    if (run.finished && !own.dump)
        printf("%s is finished already\n", own.run);
    else if (!training_finish(&run, 60 * own.save_minutes, own.dump, &error))
        job_die("train", &error);
    if (run.finished) {
        run_close(&run);
        return job_end(program_end("train"));
    }
    const int number = job_stop();
    if (job_writes())
        tell_stop(&own, &run, number);
    run_close(&run);
    return job_end(128 + number);
}
