/* The fabric's graph, its node against loops written anew, and what is refused. */
#include "../experiments/network/fabric.h"
#include "compare.h"
#include "lanes.h"
#include "suites.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* The graph as sets of edges, scale by scale. */
START_TEST(test_fabric_graph)
{
    const NetworkSpec s = {.layers = 4,
                           .channels = 2,
                           .classes = 10,
                           .image_channels = 3,
                           .height = 32,
                           .width = 32,
                           .linear_head = true,
                           .net = NET_FABRIC_DENSE};
    int edges[MAX_LAYERS][3] = {{0}};
    ck_assert_int_eq(fabric_scales(&s), 6);
    ck_assert_int_eq(fabric_nodes(&s), 24);
    for (int i = 0; i < 24; i++) {
        const FabricNode node = fabric_node(&s, i);
        ck_assert_int_eq(node.layer, i / 6);
        ck_assert_int_eq(node.spec.height, 32 >> node.scale);
        ck_assert_int_eq(node.spec.width, 32 >> node.scale);
        for (int e = 0; e < node.spec.edges; e++) {
            const int from = node.input[e], way = (int)node.spec.edge[e].from;
            edges[node.layer][way]++;
            if (from == FABRIC_IMAGES) {
                ck_assert(i == 0 && way == EDGE_SAME && node.spec.edge[e].channels == 3);
                continue;
            }
            const FabricNode before = fabric_node(&s, from);
            ck_assert_int_lt(from, i);
            ck_assert_int_eq(before.scale, node.scale + (way == EDGE_COARSER) - (way == EDGE_FINER));
            ck_assert_int_ge(before.layer, node.layer - 1);
            for (int other = 0; other < e; other++)
                ck_assert_int_ne(node.input[other], from);
        }
    }
    const int right[4][3] = {{1, 5, 0}, {6, 5, 5}, {6, 5, 5}, {6, 10, 5}};
    for (int l = 0; l < 4; l++)
        for (int way = 0; way < 3; way++)
            ck_assert_int_eq(edges[l][way], right[l][way]);
}
END_TEST

/* One output of the node of three edges, pixel by pixel: the finer map is read at twice the place, the
 * coarser one only where a tap meets one of its pixels. */
static double node_sum(const double *const x[], const double *w, const NodeSpec *s, int n, int k, int y,
                       int x_out)
{
    double sum = 0;
    for (int e = 0; e < s->edges; e++) {
        const int c_in = s->edge[e].channels;
        const int h = e == 1 ? 2 * s->height : e == 2 ? s->height / 2 : s->height;
        const int width = e == 1 ? 2 * s->width : e == 2 ? s->width / 2 : s->width;
        for (int c = 0; c < c_in; c++)
            for (int i = -1; i <= 1; i++)
                for (int j = -1; j <= 1; j++) {
                    int row = (e == 1 ? 2 * y : y) + i, column = (e == 1 ? 2 * x_out : x_out) + j;
                    if (s->edge[e].sparse && abs(c - k) > 1)
                        continue;
                    if (e == 2 && (row % 2 != 0 || column % 2 != 0))
                        continue;
                    row = e == 2 ? row / 2 : row;
                    column = e == 2 ? column / 2 : column;
                    if (row < 0 || row >= h || column < 0 || column >= width)
                        continue;
                    sum += w[node_weights_at(s, e) + ((k * c_in + c) * 3 + i + 1) * 3 + j + 1] *
                           x[e][((n * c_in + c) * h + row) * width + column];
                }
    }
    return sum;
}

START_TEST(test_fabric_node_by_plain_loops)
{
    const bool sparse = _i % 2;
    const NodeSpec s = {.channels = 4,
                        .height = 4,
                        .width = 6,
                        .edges = 3,
                        .edge = {{EDGE_SAME, 4, sparse}, {EDGE_FINER, 4, sparse}, {EDGE_COARSER, 4, sparse}},
                        .affine = true,
                        .eps = 1e-3};
    enum { N = 2 };
    const size_t count = shape_count(node_output(&s, N)), numbers = node_filters_count(&s);
    const double *w = random_doubles(numbers, 1), *x[MAX_EDGES];
    double *y = doubles(count), *right = doubles(count), *z = doubles(count), mean[4], variance[4];
    NodeArrays a = {.z = doubles(count),
                    .mean = mean,
                    .variance = variance,
                    .part = doubles(count),
                    .brought = doubles(count),
                    .seen = doubles(4 * 4 * 9)};
    NodeParameters p = {.gamma = w + node_weights_at(&s, 3)};
    p.beta = p.gamma + s.channels;
    for (int e = 0; e < 3; e++) {
        x[e] = random_doubles(shape_count(node_input(&s, e, N)), 2 + (uint32_t)e);
        p.w[e] = w + node_weights_at(&s, e);
    }
    ref_node_forward(y, &a, x, &p, true, &s, N);
    for (int k = 0; k < 4; k++) {
        double sum = 0, squares = 0;
        const int pixels = s.height * s.width;
        for (int n = 0; n < N; n++)
            for (int at = 0; at < pixels; at++)
                sum += z[(n * 4 + k) * pixels + at] = node_sum(x, w, &s, n, k, at / s.width, at % s.width);
        for (int n = 0; n < N; n++)
            for (int at = 0; at < pixels; at++)
                squares += pow(z[(n * 4 + k) * pixels + at] - sum / (N * pixels), 2);
        for (int n = 0; n < N; n++)
            for (int at = 0; at < pixels; at++)
                right[(n * 4 + k) * pixels + at] =
                    fmax(0, p.gamma[k] * (z[(n * 4 + k) * pixels + at] - sum / (N * pixels)) /
                                    sqrt(squares / (N * pixels) + s.eps) +
                                p.beta[k]);
    }
    CK_WITHIN(compare_double(a.z, z, 1, count), 1e-13, "z");
    CK_WITHIN(compare_double(y, right, 1, count), 1e-12, "y");
}
END_TEST

/* What no fabric is. */
START_TEST(test_fabric_refuses)
{
    const NetworkSpec right = {.layers = 2,
                               .channels = 2,
                               .classes = 10,
                               .image_channels = 3,
                               .height = 32,
                               .width = 32,
                               .linear_head = true,
                               .net = NET_FABRIC_SPARSE};
    NetworkSpec wrong[7];
    Error error;
    for (int i = 0; i < 7; i++)
        wrong[i] = right;
    wrong[0].height = 16;
    wrong[1].height = wrong[1].width = 24;
    wrong[2].height = wrong[2].width = 256;
    wrong[3].levels = 1;
    wrong[4].linear_head = false;
    wrong[5].bias = true;
    wrong[6].layers = 1;
    ck_assert(network_check(&right, &error));
    for (int i = 0; i < 7; i++)
        ck_assert_msg(!network_check(&wrong[i], &error), "number %d", i);
}
END_TEST

Suite *fabric_graph_suite(void)
{
    Suite *suite = suite_create("fabric_graph");
    TCase *tcase = tcase_create("by hand");
    tcase_add_checked_fixture(tcase, NULL, arrays_free);
    tcase_add_test(tcase, test_fabric_graph);
    tcase_add_loop_test(tcase, test_fabric_node_by_plain_loops, 0, 2);
    tcase_add_test(tcase, test_fabric_refuses);
    suite_add_tcase(suite, tcase);
    return suite;
}
