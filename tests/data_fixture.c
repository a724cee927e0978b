/* Files and checks for the tests of data sets: see data_fixture.h. */
#define _XOPEN_SOURCE 700 /* nftw */
#include "data_fixture.h"
#include "../experiments/base/files.h"
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

static char root[256];

const char *const cifar10_names[6] = {"data_batch_1.bin", "data_batch_2.bin", "data_batch_3.bin",
                                      "data_batch_4.bin", "data_batch_5.bin", "test_batch.bin"};

void make_root(void)
{
    const char *base = getenv("TMPDIR");
    snprintf(root, sizeof root, "%s/nopool-data-XXXXXX", base != NULL ? base : "/tmp");
    ck_assert_ptr_nonnull(mkdtemp(root));
}

static int remove_one(const char *path, const struct stat *status, int kind, struct FTW *place)
{
    (void)status, (void)kind, (void)place;
    return remove(path);
}

void remove_root(void)
{
    nftw(root, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

const char *under(const char *folder, const char *name)
{
    static char paths[4][512];
    static int next;
    char *path = paths[next++ % 4];
    snprintf(path, sizeof paths[0], "%s%s%s%s%s", root, *folder ? "/" : "", folder, *name ? "/" : "", name);
    return path;
}

void make_folder(const char *name)
{
    Error error;
    ck_assert_msg(folder_make(under(name, ""), &error), "%s", error.text);
}

void put(const char *path, const void *bytes, size_t count)
{
    FILE *file = fopen(path, "wb");
    ck_assert(file != NULL && fwrite(bytes, 1, count, file) == count && fclose(file) == 0);
}

void check_refused(bool ok, const Error *error, const char *path, const char *says)
{
    ck_assert_msg(!ok, "%s was accepted", path);
    ck_assert_msg(strstr(error->text, path) != NULL && strstr(error->text, says) != NULL,
                  "expected '%s' and '%s' in: %s", path, says, error->text);
}

uint8_t *make_records(int first, int count)
{
    uint8_t *records = malloc((size_t)count * RECORD + 1);
    uint32_t state = (uint32_t)first * 7919u + 1;
    for (int i = 0; i < count * RECORD; i++) {
        state = state * 1664525u + 1013904223u;
        records[i] = i % RECORD == 0 ? (uint8_t)((first + i / RECORD) % CLASSES) : (uint8_t)(state >> 24);
    }
    return records;
}

int unequal_records(const ImageSet *set, int at, const uint8_t *records, int count)
{
    int unequal = 0;
    for (int i = 0; i < count; i++)
        unequal +=
            set->labels[at + i] != records[i * RECORD] ||
            memcmp(set->images + (size_t)(at + i) * IMAGE_BYTES, records + i * RECORD + 1, IMAGE_BYTES) != 0;
    return unequal;
}

static void put_number(uint8_t *to, int64_t number)
{
    for (int i = 0; i < 4; i++)
        to[i] = (uint8_t)(number >> (24 - 8 * i));
}

static uint8_t grey_pixel(int image, int i)
{
    return (uint8_t)((image * 31 + i * 17 + i / 28 * 5 + i * i % 251) % 255 + 1);
}

static void put_maybe_gzip(const char *path, const uint8_t *bytes, int count, bool gzip)
{
    gzFile file = gzopen(path, gzip ? "wb" : "wbT");
    ck_assert(file != NULL && gzwrite(file, bytes, (unsigned)count) == count && gzclose(file) == Z_OK);
}

void put_idx(const char *images_path, const char *labels_path, IdxFault fault)
{
    uint8_t images[16 + 3 * GREY + 1] = {0}, labels[8 + 3 + 1] = {0};
    put_number(images, 0x803 + fault.images_magic);
    put_number(images + 4, 3 + (int64_t)fault.images);
    put_number(images + 8, 28 + fault.height);
    put_number(images + 12, 28 + fault.width);
    put_number(labels, 0x801 + fault.labels_magic);
    put_number(labels + 4, 3 + fault.labels);
    for (int i = 0; i < 3 * GREY; i++)
        images[16 + i] = grey_pixel(i / GREY, i % GREY);
    for (int i = 0; i < 3; i++)
        labels[8 + i] = (uint8_t)(i + (i == 1 ? fault.label : 0));
    put_maybe_gzip(labels_path, labels, 8 + 3 + fault.label_bytes, fault.gzip);
    put_maybe_gzip(images_path, images, 16 + 3 * GREY + fault.image_bytes, fault.gzip);
    if (fault.cut == 0 && fault.flip == 0)
        return;
    Error error;
    char *bytes;
    size_t count;
    ck_assert_msg(file_read(&bytes, &count, images_path, &error), "%s", error.text);
    ck_assert_uint_gt(count, 1000);
    if (fault.flip > 0)
        bytes[count - (size_t)fault.flip] ^= 4;
    put(images_path, bytes, count - (size_t)fault.cut);
    free(bytes);
}

int unequal_greys(const ImageSet *set, int at, int count)
{
    int unequal = 0;
    for (int n = 0; n < count; n++)
        for (int i = 0; i < IMAGE_BYTES; i++) {
            int y = i % PLANE / IMAGE_SIDE - 2, x = i % IMAGE_SIDE - 2;
            bool inside = y >= 0 && y < 28 && x >= 0 && x < 28;
            unequal +=
                set->images[(size_t)(at + n) * IMAGE_BYTES + i] != (inside ? grey_pixel(n, y * 28 + x) : 0);
        }
    return unequal;
}

void put_named(const char *folder, int number, int64_t bytes)
{
    FILE *file = fopen(under(folder, cifar10_names[number]), "wb");
    ck_assert(file != NULL && putc(number + 1, file) != EOF && ftruncate(fileno(file), bytes) == 0 &&
              fseek(file, -1, SEEK_END) == 0 && putc(number + 1, file) != EOF && fclose(file) == 0);
}
