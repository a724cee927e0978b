/* Reading finished runs. See record.h. */
#include "record.h"
#include "../base/files.h"
#include "../runs/result.h"
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

static bool number_of(double *number, const char *table, const char *name, const char *folder, Error *error)
{
    char value[64], *end;
    if (result_value(value, sizeof value, table, name)) {
        *number = strtod(value, &end);
        if (end != value && !*end && isfinite(*number))
            return true;
    }
    return fail(error, "%s/result.tsv has no number `%s`: remove the folder and make the table again", folder,
                name);
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
    char *result;
    double test_images, epochs, total_epochs;
    if (!read_table(&result, folder, "result.tsv", error))
        return false;
    const bool ok = number_of(&record->accuracy, result, "accuracy", folder, error) &&
                    number_of(&record->best_on_test, result, "best_on_test", folder, error) &&
                    number_of(&record->macs, result, "macs", folder, error) &&
                    number_of(&test_images, result, "test_images", folder, error) &&
                    number_of(&epochs, result, "epochs", folder, error) &&
                    number_of(&total_epochs, result, "total_epochs", folder, error);
    if (ok) {
        record->test_images = (int)test_images;
        record->epochs = (int)epochs;
        record->total_epochs = (int)total_epochs;
        read_kept(record->kept, result);
    }
    free(result);
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
static void read_continued(RunRecord *record, char *set, size_t size, const char *table)
{
    for (const char *line = strstr(table, "\ncontinued\t"); line; line = strstr(line + 1, "\ncontinued\t")) {
        char commit[64], other[32];
        if (sscanf(line, "\ncontinued %*d %*s %63s %31s", commit, other) != 2)
            continue;
        add_name(record->commit, sizeof record->commit, commit);
        add_name(set, size, other);
    }
}

static bool read_provenance(RunRecord *record, const char *folder, Error *error)
{
    char *table, kernels[32] = "?", set[64] = "?";
    if (!read_table(&table, folder, "provenance.tsv", error))
        return false;
    snprintf(record->data, sizeof record->data, "?");
    snprintf(record->commit, sizeof record->commit, "?");
    result_value(record->data, sizeof record->data, table, "data");
    result_value(record->data_sha256, sizeof record->data_sha256, table, "data_sha256");
    result_value(record->commit, sizeof record->commit, table, "commit");
    result_value(kernels, sizeof kernels, table, "kernels");
    result_value(set, sizeof set, table, "instruction_set");
    read_continued(record, set, sizeof set, table);
    snprintf(record->kernels, sizeof record->kernels, "%.16s (%.44s)", kernels, set);
    free(table);
    return true;
}

/* The seconds of all epochs, training and test. */
static bool read_timing(RunRecord *record, const char *folder, Error *error)
{
    char *table;
    if (!read_table(&table, folder, "timing.tsv", error))
        return false;
    record->seconds = 0;
    for (const char *line = strchr(table, '\n'); line && line[1]; line = strchr(line + 1, '\n')) {
        double epoch, train, test;
        if (sscanf(line, "%lf %lf %lf", &epoch, &train, &test) == 3)
            record->seconds += train + test;
    }
    free(table);
    return true;
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

bool run_record_read(RunRecord *record, const char *folder, Error *error)
{
    *record = (RunRecord){0};
    return read_options(&record->options, folder, error) && read_result(record, folder, error) &&
           read_provenance(record, folder, error) && read_timing(record, folder, error);
}

double cost_at_size(const RunRecord *record, int layers, int channels)
{
    if (record->options.layers != layers)
        return 0;
    NetworkSpec s = {.layers = layers,
                     .channels = channels,
                     .classes = CLASSES,
                     .image_channels = IMAGE_CHANNELS,
                     .height = IMAGE_SIDE,
                     .width = IMAGE_SIDE,
                     .levels = MAX_LEVELS,
                     .bias = true,
                     .linear_head = record->options.head == HEAD_LINEAR};
    memcpy(s.kept, record->kept, sizeof s.kept);
    return network_cost(&s).macs;
}
