/* The network of a fabric: its gradients in double end to end, the fast sets against ref node by node, and
 * what a step leaves alone. */
#include "../experiments/network/bilevel.h"
#include "../experiments/network/fabric.h"
#include "gradient.h"
#include "lanes.h"
#include "node_check.h"
#include "suites.h"
#include <math.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>

enum { CLASSES = 4, IMAGES = 5 };

#define FABRIC(kind, of_layers, of_channels, side, is_affine)                                  \
    {                                                                                          \
        .layers = of_layers, .channels = of_channels, .classes = CLASSES, .image_channels = 3, \
        .height = side, .width = side, .linear_head = true, .affine = is_affine, .eps = 1e-5,  \
        .momentum = 0.1, .net = kind                                                           \
    }

static const NetworkSpec table[] = {
    FABRIC(NET_FABRIC_DENSE, 3, 3, 4, false),
    FABRIC(NET_FABRIC_DENSE, 2, 4, 4, true),
    FABRIC(NET_FABRIC_SPARSE, 3, 5, 4, true),
    FABRIC(NET_FABRIC_SPARSE, 3, 4, 4, false),
    /* Nodes that convolve by Winograd's algorithm: too large for differences. */
    FABRIC(NET_FABRIC_DENSE, 3, 25, 16, false),
    FABRIC(NET_FABRIC_SPARSE, 2, 26, 8, true),
};
enum { ROWS = sizeof table / sizeof *table, SMALL = 4 };

typedef struct {
    Network *net;
    float *images;
    int *labels, n;
    double *filters;
} Case;

static void make(Case *c, const Engine *engine, const NetworkSpec *spec, int n)
{
    Error error;
    c->net = network_create(engine, spec, n, &error);
    ck_assert_msg(c->net != NULL, "%s", error.text);
    network_initialise(c->net, 5);
    const size_t count = c->net->filters_count;
    c->n = n;
    c->images = random_floats((size_t)n * 3 * spec->height * spec->width, 1);
    c->labels = random_labels((size_t)n, spec->classes, 2);
    c->filters = doubles(count);
    engine->vector_read(c->filters, c->net->filters, 0, count);
    const double *noise = random_doubles(count, 4); /* so that no beta is 0, and no filter that is not seen */
    for (size_t i = 0; i < count; i++)
        c->filters[i] = (float)(c->filters[i] + 0.1 * noise[i]);
    engine->vector_write(c->net->filters, 0, c->filters, count);
}

static double *vector(const Network *net, const Vector *v, size_t count)
{
    double *values = doubles(count);
    net->engine->vector_read(values, v, 0, count);
    return values;
}

static Outcome forward(void *context)
{
    Case *c = context;
    const NetworkSpec *s = &c->net->spec;
    double *values = malloc((size_t)c->n * s->channels * s->height * s->width * sizeof *values);
    c->net->engine->vector_write(c->net->filters, 0, c->filters, c->net->filters_count);
    Outcome outcome = {network_forward(c->net, c->images, c->labels, c->n, PASS_LOGITS), 1};
    for (int i = 0; i < fabric_nodes(s); i++) {
        const NodeSpec node = fabric_node(s, i).spec;
        c->net->engine->tensor_export(values, fabric_map(c->net->fabric, i));
        outcome.pattern = pattern_signs(outcome.pattern, values, shape_count(node_output(&node, c->n)));
    }
    free(values);
    return outcome;
}

START_TEST(test_fabric_gradients_in_double)
{
    Case c;
    make(&c, &ref_engine, &table[_i], IMAGES);
    forward(&c);
    network_backward(c.net, WANT_FILTERS | WANT_LOGITS);
    double *dfilters = vector(c.net, c.net->dfilters, c.net->filters_count);
    CK_GRADIENT(((GradientCheck){forward, &c, c.filters, dfilters, c.net->filters_count}), "filters");
    network_free(c.net);
}
END_TEST

static double *exported(const Engine *engine, const Tensor *t, const NodeSpec *s, int n)
{
    double *values = doubles(shape_count(node_output(s, n)));
    engine->tensor_export(values, t);
    return values;
}

/* The parts of a walk back through the nodes: gradients of all maps, none in another's place. */
typedef struct {
    const NetworkSpec *spec;
    Network *net;
    Tensor **dmap;
    size_t *at; /* where each node's slice of the filters starts */
    double *images;
    int n;
} Walk;

static Walk walk_make(Case *c)
{
    const NetworkSpec *s = &c->net->spec;
    const int count = fabric_nodes(s);
    Walk walk = {s, c->net, malloc(count * sizeof(Tensor *)), malloc(count * sizeof(size_t)), NULL, c->n};
    size_t at = 0;
    for (int i = 0; i < count; i++) {
        const NodeSpec node = fabric_node(s, i).spec;
        walk.dmap[i] = c->net->engine->tensor_create(node_output(&node, c->n));
        c->net->engine->tensor_clear(walk.dmap[i], c->n);
        walk.at[i] = at;
        at += node_filters_count(&node);
    }
    walk.images = doubles((size_t)c->n * 3 * s->height * s->width);
    c->net->engine->tensor_export(walk.images, c->net->map[0]);
    return walk;
}

