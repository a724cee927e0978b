/* Which images come when: the split, the passes, the orders.
 *
 * Claims: s3.4.split. */
#include "../experiments/data/batch.h"
#include "../experiments/training/feed.h"
#include "suites.h"
#include <stdlib.h>
#include <string.h>

enum { A = 100, B = 26, BATCH = 8, ITERATIONS = A / BATCH, IN_PASS = B / BATCH };

/* A run of sizes only: the order of images does not look at them. */
typedef struct {
    Run run;
    Feed feed;
    uint32_t split[A + B];
} Case;

static void make(Case *c)
{
    Error error;
    memset(c, 0, sizeof *c);
    c->run.plan = (Plan){.images = A, .iterations = ITERATIONS};
    c->run.plan.options.images_a = A;
    c->run.plan.options.images_b = B;
    c->run.plan.options.batch = BATCH;
    c->run.plan.options.seed = 4;
    split_training_set(c->split, A, c->split + A, B, 1000, 4);
    c->run.a = c->split;
    c->run.b = c->split + A;
    ck_assert_msg(feed_make(&c->feed, &c->run.plan, &error), "%s", error.text);
}

static bool member(const uint32_t *set, int count, uint32_t image)
{
    for (int i = 0; i < count; i++)
        if (set[i] == image)
            return true;
    return false;
}

START_TEST(test_feed_an_epoch_takes_each_image_of_a_once)
{
    Case c;
    make(&c);
    uint32_t first[2][BATCH];
    for (int epoch = 0; epoch < 2; epoch++) {
        int seen[1000] = {0};
        for (int i = 0; i < ITERATIONS; i++) {
            const uint32_t *batch = feed_indices_a(&c.feed, &c.run, epoch, i);
            for (int n = 0; n < BATCH; n++) {
                ck_assert(member(c.run.a, A, batch[n]));
                ck_assert_int_eq(seen[batch[n]]++, 0);
            }
        }
        memcpy(first[epoch], feed_indices_a(&c.feed, &c.run, epoch, 0), sizeof first[epoch]);
    }
    ck_assert_mem_ne(first[0], first[1], sizeof first[0]);
    feed_free(&c.feed);
}
END_TEST

/* Passes over D_b go on across epochs: 12 iterations an epoch are 4 passes of 3 batches. */
START_TEST(test_feed_a_pass_takes_each_image_of_b_at_most_once)
{
    Case c;
    make(&c);
    uint32_t before[BATCH] = {0};
    for (long pass = 0; pass < 9; pass++) {
        int seen[1000] = {0};
        for (int i = 0; i < IN_PASS; i++) {
            const uint32_t *batch = feed_indices_b(&c.feed, &c.run, pass * IN_PASS + i);
            for (int n = 0; n < BATCH; n++) {
                ck_assert(member(c.run.b, B, batch[n]));
                ck_assert(!member(c.run.a, A, batch[n]));
                ck_assert_int_eq(seen[batch[n]]++, 0);
            }
        }
        const uint32_t *first = feed_indices_b(&c.feed, &c.run, pass * IN_PASS);
        ck_assert_mem_ne(first, before, sizeof before);
        memcpy(before, first, sizeof before);
    }
    feed_free(&c.feed);
}
END_TEST

START_TEST(test_feed_a_continued_run_draws_what_it_would_have_drawn)
{
    Case whole, continued;
    make(&whole);
    make(&continued);
    for (int epoch = 0; epoch < 3; epoch++)
        for (int i = 0; i < ITERATIONS; i++) {
            const uint32_t *a = feed_indices_a(&whole.feed, &whole.run, epoch, i);
            const uint32_t *b = feed_indices_b(&whole.feed, &whole.run, (long)epoch * ITERATIONS + i);
            if (epoch < 2) /* the other run starts at epoch 2 */
                continue;
            ck_assert_mem_eq(a, feed_indices_a(&continued.feed, &continued.run, epoch, i), BATCH * sizeof *a);
            ck_assert_mem_eq(b, feed_indices_b(&continued.feed, &continued.run, (long)epoch * ITERATIONS + i),
                             BATCH * sizeof *b);
        }
    feed_free(&whole.feed);
    feed_free(&continued.feed);
}
END_TEST

/* 1,000 images that no shift leaves as they are. */
static void give_images(Case *c, uint8_t *images, uint8_t *labels)
{
    for (int i = 0; i < 1000; i++)
        for (int p = 0; p < IMAGE_BYTES; p++)
            images[(size_t)i * IMAGE_BYTES + p] = (uint8_t)(i + 7 * p + p / 32);
    memset(labels, 3, 1000);
    c->run.data.train = (ImageSet){1000, images, labels};
    for (int i = 0; i < IMAGE_CHANNELS; i++)
        c->run.data.deviation[i] = 1;
    c->run.plan.options.augment = true;
}

/* Epoch 2 after a source of 3 epochs draws what epoch 5 of one run would draw, order and crops. */
START_TEST(test_feed_fine_tuning_goes_on_after_the_epochs_of_its_source)
{
    enum { FLOATS = BATCH * IMAGE_BYTES };
    Case whole, tuned;
    uint8_t *images = malloc((size_t)1000 * IMAGE_BYTES), labels[1000];
    float *first = malloc(FLOATS * sizeof *first);
    make(&whole);
    make(&tuned);
    give_images(&whole, images, labels);
    give_images(&tuned, images, labels);
    tuned.run.plan.source_epochs = 3;
    memcpy(first, feed_a(&whole.feed, &whole.run, 5, 1).images, FLOATS * sizeof *first);
    ck_assert_mem_eq(first, feed_a(&tuned.feed, &tuned.run, 2, 1).images, FLOATS * sizeof *first);
    ck_assert_mem_eq(feed_indices_a(&whole.feed, &whole.run, 5, 1),
                     feed_indices_a(&tuned.feed, &tuned.run, 2, 1), BATCH * sizeof(uint32_t));
    memcpy(first, feed_a(&whole.feed, &whole.run, 2, 1).images, FLOATS * sizeof *first);
    ck_assert_mem_ne(first, feed_a(&tuned.feed, &tuned.run, 2, 1).images, FLOATS * sizeof *first);
    free(images);
    free(first);
    feed_free(&whole.feed);
    feed_free(&tuned.feed);
}
END_TEST

Suite *feed_suite(void)
{
    Suite *suite = suite_create("feed");
    TCase *tcase = tcase_create("orders");
    tcase_add_test(tcase, test_feed_an_epoch_takes_each_image_of_a_once);
    tcase_add_test(tcase, test_feed_a_pass_takes_each_image_of_b_at_most_once);
    tcase_add_test(tcase, test_feed_a_continued_run_draws_what_it_would_have_drawn);
    tcase_add_test(tcase, test_feed_fine_tuning_goes_on_after_the_epochs_of_its_source);
    suite_add_tcase(suite, tcase);
    return suite;
}
