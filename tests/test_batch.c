/* Batches: augmentation and normalisation against a slow version, which pads, crops, flips and normalises one
 * step after the other, and searches the crop instead of knowing how it is drawn.
 *
 * Claims: s3.4.split. */
#include "../experiments/data/batch.h"
#include "suites.h"
#include <gsl/gsl_cdf.h>
#include <math.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>

enum { COUNT = 37, PLANE = IMAGE_SIDE * IMAGE_SIDE, OFFSETS = 9, CROPS = OFFSETS * OFFSETS * 2 };

static uint8_t pixels[COUNT * IMAGE_BYTES], classes[COUNT];
static uint32_t all[COUNT];
static Dataset dataset;

/* Any bytes do that make no two crops of an image equal: a linear congruential generator's. */
static void make_dataset(void)
{
    uint32_t state = 1;
    for (int i = 0; i < COUNT * IMAGE_BYTES; i++) {
        state = state * 1664525u + 1013904223u;
        pixels[i] = (uint8_t)(state >> 24);
    }
    for (int i = 0; i < COUNT; i++) {
        classes[i] = (uint8_t)(i % CLASSES);
        all[i] = (uint32_t)i;
    }
    dataset = (Dataset){.train = {COUNT, pixels, classes},
                        .mean = {0.4914f, 0.4822f, 0.4465f},
                        .deviation = {0.2470f, 0.2435f, 0.2616f}};
}

static float normalise(uint8_t byte, int c)
{
    return ((float)byte / 255 - dataset.mean[c]) / dataset.deviation[c];
}

static void slow_image(float *to, const uint8_t *image, int top, int left, bool flip)
{
    static uint8_t padded[IMAGE_CHANNELS][40][40];
    memset(padded, 0, sizeof padded);
    for (int c = 0; c < IMAGE_CHANNELS; c++)
        for (int y = 0; y < IMAGE_SIDE; y++)
            for (int x = 0; x < IMAGE_SIDE; x++)
                padded[c][y + 4][x + 4] = image[(c * IMAGE_SIDE + y) * IMAGE_SIDE + x];
    for (int c = 0; c < IMAGE_CHANNELS; c++)
        for (int y = 0; y < IMAGE_SIDE; y++)
            for (int x = 0; x < IMAGE_SIDE; x++) {
                int crop_x = flip ? IMAGE_SIDE - 1 - x : x;
                to[(c * IMAGE_SIDE + y) * IMAGE_SIDE + x] = normalise(padded[c][y + top][crop_x + left], c);
            }
}

/* The one crop of the image that these numbers are, as (top * 9 + left) * 2 + flip; -1 if none or several. */
static int find_crop(const float *got, const uint8_t *image)
{
    float want[IMAGE_BYTES];
    int found = -1;
    for (int crop = 0; crop < CROPS; crop++) {
        slow_image(want, image, crop / 2 / OFFSETS, crop / 2 % OFFSETS, crop % 2);
        if (memcmp(got, want, sizeof want) != 0)
            continue;
        if (found >= 0)
            return -1;
        found = crop;
    }
    return found;
}

/* In units of u = 2^-24: the quotient by 255 brings x / deviation, the difference and the division by the
 * deviation |value| each; 1e-6 covers the squares of u. The stored mean and deviation are exact here. */
START_TEST(test_batch_without_augmentation_is_the_normalised_image)
{
    static float got[COUNT * IMAGE_BYTES];
    int labels[COUNT], unequal = 0;
    double worst = 0;
    batch_assemble(got, labels, &dataset, &dataset.train, all, COUNT, (BatchMode){.seed = 3, .epoch = 4});
    for (int i = 0; i < COUNT * IMAGE_BYTES; i++) {
        int c = i / PLANE % IMAGE_CHANNELS;
        double x = pixels[i] / 255.0, want = (x - dataset.mean[c]) / dataset.deviation[c];
        double gauge = 0x1p-24 * (x / dataset.deviation[c] + 2 * fabs(want)) * (1 + 1e-6);
        double ratio = fabs(got[i] - want) / gauge;
        if (!(ratio <= worst))
            worst = ratio;
    }
    for (int i = 0; i < COUNT; i++)
        unequal += labels[i] != classes[i];
    ck_assert_msg(worst <= 1, "error %g times its bound", worst);
    ck_assert_int_eq(unequal, 0);
}
END_TEST

