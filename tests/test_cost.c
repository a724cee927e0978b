/* The cost model against numbers worked out by hand, and the paper's claims about cost.
 *
 * Claims: s3.2.quarter s3.2.cost-under-two s3.2.cost-under-four-thirds t1.no-pooling.cost
 * t1.predefined.cost t1.scale-invariant.cost t1.ours.cost t1.parameters. */
#include "../experiments/network/cost.h"
#include "../experiments/protocol/plan.h"
#include "suites.h"

static NetworkSpec network(int pooling, int layers, int channels, int levels)
{
    Options o;
    NetworkSpec s;
    Error error;
    options_default(&o);
    o.pooling = pooling;
    o.layers = layers;
    o.channels = channels;
    o.levels = levels;
    snprintf(o.stages, sizeof o.stages, "3,3,2,2");
    ck_assert_msg(plan_network(&s, &o, &error), "%s", error.text);
    return s;
}

static double gigamacs(NetworkSpec s)
{
    return network_cost(&s).macs / 1e9;
}

START_TEST(test_cost_of_the_papers_networks)
{
    const NetworkSpec none = network(POOLING_NONE, 10, 64, 1), five = network(POOLING_LEARNED, 10, 64, 5);
    ck_assert_uint_eq(network_cost(&none).weights, 302400);
    ck_assert_uint_eq(network_cost(&none).parameters, 302986);
    ck_assert_uint_eq(network_cost(&five).weights, 302400);
    ck_assert_double_eq(network_cost(&none).macs, 302400.0 * 1024);
    ck_assert_double_eq_tol(gigamacs(none), 0.3097, 5e-5);
    ck_assert_double_eq_tol(gigamacs(five), 0.4125, 5e-5);
    ck_assert_double_eq_tol(gigamacs(network(POOLING_UNIFORM, 10, 64, 5)), 0.4125, 5e-5);
    ck_assert_double_eq_tol(gigamacs(network(POOLING_PREDEFINED, 10, 64, 1)), 0.1110, 5e-5);
    const NetworkSpec wide = network(POOLING_LEARNED, 8, 128, 5);
    ck_assert_uint_eq(network_cost(&wide).weights, 899712);
    ck_assert_double_eq_tol(gigamacs(wide), 1.2272, 5e-5);
}
END_TEST

/* Section 3.2 says less than twice the cost of one resolution; it is less than 4/3. */
START_TEST(test_cost_of_levels_stays_under_four_thirds)
{
    const double one = gigamacs(network(POOLING_NONE, 10, 64, 1));
    double before = one;
    for (int levels = 2; levels <= 6; levels++) {
        const double cost = gigamacs(network(POOLING_LEARNED, 10, 64, levels));
        ck_assert_double_gt(cost, before);
        ck_assert_double_lt(cost, 4.0 / 3 * one);
        before = cost;
    }
}
END_TEST

/* A set of filters for each kept level: so many numbers more, and not one product. */
START_TEST(test_cost_of_filters_that_are_not_shared)
{
    const NetworkSpec shared = network(POOLING_LEARNED, 10, 64, 5);
    NetworkSpec s = shared;
    s.unshared = true;
    ck_assert_uint_eq(network_cost(&s).weights, 5 * 302400);
    ck_assert_uint_eq(network_cost(&s).parameters, 5 * 302986);
    ck_assert_double_eq(network_cost(&s).macs, network_cost(&shared).macs);
    s.kept[9] = 5;
    s.affine = true;
    ck_assert_uint_eq(network_cost(&s).weights, 5 * 302400 - 3 * 5760);
    ck_assert_uint_eq(network_cost(&s).parameters, 5 * (302986 + 2 * (9 * 64 + 10)) - 3 * (5760 + 10));
}
END_TEST

/* The mix over depth has no filters. */
START_TEST(test_cost_of_a_learned_depth_is_that_of_a_fixed_one)
{
    const NetworkSpec fixed = network(POOLING_LEARNED, 20, 64, 5);
    NetworkSpec s = fixed;
    s.depth = all_levels(19);
    ck_assert_uint_eq(network_cost(&s).parameters, network_cost(&fixed).parameters);
    ck_assert_double_eq(network_cost(&s).macs, network_cost(&fixed).macs);
}
END_TEST

START_TEST(test_cost_adds_up_over_layers_and_levels)
{
    NetworkSpec s = network(POOLING_LEARNED, 10, 16, 5);
    s.kept[3] = 1u << 2;
    s.kept[9] = 5;
    const Cost cost = network_cost(&s);
    double sum = 0;
    for (int l = 0; l < s.layers; l++)
        for (int r = 0; r < MAX_LEVELS; r++)
            sum += cost.level_macs[l][r];
    ck_assert_double_eq(sum, cost.macs);
    ck_assert_double_eq(cost.level_macs[3][2], 8.0 * 8 * 9 * 16 * 16);
    ck_assert_double_eq(cost.level_macs[3][0], 0);
    ck_assert_double_eq(cost.level_macs[9][2], 8.0 * 8 * 9 * 16 * 10);
}
END_TEST

START_TEST(test_cost_of_the_linear_head)
{
    NetworkSpec s = network(POOLING_NONE, 10, 64, 1);
    s.linear_head = true;
    s.affine = true;
    const Cost cost = network_cost(&s);
    ck_assert_uint_eq(cost.weights, 9 * 3 * 64 + 9 * 9 * 64 * 64 + 640);
    ck_assert_uint_eq(cost.parameters, cost.weights + 10 * 64 + 10 * 2 * 64 + 10);
}
END_TEST

