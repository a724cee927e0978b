/* Finished runs as evaluate and table read them: what they print, and what they refuse by one line. */
#include "../experiments/base/files.h"
#include "../experiments/runs/result.h"
#include "program.h"
#include <check.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* A checkpoint that was damaged is told from its SHA-256, before anything reads it. */
START_TEST(test_evaluate_refuses_a_damaged_checkpoint)
{
    char path[128];
    ck_assert_int_eq(program_train(""), 0);
    snprintf(path, sizeof path, "%s/run/checkpoint.h5", program_folder);
    FILE *file = fopen(path, "r+b");
    ck_assert_ptr_nonnull(file);
    fseek(file, 3000, SEEK_SET);
    const int byte = fgetc(file);
    fseek(file, 3000, SEEK_SET);
    fputc(byte ^ 1, file);
    fclose(file);
    ck_assert_int_eq(program_run("evaluate %s/run %s/data/test_batch.bin", program_folder, program_folder),
                     1);
    program_expects_one_line("evaluate: ", "checkpoint");
}
END_TEST

START_TEST(test_evaluate_refuses)
{
    ck_assert_int_eq(program_run("evaluate"), 2);
    ck_assert_int_eq(program_run("evaluate %s/run %s/data/test_batch.bin", program_folder, program_folder),
                     1);
    program_expects_one_line("evaluate: ", "config.tsv");
    ck_assert_int_eq(program_train(""), 0);
    ck_assert_int_eq(program_run("evaluate %s/run %s/data/none.bin", program_folder, program_folder), 1);
    program_expects_one_line("evaluate: ", "none.bin");
    program_put("test_batch.bin", "data", "no whole image of 3,073 bytes");
    ck_assert_int_eq(program_run("evaluate %s/run %s/data/test_batch.bin", program_folder, program_folder),
                     1);
    program_expects_one_line("evaluate: ", "test_batch.bin");
}
END_TEST

static double printed_number(const char *text, const char *name)
{
    char value[64];
    ck_assert_msg(result_value(value, sizeof value, text, name), "no %s in %s", name, text);
    return atof(value);
}

/* The levels that were pruned are not there for who evaluates either: its loss is that of the run. Which run
 * it was pruned from may be said by a path too. */
START_TEST(test_evaluate_knows_what_was_pruned)
{
    double loss[2], right[2];
    ck_assert_int_eq(program_train("--images-test=50 --levels=3 --epochs=3"), 0);
    ck_assert_msg(program_run("train --run=%s/pruned --prune-from=%s/run --prune-threshold=1", program_folder,
                              program_folder) == 0,
                  "%s", program_output);
    for (int i = 0; i < 2; i++) {
        const char *const run = i ? "pruned" : "run";
        ck_assert_int_eq(
            program_run("evaluate %s/%s %s/data/test_batch.bin", program_folder, run, program_folder), 0);
        loss[i] = printed_number(program_output, "loss");
        char *result = program_file("%s/result.tsv", run);
        right[i] = printed_number(result, "test_loss");
        free(result);
        ck_assert_double_eq_tol(loss[i], right[i], 2e-6); /* it is printed with six decimals */
    }
    ck_assert_double_gt(fabs(right[0] - right[1]), 1e-4);
}
END_TEST

static void write_text(const char *name, const char *text)
{
    char path[128];
    Error error;
    snprintf(path, sizeof path, "%s/%s", program_folder, name);
    ck_assert_msg(file_write(path, text, strlen(text), &error), "%s", error.text);
}

/* As if it had been killed within its last checkpoint: what goes on leaves the folder as if nothing had been.
 */
START_TEST(test_train_settles_the_last_checkpoint)
{
    char path[128], both[256];
    ck_assert_int_eq(program_train(""), 0);
    char *hash = program_file("run/checkpoint.sha256");
    snprintf(both, sizeof both, "%s%064d  checkpoint.h5\n", hash, 0);
    write_text("run/checkpoint.sha256", both);
    snprintf(path, sizeof path, "%s/run/result.tsv", program_folder);
    ck_assert_int_eq(remove(path), 0);
    ck_assert_msg(program_train("") == 0, "%s", program_output);
    char *now = program_file("run/checkpoint.sha256"), *result = program_file("run/result.tsv");
    ck_assert_str_eq(now, hash);
    ck_assert_ptr_nonnull(result);
    free(hash);
    free(now);
    free(result);
}
END_TEST

/* The table of the one run. */
static void print_table(void)
{
    write_text("expected.tsv", "row\tlabel\taccuracy\tcost\nours\tOur Model\t92.5\t0.41\n");
    ck_assert_msg(
        program_run("table --title=T --budget=b --expected=%s/expected.tsv --out=%s/out.tsv ours=%s/run",
                    program_folder, program_folder, program_folder) == 0,
        "%s", program_output);
}

/* What is finished is only looked at, whoever asks: the folder may be one that nobody can write to. For who
 * can all the same, it is of a time at which nothing was written. */
