/* Training agreement: over 20 bilevel steps from equal state, the loss of the float set stays as close to
 * ref's as ref runs whose initial filters differ by one rounding (2^-24 relative) stay to each other, within
 * a factor of 10.
 *
 * The network is smooth but for its kinks: a ReLU near 0, a maximum of two nearly equal numbers. Where a
 * rounding moves an element across one, two runs part, and the distance grows a thousandfold within ten
 * steps. Most such flips weigh nothing; some weigh much, at a step that is chance: from most starts the ref
 * runs themselves have parted by a hundredth of the loss at step 20, from some they still agree to seven
 * digits. One start therefore proves nothing, in either direction. Three things are held:
 *
 *   - from several starts (other filters, other images), over all 20 steps: the largest distance against the
 *     largest spread, each the median over starts, and each the largest over starts;
 *   - the loss of the first step, before any flip can have moved a filter, start by start;
 *   - at every one of 20 steps of one ref run, both sets from equal state again: what no flip can excuse.
 *
 * A spread is not less than one rounding of the loss. On real images, with the network of the smoke budget;
 * NOPOOL_SLOW=1 (make check-slow) takes all its levels, steps and starts, otherwise it is three levels, one
 * or two steps and one start. */
#include "../experiments/data/batch.h"
#include "../experiments/network/bilevel.h"
#include "lanes.h"
#include "suites.h"
#include <gsl/gsl_sort.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { STEPS = 20, STARTS = 5, PERTURBED = 4, BATCH = 32 };

static bool slow(void)
{
    return getenv("NOPOOL_SLOW") != NULL;
}

/* The smoke budget has 8 channels; with 12 f32 convolves by Winograd's algorithm. */
enum { DIRECT = 8, WINOGRAD = 12 };