static void walk_free(Walk *walk)
{
    for (int i = 0; i < fabric_nodes(walk->spec); i++)
        walk->net->engine->tensor_free(walk->dmap[i]);
    free(walk->dmap);
    free(walk->at);
}

static void check_node(const Walk *walk, int i)
{
    const Network *net = walk->net;
    const Engine *e = net->engine;
    const FabricNode node = fabric_node(walk->spec, i);
    const double *filters = vector(net, net->filters, net->filters_count) + walk->at[i];
    NodeCase c = {e, node.spec, walk->n, fabric_node_of(net->fabric, i), filters, {NULL}, NULL};
    Tensor *dx[MAX_EDGES];
    const double *before[MAX_EDGES] = {NULL}, *after[MAX_EDGES] = {NULL};
    c.output = exported(e, fabric_map(net->fabric, i), &node.spec, walk->n);
    for (int edge = 0; edge < node.spec.edges; edge++) {
        const int from = node.input[edge];
        dx[edge] = from == FABRIC_IMAGES ? NULL : walk->dmap[from];
        c.input[edge] = walk->images;
        if (from == FABRIC_IMAGES)
            continue;
        const NodeSpec input = fabric_node(walk->spec, from).spec;
        c.input[edge] = exported(e, fabric_map(net->fabric, from), &input, walk->n);
        before[edge] = exported(e, walk->dmap[from], &input, walk->n);
    }
    node_check_forward(&c);
    const double *dy = exported(e, walk->dmap[i], &node.spec, walk->n);
    const double *dw = vector(net, net->dfilters, net->filters_count) + walk->at[i];
    e->node_backward((Node *)c.node, dx, walk->dmap[i], WANT_FILTERS);
    for (int edge = 0; edge < node.spec.edges; edge++) {
        if (node.input[edge] == FABRIC_IMAGES)
            continue;
        const NodeSpec input = fabric_node(walk->spec, node.input[edge]).spec;
        after[edge] = exported(e, walk->dmap[node.input[edge]], &input, walk->n);
    }
    node_check_backward(&c, dy, dw, vector(net, net->dfilters, net->filters_count) + walk->at[i], before,
                        after);
}

/* Forward, then back node by node; the pass of the whole fabric, which shares the rooms of gradients, gives
 * the same bits. Gradients of filters start from other numbers than 0. */
START_TEST(test_fabric_nodes_match_ref)
{
    const Kernels *kernels = loop_set(_i, ROWS);
    const NetworkSpec *spec = &table[_i % ROWS];
    Case c;
    if (!kernels)
        return;
    make(&c, kernels->engine, spec, spec->height > 8 ? 17 : 21);
    const Network *net = c.net;
    const size_t count = net->filters_count;
    const int last = fabric_nodes(spec) - 1;
    const double *prefill = random_doubles(count, 8);
    net->engine->vector_write(net->dfilters, 0, prefill, count);
    network_forward(c.net, c.images, c.labels, c.n, PASS_FILTERS);
    network_backward(c.net, WANT_FILTERS);
    const double *whole = vector(net, net->dfilters, count);

    net->engine->vector_write(net->dfilters, 0, prefill, count);
    network_forward(c.net, c.images, c.labels, c.n, PASS_FILTERS);
    Walk walk = walk_make(&c);
    net->engine->head_backward(net->head, walk.dmap[last], WANT_FILTERS);
    for (int i = last; i >= 0; i--)
        check_node(&walk, i);
    CK_WITHIN(compare_exact_double(vector(net, net->dfilters, count), whole, count), 0, "the whole pass");
    walk_free(&walk);
    network_free(c.net);
}
END_TEST

/* Filters that no edge sees start at 0 and stay there under momentum and decay; statistics are tracked by
 * steps of the filters alone, and inference uses them. */
