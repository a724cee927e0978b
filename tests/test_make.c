/* Make as the experiment engine: the plan of a table, names that hold the data's hash, and what is refused
 * before anything happens. Nothing is trained here. */
#include "program.h"
#include "suites.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* Runs a command of the shell; its output, cut to what fits, is in program_output. */
static int shell(const char *format, const char *folder)
{
    char command[1024], line[1200];
    snprintf(command, sizeof command, format, folder, folder);
    snprintf(line, sizeof line, "unset MAKEFLAGS MFLAGS MAKELEVEL BUILD; { %s; } >%s/said 2>&1", command,
             program_folder);
    const int status = system(line);
    char *said = program_file("said");
    snprintf(program_output, sizeof program_output, "%s", said ? said : "");
    free(said);
    return status;
}

static int count(const char *word)
{
    int times = 0;
    for (const char *at = strstr(program_output, word); at; at = strstr(at + 1, word))
        times++;
    return times;
}

/* The digits after custom- in the first folder of a plan. */
static void first_digits(char digits[9])
{
    const char *at = strstr(program_output, "runs/custom-");
    ck_assert_msg(at != NULL, "%s", program_output);
    snprintf(digits, 9, "%.8s", at + strlen("runs/custom-"));
    ck_assert_int_eq((int)strspn(digits, "0123456789abcdef"), 8);
}

/* Seven training commands, pruned rows after their source, no compiler. Other data of the same folder name
 * has other runs. */
START_TEST(test_plan_of_a_table)
{
    char digits[9], others[9], path[128];
    static const char plan[] =
        "make -n table1 BUILD=nothing-built DATA=%s/data RUNS=%s/runs BUDGET=smoke KERNELS=f32";
    ck_assert_msg(shell(plan, program_folder) == 0, "%s", program_output);
    ck_assert_int_eq(count("nothing-built/train "), 7);
    ck_assert_int_eq(count(" -c -o "), 0);
    ck_assert_int_eq(count("--prune-from="), 3);
    ck_assert_int_eq(count("smoke-f32-4x8-ours-one-res-seed1"), 2); /* the command and the table */
    first_digits(digits);
    ck_assert_msg(shell(plan, program_folder) == 0, "%s", program_output);
    first_digits(others);
    ck_assert_str_eq(digits, others);
    snprintf(path, sizeof path, "%s/data/test_batch.bin", program_folder);
    FILE *file = fopen(path, "r+b");
    ck_assert_ptr_nonnull(file);
    fseek(file, 100, SEEK_SET);
    fputc(255, file);
    fclose(file);
    ck_assert_msg(shell(plan, program_folder) == 0, "%s", program_output);
    first_digits(others);
    ck_assert_str_ne(digits, others);
}
END_TEST

/* Without a word the fastest kernels that the CPU has: bf16 where it multiplies pairs and is not kept from
 * it. */
START_TEST(test_plan_takes_the_fastest_kernels)
{
    static const struct {
        const char *flags, *variables;
        int bf16;
    } cpus[] = {
        {"flags\t\t: fpu avx2 avx512_bf16 amx_bf16", "", 1},
        {"flags\t\t: fpu avx2 avx512_bf16 amx_bf16", "NOPOOL_ISA=amx", 1},
        {"flags\t\t: fpu avx2 avx512_bf16 amx_bf16", "NOPOOL_ISA=avx512bf16", 1},
        {"flags\t\t: fpu avx2 avx512_bf16 amx_bf16", "NOPOOL_ISA=avx512", 0},
        {"flags\t\t: fpu avx2 avx512_bf16 amx_bf16", "KERNELS=f32", 0},
        {"flags\t\t: fpu avx2 avx512_bf162 avx512f", "", 0},
        {"Features\t: bf16 asimd", "", 0},
        {"Features\t: bf16 asimd", "KERNELS=bf16", 1},
    };
    for (size_t i = 0; i < sizeof cpus / sizeof *cpus; i++) {
        char plan[512], path[128];
        snprintf(path, sizeof path, "%s/cpuinfo", program_folder);
        FILE *file = fopen(path, "w");
        ck_assert(file &&
                  fprintf(file, "processor\t: 0\n%s\n\nprocessor\t: 1\n%s\n", cpus[i].flags, cpus[i].flags) >
                      0 &&
                  fclose(file) == 0);
        snprintf(plan, sizeof plan,
                 "unset KERNELS NOPOOL_ISA; make -n table1 BUILD=nothing-built DATA=%%s/data "
                 "RUNS=%%s/runs BUDGET=smoke CPUINFO=%s %s",
                 path, cpus[i].variables);
        ck_assert_msg(shell(plan, program_folder) == 0, "%s", program_output);
        ck_assert_msg((count("--kernels=bf16 ") == 7) == cpus[i].bf16, "%zu: %s", i, program_output);
        ck_assert_msg((count("--kernels=f32 ") == 7) != cpus[i].bf16, "%zu: %s", i, program_output);
    }
}
END_TEST