START_TEST(test_batch_augmented_images_are_crops_and_flips_all_equally_often)
{
    enum { EPOCHS = 50 };
    static float got[COUNT * IMAGE_BYTES];
    int labels[COUNT], crops[CROPS] = {0}, unknown = 0;
    double expected = (double)COUNT * EPOCHS / CROPS, statistic = 0;
    for (uint32_t epoch = 0; epoch < EPOCHS; epoch++) {
        batch_assemble(got, labels, &dataset, &dataset.train, all, COUNT, (BatchMode){true, 3, epoch});
        for (int i = 0; i < COUNT; i++) {
            int crop = find_crop(got + i * IMAGE_BYTES, pixels + i * IMAGE_BYTES);
            if (crop < 0)
                unknown++;
            else
                crops[crop]++;
        }
    }
    ck_assert_int_eq(unknown, 0);
    int tops[OFFSETS] = {0}, lefts[OFFSETS] = {0}, flips[2] = {0}, absent = 0;
    for (int crop = 0; crop < CROPS; crop++) {
        tops[crop / 2 / OFFSETS] += crops[crop];
        lefts[crop / 2 % OFFSETS] += crops[crop];
        flips[crop % 2] += crops[crop];
        statistic += (crops[crop] - expected) * (crops[crop] - expected) / expected;
    }
    for (int i = 0; i < OFFSETS; i++)
        absent += (tops[i] == 0) + (lefts[i] == 0);
    ck_assert_msg(absent == 0 && flips[0] > 0 && flips[1] > 0, "an offset or a flip never occurs");
    ck_assert_msg(expected >= 5 && statistic <= gsl_cdf_chisq_Qinv(1e-6, CROPS - 1), "chi-square %g",
                  statistic);
}
END_TEST

/* A white image shows the padding: a rectangle at an edge, of the value that black has. */
START_TEST(test_batch_padding_is_the_normalised_raw_zero)
{
    static uint8_t white[IMAGE_BYTES];
    memset(white, 255, sizeof white);
    ImageSet set = {1, white, classes};
    float got[IMAGE_BYTES];
    int label, neither = 0, padding = 0;
    for (uint32_t epoch = 0; epoch < 100; epoch++) {
        batch_assemble(got, &label, &dataset, &set, all, 1, (BatchMode){true, 3, epoch});
        for (int i = 0; i < IMAGE_BYTES; i++) {
            int c = i / PLANE;
            bool black = got[i] == normalise(0, c);
            padding += black;
            neither += !black && got[i] != normalise(255, c);
        }
    }
    ck_assert_int_eq(neither, 0);
    ck_assert_int_gt(padding, 0);
}
END_TEST

START_TEST(test_batch_is_keyed_by_seed_epoch_and_image)
{
    static float first[COUNT * IMAGE_BYTES], other[COUNT * IMAGE_BYTES];
    int labels[COUNT];
    BatchMode mode = {true, 3, 1};
    batch_assemble(first, labels, &dataset, &dataset.train, all, COUNT, mode);
    batch_assemble(other, labels, &dataset, &dataset.train, all, COUNT, mode);
    ck_assert_mem_eq(first, other, sizeof first);
    batch_assemble(other, labels, &dataset, &dataset.train, all, COUNT, (BatchMode){true, 3, 2});
    ck_assert_mem_ne(first, other, sizeof first);
    batch_assemble(other, labels, &dataset, &dataset.train, all, COUNT, (BatchMode){true, 4, 1});
    ck_assert_mem_ne(first, other, sizeof first);
    uint32_t reversed[COUNT];
    for (int i = 0; i < COUNT; i++)
        reversed[i] = (uint32_t)(COUNT - 1 - i);
    batch_assemble(other, labels, &dataset, &dataset.train, reversed, COUNT, mode);
    int unequal = 0;
    for (int i = 0; i < COUNT; i++)
        unequal += labels[i] != classes[COUNT - 1 - i] ||
                   memcmp(other + i * IMAGE_BYTES, first + (COUNT - 1 - i) * IMAGE_BYTES,
                          IMAGE_BYTES * sizeof(float)) != 0;
    ck_assert_msg(unequal == 0, "%d images depend on their place in the batch", unequal);
}
END_TEST

