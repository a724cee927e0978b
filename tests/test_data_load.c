/* Data sets: what dataset_load makes of a name or a folder. Part of the suite "data".
 *
 * Claims: s4.1.data. */
#include "../experiments/base/files.h"
#include "data_fixture.h"
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const int folder_counts[6] = {2, 1, 3, 1, 1, 2};

/* Writes the six files of a small set; its 10 records are returned, the caller's to free. */
static uint8_t *put_cifar10_folder(const char *folder)
{
    uint8_t *records = make_records(1, 10);
    int at = 0;
    make_folder(folder);
    for (int i = 0; i < 6; at += folder_counts[i++])
        put(under(folder, cifar10_names[i]), records + at * RECORD, (size_t)folder_counts[i] * RECORD);
    return records;
}

/* Mean and deviation, in two passes. Both computations are in double, whose error is below 1e-10 of these
 * results; what is left is one rounding to float. */
static void check_measured(const Dataset *d)
{
    size_t count = (size_t)d->train.count * PLANE;
    for (int c = 0; c < IMAGE_CHANNELS; c++) {
        double mean = 0, variance = 0;
        for (int pass = 0; pass < 2; pass++)
            for (size_t i = 0; i < count; i++) {
                double x =
                    d->train.images[(i / PLANE * IMAGE_CHANNELS + (size_t)c) * PLANE + i % PLANE] / 255.0;
                if (pass == 0)
                    mean += x / (double)count;
                else
                    variance += (x - mean) * (x - mean) / (double)count;
            }
        ck_assert_msg(fabs(d->mean[c] - mean) <= 0x1p-23 * mean, "mean %.9g, expected %.9g", d->mean[c],
                      mean);
        ck_assert_msg(fabs(d->deviation[c] - sqrt(variance)) <= 0x1p-23 * sqrt(variance),
                      "deviation %.9g, expected %.9g", d->deviation[c], sqrt(variance));
    }
}

START_TEST(test_dataset_load_reads_a_folder_in_cifar10_layout)
{
    uint8_t *records = put_cifar10_folder("my set");
    Dataset d;
    Error error;
    char path[300], sha256[65];
    snprintf(path, sizeof path, "%s//", under("my set", ""));
    ck_assert_msg(dataset_load(&d, path, &error), "%s", error.text);
    sha256_hex(sha256, records, 10 * RECORD);
    ck_assert_str_eq(d.name, "custom");
    ck_assert_str_eq(d.sha256, sha256);
    ck_assert(d.train.count == 8 && d.test.count == 2);
    ck_assert_int_eq(unequal_records(&d.train, 0, records, 8), 0);
    ck_assert_int_eq(unequal_records(&d.test, 0, records + 8 * RECORD, 2), 0);
    for (int k = 0; k < CLASSES; k++)
        ck_assert_msg(strlen(d.class_names[k]) == 1 && d.class_names[k][0] == '0' + k, "class %d", k);
    check_measured(&d);
    dataset_free(&d);
    ck_assert(d.train.images == NULL && d.test.images == NULL);
    free(records);
}
END_TEST

START_TEST(test_dataset_load_reads_a_folder_of_idx_files)
{
    make_folder("grey");
    put_idx(under("grey", "train-images-idx3-ubyte.gz"), under("grey", "train-labels-idx1-ubyte.gz"),
            (IdxFault){.gzip = true});
    put_idx(under("grey", "t10k-images-idx3-ubyte"), under("grey", "t10k-labels-idx1-ubyte"), (IdxFault){0});
    Dataset d;
    Error error;
    ck_assert_msg(dataset_load(&d, under("grey", ""), &error), "%s", error.text);
    ck_assert_str_eq(d.name, "custom");
    ck_assert(d.train.count == 3 && d.test.count == 3);
    ck_assert_int_eq(unequal_greys(&d.train, 0, 3) + unequal_greys(&d.test, 0, 3), 0);
    check_measured(&d);
    dataset_free(&d);
}
END_TEST

