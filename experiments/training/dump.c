/* The dump of a run: kept in memory, written whole. */
#include "dump.h"
#include "../base/files.h"
#include "../base/hdf5_image.h"
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const double most_bytes = 1 << 30;

typedef struct {
    float *images;
    int *labels;
    double *loss;
} Batches;

struct Dump {
    const char *path;
    const Plan *plan;
    const char *config;
    long iterations;
    size_t filters_count, logits_count;
    double *filters, *logits, *alpha, *beta;
    Batches part[2];
};

/* Numbers of alpha and of beta after an iteration. */
static size_t alpha_count(const NetworkSpec *s)
{
    return (size_t)s->layers * (size_t)s->levels;
}

static size_t beta_count(const NetworkSpec *s)
{
    return s->depth ? (size_t)s->layers - 1 : 0;
}

static bool check_path(const char *path, Error *error)
{
    char folder[4096];
    const char *slash = strrchr(path, '/');
    if (!*path || strlen(path) >= sizeof folder || file_kind(path) == FILE_OTHER)
        return fail(error, "--dump is '%.400s', but must be the name of a file", path);
    snprintf(folder, sizeof folder, "%.*s", slash ? (int)(slash - path) + 1 : 1, slash ? path : ".");
    return access(folder, W_OK) == 0 ||
           fail(error, "--dump=%.400s cannot be written: make the folder %.400s first, or see to its rights",
                path, folder);
}

static bool check_run(const Run *run, Error *error)
{
    const Plan *plan = &run->plan;
    const double bytes = (double)plan->epochs * plan->iterations * plan->options.batch * IMAGE_BYTES *
                         sizeof(float) * (plan->learns_alpha ? 2 : 1);
    if (plan->options.prune_from[0])
        return fail(error,
                    "--dump is for a run that starts from its seed, but %.400s starts from the network "
                    "of --prune-from: leave one out",
                    run->folder);
    if (run->finished || run->epoch > 0 || run->iteration > 0)
        return fail(error,
                    "--dump is for a whole run, but steps of %.400s are done already: name a new --run",
                    run->folder);
    return bytes <= most_bytes ||
           fail(error,
                "--dump would hold %.1f GiB of images, but at most 1: choose fewer --epochs or --images-a",
                bytes / most_bytes);
}

static bool make_batches(Batches *part, size_t batches, size_t batch)
{
    return (part->images = malloc(batches * batch * IMAGE_BYTES * sizeof *part->images)) &&
           (part->labels = malloc(batches * batch * sizeof *part->labels)) &&
           (part->loss = malloc(batches * sizeof *part->loss));
}

Dump *dump_begin(const Run *run, const char *path, Error *error)
{
    if (!check_path(path, error) || !check_run(run, error))
        return NULL;
    const Plan *plan = &run->plan;
    const Network *net = run->net;
    const size_t steps = (size_t)plan->epochs * (size_t)plan->iterations, batch = (size_t)plan->options.batch;
    Dump *d = calloc(1, sizeof *d);
    /* One more, since there may be none of them. */
    if (!d || !(d->filters = malloc((net->filters_count + 1) * sizeof *d->filters)) ||
        !(d->logits = malloc((net->logits_count + 1) * sizeof *d->logits)) ||
        !(d->alpha = malloc((steps * alpha_count(&net->spec) + 1) * sizeof *d->alpha)) ||
        !(d->beta = malloc((steps * beta_count(&net->spec) + 1) * sizeof *d->beta)) ||
        !make_batches(&d->part[DUMP_A], steps, batch) ||
        (plan->learns_alpha && !make_batches(&d->part[DUMP_B], steps, batch))) {
        dump_free(d);
        fail(error, "not enough memory for --dump: choose fewer --epochs or --images-a");
        return NULL;
    }
    d->path = path;
    d->plan = plan;
    d->config = run->config.bytes;
    d->iterations = (long)steps;
    d->filters_count = net->filters_count;
    d->logits_count = net->logits_count;
    net->engine->vector_read(d->filters, net->filters, 0, net->filters_count);
    net->engine->vector_read(d->logits, net->logits, 0, net->logits_count);
    return d;
}

