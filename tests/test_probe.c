/* What build/probe measures of a trained net: the theoretical and the measured field, the stages of a layer,
 * and the gradient that both are made of. */
#include "../experiments/programs/probe/trained.h"
#include "inputs.h"
#include "program.h"
#include "suites.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The share within a square of side 2k + 1, before and after training, of each layer: from the maps. */
static double inside[2][3][17];

/* Each side is the smallest odd one whose square holds its share of the maps, which have 4 digits of up to 49
 * numbers: 49 * 5e-5 of the share may be rounding. */
static void expect_sides(const char *field)
{
    static const double shares[] = {0.5, 0.95, 0.99};
    for (const char *line = strchr(field, '\n') + 1; *line; line = strchr(line, '\n') + 1) {
        char when[32];
        int layer, side[3], low[3], high[3];
        ck_assert_int_eq(sscanf(line, "%31s %d %*d %d %d %d %d %d %d %d %d %d", when, &layer, &side[0],
                                &low[0], &high[0], &side[1], &low[1], &high[1], &side[2], &low[2], &high[2]),
                         11);
        for (int i = 0; i < 3; i++) {
            const double *within = inside[strcmp(when, "after") == 0][layer - 1];
            const int k = side[i] / 2;
            ck_assert_int_eq(side[i] % 2, 1);
            ck_assert_msg(within[k] > shares[i] - 49 * 5e-5, "%s layer %d: side %d holds %g", when, layer,
                          side[i], within[k]);
            ck_assert_msg(k == 0 || within[k - 1] < shares[i] + 49 * 5e-5, "%s layer %d: side %d holds %g",
                          when, layer, side[i] - 2, within[k - 1]);
            ck_assert(low[i] <= side[i] && side[i] <= high[i]);
        }
    }
}

/* Three layers without pooling see 3, 5 and 7 pixels, trained or not, and shares add up to 1. */
START_TEST(test_probe_measures_fields_within_the_theoretical_one)
{
    ck_assert_msg(
        program_run("train --run=%s/run --data=%s/data --layers=3 --channels=4 --pooling=none --images-a=150 "
                    "--images-b=50 --images-test=50 --images-epoch=30 --batch=24 --epochs=1",
                    program_folder, program_folder) == 0,
        "%s", program_output);
    ck_assert_msg(program_run("probe field %s/run 20", program_folder) == 0, "%s", program_output);
    char *field = program_file("run/field.tsv"), *maps = program_file("run/field.tsv.maps");
    int lines = 0;
    for (char *line = strchr(field, '\n') + 1; *line; line = strchr(line, '\n') + 1, lines++) {
        int layer, theoretical, side50, side99, images;
        ck_assert_int_eq(sscanf(line, "%*s %d %d %d %*d %*d %*d %*d %*d %d %*d %*d %d", &layer, &theoretical,
                                &side50, &side99, &images),
                         5);
        ck_assert_int_eq(theoretical, 2 * layer + 1);
        ck_assert(0 < side50 && side50 <= side99 && side99 <= theoretical);
        ck_assert(0 < images && images <= 20); /* a unit may be switched off */
    }
    ck_assert_int_eq(lines, 6);
    double sum = 0;
    memset(inside, 0, sizeof inside);
    for (char *line = strchr(maps, '\n') + 1; *line; line = strchr(line, '\n') + 1) {
        int layer, y, x;
        double share;
        char when[32];
        ck_assert_int_eq(sscanf(line, "%31s %d %d %d %lf", when, &layer, &y, &x, &share), 5);
        ck_assert(share >= 0 && (share == 0 || (abs(y - 16) <= layer && abs(x - 16) <= layer)));
        for (int k = 0; k <= 16; k++)
            if (abs(y - 16) <= k && abs(x - 16) <= k)
                inside[strcmp(when, "after") == 0][layer - 1][k] += share;
        sum += share;
    }
    expect_sides(field);
    ck_assert_double_eq_tol(sum, 6, 6e-3); /* 4 digits of up to 49 shares, in six maps */
    free(field);
    free(maps);
}
END_TEST

/* The sum is that of the weighted levels, those are alpha times the upsampled ones, and alpha adds up to 1.
 */