/* Table 2 shares Table 1's runs of 64 channels: 12 rows and 3 that are pruned. */
START_TEST(test_nothing_is_trained_twice)
{
    ck_assert_msg(shell("make -n table1 table2 BUILD=nothing-built DATA=%s/data RUNS=%s/runs BUDGET=quick",
                        program_folder) == 0,
                  "%s", program_output);
    ck_assert_int_eq(count("nothing-built/train "), 15);
    ck_assert_int_eq(count(" --channels=4 "), 4 + 4); /* commands, and what the table asks of its rows */
}
END_TEST

/* The controls that a reviewer would ask for: words of their training commands, and how many of these have
 * them. Before and behind a word is a blank, so that none is the head of another. */
static const struct {
    const char *word, *other;
    int runs;
} controls[] = {
    {"--down=average", "", 2},
    {"--up=bilinear", "", 2},
    {"--norm=shared", "", 2},
    {"--affine=yes", "", 2},
    {"--head=linear", "", 2},
    {"--weight-decay=0.0003", "", 2},
    {"--weight-decay=0.0005", "", 2},
    {"--filters=unshared", "--pooling=learned", 1},
    {"--logits-data=a", "", 1},
    {"--logits-data=none", "--logits-start=random", 1},
    {"--logits-start=finest", "", 1},
    {"--logits-start=coarsest", "", 1},
    {"--logits-start=reversed", "-hour-f32-10x64-ours-seed1 ", 1},
    {"--logits-start=reversed", " --logits-from=", 1},
    {"--prune-threshold=1", "-hour-f32-10x64-ours-seed1 ", 2},
    {"--prune-threshold=1", "--prune-start=scratch", 1},
    {"--epochs=11", "", 3},
    {"--fixed-data=all", "", 3},
    {"--logits-lr=0.0001", "", 1},
    {"--logits-lr=0.001", "", 1},
    {"--logits-lr=0.01", "", 1},
    {"--pooling=predefined", "--stages=", 8},
    {"--seed=1", "", 41},
};

static int commands_with(const char *word, const char *other)
{
    static char plan[sizeof program_output];
    char whole[64];
    int commands = 0;
    snprintf(whole, sizeof whole, " %s ", word);
    strcpy(plan, program_output);
    for (char *line = strtok(plan, "\n"); line; line = strtok(NULL, "\n"))
        commands +=
            strncmp(line, "nothing-built/train ", 20) == 0 && strstr(line, whole) && strstr(line, other);
    return commands;
}

START_TEST(test_controls_leave_none_out)
{
    ck_assert_msg(
        shell("make -n controls BUILD=nothing-built DATA=%s/data RUNS=%s/runs BUDGET=hour KERNELS=f32",
              program_folder) == 0,
        "%s", program_output);
    for (size_t i = 0; i < sizeof controls / sizeof *controls; i++)
        ck_assert_msg(commands_with(controls[i].word, controls[i].other) == controls[i].runs,
                      "%d runs have %s %s, not %d", commands_with(controls[i].word, controls[i].other),
                      controls[i].word, controls[i].other, controls[i].runs);
}
END_TEST

/* By hand, adding to the field 2 steps a layer and what the step grew by: 3-3-2-2 is 3 5 7, 12 16 20, 30 38,
 * 58 74; 1-9 is 3, 8 12 16 20 24 28 32; 1-3-1-1-4 is 3, 8 12 16, 26, 46; 6-2-2 is 3 .. 13, 18 22, 32. */
START_TEST(test_border_layers_are_written_before_anything_is_trained)
{
    char *text;
    ck_assert_msg(shell("make -n controls BUILD=nothing-built DATA=%s/data RUNS=%s/runs BUDGET=hour",
                        program_folder) == 0,
                  "%s", program_output);
    const char *borders = strstr(program_output, "borders.sh"),
               *first = strstr(program_output, "built/train ");
    ck_assert(borders && first && borders < first);
    ck_assert(strstr(first, "borders.sh paper/expected/controls.tsv") != NULL); /* the table prints them */
    ck_assert_msg(shell("bash experiments/tables/borders.sh paper/expected/controls.tsv %s/runs/b.tsv",
                        program_folder) == 0,
                  "%s", program_output);
    text = program_file("runs/b.tsv");
    ck_assert_ptr_nonnull(text);
    ck_assert_int_eq(strncmp(text, "row\tstages\tfield\tborder_layer\n", 30), 0);
    ck_assert_ptr_nonnull(strstr(text, "\npredefined\t3,3,2,2\t74\t8\n"));
    ck_assert_ptr_nonnull(strstr(text, "\nno-pooling-all\t10\t21\t-\n"));
    ck_assert_ptr_nonnull(strstr(text, "\nplaced-1-9\t1,9\t40\t8\n"));
    ck_assert_ptr_nonnull(strstr(text, "\nplaced-1-3-1-1-4\t1,3,1,1,4\t182\t6\n"));
    ck_assert_ptr_nonnull(strstr(text, "\nplaced-6-2-2\t6,2,2\t40\t9\n"));
    ck_assert_ptr_null(strstr(text, "ours"));
    free(text);
}
END_TEST

