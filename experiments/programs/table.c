/* build/table: the paper's table beside what this machine measured, from run folders, as text and as TSV. */
#include "../base/files.h"
#include "../base/program.h"
#include "../base/text.h"
#include "../runs/provenance.h"
#include "../tables/record.h"
#include "../tables/verdict.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_ROWS = 32, PAPER_LAYERS = 10, PAPER_CHANNELS = 64 };

/* A row of the paper's table with the runs that stand for it. */
typedef struct {
    char id[64], label[64];
    double accuracy, cost; /* the paper's: per cent, 10^9 multiply-accumulates */
    int count;
    RunRecord runs[MAX_SEEDS];
} Row;

typedef struct {
    const char *expected, *out, *budget, *title;
    int count;
    Row rows[MAX_ROWS];
} Table;

/* Where a run's protocol differs from the paper's: an option, what the paper says of it. */
typedef struct {
    const char *option, *paper, *words;
} Protocol;

static const Protocol protocol[] = {
    {"layers", "10", "layers"},
    {"channels", "64", "channels"},
    {"images-a", "40000", "images in D_a"},
    {"images-b", "10000", "images in D_b"},
    {"images-test", "10000", "test images"},
    {"epochs", "400", "epochs"},
    {"logits-lr", "0.0001", "rate of Adam for the logits (scaled up: see choices.tsv)"},
};

static bool read_expected(Table *table, Error *error)
{
    char *bytes;
    size_t size;
    if (!file_read(&bytes, &size, table->expected, error))
        return false;
    for (const char *line = strchr(bytes, '\n'); line && line[1] && table->count < MAX_ROWS;
         line = strchr(line + 1, '\n')) {
        Row *row = &table->rows[table->count];
        if (sscanf(line + 1, "%63[^\t]\t%63[^\t]\t%lf\t%lf", row->id, row->label, &row->accuracy,
                   &row->cost) == 4)
            table->count++;
    }
    free(bytes);
    return table->count > 0 ||
           fail(error, "%s has no rows `row <tab> label <tab> accuracy <tab> cost`", table->expected);
}

static bool add_run(Table *table, const char *argument, Error *error)
{
    const char *equals = strchr(argument, '=');
    for (int i = 0; equals && i < table->count; i++) {
        Row *row = &table->rows[i];
        if (strlen(row->id) != (size_t)(equals - argument) ||
            strncmp(row->id, argument, strlen(row->id)) != 0)
            continue;
        if (row->count == MAX_SEEDS)
            return fail(error, "row %s has more than %d runs", row->id, MAX_SEEDS);
        return run_record_read(&row->runs[row->count++], equals + 1, error);
    }
    return fail(error, "%s does not name a row of %s: write ROW=FOLDER", argument, table->expected);
}

/* Every row needs as many runs as the first: differences are paired by seed. */
static bool check_runs(const Table *table, Error *error)
{
    for (int i = 0; i < table->count; i++)
        if (table->rows[i].count == 0 || table->rows[i].count != table->rows[0].count)
            return fail(error, "row %s has %d runs, row %s has %d: give each the same number, at least 1",
                        table->rows[i].id, table->rows[i].count, table->rows[0].id, table->rows[0].count);
    return true;
}

static const Row *row_of(const Table *table, const char *id)
{
    for (int i = 0; i < table->count; i++)
        if (strcmp(table->rows[i].id, id) == 0)
            return &table->rows[i];
    return NULL;
}

static void print_header(const Table *table)
{
    const RunRecord *first = &table->rows[0].runs[0];
    /* Rows share their options but for the pooling; the one that learns alpha uses all of them. */
    const Row *ours = row_of(table, "ours");
    const Options *options = ours ? &ours->runs[0].options : &first->options;
    printf("%s\n\n", table->title);
    printf("budget   %s\ndata     %s, sha256 %s\nkernels  %s\nseeds   ", table->budget, first->data,
           first->data_sha256, first->kernels);
    for (int i = 0; i < table->rows[0].count; i++)
        printf(" %d", table->rows[0].runs[i].options.seed);
    printf("\ncommit   %s\n", first->commit);
    printf("\nDiffers from the paper's protocol:\n");
    if (strcmp(first->data, "cifar10") != 0)
        printf("  %-16s %s\n", first->data,
               strcmp(first->data, "cifar10-jpeg75") == 0
                   ? "is CIFAR-10 with its images re-encoded as JPEG, quality 75"
                   : "instead of CIFAR-10");
    for (size_t i = 0; i < sizeof protocol / sizeof *protocol; i++) {
        char value[TEXT_OPTION];
        if (options_value(value, sizeof value, options, protocol[i].option) &&
            strcmp(value, protocol[i].paper) != 0)
            printf("  %-16s instead of %s %s\n", value, protocol[i].paper, protocol[i].words);
    }
    if (table->rows[0].count == 1)
        printf("  %-16s so the intervals are those of the test set, without the spread between seeds\n",
               "one seed");
}