START_TEST(test_batch_has_the_same_bits_on_any_number_of_threads)
{
    static float first[COUNT * IMAGE_BYTES], other[COUNT * IMAGE_BYTES];
    int labels[COUNT], labels_other[COUNT];
    BatchMode mode = {true, 3, 1};
    omp_set_dynamic(0);
    omp_set_num_threads(1);
    batch_assemble(first, labels, &dataset, &dataset.train, all, COUNT, mode);
    for (int threads = 2; threads <= 3; threads++) {
        omp_set_num_threads(threads);
        memset(other, 0, sizeof other);
        batch_assemble(other, labels_other, &dataset, &dataset.train, all, COUNT, mode);
        ck_assert_mem_eq(first, other, sizeof first);
        ck_assert_mem_eq(labels, labels_other, sizeof labels);
    }
}
END_TEST

static const struct {
    int count_a, count_b, train;
} splits[] = {{40000, 10000, 50000}, {10000, 2500, 50000}, {1, 1, 2}, {7, 0, 7}, {0, 0, 5}};
enum { SPLITS = sizeof splits / sizeof splits[0] };

/* Disjoint, and with count_a + count_b = train also complete: nothing is drawn twice. */
START_TEST(test_split_draws_no_image_twice)
{
    int count_a = splits[_i].count_a, count_b = splits[_i].count_b, train = splits[_i].train, bad = 0;
    uint32_t *a = malloc((size_t)count_a * sizeof *a + 1), *b = malloc((size_t)count_b * sizeof *b + 1);
    char *seen = calloc((size_t)train, 1);
    split_training_set(a, count_a, b, count_b, train, 3);
    for (int i = 0; i < count_a + count_b; i++) {
        uint32_t image = i < count_a ? a[i] : b[i - count_a];
        if (image >= (uint32_t)train || seen[image]++)
            bad++;
    }
    free(a);
    free(b);
    free(seen);
    ck_assert_int_eq(bad, 0);
}
END_TEST

/* b is a random fifth of the set: its mean has standard deviation train / sqrt(12 count_b) sqrt(4/5). */
START_TEST(test_split_is_random_and_keyed_by_the_seed)
{
    static uint32_t a[40000], b[10000], other[10000];
    split_training_set(a, 40000, b, 10000, 50000, 3);
    split_training_set(a, 40000, other, 10000, 50000, 3);
    ck_assert_mem_eq(b, other, sizeof b);
    split_training_set(a, 40000, other, 10000, 50000, 4);
    ck_assert_mem_ne(b, other, sizeof b);
    double mean = 0;
    for (int i = 0; i < 10000; i++)
        mean += b[i] / 10000.0;
    ck_assert_msg(fabs(mean - 24999.5) <= 5 * 50000 / sqrt(12 * 10000.0) * sqrt(0.8), "mean %g", mean);
}
END_TEST

Suite *batch_suite(void)
{
    Suite *suite = suite_create("batch");
    TCase *tcase = tcase_create("batch");
    tcase_set_timeout(tcase, 120);
    tcase_add_unchecked_fixture(tcase, make_dataset, NULL);
    tcase_add_test(tcase, test_batch_without_augmentation_is_the_normalised_image);
    tcase_add_test(tcase, test_batch_augmented_images_are_crops_and_flips_all_equally_often);
    tcase_add_test(tcase, test_batch_padding_is_the_normalised_raw_zero);
    tcase_add_test(tcase, test_batch_is_keyed_by_seed_epoch_and_image);
    tcase_add_test(tcase, test_batch_has_the_same_bits_on_any_number_of_threads);
    tcase_add_loop_test(tcase, test_split_draws_no_image_twice, 0, SPLITS);
    tcase_add_test(tcase, test_split_is_random_and_keyed_by_the_seed);
    suite_add_tcase(suite, tcase);
    return suite;
}
