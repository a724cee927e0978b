/* The whole network: its gradients in double end to end, one bilevel step of the fast set against ref, and
 * what a step may touch.
 *
 * Claims: abs.differentiable s3.4.two-steps. */
#include "../experiments/network/bilevel.h"
#include "depth_check.h"
#include "gradient.h"
#include "lanes.h"
#include "layer_check.h"
#include "suites.h"
#include <math.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>

enum { CLASSES = 4, IMAGES = 5 };

#define SIZES(layers_, channels_, side)                                                                \
    .layers = layers_, .channels = channels_, .classes = CLASSES, .image_channels = 3, .height = side, \
    .width = side, .eps = 1e-5, .momentum = 0.1

#define SPEC(layers_, channels_, levels_, kept_, down_, up_, bias_, affine_, shared, linear)      \
    {                                                                                             \
        SIZES(layers_, channels_, 8), .levels = levels_, .kept = {kept_, kept_, kept_, kept_},    \
                                      .down = down_, .up = up_, .bias = bias_, .affine = affine_, \
                                      .shared_norm = shared, .linear_head = linear                \
    }

/* A net whose hidden layers have MBConv as their block. */
#define MBCONV(layers_, channels_, levels_, kept_, down_, up_, affine_, shared, linear)                   \
    {                                                                                                     \
        SIZES(layers_, channels_, 8), .levels = levels_, .kept = {kept_, kept_, kept_, kept_},            \
                                      .down = down_, .up = up_, .affine = affine_, .bias = true,          \
                                      .shared_norm = shared, .linear_head = linear, .block = BLOCK_MBCONV \
    }

/* A net of three levels whose layers keep different ones. */
#define PRUNED(layers_, channels_, side, down_, affine_, linear, ...)                             \
    {                                                                                             \
        SIZES(layers_, channels_, side), .levels = 3, .kept = {__VA_ARGS__}, .down = down_,       \
                                         .up = UPSAMPLE_NEAREST, .bias = true, .affine = affine_, \
                                         .linear_head = linear                                    \
    }

/* A net with filters of its own at each level. */
#define UNSHARED(layers_, channels_, side, affine_, ...)                                             \
    {                                                                                                \
        SIZES(layers_, channels_, side), .levels = 3, .kept = {__VA_ARGS__}, .up = UPSAMPLE_NEAREST, \
                                         .bias = true, .affine = affine_, .unshared = true           \
    }

/* A net whose hidden layers' maps are mixed: those of the mask `depth_`. Its layers may keep different
 * levels, so that the maps are stored at different ones. */
#define DEEP(layers_, channels_, side, depth_, up_, linear, ...)                                         \
    {                                                                                                    \
        SIZES(layers_, channels_, side), .levels = 3, .kept = {__VA_ARGS__}, .depth = depth_, .up = up_, \
                                         .bias = true, .linear_head = linear                             \
    }

static const NetworkSpec table[] = {
    SPEC(3, 3, 3, 7, POOL_MAX, UPSAMPLE_NEAREST, true, false, false, false),
    SPEC(2, 4, 1, 1, POOL_MAX, UPSAMPLE_NEAREST, true, false, false, false),
    SPEC(3, 3, 3, 6, POOL_MAX, UPSAMPLE_NEAREST, false, true, false, true),
    SPEC(3, 2, 2, 3, POOL_AVERAGE, UPSAMPLE_BILINEAR, true, true, true, false),
    SPEC(2, 3, 3, 5, POOL_SUBSAMPLE, UPSAMPLE_NEAREST, true, true, false, true),
    /* Maps stored at level 1, then read at 0 and 2, at 2, then read at 1, and left at 1. */
    PRUNED(4, 3, 8, POOL_MAX, false, false, 2, 5, 4, 2),
    PRUNED(4, 4, 8, POOL_AVERAGE, true, true, 4, 3, 6, 4),
    PRUNED(3, 4, 8, POOL_SUBSAMPLE, false, true, 2, 4, 1),
    SPEC(1, 4, 3, 7, POOL_MAX, UPSAMPLE_NEAREST, true, false, false, true),
    DEEP(4, 3, 8, 7, UPSAMPLE_NEAREST, false, 7, 7, 7, 7),
    DEEP(5, 3, 8, 11, UPSAMPLE_BILINEAR, true, 7, 3, 1, 6, 2),
    /* Maps stored at levels 1, 2, 0 and 1; at 2, 1 (not mixed) and 2. */
    DEEP(5, 3, 8, 15, UPSAMPLE_NEAREST, false, 2, 4, 5, 6, 3),
    DEEP(4, 5, 8, 5, UPSAMPLE_NEAREST, true, 4, 2, 4, 7),
    DEEP(2, 3, 8, 1, UPSAMPLE_NEAREST, false, 6, 5),
    MBCONV(4, 4, 3, 7, POOL_MAX, UPSAMPLE_NEAREST, false, false, false),
    MBCONV(3, 3, 3, 6, POOL_AVERAGE, UPSAMPLE_NEAREST, true, false, false),
    MBCONV(3, 3, 2, 3, POOL_SUBSAMPLE, UPSAMPLE_BILINEAR, true, true, true),
    UNSHARED(3, 3, 8, true, 7, 5, 6),
    UNSHARED(2, 4, 8, false, 6, 7),
    /* Layers that convolve by Winograd's algorithm: too large for differences. */
    PRUNED(4, 24, 16, POOL_MAX, false, false, 2, 7, 4, 3),
};
enum { ROWS = sizeof table / sizeof *table, SMALL = ROWS - 1 };