void dump_free(Dump *dump)
{
    if (!dump)
        return;
    for (int part = 0; part < 2; part++) {
        free(dump->part[part].images);
        free(dump->part[part].labels);
        free(dump->part[part].loss);
    }
    free(dump->filters);
    free(dump->logits);
    free(dump->alpha);
    free(dump->beta);
    free(dump);
}

void dump_batch(Dump *dump, long iteration, DumpPart part, Batch batch, double loss)
{
    const Batches *to = &dump->part[part];
    const size_t at = (size_t)iteration * (size_t)batch.n;
    memcpy(to->images + at * IMAGE_BYTES, batch.images, (size_t)batch.n * IMAGE_BYTES * sizeof *to->images);
    memcpy(to->labels + at, batch.labels, (size_t)batch.n * sizeof *to->labels);
    to->loss[iteration] = loss;
}

void dump_mixes(Dump *dump, long iteration, const Network *net)
{
    const NetworkSpec *s = &net->spec;
    if (alpha_count(s) > 0)
        network_alpha(net, dump->alpha + (size_t)iteration * alpha_count(s));
    if (beta_count(s) > 0)
        network_beta(net, dump->beta + (size_t)iteration * beta_count(s));
}

static bool put_part(hid_t file, const Dump *d, DumpPart part)
{
    static const char *const names[2][3] = {{"a/images", "a/labels", "a/loss"},
                                            {"b/images", "b/labels", "b/loss"}};
    const Batches *from = &d->part[part];
    const hsize_t dims[] = {(hsize_t)d->iterations, (hsize_t)d->plan->options.batch, IMAGE_CHANNELS,
                            IMAGE_SIDE, IMAGE_SIDE};
    return hdf5_image_put_as(file, names[part][0], H5T_IEEE_F32LE, 5, dims, H5T_NATIVE_FLOAT, from->images) &&
           hdf5_image_put_as(file, names[part][1], H5T_STD_I32LE, 2, dims, H5T_NATIVE_INT, from->labels) &&
           hdf5_image_put(file, names[part][2], H5T_IEEE_F64LE, 1, dims, from->loss);
}

static bool put_all(hid_t file, const Dump *d)
{
    const NetworkSpec *s = &d->plan->network;
    const hsize_t filters = d->filters_count, logits = d->logits_count, steps = (hsize_t)d->iterations;
    const hsize_t alpha[] = {steps, (hsize_t)s->layers, (hsize_t)s->levels}, beta[] = {steps, beta_count(s)};
    return hdf5_image_word(file, "config", d->config) &&
           hdf5_image_put(file, "filters", H5T_IEEE_F64LE, 1, &filters, d->filters) &&
           (logits == 0 || hdf5_image_put(file, "logits", H5T_IEEE_F64LE, 1, &logits, d->logits)) &&
           put_part(file, d, DUMP_A) && (!d->plan->learns_alpha || put_part(file, d, DUMP_B)) &&
           (alpha_count(s) == 0 || hdf5_image_put(file, "alpha", H5T_IEEE_F64LE, 3, alpha, d->alpha)) &&
           (beta_count(s) == 0 || hdf5_image_put(file, "beta", H5T_IEEE_F64LE, 2, beta, d->beta));
}

bool dump_write(const Dump *dump, Error *error)
{
    void *bytes = NULL;
    size_t count = 0;
    hid_t file = hdf5_image_create();
    const bool made = file >= 0 && put_all(file, dump) && hdf5_image_bytes(file, &bytes, &count);
    if (file >= 0)
        H5Fclose(file);
    const bool ok =
        made ? file_write(dump->path, bytes, count, error)
             : fail(error, "not enough memory for --dump=%.400s: choose fewer --epochs or --images-a",
                    dump->path);
    free(bytes);
    return ok;
}
