/* A long run says at its start which kernel set would be faster. */
#include "../experiments/training/faster.h"
#include "../fast/kernels.h"
#include "program.h"
#include "suites.h"
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>

/* A set that is at least a tenth quicker than the one in use, the quickest, by how much and how to have it.
 */
static const struct {
    SetTime used, others[2];
    int count;
    const char *isa, *words;
} cases[] = {
    {{"f32", "avx512", 1.5}, {{"bf16", "amx", 1}}, 1, NULL, "about 1.5 times as fast with --kernels=bf16"},
    {{"f32", "avx512", 1.09}, {{"bf16", "amx", 1}}, 1, NULL, NULL},
    {{"f32", "avx512", 1.3}, {{"bf16", "amx", 1.2}}, 1, NULL, NULL},
    {{"f32", "avx512", 1}, {{"bf16", "plain", 3}}, 1, NULL, NULL},
    {{"f32", "avx512", 1}, {{"", "", 0}}, 0, NULL, NULL},
    {{"ref", "double", 400},
     {{"f32", "avx512", 2}, {"bf16", "amx", 1}},
     2,
     "",
     "about 400 times as fast with --kernels=bf16"},
    {{"ref", "double", 40},
     {{"f32", "avx512", 1}, {"bf16", "plain", 2}},
     2,
     NULL,
     "about 40 times as fast with --kernels=f32"},
    {{"f32", "plain", 4},
     {{"f32", "avx512", 1}, {"bf16", "plain", 9}},
     2,
     "plain",
     "about 4.0 times as fast without NOPOOL_ISA"},
    {{"f32", "plain", 9},
     {{"f32", "avx512", 3}, {"bf16", "amx", 1}},
     2,
     "plain",
     "about 9.0 times as fast with --kernels=bf16 without NOPOOL_ISA"},
};
enum { CASES = sizeof cases / sizeof *cases };

START_TEST(test_faster_set_is_named_with_how_much)
{
    char words[64] = "";
    const bool faster = faster_words(words, cases[_i].used, cases[_i].others, cases[_i].count, cases[_i].isa);
    ck_assert_msg(faster == (cases[_i].words != NULL), "%s", words);
    if (faster)
        ck_assert_str_eq(words, cases[_i].words);
}
END_TEST

/* Times of a build with counters, or of an emulator, say nothing of the sets: then nothing but that they are
 * taken is judged. */
static bool untimed(void)
{
    return getenv("NOPOOL_UNTIMED") != NULL;
}

/* ref is never the fastest, for layers of every kind and for a fabric. */
START_TEST(test_every_network_can_be_timed)
{
    NetworkSpec s = {.layers = 3,
                     .channels = 8,
                     .classes = 10,
                     .image_channels = 3,
                     .height = 16,
                     .width = 16,
                     .levels = 3,
                     .kept = {7, 2, 4},
                     .bias = true,
                     .eps = 1e-5,
                     .momentum = 0.1};
    if (_i == 1)
        s.block = BLOCK_MBCONV;
    if (_i == 2)
        s.affine = s.unshared = true;
    if (_i == 3)
        s = (NetworkSpec){.layers = 3,
                          .channels = 8,
                          .classes = 10,
                          .image_channels = 3,
                          .height = 16,
                          .width = 16,
                          .linear_head = true,
                          .eps = 1e-5,
                          .momentum = 0.1,
                          .net = NET_FABRIC_DENSE};
    char words[64];
    const bool faster = faster_set(words, &s, &ref_engine);
    if (untimed())
        return;
    ck_assert(faster);
    ck_assert_msg(strstr(words, "times as fast with --kernels=") != NULL, "%s", words);
}
END_TEST

/* What the run has printed once it goes on after its estimate; the caller's to free. */
static char *printed_after_estimate(void)
{
    const struct timespec while_it_runs = {0, 5000000};
    for (int i = 0; i < 24000; i++) {
        char *printed = program_file("output");
        const char *estimate = printed ? strstr(printed, ": about ") : NULL;
        if (estimate && strstr(estimate, "/5000"))
            return printed;
        free(printed);
        nanosleep(&while_it_runs, NULL);
    }
    return NULL;
}

/* A long run in ref says so once, after its estimate; the same run continued does not. */
START_TEST(test_a_long_run_says_which_set_is_faster)
{
    for (int part = 0; part < 2; part++) {
        char output[128];
        int status;
        snprintf(output, sizeof output, "%s/output", program_folder);
        remove(output); /* of the part before */
        const pid_t child = program_start(
            "train --run=%s/long --data=%s/data --kernels=ref --layers=3 --channels=8 --levels=3 "
            "--images-a=60 --images-b=50 --images-test=50 --images-epoch=50 --batch=2 "
            "--epochs=5000 --threads=1",
            program_folder, program_folder);
        char *printed = printed_after_estimate();
        kill(child, SIGTERM);
        ck_assert_int_eq(waitpid(child, &status, 0), child);
        ck_assert_ptr_nonnull(printed);
        const char *estimate = strstr(printed, ": about "), *said = strstr(printed, "times as fast with");
        ck_assert_msg(part == 0 ? said || untimed() : !said, "%s", printed);
        if (said)
            ck_assert_msg(said > estimate && !strstr(said + 1, "times as fast"), "%s", printed);
        free(printed);
    }
}
END_TEST

START_TEST(test_a_short_run_says_nothing)
{
    ck_assert_int_eq(program_train("--kernels=ref"), 0);
    ck_assert_ptr_nonnull(strstr(program_output, ": about "));
    ck_assert_ptr_null(strstr(program_output, "times as fast"));
}
END_TEST

Suite *faster_suite(void)
{
    Suite *suite = suite_create("faster");
    TCase *words = tcase_create("words"), *runs = tcase_create("runs");
    tcase_set_timeout(words, 60);
    tcase_add_loop_test(words, test_faster_set_is_named_with_how_much, 0, CASES);
    tcase_add_loop_test(words, test_every_network_can_be_timed, 0, 4);
    tcase_add_checked_fixture(runs, program_setup, program_teardown);
    tcase_add_checked_fixture(runs, program_write_data, NULL);
    tcase_set_timeout(runs, 300);
    tcase_add_test(runs, test_a_long_run_says_which_set_is_faster);
    tcase_add_test(runs, test_a_short_run_says_nothing);
    suite_add_tcase(suite, words);
    suite_add_tcase(suite, runs);
    return suite;
}