/* A network with its parameters random and a batch of images. */
typedef struct {
    Network *net;
    float *images;
    int *labels, n;
    double *filters, *logits;
} Case;

static void make(Case *c, const Engine *engine, const NetworkSpec *spec, int n)
{
    Error error;
    c->net = network_create(engine, spec, n, &error);
    ck_assert_msg(c->net != NULL, "%s", error.text);
    network_initialise(c->net, 5);
    c->n = n;
    c->images = random_floats((size_t)n * spec->image_channels * spec->height * spec->width, 1);
    c->labels = random_labels((size_t)n, spec->classes, 2);
    c->filters = doubles(c->net->filters_count);
    c->logits = random_doubles(c->net->logits_count, 3);
    engine->vector_read(c->filters, c->net->filters, 0, c->net->filters_count);
    const double *noise = random_doubles(c->net->filters_count, 4); /* so that no bias is 0 and no gamma 1 */
    for (size_t i = 0; i < c->net->filters_count; i++)
        c->filters[i] = (float)(c->filters[i] + 0.1 * noise[i]);
    engine->vector_write(c->net->filters, 0, c->filters, c->net->filters_count);
    engine->vector_write(c->net->logits, 0, c->logits, c->net->logits_count);
}

static double *vector(const Network *net, const Vector *v, size_t count)
{
    double *values = doubles(count);
    net->engine->vector_read(values, v, 0, count);
    return values;
}

/* Which ReLU is active and which pixel is each maximum, in all layers and levels. */
static uint64_t pattern_of(const Network *net, int n)
{
    const NetworkSpec *s = &net->spec;
    const size_t most = (size_t)n * s->height * s->width * (s->channels > CLASSES ? s->channels : CLASSES);
    double *values = malloc(most * sizeof *values);
    uint64_t pattern = 1;
    for (int l = 0; l < s->layers; l++) {
        const LayerSpec layer = network_layer(s, l);
        net->engine->tensor_export(values, network_input(net, l));
        for (int r = 1; r < s->levels && s->down == POOL_MAX; r++)
            pattern = pattern_maxima(pattern, values, n * layer.channels_in, s->height, s->width, 1 << r);
        for (int r = 0; r < s->levels; r++)
            if (layer.block == BLOCK_CONV &&
                net->engine->layer_stage(net->layer[l], STAGE_ACTIVATION, r, values))
                pattern = pattern_signs(pattern, values,
                                        (size_t)n * layer.channels_out * (s->height >> r) * (s->width >> r));
    }
    free(values);
    return pattern;
}

static Outcome forward(void *context)
{
    Case *c = context;
    c->net->engine->vector_write(c->net->filters, 0, c->filters, c->net->filters_count);
    c->net->engine->vector_write(c->net->logits, 0, c->logits, c->net->logits_count);
    const double loss = network_forward(c->net, c->images, c->labels, c->n, PASS_LOGITS);
    return (Outcome){loss, pattern_of(c->net, c->n)};
}

