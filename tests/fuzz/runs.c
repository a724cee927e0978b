/* Readers of a run's folder: its options, its texts, its checkpoint. */
#include "../../experiments/audit/evidence.h"
#include "../../experiments/base/files.h"
#include "../../experiments/base/hdf5_reader.h"
#include "../../experiments/network/cost.h"
#include "../../experiments/network/possible.h"
#include "../../experiments/runs/result.h"
#include "../../experiments/runs/run.h"
#include "../../experiments/tables/predictions.h"
#include "harness.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What was read is written in a form that reads back to the same. */
static void expect_round_trip(const Options *o)
{
    static char text[16384];
    Options again;
    Error error = {""};
    options_write(text, sizeof text, o);
    options_default(&again);
    expect(options_read(&again, text, "config.tsv", &error), "options that were written are read");
    expect(!options_difference(o, &again), "options are read as they were written");
}

static void expect_plan(const Options *o)
{
    Plan plan;
    Error error = {""};
    const bool planned = plan_resolve(&plan, o, &error);
    expect_sentence(planned, &error);
    if (!planned)
        return;
    expect(plan.iterations > 0 && plan.epochs > 0, "a plan has steps");
    expect(network_cost(&plan.network).macs > 0, "a network costs something");
    Text config = {0};
    const Dataset data = {.name = "custom"};
    config_write(&config, &plan, &data);
    expect(config_check(config.bytes, "run", &plan, &data, &error), "a run's own config.tsv is its own");
    text_free(&config);
}

/* The same bytes as a config.tsv and as words of a command line. */
void fuzz_config(const uint8_t *bytes, size_t count)
{
    Options o;
    char *config = NULL, *words = text_of(bytes, count);
    Error error = {""};
    scratch_put("config.tsv", bytes, count);
    const bool read = config_read(&o, &config, scratch(""), &error);
    expect_sentence(read, &error);
    if (read) {
        expect_round_trip(&o);
        expect_plan(&o);
    }
    free(config);
    options_default(&o);
    error.text[0] = 0;
    const bool set = options_set_words(&o, words, &error);
    expect_sentence(set, &error);
    if (set)
        expect_round_trip(&o);
    if (set)
        expect_plan(&o);
    free(words);
}

static void expect_record(const RunRecord *r)
{
    int only_a = 0, only_b = 0;
    expect(r->accuracy >= 0 && r->accuracy <= 100, "an accuracy is a percentage");
    expect(r->best_on_test >= r->accuracy, "the best epoch is not below the last one");
    expect(r->test_images >= 1 && r->epochs >= 1 && r->total_epochs >= 1 && r->macs >= 1 &&
               r->parameters >= 1,
           "counts are over 0");
    expect(isfinite(r->seconds) && r->seconds >= 0, "seconds are finite");
    expect(isnan(r->images_per_second) || r->images_per_second >= 0, "a rate is not negative");
    if (predictions_discordant(&only_a, &only_b, r, r))
        expect(only_a == 0 && only_b == 0, "a run does not differ from itself");
}

/* The figures that the options and texts give, whatever the record says. */
static void try_result(void)
{
    Options o;
    Plan plan;
    char *log = NULL, *beta = NULL;
    size_t size;
    Text text = {0};
    if (file_read(&log, &size, scratch("run/log.tsv"), NULL) &&
        file_read(&beta, &size, scratch("run/beta.tsv"), NULL) &&
        config_read(&o, NULL, scratch("run"), NULL) && plan_resolve(&plan, &o, NULL) &&
        result_text(&text, &plan, log, beta))
        expect(result_same(text.bytes, text.bytes, "run", NULL), "a result is its own");
    text_free(&text);
    free(log);
    free(beta);
}

