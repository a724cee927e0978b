/* Evidence from run folders. See evidence.h. */
#include "../base/files.h"
#include "../protocol/plan.h"
#include "../runs/result.h"
#include "../tables/record.h"
#include "evidence.h"
#include <ctype.h>
#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* What a row is about: where it does not say, these have their defaults. */
static const char *const row_options[] = {"net",          "pooling",     "block",      "levels",
                                          "stages",       "filters",     "depth",      "logits-data",
                                          "logits-start", "logits-from", "prune-from", "prune-threshold",
                                          "prune-start",  "prune-epochs"};

/* What one protocol fixes beside its data and kernels. The rest are the seed and how often the test set is
 * looked at. */
static const char *const shared_options[] = {
    "epochs",       "batch",    "images-a",      "images-b",    "images-test",  "augment",      "lr",
    "lr-min",       "momentum", "weight-decay",  "logits-lr",   "logits-beta1", "logits-beta2", "logits-eps",
    "logits-decay", "order",    "fixed-data",    "first-level", "down",         "up",           "norm",
    "affine",       "norm-eps", "norm-momentum", "head",        "bias"};

/* Layers of the paper's nets, and what the budget `smoke` makes of them. */
static const int smoke_layers[][2] = {{8, 4}, {10, 4}, {16, 6}, {20, 8}};

enum { ROW_ID, ROW_LAYERS, ROW_CHANNELS, ROW_OPTIONS, ROW_TARGET };

static int row_index(const Rows *rows, const char *id)
{
    for (int r = 0; r < rows->table.rows; r++)
        if (strcmp(tsv_cell(&rows->table, r, ROW_ID), id) == 0)
            return r;
    return -1;
}

bool rows_have(const Rows *rows, const char *id)
{
    return row_index(rows, id) >= 0;
}

bool rows_same(const Rows *rows, const char *a, const char *b)
{
    const int i = row_index(rows, a), k = row_index(rows, b);
    bool same = i >= 0 && k >= 0;
    for (int c = ROW_LAYERS; same && c <= ROW_OPTIONS; c++)
        same = strcmp(tsv_cell(&rows->table, i, c), tsv_cell(&rows->table, k, c)) == 0;
    return same;
}

const char *rows_target(const Rows *rows, const char *id)
{
    const int r = row_index(rows, id);
    return r < 0 ? "" : tsv_cell(&rows->table, r, ROW_TARGET);
}

static bool rows_check(const Rows *rows, Error *error)
{
    for (int r = 0; r < rows->table.rows; r++) {
        Options options;
        Error why;
        options_default(&options);
        if (!options_set_words(&options, tsv_cell(&rows->table, r, ROW_OPTIONS), &why))
            return fail(error, "%.400s, row %.60s: %.400s", rows->table.path,
                        tsv_cell(&rows->table, r, ROW_ID), why.text);
    }
    return true;
}

bool rows_read(Rows *rows, const char *path, Error *error)
{
    return tsv_read(&rows->table, path, "row\tlayers\tchannels\toptions\ttarget", error) &&
           rows_check(rows, error);
}

/* Sets the option to what it is by default. */
static void unset(Options *options, const char *name)
{
    Options standard;
    char value[TEXT_OPTION];
    options_default(&standard);
    options_value(value, sizeof value, &standard, name);
    options_set(options, name, value, NULL);
}

/* Whether the run would be the same, had it been given the row's options: those that rows are about by
 * default, and then the row's words. A pruned row says a threshold; its source is the run's own. */
static bool options_hold(const Options *run, const char *words)
{
    Options given = *run;
    Plan plan;
    for (size_t i = 0; i < sizeof row_options / sizeof *row_options; i++)
        unset(&given, row_options[i]);
    if (!options_set_words(&given, words, NULL))
        return false;
    if (given.prune_threshold > 0)
        snprintf(given.prune_from, sizeof given.prune_from, "%s", run->prune_from);
    if ((given.prune_threshold > 0) != (given.prune_from[0] != 0))
        return false;
    given.kernels = KERNELS_REF; /* runs anywhere */
    if (!plan_resolve(&plan, &given, NULL))
        return false;
    plan.options.kernels = run->kernels;
    return !options_difference(&plan.options, run);
}