START_TEST(test_network_gradients_in_double)
{
    Case c;
    make(&c, &ref_engine, &table[_i], IMAGES);
    forward(&c);
    network_backward(c.net, WANT_FILTERS | WANT_LOGITS);
    double *dfilters = vector(c.net, c.net->dfilters, c.net->filters_count);
    double *dlogits = vector(c.net, c.net->dlogits, c.net->logits_count);
    CK_GRADIENT(((GradientCheck){forward, &c, c.filters, dfilters, c.net->filters_count}),
                "filters and biases");
    if (table[_i].levels > 1)
        CK_GRADIENT(((GradientCheck){forward, &c, c.logits, dlogits, c.net->logits_count}), "logits");
    network_free(c.net);
}
END_TEST

/* The whole net at once: a step along a random direction. */
START_TEST(test_network_directional_derivative_in_double)
{
    Case c;
    const double h = 1e-6;
    make(&c, &ref_engine, &table[_i], IMAGES);
    const Outcome at = forward(&c);
    network_backward(c.net, WANT_FILTERS | WANT_LOGITS);
    const size_t filters = c.net->filters_count, logits = c.net->logits_count;
    double *along = random_doubles(filters + logits, 9), *start = doubles(filters + logits), loss[2];
    double *dfilters = vector(c.net, c.net->dfilters, filters),
           *dlogits = vector(c.net, c.net->dlogits, logits);
    double slope = dot(dfilters, along, filters) + dot(dlogits, along + filters, logits);
    memcpy(start, c.filters, filters * sizeof *start);
    memcpy(start + filters, c.logits, logits * sizeof *start);
    for (int side = 0; side < 2; side++) {
        for (size_t i = 0; i < filters; i++)
            c.filters[i] = start[i] + (side ? h : -h) * along[i];
        for (size_t i = 0; i < logits; i++)
            c.logits[i] = start[filters + i] + (side ? h : -h) * along[filters + i];
        const Outcome there = forward(&c);
        ck_assert_msg(there.pattern == at.pattern, "the direction crosses a kink: choose another seed");
        loss[side] = there.loss;
    }
    ck_assert_double_eq_tol((loss[1] - loss[0]) / (2 * h), slope, 1e-6 * fabs(slope));
    ck_assert_double_gt(fabs(slope), 1e-3);
    network_free(c.net);
}
END_TEST

/* Where layer l's slice of the filters starts. */
static size_t filters_before(const NetworkSpec *s, int l)
{
    size_t at = 0;
    for (int i = 0; i < l; i++) {
        const LayerSpec before = network_layer(s, i);
        at += layer_filters_count(&before);
    }
    return at;
}

/* Layer l of a network as a LayerCase: its slices of the vectors, its input and its cotangent, exported. */
static LayerCase layer_of(const Case *c, int l, const double *cotangent)
{
    const Network *net = c->net;
    const NetworkSpec *s = &net->spec;
    LayerCase layer = {.engine = net->engine, .spec = network_layer(s, l), .n = c->n, .layer = net->layer[l]};
    layer.stored = stored_level(net, l);
    layer.filters_count = layer_filters_count(&layer.spec);
    layer.logits_count = (size_t)s->levels;
    layer.filters = vector(net, net->filters, net->filters_count) + filters_before(s, l);
    layer.logits = vector(net, net->logits, net->logits_count) + l * s->levels;
    layer.dfilters = zeros(layer.filters_count);
    layer.dlogits = zeros(layer.logits_count);
    layer.input = doubles(shape_count(layer_case_in(&layer, 0)));
    layer.output = doubles(shape_count(layer_case_out(&layer, 0)));
    net->engine->tensor_export(layer.input, network_input(net, l));
    net->engine->tensor_export(layer.output, net->map[l + 1]);
    layer.cotangent = (double *)cotangent;
    return layer;
}

static double *exported(const Network *net, const Tensor *t, Shape s)
{
    double *values = doubles(shape_count(s));
    net->engine->tensor_export(values, t);
    return values;
}

/* One bilevel step of a fast set, from equal state and stage by stage: forward, backward through every layer,
 * then SGD and Adam on the gradients it found. */
