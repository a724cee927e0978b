/* Tests, markers, choices, orphans. See sources.h. */
#include "sources.h"
#include "../base/files.h"
#include "../runs/provenance.h"
#include <ctype.h>
#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* The relative name of a file under root. */
static const char *relative(const char *path, const char *root)
{
    const size_t length = strlen(root);
    return strncmp(path, root, length) == 0 && path[length] == '/' ? path + length + 1 : path;
}

/* Whether the suite that the file defines is one that runs; a file of cases alone lends them to another's. */
static bool is_suite(const Sources *s, const char *bytes)
{
    char suite[96];
    const char *end = strstr(bytes, "_suite(void)"), *start = end;
    while (start && start > bytes && start[-1] != '*')
        start--;
    if (!end)
        return true;
    snprintf(suite, sizeof suite, "SUITE(%.*s)\n", (int)(end - start), start);
    return strstr(s->suites, suite) != NULL;
}

/* Whether the file of the test gives it to a case of a suite that runs. */
static bool is_given(const Sources *s, const char *name, size_t length, const char *bytes)
{
    for (const char *at = strstr(bytes, "tcase_add_"); at; at = strstr(at + 1, "tcase_add_")) {
        const char *second = at + strcspn(at, ",;");
        second += strspn(second, ", \n");
        if (strncmp(second, name, length) == 0 && strchr(",)", second[length]))
            return is_suite(s, bytes);
    }
    return false;
}

static bool add_test(Sources *s, const char *name, size_t length, const char *file, const char *bytes,
                     Error *error)
{
    TestFunction *more = realloc(s->tests, (size_t)(s->tests_count + 1) * sizeof *more);
    if (!more)
        return fail(error, "no memory for the tests of %s", file);
    s->tests = more;
    TestFunction *test = &more[s->tests_count++];
    *test = (TestFunction){.outcome = NOT_RUN, .given = is_given(s, name, length, bytes)};
    snprintf(test->name, sizeof test->name, "%.*s", (int)length, name);
    snprintf(test->file, sizeof test->file, "%s", file);
    return true;
}

static bool add_marker(Sources *s, const char *id, const char *file, int line, Error *error)
{
    Marker *more = realloc(s->markers, (size_t)(s->markers_count + 1) * sizeof *more);
    if (!more)
        return fail(error, "no memory for the markers of %s", file);
    s->markers = more;
    Marker *marker = &more[s->markers_count++];
    *marker = (Marker){.line = line};
    snprintf(marker->id, sizeof marker->id, "%s", id);
    snprintf(marker->file, sizeof marker->file, "%s", file);
    return true;
}

static bool is_id(int c)
{
    return islower(c) || isdigit(c) || c == '.' || c == '-';
}

static int lines_to(const char *from, const char *to)
{
    int line = 1;
    for (; from < to; from++)
        line += *from == '\n';
    return line;
}

/* The ids after "Claims:" up to the end of the comment; a line may end with them, and " * " begin the next.
 */
static bool read_markers(Sources *s, const char *bytes, const char *file, Error *error)
{
    for (const char *at = strstr(bytes, "Claims: "); at; at = strstr(at, "Claims: ")) {
        const int line = lines_to(bytes, at);
        const char *end = strstr(at, "*/");
        if (!end)
            break;
        at += strlen("Claims: ");
        while (at < end) {
            char id[64];
            at += strspn(at, " \n\t");
            int length = 0;
            while (at + length < end && is_id((unsigned char)at[length]))
                length++;
            if (length == 0 && *at == '*') {
                at++;
                continue;
            }
            /* A full stop ends the list. */
            const bool last = length > 0 && at[length - 1] == '.';
            snprintf(id, sizeof id, "%.*s", length - last, at);
            if (length == 0 || (length > last && !add_marker(s, id, file, line, error)))
                break;
            at += length;
            if (last)
                break;
        }
    }
    return true;
}

static bool read_source(Sources *s, const char *path, const char *file, Error *error)
{
    char *bytes;
    size_t size;
    if (!file_read(&bytes, &size, path, error))
        return false;
    bool ok = read_markers(s, bytes, file, error);
    for (const char *at = strstr(bytes, "\nSTART_TEST("); ok && at; at = strstr(at + 1, "\nSTART_TEST(")) {
        const char *name = at + strlen("\nSTART_TEST(");
        ok = add_test(s, name, strcspn(name, ")"), file, bytes, error);
    }
    free(bytes);
    return ok;
}

