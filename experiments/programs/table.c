/* build/table: the paper's table beside what this machine measured, from run folders, as text and as TSV. */
#include "../base/program.h"
#include "../tables/print.h"
#include "../tables/write.h"
#include <string.h>

typedef struct {
    const char *expected, *out, *all, *literature;
    TableStyle style;
} Settings;

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

/* Whether the argument is a setting, which it then is. */
static bool setting(Settings *settings, const char *argument)
{
    const char **const texts[] = {&settings->expected,    &settings->out, &settings->style.budget,
                                  &settings->style.title, &settings->all, &settings->literature};
    static const char *const names[sizeof texts / sizeof *texts] = {
        "--expected=", "--out=", "--budget=", "--title=", "--all=", "--literature="};
    for (size_t k = 0; k < sizeof names / sizeof *names; k++)
        if (option(texts[k], argument, names[k]))
            return true;
    if (strcmp(argument, "--speed") != 0)
        return false;
    return settings->style.speed = true;
}

/* Settings first, in whatever order they stand among rows and runs. */
static bool read_arguments(Table *table, Settings *settings, int argc, char **argv, Error *error)
{
    const char *made;
    for (int i = 1; i < argc; i++)
        setting(settings, argv[i]);
    if (settings->expected && !table_read(table, settings->expected, error))
        return false;
    for (int i = 1; i < argc; i++)
        if (!setting(settings, argv[i]) && table->count &&
            !(option(&made, argv[i], "--row=") ? set_made(table, made, settings->all, error)
                                               : table_add_run(table, argv[i], error)))
            return false;
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
    Settings settings = {.style = {.budget = "?", .title = "Table"}};
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
    table_print_header(&table, &settings.style);
    table_print_rows(&table, &settings.style);
    table_print_differences(&table);
    if (!table_print_literature(settings.literature, &error) ||
        !table_write(&table, settings.style.budget, settings.out, &error))
        die("table", &error);
    printf("\nAs TSV: %s\n", settings.out);
    return program_end("table");
}
