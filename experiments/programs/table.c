/* build/table: the paper's table beside what this machine measured, from run folders, as text and as TSV. */
#include "../base/files.h"
#include "../base/program.h"
#include "../base/text.h"
#include "../runs/provenance.h"
#include "../tables/findings.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    const char *expected, *out, *budget, *title, *all, *literature;
    bool speed;
} Settings;

/* Half of the last digit that the paper prints of an accuracy. */
#define HALF_DIGIT 0.05

static bool any(const Table *table, size_t offset)
{
    for (int i = 0; i < table->count; i++)
        if (!isnan(*(const double *)((const char *)&table->rows[i] + offset)))
            return true;
    return false;
}

static double mean_of(const Row *row, size_t offset)
{
    double sum = 0;
    for (int i = 0; i < row->count; i++)
        sum += *(const double *)((const char *)&row->runs[i] + offset);
    return sum / row->count;
}

/* The options in which a row's runs differ from the paper's protocol, each once. */
static void print_protocol(const Table *table)
{
    for (int i = 0; options_name(i); i++) {
        const char *name = options_name(i);
        char seen[8192] = "";
        for (int r = 0; r < table->count; r++) {
            char paper[TEXT_OPTION], is[TEXT_OPTION], line[1200];
            const Row *row = &table->rows[r];
            if (!row_protocol(paper, sizeof paper, row, name))
                continue;
            options_value(is, sizeof is, &row->runs[0].options, name);
            snprintf(line, sizeof line, "  %-16s %s instead of %s%s\n", name, *is ? is : "none", paper,
                     options_stated(name) ? "" : " (the paper does not say)");
            if (strcmp(paper, is) == 0 || strstr(seen, line) || strlen(seen) + strlen(line) >= sizeof seen)
                continue;
            strcat(seen, line);
        }
        printf("%s", seen);
    }
}

/* Instruction sets of one kernel set round alike but sum in other orders: rows made with others are told. */
static void print_instruction_sets(const Table *table)
{
    const char *first = table->rows[0].runs[0].instruction_set;
    bool mixed = false;
    for (int i = 0; i < table->count; i++)
        for (int k = 0; k < table->rows[i].count; k++)
            mixed = mixed || strcmp(table->rows[i].runs[k].instruction_set, first) != 0;
    printf("kernels  %s (%s%s)\n", table->rows[0].runs[0].kernels, first,
           mixed ? ", and others: rows with ~" : "");
}

static bool has_other_set(const Row *row, const Table *table)
{
    for (int k = 0; k < row->count; k++)
        if (strcmp(row->runs[k].instruction_set, table->rows[0].runs[0].instruction_set) != 0)
            return true;
    return false;
}

static bool is_older(const Row *row)
{
    bool older = false;
    for (int i = 0; i < row->count; i++)
        older = older || strcmp(row->runs[i].commit, provenance_commit()) != 0;
    return older;
}

static void print_header(const Table *table, const Settings *settings)
{
    const RunRecord *first = &table->rows[0].runs[0];
    printf("%s\n\nbudget   %s\ndata     %s, sha256 %s\n", settings->title, settings->budget, first->data,
           first->data_sha256);
    print_instruction_sets(table);
    printf("seeds   ");
    for (int i = 0; i < table->rows[0].count; i++)
        printf(" %d", table->rows[0].runs[i].options.seed);
    printf("\ncommit   %s\n\nDiffers from the paper's protocol:\n", first->commit);
    if (strcmp(first->data, "cifar10") != 0)
        printf("  %-16s %s\n", "data",
               strcmp(first->data, "cifar10-jpeg75") == 0
                   ? "CIFAR-10 with its images re-encoded as JPEG, quality 75, instead of CIFAR-10"
                   : "not CIFAR-10");
    print_protocol(table);
    if (table->rows[0].count == 1)
        printf("  %-16s one, so the intervals are those of the test set, without the spread between seeds\n",
               "seeds");
}

