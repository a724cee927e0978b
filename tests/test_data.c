/* Data sets: the readers on good and bad files of both layouts. What is made of whole folders is tested in
 * test_data_load.c, the download in test_data_fetch.c. */
#include "data_fixture.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

START_TEST(test_read_cifar10_appends_images_and_labels)
{
    make_folder("append");
    uint8_t *records = make_records(0, 5);
    put(under("append", "one"), records, 3 * RECORD);
    put(under("append", "two"), records + 3 * RECORD, 2 * RECORD);
    ImageSet set = {0};
    Error error;
    ck_assert_msg(read_cifar10(&set, under("append", "one"), &error), "%s", error.text);
    ck_assert_msg(read_cifar10(&set, under("append", "two"), &error), "%s", error.text);
    ck_assert_int_eq(set.count, 5);
    ck_assert_int_eq(unequal_records(&set, 0, records, 5), 0);
    image_set_free(&set);
    ck_assert(set.count == 0 && set.images == NULL && set.labels == NULL);
    free(records);
}
END_TEST

static const struct {
    const char *name;
    int bytes, bad_label_at, label; /* bytes -1: no file, -2: a folder */
    const char *says;
} bad_cifar10[] = {
    {"missing", -1, -1, 0, "No such file"},
    {"folder", -2, -1, 0, "not a file"},
    {"empty", 0, -1, 0, "0 bytes, expected a positive multiple of 3073"},
    {"short", 2 * RECORD - 1, -1, 0, "6145 bytes, expected a positive multiple of 3073"},
    {"long", 2 * RECORD + 1, -1, 0, "6147 bytes, expected a positive multiple of 3073"},
    {"label-10", 3 * RECORD, 2, 10, "image 2 has label 10, expected 0 to 9"},
    {"label-255", 3 * RECORD, 0, 255, "image 0 has label 255, expected 0 to 9"},
};
enum { BAD_CIFAR10 = sizeof bad_cifar10 / sizeof bad_cifar10[0] };

START_TEST(test_read_cifar10_refuses_a_bad_file_and_keeps_the_set)
{
    make_folder("cifar");
    const char *name = bad_cifar10[_i].name;
    uint8_t *records = make_records(0, 3);
    put(under("cifar", "good"), records, RECORD);
    ImageSet set = {0};
    Error error = {""};
    ck_assert(read_cifar10(&set, under("cifar", "good"), &error));
    uint8_t *bad = make_records(0, 3);
    if (bad_cifar10[_i].bad_label_at >= 0)
        bad[bad_cifar10[_i].bad_label_at * RECORD] = (uint8_t)bad_cifar10[_i].label;
    if (bad_cifar10[_i].bytes >= 0)
        put(under("cifar", name), bad, (size_t)bad_cifar10[_i].bytes);
    else if (bad_cifar10[_i].bytes == -2)
        make_folder("cifar/folder");
    bool ok = read_cifar10(&set, under("cifar", name), &error);
    check_refused(ok, &error, under("cifar", name), bad_cifar10[_i].says);
    ck_assert_int_eq(set.count, 1);
    ck_assert_int_eq(unequal_records(&set, 0, records, 1), 0);
    image_set_free(&set);
    free(records);
    free(bad);
}
END_TEST