START_TEST(test_probe_writes_stages_that_add_up)
{
    ck_assert_msg(
        program_run("train --run=%s/run --data=%s/data --layers=2 --channels=4 --levels=3 --images-a=150 "
                    "--images-b=50 --images-test=50 --images-epoch=30 --batch=24 --epochs=1",
                    program_folder, program_folder) == 0,
        "%s", program_output);
    ck_assert_msg(program_run("probe layer %s/run 1 3 2", program_folder) == 0, "%s", program_output);
    char *stages = program_file("run/stages.tsv"), stage[32];
    static double sum[32][32], up[3][32][32];
    double alpha[3], total = 0;
    memset(sum, 0, sizeof sum);
    for (char *line = strchr(stages, '\n') + 1; *line; line = strchr(line, '\n') + 1) {
        int r, y, x;
        double value;
        ck_assert_int_eq(sscanf(line, "%31s %d %d %d %lf", stage, &r, &y, &x, &value), 5);
        if (strcmp(stage, "alpha") == 0)
            total += alpha[r] = value;
        if (strcmp(stage, "upsampled") == 0)
            up[r][y][x] = value;
        if (strcmp(stage, "weighted") == 0) {
            ck_assert_double_eq_tol(value, alpha[r] * up[r][y][x], 1e-4 * (1 + abs((int)value)));
            sum[y][x] += value;
        }
        if (strcmp(stage, "sum") == 0)
            ck_assert_double_eq_tol(value, sum[y][x], 1e-3);
        if (strcmp(stage, "red") == 0)
            ck_assert(value > -0.5 && value < 255.5);
    }
    ck_assert_double_eq_tol(total, 1, 1e-5);
    free(stages);
}
END_TEST

/* A net of two layers and three levels with random parameters, its statistics those of one batch. */
enum { N = 3, LEVELS = 3 };
static Network *net;
static Probe probe;
static float *images;

static void make_probe(void)
{
    const NetworkSpec spec = {.layers = 2,
                              .channels = 4,
                              .classes = 10,
                              .image_channels = 3,
                              .height = 32,
                              .width = 32,
                              .levels = LEVELS,
                              .kept = {7, 7},
                              .down = POOL_AVERAGE,
                              .bias = true,
                              .affine = true,
                              .eps = 1e-5,
                              .momentum = 0.1};
    Error error;
    net = network_create(kernels_best("f32")->engine, &spec, N, &error);
    ck_assert_msg(net != NULL, "%s", error.text);
    network_initialise(net, 5);
    double *filters = random_doubles(net->filters_count, 6); /* gamma of both signs, biases that are not 0 */
    net->engine->vector_write(net->filters, 0, filters, net->filters_count);
    net->engine->vector_write(net->logits, 0, random_doubles(net->logits_count, 7), net->logits_count);
    images = random_floats((size_t)N * 3 * 32 * 32, 8);
    network_forward(net, images, random_labels(N, 10, 9), N, PASS_FILTERS);
    ck_assert_msg(probe_create(&probe, net, &error), "%s", error.text);
}

static void free_probe(void)
{
    probe_free(&probe);
    network_free(net);
    arrays_free();
}

/* What it says of networks that it does not follow; fabrics have no layers to look into. */
START_TEST(test_probe_refuses_what_it_does_not_follow)
{
    const NetworkSpec layers = {.layers = 3,
                                .channels = 4,
                                .classes = 10,
                                .image_channels = 3,
                                .height = 32,
                                .width = 32,
                                .levels = 2,
                                .kept = {3, 3, 3},
                                .eps = 1e-5,
                                .momentum = 0.1};
    NetworkSpec specs[] = {layers, layers, layers, layers};
    static const char *const words[] = {"is a fabric", "learned depth", "unshared filters", "--block=mbconv"};
    specs[0].net = NET_FABRIC_SPARSE;
    specs[0].levels = 0;
    specs[0].linear_head = true;
    specs[1].depth = 3;
    specs[2].unshared = true;
    specs[3].block = BLOCK_MBCONV;
    Error error;
    Probe refused;
    Network *other = network_create(kernels_best("f32")->engine, &specs[_i], N, &error);
    ck_assert_msg(other != NULL, "%s", error.text);
    ck_assert(!probe_create(&refused, other, &error));
    ck_assert_msg(strstr(error.text, words[_i]), "says: %s", error.text);
    network_free(other);
}
END_TEST

