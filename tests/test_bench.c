/* Which lines build/bench measures: those whose name has every word that it is given. */
#include "program.h"
#include "suites.h"
#include <stdio.h>
#include <string.h>

/* Every word must be in a line's name; one that is in none leaves no line, whatever the others are in. */
static const struct {
    const char *words, *named;
} unknown[] = {{"nonsense", "nonsense"},
               {"peak_read nonsense", "peak_read nonsense"},
               {"nonsense peak_read", "nonsense peak_read"},
               {"peak_read winograd", "peak_read winograd"},
               {"upsample_forward 9x9", "upsample_forward 9x9"}};
enum { UNKNOWN = sizeof unknown / sizeof *unknown };

START_TEST(test_bench_refuses_words_of_no_line)
{
    ck_assert_int_eq(program_run("bench %s", unknown[_i].words), 1);
    program_expects_one_line("bench: ", unknown[_i].named);
}
END_TEST

/* A word may be part of any of a line's names, what, kernels and shape. */
START_TEST(test_bench_measures_what_is_named)
{
    static const char *const words[] = {"peak_read f32", "256 f32 peak", "upsample_forward f32 64,32x32"};
    static const char *const begins[] = {"peak_read\tf32", "peak_read\tf32",
                                         "upsample_forward\tf32\t192x64,32x32\t"};
    ck_assert_msg(program_run("bench %s", words[_i]) == 0, "%s", program_output);
    ck_assert_int_eq(strncmp(program_output, "what\tkernels\tshape\tthreads\tvalue\t", 33), 0);
    const char *line = strchr(program_output, '\n');
    ck_assert(line && line[1]);
    for (; line && line[1]; line = strchr(line + 1, '\n')) {
        double value = 0;
        ck_assert_msg(strncmp(line + 1, begins[_i], strlen(begins[_i])) == 0, "%s", program_output);
        ck_assert_msg(sscanf(line, "\n%*s\t%*s\t%*[^\t]\t%*d\t%lf\tGB/s\t", &value) == 1 && value > 0, "%s",
                      program_output);
    }
}
END_TEST

Suite *bench_suite(void)
{
    Suite *suite = suite_create("bench");
    TCase *tcase = tcase_create("words");
    tcase_add_checked_fixture(tcase, program_setup, program_teardown);
    tcase_set_timeout(tcase, 60);
    tcase_add_loop_test(tcase, test_bench_refuses_words_of_no_line, 0, UNKNOWN);
    tcase_add_loop_test(tcase, test_bench_measures_what_is_named, 0, 3);
    suite_add_tcase(suite, tcase);
    return suite;
}