START_TEST(test_network_bilevel_step_matches_ref)
{
    const Kernels *kernels = loop_set(_i, ROWS);
    const NetworkSpec *spec = &table[_i % ROWS];
    const Sgd sgd = {0.1, 0.9, 1e-4};
    const Adam adam = {1e-2, 0.5, 0.999, 1e-8, 3e-4};
    Case c;
    if (!kernels)
        return;
    make(&c, kernels->engine, spec, 21);
    Network *net = c.net;
    network_forward(net, c.images, c.labels, c.n, PASS_FILTERS);
    Tensor *dy = net->dlast;
    Shape shape = {c.n, network_head(spec).channels, spec->height, spec->width};
    net->engine->head_backward(net->head, dy, WANT_FILTERS);
    for (int l = spec->layers - 1; l >= 0; l--) {
        const bool reads_mixed = network_input(net, l) == net->mixed;
        Tensor *dx = reads_mixed ? net->dmixed : l > 0 ? network_gradient(net, l) : NULL;
        LayerCase layer = layer_of(&c, l, exported(net, dy, shape));
        layer_check_forward(&layer);
        net->engine->layer_backward(net->layer[l], dx, dy, WANT_FILTERS | WANT_LOGITS);
        shape.c = layer.spec.channels_in;
        layer_check_backward(&layer, dx ? exported(net, dx, shape) : NULL,
                             vector(net, net->dfilters, net->filters_count) + filters_before(spec, l),
                             vector(net, net->dlogits, net->logits_count) + l * spec->levels);
        if (reads_mixed)
            depth_check_mix(net, c.n);
        dy = reads_mixed ? network_gradient(net, l) : dx;
        if (net->depth && l > 0)
            depth_check_share(net, dy, l - 1, !reads_mixed, c.n);
    }
    const size_t filters = net->filters_count, logits = net->logits_count;
    double *w = vector(net, net->filters, filters), *v = zeros(filters), *gauge = doubles(filters);
    double *dw = vector(net, net->dfilters, filters), *a = vector(net, net->logits, logits),
           *m = zeros(logits);
    double *m2 = zeros(logits), *da = vector(net, net->dlogits, logits), *gauge_a = doubles(logits);
    for (size_t i = 0; i < filters; i++)
        gauge[i] = fabs(w[i]) + sgd.lr * (fabs(dw[i]) + sgd.weight_decay * fabs(w[i]));
    for (size_t i = 0; i < logits; i++)
        gauge_a[i] = fabs(a[i]);
    net->engine->sgd_step(net->filters, net->velocity, net->dfilters, sgd);
    net->engine->adam_step(net->logits, net->moment1, net->moment2, net->dlogits, 1, adam);
    ref_sgd_step(w, v, dw, sgd, filters);
    ref_adam_step(a, m, m2, da, 1, adam, logits);
    /* The step from given moments rounds 10 times; at t = 1 m is in error by 6 roundings and the root of v by
     * 5, of the absolute terms of the gradient and its decay. */
    for (size_t i = 0; i < logits; i++) {
        const double decay = adam.weight_decay * c.logits[i];
        gauge_a[i] += adam.lr * (10 + 11 * (fabs(da[i]) + fabs(decay)) / fabs(da[i] + decay));
    }
    CK_WITHIN(compare_rounded(vector(net, net->filters, filters), w, gauge, filters), roundings(7),
              "filters");
    CK_WITHIN(compare_rounded(vector(net, net->logits, logits), a, gauge_a, logits), roundings(1), "logits");
    network_free(net);
}
END_TEST

/* A step of the filters never touches a logit, a step of the logits neither a filter nor a tracked statistic.
 */
static void check_steps(const Engine *engine)
{
    Case c;
    make(&c, engine, &table[0], 6);
    const Network *net = c.net;
    const Batch batch = {c.images, c.labels, c.n};
    double *logits = vector(net, net->logits, net->logits_count);
    const Step first = filters_step(c.net, batch, (Sgd){0.1, 0.9, 0});
    CK_WITHIN(compare_exact_double(vector(net, net->logits, net->logits_count), logits, net->logits_count), 0,
              "logits");
    double *filters = vector(net, net->filters, net->filters_count);
    double *statistics = vector(net, net->statistics, net->statistics_count);
    ck_assert_msg(!within(compare_exact_double(filters, c.filters, net->filters_count), 0),
                  "filters did not move");
    const Step second = logits_step(c.net, batch, (Adam){0.01, 0.5, 0.999, 1e-8, 3e-4}, 1);
    CK_WITHIN(
        compare_exact_double(vector(net, net->filters, net->filters_count), filters, net->filters_count), 0,
        "filters");
    CK_WITHIN(compare_exact_double(vector(net, net->statistics, net->statistics_count), statistics,
                                   net->statistics_count),
              0, "tracked statistics");
    ck_assert_msg(
        !within(compare_exact_double(vector(net, net->logits, net->logits_count), logits, net->logits_count),
                0),
        "logits did not move");
    ck_assert_double_gt(first.gradient, 0);
    ck_assert_double_gt(second.gradient, 0);
    ck_assert_double_gt(second.decay, 0);
    ck_assert_double_lt(second.loss, first.loss + 1);
    network_free(c.net);
}