static void check_steps(const Engine *engine)
{
    const NetworkSpec *spec = &table[2];
    Error error;
    Network *net = network_create(engine, spec, 8, &error);
    ck_assert_ptr_nonnull(net);
    network_initialise(net, 3);
    const Batch batch = {random_floats(8 * 3 * 16, 1), random_labels(8, CLASSES, 2), 8};
    const double *start = vector(net, net->filters, net->filters_count);
    for (int t = 0; t < 3; t++)
        filters_step(net, batch, (Sgd){0.1, 0.9, 1e-2});
    const double *w = vector(net, net->filters, net->filters_count);
    size_t at = 0, still = 0, moved = 0;
    for (int i = 0; i < fabric_nodes(spec); i++) {
        const NodeSpec node = fabric_node(spec, i).spec;
        for (int e = 0; e < node.edges; e++)
            for (size_t f = 0; f < node_weights_at(&node, e + 1) - node_weights_at(&node, e); f++) {
                const size_t weight = at + node_weights_at(&node, e) + f;
                const int far = (int)(f / 9 / node.edge[e].channels) - (int)(f / 9 % node.edge[e].channels);
                if (node.edge[e].sparse && (far > 1 || far < -1)) {
                    ck_assert(start[weight] == 0 && w[weight] == 0);
                    still++;
                } else
                    moved += w[weight] != start[weight];
            }
        at += node_filters_count(&node);
    }
    ck_assert_uint_gt(still, 0);
    ck_assert_uint_gt(moved, at * 2 / 5);
    const double *statistics = vector(net, net->statistics, net->statistics_count);
    ck_assert_double_eq_tol(statistics[2 * spec->channels], 1 - 0.9 * 0.9 * 0.9, 1e-6);
    network_forward(net, batch.images, batch.labels, 8, PASS_LOGITS);
    const double trained = network_forward(net, batch.images, batch.labels, 8, PASS_INFERENCE);
    CK_WITHIN(compare_exact_double(vector(net, net->statistics, net->statistics_count), statistics,
                                   net->statistics_count),
              0, "tracked statistics");
    ck_assert_double_eq(network_forward(net, batch.images, batch.labels, 1, PASS_INFERENCE),
                        network_forward(net, batch.images, batch.labels, 1, PASS_INFERENCE));
    ck_assert(isfinite(trained));
    network_free(net);
}

START_TEST(test_fabric_steps_leave_alone_what_is_not_seen_ref)
{
    check_steps(&ref_engine);
}
END_TEST

START_TEST(test_fabric_steps_leave_alone_what_is_not_seen_fast)
{
    const Kernels *kernels = use_version(_i);
    if (kernels)
        check_steps(kernels->engine);
}
END_TEST

static double *trained(const Engine *engine, const NetworkSpec *spec, int threads, size_t *count)
{
    Case c;
    omp_set_num_threads(threads);
    make(&c, engine, spec, 20);
    for (int t = 0; t < 2; t++)
        filters_step(c.net, (Batch){c.images, c.labels, c.n}, (Sgd){0.1, 0.9, 0});
    *count = c.net->filters_count;
    double *filters = vector(c.net, c.net->filters, *count);
    network_free(c.net);
    return filters;
}

START_TEST(test_fabric_training_does_not_depend_on_threads)
{
    const Kernels *kernels = use_version(_i);
    size_t count;
    if (!kernels)
        return;
    for (int row = SMALL - 1; row < ROWS; row++) {
        const double *one = trained(kernels->engine, &table[row], 1, &count);
        CK_WITHIN(compare_exact_double(trained(kernels->engine, &table[row], 2, &count), one, count), 0,
                  "2 threads");
        CK_WITHIN(compare_exact_double(trained(kernels->engine, &table[row], 3, &count), one, count), 0,
                  "3 threads");
    }
}
END_TEST

/* A batch learned by heart, by both kinds. */
START_TEST(test_fabric_learns_a_batch_by_heart)
{
    const Kernels *kernels = kernels_best(_i < 2 ? "f32" : "bf16");
    const NetworkSpec spec = FABRIC(_i % 2 ? NET_FABRIC_SPARSE : NET_FABRIC_DENSE, 3, 12, 8, true);
    Case c;
    make(&c, kernels->engine, &spec, 32);
    Step step = {0};
    for (int t = 0; t < 100; t++)
        step = filters_step(c.net, (Batch){c.images, c.labels, c.n}, (Sgd){0.05, 0.9, 0});
    ck_assert_double_lt(step.loss, 0.1);
    ck_assert_int_eq(step.correct, 32);
    network_free(c.net);
}
END_TEST

Suite *fabric_suite(void)
{
    Suite *suite = suite_create("fabric");
    TCase *tcase = tcase_create("fabric");
    tcase_add_checked_fixture(tcase, NULL, arrays_free);
    tcase_set_timeout(tcase, 120);
    tcase_add_loop_test(tcase, test_fabric_gradients_in_double, 0, SMALL);
    tcase_add_loop_test(tcase, test_fabric_nodes_match_ref, 0, VERSIONS * ROWS);
    tcase_add_test(tcase, test_fabric_steps_leave_alone_what_is_not_seen_ref);
    tcase_add_loop_test(tcase, test_fabric_steps_leave_alone_what_is_not_seen_fast, 0, VERSIONS);
    tcase_add_loop_test(tcase, test_fabric_training_does_not_depend_on_threads, 0, VERSIONS);
    tcase_add_loop_test(tcase, test_fabric_learns_a_batch_by_heart, 0, 4);
    suite_add_tcase(suite, tcase);
    return suite;
}