START_TEST(test_finished_folder_is_not_written_to)
{
    char folder[128], path[160];
    struct stat status;
    const struct timespec long_ago[2] = {{1000000000, 0}, {1000000000, 0}};
    ck_assert_int_eq(program_train(""), 0);
    snprintf(folder, sizeof folder, "%s/run", program_folder);
    snprintf(path, sizeof path, "%s/lock", folder);
    ck_assert_int_eq(remove(path), 0);
    ck_assert_int_eq(chmod(folder, 0555), 0);
    ck_assert_int_eq(utimensat(AT_FDCWD, folder, long_ago, 0), 0);
    ck_assert_msg(program_train("") == 0 && strstr(program_output, "run is finished already\n"), "%s",
                  program_output);
    ck_assert_msg(program_run("evaluate %s/run %s/data/test_batch.bin", program_folder, program_folder) == 0,
                  "%s", program_output);
    ck_assert_msg(program_run("train --run=%s/pruned --prune-from=run --prune-threshold=1", program_folder) ==
                      0,
                  "%s", program_output);
    print_table();
    ck_assert_int_eq(stat(folder, &status), 0);
    ck_assert_int_eq(status.st_mtim.tv_sec, 1000000000);
    ck_assert_int_eq(chmod(folder, 0777), 0);
}
END_TEST

START_TEST(test_table_prints_runs_beside_the_paper)
{
    ck_assert_int_eq(program_train(""), 0);
    print_table();
    ck_assert_ptr_nonnull(strstr(program_output, "Our Model"));
    ck_assert_ptr_nonnull(strstr(program_output, "92.5"));
    ck_assert_ptr_nonnull(strstr(program_output, " epochs           1 instead of 400"));
    char *tsv = program_file("out.tsv");
    ck_assert_ptr_nonnull(tsv);
    ck_assert_ptr_nonnull(strstr(tsv, "\nours\tOur Model\t92.5\t"));
    free(tsv);
    ck_assert_ptr_null(strstr(program_output, "another commit"));
}
END_TEST

/* The commits and instruction sets of a continued run are all named. */
START_TEST(test_table_tells_who_continued_a_run)
{
    char text[4096];
    ck_assert_int_eq(program_train(""), 0);
    char *provenance = program_file("run/provenance.tsv");
    const char *commit = strchr(provenance, '\t') + 1;
    snprintf(text, sizeof text,
             "%scontinued\t1 2026-01-01T00:00:00Z 0123abc-dirty sse2 2\n"
             "continued\t2 2026-01-01T00:00:00Z 0123abc sse2 2\n"
             "continued\t3 2026-01-01T00:00:00Z %.*s amx 2\n",
             provenance, (int)strcspn(commit, "\n"), commit);
    free(provenance);
    write_text("run/provenance.tsv", text);
    print_table();
    ck_assert_ptr_nonnull(strstr(program_output, " and 0123abc-dirty and 0123abc\n"));
    ck_assert_ptr_nonnull(strstr(program_output, " and sse2 and amx)"));
    ck_assert_ptr_nonnull(strstr(program_output, "another commit"));
}
END_TEST

START_TEST(test_table_refuses)
{
    ck_assert_int_eq(program_run("table"), 2);
    write_text("expected.tsv",
               "row\tlabel\taccuracy\tcost\nours\tOur Model\t92.5\t0.41\nnone\tNone\t87.3\t0.31\n");
    ck_assert_int_eq(program_run("table --expected=%s/expected.tsv --out=%s/out.tsv ours=%s/run",
                                 program_folder, program_folder, program_folder),
                     1);
    program_expects_one_line("table: ", "config.tsv");
    ck_assert_int_eq(program_train(""), 0);
    ck_assert_int_eq(program_run("table --expected=%s/expected.tsv --out=%s/out.tsv ours=%s/run",
                                 program_folder, program_folder, program_folder),
                     1);
    program_expects_one_line("table: ", "row none has 0 runs");
    ck_assert_int_eq(program_run("table --expected=%s/expected.tsv --out=%s/out.tsv theirs=%s/run",
                                 program_folder, program_folder, program_folder),
                     1);
    program_expects_one_line("table: ", "theirs");
    char *out = program_file("out.tsv");
    ck_assert_ptr_null(out);
}
END_TEST

TCase *programs_finished_case(void)
{
    TCase *tcase = tcase_create("finished runs");
    tcase_add_checked_fixture(tcase, program_setup, program_teardown);
    tcase_add_checked_fixture(tcase, program_write_data, NULL);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, test_evaluate_refuses_a_damaged_checkpoint);
    tcase_add_test(tcase, test_evaluate_refuses);
    tcase_add_test(tcase, test_evaluate_knows_what_was_pruned);
    tcase_add_test(tcase, test_train_settles_the_last_checkpoint);
    tcase_add_test(tcase, test_finished_folder_is_not_written_to);
    tcase_add_test(tcase, test_table_prints_runs_beside_the_paper);
    tcase_add_test(tcase, test_table_tells_who_continued_a_run);
    tcase_add_test(tcase, test_table_refuses);
    return tcase;
}
