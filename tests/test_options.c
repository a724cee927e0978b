/* Options, the plan they resolve to, and pruning masks.
 *
 * Claims: abs.one-or-multiple s4.1.split-sizes s4.1.cosine s4.1.adam s4.2.rule-of-thumb s4.2.threshold
 * s4.2.best-resolution fig3.panels. */
#include "../experiments/protocol/effect.h"
#include "../experiments/protocol/plan.h"
#include "../experiments/training/prune.h"
#include "suites.h"
#include <string.h>

static Options standard(void)
{
    Options o;
    options_default(&o);
    return o;
}

/* A data set of sizes only: the plan does not look at images. */
static Dataset sizes(int train, int test)
{
    return (Dataset){.name = "sizes", .train = {.count = train}, .test = {.count = test}};
}

START_TEST(test_options_are_read_back_to_the_same_bits)
{
    static char text[16384], again[16384];
    Error error;
    Options o = standard(), back = standard();
    o.lr = 0.1 + 1e-17;
    o.lr_min = 1.0 / 3;
    o.logits_lr = 83200e-4 / 780;
    o.seed = 77;
    o.pooling = POOLING_UNIFORM;
    snprintf(o.prune_from, sizeof o.prune_from, "some run");
    options_write(text, sizeof text, &o);
    ck_assert_msg(options_read(&back, text, "text", &error), "%s", error.text);
    options_write(again, sizeof again, &back);
    ck_assert_str_eq(text, again);
    ck_assert_ptr_null(options_difference(&o, &back));
    ck_assert_double_eq(o.lr_min, back.lr_min);
    back.batch++;
    ck_assert_str_eq(options_difference(&o, &back), "batch");
}
END_TEST

static const struct {
    const char *name, *value, *word; /* what the sentence must contain */
} bad[] = {
    {"layer", "10", "layer"},
    {"layers", "ten", "whole number"},
    {"layers", "0", "from 1"},
    {"layers", "10x", "whole number"},
    {"layers", "", "whole number"},
    {"batch", "-3", "from 1"},
    {"lr", "nan", "number"},
    {"lr", "1e999", "number"},
    {"momentum", "1.5", "from 0 to 1"},
    {"down", "maximum", "max|average"},
    {"down", "", "max|average"},
    {"seed", "99999999999", "whole number"},
    {"stages", "3\t3", "tabs"},
    {"stages", "3\n3", "line ends"},
};
enum { BAD = sizeof bad / sizeof *bad };

START_TEST(test_options_refuse_what_is_wrong)
{
    Options o = standard(), before = o;
    Error error = {""};
    ck_assert(!options_set(&o, bad[_i].name, bad[_i].value, &error));
    ck_assert_msg(strstr(error.text, bad[_i].name) && strstr(error.text, bad[_i].word), "says: %s",
                  error.text);
    ck_assert_ptr_null(options_difference(&o, &before));
}
END_TEST

START_TEST(test_options_refuse_a_broken_config)
{
    Options o = standard();
    Error error;
    ck_assert(!options_read(&o, "layers\t10\nbatch\n", "config.tsv", &error));
    ck_assert_ptr_nonnull(strstr(error.text, "line 2"));
    ck_assert(!options_read(&o, "layers\tmany\n", "config.tsv", &error));
    ck_assert_ptr_nonnull(strstr(error.text, "layers"));
}
END_TEST

START_TEST(test_plan_resolves_the_defaults_of_the_paper)
{
    const Dataset data = sizes(50000, 10000);
    const Options o = standard();
    Error error;
    Plan plan;
    ck_assert_msg(plan_make(&plan, &o, &data, &error), "%s", error.text);
    ck_assert_int_eq(plan.iterations, 208);
    ck_assert_int_eq(plan.epochs, 400);
    ck_assert(plan.learns_alpha);
    ck_assert_double_eq(plan.options.logits_lr, 1e-4); /* 400 x 208 iterations: as printed */
    ck_assert_str_eq(plan.options.stages, "3,3,2,2");
    ck_assert_uint_eq(plan.network.kept[9], 31);
    ck_assert_double_eq(plan_lr(&plan, 0), 0.1);
    ck_assert_double_eq_tol(plan_lr(&plan, 200), (0.1 + 0.001) / 2, 1e-12);
    ck_assert_double_gt(plan_lr(&plan, 399), 0.001);
}
END_TEST