static bool ends_with(const char *name, const char *end)
{
    const size_t length = strlen(name), tail = strlen(end);
    return length >= tail && strcmp(name + length - tail, end) == 0;
}

static bool read_folder(Sources *s, const char *folder, const char *root, Error *error)
{
    struct dirent **entries;
    const int count = scandir(folder, &entries, NULL, alphasort);
    if (count < 0)
        return fail(error, "%s cannot be read: is %s the project's folder?", folder, root);
    bool ok = true;
    for (int i = 0; i < count; i++) {
        char path[1024];
        struct stat status;
        snprintf(path, sizeof path, "%s/%s", folder, entries[i]->d_name);
        if (ok && entries[i]->d_name[0] != '.' && stat(path, &status) == 0) {
            if (S_ISDIR(status.st_mode) && strcmp(entries[i]->d_name, "records") != 0)
                ok = read_folder(s, path, root, error);
            else if (ends_with(path, ".c") || ends_with(path, ".h"))
                ok = read_source(s, path, relative(path, root), error);
        }
        free(entries[i]);
    }
    free(entries);
    return ok;
}

static void read_results(Sources *s, const char *path)
{
    char *bytes;
    size_t size;
    if (!path || !file_exists(path) || !file_read(&bytes, &size, path, NULL))
        return;
    s->ran = true;
    for (const char *line = bytes; line && *line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL) {
        char name[96], outcome[16], commit[64];
        if (sscanf(line, "%95s %15s %63s", name, outcome, commit) != 3)
            continue;
        for (int t = 0; t < s->tests_count; t++)
            if (strcmp(s->tests[t].name, name) == 0) {
                s->tests[t].outcome = strcmp(outcome, "pass") == 0 ? PASSED : FAILED;
                s->tests[t].stale = strcmp(commit, provenance_commit()) != 0;
            }
    }
    free(bytes);
}

bool sources_read(Sources *s, const char *root, const char *results, Error *error)
{
    static const char *const folders[] = {"tests", "ref", "fast", "experiments"};
    char path[1024];
    *s = (Sources){0};
    snprintf(path, sizeof path, "%s/paper/choices.tsv", root);
    if (!tsv_read(&s->choices, path, "id\tpaper", error))
        return false;
    snprintf(path, sizeof path, "%s/paper/expected/outside.tsv", root);
    if (file_exists(path) && !tsv_read(&s->outside, path, "net\tparameters\tmacs\taccuracy\tsource", error))
        return false;
    size_t size;
    snprintf(path, sizeof path, "%s/tests/suites.def", root);
    if (!file_read(&s->suites, &size, path, error))
        return false;
    for (int f = 0; f < 4; f++) {
        snprintf(path, sizeof path, "%s/%s", root, folders[f]);
        if (!read_folder(s, path, root, error))
            return false;
    }
    read_results(s, results);
    return true;
}

const TestFunction *sources_test(const Sources *s, const char *name)
{
    for (int t = 0; t < s->tests_count; t++)
        if (strcmp(s->tests[t].name, name) == 0)
            return &s->tests[t];
    return NULL;
}

/* The default, and each value that its last column names as an option. */
int sources_choice(const Sources *s, const char *id)
{
    const int option = tsv_column(&s->choices, "option");
    for (int r = 0; option >= 0 && r < s->choices.rows; r++) {
        if (strcmp(tsv_cell(&s->choices, r, 0), id) != 0)
            continue;
        int values = 1;
        for (const char *at = strstr(tsv_cell(&s->choices, r, option), "--"); at; at = strstr(at + 2, "--"))
            values++;
        return values;
    }
    return 0;
}

bool sources_marked(const Sources *s, const char *id, const char *file)
{
    for (int m = 0; m < s->markers_count; m++)
        if (strcmp(s->markers[m].id, id) == 0 && strcmp(s->markers[m].file, file) == 0)
            return true;
    return false;
}

void sources_free(Sources *s)
{
    free(s->tests);
    free(s->markers);
    free(s->suites);
    tsv_free(&s->choices);
    tsv_free(&s->outside);
    *s = (Sources){0};
}
