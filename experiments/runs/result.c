/* The final figures of a run. */
#include "result.h"
#include "../network/cost.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LOG_COLUMNS = 14, LOG_LOSS_A = 3, LOG_TEST_IMAGES = 7, LOG_TEST_LOSS, LOG_TEST_ACCURACY };

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

static void write_cost(Text *text, const Plan *plan)
{
    const NetworkSpec *s = &plan->network;
    const Cost cost = network_cost(s);
    text_add(text, "weights\t%zu\n", cost.weights);
    text_add(text, "parameters\t%zu\n", cost.parameters);
    text_add(text, "macs\t%.0f\n", cost.macs);
    for (int l = 0; l < s->layers; l++)
        for (int r = 0; r < s->levels; r++)
            if (level_kept(s->kept[l], r))
                text_add(text, "macs_layer_%d_level_%d\t%.0f\n", l + 1, r, cost.level_macs[l][r]);
}

bool result_write(const Run *run, Error *error)
{
    const Plan *plan = &run->plan;
    double numbers[LOG_COLUMNS], last[LOG_COLUMNS] = {0}, best = -1;
    int best_epoch = 0;
    for (const char *line = run->log.bytes; line && *line; line = strchr(line, '\n') + 1) {
        if (!log_numbers(numbers, line))
            continue;
        memcpy(last, numbers, sizeof last);
        if (numbers[LOG_TEST_ACCURACY] > best) {
            best = numbers[LOG_TEST_ACCURACY];
            best_epoch = (int)numbers[0];
        }
    }
    Text text = {0};
    text_add(&text, "accuracy\t%.6f\n", last[LOG_TEST_ACCURACY]);
    text_add(&text, "test_images\t%.0f\n", last[LOG_TEST_IMAGES]);
    text_add(&text, "test_loss\t%.9g\n", last[LOG_TEST_LOSS]);
    text_add(&text, "train_loss\t%.9g\n", last[LOG_LOSS_A]);
    text_add(&text, "best_on_test\t%.6f\n", best);
    text_add(&text, "best_on_test_epoch\t%d\n", best_epoch);
    text_add(&text, "epochs\t%d\n", plan->epochs);
    text_add(&text, "total_epochs\t%d\n", plan->epochs + plan->source_epochs);
    text_add(&text, "iterations\t%ld\n", (long)plan->epochs * plan->iterations);
    write_cost(&text, plan);
    const bool ok = text_write(&text, run->folder, "result.tsv", error);
    text_free(&text);
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
