/* The table of the engine's passes (fast/engine/traffic.c) against every load and store that the engine makes
 * (trace.h): whole steps of small networks of every kind, to the byte. And against maps counted by hand. */
#define SET_NAME f32
#define ISA      traced
#include "../experiments/network/bilevel.h"
#include "../experiments/programs/bench/roofline.h"
#include "../fast/engine/layer.h"
#include "suites.h"
#include "trace.h"
#include <check.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>

enum { N = 20, CHANNELS = 16, LEVELS = 3, STEPS = 3 };
#ifdef __clang__
enum { SETS = 1 }; /* it tells nobody of the loads of 64 bytes that the tile products of bf16 start from */
#else
enum { SETS = 2 };
#endif

static const Kernels *const sets[2] = {&f32_kernels_traced, &bf16_kernels_traced};
static const char *const step_names[STEPS] = {"weight step", "alpha step", "evaluation"};

/* The engine of a set, but for arrays that are no maps: they are not watched. */
static const Engine *traced;

static Vector *vector_unwatched(size_t count)
{
    trace_watches(false);
    Vector *v = traced->vector_create(count);
    trace_watches(true);
    return v;
}

static Head *head_unwatched(const HeadSpec *spec, Slices slices, int batch)
{
    trace_watches(false);
    Head *head = traced->head_create(spec, slices, batch);
    trace_watches(true);
    return head;
}

/* What layers have beside maps. */
static void forget_others(const Network *net)
{
    const Scratch *s = net->scratch;
    const void *const shared[] = {s->conv.data,      s->reduce.data,    s->depthwise.data, s->norms.data,
                                  s->excite[0].data, s->excite[1].data, s->excite[2].data, s->seen.data};
    for (size_t i = 0; i < sizeof shared / sizeof *shared; i++)
        trace_forget(shared[i]);
    for (int l = 0; l < net->spec.layers && net->spec.net == NET_LAYERS; l++) {
        trace_forget(net->layer[l]->coefficient);
        for (int r = 0; r < net->spec.levels; r++) {
            const ExciteCache *cache = &net->layer[l]->excite[r];
            const void *const own[] = {cache->average, cache->squeezed, cache->hidden, cache->gate};
            for (int i = 0; i < 4; i++)
                trace_forget(own[i]);
        }
    }
}

/* A network of a traced set with its batch, all of whose maps are watched. */
typedef struct {
    Engine engine;
    Network *net;
    float *images;
    int labels[N];
} Traced;

static void traced_begin(Traced *t, const Kernels *kernels, const NetworkSpec *s)
{
    Error error;
    const size_t count = (size_t)N * s->image_channels * s->height * s->width;
    omp_set_num_threads(1);
    traced = kernels->engine;
    t->engine = *traced;
    t->engine.vector_create = vector_unwatched;
    t->engine.head_create = head_unwatched;
    trace_watches(true);
    t->net = network_create(&t->engine, s, N, &error);
    trace_watches(false);
    ck_assert_msg(t->net != NULL, "%s", t->net ? "" : error.text);
    network_initialise(t->net, 1);
    forget_others(t->net);
    t->images = aligned_alloc(64, (count * sizeof *t->images + 63) / 64 * 64);
    ck_assert_ptr_nonnull(t->images);
    for (size_t i = 0; i < count; i++)
        t->images[i] = (float)((double)(i * 2654435761u % 1000) / 500 - 1);
    trace_watch(t->images, count * sizeof *t->images);
    for (int i = 0; i < N; i++)
        t->labels[i] = i % s->classes;
}

static void traced_end(Traced *t)
{
    trace_forget(t->images);
    network_free(t->net);
    free(t->images);
}

static Moved moved_by(Traced *t, StepKind step)
{
    const Batch batch = {t->images, t->labels, N};
    (void)trace_moved();
    if (step == WEIGHT_STEP)
        filters_step(t->net, batch, (Sgd){0.01, 0.9, 0});
    else if (step == ALPHA_STEP)
        logits_step(t->net, batch, (Adam){1e-4, 0.5, 0.999, 1e-8, 3e-4}, 1);
    else
        network_forward(t->net, batch.images, batch.labels, N, PASS_INFERENCE);
    return trace_moved();
}

static void expect_traffic(const Kernels *kernels, const NetworkSpec *s, const char *name)
{
    Traced t;
    traced_begin(&t, kernels, s);
    for (int step = 0; step < STEPS; step++) {
        if (step == ALPHA_STEP && s->net != NET_LAYERS)
            continue;
        const Moved moved = moved_by(&t, (StepKind)step);
        const Traffic counted = step_traffic(kernels, s, N, (StepKind)step);
        ck_assert_msg(moved.read > 0 && moved.read == counted.read && moved.written == counted.written,
                      "%s, %s of %s: moved %.0f bytes read and %.0f written, counted %.0f and %.0f",
                      kernels->name, step_names[step], name, moved.read, moved.written, counted.read,
                      counted.written);
    }
    traced_end(&t);
}