static const IdxFault bad_idx[] = {
    {.name = "images-magic", .says = "0x00000804, expected 0x00000803", .images_magic = 1},
    {.name = "labels-magic", .says = "0x00000802, expected 0x00000801", .labels_magic = 1, .in_labels = true},
    {.name = "height", .says = "29x28, expected 28x28", .height = 1},
    {.name = "width", .says = "28x27, expected 28x28", .width = -1},
    {.name = "no-images", .says = "announces 0 items", .images = -3},
    {.name = "many-images", .says = "announces 2147483651 items", .images = INT32_MIN},
    {.name = "more-labels", .says = "4 labels", .labels = 1, .label_bytes = 1, .in_labels = true},
    {.name = "images-end", .says = "ends early", .image_bytes = -1},
    {.name = "images-end-gz", .says = "ends early", .image_bytes = -1, .gzip = true},
    {.name = "no-header", .says = "ends early", .image_bytes = -3 * GREY - 1},
    {.name = "no-bytes", .says = "ends early", .image_bytes = -3 * GREY - 16},
    {.name = "labels-end", .says = "ends early", .label_bytes = -1, .in_labels = true},
    {.name = "images-go-on", .says = "goes on after the 2368 bytes", .image_bytes = 1},
    {.name = "images-go-on-gz", .says = "goes on after the 2368 bytes", .image_bytes = 1, .gzip = true},
    {.name = "labels-go-on", .says = "goes on after the 11 bytes", .label_bytes = 1, .in_labels = true},
    {.name = "label", .says = "image 1 has label 10", .label = 9, .in_labels = true},
    {.name = "gzip-ends", .says = "ends early", .gzip = true, .cut = 900},
    {.name = "gzip-no-trailer", .says = "ends early", .gzip = true, .cut = 4},
    {.name = "gzip-data", .says = "", .gzip = true, .flip = 1000},
    {.name = "gzip-checksum", .says = "incorrect data check", .gzip = true, .flip = 8},
};
enum { BAD_IDX = sizeof bad_idx / sizeof bad_idx[0] };

START_TEST(test_read_idx_pads_and_repeats_the_first_images)
{
    make_folder("idx");
    const char *images = under("idx", "images"), *labels = under("idx", "labels");
    put_idx(images, labels, (IdxFault){.gzip = _i == 1});
    ImageSet set = {0};
    Error error;
    ck_assert_msg(read_idx(&set, images, labels, 100, &error), "%s", error.text);
    ck_assert_int_eq(set.count, 3);
    ck_assert_msg(read_idx(&set, images, labels, 2, &error), "%s", error.text);
    ck_assert_int_eq(set.count, 5);
    ck_assert_int_eq(unequal_greys(&set, 0, 3) + unequal_greys(&set, 3, 2), 0);
    static const uint8_t want[5] = {0, 1, 2, 0, 1};
    ck_assert_mem_eq(set.labels, want, sizeof want);
    image_set_free(&set);
}
END_TEST

START_TEST(test_read_idx_refuses_a_bad_pair)
{
    IdxFault fault = bad_idx[_i];
    make_folder(fault.name);
    const char *images = under(fault.name, "images"), *labels = under(fault.name, "labels");
    put_idx(images, labels, fault);
    ImageSet set = {0};
    Error error = {""};
    /* The fault is found even where it lies behind the images that are kept. */
    bool ok = read_idx(&set, images, labels, 1, &error);
    check_refused(ok, &error, fault.in_labels ? labels : images, fault.says);
    ck_assert_int_eq(set.count, 0);
    image_set_free(&set);
}
END_TEST

START_TEST(test_read_idx_refuses_a_missing_file)
{
    make_folder("idx-missing");
    const char *images = under("idx-missing", "images"), *labels = under("idx-missing", "labels");
    ImageSet set = {0};
    Error error = {""};
    check_refused(read_idx(&set, images, labels, 1, &error), &error, images, "No such file");
    put_idx(images, labels, (IdxFault){0});
    remove(labels);
    check_refused(read_idx(&set, images, labels, 1, &error), &error, labels, "No such file");
    make_folder("idx-missing/labels");
    check_refused(read_idx(&set, images, labels, 1, &error), &error, labels, "not a file");
    image_set_free(&set);
}
END_TEST

Suite *data_suite(void)
{
    Suite *suite = suite_create("data");
    TCase *tcase = tcase_create("readers");
    tcase_set_timeout(tcase, 60);
    tcase_add_unchecked_fixture(tcase, make_root, remove_root);
    tcase_add_test(tcase, test_read_cifar10_appends_images_and_labels);
    tcase_add_loop_test(tcase, test_read_cifar10_refuses_a_bad_file_and_keeps_the_set, 0, BAD_CIFAR10);
    tcase_add_loop_test(tcase, test_read_idx_pads_and_repeats_the_first_images, 0, 2);
    tcase_add_loop_test(tcase, test_read_idx_refuses_a_bad_pair, 0, BAD_IDX);
    tcase_add_test(tcase, test_read_idx_refuses_a_missing_file);
    suite_add_tcase(suite, tcase);
    suite_add_tcase(suite, data_load_case());
    suite_add_tcase(suite, data_fetch_case());
    return suite;
}
