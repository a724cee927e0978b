/* The depth mix: one-hot it truncates the network, 63 maps are no bound, and what is read from it.
 *
 * Claims: eq6. */
#include "../experiments/network/depth.h"
#include "../experiments/network/network.h"
#include "compare.h"
#include "depth_check.h"
#include "lanes.h"
#include "suites.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CLASSES = 4, IMAGES = 18, LAYERS = 5 };

static NetworkSpec deep(int layers, int side, int levels, uint64_t depth)
{
    NetworkSpec s = {.layers = layers,
                     .channels = 3,
                     .classes = CLASSES,
                     .image_channels = 3,
                     .height = side,
                     .width = side,
                     .levels = levels,
                     .bias = true,
                     .eps = 1e-5,
                     .momentum = 0.1,
                     .depth = depth};
    for (int l = 0; l < layers; l++)
        s.kept[l] = all_levels(levels);
    return s;
}

static Network *create(const Engine *engine, NetworkSpec spec)
{
    Error error;
    Network *net = network_create(engine, &spec, IMAGES, &error);
    ck_assert_msg(net != NULL, "%s", error.text);
    network_initialise(net, 5);
    return net;
}

static double *vector(const Network *net, const Vector *v, size_t count)
{
    double *values = doubles(count);
    net->engine->vector_read(values, v, 0, count);
    return values;
}

/* Numbers of the filters of a layer in the middle and of the last one. */
static size_t filters_of(const NetworkSpec *s, int l)
{
    const LayerSpec layer = network_layer(s, l);
    return layer_filters_count(&layer);
}

/* Where the first `hidden` layers' filters end. */
static size_t filters_before(const NetworkSpec *s, int hidden)
{
    size_t at = 0;
    for (int l = 0; l < hidden; l++)
        at += filters_of(s, l);
    return at;
}

/* Loss and gradients of a batch; the gradients start at 0. */
static double pass(Network *net)
{
    const NetworkSpec *s = &net->spec;
    const double loss = network_forward(net, random_floats((size_t)IMAGES * 3 * s->height * s->width, 1),
                                        random_labels(IMAGES, CLASSES, 2), IMAGES, PASS_LOGITS);
    network_backward(net, WANT_FILTERS | WANT_LOGITS);
    return loss;
}

/* The nets that are cut off. Of each level, as they are learned; a fast set takes the sums over the batch
 * that a layer's backward pass starts from on the way of its gradient, where no mix stands between, and
 * otherwise adds them in another order. Where neighbouring layers start at different levels, none does. */
static NetworkSpec all_kept(int layers, uint64_t depth)
{
    return deep(layers, 8, 2, depth);
}

static NetworkSpec alternating(int layers, uint64_t depth)
{
    NetworkSpec s = deep(layers, 8, 3, depth);
    for (int l = 0; l < layers; l++)
        s.kept[l] = l == layers - 1 ? 4 : l % 2 ? 6 : 7;
    return s;
}

/* Equation 6 with all of beta on hidden layer `hidden`, by a mask, is the network of hidden + 1 layers: the
 * same loss and gradients to the bit (those before the mix where sums have one order), and gradients of 0 for
 * the layers between. */
static void check_truncation(const Engine *engine, int hidden, NetworkSpec (*net)(int, uint64_t),
                             bool one_order)
{
    Network *whole = create(engine, net(LAYERS, UINT64_C(1) << (hidden - 1)));
    Network *part = create(engine, net(hidden + 1, 0));
    const NetworkSpec *s = &whole->spec;
    const size_t shared = filters_before(s, hidden), last = filters_of(s, LAYERS - 1),
                 last_at = whole->filters_count - last;
    double *filters = vector(whole, whole->filters, whole->filters_count);
    double *logits = random_doubles(whole->logits_count, 3), beta[MAX_MIXED];
    memmove(filters + shared, filters + last_at, last * sizeof *filters);
    engine->vector_write(part->filters, 0, filters, shared + last);
    engine->vector_write(whole->logits, 0, logits, whole->logits_count);
    memcpy(logits + (size_t)hidden * s->levels, logits + (size_t)(LAYERS - 1) * s->levels,
           (size_t)s->levels * sizeof *logits);
    engine->vector_write(part->logits, 0, logits, part->logits_count);
    ck_assert_double_eq(pass(whole), pass(part));
    network_beta(whole, beta);
    for (int l = 0; l < LAYERS - 1; l++)
        ck_assert_double_eq(beta[l], l == hidden - 1);

    double *dwhole = vector(whole, whole->dfilters, whole->filters_count);
    double *dpart = vector(part, part->dfilters, part->filters_count);
    if (one_order)
        CK_WITHIN(compare_exact_double(dwhole, dpart, shared), 0, "filters of the layers before");
    CK_WITHIN(compare_exact_double(dwhole + last_at, dpart + shared, last), 0, "filters of the last layer");
    if (last_at > shared)
        CK_WITHIN(compare_exact_double(dwhole + shared, zeros(last_at - shared), last_at - shared), 0,
                  "filters of the layers that are cut off");
    double *da = vector(whole, whole->dlogits, whole->logits_count);
    if (one_order)
        CK_WITHIN(compare_exact_double(da, vector(part, part->dlogits, part->logits_count),
                                       (size_t)hidden * s->levels),
                  0, "logits of the layers before");
    CK_WITHIN(compare_exact_double(da + LAYERS * s->levels, zeros(LAYERS - 1), LAYERS - 1), 0, "b");
    network_free(whole);
    network_free(part);
}