/* Budgets below `hour` take a quarter of the channels, and `smoke` an eighth and fewer layers (where a row
 * needs them all, as many). */
static const char *scale_of(const Options *run, int layers, int channels)
{
    if (run->images_a == 10000)
        return run->layers == layers && 4 * run->channels == channels ? "quarter" : NULL;
    if (run->images_a != 2000)
        return run->layers == layers && run->channels == channels ? "whole" : NULL;
    if (8 * run->channels != channels)
        return NULL;
    for (size_t i = 0; i < sizeof smoke_layers / sizeof *smoke_layers; i++)
        if (smoke_layers[i][0] == layers && smoke_layers[i][1] == run->layers)
            return "smoke";
    return run->layers == layers ? "smoke, all layers" : NULL;
}

const char *rows_scale(const Rows *rows, const char *id, const Options *run)
{
    const int r = row_index(rows, id);
    const char *scale = r < 0 ? NULL
                              : scale_of(run, atoi(tsv_cell(&rows->table, r, ROW_LAYERS)),
                                         atoi(tsv_cell(&rows->table, r, ROW_CHANNELS)));
    return scale && options_hold(run, tsv_cell(&rows->table, r, ROW_OPTIONS)) ? scale : NULL;
}

/* A run's folder while it is read. */
typedef struct {
    char path[512], *log, *alpha, *result, *provenance;
    char *again; /* NULL for most */
    RunRecord record;
} Reading;

/* What the row itself states (a fabric's linear head) is no part of the protocol that rows share. */
static void make_key(char *key, size_t size, const Reading *run, const char *scale, const char *words)
{
    Options protocol = run->record.options;
    size_t used =
        (size_t)snprintf(key, size, "%s %s %s", scale, run->record.data_sha256, run->record.kernels);
    for (size_t i = 0; i < sizeof shared_options / sizeof *shared_options; i++) {
        char value[TEXT_OPTION], said[64];
        snprintf(said, sizeof said, "--%s=", shared_options[i]);
        if (strstr(words, said))
            unset(&protocol, shared_options[i]);
        options_value(value, sizeof value, &protocol, shared_options[i]);
        if (used < size)
            used += (size_t)snprintf(key + used, size - used, " %s=%s", shared_options[i], value);
    }
}

/* Whether a run has everything that the paper states of its protocol, beside the sizes of a row. */
static bool is_printed(const Options *run)
{
    const char *name;
    for (int i = 0; (name = options_name(i)); i++) {
        char value[TEXT_OPTION];
        const char *stated = options_stated(name);
        options_value(value, sizeof value, run, name);
        if (stated && strcmp(name, "layers") != 0 && strcmp(name, "channels") != 0 &&
            strcmp(value, stated) != 0)
            return false;
    }
    return true;
}

/* The expected level of each layer after the last epoch; returns the number of layers, 0 if there is none or
 * they do not stand in their order. */
static int expected_levels(double level[MAX_LAYERS], const char *alpha)
{
    int layers = 0;
    long last = -1;
    for (const char *line = strchr(alpha, '\n'); line && line[1]; line = strchr(line + 1, '\n')) {
        char *at, *end;
        if (!isdigit((unsigned char)line[1])) /* a blank line stands between two epochs */
            continue;
        const long epoch = strtol(line + 1, &at, 10), layer = strtol(at, &end, 10);
        if (end == at || *end != '\t' || layer < 1 || layer > MAX_LAYERS)
            continue;
        layers = epoch != last ? 0 : layers;
        last = epoch;
        if (layer != layers + 1)
            return 0;
        double expected = 0;
        for (int r = 0; *end == '\t'; r++) {
            const double share = strtod(end + 1, &at);
            if (at == end + 1)
                break;
            expected += r * share;
            end = at;
        }
        level[layers++] = expected;
    }
    return layers;
}