static NetworkSpec spec(int channels)
{
    NetworkSpec s = {.layers = 4,
                     .channels = channels,
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

static Network *create(const Engine *engine, int channels)
{
    const NetworkSpec s = spec(channels);
    Error error;
    Network *net = network_create(engine, &s, BATCH, &error);
    ck_assert_msg(net != NULL, "%s", error.text);
    return net;
}

/* Both sets start from what both can hold. Then, unless perturbation is 0, every filter moves by one
 * rounding, up or down as drawn for this perturbation. */
static void round_and_perturb(Network *net, Vector *v, size_t count, uint32_t perturbation)
{
    double *values = doubles(count);
    const double *signs = random_doubles(count, perturbation + 1000);
    net->engine->vector_read(values, v, 0, count);
    for (size_t i = 0; i < count; i++) {
        values[i] = (float)values[i];
        if (perturbation)
            values[i] *= 1 + (signs[i] > 0 ? 0x1p-24 : -0x1p-24);
    }
    net->engine->vector_write(v, 0, values, count);
}

/* The loss of step t: on filters if t is even, on logits if it is odd. Each has images of its own. */
static double step(Network *net, const Dataset *data, int start, int t)
{
    float *images = floats((size_t)BATCH * IMAGE_BYTES);
    int *labels = integers(BATCH);
    uint32_t indices[BATCH];
    for (int n = 0; n < BATCH; n++)
        indices[n] = (uint32_t)((start * 2 * STEPS + t) * BATCH + n);
    batch_assemble(images, labels, data, &data->train, indices, BATCH, (BatchMode){.augment = false});
    const Batch batch = {images, labels, BATCH};
    return t % 2 == 0 ? filters_step(net, batch, (Sgd){0.1, 0.9, 0}).loss
                      : logits_step(net, batch, (Adam){1e-2, 0.5, 0.999, 1e-8, 3e-4}, t / 2 + 1).loss;
}

/* A start draws its own filters. */
static void train(double losses[2 * STEPS], int steps, const Engine *engine, const Dataset *data, int start,
                  uint32_t perturbation)
{
    Network *net = create(engine, DIRECT);
    network_initialise(net, 3 + start);
    round_and_perturb(net, net->filters, net->filters_count, perturbation);
    for (int t = 0; t < 2 * steps; t++)
        losses[t] = step(net, data, start, t);
    network_free(net);
}

/* spread[t]: how far ref's loss and those of its perturbed runs lie apart. */
static void spread_of_ref(double spread[2 * STEPS], const double ref[2 * STEPS], int steps,
                          const Dataset *data, int start)
{
    double perturbed[2 * STEPS], low[2 * STEPS], high[2 * STEPS];
    for (int t = 0; t < 2 * steps; t++)
        low[t] = high[t] = ref[t];
    for (int run = 0; run < PERTURBED; run++) {
        train(perturbed, steps, &ref_engine, data, start, (uint32_t)(start * PERTURBED + run + 1));
        for (int t = 0; t < 2 * steps; t++) {
            low[t] = fmin(low[t], perturbed[t]);
            high[t] = fmax(high[t], perturbed[t]);
        }
    }
    for (int t = 0; t < 2 * steps; t++)
        spread[t] = fmax(high[t] - low[t], 0x1p-24 * ref[t]);
}

static double largest(const double *values, int count)
{
    double most = 0;
    for (int i = 0; i < count; i++)
        most = fmax(most, values[i]);
    return most;
}

static double median(const double *values, int count)
{
    double sorted[STARTS];
    memcpy(sorted, values, count * sizeof *sorted);
    gsl_sort(sorted, 1, (size_t)count);
    return sorted[count / 2];
}

/* One start: the largest distance of every version and the largest spread over its steps. */
static void measure(double distance[MAX_ISAS][STARTS], double spread[STARTS], int steps, const Dataset *data,
                    int start)
{
    double ref[2 * STEPS], got[2 * STEPS], spreads[2 * STEPS], distances[2 * STEPS];
    train(ref, steps, &ref_engine, data, start, 0);
    ck_assert_msg(ref[2 * steps - 2] < ref[0], "the loss does not fall: %g to %g", ref[0],
                  ref[2 * steps - 2]);
    spread_of_ref(spreads, ref, steps, data, start);
    ck_assert_msg(spreads[0] < 1e-6, "the spread of the first step is %g: too much", spreads[0]);
    spread[start] = largest(spreads, 2 * steps);
    for (int set = 0; set < f32_count(); set++) {
        const char *name = f32_at(set)->instruction_set;
        train(got, steps, f32_at(set)->engine, data, start, 0);
        for (int t = 0; t < 2 * steps; t++) {
            ck_assert_msg(isfinite(got[t]), "%s, step %d: loss %g", name, t / 2, got[t]);
            distances[t] = fabs(got[t] - ref[t]);
            ck_assert_msg(t > 0 || distances[t] <= 10 * spreads[t],
                          "%s, start %d, first step: distance %g, spread %g", name, start, distances[t],
                          spreads[t]);
        }
        distance[set][start] = largest(distances, 2 * steps);
        if (slow())
            fprintf(stderr, "start %d: %s %.1e from ref, spread of ref %.1e\n", start, name,
                    distance[set][start], spread[start]);
    }
}

START_TEST(test_training_of_f32_agrees_with_ref)
{
    const int steps = slow() ? STEPS : 2, starts = slow() ? STARTS : 1;
    Dataset data;
    Error error;
    double distance[MAX_ISAS][STARTS], spread[STARTS];
    ck_assert_msg(dataset_load(&data, dataset_default(), &error), "%s", error.text);
    for (int start = 0; start < starts; start++)
        measure(distance, spread, steps, &data, start);
    dataset_free(&data);
    for (int set = 0; set < f32_count(); set++) {
        const char *name = f32_at(set)->instruction_set;
        ck_assert_msg(median(distance[set], starts) <= 10 * median(spread, starts),
                      "%s: median distance %g from ref, median spread %g", name,
                      median(distance[set], starts), median(spread, starts));
        ck_assert_msg(largest(distance[set], starts) <= 10 * largest(spread, starts),
                      "%s: largest distance %g from ref, largest spread %g", name,
                      largest(distance[set], starts), largest(spread, starts));
    }
}
END_TEST

/* The state that a step starts from, as numbers that both sets hold, from one network to another. */
static void copy_state(Network *to, const Network *from)
{
    Vector *const sources[] = {from->filters, from->velocity, from->logits, from->moment1, from->moment2};
    Vector *const targets[] = {to->filters, to->velocity, to->logits, to->moment1, to->moment2};
    for (int i = 0; i < 5; i++) {
        const size_t count = i < 2 ? from->filters_count : from->logits_count;
        double *values = doubles(count);
        from->engine->vector_read(values, sources[i], 0, count);
        to->engine->vector_write(targets[i], 0, values, count);
    }
}

START_TEST(test_every_step_from_equal_state_agrees_with_ref)
{
    const int steps = slow() ? STEPS : 1;
    Dataset data;
    Error error;
    const int channels = _i;
    Network *ref = create(&ref_engine, channels), *perturbed = create(&ref_engine, channels), *fast[MAX_ISAS];
    ck_assert_msg(dataset_load(&data, dataset_default(), &error), "%s", error.text);
    for (int set = 0; set < f32_count(); set++)
        fast[set] = create(f32_at(set)->engine, channels);
    network_initialise(ref, 3);
    for (int t = 0; t < 2 * steps; t++) {
        double spread = 0;
        round_and_perturb(ref, ref->filters, ref->filters_count, 0);
        round_and_perturb(ref, ref->logits, ref->logits_count, 0);
        for (int set = 0; set < f32_count(); set++)
            copy_state(fast[set], ref);
        copy_state(perturbed, ref);
        round_and_perturb(perturbed, perturbed->filters, perturbed->filters_count, (uint32_t)t + 1);
        const double loss = step(ref, &data, 0, t);
        spread = fmax(fabs(step(perturbed, &data, 0, t) - loss), 0x1p-24 * loss);
        for (int set = 0; set < f32_count(); set++) {
            const double distance = fabs(step(fast[set], &data, 0, t) - loss);
            ck_assert_msg(distance <= 10 * spread, "%s, step %d from equal state: distance %g, spread %g",
                          f32_at(set)->instruction_set, t, distance, spread);
        }
    }
    for (int set = 0; set < f32_count(); set++)
        network_free(fast[set]);
    network_free(perturbed);
    network_free(ref);
    dataset_free(&data);
}
END_TEST

Suite *agreement_suite(void)
{
    Suite *suite = suite_create("agreement");
    TCase *tcase = tcase_create("steps");
    tcase_add_checked_fixture(tcase, NULL, arrays_free);
    tcase_set_timeout(tcase, 1800);
    tcase_add_loop_test(tcase, test_every_step_from_equal_state_agrees_with_ref, DIRECT, DIRECT + 1);
    tcase_add_loop_test(tcase, test_every_step_from_equal_state_agrees_with_ref, WINOGRAD, WINOGRAD + 1);
    tcase_add_test(tcase, test_training_of_f32_agrees_with_ref);
    suite_add_tcase(suite, tcase);
    return suite;
}