/* Pruned rows have the architecture that their logits learned: a short run's says nothing of the paper's. */
static const char *cost_verdict(const Row *row, double here)
{
    if (row_is_pruned(row))
        return "learned";
    return isnan(row->cost)              ? "-"
           : here == 0                   ? "other size"
           : cost_holds(row->cost, here) ? "holds"
                                         : "does not hold";
}

/* Of the mean over seeds; for a single seed of the test set, which knows nothing of the spread between seeds.
 */
static double half_width(const Row *row, Spread spread)
{
    const Sample s = row_accuracies(row, false);
    const Interval i = row->count > 1 ? estimate_interval(estimate_mean(s, spread), 0.95)
                                      : binomial_interval(s.mean, row->runs[0].test_images, 0.95);
    return (i.high - i.low) / 2;
}

static const char *accuracy_verdict(const Row *row, const Table *table)
{
    if (isnan(row->accuracy))
        return "-";
    return value_word(verdict_value(row->accuracy, HALF_DIGIT, row_accuracies(row, false),
                                    table_spread(table, false), row_accuracies(row, true),
                                    table_spread(table, true), MARGIN));
}

/* A cell of so many places, or `-`. */
static void print_cell(int width, int places, double value)
{
    if (isfinite(value))
        printf(" %*.*f", width, places, value);
    else
        printf(" %*s", width, "-");
}

static double shown(const Table *table, double accuracy)
{
    return table->errors ? 100 - accuracy : accuracy;
}

/* The width of the labels. */
static int label_width(const Table *table)
{
    int width = 22;
    for (int i = 0; i < table->count; i++)
        if ((int)strlen(table->rows[i].label) > width)
            width = (int)strlen(table->rows[i].label);
    return width;
}

static void print_titles(const Table *table, const Settings *settings)
{
    printf("\n%-*s %6s %16s %8s  %-10s", label_width(table), "", "paper", "here", "best on", "");
    if (any(table, offsetof(Row, cost)))
        printf(" %6s %9s %9s  %-13s", "paper", "here", "at paper's", "");
    if (any(table, offsetof(Row, parameters)))
        printf(" %6s %9s %9s  %-13s", "paper", "here", "at paper's", "");
    if (any(table, offsetof(Row, depth)))
        printf(" %6s %-20s", "paper", "here: likeliest,");
    if (settings->speed)
        printf(" %8s %8s %8s", "", "", "peak");
    printf(" %7s\n", "epochs");
    printf("%-*s %6s %16s %8s  %-10s", label_width(table), "row", table->errors ? "error" : "acc.",
           table->errors ? "error, %" : "accuracy, %", "test", "verdict");
    if (any(table, offsetof(Row, cost)))
        printf(" %6s %9s %9s  %-13s", "cost", "cost, G", "size", "cost");
    if (any(table, offsetof(Row, parameters)))
        printf(" %6s %9s %9s  %-13s", "par, M", "par, M", "size", "parameters");
    if (any(table, offsetof(Row, depth)))
        printf(" %6s %-20s", "depth", "expected, last");
    if (settings->speed)
        printf(" %8s %8s %8s", "images/s", "s a step", "MiB");
    printf(" %7s %8s\n", "in all", "minutes");
}

