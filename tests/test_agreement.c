/* Training agreement: over 20 bilevel steps from equal state, the loss of the float set stays as close to
 * ref's as ref runs whose initial filters differ by one rounding (2^-24 relative) stay to each other, within
 * a factor of 10.
 *
 * Runs part where a ReLU or a maximum flips: a rare jump, at a step that is chance, which then grows. So the
 * largest distance over all steps is held against the largest spread over all steps; the first step of either
 * kind, before any jump, also by itself. The spread is not less than one rounding of the loss. On real
 * images, with the network of the smoke budget; NOPOOL_SLOW=1 (make check-slow) takes all its levels and
 * steps, otherwise it is three levels and two steps. */
#include "../experiments/batch.h"
#include "../experiments/bilevel.h"
#include "lanes.h"
#include "suites.h"
#include <math.h>
#include <stdlib.h>

enum { STEPS = 20, PERTURBED = 8, BATCH = 32 };

static bool slow(void)
{
    return getenv("NOPOOL_SLOW") != NULL;
}

static NetworkSpec spec(void)
{
    NetworkSpec s = {.layers = 4,
                     .channels = 8,
                     .classes = CLASSES,
                     .image_channels = IMAGE_CHANNELS,
                     .height = IMAGE_SIDE,
                     .width = IMAGE_SIDE,
                     .levels = slow() ? 5 : 3,
                     .bias = true,
                     .eps = 1e-5,
                     .momentum = 0.1};
    for (int l = 0; l < s.layers; l++)
        s.kept[l] = all_levels(s.levels);
    return s;
}

/* Losses of the steps on filters, then of the steps on logits. The signs of the perturbation are drawn anew
 * for each run; 0: none. */
static void train(double losses[2 * STEPS], int steps, const Engine *engine, const Dataset *data,
                  uint32_t perturbation)
{
    const NetworkSpec s = spec();
    Error error;
    Network *net = network_create(engine, &s, BATCH, &error);
    ck_assert_msg(net != NULL, "%s", error.text);
    network_initialise(net, 3);
    double *filters = doubles(net->filters_count);
    float *images = floats((size_t)BATCH * IMAGE_BYTES);
    int *labels = integers(BATCH);
    uint32_t indices[BATCH];
    const double *signs = random_doubles(net->filters_count, perturbation + 1000);
    engine->vector_read(filters, net->filters, 0, net->filters_count);
    for (size_t i = 0; i < net->filters_count; i++) {
        filters[i] = (float)filters[i]; /* equal state: what both sets can hold */
        if (perturbation)
            filters[i] *= 1 + (signs[i] > 0 ? 0x1p-24 : -0x1p-24);
    }
    engine->vector_write(net->filters, 0, filters, net->filters_count);
    for (int t = 0; t < 2 * steps; t++) {
        const bool is_a = t % 2 == 0;
        for (int n = 0; n < BATCH; n++)
            indices[n] = (uint32_t)(t * BATCH + n);
        batch_assemble(images, labels, data, &data->train, indices, BATCH, (BatchMode){.augment = false});
        const Batch batch = {images, labels, BATCH};
        losses[t] = is_a ? filters_step(net, batch, (Sgd){0.1, 0.9, 0}).loss
                         : logits_step(net, batch, (Adam){1e-2, 0.5, 0.999, 1e-8, 3e-4}, t / 2 + 1).loss;
    }
    network_free(net);
}

START_TEST(test_training_of_f32_agrees_with_ref)
{
    const int steps = slow() ? STEPS : 2;
    Dataset data;
    Error error;
    double ref[2 * STEPS], perturbed[2 * STEPS], got[2 * STEPS], low[2 * STEPS], high[2 * STEPS], most = 0;
    ck_assert_msg(dataset_load(&data, dataset_default(), &error), "%s", error.text);
    train(ref, steps, &ref_engine, &data, 0);
    for (int t = 0; t < 2 * steps; t++)
        low[t] = high[t] = ref[t];
    for (uint32_t run = 1; run <= PERTURBED; run++) {
        train(perturbed, steps, &ref_engine, &data, run);
        for (int t = 0; t < 2 * steps; t++) {
            low[t] = fmin(low[t], perturbed[t]);
            high[t] = fmax(high[t], perturbed[t]);
        }
    }
    ck_assert_msg(ref[2 * steps - 2] < ref[0], "the loss does not fall: %g to %g", ref[0],
                  ref[2 * steps - 2]);
    for (int set = 0; set < f32_set_count(); set++) {
        const F32 *f32 = f32_set(set);
        train(got, steps, f32->engine, &data, 0);
        double distance = 0;
        most = 0;
        for (int t = 0; t < 2 * steps; t++) {
            most = fmax(most, fmax(high[t] - low[t], 0x1p-24 * ref[t]));
            distance = fmax(distance, fabs(got[t] - ref[t]));
            if (t < 2 || t == 2 * steps - 1)
                ck_assert_msg(distance <= 10 * most, "%s, up to step %d: distance %g from ref, spread %g",
                              f32->instruction_set, t / 2, distance, most);
        }
    }
    dataset_free(&data);
    ck_assert_msg(most < 0.1, "the spread %g says nothing", most);
}
END_TEST

Suite *agreement_suite(void)
{
    Suite *suite = suite_create("agreement");
    TCase *tcase = tcase_create("steps");
    tcase_add_checked_fixture(tcase, NULL, arrays_free);
    tcase_set_timeout(tcase, 600);
    tcase_add_test(tcase, test_training_of_f32_agrees_with_ref);
    suite_add_tcase(suite, tcase);
    return suite;
}