/* Choice "baseline-data": D_b goes to those who learn no alpha, and to nobody else. */
START_TEST(test_plan_gives_d_b_to_fixed_architectures_alone)
{
    const Dataset data = sizes(50000, 10000);
    Options o = standard();
    Error error;
    Plan plan;
    o.fixed_data = FIXED_DATA_ALL;
    for (int pooling = POOLING_NONE; pooling <= POOLING_LEARNED; pooling++) {
        o.pooling = pooling;
        ck_assert_msg(plan_make(&plan, &o, &data, &error), "%s", error.text);
        ck_assert_int_eq(plan.images, pooling == POOLING_LEARNED ? 40000 : 50000);
    }
}
END_TEST

START_TEST(test_plan_rescales_the_rate_of_the_logits)
{
    const Dataset data = sizes(50000, 10000);
    Options o = standard();
    Error error;
    Plan plan;
    o.epochs = 40;
    ck_assert(plan_make(&plan, &o, &data, &error));
    ck_assert_double_eq_tol(plan.options.logits_lr, 1e-3, 1e-12);
    o.epochs = 1;
    ck_assert(plan_make(&plan, &o, &data, &error));
    ck_assert_double_eq(plan.options.logits_lr, 1e-2);
    o.logits_lr = 5e-3;
    ck_assert(plan_make(&plan, &o, &data, &error));
    ck_assert_double_eq(plan.options.logits_lr, 5e-3);
}
END_TEST

START_TEST(test_plan_fine_tunes_over_the_last_tenth)
{
    const Dataset data = sizes(50000, 10000);
    Options o = standard();
    Error error;
    Plan plan;
    snprintf(o.prune_from, sizeof o.prune_from, "ours");
    ck_assert(plan_make(&plan, &o, &data, &error));
    ck_assert_int_eq(plan.epochs, 40);
    ck_assert(!plan.learns_alpha);
    ck_assert_double_eq(plan_lr(&plan, 0), ref_cosine_lr(360, 400, 0.1, 0.001));
    ck_assert_double_eq(plan_lr(&plan, 20), ref_cosine_lr(380, 400, 0.1, 0.001));
    o.epochs = 5;
    ck_assert(plan_make(&plan, &o, &data, &error));
    ck_assert_int_eq(plan.epochs, 1);
    o.prune_start = PRUNE_SCRATCH;
    ck_assert(plan_make(&plan, &o, &data, &error));
    ck_assert_int_eq(plan.epochs, 5);
    ck_assert_double_eq(plan_lr(&plan, 0), 0.1);
}
END_TEST

START_TEST(test_plan_stages_of_other_depths)
{
    static const struct {
        int layers;
        const char *stages;
    } table[] = {{2, "1,1"}, {4, "1,1,1,1"}, {7, "2,2,2,1"}, {10, "3,3,2,2"}, {20, "5,5,5,5"}};
    const Dataset data = sizes(50000, 10000);
    for (int i = 0; i < 5; i++) {
        Options o = standard();
        Error error;
        Plan plan;
        o.layers = table[i].layers;
        o.pooling = POOLING_PREDEFINED;
        ck_assert(plan_make(&plan, &o, &data, &error));
        ck_assert_str_eq(plan.options.stages, table[i].stages);
        ck_assert_uint_eq(plan.network.kept[0], 1);
        ck_assert_uint_eq(plan.network.kept[o.layers - 1], 1u << (plan.network.levels - 1));
    }
}
END_TEST

START_TEST(test_plan_first_level_drops_the_finest)
{
    NetworkSpec s;
    Error error;
    Options o = standard();
    o.levels = 3;
    o.first_level = 1;
    ck_assert(plan_network(&s, &o, &error));
    ck_assert_int_eq(s.levels, 4);
    ck_assert_uint_eq(s.kept[0], 14);
}
END_TEST

static const struct {
    const char *name, *value, *word;
} refused[] = {
    {"images-a", "45000", "45000 + 10000"},
    {"images-test", "10001", "10001"},
    {"batch", "20000", "20000"},
    {"levels", "7", "does not divide"},
    {"stages", "3,3,2", "8 layers"},
    {"stages", "3,3,2,3", "3,3,2,3"},
    {"stages", "a", "--stages"},
    {"stages", "10,0", "10,0"},
    {"stages", "1,9223372036854775807", "1,9223372036854775807"}, /* their sum is no long */
};
enum { REFUSED = sizeof refused / sizeof *refused };

START_TEST(test_plan_refuses_what_cannot_run)
{
    const Dataset data = sizes(50000, 10000);
    Options o = standard();
    Error error;
    Plan plan;
    if (strcmp(refused[_i].name, "stages") == 0)
        o.pooling = POOLING_PREDEFINED;
    ck_assert(options_set(&o, refused[_i].name, refused[_i].value, &error));
    ck_assert(!plan_make(&plan, &o, &data, &error));
    ck_assert_msg(strstr(error.text, refused[_i].word), "says: %s", error.text);
}
END_TEST

