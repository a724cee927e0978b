/* Figures from hand-written run folders: what the numbers beside each picture say, and that nothing is drawn
 * of nothing. */
#include "program.h"
#include "suites.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A run of two layers and two levels, the second layer's finest level removed. */
static void write_run(const char *name, const char *alpha, int epochs, double accuracy)
{
    ck_assert_int_eq(program_shell("mkdir -p %s/%s", program_folder, name), 0);
    program_put("result.tsv", name,
                "accuracy\t%g\nepochs\t%d\ntotal_epochs\t%d\niterations\t%d\nmacs\t1000000\n"
                "macs_layer_1_level_0\t1\nmacs_layer_1_level_1\t1\nmacs_layer_2_level_1\t1\n",
                accuracy, epochs, epochs, 10 * epochs);
    program_put("alpha.tsv", name, "%s", alpha);
    program_put("config.tsv", name, "logits-lr\t0.01\n");
    program_put("log.tsv", name,
                "epoch\tlr\tlogits_lr\tloss_a\taccuracy_a\tloss_b\taccuracy_b\ttest_images\ttest_loss\ttest_"
                "accuracy\n"
                "1\t0.1\t0\t2.5\t10\t0\t0\t10\t2\t30\n2\t0.1\t0\t1.5\t10\t0\t0\t10\t2\t40\n");
}

static char *numbers(const char *figure)
{
    ck_assert_msg(program_shell("GROUP=best bash plots/%s.sh %s > %s/out.tsv", figure, program_folder,
                                program_folder) == 0,
                  "%s", program_output);
    char *text = program_file("out.tsv");
    ck_assert_ptr_nonnull(text);
    return text;
}

#define ALPHA(a, b) \
    "epoch\tlayer\talpha0\talpha1\n1\t1\t0.5\t0.5\n1\t2\t0\t1\n\n2\t1\t" #a "\t" #b "\n2\t2\t0\t1\n\n"

static void expect_line(const char *text, const char *line)
{
    ck_assert_msg(strstr(text, line) != NULL, "no line\n%sin\n%s", line, text);
}

START_TEST(test_fig3_shows_the_last_epochs_mean_spread_and_what_is_removed)
{
    write_run("d-quick-f32-2x4-ours-seed1", ALPHA(0.75, 0.25), 2, 50);
    write_run("d-quick-f32-2x4-ours-seed2", ALPHA(0.25, 0.75), 2, 60);
    write_run("d-smoke-f32-2x4-ours-seed1", ALPHA(1, 0), 1, 90); /* another group, of fewer epochs */
    char *text = numbers("fig3");
    /* mean 1/2; sd of 3/4 and 1/4 with n - 1 is sqrt(2 (1/4)^2) = 0.353553 */
    expect_line(text, "0\tours\t1\t0\t0.500000\t0.353553\t2\t1\n");
    expect_line(text, "0\tours\t2\t0\t0.000000\t0.000000\t2\t0\n");
    expect_line(text, "0\tours\t2\t1\t1.000000\t0.000000\t2\t1\n");
    expect_line(text, "0\tours\t1\texpected\t0.500000");
    expect_line(text, "0\tours\t1\tentropy\t1.000000");
    free(text);
}
END_TEST

/* Every row that the figure looks for is one that make trains, by its name there. */
START_TEST(test_fig3_looks_for_rows_that_are_trained)
{
    ck_assert_msg(
        program_shell(
            "for row in $(sed -n 's/^rows=\"\\(.*\\)\"/\\1/p' plots/fig3.sh); do "
            "grep -q \"^VARIANT_$row  *:=\" experiments/tables/tables.mk && echo $row || exit 1; done") == 0,
        "%s", program_output);
    expect_line(program_output, "ours-random\n");
    write_run("d-quick-f32-2x4-ours-seed1", ALPHA(0.75, 0.25), 2, 50);
    write_run("d-quick-f32-2x4-ours-random-seed1", ALPHA(0.25, 0.75), 2, 50);
    free(numbers("fig3"));
    ck_assert_msg(program_shell("gnuplot -e \"data='%s/out.tsv'; out='%s/fig3'\" plots/fig3.gp",
                                program_folder, program_folder) == 0,
                  "%s", program_output);
    char *svg = program_file("fig3.svg");
    expect_line(svg, "(b) learned<");
    expect_line(svg, "random, frozen<");
    free(svg);
}
END_TEST