/* Pruned rows have the architecture that their logits learned: a short run's says nothing of the paper's. */
static const char *cost_verdict(const Row *row, double here)
{
    if (row->runs[0].options.prune_from[0])
        return "learned";
    return here == 0 ? "other size" : cost_holds(row->cost, here) ? "holds" : "does not hold";
}

static Sample accuracies(const Row *row, bool best_on_test)
{
    double values[MAX_SEEDS];
    for (int i = 0; i < row->count; i++)
        values[i] = best_on_test ? row->runs[i].best_on_test : row->runs[i].accuracy;
    return sample_of(values, row->count);
}

/* Over all rows of the table. */
static Spread table_spread(const Table *table, bool best_on_test)
{
    Sample rows[MAX_ROWS];
    for (int i = 0; i < table->count; i++)
        rows[i] = accuracies(&table->rows[i], best_on_test);
    return spread_pooled(rows, table->count);
}

/* Of the mean over seeds; for a single seed of the test set, which knows nothing of the spread between seeds.
 */
static double half_width(const Row *row, Spread spread)
{
    const Sample s = accuracies(row, false);
    const Interval i = row->count > 1 ? estimate_interval(estimate_mean(s, spread), 0.95)
                                      : binomial_interval(s.mean, row->runs[0].test_images, 0.95);
    return (i.high - i.low) / 2;
}

/* Half of the last digit that the paper prints of an accuracy. */
#define HALF_DIGIT 0.05

static const char *accuracy_verdict(const Row *row, const Table *table)
{
    return value_word(verdict_value(row->accuracy, HALF_DIGIT, accuracies(row, false),
                                    table_spread(table, false), accuracies(row, true),
                                    table_spread(table, true), MARGIN));
}

static double mean_of(const Row *row, size_t offset)
{
    double sum = 0;
    for (int i = 0; i < row->count; i++)
        sum += *(const double *)((const char *)&row->runs[i] + offset);
    return sum / row->count;
}

static double paper_size_cost(const Row *row)
{
    double sum = 0;
    for (int i = 0; i < row->count; i++)
        sum += cost_at_size(&row->runs[i], PAPER_LAYERS, PAPER_CHANNELS);
    return sum / row->count;
}

static bool is_older(const Row *row)
{
    bool older = false;
    for (int i = 0; i < row->count; i++)
        older = older || strcmp(row->runs[i].commit, provenance_commit()) != 0;
    return older;
}

static void print_rows(const Table *table)
{
    bool older = false;
    printf("\n%-22s %6s %16s %9s %-10s   %5s %8s %8s  %-14s %7s %8s\n", "", "paper", "here", "best on", "",
           "paper", "here", "at 10x64", "", "epochs", "");
    printf("%-22s %6s %16s %9s %-10s   %5s %8s %8s  %-14s %7s %8s\n", "row", "acc.", "accuracy, %", "test",
           "accuracy", "cost", "cost, G", "cost, G", "cost at 10x64", "in all", "minutes");
    for (int i = 0; i < table->count; i++) {
        const Row *row = &table->rows[i];
        char at_size[32] = "-";
        if (paper_size_cost(row) > 0)
            snprintf(at_size, sizeof at_size, "%.4f", paper_size_cost(row) / 1e9);
        printf("%-22s %6.1f %9.2f +-%5.2f %9.2f %-10s   %5.2f %8.4f %8s  %-14s %7d %8.1f%s\n", row->label,
               row->accuracy, accuracies(row, false).mean, half_width(row, table_spread(table, false)),
               accuracies(row, true).mean, accuracy_verdict(row, table), row->cost,
               mean_of(row, offsetof(RunRecord, macs)) / 1e9, at_size,
               cost_verdict(row, paper_size_cost(row)), row->runs[0].total_epochs,
               mean_of(row, offsetof(RunRecord, seconds)) * row->count / 60, is_older(row) ? " *" : "");
        older = older || is_older(row);
    }
    printf(
        "\nCost is 10^9 multiply-accumulates of the convolutions for one image (the paper's column is headed "
        "MFLOPS);\n"
        "+- is a 95%% interval; accuracy is that of the last epoch, and the best on test is never used.\n");
    if (older)
        printf("* trained by another commit than this program's (%s)\n", provenance_commit());
}

/* The comparisons that the paper's text makes, by row. */
static const char *const comparisons[][2] = {{"predefined", "no-pooling"}, {"predefined", "scale-invariant"},
                                             {"ours", "predefined"},       {"ours", "scale-invariant"},
                                             {"ours-thr-0.1", "ours"},     {"ours-thr-0.2", "ours"},
                                             {"ours-one-res", "ours"},     {"ours-one-res", "predefined"}};

/* The difference of two rows, by the spread of the table; of single seeds the interval is that of two test
 * sets, and it decides nothing. */
