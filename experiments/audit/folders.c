/* Evidence from run folders. See evidence.h. */
#include "../base/files.h"
#include "../runs/result.h"
#include "../tables/record.h"
#include "evidence.h"
#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* What one protocol fixes beside its data, kernels and scale; the other options are what rows are about. */
static const char *const shared_options[] = {
    "epochs",       "batch",    "images-a",      "images-b",    "images-test",  "augment",      "lr",
    "lr-min",       "momentum", "weight-decay",  "logits-lr",   "logits-beta1", "logits-beta2", "logits-eps",
    "logits-decay", "order",    "fixed-data",    "first-level", "down",         "up",           "norm",
    "affine",       "norm-eps", "norm-momentum", "head",        "bias",         "prune-start"};

/* What the paper states of its protocol, beside the sizes of a row. */
static const char *const printed_options[][2] = {
    {"epochs", "400"},       {"images-a", "40000"},   {"images-b", "10000"},     {"images-test", "10000"},
    {"logits-lr", "0.0001"}, {"logits-beta1", "0.5"}, {"logits-beta2", "0.999"}, {"logits-decay", "0.0003"},
};

enum { ROW_ID, ROW_LAYERS, ROW_CHANNELS, ROW_OPTIONS, ROW_TARGET };

bool rows_read(Rows *rows, const char *path, Error *error)
{
    return tsv_read(&rows->table, path, "row\tlayers\tchannels\toptions\ttarget", error);
}

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

/* A run's folder while it is read. */
typedef struct {
    char path[512], *config, *log, *alpha, *result, *provenance;
    RunRecord record;
} Reading;

static bool option_is(const Reading *run, const char *name, const char *value)
{
    char have[TEXT_OPTION];
    return result_value(have, sizeof have, run->config, name) && strcmp(have, value) == 0;
}

/* "name=value" must hold; "name?=value" may also be absent, in a config from before the option. */
static bool options_hold(const Reading *run, const char *conditions)
{
    char word[128], have[TEXT_OPTION];
    while (next_word(word, sizeof word, &conditions)) {
        char *equals = strchr(word, '=');
        if (!equals || equals == word)
            return false;
        const bool may_lack = equals[-1] == '?';
        equals[may_lack ? -1 : 0] = '\0';
        if (!result_value(have, sizeof have, run->config, word)) {
            if (!may_lack)
                return false;
        } else if (strcmp(have, equals + 1) != 0)
            return false;
    }
    return true;
}

/* The sizes of the paper's net that a run stands for: budgets below `hour` take a quarter of the channels,
 * and `smoke` 4 layers of 8 channels for 10 of 64. */
static const char *scale_of(const Reading *run, int *layers, int *channels)
{
    *layers = run->record.options.layers;
    *channels = run->record.options.channels;
    if (option_is(run, "images-a", "2000")) {
        *channels *= 8;
        *layers = *layers == 4 ? 10 : *layers;
        return "smoke";
    }
    if (option_is(run, "images-a", "10000")) {
        *channels *= 4;
        return "quarter";
    }
    return "whole";
}

static void make_key(char *key, size_t size, const Reading *run, const char *scale)
{
    size_t used =
        (size_t)snprintf(key, size, "%s %s %s", scale, run->record.data_sha256, run->record.kernels);
    for (size_t i = 0; i < sizeof shared_options / sizeof *shared_options; i++) {
        char value[TEXT_OPTION] = "-";
        result_value(value, sizeof value, run->config, shared_options[i]);
        if (used < size)
            used += (size_t)snprintf(key + used, size - used, " %s=%s", shared_options[i], value);
    }
}

static bool is_printed(const Reading *run)
{
    bool printed = true;
    for (size_t i = 0; i < sizeof printed_options / sizeof *printed_options; i++)
        printed = printed && option_is(run, printed_options[i][0], printed_options[i][1]);
    return printed;
}

/* The expected level of each layer after the last epoch; returns the number of layers, 0 if there is none. */
static int expected_levels(double level[MAX_LAYERS], const char *alpha)
{
    int layers = 0, last = -1;
    for (const char *line = strchr(alpha, '\n'); line && line[1]; line = strchr(line + 1, '\n')) {
        char *at, *end;
        const long epoch = strtol(line + 1, &at, 10), layer = strtol(at, &end, 10);
        if (end == at || *end != '\t' || layer < 1 || layer > MAX_LAYERS)
            continue;
        layers = epoch != last ? 0 : layers;
        last = (int)epoch;
        double expected = 0;
        for (int r = 0; *end == '\t'; r++) {
            const double share = strtod(end + 1, &at);
            if (at == end + 1)
                break;
            expected += r * share;
            end = at;
        }
        level[layer - 1] = expected;
        layers = layer > layers ? (int)layer : layers;
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

static bool add_to_row(Evidence *evidence, const Reading *run, const char *id, const char *scale, int folder,
                       Error *error)
{
    char key[1536];
    make_key(key, sizeof key, run, scale);
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
    group->grade = protocol_grade(group->data, is_printed(run), whole, group->epochs);
    const int at = place_of(row, evidence, run->record.options.seed, f->started);
    if (at < 0)
        return true;
    row->seed[at] = run->record.options.seed;
    row->folder[at] = folder;
    measure(row, at, run);
    row->n += at == row->n;
    return true;
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
    result_value(folder->started, sizeof folder->started, run->provenance, "started");
    char threads[32] = "1";
    result_value(threads, sizeof threads, run->provenance, "threads");
    folder->threads = atoi(threads);
    sha256_hex(folder->sha256, run->result, strlen(run->result));
    int layers, channels;
    const char *scale = scale_of(run, &layers, &channels);
    for (int r = 0; r < rows->table.rows; r++) {
        const char *id = tsv_cell(&rows->table, r, ROW_ID);
        if (layers != atoi(tsv_cell(&rows->table, r, ROW_LAYERS)) ||
            channels != atoi(tsv_cell(&rows->table, r, ROW_CHANNELS)) ||
            !options_hold(run, tsv_cell(&rows->table, r, ROW_OPTIONS)))
            continue;
        const size_t used = strlen(folder->rows);
        snprintf(folder->rows + used, sizeof folder->rows - used, "%s%s", used ? " " : "", id);
        if (!add_to_row(evidence, run, id, scale, index, error))
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

static bool read_run(Evidence *evidence, const Rows *rows, const char *path, Error *error)
{
    Reading run = {0};
    snprintf(run.path, sizeof run.path, "%s", path);
    const bool ok =
        run_record_read(&run.record, path, error) && read_file(&run.config, path, "config.tsv", error) &&
        read_file(&run.log, path, "log.tsv", error) && read_file(&run.alpha, path, "alpha.tsv", error) &&
        read_file(&run.result, path, "result.tsv", error) &&
        read_file(&run.provenance, path, "provenance.tsv", error) && add_run(evidence, rows, &run, error);
    free(run.config);
    free(run.log);
    free(run.alpha);
    free(run.result);
    free(run.provenance);
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
