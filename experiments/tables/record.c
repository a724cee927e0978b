/* Reading finished runs. See record.h. */
#include "record.h"
#include "../base/files.h"
#include "../runs/config.h"
#include "../runs/result.h"
#include "predictions.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

static bool read_table(char **table, const char *folder, const char *name, Error *error)
{
    char path[4096];
    size_t count;
    const int length = snprintf(path, sizeof path, "%s/%s", folder, name);
    if (length < 0 || (size_t)length >= sizeof path)
        return fail(error, "the path of the run's folder %.200s is too long", folder);
    return file_read(table, &count, path, error);
}

/* A number of result.tsv; which ones a run can have, result_check knows. */
static bool number_of(double *number, const char *table, const char *name, const char *folder, Error *error)
{
    char value[64];
    if (!result_value(value, sizeof value, table, name))
        return fail(error, "%.400s/result.tsv has no `%s`: remove the folder and make the table again",
                    folder, name);
    *number = strtod(value, NULL);
    return true;
}

/* One that older runs, or runs of other networks, do not have: NaN. */
static double number_or_none(const char *table, const char *name)
{
    char value[64];
    return result_value(value, sizeof value, table, name) ? strtod(value, NULL) : NAN;
}

/* A level is kept if its cost is listed. */
static void read_kept(unsigned kept[MAX_LAYERS], const char *result)
{
    for (int l = 0; l < MAX_LAYERS; l++) {
        kept[l] = 0;
        for (int r = 0; r < MAX_LEVELS; r++) {
            char name[64], value[64];
            snprintf(name, sizeof name, "macs_layer_%d_level_%d", l + 1, r);
            kept[l] |= result_value(value, sizeof value, result, name) ? 1u << r : 0;
        }
    }
}

static bool read_result(RunRecord *record, const char *folder, Error *error)
{
    char *result, *log;
    double test_images = 0, epochs = 0, total_epochs = 0;
    if (!read_table(&result, folder, "result.tsv", error))
        return false;
    if (!read_table(&log, folder, "log.tsv", error)) {
        free(result);
        return false;
    }
    const bool ok = result_check(result, log, folder, error) &&
                    number_of(&record->accuracy, result, "accuracy", folder, error) &&
                    number_of(&record->best_on_test, result, "best_on_test", folder, error) &&
                    number_of(&record->macs, result, "macs", folder, error) &&
                    number_of(&record->parameters, result, "parameters", folder, error) &&
                    number_of(&test_images, result, "test_images", folder, error) &&
                    number_of(&epochs, result, "epochs", folder, error) &&
                    number_of(&total_epochs, result, "total_epochs", folder, error);
    if (ok) {
        record->test_images = (int)test_images;
        record->epochs = (int)epochs;
        record->total_epochs = (int)total_epochs;
        record->depth[0] = number_or_none(result, "depth_argmax");
        record->depth[1] = number_or_none(result, "depth_expected");
        record->depth[2] = number_or_none(result, "depth_last");
        read_kept(record->kept, result);
    }
    free(result);
    free(log);
    return ok;
}

/* Adds a name to "one and another" that is not there yet. */
static void add_name(char *names, size_t size, const char *name)
{
    const size_t used = strlen(names), length = strlen(name);
    for (const char *at = strstr(names, name); at; at = strstr(at + 1, name))
        if ((at == names || at[-1] == ' ') && (at[length] == ' ' || at[length] == '\0'))
            return;
    snprintf(names + used, size - used, " and %s", name);
}

/* A run that another commit, or another instruction set, continued is of both. */
static void read_continued(RunRecord *record, const char *table)
{
    for (const char *line = strstr(table, "\ncontinued\t"); line; line = strstr(line + 1, "\ncontinued\t")) {
        char commit[64], other[32];
        if (sscanf(line, "\ncontinued %*d %*s %63s %31s", commit, other) != 2)
            continue;
        add_name(record->commit, sizeof record->commit, commit);
        add_name(record->instruction_set, sizeof record->instruction_set, other);
    }
}

static bool read_provenance(RunRecord *record, const char *folder, Error *error)
{
    char *table;
    if (!read_table(&table, folder, "provenance.tsv", error))
        return false;
    snprintf(record->data, sizeof record->data, "?");
    snprintf(record->kernels, sizeof record->kernels, "?");
    snprintf(record->instruction_set, sizeof record->instruction_set, "?");
    snprintf(record->commit, sizeof record->commit, "?");
    result_value(record->data, sizeof record->data, table, "data");
    result_value(record->data_sha256, sizeof record->data_sha256, table, "data_sha256");
    result_value(record->commit, sizeof record->commit, table, "commit");
    result_value(record->kernels, sizeof record->kernels, table, "kernels");
    result_value(record->instruction_set, sizeof record->instruction_set, table, "instruction_set");
    read_continued(record, table);
    record->peak_mib = number_or_none(table, "peak_mib");
    free(table);
    return true;
}

static int by_size(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Seconds, and a rate that is infinite where they round to 0. */
static bool timing_possible(double train, double test, double rate)
{
    return train >= 0 && train < 1e12 && test >= 0 && test < 1e12 && rate >= 0;
}

/* The seconds of all epochs, training and test, and the rate of the middle one. */
static bool read_timing(RunRecord *record, const char *folder, Error *error)
{
    enum { MOST = 1024 };
    double rates[MOST];
    int count = 0;
    bool possible = true;
    char *table;
    if (!read_table(&table, folder, "timing.tsv", error))
        return false;
    record->seconds = 0;
    for (const char *line = strchr(table, '\n'); line && line[1]; line = strchr(line + 1, '\n')) {
        double epoch, train, test, rate;
        if (sscanf(line, "%lf %lf %lf %lf", &epoch, &train, &test, &rate) != 4)
            continue;
        possible = possible && timing_possible(train, test, rate);
        record->seconds += train + test;
        rates[count++ % MOST] = rate;
    }
    count = count < MOST ? count : MOST;
    qsort(rates, (size_t)count, sizeof *rates, by_size);
    record->images_per_second = count ? rates[count / 2] : NAN;
    free(table);
    return possible ||
           fail(error, "%.400s/timing.tsv has seconds or a rate that no run leaves: restore it from a copy",
                folder);
}

static bool read_options(Options *options, const char *folder, Error *error)
{
    char *table;
    if (!read_table(&table, folder, "config.tsv", error))
        return false;
    options_default(options);
    const bool ok = options_read(options, table, folder, error);
    free(table);
    return ok;
}

/* A fine-tuned run's epochs in all are its own and its source's: so are its seconds. */
static bool add_source_seconds(RunRecord *record, const char *folder, Error *error)
{
    static RunRecord source;
    char path[4096];
    if (!record->options.prune_from[0] || record->total_epochs <= record->epochs)
        return true;
    run_sibling(path, sizeof path, folder, record->options.prune_from);
    if (!read_timing(&source, path, error))
        return false;
    record->seconds += source.seconds;
    return true;
}

bool run_record_read(RunRecord *record, const char *folder, Error *error)
{
    *record = (RunRecord){0};
    snprintf(record->folder, sizeof record->folder, "%s", folder);
    return read_options(&record->options, folder, error) && read_result(record, folder, error) &&
           predictions_check(&record->predicts, record, error) && read_provenance(record, folder, error) &&
           read_timing(record, folder, error) && add_source_seconds(record, folder, error);
}