/* Layer 1 takes steps of 3/4 + 2/4 = 1.25 pixels: 1 + 2.5 + 0.25; layer 2 of 2: + 4 + 0.75. */
START_TEST(test_placement_adds_filters_and_pooling_to_the_field)
{
    write_run("d-quick-f32-2x4-ours-seed1", ALPHA(0.75, 0.25), 2, 50);
    char *text = numbers("placement");
    expect_line(text, "ours\t1\t50\t8.50\t1000000\t-\n");
    free(text);
}
END_TEST

START_TEST(test_curves_put_fine_tuning_behind_its_source)
{
    write_run("d-quick-f32-2x4-ours-seed1", ALPHA(0.75, 0.25), 2, 50);
    write_run("d-quick-f32-2x4-ours-thr-0.1-seed1", ALPHA(0.75, 0.25), 2, 50);
    program_put("result.tsv", "d-quick-f32-2x4-ours-thr-0.1-seed1",
                "accuracy\t50\nepochs\t2\ntotal_epochs\t7\n");
    char *text = numbers("curves");
    expect_line(text, "ours\t1\t1\t2.5\t30\n");
    expect_line(text, "ours-thr-0.1\t1\t6\t2.5\t30\n");
    expect_line(text, "ours-thr-0.1\t1\t7\t1.5\t40\n");
    free(text);
}
END_TEST

/* At rate 0.01 and 10 steps an epoch a logit moves by 0.1 in one: of two levels, from 1/2 to e^0.1 / (e^0.1 +
 * 1). */
START_TEST(test_alpha_shows_what_adams_rate_could_reach)
{
    write_run("d-quick-f32-2x4-ours-seed1", ALPHA(0.75, 0.25), 2, 50);
    char *text = numbers("alpha");
    expect_line(text, "1\t0\t1\t1\t0.5\t0.475021\t0.524979\n");
    expect_line(text, "1\t0\t0\t2\t0.750000\t0.450166\t0.549834\n");
    free(text);
}
END_TEST

START_TEST(test_forest_shows_what_the_audit_judged)
{
    program_put("claims.tsv", ".",
                "id\tkind\tstatement\tpaper_value\tmargin\tdecider\n"
                "one\tdifference\tone is better\t2.5\t0.5\tdiff:a,b\ncell\tvalue\ta cell\t92.5\t0.5\tcell:a\n"
                "deep\tequivalence\tas deep\t0\t1\tdeeper:a,b\nfast\tdirection\tfaster\t-\t10\tseconds:a,b\n"
                "seed\tdirection\tof one seed\t-\t-\tdiff:a,b\n"
                "lent\tdirection\tof one seed, with a spread\t-\t-\tdiff:a,c\n");
    program_put(
        "audit.tsv", ".",
        "id\tverdict\tgrade\tstate\testimate\tci95\tn\n"
        "one\tcontradicted\tB\tdecided\t-2.55\t-3.57..-1.53\t3\ncell\tlower\tB\tdecided\t82\t81..83\t3\n"
        "none\tabsent\tB\tdecided\t0.1\t-1..1\t3\ndeep\tundecided\tB\tdecided\t-3\t-\t3\n"
        "fast\tundecided\tB\tdecided\t70\t-\t3\nseed\tundecided\tD\tdecided\t-10.5\t-\t1\n"
        "lent\tundecided\tD\tdecided\t1\t0.5..1.5\t1\n");
    ck_assert_int_eq(
        program_shell("CLAIMS=%s/claims.tsv AUDIT=%s/audit.tsv bash plots/forest.sh > %s/out.tsv",
                      program_folder, program_folder, program_folder),
        0);
    char *text = program_file("out.tsv");
    ck_assert_str_eq(strchr(text, '\n') + 1,
                     "one\tone is better\t-2.55\t-3.57\t-1.53\t2.5\t0.5\tcontradicted\tB\t3\n"
                     "seed\tof one seed\t-10.5\t-\t-\t-\t0.5\tundecided\tD\t1\n"
                     "lent\tof one seed, with a spread\t1\t0.5\t1.5\t-\t0.5\tundecided\tD\t1\n");
    free(text);
    ck_assert_msg(program_shell("gnuplot -e \"data='%s/out.tsv'; out='%s/forest'\" plots/forest.gp",
                                program_folder, program_folder) == 0,
                  "%s", program_output);
    /* A ring for each single seed, with a spread of its own row or not; a dot for the other. */
    char *svg = program_file("forest.svg");
    int rings = 0, dots = 0;
    for (const char *at = svg; (at = strstr(at, "#gpPt5' transform")) != NULL; at++)
        rings++;
    for (const char *at = svg; (at = strstr(at, "#gpPt6' transform")) != NULL; at++)
        dots++;
    ck_assert_int_eq(rings, 2);
    ck_assert_int_eq(dots, 1);
    free(svg);
}
END_TEST

