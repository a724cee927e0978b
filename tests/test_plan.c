/* Which plans are refused, and which options have an effect, where several options decide it together. */
#include "../experiments/protocol/effect.h"
#include "../experiments/protocol/plan.h"
#include "suites.h"
#include <stdio.h>
#include <string.h>

/* The plan of the defaults with these options, of 50,000 and 10,000 images; false and why if there is none.
 */
static bool planned(Plan *plan, const char *options, Error *error)
{
    const Dataset data = {.name = "sizes", .train = {.count = 50000}, .test = {.count = 10000}};
    Options o;
    options_default(&o);
    ck_assert_msg(options_set_words(&o, options, error), "%s", error->text);
    return plan_make(plan, &o, &data, error);
}

static const struct {
    const char *options, *word; /* NULL: it runs */
} plans[] = {
    {"--layers=1 --head=linear", NULL},
    {"--layers=1 --head=linear --depth=learned", "at least 2 layers"},
    {"--layers=2 --depth=learned", NULL},
    {"--depth=learned --logits-data=none", "--depth"},
    {"--depth=learned --prune-from=ours", "is not pruned"},
    {"--logits-data=a --images-a=10000", NULL},
    {"--logits-data=a --images-a=9999", "10000 images of D_a, which has 9999"},
    {"--logits-data=b --images-a=9999", NULL},
    {"--prune-from=ours --epochs=1 --prune-epochs=100000 --batch=1 --images-a=21474", NULL},
    {"--prune-from=ours --epochs=1 --prune-epochs=100000 --batch=1 --images-a=21475", "steps"},
    {"--layers=3 --filters=unshared --block=mbconv", "filters that are not shared"},
    {"--layers=3 --filters=unshared", NULL},
};
enum { PLANS = sizeof plans / sizeof *plans };

START_TEST(test_plan_runs_or_says_why_not)
{
    Error error = {""};
    Plan plan;
    const bool runs = planned(&plan, plans[_i].options, &error);
    ck_assert_msg(runs == !plans[_i].word, "%s: %s", plans[_i].options, error.text);
    ck_assert_msg(runs || strstr(error.text, plans[_i].word), "%s: %s", plans[_i].options, error.text);
}
END_TEST

/* No more images are tested after an epoch than there are. */
START_TEST(test_plan_tests_an_epoch_on_no_more_than_all)
{
    Error error;
    Plan plan;
    ck_assert(planned(&plan, "--images-test=100", &error));
    ck_assert_int_eq(plan.options.images_epoch, 100);
    ck_assert(planned(&plan, "--images-test=100 --images-epoch=7", &error));
    ck_assert_int_eq(plan.options.images_epoch, 7);
}
END_TEST

/* Of each option whether it has an effect with these others. */
static const struct {
    const char *options;
    bool block, filters, depth, data, start, rate;
} effects[] = {
    {"--pooling=none", 1, 0, 0, 0, 0, 0},
    {"--pooling=predefined", 1, 0, 0, 0, 0, 0},
    {"--pooling=uniform", 1, 1, 0, 0, 0, 0},
    {"--pooling=learned", 1, 1, 1, 1, 1, 1},
    {"--pooling=learned --logits-data=none", 1, 1, 0, 1, 1, 0},
    {"--pooling=learned --prune-from=ours", 1, 1, 0, 0, 0, 0},
    {"--layers=2", 0, 1, 1, 1, 1, 1},
    {"--layers=3", 1, 1, 1, 1, 1, 1},
    {"--net=fabric-dense --pooling=none --head=linear", 0, 0, 0, 0, 0, 0},
};
enum { EFFECTS = sizeof effects / sizeof *effects };

START_TEST(test_effects_of_options_beside_others)
{
    static const char *const names[] = {"block",       "filters",      "depth",
                                        "logits-data", "logits-start", "logits-lr"};
    const bool expected[] = {effects[_i].block, effects[_i].filters, effects[_i].depth,
                             effects[_i].data,  effects[_i].start,   effects[_i].rate};
    for (int i = 0; i < 6; i++) {
        Options o;
        Error error = {""};
        options_default(&o);
        ck_assert(options_set_words(&o, effects[_i].options, &error));
        ck_assert_msg(option_has_effect(names[i], &o, &error) == expected[i], "%s with %s", names[i],
                      effects[_i].options);
    }
}
END_TEST

/* Who follows the advice is not refused again. */
START_TEST(test_effects_are_had_where_the_advice_is_followed)
{
    static const char *const names[] = {"depth", "logits-data", "logits-start", "logits-lr", "order"};
    for (int i = 0; i < 5; i++) {
        Options o;
        Error error;
        char advice[64];
        options_default(&o);
        ck_assert(options_set_words(&o, "--pooling=none", &error));
        ck_assert(!option_has_effect(names[i], &o, &error));
        const char *needs = strstr(error.text, "it needs ");
        ck_assert_ptr_nonnull(needs);
        ck_assert_int_eq(sscanf(needs, "it needs %63s", advice), 1);
        ck_assert_msg(options_set_words(&o, advice, &error), "%s", error.text);
        ck_assert_msg(option_has_effect(names[i], &o, &error), "%s with %s: %s", names[i], advice,
                      error.text);
    }
}
END_TEST

Suite *plan_suite(void)
{
    Suite *suite = suite_create("plan");
    TCase *tcase = tcase_create("options together");
    tcase_add_loop_test(tcase, test_plan_runs_or_says_why_not, 0, PLANS);
    tcase_add_test(tcase, test_plan_tests_an_epoch_on_no_more_than_all);
    tcase_add_loop_test(tcase, test_effects_of_options_beside_others, 0, EFFECTS);
    tcase_add_test(tcase, test_effects_are_had_where_the_advice_is_followed);
    suite_add_tcase(suite, tcase);
    return suite;
}
