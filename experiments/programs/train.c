/* build/train: one run. */
#include "../data/data.h"
#include "../training/training.h"
#include <omp.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    const char *run;
    int threads; /* 0: all cores */
} Own;

static void usage(void)
{
    printf("train --run=DIR [--threads=N] [--OPTION=VALUE ...]\n\n"
           "Trains one network and leaves its records in DIR; called again, it continues where it stopped. A "
           "DIR that\n"
           "was made with other options is refused.\n\n"
           "  --run=DIR\n      folder of the run\n"
           "  --threads=N  (all cores)\n      threads; the result does not depend on it\n"
           "  --help\n      this text\n");
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
    if (strcmp(name, "threads") == 0) {
        const long threads = strtol(value, &end, 10);
        own->threads = (int)threads;
        return (end != value && !*end && threads >= 0 && threads <= 1024) ||
               fail(error, "--threads is %s, but must be a whole number from 1 to 1024, or 0 for all cores",
                    value);
    }
    return options_set(options, name, value, error);
}

static bool parse(Own *own, Options *options, int argc, char **argv, Error *error)
{
    for (int i = 1; i < argc; i++) {
        char name[64];
        const char *equals = strchr(argv[i], '=');
        if (strncmp(argv[i], "--", 2) != 0 || (equals && equals - argv[i] - 2 >= (int)sizeof name))
            return fail(error, "%s is no option: options are --NAME=VALUE; train --help lists them", argv[i]);
        snprintf(name, sizeof name, "%.*s", equals ? (int)(equals - argv[i] - 2) : 63, argv[i] + 2);
        if (!equals && i + 1 == argc)
            return fail(error, "%s has no value: write %s=VALUE", argv[i], argv[i]);
        if (!take(own, options, name, equals ? equals + 1 : argv[++i], error))
            return false;
    }
    return own->run ||
           fail(error, "--run=DIR is missing: name the folder of the run; train --help tells more");
}

/* The options of the pruned run's source are its defaults: read them first, then the command line over them.
 */
static bool take_source(Options *options, const Own *own, Error *error)
{
    char folder[4096];
    run_sibling(folder, sizeof folder, own->run, options->prune_from);
    return run_options(options, folder, error);
}

int main(int argc, char **argv)
{
    Error error;
    Own own = {0};
    Options options;
    Run run;
    for (int i = 1; i < argc; i++)
        if (strcmp(argv[i], "--help") == 0) {
            usage();
            return 0;
        }
    options_default(&options);
    if (!parse(&own, &options, argc, argv, &error))
        die("train", &error);
    if (options.prune_from[0] &&
        (!take_source(&options, &own, &error) || !parse(&own, &options, argc, argv, &error)))
        die("train", &error);
    omp_set_num_threads(own.threads ? own.threads : omp_get_num_procs());
    if (strcmp(options.data, "auto") == 0) {
        snprintf(options.data, sizeof options.data, "%s", dataset_default());
        if (strcmp(options.data, "cifar10") != 0)
            printf("CIFAR-10 is not in data/cifar-10-batches-bin: using Fashion-MNIST instead (`make data` "
                   "fetches "
                   "CIFAR-10)\n");
    }
    if (!training_open(&run, own.run, &options, &error))
        die("train", &error);
    if (run.finished)
        printf("%s is finished already\n", own.run);
    else if (!training_estimate(&run, &error) || !training_finish(&run, &error))
        die("train", &error);
    run_close(&run);
    return 0;
}
