/* Readers of images: files in CIFAR-10's layout, pairs of IDX files, folders of either. */
#include "../../experiments/data/data.h"
#include "../../experiments/base/files.h"
#include "harness.h"
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

enum { RECORD = 1 + IMAGE_BYTES, GREY = 28, PLANE = IMAGE_SIDE * IMAGE_SIDE };

/* Read twice, so that the second time appends. */
void fuzz_cifar10(const uint8_t *bytes, size_t count)
{
    ImageSet set = {0};
    Error error = {""};
    bool whole = count > 0 && count % RECORD == 0;
    for (size_t at = 0; at < count; at += RECORD)
        whole = whole && bytes[at] < CLASSES;
    scratch_put("images.bin", bytes, count);
    for (int round = 0; round < 2; round++) {
        const bool read = read_cifar10(&set, scratch("images.bin"), &error);
        expect_sentence(read, &error);
        expect(read == whole, "exactly files of whole records with labels below 10 are read");
        expect(set.count == (read ? (round + 1) * (int)(count / RECORD) : 0), "images are counted");
    }
    for (int i = 0; i < set.count; i++) {
        const uint8_t *record = bytes + (size_t)i * RECORD % count;
        expect(set.labels[i] == record[0] &&
                   memcmp(set.images + (size_t)i * IMAGE_BYTES, record + 1, IMAGE_BYTES) == 0,
               "images are read as they stand");
    }
    image_set_free(&set);
}

static void put_gzip(const char *name, const uint8_t *bytes, size_t count)
{
    gzFile file = gzopen(scratch(name), "wb1");
    expect(file && (count == 0 || gzwrite(file, bytes, (unsigned)count) == (int)count) &&
               gzclose(file) == Z_OK,
           "a file can be compressed");
}

/* Image i as the file of images has it, padded: pixel by pixel. */
static bool is_padded(const uint8_t *image, const uint8_t *grey)
{
    for (int p = 0; p < IMAGE_BYTES; p++) {
        const int y = p % PLANE / IMAGE_SIDE - 2, x = p % IMAGE_SIDE - 2;
        const bool inside = y >= 0 && y < GREY && x >= 0 && x < GREY;
        if (image[p] != (inside ? grey[y * GREY + x] : 0))
            return false;
    }
    return true;
}

static uint32_t big_endian(const uint8_t *bytes)
{
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

/* What the two files announce and hold, by a second reading. */
static bool is_pair(const uint8_t *labels, size_t labels_count, const uint8_t *images, size_t images_count)
{
    if (labels_count < 8 || images_count < 16 || big_endian(labels) != 0x801 || big_endian(images) != 0x803)
        return false;
    const uint64_t items = big_endian(labels + 4);
    if (items == 0 || items != big_endian(images + 4) || big_endian(images + 8) != GREY ||
        big_endian(images + 12) != GREY || labels_count != 8 + items ||
        images_count != 16 + items * GREY * GREY)
        return false;
    for (uint64_t i = 0; i < items; i++)
        if (labels[8 + i] >= CLASSES)
            return false;
    return true;
}

/* Byte 0: which files are compressed here, whether the bytes are given as a .gz as they are, and the most
 * images; byte 1: the length of the file of labels, which comes first. */
void fuzz_idx(const uint8_t *bytes, size_t count)
{
    if (count < 2)
        return;
    const bool gzip_labels = bytes[0] & 1, gzip_images = bytes[0] & 2;
    const int most = bytes[0] & 4 ? 1000 : 1 + (bytes[0] >> 3 & 3);
    const size_t room = count - 2, first = bytes[1] < room ? bytes[1] : room;
    const uint8_t *labels = bytes + 2, *images = labels + first;
    ImageSet set = {0};
    Error error = {""};
    if (gzip_labels)
        put_gzip("labels", labels, first);
    else
        scratch_put("labels", labels, first);
    if (gzip_images)
        put_gzip("images", images, room - first);
    else
        scratch_put("images", images, room - first);
    const bool read = read_idx(&set, scratch("images"), scratch("labels"), most, &error);
    expect_sentence(read, &error);
    expect(read || set.count == 0, "what is refused adds no image");
    expect(set.count <= most, "no more images than asked for");
    /* What begins like a .gz is taken for one: then a second reading would have to unpack it. */
    const bool plain = (gzip_labels || first < 2 || labels[0] != 0x1f) &&
                       (gzip_images || room - first < 2 || images[0] != 0x1f);
    expect(!plain || read == is_pair(labels, first, images, room - first), "exactly pairs are read");
    for (int i = 0; plain && i < set.count; i++)
        expect(set.labels[i] == labels[8 + i] &&
                   is_padded(set.images + (size_t)i * IMAGE_BYTES, images + 16 + (size_t)i * GREY * GREY),
               "images are read as they stand, and padded");
    image_set_free(&set);
}

/* A sound folder of one image a file, whose texts are the input's. */
void fuzz_dataset(const uint8_t *bytes, size_t count)
{
    static const char *const texts[] = {"set/batches.meta.txt", "set/verified.tsv", NULL};
    static const char *const files[] = {"set/data_batch_1.bin", "set/data_batch_2.bin",
                                        "set/data_batch_3.bin", "set/data_batch_4.bin",
                                        "set/data_batch_5.bin", "set/test_batch.bin"};
    static const uint8_t record[RECORD] = {3, 200};
    Dataset d;
    Error error = {""};
    if (!file_exists(scratch(files[0])))
        for (int i = 0; i < 6; i++)
            scratch_put(files[i], record, sizeof record);
    scratch_unpack(texts, bytes, count);
    const bool read = dataset_load(&d, scratch("set"), &error);
    expect_sentence(read, &error);
    for (int k = 0; read && k < CLASSES; k++)
        expect(memchr(d.class_names[k], 0, sizeof d.class_names[k]) && !strchr(d.class_names[k], '\t') &&
                   d.class_names[k][0],
               "a class has a name without tabs");
    if (read)
        expect(d.train.count == 5 && d.test.count == 1 &&
                   (strcmp(d.name, "custom") == 0 || strcmp(d.name, "cifar10") == 0),
               "a folder is custom data, or vouched for");
    dataset_free(&d);
}