/* The checkout itself may lie under a blank: plan, compiler, the commit's stamp, clean. */
START_TEST(test_a_checkout_under_a_blank_works)
{
    ck_assert_msg(shell("mkdir '%s/a b' && tar c --exclude='./build*' --exclude=./runs --exclude=./data "
                        "--exclude=./.git --exclude=./experiments/records . | tar x -C '%s/a b'",
                        program_folder) == 0,
                  "%s", program_output);
    ck_assert_msg(
        shell("cd '%s/a b' && make -n table1 BUILD=nothing-built DATA=../data RUNS=runs BUDGET=smoke",
              program_folder) == 0,
        "%s", program_output);
    ck_assert_int_eq(count("nothing-built/train "), 7);
    ck_assert_int_eq(count("runs/custom-"), 7 + 7);
    ck_assert_msg(shell("cd '%s/a b' && make build/experiments/runs/provenance.o && grep . build/commit",
                        program_folder) == 0,
                  "%s", program_output);
    ck_assert_msg(shell("cd '%s/a b' && make clean && test ! -e build && test -e Makefile", program_folder) ==
                      0,
                  "%s", program_output);
}
END_TEST

static const struct {
    const char *command, *word;
} refused[] = {
    {"make table1 DATA=%s/data RUNS='%s/my runs'", "2 words"},
    {"make superclean DATA=%s/data RUNS='%s/my runs'", "2 words"},
    {"make table1 RUNS=%s DATA='%s/my data'", "2 words"},
    {"make table1 DATA=%s/data RUNS='%s/a;b'", "signs of the shell"},
    {"make table1 DATA=%s/data RUNS=%s/runs SEEDS='1 1'", "a seed counts once"},
    {"make table1 DATA=%s/data RUNS=%s/runs SEEDS='1 x'", "whole number"},
    {"make -n table1 DATA=nowhere%.0s RUNS=%s/runs", "DATA is nowhere"},
    {"make superclean BUILD=nothing-built OTHER_BUILDS= RUNS=%s DATA=%s/data", "nothing was removed"},
    {"make clean BUILD=%s/data RUNS=%s", "nothing was removed"},
};

START_TEST(test_refused_before_anything_happens)
{
    char path[128];
    struct stat status;
    ck_assert_int_ne(shell(refused[_i].command, program_folder), 0);
    ck_assert_msg(count(refused[_i].word) >= 1, "%s", program_output);
    snprintf(path, sizeof path, "%s/data/test_batch.bin", program_folder);
    ck_assert_int_eq(stat(path, &status), 0);
    snprintf(path, sizeof path, "%s/runs", program_folder);
    ck_assert_int_ne(stat(path, &status), 0);
}
END_TEST

START_TEST(test_superclean_removes_runs_and_tables)
{
    struct stat status;
    char path[128];
    ck_assert_msg(shell("mkdir -p %s/runs/a && touch %s/runs/a/config.tsv", program_folder) == 0, "%s",
                  program_output);
    ck_assert_msg(shell("touch %s/runs/a/provenance.tsv %s/runs/table1-x-smoke-f32.tsv", program_folder) == 0,
                  "%s", program_output);
    ck_assert_msg(
        shell("touch %s/runs/mine && ! make superclean BUILD=nothing-built OTHER_BUILDS= RUNS=%s/runs",
              program_folder) == 0,
        "%s", program_output);
    ck_assert_msg(shell("rm %s/runs/mine && make superclean BUILD=nothing-built OTHER_BUILDS= RUNS=%s/runs",
                        program_folder) == 0,
                  "%s", program_output);
    snprintf(path, sizeof path, "%s/runs", program_folder);
    ck_assert_int_ne(stat(path, &status), 0);
}
END_TEST

Suite *make_suite(void)
{
    Suite *suite = suite_create("make");
    TCase *tcase = tcase_create("goals");
    tcase_add_checked_fixture(tcase, program_setup, program_teardown);
    tcase_add_checked_fixture(tcase, program_write_data, NULL);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, test_plan_of_a_table);
    tcase_add_test(tcase, test_plan_takes_the_fastest_kernels);
    tcase_add_test(tcase, test_nothing_is_trained_twice);
    tcase_add_test(tcase, test_controls_leave_none_out);
    tcase_add_test(tcase, test_border_layers_are_written_before_anything_is_trained);
    tcase_add_test(tcase, test_a_checkout_under_a_blank_works);
    tcase_add_loop_test(tcase, test_refused_before_anything_happens, 0, sizeof refused / sizeof *refused);
    tcase_add_test(tcase, test_superclean_removes_runs_and_tables);
    suite_add_tcase(suite, tcase);
    return suite;
}