static void print_row(const Row *row, const Table *table, const Settings *settings)
{
    double weights;
    const double macs = row_paper_macs(&weights, row);
    printf("%-*s", label_width(table), row->label);
    print_cell(6, 1 + table->errors, shown(table, row->accuracy));
    printf(" %8.2f +-%5.2f %8.2f  %-10s", shown(table, row_accuracies(row, false).mean),
           half_width(row, table_spread(table, false)), shown(table, row_accuracies(row, true).mean),
           accuracy_verdict(row, table));
    if (any(table, offsetof(Row, cost))) {
        print_cell(6, 2, row->cost);
        print_cell(9, 4, mean_of(row, offsetof(RunRecord, macs)) / 1e9);
        print_cell(9, 4, macs > 0 ? macs / 1e9 : NAN);
        printf("  %-13s", cost_verdict(row, macs));
    }
    if (any(table, offsetof(Row, parameters))) {
        print_cell(6, 1, row->parameters);
        print_cell(9, 4, mean_of(row, offsetof(RunRecord, parameters)) / 1e6);
        print_cell(9, 2, weights > 0 ? weights / 1e6 : NAN);
        printf("  %-13s", isnan(row->parameters)                      ? "-"
                          : parameters_hold(row->parameters, weights) ? "holds"
                                                                      : "does not hold");
    }
    if (any(table, offsetof(Row, depth))) {
        print_cell(6, 0, row->depth);
        for (int i = 0; i < 3; i++)
            print_cell(6, i == 1 ? 1 : 0,
                       mean_of(row, offsetof(RunRecord, depth) + (size_t)i * sizeof(double)));
    }
    if (settings->speed) {
        const double rate = mean_of(row, offsetof(RunRecord, images_per_second));
        print_cell(8, 0, rate);
        print_cell(8, 3, row->runs[0].options.batch / rate);
        print_cell(8, 0, mean_of(row, offsetof(RunRecord, peak_mib)));
    }
    printf(" %7d %8.1f%s%s\n", row->runs[0].total_epochs,
           mean_of(row, offsetof(RunRecord, seconds)) * row->count / 60, is_older(row) ? " *" : "",
           has_other_set(row, table) ? " ~" : "");
}

static void print_rows(const Table *table, const Settings *settings)
{
    bool older = false;
    print_titles(table, settings);
    for (int i = 0; i < table->count; i++) {
        print_row(&table->rows[i], table, settings);
        older = older || is_older(&table->rows[i]);
    }
    printf(
        "\nCost is 10^9 multiply-accumulates of the convolutions for one image (the paper's column is headed "
        "MFLOPS); a\nverdict on it is arithmetic, at the paper's size. +- is a 95%% interval; accuracy is "
        "that of the "
        "last epoch, and the\nbest on test is never used.\n");
    if (older)
        printf("* trained by another commit than this program's\n");
}

static void print_differences(const Table *table)
{
    static const char *const kinds[] = {"size", "direction", "equal"};
    Finding found[MAX_DIFFERENCES];
    const Spread spread = table_spread(table, false);
    const int seeds = table->rows[0].count;
    findings(found, table);
    if (table->differences)
        printf("\n%-62s %-9s %6s %17s %7s %7s\n", "difference in accuracy, points", "claim", "paper", "here",
               "p", "Holm");
    for (int i = 0; i < table->differences; i++) {
        const Finding *f = &found[i];
        const Interval interval = estimate_interval(f->here, 0.95);
        char width[32] = "";
        if (isfinite(interval.high))
            snprintf(width, sizeof width, "+-%5.2f", (interval.high - interval.low) / 2);
        else
            snprintf(width, sizeof width, "(+-%.2f)", f->test_sets);
        char paper[32] = "-";
        if (!isnan(f->paper))
            snprintf(paper, sizeof paper, "%+.1f", f->paper);
        printf("%-62s %-9s %6s %+9.2f %-8s", table->difference[i].label, kinds[table->difference[i].kind],
               paper, f->here.mean, width);
        print_cell(6, 3, f->here.df > 0 ? f->p : NAN);
        print_cell(7, 3, f->here.df > 0 ? f->adjusted : NAN);
        printf("  %s", difference_word(f->verdict));
        const int needed = spread.df > 0 && f->verdict == DIFFERENCE_UNDECIDED
                               ? seeds_needed(fmax(fabs(f->paper), MARGIN), spread.sd, table->count)
                               : 0;
        if (needed > seeds)
            printf(" (%d seeds would decide)", needed);
        printf("\n");
    }
    if (spread.df > 0)
        printf("\nSpread over seeds, pooled over the rows: %.2f points (%.0f degrees of freedom). Of a "
               "difference of two "
               "rows, %d seeds\nsee %.2f points with 80%% power. Differences count from %.1f points; p is "
               "two-sided.\n",
               spread.sd, spread.df, seeds, detectable_difference(spread, seeds), MARGIN);
    else
        printf("\nOne seed a row: no spread between seeds is known, and nothing is decided. In brackets, "
               "what test sets of "
               "this size\nalone would move.\n");
}