static void print_comparison(const Row *a, const Row *b, const Table *table)
{
    char words[160], interval[32] = "";
    const double paper = a->accuracy - b->accuracy;
    const Estimate here =
        estimate_fair(accuracies(a, false), accuracies(b, false), table_spread(table, false));
    const Interval i = estimate_interval(here, 0.95);
    if (here.df > 0)
        snprintf(interval, sizeof interval, "+-%5.2f", (i.high - i.low) / 2);
    snprintf(words, sizeof words, "%s - %s", a->label, b->label);
    printf("%-46s %+8.1f %+10.2f %-8s  %s\n", words, paper, here.mean, interval,
           difference_word(verdict_difference(here, paper, MARGIN)));
}

static void print_comparisons(const Table *table)
{
    const Spread spread = table_spread(table, false);
    const int seeds = table->rows[0].count;
    printf("\n%-46s %8s %18s\n", "difference in accuracy, points", "paper", "here");
    for (size_t i = 0; i < sizeof comparisons / sizeof *comparisons; i++) {
        const Row *a = row_of(table, comparisons[i][0]), *b = row_of(table, comparisons[i][1]);
        if (a && b)
            print_comparison(a, b, table);
    }
    if (spread.df > 0)
        printf("\nSpread over seeds, pooled over the rows: %.2f points (%.0f degrees of freedom). Of a "
               "difference, %d seeds "
               "see %.2f points with 80%% power.\n",
               spread.sd, spread.df, seeds, detectable_difference(spread, seeds));
    else
        printf("\nOne seed: no spread is known, and nothing is decided.\n");
}

static bool write_tsv(const Table *table, Error *error)
{
    Text text = {0};
    const RunRecord *first = &table->rows[0].runs[0];
    text_add(&text, "# budget\t%s\n# data\t%s\n# data_sha256\t%s\n# kernels\t%s\n# commit\t%s\n",
             table->budget, first->data, first->data_sha256, first->kernels, first->commit);
    text_add(&text,
             "row\tlabel\tpaper_accuracy\taccuracy\thalf_width_95\tseeds\tbest_on_test\tpaper_cost\tcost\t"
             "cost_at_10x64\tcost_verdict\tepochs\ttotal_epochs\tseconds\n");
    for (int i = 0; i < table->count; i++) {
        const Row *row = &table->rows[i];
        const Sample accuracy = accuracies(row, false);
        text_add(&text, "%s\t%s\t%.1f\t%.4f\t%.4f\t%d\t%.4f\t%.2f\t%.6f\t%.6f\t%s\t%d\t%d\t%.1f\n", row->id,
                 row->label, row->accuracy, accuracy.mean, half_width(row, table_spread(table, false)),
                 row->count, mean_of(row, offsetof(RunRecord, best_on_test)), row->cost,
                 mean_of(row, offsetof(RunRecord, macs)) / 1e9, paper_size_cost(row) / 1e9,
                 cost_verdict(row, paper_size_cost(row)), row->runs[0].epochs, row->runs[0].total_epochs,
                 mean_of(row, offsetof(RunRecord, seconds)) * row->count);
    }
    const char *slash = strrchr(table->out, '/');
    char folder[4096];
    snprintf(folder, sizeof folder, "%.*s", slash ? (int)(slash - table->out) : 1, slash ? table->out : ".");
    const bool ok =
        folder_make(folder, error) && text_write(&text, folder, slash ? slash + 1 : table->out, error);
    text_free(&text);
    return ok;
}

static bool option(const char **value, const char *argument, const char *name)
{
    const size_t length = strlen(name);
    if (strncmp(argument, name, length) != 0)
        return false;
    *value = argument + length;
    return true;
}

int main(int argc, char **argv)
{
    static Table table = {.budget = "?", .title = "Table"};
    Error error;
    int i = 1;
    program_begin();
    const bool help = program_asks_help(argc, argv);
    while (i < argc &&
           (option(&table.expected, argv[i], "--expected=") || option(&table.out, argv[i], "--out=") ||
            option(&table.budget, argv[i], "--budget=") || option(&table.title, argv[i], "--title=")))
        i++;
    if (help || !table.expected || !table.out || i == argc) {
        fprintf(help ? stdout : stderr,
                "table --expected=FILE --out=FILE [--title=TEXT] [--budget=NAME] ROW=FOLDER ...\n\n"
                "Prints the paper's table beside the runs in the folders, one or more a row, and "
                "writes it as TSV.\n");
        return help ? program_end("table") : 2;
    }
    if (!read_expected(&table, &error))
        die("table", &error);
    for (; i < argc; i++)
        if (!add_run(&table, argv[i], &error))
            die("table", &error);
    if (!check_runs(&table, &error))
        die("table", &error);
    print_header(&table);
    print_rows(&table);
    print_comparisons(&table);
    if (!write_tsv(&table, &error))
        die("table", &error);
    printf("\nAs TSV: %s\n", table.out);
    return program_end("table");
}