static NetworkSpec spec_of(int layers, int side, int channels, int levels)
{
    NetworkSpec s = {.layers = layers,
                     .channels = channels,
                     .classes = 10,
                     .image_channels = 3,
                     .height = side,
                     .width = side,
                     .levels = levels,
                     .bias = true,
                     .eps = 1e-5,
                     .momentum = 0.1};
    for (int l = 0; l < layers; l++)
        s.kept[l] = (unsigned)all_levels(levels);
    return s;
}

/* The kept levels of three layers after each other, so that inputs are stored finer, coarser and as coarse as
 * a layer's own levels, with gaps between them; side 8, whose coarsest map has no tiles of 4x4. */
static const unsigned masks[][3] = {{7, 7, 7}, {1, 1, 1}, {7, 1, 7}, {2, 5, 4}, {4, 1, 2}, {4, 2, 1},
                                    {2, 4, 6}, {1, 4, 4}, {4, 3, 1}, {6, 6, 5}, {4, 4, 4}, {4, 6, 5}};
enum { MASKS = sizeof masks / sizeof *masks };

static NetworkSpec masked(int i)
{
    NetworkSpec s = spec_of(3, 8, CHANNELS, LEVELS);
    for (int l = 0; l < 3; l++)
        s.kept[l] = masks[i % MASKS][l];
    return s;
}

START_TEST(test_traffic_is_what_layers_move)
{
    const NetworkSpec s = masked(_i);
    char name[64];
    snprintf(name, sizeof name, "levels %u, %u, %u", s.kept[0], s.kept[1], s.kept[2]);
    for (int set = 0; set < SETS; set++)
        expect_traffic(sets[set], &s, name);
}
END_TEST

/* The same with maps that have tiles enough for bands by Winograd's algorithm. */
START_TEST(test_traffic_is_what_bands_move)
{
    NetworkSpec s = spec_of(3, 16, CHANNELS, 2);
    static const unsigned kept[][3] = {{3, 3, 3}, {1, 3, 2}, {2, 1, 3}, {1, 2, 1}};
    for (int l = 0; l < 3; l++)
        s.kept[l] = kept[_i][l];
    for (int set = 0; set < SETS; set++)
        expect_traffic(sets[set], &s, "bands");
}
END_TEST

/* Where the direct sum is taken, and everything that an option changes. */
static NetworkSpec narrow(NetworkSpec s)
{
    s.channels = 6;
    return s;
}

static NetworkSpec no_bias(NetworkSpec s)
{
    s.bias = false;
    return s;
}

static NetworkSpec average(NetworkSpec s)
{
    s.down = POOL_AVERAGE;
    return s;
}

static NetworkSpec subsample(NetworkSpec s)
{
    s.down = POOL_SUBSAMPLE;
    return s;
}

static NetworkSpec bilinear(NetworkSpec s)
{
    s.up = UPSAMPLE_BILINEAR;
    return s;
}

static NetworkSpec affine(NetworkSpec s)
{
    s.affine = s.unshared = true;
    return s;
}

static NetworkSpec linear(NetworkSpec s)
{
    s.linear_head = true;
    return s;
}

static NetworkSpec mbconv(NetworkSpec s)
{
    s.block = BLOCK_MBCONV;
    return s;
}

static NetworkSpec bilinear_mbconv(NetworkSpec s)
{
    return bilinear(mbconv(s));
}

static NetworkSpec mixed(NetworkSpec s)
{
    s.depth = 3;
    return s;
}

static NetworkSpec mixed_in_part(NetworkSpec s)
{
    s.depth = 1;
    return s;
}

static const struct {
    const char *name;
    NetworkSpec (*changed)(NetworkSpec);
} changes[] = {{"6 channels", narrow},
               {"no bias", no_bias},
               {"average pooling", average},
               {"subsampling", subsample},
               {"bilinear upsampling", bilinear},
               {"affine, unshared", affine},
               {"a linear head", linear},
               {"MBConv", mbconv},
               {"MBConv, bilinear upsampling", bilinear_mbconv},
               {"a depth mix", mixed},
               {"a depth mix of one", mixed_in_part}};
enum { CHANGES = sizeof changes / sizeof *changes, CHANGED_MASKS = 8 };

START_TEST(test_traffic_is_what_every_option_moves)
{
    for (int i = 0; i < CHANGED_MASKS; i++) {
        const NetworkSpec s = changes[_i].changed(masked(i));
        char name[96];
        snprintf(name, sizeof name, "%s, levels %u, %u, %u", changes[_i].name, s.kept[0], s.kept[1],
                 s.kept[2]);
        for (int set = 0; set < SETS; set++)
            expect_traffic(sets[set], &s, name);
    }
}
END_TEST

START_TEST(test_traffic_is_what_fabrics_move)
{
    NetworkSpec s = spec_of(4, 4, 12, 0);
    s.net = _i == 0 ? NET_FABRIC_DENSE : NET_FABRIC_SPARSE;
    s.bias = false;
    s.linear_head = true;
    for (int set = 0; set < SETS; set++)
        expect_traffic(sets[set], &s, _i == 0 ? "a dense fabric" : "a sparse fabric");
}
END_TEST