static Options fabric(void)
{
    Options o = standard();
    o.net = NET_FABRIC_SPARSE;
    o.pooling = POOLING_NONE;
    o.head = HEAD_LINEAR;
    o.bias = false;
    return o;
}

START_TEST(test_plan_makes_a_fabric)
{
    const Dataset data = sizes(50000, 10000);
    const Options o = fabric();
    Error error;
    Plan plan, again;
    ck_assert_msg(plan_make(&plan, &o, &data, &error), "%s", error.text);
    ck_assert_int_eq(plan.network.net, NET_FABRIC_SPARSE);
    ck_assert_int_eq(plan.network.levels, 0);
    ck_assert(!plan.learns_alpha);
    ck_assert_msg(plan_make(&again, &plan.options, &data, &error), "%s", error.text);
}
END_TEST

static const char *const not_a_fabrics[][2] = {
    {"pooling", "learned"}, {"pooling", "uniform"}, {"head", "convolution"},
    {"bias", "yes"},        {"prune-from", "run"},
};
enum { NOT_A_FABRICS = sizeof not_a_fabrics / sizeof *not_a_fabrics };

START_TEST(test_plan_refuses_what_a_fabric_has_not)
{
    const Dataset data = sizes(50000, 10000);
    Options o = fabric();
    Error error;
    Plan plan;
    ck_assert(options_set(&o, not_a_fabrics[_i][0], not_a_fabrics[_i][1], &error));
    ck_assert(!plan_make(&plan, &o, &data, &error));
    ck_assert_msg(strstr(error.text, not_a_fabrics[_i][0]), "says: %s", error.text);
}
END_TEST

START_TEST(test_prune_keeps_what_reaches_the_threshold)
{
    const double alpha[3][4] = {{0.05, 0.15, 0.25, 0.55}, {0.25, 0.25, 0.25, 0.25}, {0.9, 0.1, 0, 0}};
    unsigned kept[MAX_LAYERS];
    prune_levels(kept, &alpha[0][0], 3, 4, 0.1);
    ck_assert_uint_eq(kept[0], 14);
    ck_assert_uint_eq(kept[1], 15);
    ck_assert_uint_eq(kept[2], 3);
    prune_levels(kept, &alpha[0][0], 3, 4, 0.2);
    ck_assert_uint_eq(kept[0], 12);
    ck_assert_uint_eq(kept[2], 1);
    prune_levels(kept, &alpha[0][0], 3, 4, 1);
    ck_assert_uint_eq(kept[0], 8);
    ck_assert_uint_eq(kept[1], 1); /* the first of the largest */
    prune_levels(kept, &alpha[0][0], 3, 4, 0);
    ck_assert_uint_eq(kept[0], 15);
    ck_assert_uint_eq(kept[2], 3); /* alpha 0 was not there to begin with */
}
END_TEST

/* Each option that needs others: without effect with these pooling modes, and what the sentence says of it.
 * Every other option has an effect in every run. */
static const struct {
    const char *name;
    bool none, predefined, uniform, learned, fine_tuned, scratch;
} effects[] = {
    {"levels", 0, 0, 1, 1, 1, 1},       {"first-level", 0, 0, 1, 1, 1, 1},
    {"stages", 0, 1, 0, 0, 0, 0},       {"down", 0, 1, 1, 1, 1, 1},
    {"up", 0, 1, 1, 1, 1, 1},           {"norm", 0, 1, 1, 1, 1, 1},
    {"fixed-data", 1, 1, 1, 0, 0, 0},   {"logits-lr", 0, 0, 0, 1, 0, 0},
    {"logits-beta1", 0, 0, 0, 1, 0, 0}, {"logits-beta2", 0, 0, 0, 1, 0, 0},
    {"logits-eps", 0, 0, 0, 1, 0, 0},   {"logits-decay", 0, 0, 0, 1, 0, 0},
    {"order", 0, 0, 0, 1, 0, 0},        {"prune-threshold", 0, 0, 0, 0, 1, 1},
    {"prune-start", 0, 0, 0, 0, 1, 1},  {"prune-epochs", 0, 0, 0, 0, 1, 0},
    {"lr", 1, 1, 1, 1, 1, 1},           {"images-b", 1, 1, 1, 1, 1, 1},
    {"seed", 1, 1, 1, 1, 1, 1},         {"prune-from", 1, 1, 1, 1, 1, 1},
    {"logits-from", 0, 0, 0, 1, 0, 0},
};
enum { EFFECTS = sizeof effects / sizeof *effects };

