/* The sums over the batch and over 2x2 squares that a layer's backward pass takes of dx on its way, for the
 * layer before: against sums of the exported maps, in networks whose passes go band by band and do not, and
 * at any number of threads. */
#define SET_NAME f32
#define ISA      plain
#include "../experiments/network/network.h"
#include "../fast/engine/layer.h"
#include "../ref/upsample.h"
#include "compare.h"
#include "inputs.h"
#include "lanes.h"
#include "layer_check.h"
#include "suites.h"
#include <math.h>
#include <omp.h>
#include <string.h>

enum { IMAGES = 37, LAYERS = 3 };

/* Channels: few and many, odd, of one tile of products and of three. Side: maps of one part a group and of
 * two, with and without whole tiles of Winograd's. The kept levels of each layer: of the same one, so that dx
 * is stored coarsely, and of coarser ones after it, whose gradient is added. */
static const struct {
    int channels, side;
    unsigned kept[LAYERS];
} nets[] = {{16, 32, {1, 1, 1}}, {7, 8, {1, 1, 1}},   {35, 8, {1, 1, 1}},  {24, 8, {1, 1, 1}},
            {24, 32, {2, 2, 2}}, {16, 16, {1, 3, 7}}, {6, 16, {1, 7, 3}},  {7, 18, {1, 3, 1}},
            {66, 4, {1, 1, 1}},  {25, 16, {1, 1, 3}}, {16, 16, {2, 6, 6}}, {5, 36, {1, 1, 1}},
            {66, 4, {3, 7, 1}},  {24, 36, {3, 3, 3}}, {9, 16, {5, 1, 1}},  {16, 16, {6, 1, 2}},
            {7, 18, {3, 3, 1}}};
enum { NETS = sizeof nets / sizeof *nets };

static Network *start(const Engine *engine, int i)
{
    Error error;
    NetworkSpec s = {.layers = LAYERS,
                     .channels = nets[i].channels,
                     .classes = 4,
                     .image_channels = 3,
                     .height = nets[i].side,
                     .width = nets[i].side,
                     .levels = nets[i].side % 4 ? 2 : 3,
                     .bias = true,
                     .eps = 1e-5,
                     .momentum = 0.1};
    memcpy(s.kept, nets[i].kept, sizeof nets[i].kept);
    Network *net = network_create(engine, &s, IMAGES, &error);
    ck_assert_msg(net != NULL, "%s", net ? "" : error.text);
    network_initialise(net, 5);
    const float *images = random_floats((size_t)IMAGES * 3 * s.height * s.width, 1);
    network_forward(net, images, random_labels(IMAGES, s.classes, 2), IMAGES, PASS_FILTERS);
    engine->head_backward(net->head, net->dlast, WANT_FILTERS);
    return net;
}

static int finest(unsigned kept)
{
    return __builtin_ctz(kept);
}

/* Whether a convolution is the last to write layer l's dx, and whether the layer before has coarser levels
 * than dx. */
static bool sums_taken(const Network *net, int l)
{
    return finest(net->spec.kept[l]) == finest(net->spec.kept[l - 1]);
}

static bool squares_taken(const Network *net, int l)
{
    return sums_taken(net, l) && net->spec.kept[l - 1] >> finest(net->spec.kept[l - 1]) > 1;
}

/* The sums of layer l's dx. */
static double *pass(const Network *net, int l)
{
    Tensor *dx = network_gradient(net, l), *dy = l == LAYERS - 1 ? net->dlast : network_gradient(net, l + 1);
    const size_t count = 2 * (size_t)net->spec.channels;
    double *sums = doubles(count);
    net->engine->layer_backward(net->layer[l], dx, dy, WANT_FILTERS | WANT_LOGITS);
    ck_assert(dx->summed == sums_taken(net, l));
    ck_assert((dx->squares != NULL) == squares_taken(net, l));
    memcpy(sums, dx->sums, count * sizeof *sums);
    return sums;
}

static Shape squares_shape(const Network *net, int l)
{
    const Tensor *dx = network_gradient(net, l);
    return shape_coarser(shape_stored(dx), 2);
}