/* Table 4, Eff-Conv: 8 layers of 128 channels, 6 of them MBConv, counted by hand. A block has 2 x 768 x 128
 * weights of 1x1 convolutions, 9 x 768 depthwise and 2 x 768 x 32 of squeeze-and-excitation, with 32 + 768
 * biases. */
START_TEST(test_cost_of_eff_conv)
{
    NetworkSpec s = network(POOLING_LEARNED, 8, 128, 5);
    s.block = BLOCK_MBCONV;
    const double pixels = 1024 + 256 + 64 + 16 + 4, block = 2 * 768 * 128 + 9 * 768;
    const Cost cost = network_cost(&s);
    ck_assert_uint_eq(cost.weights, 1535808);
    ck_assert_uint_eq(cost.parameters, 1535808 + 128 + 10);
    ck_assert_double_eq(cost.level_macs[0][0], 1024.0 * 9 * 3 * 128);
    ck_assert_double_eq(cost.level_macs[3][0], 1024 * block + 2 * 768 * 32);
    ck_assert_double_eq(cost.level_macs[3][4], 4 * block + 2 * 768 * 32);
    ck_assert_double_eq(cost.level_macs[7][1], 256.0 * 9 * 128 * 10);
    ck_assert_double_eq(cost.macs,
                        6 * (pixels * block + 5 * 2 * 768 * 32) + pixels * 9 * (3 * 128 + 128 * 10));
    ck_assert_double_eq_tol(cost.macs / 1e9, 1.6875, 5e-5);
    s.affine = true;
    ck_assert_uint_eq(network_cost(&s).parameters, 1535946 + 5 * (6 * 2 * (768 + 768 + 128) + 2 * 138));
    s.shared_norm = true;
    ck_assert_uint_eq(network_cost(&s).parameters, 1535946 + 6 * 3328 + 2 * 138);
    s.channels = 3; /* Q is 1 at least */
    s.affine = false;
    ck_assert_uint_eq(network_cost(&s).weights,
                      9 * 3 * 3 + 9 * 3 * 10 + 6 * (2 * 18 * 3 + 9 * 18 + 2 * 18 + 1 + 18));
}
END_TEST

static NetworkSpec fabric(NetKind kind, int layers, int channels)
{
    Options o;
    NetworkSpec s;
    Error error;
    options_default(&o);
    o.net = (int)kind;
    o.pooling = POOLING_NONE;
    o.head = HEAD_LINEAR;
    o.bias = false;
    o.layers = layers;
    o.channels = channels;
    ck_assert_msg(plan_network(&s, &o, &error), "%s", error.text);
    return s;
}

/* The paper prints 21.2M and 2M parameters. The formula gives 21.2M; 0.5M numbers of four bytes are 2 MB. The
 * graph has 16 convolutions between layers and 5 in each zipper. */
START_TEST(test_cost_of_fabrics)
{
    const NetworkSpec dense = fabric(NET_FABRIC_DENSE, 8, 128), sparse = fabric(NET_FABRIC_SPARSE, 16, 64);
    const size_t square = 9 * 128 * 128, band = 9 * (3 * 64 - 2);
    const Cost wide = network_cost(&dense), thin = network_cost(&sparse);
    ck_assert_uint_eq(wide.formula, 21233664);
    ck_assert_uint_eq(thin.formula, 497664);
    ck_assert_uint_eq(wide.weights, 17994368);
    ck_assert_uint_eq(wide.weights, (7 * 16 + 10) * square + 9 * 3 * 128 + 1280);
    ck_assert_uint_eq(thin.weights, 429868);
    ck_assert_uint_eq(thin.weights, (15 * 16 + 10) * band + 9 * 3 * 64 + 640);
    ck_assert_uint_eq(wide.parameters, wide.weights + 10);
    /* Pixels of a convolution's output: 1365 at the same scale, 341 from the finer, 1364 from the coarser. */
    ck_assert_double_eq(wide.macs,
                        (7.0 * (1365 + 341 + 1364) + 2 * 341) * (double)square + 1024.0 * 9 * 3 * 128 + 1280);
    ck_assert_double_eq(wide.level_macs[7][5], 3.0 * (double)square);
    ck_assert_double_eq(wide.level_macs[3][5], 2.0 * (double)square);
    NetworkSpec affine = sparse;
    affine.affine = true;
    ck_assert_uint_eq(network_cost(&affine).parameters, thin.weights + 10 + 16 * 6 * 2 * 64);
    const NetworkSpec layers = network(POOLING_NONE, 10, 64, 1);
    ck_assert_uint_eq(network_cost(&layers).formula, 0);
}
END_TEST

Suite *cost_suite(void)
{
    Suite *suite = suite_create("cost");
    TCase *tcase = tcase_create("by hand");
    tcase_add_test(tcase, test_cost_of_the_papers_networks);
    tcase_add_test(tcase, test_cost_of_levels_stays_under_four_thirds);
    tcase_add_test(tcase, test_cost_of_filters_that_are_not_shared);
    tcase_add_test(tcase, test_cost_of_a_learned_depth_is_that_of_a_fixed_one);
    tcase_add_test(tcase, test_cost_adds_up_over_layers_and_levels);
    tcase_add_test(tcase, test_cost_of_the_linear_head);
    tcase_add_test(tcase, test_cost_of_eff_conv);
    tcase_add_test(tcase, test_cost_of_fabrics);
    suite_add_tcase(suite, tcase);
    return suite;
}