/* Numbers by others stand under a line of their own. The file's columns: net, parameters, macs, accuracy,
 * source. */
static bool print_literature(const char *path, Error *error)
{
    char *text;
    size_t count;
    if (!path)
        return true;
    if (!file_read(&text, &count, path, error))
        return false;
    printf("\n--------------------------------------------------------------------------------\n"
           "Literature, under other protocols, nothing of it measured here:\n%-40s %9s %7s %7s  %s\n",
           "net", "accuracy", "par, M", "cost, G", "source");
    for (const char *line = strchr(text, '\n'); line && line[1]; line = strchr(line + 1, '\n')) {
        char net[64], parameters[32], macs[32], accuracy[32], source[96];
        if (sscanf(line + 1, "%63[^\t]\t%31[^\t]\t%31[^\t]\t%31[^\t]\t%95[^\n]", net, parameters, macs,
                   accuracy, source) != 5)
            continue;
        printf("%-40s %9s", net, accuracy);
        print_cell(7, 2, *parameters == '-' ? NAN : strtod(parameters, NULL) / 1e6);
        print_cell(7, 3, *macs == '-' ? NAN : strtod(macs, NULL) / 1e9);
        printf("  %s\n", source);
    }
    free(text);
    return true;
}

static void write_rows(Text *text, const Table *table)
{
    const Spread spread = table_spread(table, false);
    text_add(
        text,
        "row\tlabel\tpaper_accuracy\taccuracy\thalf_width_95\tsd\tseeds\tbest_on_test\taccuracy_verdict\t"
        "paper_cost\tcost\tcost_at_paper_size\tcost_verdict\tparameters\tdepth_argmax\tdepth_expected\tdepth_"
        "last\t"
        "images_per_second\tpeak_mib\tepochs\ttotal_epochs\tseconds\n");
    for (int i = 0; i < table->count; i++) {
        double weights;
        const Row *row = &table->rows[i];
        const double macs = row_paper_macs(&weights, row);
        const Sample accuracy = row_accuracies(row, false);
        text_add(text, "%s\t%s\t%.6g\t%.4f\t%.4f\t%.4f\t%d\t%.4f\t%s\t%.6g\t%.6f\t%.6f\t%s\t%.0f", row->id,
                 row->label, row->accuracy, accuracy.mean, half_width(row, spread), accuracy.sd, row->count,
                 row_accuracies(row, true).mean, accuracy_verdict(row, table), row->cost,
                 mean_of(row, offsetof(RunRecord, macs)) / 1e9, macs / 1e9, cost_verdict(row, macs),
                 mean_of(row, offsetof(RunRecord, parameters)));
        for (size_t k = 0; k < 3; k++)
            text_add(text, "\t%.4g", mean_of(row, offsetof(RunRecord, depth) + k * sizeof(double)));
        text_add(text, "\t%.1f\t%.0f\t%d\t%d\t%.1f\n", mean_of(row, offsetof(RunRecord, images_per_second)),
                 mean_of(row, offsetof(RunRecord, peak_mib)), row->runs[0].epochs, row->runs[0].total_epochs,
                 mean_of(row, offsetof(RunRecord, seconds)) * row->count);
    }
}

static void write_differences(Text *text, const Table *table)
{
    Finding found[MAX_DIFFERENCES];
    findings(found, table);
    if (table->differences)
        text_add(text, "\ndifference\tpaper\there\tlow_95\thigh_95\tdf\tp\tp_holm\tverdict\n");
    for (int i = 0; i < table->differences; i++) {
        const Finding *f = &found[i];
        const Interval interval = estimate_interval(f->here, 0.95);
        text_add(text, "%s\t%.6g\t%.4f\t%.4f\t%.4f\t%.2f\t%.6f\t%.6f\t%s\n", table->difference[i].label,
                 f->paper, f->here.mean, interval.low, interval.high, f->here.df, f->p, f->adjusted,
                 difference_word(f->verdict));
    }
}