static double *squares(const Network *net, int l)
{
    const Tensor map = {
        .shape = squares_shape(net, l), .capacity = IMAGES, .data = network_gradient(net, l)->squares};
    double *values = doubles(shape_count(map.shape));
    net->engine->tensor_export(values, &map);
    return values;
}

/* Of four stored numbers, three roundings. */
static void check_squares(const Network *net, int l)
{
    const Tensor *dx = network_gradient(net, l), map = {.shape = shape_stored(dx), .data = dx->data};
    const Shape s = squares_shape(net, l);
    double *gradient = doubles(shape_count(map.shape)), *expected = zeros(shape_count(s)),
           *gauge = zeros(shape_count(s));
    net->engine->tensor_export(gradient, &map);
    ref_upsample_backward(expected, gradient, UPSAMPLE_NEAREST, 2, s);
    ref_upsample_backward(gauge, absolute(gradient, shape_count(map.shape)), UPSAMPLE_NEAREST, 2, s);
    CK_WITHIN(compare_rounded(squares(net, l), expected, gauge, shape_count(s)), stored(3, 1),
              "squares of dx");
}

/* In units of 2^-53: the kernel's sums of M numbers, a product rounded and added each, have M 2^-52 of the
 * sum of absolute values, 2 M units; those of the plain loops here M + 1, and the product is rounded too.
 * bf16 adds its runs in float first. */
static void check_sums(const Network *net, int l, const double *sums)
{
    const Tensor *dx = network_gradient(net, l);
    const Shape s = dx->shape;
    const int coarser = 1 << dx->level, w = s.w / coarser, h = s.h / coarser;
    double *gradient = doubles(shape_count(s)), *z = doubles((size_t)s.n * s.c * h * w);
    double *expected = zeros(2 * (size_t)s.c), *gauge = zeros(2 * (size_t)s.c);
    net->engine->tensor_export(gradient, dx);
    ck_assert(net->engine->layer_stage(net->layer[l - 1], STAGE_ACTIVATION, dx->level, z));
    for (size_t i = 0; i < shape_count(s); i++) {
        const size_t map = i / ((size_t)s.h * s.w), y = i / s.w % s.h / coarser, x = i % s.w / coarser;
        const double product = gradient[i] * z[(map * h + y) * w + x];
        const size_t c = map % s.c;
        expected[c] += gradient[i];
        gauge[c] += fabs(gradient[i]);
        expected[s.c + c] += product;
        gauge[s.c + c] += fabs(product);
    }
    for (int i = 0; i < 2 * s.c; i++)
        gauge[i] += gauge[i] == 0; /* of a channel that nothing activates */
    CK_WITHIN(compare_gauged_double(sums, expected, gauge, 2 * (size_t)s.c),
              4.0 * s.n * s.h * s.w + run_roundings() * 0x1p29, "sums of dx");
}

START_TEST(test_layer_takes_sums_of_dx)
{
    const Kernels *kernels = use_version(_i / NETS);
    if (!kernels)
        return;
    Network *one = start(kernels->engine, _i % NETS);
    omp_set_num_threads(4);
    Network *many = start(kernels->engine, _i % NETS);
    for (int l = LAYERS - 1; l > 0; l--) {
        omp_set_num_threads(1);
        double *sums = pass(one, l);
        if (sums_taken(one, l))
            check_sums(one, l, sums);
        if (squares_taken(one, l))
            check_squares(one, l);
        omp_set_num_threads(l % 2 ? 2 : 4);
        const double *same = pass(many, l);
        if (sums_taken(one, l))
            CK_WITHIN(compare_exact_double(same, sums, 2 * (size_t)one->spec.channels), 0,
                      "sums on more threads");
        if (squares_taken(one, l))
            CK_WITHIN(
                compare_exact_double(squares(many, l), squares(one, l), shape_count(squares_shape(one, l))),
                0, "squares on more threads");
    }
    network_free(one);
    network_free(many);
}
END_TEST

Suite *sums_suite(void)
{
    Suite *suite = suite_create("sums");
    TCase *tcase = tcase_create("sums");
    tcase_add_checked_fixture(tcase, NULL, arrays_free);
    tcase_add_loop_test(tcase, test_layer_takes_sums_of_dx, 0, VERSIONS * NETS);
    suite_add_tcase(suite, tcase);
    return suite;
}