START_TEST(test_one_hot_beta_truncates_ref)
{
    check_truncation(&ref_engine, _i, all_kept, true);
    check_truncation(&ref_engine, _i, alternating, true);
}
END_TEST

START_TEST(test_one_hot_beta_truncates_fast)
{
    const Kernels *kernels = loop_set(_i, LAYERS - 1);
    if (!kernels)
        return;
    check_truncation(kernels->engine, _i % (LAYERS - 1) + 1, all_kept, false);
    check_truncation(kernels->engine, _i % (LAYERS - 1) + 1, alternating, true);
}
END_TEST

/* Of 64 layers, 63 maps are mixed; they start with equal weights. */
START_TEST(test_every_layer_but_the_last_can_be_mixed)
{
    const Kernels *kernels = use_version(_i);
    double beta[MAX_MIXED];
    if (!kernels)
        return;
    const Engine *engine = kernels->engine;
    Network *net = create(engine, deep(MAX_LAYERS, 4, 1, all_levels(MAX_LAYERS - 1)));
    network_beta(net, beta);
    for (int l = 0; l < MAX_LAYERS - 1; l++)
        ck_assert_double_eq(beta[l], (float)(1.0 / (MAX_LAYERS - 1)));
    double *logits = random_doubles(net->logits_count, 3);
    engine->vector_write(net->logits, 0, logits, net->logits_count);
    network_forward(net, random_floats((size_t)IMAGES * 3 * 16, 1), random_labels(IMAGES, CLASSES, 2), IMAGES,
                    PASS_FILTERS);
    engine->head_backward(net->head, net->dlast, WANT_LOGITS);
    engine->layer_backward(net->layer[MAX_LAYERS - 1], net->dmixed, net->dlast, WANT_LOGITS);
    depth_check_mix(net, IMAGES);
    depth_check_share(net, net->dhidden, MAX_LAYERS - 2, false, IMAGES);
    depth_check_share(net, net->dhidden, 0, true, IMAGES);
    network_free(net);
}
END_TEST

START_TEST(test_depth_mix_of_other_layers_is_refused)
{
    Error error;
    const NetworkSpec s = deep(4, 8, 1, 8);
    ck_assert(!network_check(&s, &error));
    ck_assert_str_eq(error.text, "a depth mix takes the 3 hidden layers alone");
}
END_TEST

START_TEST(test_depth_readings_by_hand)
{
    const DepthReading a = depth_reading((const double[]){0.1, 0.5, 0.1, 0.25, 0.05}, 5);
    ck_assert_int_eq(a.argmax, 3);
    ck_assert_int_eq(a.last, 5);
    ck_assert_double_eq_tol(a.expected, 0.1 + 1.0 + 0.3 + 1.0 + 0.25 + 1, 1e-12);
    /* Equal weights, as each kernel set has them: the first is the largest, and the last counts. */
    for (int maps = 1; maps < MAX_LAYERS; maps++) {
        double beta[MAX_MIXED];
        for (int set = 0; set < 4; set++) {
            char printed[32];
            snprintf(printed, sizeof printed, "%.9g", set % 2 ? (float)(1.0 / maps) : 1.0 / maps);
            for (int l = 0; l < maps; l++)
                beta[l] = set > 1 ? strtod(printed, NULL) : set ? (float)(1.0 / maps) : 1.0 / maps;
            const DepthReading equal = depth_reading(beta, maps);
            ck_assert_int_eq(equal.argmax, 2);
            ck_assert_int_eq(equal.last, maps + 1);
            ck_assert_double_eq_tol(equal.expected, (maps + 1) / 2.0 + 1, 1e-5);
        }
    }
}
END_TEST

Suite *depth_suite(void)
{
    Suite *suite = suite_create("depth");
    TCase *tcase = tcase_create("depth");
    tcase_add_checked_fixture(tcase, NULL, arrays_free);
    tcase_set_timeout(tcase, 60);
    tcase_add_loop_test(tcase, test_one_hot_beta_truncates_ref, 1, LAYERS);
    tcase_add_loop_test(tcase, test_one_hot_beta_truncates_fast, 0, VERSIONS * (LAYERS - 1));
    tcase_add_loop_test(tcase, test_every_layer_but_the_last_can_be_mixed, 0, VERSIONS);
    tcase_add_test(tcase, test_depth_mix_of_other_layers_is_refused);
    tcase_add_test(tcase, test_depth_readings_by_hand);
    suite_add_tcase(suite, tcase);
    return suite;
}