START_TEST(test_options_without_effect_are_refused)
{
    const bool expected[] = {effects[_i].none,    effects[_i].predefined, effects[_i].uniform,
                             effects[_i].learned, effects[_i].fine_tuned, effects[_i].scratch};
    for (int i = 0; i < 6; i++) {
        Options o = standard();
        Error error = {""};
        char option[32];
        o.pooling = i < 4 ? POOLING_NONE + i : POOLING_LEARNED;
        if (i >= 4)
            snprintf(o.prune_from, sizeof o.prune_from, "ours");
        if (strcmp(effects[_i].name, "logits-from") == 0)
            o.logits_start = LOGITS_START_REVERSED;
        o.prune_start = i == 5 ? PRUNE_SCRATCH : PRUNE_TRAINED;
        snprintf(option, sizeof option, "--%s has no effect", effects[_i].name);
        ck_assert_msg(option_has_effect(effects[_i].name, &o, &error) == expected[i], "%s, %d",
                      effects[_i].name, i);
        ck_assert(expected[i] || strstr(error.text, option));
    }
}
END_TEST

/* Steps are counted in 31 bits: 100,000 epochs of 21,474 are one less than fit, of 21,475 one more than 2^31
 * - 1. */
START_TEST(test_plan_counts_all_steps_or_refuses)
{
    const Dataset data = sizes(50000, 10000);
    Options o = standard();
    Error error;
    Plan plan;
    o.epochs = 100000;
    o.batch = 1;
    o.images_a = 21474;
    ck_assert_msg(plan_make(&plan, &o, &data, &error), "%s", error.text);
    ck_assert_double_eq(plan.options.logits_lr, 1e-4);
    o.images_a = 21475;
    ck_assert(!plan_make(&plan, &o, &data, &error));
    ck_assert_msg(strstr(error.text, "2147500000 steps"), "%s", error.text);
}
END_TEST

/* What is 0 in float would be taken for 0 without a word. */
START_TEST(test_plan_refuses_what_float_cannot_hold)
{
    static const char *const names[] = {"lr", "weight-decay", "momentum", "logits-lr", "logits-decay"};
    const Dataset data = sizes(50000, 10000);
    for (int i = 0; i < 5; i++)
        for (int set = KERNELS_REF; set <= KERNELS_BF16; set++) {
            Options o = standard();
            Error error;
            Plan plan;
            o.kernels = set;
            ck_assert(options_set(&o, names[i], "1e-50", &error));
            ck_assert_int_eq(plan_make(&plan, &o, &data, &error), set == KERNELS_REF);
            ck_assert(set == KERNELS_REF || (strstr(error.text, names[i]) && strstr(error.text, "float")));
            ck_assert(options_set(&o, names[i], "1.2e-38", &error));
            ck_assert(plan_make(&plan, &o, &data, &error));
            ck_assert(options_set(&o, names[i], "0", &error));
            ck_assert(plan_make(&plan, &o, &data, &error));
        }
}
END_TEST

Suite *options_suite(void)
{
    Suite *suite = suite_create("options");
    TCase *tcase = tcase_create("options and plan");
    tcase_add_test(tcase, test_options_are_read_back_to_the_same_bits);
    tcase_add_loop_test(tcase, test_options_refuse_what_is_wrong, 0, BAD);
    tcase_add_test(tcase, test_options_refuse_a_broken_config);
    tcase_add_test(tcase, test_plan_resolves_the_defaults_of_the_paper);
    tcase_add_test(tcase, test_plan_gives_d_b_to_fixed_architectures_alone);
    tcase_add_test(tcase, test_plan_rescales_the_rate_of_the_logits);
    tcase_add_test(tcase, test_plan_fine_tunes_over_the_last_tenth);
    tcase_add_test(tcase, test_plan_stages_of_other_depths);
    tcase_add_test(tcase, test_plan_first_level_drops_the_finest);
    tcase_add_loop_test(tcase, test_plan_refuses_what_cannot_run, 0, REFUSED);
    tcase_add_test(tcase, test_plan_makes_a_fabric);
    tcase_add_loop_test(tcase, test_plan_refuses_what_a_fabric_has_not, 0, NOT_A_FABRICS);
    tcase_add_test(tcase, test_prune_keeps_what_reaches_the_threshold);
    tcase_add_loop_test(tcase, test_options_without_effect_are_refused, 0, EFFECTS);
    tcase_add_test(tcase, test_plan_counts_all_steps_or_refuses);
    tcase_add_test(tcase, test_plan_refuses_what_float_cannot_hold);
    suite_add_tcase(suite, tcase);
    return suite;
}