/* Accuracy on D_a after a tenth of the epochs, from the log. */
static double early_accuracy(const char *log, int epochs)
{
    const int wanted = epochs / 10 > 1 ? epochs / 10 : 1;
    for (const char *line = strchr(log, '\n'); line && line[1]; line = strchr(line + 1, '\n')) {
        int epoch;
        double accuracy;
        if (sscanf(line + 1, "%d %*s %*s %*s %lf", &epoch, &accuracy) == 2 && epoch == wanted)
            return accuracy;
    }
    return NAN;
}

static double result_number(const char *result, const char *name)
{
    char value[64];
    return result_value(value, sizeof value, result, name) ? strtod(value, NULL) : NAN;
}

static void measure(RowRuns *row, int at, const Reading *run)
{
    double level[MAX_LAYERS];
    const int layers = expected_levels(level, run->alpha);
    row->x[ACCURACY][at] = run->record.accuracy;
    row->x[BEST][at] = run->record.best_on_test;
    row->x[EARLY][at] = early_accuracy(run->log, run->record.epochs);
    row->x[SECONDS][at] = run->record.seconds / run->record.options.epochs;
    row->x[SLOPE][at] = spearman(level, layers);
    row->x[DEPTH][at] = result_number(run->result, "depth_argmax");
    if (at == 0)
        row->slope_p = spearman_p(level, layers);
}

/* Where the run goes in its row: a place of its own, or that of an older run of its seed; -1 for none. */
static int place_of(const RowRuns *row, const Evidence *evidence, int seed, const char *started)
{
    for (int i = 0; i < row->n; i++)
        if (row->seed[i] == seed)
            return strcmp(started, evidence->folders[row->folder[i]].started) > 0 ? i : -1;
    return row->n < ROW_SEEDS ? row->n : -1;
}

static bool add_to_row(Evidence *evidence, const Reading *run, const Rows *rows, int r, const char *scale,
                       int folder, Error *error)
{
    char key[1536];
    const char *id = tsv_cell(&rows->table, r, ROW_ID);
    make_key(key, sizeof key, run, scale, tsv_cell(&rows->table, r, ROW_OPTIONS));
    const Folder *f = &evidence->folders[folder];
    Group *group = evidence_group(evidence, key);
    RowRuns *row = group ? group_row(group, id, true) : NULL;
    if (!row)
        return fail(error, "no room for the run %s", run->path);
    snprintf(group->data, sizeof group->data, "%.63s", run->record.data);
    snprintf(group->kernels, sizeof group->kernels, "%.63s", run->record.kernels);
    group->epochs = run->record.options.epochs;
    if (strcmp(f->started, group->newest) > 0)
        snprintf(group->newest, sizeof group->newest, "%s", f->started);
    const bool whole = strcmp(scale, "whole") == 0 && run->record.options.images_a >= 40000;
    group->grade = protocol_grade(group->data, is_printed(&run->record.options), whole, group->epochs);
    const int at = place_of(row, evidence, run->record.options.seed, f->started);
    if (at < 0)
        return true;
    row->seed[at] = run->record.options.seed;
    row->folder[at] = folder;
    measure(row, at, run);
    row->n += at == row->n;
    return true;
}

/* The commit that again.tsv names (again.sh), if it tells of this very log. */
static void read_again(char commit[160], const Reading *run)
{
    char told[65] = "", sha256[65];
    const char *first = strchr(run->log, '\n'), *second = first ? strchr(first + 1, '\n') : NULL;
    commit[0] = '\0';
    if (!run->again || !second)
        return;
    sha256_hex(sha256, run->log, (size_t)(second + 1 - run->log));
    if (result_value(told, sizeof told, run->again, "log_head_sha256") && strcmp(told, sha256) == 0)
        result_value(commit, 160, run->again, "commit");
}

