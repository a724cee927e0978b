/* What the paper leaves open (paper/choices.tsv): each row's default is that of the options and of the
 * reference, and each row is decided by tests that run. */
#include "../experiments/base/files.h"
#include "../experiments/protocol/options.h"
#include "replay.h"
#include "suites.h"
#include <ctype.h>
#include <glob.h>
#include <stdlib.h>
#include <string.h>

enum { COLUMNS = 7, ID = 0, OPTION = 4, DEFAULTS, TESTS, MOST_ROWS = 100 };

static char *row[MOST_ROWS][COLUMNS];
static int rows;

static const char *const option_names[] = {
#define INTEGER(field, name, ...) name,
#define REAL(field, name, ...)    name,
#define CHOICE(field, name, ...)  name,
#define TEXT(field, name, ...)    name,
#include "../experiments/protocol/options.def"
#undef INTEGER
#undef REAL
#undef CHOICE
#undef TEXT
};
enum { OPTIONS = sizeof option_names / sizeof *option_names };

static void read_choices(void)
{
    Error error;
    char *text;
    size_t count;
    ck_assert_msg(file_read(&text, &count, "paper/choices.tsv", &error), "%s", error.text);
    rows = 0;
    for (char *line = strchr(text, '\n') + 1; *line; rows++) {
        ck_assert_int_lt(rows, MOST_ROWS);
        char *end = strchr(line, '\n');
        ck_assert_ptr_nonnull(end);
        *end = 0;
        for (int column = 0; column < COLUMNS; column++) {
            row[rows][column] = line;
            line = strchr(line, '\t');
            ck_assert_msg((line != NULL) == (column < COLUMNS - 1), "row %s has not %d columns",
                          row[rows][ID], COLUMNS);
            if (line)
                *line++ = 0;
        }
        line = end + 1;
    }
    ck_assert_int_gt(rows, 0);
}

START_TEST(test_choices_defaults_are_those_of_the_options_and_of_the_reference)
{
    Options standard;
    TrainingSettings settings = training_settings();
    const TrainingSettings reference = settings;
    int times[OPTIONS] = {0};
    options_default(&standard);
    for (int i = 0; i < rows; i++)
        for (char *name = strtok(row[i][DEFAULTS], " "); name; name = strtok(NULL, " ")) {
            char *said = strchr(name, '='), value[TEXT_OPTION];
            ck_assert_msg(said != NULL, "row %s: %s", row[i][ID], name);
            *said++ = 0;
            ck_assert_msg(options_value(value, sizeof value, &standard, name), "row %s: there is no --%s",
                          row[i][ID], name);
            ck_assert_msg(strcmp(value, said) == 0, "row %s says --%s=%s, but the default is %s", row[i][ID],
                          name, said, value);
            for (int o = 0; o < OPTIONS; o++)
                times[o] += strcmp(option_names[o], name) == 0;
            /* `auto` is resolved from the others; the source of a pruned run is no setting. */
            if (strcmp(said, "auto") == 0 || strcmp(name, "kernels") == 0 || *said == 0)
                continue;
            ck_assert_msg(replay_set(&settings, name, said), "the reference has no %s=%s", name, said);
            ck_assert_msg(memcmp(&settings, &reference, sizeof settings) == 0,
                          "row %s: the reference's default of %s is another one", row[i][ID], name);
        }
    for (int o = 0; o < OPTIONS; o++)
        ck_assert_msg(times[o] == 1, "--%s is in %d rows of choices.tsv, not in 1", option_names[o],
                      times[o]);
}
END_TEST

/* The options of the column are there: "--down=average, --down=subsample". */
START_TEST(test_choices_name_options_that_exist)
{
    for (int i = 0; i < rows; i++)
        for (const char *at = row[i][OPTION]; (at = strstr(at, "--")); at += 2) {
            char name[64];
            const size_t length = strspn(at + 2, "abcdefghijklmnopqrstuvwxyz0123456789-");
            snprintf(name, sizeof name, "%.*s", (int)length, at + 2);
            ck_assert_msg(options_known(name), "row %s: there is no --%s", row[i][ID], name);
        }
}
END_TEST

static bool contains_word(const char *text, const char *word)
{
    const size_t length = strlen(word);
    for (const char *at = text; (at = strstr(at, word)); at++)
        if (!isalnum((unsigned char)at[length]) && at[length] != '_' && !isalnum((unsigned char)at[-1]) &&
            at[-1] != '_')
            return true;
    return false;
}

/* Whether tests/ has a test of this name that its suite adds: the name in START_TEST(name), then in
 * tcase_add_test(tcase, name or tcase_add_loop_test(tcase, name. */
static bool runs(const glob_t *sources, char *const *texts, const char *name)
{
    char start[256];
    snprintf(start, sizeof start, "START_TEST(%s)", name);
    for (size_t i = 0; i < sources->gl_pathc; i++) {
        const char *body = strstr(texts[i], start), *suite = strstr(texts[i], "tcase_add_");
        if (body && suite && contains_word(suite, name))
            return true;
    }
    return false;
}

START_TEST(test_choices_every_row_names_tests_that_run)
{
    glob_t sources;
    ck_assert_int_eq(glob("tests/test_*.c", 0, NULL, &sources), 0);
    char **texts = calloc(sources.gl_pathc, sizeof *texts);
    for (size_t i = 0; i < sources.gl_pathc; i++) {
        Error error;
        size_t count;
        ck_assert_msg(file_read(&texts[i], &count, sources.gl_pathv[i], &error), "%s", error.text);
    }
    ck_assert(!runs(&sources, texts, "test_choices_every_row_names_tests"));
    for (int i = 0; i < rows; i++) {
        int count = 0;
        for (char *name = strtok(row[i][TESTS], " "); name; name = strtok(NULL, " "), count++)
            ck_assert_msg(runs(&sources, texts, name), "row %s: no suite runs %s", row[i][ID], name);
        ck_assert_msg(count > 0, "row %s has no test", row[i][ID]);
    }
    for (size_t i = 0; i < sources.gl_pathc; i++)
        free(texts[i]);
    free(texts);
    globfree(&sources);
}
END_TEST

Suite *choices_suite(void)
{
    Suite *suite = suite_create("choices");
    TCase *tcase = tcase_create("choices.tsv");
    tcase_add_checked_fixture(tcase, read_choices, NULL);
    tcase_add_test(tcase, test_choices_defaults_are_those_of_the_options_and_of_the_reference);
    tcase_add_test(tcase, test_choices_name_options_that_exist);
    tcase_add_test(tcase, test_choices_every_row_names_tests_that_run);
    suite_add_tcase(suite, tcase);
    return suite;
}