static bool write_tsv(const Table *table, const Settings *settings, Error *error)
{
    Text text = {0};
    const RunRecord *first = &table->rows[0].runs[0];
    text_add(&text, "# budget\t%s\n# data\t%s\n# data_sha256\t%s\n# kernels\t%s (%s)\n# commit\t%s\n",
             settings->budget, first->data, first->data_sha256, first->kernels, first->instruction_set,
             first->commit);
    write_rows(&text, table);
    write_differences(&text, table);
    const char *out = settings->out, *slash = strrchr(out, '/');
    char folder[4096];
    snprintf(folder, sizeof folder, "%.*s", slash ? (int)(slash - out) : 1, slash ? out : ".");
    const bool ok = folder_make(folder, error) && text_write(&text, folder, slash ? slash + 1 : out, error);
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

/* `--row=ROW:OPTIONS`: what the row's runs were asked to be, with the options of all rows. */
static bool set_made(Table *table, const char *words, const char *all, Error *error)
{
    char id[64];
    const size_t length = strcspn(words, ":");
    snprintf(id, sizeof id, "%.*s", (int)length, words);
    Row *row = (Row *)table_row(table, id);
    if (!row)
        return fail(error, "--row=%s does not name a row of %s", id, table->expected);
    const int count = snprintf(row->made, sizeof row->made, "%s %s", all ? all : "",
                               words + length + (words[length] == ':'));
    return count < (int)sizeof row->made || fail(error, "the options of row %s are too long", id);
}

static bool read_arguments(Table *table, Settings *settings, int argc, char **argv, Error *error)
{
    const char *made;
    for (int i = 1; i < argc; i++)
        if (option(&settings->expected, argv[i], "--expected=") &&
            !table_read(table, settings->expected, error))
            return false;
    for (int i = 1; i < argc; i++) {
        const char **const texts[] = {&settings->expected, &settings->out, &settings->budget,
                                      &settings->title,    &settings->all, &settings->literature};
        static const char *const names[sizeof texts / sizeof *texts] = {
            "--expected=", "--out=", "--budget=", "--title=", "--all=", "--literature="};
        bool known = false;
        for (size_t k = 0; k < sizeof names / sizeof *names; k++)
            known = known || option(texts[k], argv[i], names[k]);
        if (strcmp(argv[i], "--speed") == 0)
            settings->speed = true;
        else if (!known && table->count &&
                 !(option(&made, argv[i], "--row=") ? set_made(table, made, settings->all, error)
                                                    : table_add_run(table, argv[i], error)))
            return false;
    }
    return true;
}

static const char usage[] =
    "table --expected=FILE --out=FILE [--title=TEXT] [--budget=NAME] [--speed] [--literature=FILE]\n"
    "      [--all=OPTIONS] [--row=\"ROW:OPTIONS\" ...] ROW=FOLDER ...\n\n"
    "Prints the paper's table beside the runs in the folders, one or more a row, and "
    "writes it as TSV. Runs that "
    "do\nnot compare are refused; with --row, so are runs that were made with other "
    "options than these and --all's. "
    "--speed\nadds images a second, seconds a step and peak memory.\n";

int main(int argc, char **argv)
{
    static Table table;
    Settings settings = {.budget = "?", .title = "Table"};
    Error error;
    program_begin();
    if (program_asks_help(argc, argv)) {
        printf("%s", usage);
        return program_end("table");
    }
    if (!read_arguments(&table, &settings, argc, argv, &error))
        die("table", &error);
    if (!settings.expected || !settings.out || argc < 4) {
        fprintf(stderr, "%s", usage);
        return 2;
    }
    if (!table_check(&table, &error))
        die("table", &error);
    print_header(&table, &settings);
    print_rows(&table, &settings);
    print_differences(&table);
    if (!print_literature(settings.literature, &error) || !write_tsv(&table, &settings, &error))
        die("table", &error);
    printf("\nAs TSV: %s\n", settings.out);
    return program_end("table");
}