START_TEST(test_dataset_load_takes_class_names_from_the_folder)
{
    static const struct {
        const char *text, *says; /* says NULL: accepted */
    } metas[] = {
        {"a\nb\nc\nd\ne\nf\ng\nh\ni\nthe last one\n\n", NULL},
        {"a\r\nb\r\nc\r\nd\r\ne\r\nf\r\ng\r\nh\r\ni\r\nthe last one", NULL},
        {"a\nb\nc\nd\ne\nf\ng\nh\ni\n", "9 class names, expected 10"},
        {"a\nb\nc\nd\ne\nf\ng\nh\ni\nj\nk\n", "11 class names, expected 10"},
        {"a\nb\nc\nd\ne\nf\ng\nh\ni\na name that is longer than 31 bytes\n", "at most 31 bytes"},
        {"a\nb\nc\nd\ne\nf\ng\nh\ni\nj\tk\n", "without tabs"},
    };
    free(put_cifar10_folder("named"));
    for (int i = 0; i < (int)(sizeof metas / sizeof metas[0]); i++) {
        const char *meta = under("named", "batches.meta.txt");
        put(meta, metas[i].text, strlen(metas[i].text));
        Dataset d;
        Error error = {""};
        bool ok = dataset_load(&d, under("named", ""), &error);
        if (metas[i].says != NULL) {
            check_refused(ok, &error, meta, metas[i].says);
            ck_assert_ptr_null(d.train.images);
            continue;
        }
        ck_assert_msg(ok, "%s", error.text);
        ck_assert_str_eq(d.class_names[0], "a");
        ck_assert_str_eq(d.class_names[9], "the last one");
        dataset_free(&d);
    }
}
END_TEST

START_TEST(test_dataset_load_refuses_what_is_no_data_set)
{
    Dataset d;
    Error error = {""};
    check_refused(dataset_load(&d, "cifar100", &error), &error, "cifar100", "is unknown");
    make_folder("nothing");
    check_refused(dataset_load(&d, under("nothing", ""), &error), &error, under("nothing", ""),
                  "holds neither data_batch_1.bin nor train-images-idx3-ubyte");
    free(put_cifar10_folder("gap"));
    remove(under("gap", "test_batch.bin"));
    check_refused(dataset_load(&d, under("gap", ""), &error), &error, under("gap", "test_batch.bin"),
                  "No such file");
    ck_assert(d.train.images == NULL && d.train.count == 0 && d.test.images == NULL);
}
END_TEST

/* The first line that key.sh prints for a folder. */
static void key_of(char key[128], const char *folder)
{
    char command[512];
    snprintf(command, sizeof command, "bash experiments/data/key.sh %s", folder);
    FILE *pipe = popen(command, "r");
    ck_assert(pipe != NULL && fgets(key, 128, pipe) != NULL);
    ck_assert_int_eq(pclose(pipe), 0);
    key[strcspn(key, "\n")] = 0;
}

/* A folder called cifar10 is custom data, unless the archive's SHA-256 vouches for just these bytes; train
 * and make agree on it. */
START_TEST(test_data_is_called_by_its_hash)
{
    static const struct {
        const char *archive, *name;
        int spoil;
    } stamps[] = {{NULL, "custom", 0},
                  {CIFAR10_ARCHIVE, "cifar10", 0},
                  {CIFAR10_ARCHIVE, "custom", 1},
                  {"c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1de", "custom", 0}};
    Dataset d;
    Error error;
    char sha256[65], key[128], expected[128], text[256];
    free(put_cifar10_folder("cifar10"));
    ck_assert_msg(dataset_load(&d, under("cifar10", ""), &error), "%s", error.text);
    snprintf(sha256, sizeof sha256, "%s", d.sha256);
    dataset_free(&d);
    for (size_t i = 0; i < sizeof stamps / sizeof *stamps; i++) {
        if (stamps[i].archive) {
            sha256[10] = (char)(sha256[10] ^ stamps[i].spoil);
            const int length = snprintf(text, sizeof text, "archive_sha256\t%s\nfiles_sha256\t%s\n",
                                        stamps[i].archive, sha256);
            sha256[10] = (char)(sha256[10] ^ stamps[i].spoil);
            put(under("cifar10", "verified.tsv"), text, (size_t)length);
        }
        ck_assert_msg(dataset_load(&d, under("cifar10", ""), &error), "%s", error.text);
        ck_assert_str_eq(d.name, stamps[i].name);
        snprintf(expected, sizeof expected, "%s-%.8s", stamps[i].name, sha256);
        key_of(key, under("cifar10", ""));
        ck_assert_str_eq(key, expected);
        dataset_free(&d);
    }
}
END_TEST