/* The gradient of the image where the gradient of a layer's output is random. */
static float *gradient_of(int layer)
{
    const Shape in = probe_input(&probe, 0, N), out = probe_output(&probe, layer, N);
    float *gradient = floats(shape_count(in));
    Word *dy = probe_tensor(out), *dx = probe_tensor(in);
    probe.kernels->import(dy, random_floats(shape_count(out), 10), out);
    probe_forward(&probe, images, N);
    probe_backward(&probe, dx, dy, layer, N);
    probe.kernels->export(gradient, dx, in);
    free(dx);
    free(dy);
    return gradient;
}

/* From y = sum over r of alpha[r] y_r: the gradient is the same sum of those of the levels alone. A power of
 * two passes every product and sum of floats unrounded, and each level adds once to a pixel, in their order:
 * the bits are those of this sum of three floats. */
START_TEST(test_probe_gradient_is_the_mix_of_the_levels)
{
    static const float alpha[LEVELS] = {0.25f, 0.125f, 0.5f};
    float *of_level[LEVELS];
    for (int r = 0; r < LEVELS; r++) {
        for (int other = 0; other < LEVELS; other++)
            probe.layer[0].alpha[other] = other == r;
        of_level[r] = gradient_of(0);
    }
    memcpy(probe.layer[0].alpha, alpha, sizeof alpha);
    const float *mixed = gradient_of(0);
    int differ = 0, seen[LEVELS] = {0};
    for (size_t i = 0; i < N * 3 * 32 * 32; i++) {
        const float sum = alpha[0] * of_level[0][i] + alpha[1] * of_level[1][i];
        differ += !(mixed[i] == sum + alpha[2] * of_level[2][i]);
        for (int r = 0; r < LEVELS; r++)
            seen[r] += of_level[r][i] != 0;
    }
    ck_assert_int_eq(differ, 0);
    for (int r = 0; r < LEVELS; r++)
        ck_assert_int_gt(seen[r], 0);
}
END_TEST

/* dy . y for the dy of gradient_of. */
static double weighed_output(const float *x, int layer)
{
    const Shape out = probe_output(&probe, layer, N);
    float *y = floats(shape_count(out)), *dy = random_floats(shape_count(out), 10);
    double sum = 0;
    probe_forward(&probe, x, N);
    probe.kernels->export(y, probe.map[layer + 1], out);
    for (size_t i = 0; i < shape_count(out); i++)
        sum += (double)dy[i] * y[i];
    return sum;
}

/* Along a random direction, through both layers, against the difference of two forward passes. With average
 * pooling only ReLU has kinks: of 2 x 4 x (32^2 + 16^2 + 8^2) x N units some change sides within the step,
 * and float rounds each output; both stay far below a hundredth of the slope, which the smallest fault of a
 * factor or of a level would exceed. */
START_TEST(test_probe_gradient_is_the_slope_of_the_forward_pass)
{
    const size_t count = N * 3 * 32 * 32;
    const double step = 1.0 / 16384;
    for (int layer = 0; layer < 2; layer++) {
        const float *gradient = gradient_of(layer);
        float *ahead = floats(count), *behind = floats(count);
        double slope = 0;
        for (size_t i = 0; i < count; i++) {
            const float along = gradient[i] > 0 ? 1 : -1;
            ahead[i] = images[i] + (float)step * along;
            behind[i] = images[i] - (float)step * along;
            slope += gradient[i] * along;
        }
        const double difference = (weighed_output(ahead, layer) - weighed_output(behind, layer)) / (2 * step);
        ck_assert_msg(fabs(difference - slope) < slope / 100, "layer %d: %g for %g", layer, slope,
                      difference);
    }
}
END_TEST

Suite *probe_suite(void)
{
    Suite *suite = suite_create("probe");
    TCase *tcase = tcase_create("program");
    tcase_add_checked_fixture(tcase, program_setup, program_teardown);
    tcase_add_checked_fixture(tcase, program_write_data, NULL);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, test_probe_measures_fields_within_the_theoretical_one);
    tcase_add_test(tcase, test_probe_writes_stages_that_add_up);
    suite_add_tcase(suite, tcase);
    tcase = tcase_create("gradient");
    tcase_add_checked_fixture(tcase, make_probe, free_probe);
    tcase_add_loop_test(tcase, test_probe_refuses_what_it_does_not_follow, 0, 4);
    tcase_add_test(tcase, test_probe_gradient_is_the_mix_of_the_levels);
    tcase_add_test(tcase, test_probe_gradient_is_the_slope_of_the_forward_pass);
    suite_add_tcase(suite, tcase);
    return suite;
}