/* Three layers without pooling, by hand. Forward the hidden one convolves (reads x, writes z, whose sums are
 * taken meanwhile) and mixes (reads z, writes y). Backward it makes bands of dconv (reads dsum and z), which
 * go to filters (x) and to the input (writes dx, whose products with the z before are added up meanwhile);
 * without filters 1 less. Where a group has too few tiles for bands, norm and ReLU of a step of the filters
 * write dconv, which filters and input read. */
START_TEST(test_traffic_of_a_layer_is_counted_by_hand)
{
    const NetworkSpec s = spec_of(3, 16, CHANNELS, 1), small = spec_of(3, 8, CHANNELS, 1);
    static const double bands[STEPS] = {4 + 5, 4 + 4, 4}, placed[STEPS] = {4 + 8, 4 + 4, 4};
    for (int step = 0; step < STEPS; step++) {
        for (int set = 0; set < SETS; set++)
            ck_assert_double_eq(step_maps(sets[set], &s, N, (StepKind)step), bands[step]);
        ck_assert_double_eq(step_maps(&f32_kernels_traced, &small, N, (StepKind)step), placed[step]);
    }
}
END_TEST

/* A second level in float, a quarter the size: forward 3 of its own, since the mix writes one y, and the
 * first one's convolution writes its x and marks, a quarter of that. Backward 6, or 9 where it has too few
 * tiles for bands, the pass that writes dsum writes its dsum too, and the first one's dx reads its dx and
 * marks. The direct sum, whose bands may be of any size, pools apart, reading x. */
START_TEST(test_traffic_of_a_level_is_counted_by_hand)
{
    const double marks = 0.25, own = (1 + marks) + 1 + (1 + marks);
    const NetworkSpec s = spec_of(3, 16, CHANNELS, 2), direct = spec_of(3, 16, 6, 2);
    ck_assert_double_eq(step_maps(&f32_kernels_traced, &s, N, WEIGHT_STEP), 9 + 0.25 * (12 + own));
    ck_assert_double_eq(step_maps(&f32_kernels_traced, &direct, N, WEIGHT_STEP), 9 + 0.25 * (9 + own) + 1);
}
END_TEST

/* Products of the hidden layer: 8x8 pixels of 32 lanes, 4 tiles of 36 by Winograd's algorithm, 22 x 22 pairs
 * of a pixel and a tap by the direct sum, in three passes of a step of the filters. */
START_TEST(test_products_are_counted_by_hand)
{
    const LayerSpec winograd = {
        .channels_in = CHANNELS, .channels_out = CHANNELS, .height = 8, .width = 8, .levels = 1, .kept = 1};
    LayerSpec direct = winograd;
    direct.channels_in = 6;
    const TrafficCount *count = f32_kernels_traced.traffic;
    Traffic t = traffic_sum(count->layer_forward(&winograd, N, 0, PASS_FILTERS),
                            count->layer_backward(&winograd, N, 0, true, 0, WANT_FILTERS));
    ck_assert_double_eq(t.products, 0);
    ck_assert_double_eq(t.float_products, 3.0 * 32 * 4 * 36 * CHANNELS * CHANNELS);
    t = traffic_sum(count->layer_forward(&direct, N, 0, PASS_FILTERS),
                    count->layer_backward(&direct, N, 0, true, 0, WANT_FILTERS));
    ck_assert_double_eq(t.products, 3.0 * 32 * 22 * 22 * 6 * CHANNELS);
    ck_assert_double_eq(t.float_products, 0);
}
END_TEST

/* Each time by its own peak. */
START_TEST(test_times_are_bytes_and_products_over_their_peaks)
{
    const Traffic t = {.read = 300, .written = 50, .products = 1000, .float_products = 70};
    const Peak peak = {.flops = 200, .bytes = 100, .written = 10}, floats = {.flops = 35};
    ck_assert_double_eq(traffic_bytes_seconds(t, peak), 3 + 5);
    ck_assert_double_eq(traffic_products_seconds(t, peak, floats), 10 + 4);
}
END_TEST

Suite *traffic_suite(void)
{
    Suite *suite = suite_create("traffic");
    TCase *traced_case = tcase_create("traced"), *hand = tcase_create("by hand");
    tcase_set_timeout(traced_case, 120);
    tcase_add_loop_test(traced_case, test_traffic_is_what_layers_move, 0, MASKS);
    tcase_add_loop_test(traced_case, test_traffic_is_what_bands_move, 0, 4);
    tcase_add_loop_test(traced_case, test_traffic_is_what_every_option_moves, 0, CHANGES);
    tcase_add_loop_test(traced_case, test_traffic_is_what_fabrics_move, 0, 2);
    tcase_add_test(hand, test_traffic_of_a_layer_is_counted_by_hand);
    tcase_add_test(hand, test_traffic_of_a_level_is_counted_by_hand);
    tcase_add_test(hand, test_products_are_counted_by_hand);
    tcase_add_test(hand, test_times_are_bytes_and_products_over_their_peaks);
    suite_add_tcase(suite, traced_case);
    suite_add_tcase(suite, hand);
    return suite;
}