START_TEST(test_network_steps_touch_their_own_parameters_ref)
{
    check_steps(&ref_engine);
}
END_TEST

START_TEST(test_network_steps_touch_their_own_parameters_fast)
{
    const Kernels *kernels = use_version(_i);
    if (kernels)
        check_steps(kernels->engine);
}
END_TEST

/* Filters, logits and statistics after a few steps, in one array. */
static double *trained(const Engine *engine, const NetworkSpec *spec, int n, int threads, size_t *count)
{
    Case c;
    omp_set_num_threads(threads);
    make(&c, engine, spec, n);
    const Network *net = c.net;
    for (int t = 1; t <= 3; t++) {
        const Batch batch = {c.images, c.labels, c.n};
        filters_step(c.net, batch, (Sgd){0.1, 0.9, 0});
        logits_step(c.net, batch, (Adam){0.01, 0.5, 0.999, 1e-8, 3e-4}, t);
    }
    *count = net->filters_count + net->logits_count + net->statistics_count;
    double *state = doubles(*count);
    engine->vector_read(state, net->filters, 0, net->filters_count);
    engine->vector_read(state + net->filters_count, net->logits, 0, net->logits_count);
    engine->vector_read(state + net->filters_count + net->logits_count, net->statistics, 0,
                        net->statistics_count);
    network_free(c.net);
    return state;
}

START_TEST(test_network_training_does_not_depend_on_threads)
{
    const Kernels *kernels = use_version(_i);
    size_t count;
    if (!kernels)
        return;
    for (int i = 0; i < 2; i++) {
        const NetworkSpec *spec = &table[i == 0 ? 0 : ROWS - 1];
        const int n = i == 0 ? 37 : 20;
        double *one = trained(kernels->engine, spec, n, 1, &count);
        CK_WITHIN(compare_exact_double(trained(kernels->engine, spec, n, 2, &count), one, count), 0,
                  "2 threads");
        CK_WITHIN(compare_exact_double(trained(kernels->engine, spec, n, 3, &count), one, count), 0,
                  "3 threads");
    }
}
END_TEST

/* A batch learned by heart: the loss falls far below chance. */
START_TEST(test_network_learns_a_batch_by_heart)
{
    const Kernels *kernels = kernels_best("f32");
    Case c;
    ck_assert_ptr_nonnull(kernels);
    make(&c, kernels->engine,
         &(NetworkSpec)SPEC(3, 16, 3, 7, POOL_MAX, UPSAMPLE_NEAREST, true, true, false, true), 32);
    Step step = {0};
    for (int t = 0; t < 60; t++)
        step = filters_step(c.net, (Batch){c.images, c.labels, c.n}, (Sgd){0.05, 0.9, 0});
    ck_assert_double_lt(step.loss, 0.1);
    ck_assert_int_eq(step.correct, 32);
    network_free(c.net);
}
END_TEST

Suite *network_suite(void)
{
    Suite *suite = suite_create("network");
    TCase *tcase = tcase_create("network");
    tcase_add_checked_fixture(tcase, NULL, arrays_free);
    tcase_set_timeout(tcase, 120);
    tcase_add_loop_test(tcase, test_network_gradients_in_double, 0, SMALL);
    tcase_add_loop_test(tcase, test_network_directional_derivative_in_double, 0, SMALL);
    tcase_add_loop_test(tcase, test_network_bilevel_step_matches_ref, 0, VERSIONS * ROWS);
    tcase_add_test(tcase, test_network_steps_touch_their_own_parameters_ref);
    tcase_add_loop_test(tcase, test_network_steps_touch_their_own_parameters_fast, 0, VERSIONS);
    tcase_add_loop_test(tcase, test_network_training_does_not_depend_on_threads, 0, VERSIONS);
    tcase_add_test(tcase, test_network_learns_a_batch_by_heart);
    suite_add_tcase(suite, tcase);
    return suite;
}