/* In a working directory of its own: the named set is found from there. */
START_TEST(test_dataset_load_takes_cifar10_only_at_its_official_size)
{
    Dataset d;
    Error error = {""};
    int home = open(".", O_RDONLY);
    make_folder("home");
    ck_assert(home >= 0 && chdir(under("home", "")) == 0);
    ck_assert_str_eq(dataset_default(), "fashion-mnist");
    check_refused(dataset_load(&d, "cifar10", &error), &error, "data/cifar-10-batches-bin/data_batch_1.bin",
                  "run `make data`");
    make_folder("home/data/cifar-10-batches-bin");
    ck_assert_str_eq(dataset_default(), "cifar10");
    for (int i = 0; i < 6; i++)
        put_named("home/data/cifar-10-batches-bin", i, NAMED_BYTES);
    static const int64_t wrong[] = {NAMED_BYTES - RECORD, NAMED_BYTES + RECORD, NAMED_BYTES + 1};
    for (int i = 0; i < 3; i++) {
        char says[64];
        snprintf(says, sizeof says, "%d bytes, expected 30730000", (int)wrong[i]);
        put_named("home/data/cifar-10-batches-bin", 2 * i + 1, wrong[i]);
        check_refused(dataset_load(&d, "cifar10", &error), &error, cifar10_names[2 * i + 1], says);
        put_named("home/data/cifar-10-batches-bin", 2 * i + 1, NAMED_BYTES);
    }
    ck_assert_msg(dataset_load(&d, "cifar10", &error), "%s", error.text);
    ck_assert_str_eq(d.name, "custom");
    ck_assert_str_eq(d.class_names[9], "truck");
    ck_assert(d.train.count == 50000 && d.test.count == 10000);
    for (int i = 0; i < 5; i++)
        ck_assert(d.train.labels[10000 * i] == i + 1 &&
                  d.train.images[(size_t)10000 * (i + 1) * IMAGE_BYTES - 1] == i + 1);
    ck_assert(d.test.labels[0] == 6 && d.test.images[(size_t)10000 * IMAGE_BYTES - 1] == 6);
    /* Red and green are constant. */
    ck_assert(d.mean[0] == 0 && d.deviation[0] == 1 && d.deviation[1] == 1 && d.deviation[2] < 1);
    dataset_free(&d);
    ck_assert_int_eq(fchdir(home), 0);
    close(home);
}
END_TEST

/* As its authors describe it: every class in the training set, 1,000 test images a class, the first training
 * image an ankle boot. */
START_TEST(test_dataset_load_reads_fashion_mnist)
{
    Dataset d;
    Error error;
    int train_counts[CLASSES] = {0}, test_counts[CLASSES] = {0}, wrong = 0;
    ck_assert_msg(dataset_load(&d, "fashion-mnist", &error), "%s", error.text);
    ck_assert_str_eq(d.name, "fashion-mnist");
    ck_assert(d.train.count == 50000 && d.test.count == 10000);
    ck_assert_str_eq(d.class_names[d.train.labels[0]], "Ankle boot");
    for (int i = 0; i < d.train.count; i++)
        train_counts[d.train.labels[i]]++;
    for (int i = 0; i < d.test.count; i++)
        test_counts[d.test.labels[i]]++;
    for (int k = 0; k < CLASSES; k++)
        wrong += train_counts[k] == 0 || test_counts[k] != 1000;
    ck_assert_int_eq(wrong, 0);
    check_measured(&d);
    dataset_free(&d);
}
END_TEST

TCase *data_load_case(void)
{
    TCase *tcase = tcase_create("load");
    tcase_set_timeout(tcase, 120);
    tcase_add_unchecked_fixture(tcase, make_root, remove_root);
    tcase_add_test(tcase, test_dataset_load_reads_a_folder_in_cifar10_layout);
    tcase_add_test(tcase, test_dataset_load_reads_a_folder_of_idx_files);
    tcase_add_test(tcase, test_dataset_load_takes_class_names_from_the_folder);
    tcase_add_test(tcase, test_dataset_load_refuses_what_is_no_data_set);
    tcase_add_test(tcase, test_data_is_called_by_its_hash);
    tcase_add_test(tcase, test_dataset_load_takes_cifar10_only_at_its_official_size);
    if (file_exists("/usr/share/datasets/fashion-mnist/train-images-idx3-ubyte.gz"))
        tcase_add_test(tcase, test_dataset_load_reads_fashion_mnist);
    else
        fprintf(stderr, "data: dataset-fashion-mnist is not installed; its test is skipped\n");
    return tcase;
}