static bool add_run(Evidence *evidence, const Rows *rows, const Reading *run, Error *error)
{
    Folder *more = realloc(evidence->folders, (size_t)(evidence->folders_count + 1) * sizeof *more);
    if (!more)
        return fail(error, "no memory for the run %s", run->path);
    evidence->folders = more;
    const int index = evidence->folders_count++;
    Folder *folder = &more[index];
    *folder = (Folder){.seconds = run->record.seconds};
    snprintf(folder->path, sizeof folder->path, "%s", run->path);
    snprintf(folder->commit, sizeof folder->commit, "%.159s", run->record.commit);
    read_again(folder->again, run);
    result_value(folder->started, sizeof folder->started, run->provenance, "started");
    char threads[32] = "1";
    result_value(threads, sizeof threads, run->provenance, "threads");
    folder->threads = atoi(threads);
    char cpu[96] = "", set[32] = "";
    result_value(cpu, sizeof cpu, run->provenance, "cpu");
    result_value(set, sizeof set, run->provenance, "instruction_set");
    snprintf(folder->machine, sizeof folder->machine, "%s, %s, %d threads", cpu, set, folder->threads);
    sha256_hex(folder->sha256, run->result, strlen(run->result));
    for (int r = 0; r < rows->table.rows; r++) {
        const char *id = tsv_cell(&rows->table, r, ROW_ID),
                   *scale = rows_scale(rows, id, &run->record.options);
        if (!scale)
            continue;
        const size_t used = strlen(folder->rows);
        snprintf(folder->rows + used, sizeof folder->rows - used, "%s%s", used ? " " : "", id);
        if (!add_to_row(evidence, run, rows, r, scale, index, error))
            return false;
    }
    return true;
}

static bool read_file(char **bytes, const char *folder, const char *name, Error *error)
{
    char path[1024];
    size_t size;
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return file_read(bytes, &size, path, error);
}

/* again.tsv, which most runs have not. */
static bool read_again_file(char **bytes, const char *folder, Error *error)
{
    char path[1024];
    snprintf(path, sizeof path, "%s/again.tsv", folder);
    return !file_exists(path) || read_file(bytes, folder, "again.tsv", error);
}

static bool read_run(Evidence *evidence, const Rows *rows, const char *path, Error *error)
{
    Reading run = {0};
    snprintf(run.path, sizeof run.path, "%s", path);
    const bool ok = run_record_read(&run.record, path, error) &&
                    read_file(&run.log, path, "log.tsv", error) &&
                    read_file(&run.alpha, path, "alpha.tsv", error) &&
                    read_file(&run.result, path, "result.tsv", error) &&
                    read_file(&run.provenance, path, "provenance.tsv", error) &&
                    read_again_file(&run.again, path, error) && add_run(evidence, rows, &run, error);
    free(run.log);
    free(run.alpha);
    free(run.result);
    free(run.provenance);
    free(run.again);
    return ok;
}

static bool is_folder(const char *path)
{
    struct stat status;
    return stat(path, &status) == 0 && S_ISDIR(status.st_mode);
}

/* In the order of their names, so that what is printed does not depend on the file system. */
bool evidence_add(Evidence *evidence, const Rows *rows, const char *folder, Error *error)
{
    char path[512];
    struct dirent **entries;
    snprintf(path, sizeof path, "%.400s/result.tsv", folder);
    if (file_exists(path))
        return read_run(evidence, rows, folder, error);
    if (!is_folder(folder))
        return fail(error, "there is no folder %s with runs in it", folder);
    const int count = scandir(folder, &entries, NULL, alphasort);
    bool ok = count >= 0 || fail(error, "%s cannot be read", folder);
    for (int i = 0; i < count; i++) {
        const char *name = entries[i]->d_name;
        if (ok && name[0] != '.' &&
            (size_t)snprintf(path, sizeof path, "%s/%s", folder, name) < sizeof path && is_folder(path))
            ok = evidence_add(evidence, rows, path, error);
        free(entries[i]);
    }
    if (count >= 0)
        free(entries);
    return ok;
}
