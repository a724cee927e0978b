/* The final figures of a run. */
#include "result.h"
#include "../network/cost.h"
#include "../network/depth.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    LOG_COLUMNS = 14,
    LOG_EPOCH = 0,
    LOG_LOSS_A = 3,
    LOG_ACCURACY_A,
    LOG_LOSS_B,
    LOG_ACCURACY_B,
    LOG_TEST_IMAGES,
    LOG_TEST_LOSS,
    LOG_TEST_ACCURACY
};

/* The numbers of one line of log.tsv; false for the header. */
static bool log_numbers(double numbers[LOG_COLUMNS], const char *line)
{
    for (int i = 0; i < LOG_COLUMNS; i++) {
        char *end;
        numbers[i] = strtod(line, &end);
        if (end == line)
            return false;
        line = end;
    }
    return true;
}

static bool is_percentage(double value)
{
    return value >= 0 && value <= 100;
}

/* Epochs 1, 2, .. with accuracies from 0 to 100 and finite losses. */
static bool log_line_possible(const double numbers[LOG_COLUMNS], int epoch)
{
    return numbers[LOG_EPOCH] == epoch && isfinite(numbers[LOG_LOSS_A]) && isfinite(numbers[LOG_LOSS_B]) &&
           isfinite(numbers[LOG_TEST_LOSS]) && numbers[LOG_TEST_IMAGES] >= 1 &&
           is_percentage(numbers[LOG_ACCURACY_A]) && is_percentage(numbers[LOG_ACCURACY_B]) &&
           is_percentage(numbers[LOG_TEST_ACCURACY]);
}

/* The figures that a log gives; returns its epochs, 0 if it is none that a run leaves. */
static int write_figures(Text *text, const char *log)
{
    double numbers[LOG_COLUMNS], last[LOG_COLUMNS] = {0}, best = -1;
    int epochs = 0, best_epoch = 0;
    for (const char *line = strchr(log, '\n'); line && line[1]; line = strchr(line + 1, '\n')) {
        if (!log_numbers(numbers, line + 1) || !log_line_possible(numbers, epochs + 1))
            return 0;
        epochs++;
        memcpy(last, numbers, sizeof last);
        if (numbers[LOG_TEST_ACCURACY] > best) {
            best = numbers[LOG_TEST_ACCURACY];
            best_epoch = epochs;
        }
    }
    text_add(text, "accuracy\t%.6f\n", last[LOG_TEST_ACCURACY]);
    text_add(text, "test_images\t%.0f\n", last[LOG_TEST_IMAGES]);
    text_add(text, "test_loss\t%.9g\n", last[LOG_TEST_LOSS]);
    text_add(text, "train_loss\t%.9g\n", last[LOG_LOSS_A]);
    text_add(text, "best_on_test\t%.6f\n", best);
    text_add(text, "best_on_test_epoch\t%d\n", best_epoch);
    text_add(text, "epochs\t%d\n", epochs);
    return epochs;
}

static void write_cost(Text *text, const Plan *plan)
{
    const NetworkSpec *s = &plan->network;
    const Cost cost = network_cost(s);
    text_add(text, "weights\t%zu\n", cost.weights);
    text_add(text, "parameters\t%zu\n", cost.parameters);
    if (cost.formula)
        text_add(text, "weights_by_formula\t%zu\n", cost.formula);
    text_add(text, "macs\t%.0f\n", cost.macs);
    for (int l = 0; l < s->layers; l++)
        for (int r = 0; r < MAX_LEVELS; r++)
            if (cost.level_macs[l][r] > 0)
                text_add(text, "macs_layer_%d_level_%d\t%.0f\n", l + 1, r, cost.level_macs[l][r]);
}

/* The three readings of the learned depth, from the line of the last epoch. */
static bool write_depth(Text *text, const Plan *plan, const char *beta)
{
    double weights[MAX_LAYERS];
    const char *line = beta;
    for (const char *next; (next = strchr(line, '\n')) && next[1]; line = next + 1)
        continue;
    char *at;
    const long epoch = strtol(line, &at, 10);
    for (int l = 0; l < plan->network.layers - 1; l++)
        weights[l] = strtod(at, &at);
    if (epoch != plan->epochs || *at != '\n')
        return false;
    const DepthReading depth = depth_reading(weights, plan->network.layers - 1);
    text_add(text, "depth_argmax\t%d\n", depth.argmax);
    text_add(text, "depth_expected\t%.6f\n", depth.expected);
    text_add(text, "depth_last\t%d\n", depth.last);
    return true;
}

bool result_text(Text *text, const Plan *plan, const char *log, const char *beta)
{
    if (write_figures(text, log) != plan->epochs)
        return false;
    text_add(text, "total_epochs\t%d\n", plan->epochs + plan->source_epochs);
    text_add(text, "iterations\t%ld\n", (long)plan->epochs * plan->iterations);
    write_cost(text, plan);
    return !plan->network.depth || write_depth(text, plan, beta);
}

bool result_same(const char *result, const char *expected, const char *folder, Error *error)
{
    for (const char *line = expected; *line; line = strchr(line, '\n') + 1) {
        char name[64], is[64], right[64];
        snprintf(name, sizeof name, "%.*s", (int)strcspn(line, "\t"), line);
        if (!result_value(is, sizeof is, result, name))
            snprintf(is, sizeof is, "nothing");
        if (!result_value(right, sizeof right, expected, name) || strcmp(is, right) != 0)
            return fail(
                error,
                "%.400s/result.tsv says %s of %s, where the run's log and options give %s: it was edited; "
                "remove it and train again, which writes it anew",
                folder, is, name, right);
    }
    return true;
}

/* A number that a run's result may have: from least to most. */
static bool check_range(const char *result, const char *name, double least, double most, const char *folder,
                        Error *error)
{
    char value[64] = "nothing", *end = value;
    const double number = result_value(value, sizeof value, result, name) ? strtod(value, &end) : NAN;
    return (end != value && !*end && number >= least && number <= most) ||
           fail(error,
                "%.400s/result.tsv says %s of %s, which no run gives: it was edited; remove it and train "
                "again, "
                "which writes it anew",
                folder, value, name);
}

bool result_check(const char *result, const char *log, const char *folder, Error *error)
{
    static const struct {
        const char *name;
        double least, most;
    } ranges[] = {{"accuracy", 0, 100}, {"best_on_test", 0, 100}, {"test_images", 1, 1e6},
                  {"epochs", 1, 1e5},   {"total_epochs", 1, 2e5}, {"iterations", 1, 1e12},
                  {"weights", 1, 1e12}, {"parameters", 1, 1e12},  {"macs", 1, 1e18}};
    for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++)
        if (!check_range(result, ranges[i].name, ranges[i].least, ranges[i].most, folder, error))
            return false;
    Text figures = {0};
    bool ok = write_figures(&figures, log) > 0 ||
              fail(error, "%.400s/log.tsv is not one that a run leaves: restore it from a copy", folder);
    ok = ok && (!figures.failed || fail(error, "not enough memory to read %.400s", folder)) &&
         result_same(result, figures.bytes, folder, error);
    text_free(&figures);
    return ok;
}

bool result_value(char *value, size_t size, const char *table, const char *name)
{
    const size_t length = strlen(name);
    for (const char *line = table; line && *line;) {
        const char *end = strchr(line, '\n');
        if (strncmp(line, name, length) == 0 && line[length] == '\t') {
            snprintf(value, size, "%.*s", (int)strcspn(line + length + 1, "\n"), line + length + 1);
            return true;
        }
        line = end ? end + 1 : NULL;
    }
    return false;
}
