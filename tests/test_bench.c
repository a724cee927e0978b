#define _DEFAULT_SOURCE /* usleep */
/* Which lines build/bench measures: those whose name has every word that it is given. */
#include "../experiments/programs/bench/measure.h"
#include "../experiments/programs/bench/roofline.h"
#include "program.h"
#include "suites.h"
#include <stdio.h>
#include <string.h>
#include <unistd.h>

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
    static const char *const words[] = {"peak_read f32", "256 f32 peak_re", "upsample_forward f32 64,32x32",
                                        "batchnorm_statistics f32"};
    static const char *const begins[] = {"peak_read\tf32", "peak_read\tf32",
                                         "upsample_forward\tf32\t192x64,32x32\t",
                                         "batchnorm_statistics\tf32\t192x64,32x32\t"};
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

/* What is counted and not timed: 9 maps a layer without pooling, 4 forward, 5 backward; 4 at inference;
 * half the bytes in bf16. */
START_TEST(test_bench_counts_what_a_step_moves)
{
    static const struct {
        const char *words, *line;
    } counted[] = {
        {"weight_step_maps f32 no-pooling,10x64,batch 48",
         "weight_step_maps\tf32\tno-pooling,10x64,batch 48\t1\t9\tmaps a layer\t-\t-\n"},
        {"alpha_step_maps f32 R=5,10x64,batch 48", "alpha_step_maps\tf32\tR=5,10x64,batch 48\t1\t"},
        {"evaluation_maps bf16 no-pooling,10x64,batch 48",
         "evaluation_maps\tbf16\tno-pooling,10x64,batch 48\t1\t4\tmaps a layer\t-\t-\n"}};
    ck_assert_msg(program_run("bench %s", counted[_i].words) == 0, "%s", program_output);
    ck_assert_msg(strstr(program_output, counted[_i].line) != NULL, "%s", program_output);
    ck_assert_ptr_null(strstr(program_output, "images/s"));
}
END_TEST

/* The value and the fraction of the first line of this name. */
static void find_line(const char *name, double *value, double *fraction)
{
    const char *line = strstr(program_output, name);
    ck_assert_msg(line && sscanf(line, "%*s\t%*s\t%*[^\t]\t%*d\t%lf\t%*s\t%lf", value, fraction) == 2,
                  "no line %s in\n%s", name, program_output);
}

/* The roofline is the larger of its two times, and each time has its share of the measured one. */
START_TEST(test_bench_puts_the_roofline_beside_the_time)
{
    static const char *const names[] = {"\nevaluation_by_bytes\t", "\nevaluation_by_arithmetic\t",
                                        "\nevaluation_roofline\t", "\nevaluation_measured\t"};
    double value[4], fraction[4];
    ck_assert_double_eq(roofline_seconds(2, 3), 3);
    ck_assert_double_eq(roofline_seconds(3, 2), 3);
    ck_assert_msg(program_run("bench evaluation_ f32 one-res,10x16") == 0, "%s", program_output);
    for (int i = 0; i < 4; i++)
        find_line(names[i], &value[i], &fraction[i]);
    ck_assert_double_eq(value[2], value[0] > value[1] ? value[0] : value[1]);
    ck_assert_double_eq(fraction[3], 1);
    for (int i = 0; i < 3; i++) {
        ck_assert_double_gt(value[i], 0);
        ck_assert_double_eq_tol(value[i] / value[3], fraction[i], 2e-3 * fraction[i] + 1e-3);
    }
}
END_TEST

/* Who is asked to work, in which order, and how long it sleeps. */
typedef struct {
    char name;
    int milliseconds;
} Sleeper;
static char turns[400];
static int turn;

static void sleep_in_turn(void *context)
{
    const Sleeper *sleeper = context;
    if (turn < (int)sizeof turns)
        turns[turn++] = sleeper->name;
    usleep((useconds_t)(1000 * sleeper->milliseconds));
}

START_TEST(test_bench_compares_in_turns)
{
    Sleeper slow = {'a', 20}, fast = {'b', 1};
    ck_assert_double_gt(measure_ratio(sleep_in_turn, &slow, &fast), 1);
    ck_assert_int_ge(turn, 16);
    for (int i = 0; i < turn; i++)
        ck_assert_int_eq(turns[i], i % 2 == 0 ? 'a' : 'b');
}
END_TEST

/* Five resolutions over one, of the nets that are named: a third more work, on any machine. */
START_TEST(test_bench_tells_what_five_resolutions_cost)
{
    double value = 0;
    ck_assert_msg(program_run("bench weight_step_ratio f32 10x16,batch 48") == 0, "%s", program_output);
    const char *line = strchr(program_output, '\n');
    ck_assert_msg(line && sscanf(line,
                                 "\nweight_step_ratio\tf32\tR=5 over no-pooling,10x16,batch 48\t1\t%lf\t"
                                 "times\t-\t-\n",
                                 &value) == 1,
                  "%s", program_output);
    ck_assert_double_gt(value, 1);
}
END_TEST

/* What ranks exchange, by hand. Of each of 12 groups: two sums in double for each channel, level and layer,
 * forward and backward, of 9 layers of 64 channels and one of 10, and 16 x 10 class logits in float. The
 * filters' step gathers filters and biases of each layer and level too; and of two levels of all layers but
 * the first, whose partials are of several groups, both operands instead of the filters. */
START_TEST(test_bench_counts_what_ranks_exchange)
{
    static const char *const words[] = {"alpha_step_gathered f32 12", "weight_step_gathers f32 12"};
    const double values[] = {12 * (2 * 2 * 8 * 5 * (9 * 64 + 10) + 16 * 10 * 4) / 1e6,
                             10 * 5 * 4 + 9 * 2 + 1};
    double value = 0;
    ck_assert_msg(program_run("bench %s", words[_i]) == 0, "%s", program_output);
    const char *line = strchr(program_output, '\n');
    ck_assert_msg(line && sscanf(line, "\n%*s\tf32\tR=5,10x64,batch 192,ranks 12\t%*d\t%lf\t", &value) == 1,
                  "%s", program_output);
    ck_assert_double_eq_tol(value, values[_i], 5e-4 * values[_i]);
}
END_TEST

Suite *bench_suite(void)
{
    Suite *suite = suite_create("bench");
    TCase *tcase = tcase_create("words");
    tcase_add_checked_fixture(tcase, program_setup, program_teardown);
    tcase_set_timeout(tcase, 60);
    tcase_add_loop_test(tcase, test_bench_refuses_words_of_no_line, 0, UNKNOWN);
    tcase_add_loop_test(tcase, test_bench_measures_what_is_named, 0, 4);
    tcase_add_loop_test(tcase, test_bench_counts_what_a_step_moves, 0, 3);
    tcase_add_test(tcase, test_bench_compares_in_turns);
    tcase_add_test(tcase, test_bench_tells_what_five_resolutions_cost);
    tcase_add_test(tcase, test_bench_puts_the_roofline_beside_the_time);
    tcase_add_loop_test(tcase, test_bench_counts_what_ranks_exchange, 0, 2);
    suite_add_tcase(suite, tcase);
    return suite;
}