/* Two points that lie on each other, and one at the right border: names stand apart, and inside. */
START_TEST(test_names_of_points_cover_nothing)
{
    ck_assert_int_eq(
        program_shell("printf 'first\\t10\\t50\\nother\\t10\\t50\\nborder\\t99\\t50\\n' |"
                      " awk -v wide=600 -v high=400 -v letter=6 -v line=14 -v left=1 -v right=100"
                      " -v low=0 -v high_value=100 -f plots/labels.awk > %s/names.tsv",
                      program_folder),
        0);
    char *text = program_file("names.tsv");
    double x[3], y[3];
    ck_assert_int_eq(
        sscanf(text, "first %lf %lf other %lf %lf border %lf %lf", x, y, x + 1, y + 1, x + 2, y + 2), 6);
    ck_assert_double_eq_tol(x[0], 10, 0.01);
    ck_assert_double_eq_tol(y[0], 50 + 14 / 4.0, 0.01);
    ck_assert_double_eq_tol(x[1], 10, 0.01);
    ck_assert_double_eq_tol(y[1], 50 - 14 / 4.0, 0.01);
    ck_assert_double_lt(300 * log10(x[2]) + 18, 600);
    free(text);
}
END_TEST

START_TEST(test_figures_are_whole_or_not_there)
{
    write_run("runs/d-quick-f32-2x4-ours-seed1", ALPHA(0.75, 0.25), 2, 50);
    const char *draw = "PICTURE=%s/picture bash plots/draw.sh %s %s/figures quick %s/runs %s/none";
    ck_assert_msg(
        program_shell(draw, program_build(), "fig3", program_folder, program_folder, program_folder) == 0,
        "%s", program_output);
    char *svg = program_file("figures/fig3.svg"), *png = program_file("figures/fig3.png"),
         *tsv = program_file("figures/fig3.tsv");
    ck_assert(svg && png && tsv);
    expect_line(svg, "<desc>make fig3 BUDGET=quick");
    ck_assert_mem_eq(png + 1, "PNG", 3);
    free(svg);
    free(png);
    free(tsv);
    ck_assert_int_ne(
        program_shell(draw, program_build(), "fig2", program_folder, program_folder, program_folder), 0);
    ck_assert_ptr_nonnull(strstr(program_output, "needs finished runs"));
    ck_assert_ptr_null(program_file("figures/fig2.svg"));
}
END_TEST

/* The book's power curve: every line of the simulation is there, without any run. */
START_TEST(test_power_is_drawn_of_the_simulation)
{
    ck_assert_msg(
        program_shell("PICTURE=%s/picture bash plots/draw.sh power %s/figures quick %s/none %s/none",
                      program_build(), program_folder, program_folder, program_folder) == 0,
        "%s", program_output);
    ck_assert_ptr_nonnull(strstr(program_output, "from paper/power.tsv"));
    ck_assert_msg(program_shell("cmp paper/power.tsv %s/figures/power.tsv", program_folder) == 0, "%s",
                  program_output);
    char *svg = program_file("figures/power.svg");
    expect_line(svg, "sd 0.15<");
    expect_line(svg, "sd 0.40<");
    expect_line(svg, "10 seeds<");
    free(svg);
}
END_TEST

/* 100 ms of bytes and 50 of arithmetic in 200: half the ridge, a quarter of the peak. Smaller batches,
 * narrower nets, fewer threads and steps without a measured time are left out. */
