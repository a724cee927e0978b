/* What is measured does not know what the paper prints: runs and measured values are the same to the bit
 * where paper/expected/ is gone or shuffled, and nothing below the tables names these files. */
#include "../experiments/base/files.h"
#include "program.h"
#include "suites.h"
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The rooms that measure; tables and audit print. */
static const char *const blind[] = {"ref",
                                    "fast",
                                    "experiments/base",
                                    "experiments/data",
                                    "experiments/network",
                                    "experiments/protocol",
                                    "experiments/runs",
                                    "experiments/training",
                                    "experiments/programs/train.c",
                                    "experiments/programs/evaluate.c",
                                    "experiments/programs/kernel",
                                    "experiments/programs/bench"};

static int look(const char *path)
{
    struct stat status;
    ck_assert_msg(stat(path, &status) == 0, "%s is not there", path);
    int files = 0;
    if (!S_ISDIR(status.st_mode)) {
        char *bytes;
        size_t size;
        ck_assert(file_read(&bytes, &size, path, NULL));
        const char *named = strstr(bytes, "paper/expected") ? "paper/expected" : strstr(bytes, "claims.tsv");
        ck_assert_msg(named == NULL, "%s names what the paper prints", path);
        free(bytes);
        return 1;
    }
    DIR *folder = opendir(path);
    for (struct dirent *entry = readdir(folder); entry; entry = readdir(folder)) {
        char inner[1024];
        snprintf(inner, sizeof inner, "%s/%s", path, entry->d_name);
        files += entry->d_name[0] == '.' ? 0 : look(inner);
    }
    closedir(folder);
    return files;
}

START_TEST(test_rooms_that_measure_name_no_expected_file)
{
    int files = 0;
    for (size_t i = 0; i < sizeof blind / sizeof *blind; i++)
        files += look(blind[i]);
    ck_assert_int_gt(files, 50);
}
END_TEST

static void expect_same(const char *name)
{
    char *a = program_file("here/%s", name), *b = program_file("there/%s", name);
    ck_assert_msg(a && b, "%s is missing", name);
    ck_assert_msg(strcmp(a, b) == 0, "%s differs", name);
    free(a);
    free(b);
}

#define SMALL                                                                                            \
    "--layers=3 --channels=4 --levels=2 --images-a=96 --images-b=48 --images-test=40 --images-epoch=40 " \
    "--batch=24 "                                                                                        \
    "--epochs=2 --threads=1"

/* A run from the project's folder, and one from a folder where there is no paper/. */
START_TEST(test_a_run_does_not_see_the_paper)
{
    char here[2048], build[4096];
    program_write_data();
    ck_assert_msg(program_run("train --run=%s/here --data=%s/data " SMALL, program_folder, program_folder) ==
                      0,
                  "%s", program_output);
    const char *before = getenv("NOPOOL_BUILD");
    ck_assert_ptr_nonnull(getcwd(here, sizeof here));
    snprintf(build, sizeof build, "%s/%s", before && before[0] == '/' ? "" : here, before ? before : "build");
    ck_assert_int_eq(setenv("NOPOOL_BUILD", build, 1), 0);
    ck_assert_int_eq(chdir(program_folder), 0);
    ck_assert_msg(program_run("train --run=%s/there --data=%s/data " SMALL, program_folder, program_folder) ==
                      0,
                  "%s", program_output);
    expect_same("config.tsv");
    expect_same("log.tsv");
    expect_same("alpha.tsv");
    expect_same("result.tsv");
}
END_TEST

static const char *const rows[] = {"no-pooling",   "predefined",   "scale-invariant", "ours",
                                   "ours-thr-0.1", "ours-thr-0.2", "ours-one-res"};
enum { ROWS = sizeof rows / sizeof *rows };

/* The next part of a text up to a mark, cut off in place; NULL after the last. */
static char *part(char **rest, char mark)
{
    char *start = *rest, *end = start ? strchr(start, mark) : NULL;
    *rest = end ? end + 1 : NULL;
    if (end)
        *end = '\0';
    return start;
}

/* Cell by cell; columns with what the paper prints, and the verdicts that come of it, may differ. */
static void compare_measured(char *a, char *b)
{
    static const char *const paper[] = {"label", "paper_accuracy", "paper_cost", "accuracy_verdict",
                                        "cost_verdict"};
    char header[64][64], *line_a, *line_b, *rest_a = a, *rest_b = b;
    int columns = 0, compared = 0;
    while ((line_a = part(&rest_a, '\n')) && (line_b = part(&rest_b, '\n'))) {
        if (line_a[0] == '#')
            continue;
        for (int c = 0; line_a && line_b; c++) {
            const char *x = part(&line_a, '\t'), *y = part(&line_b, '\t');
            if (c >= columns && compared == 0 && columns < 64)
                snprintf(header[columns++], 64, "%.63s", x);
            bool printed = false;
            for (int p = 0; p < 5; p++)
                printed = printed || strcmp(header[c], paper[p]) == 0;
            ck_assert_msg(printed || strcmp(x, y) == 0, "%s: %s, %s", header[c], x, y);
        }
        compared++;
    }
    ck_assert_int_eq(compared, 1 + ROWS + 1); /* the header, the rows, and the end */
}

START_TEST(test_measured_values_do_not_know_the_paper)
{
    static const char folder[] =
        "experiments/records/table1-quick-fashion-mnist/fashion-mnist-quick-f32-10x16";
    char runs[2048], shuffled[2048], path[256];
    int used = 0, text = snprintf(shuffled, sizeof shuffled, "row\tlabel\taccuracy\tcost\n");
    for (int r = 0; r < ROWS; r++) {
        used +=
            snprintf(runs + used, sizeof runs - (size_t)used, " %s=%s-%s-seed1", rows[r], folder, rows[r]);
        text += snprintf(shuffled + text, sizeof shuffled - (size_t)text, "%s\tRow %d\t%d.5\t0.%d1\n",
                         rows[r], r, 90 - 7 * r, r + 1);
    }
    snprintf(path, sizeof path, "%s/shuffled.tsv", program_folder);
    ck_assert(file_write(path, shuffled, strlen(shuffled), NULL));
    ck_assert_msg(
        program_run("table --expected=paper/expected/table1.tsv --out=%s/a.tsv%s", program_folder, runs) == 0,
        "%s", program_output);
    ck_assert_msg(program_run("table --expected=%s --out=%s/b.tsv%s", path, program_folder, runs) == 0, "%s",
                  program_output);
    char *a = program_file("a.tsv"), *b = program_file("b.tsv");
    compare_measured(a, b);
    free(a);
    free(b);
}
END_TEST

Suite *audit_blindness_suite(void)
{
    Suite *suite = suite_create("audit_blindness");
    TCase *tcase = tcase_create("blindness");
    tcase_add_checked_fixture(tcase, program_setup, program_teardown);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, test_rooms_that_measure_name_no_expected_file);
    tcase_add_test(tcase, test_a_run_does_not_see_the_paper);
    tcase_add_test(tcase, test_measured_values_do_not_know_the_paper);
    suite_add_tcase(suite, tcase);
    return suite;
}