void fuzz_record(const uint8_t *bytes, size_t count)
{
    static const char *const names[] = {"run/config.tsv",     "run/log.tsv",    "run/result.tsv",
                                        "run/provenance.tsv", "run/timing.tsv", "run/predictions.tsv",
                                        "run/alpha.tsv",      "run/beta.tsv",   NULL};
    static RunRecord record;
    static Rows rows;
    Evidence evidence = {0};
    Error error = {""};
    if (!rows.table.bytes)
        expect(rows_read(&rows, "paper/rows.tsv", &error), "the project's own rows are read");
    scratch_unpack(names, bytes, count);
    const bool read = run_record_read(&record, scratch("run"), &error);
    expect_sentence(read, &error);
    if (read)
        expect_record(&record);
    try_result();
    error.text[0] = 0;
    const bool added =
        file_exists(scratch("run/result.tsv")) && evidence_add(&evidence, &rows, scratch("run"), &error);
    expect(read || !added, "what is no record is no evidence");
    evidence_free(&evidence);
    for (int epochs = 0; epochs < 3; epochs++) {
        Text text = {0};
        if (text_read_epochs(&text, scratch("run"), "alpha.tsv", epochs, NULL))
            expect(text.count == 0 || text.bytes[text.count - 1] == '\n', "a text is cut at a line's end");
        text_free(&text);
    }
}

/* Loads the run in the scratch folder, and with it the network. */
static void load_run(void)
{
    TrainedNetwork trained;
    Impossible where;
    Error error = {""};
    const bool loaded = run_load(&trained, scratch("run"), 1, &error);
    expect_sentence(loaded, &error);
    if (loaded) {
        expect(network_possible(trained.net, &where), "a network that is loaded is a possible one");
        expect(trained.state.epoch <= trained.plan.epochs, "no run has more epochs than its plan");
    }
    network_free(trained.net);
}

/* The bytes of checkpoint.h5 and its config.tsv; the hash is computed here, so that it is never what is
 * refused. */
void fuzz_checkpoint(const uint8_t *bytes, size_t count)
{
    static const char *const names[] = {"run/config.tsv", "run/checkpoint.h5", "run/checkpoint.sha256", NULL};
    char *file, hash[66];
    size_t size;
    scratch_unpack(names, bytes, count);
    if (!file_read(&file, &size, scratch("run/checkpoint.h5"), NULL))
        return;
    sha256_hex(hash, file, size);
    hash[64] = '\n';
    scratch_put("run/checkpoint.sha256", hash, 65);
    free(file);
    load_run();
}

/* Numbers of one line, `1 2.5 84*0`: those of `N*X` are N times X. */
static int numbers_of(double *numbers, int most, const char *at)
{
    int count = 0;
    for (char *end;; at = end) {
        double value = strtod(at, &end);
        long times = 1;
        if (end == at)
            return count;
        if (*end == '*') {
            times = value >= 0 && value <= most ? (long)value : 0;
            value = strtod(end + 1, &end);
        }
        for (; times > 0 && count < most; times--)
            numbers[count++] = value;
    }
}

/* `NAME NUMBERS` is a dataset, `@NAME TEXT` a text; the text `-` is the SHA-256 of the run's config.tsv. */
static void put_line(Checkpoint *c, char *line, const char *config_sha256)
{
    static double numbers[4096];
    char *value = line + strcspn(line, " ");
    if (*value)
        *value++ = 0;
    if (*line == '@')
        checkpoint_put_text(c, line + 1, strcmp(value, "-") == 0 ? config_sha256 : value, NULL);
    else
        checkpoint_put(c, line, numbers, (size_t)numbers_of(numbers, 4096, value), NULL);
}

/* A checkpoint made of lines of text, of a run whose options are these. */
void fuzz_state(const uint8_t *bytes, size_t count)
{
    static const char words[] = "--kernels=ref --layers=2 --channels=2 --levels=2 --images-a=8 --images-b=4 "
                                "--batch=2 --epochs=2 --images-test=4";
    char sha256[65], *text = text_of(bytes, count), *rest = NULL;
    Options o;
    Plan plan;
    Text config = {0};
    const Dataset data = {.name = "custom"};
    options_default(&o);
    expect(options_set_words(&o, words, NULL) && plan_resolve(&plan, &o, NULL), "the harness has a plan");
    config_write(&config, &plan, &data);
    scratch_put("run/config.tsv", config.bytes, config.count);
    sha256_hex(sha256, config.bytes, config.count);
    text_free(&config);
    remove(scratch("run/checkpoint.h5"));
    Checkpoint *c = checkpoint_create(scratch("run"), NULL);
    expect(c != NULL, "a checkpoint can be made");
    for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
        put_line(c, line, sha256);
    free(text);
    hdf5_reader_here = true;
    if (checkpoint_close(c, NULL))
        load_run();
    hdf5_reader_here = false;
}