START_TEST(test_roofline_is_drawn_from_the_lines_of_the_bench)
{
    program_put("bench.tsv", ".",
                "what\tkernels\tshape\tthreads\tvalue\tunit\tfraction_of_peak\tratio_to_onednn\n"
                "weight_step_by_bytes\tf32\tR=5,10x64,batch 192\t1\t110\tms\t-\t-\n"
                "weight_step_by_bytes\tf32\tR=5,10x64,batch 192\t2\t100\tms\t-\t-\n"
                "weight_step_by_arithmetic\tf32\tR=5,10x64,batch 192\t2\t50\tms\t-\t-\n"
                "weight_step_measured\tf32\tR=5,10x64,batch 192\t2\t200\tms\t-\t-\n"
                "evaluation_by_bytes\tf32\tR=5,10x64,batch 192\t2\t100\tms\t-\t-\n"
                "weight_step_by_bytes\tf32\tR=5,10x16,batch 192\t2\t10\tms\t-\t-\n"
                "weight_step_by_arithmetic\tf32\tR=5,10x16,batch 192\t2\t5\tms\t-\t-\n"
                "weight_step_measured\tf32\tR=5,10x16,batch 192\t2\t20\tms\t-\t-\n"
                "weight_step_by_bytes\tf32\tR=5,10x64,batch 48\t2\t10\tms\t-\t-\n"
                "weight_step_by_arithmetic\tf32\tR=5,10x64,batch 48\t2\t5\tms\t-\t-\n"
                "weight_step_measured\tf32\tR=5,10x64,batch 48\t2\t20\tms\t-\t-\n");
    ck_assert_msg(
        program_shell("PICTURE=%s/picture bash plots/draw.sh roofline %s/figures quick %s/bench.tsv ''",
                      program_build(), program_folder, program_folder) == 0,
        "%s", program_output);
    char *tsv = program_file("figures/roofline.tsv"), *svg = program_file("figures/roofline.svg"),
         *png = program_file("figures/roofline.png");
    ck_assert(tsv && svg && png);
    ck_assert_str_eq(strchr(tsv, '\n') + 1, "weight_step\tf32\tR=5 10x64\t2\t0.5000\t0.2500\t100\t50\t200\n");
    expect_line(svg, "<desc>make bench-plot");
    free(tsv);
    free(svg);
    free(png);
    program_put("bench.tsv", ".", "weight_step\tf32\tR=5,10x64,batch 192\t2\t200\timages/s\t-\t-\n");
    ck_assert_int_ne(program_shell("bash plots/draw.sh roofline %s/none quick %s/bench.tsv ''",
                                   program_folder, program_folder),
                     0);
    ck_assert_ptr_nonnull(strstr(program_output, "needs times of steps"));
    ck_assert_ptr_null(program_file("none/roofline.svg"));
}
END_TEST

/* Pixels scaled by a whole number; a line that is none ends it, and no file is left. */
START_TEST(test_picture_draws_pixels_and_refuses_others)
{
    program_put("good.tsv", ".", "0\t0\t255\t0\t0\n2\t1\t0\t0\t255\n");
    ck_assert_int_eq(program_run("picture pixels %s/good.tsv %s/good.png 3", program_folder, program_folder),
                     0);
    ck_assert_int_eq(
        program_shell("od -An -tu1 -j16 -N8 %s/good.png | tr -s ' ' | grep -q '^ 0 0 0 9 0 0 0 6'",
                      program_folder),
        0);
    program_put("bad.tsv", ".", "0\t0\t256\t0\t0\n");
    ck_assert_int_ne(program_run("picture pixels %s/bad.tsv %s/bad.png 3", program_folder, program_folder),
                     0);
    program_expects_one_line("picture", "no pixel");
    ck_assert_ptr_null(program_file("bad.png"));
}
END_TEST

Suite *figures_suite(void)
{
    Suite *suite = suite_create("figures");
    TCase *tcase = tcase_create("numbers");
    tcase_add_checked_fixture(tcase, program_setup, program_teardown);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, test_fig3_shows_the_last_epochs_mean_spread_and_what_is_removed);
    tcase_add_test(tcase, test_fig3_looks_for_rows_that_are_trained);
    tcase_add_test(tcase, test_placement_adds_filters_and_pooling_to_the_field);
    tcase_add_test(tcase, test_curves_put_fine_tuning_behind_its_source);
    tcase_add_test(tcase, test_alpha_shows_what_adams_rate_could_reach);
    tcase_add_test(tcase, test_forest_shows_what_the_audit_judged);
    tcase_add_test(tcase, test_names_of_points_cover_nothing);
    tcase_add_test(tcase, test_figures_are_whole_or_not_there);
    tcase_add_test(tcase, test_power_is_drawn_of_the_simulation);
    tcase_add_test(tcase, test_roofline_is_drawn_from_the_lines_of_the_bench);
    tcase_add_test(tcase, test_picture_draws_pixels_and_refuses_others);
    suite_add_tcase(suite, tcase);
    return suite;
}
