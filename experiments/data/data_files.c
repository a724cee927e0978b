/* Readers of image files: CIFAR-10's binary layout and IDX. See data.h. A reader that fails leaves the set's
 * images as they were: it appends behind them and counts them in at the end. */
#include "data.h"
#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <zlib.h>

enum {
    PLANE = IMAGE_SIDE * IMAGE_SIDE,
    RECORD_BYTES = 1 + IMAGE_BYTES, /* of CIFAR-10's layout */
    GREY_SIDE = 28,
    GREY_BYTES = GREY_SIDE * GREY_SIDE,
    BORDER = (IMAGE_SIDE - GREY_SIDE) / 2,
    IDX_LABELS = 0x801, /* magic numbers: unsigned bytes in 1 dimension, and in 3 */
    IDX_IMAGES = 0x803
};

static bool make_room(ImageSet *set, int more, const char *path, Error *error)
{
    if (more > INT_MAX - set->count)
        return fail(error, "%s: more than %d images in one set; split it", path, INT_MAX);
    size_t count = (size_t)set->count + (size_t)more;
    uint8_t *images = realloc(set->images, count * IMAGE_BYTES);
    if (images != NULL)
        set->images = images;
    uint8_t *labels = realloc(set->labels, count);
    if (labels != NULL)
        set->labels = labels;
    if (images == NULL || labels == NULL)
        return fail(error, "%s: no memory for %zu images; free some and start again", path, count);
    return true;
}

static bool check_label(int label, int image, const char *path, Error *error)
{
    if (label < CLASSES)
        return true;
    return fail(error, "%s: image %d has label %d, expected 0 to %d; replace the file by a sound copy", path,
                image, label, CLASSES - 1);
}

void image_set_free(ImageSet *set)
{
    free(set->images);
    free(set->labels);
    *set = (ImageSet){0};
}

/* CIFAR-10 */

static bool read_records(ImageSet *set, int count, FILE *file, const char *path, Error *error)
{
    uint8_t *image = set->images + (size_t)set->count * IMAGE_BYTES;
    for (int i = 0; i < count; i++, image += IMAGE_BYTES) {
        int label = getc(file);
        if (label == EOF || fread(image, 1, IMAGE_BYTES, file) != IMAGE_BYTES)
            return fail(error, "%s: cannot read image %d of %d: %s; check the disk", path, i, count,
                        ferror(file) ? strerror(errno) : "the file ends early");
        if (!check_label(label, i, path, error))
            return false;
        set->labels[set->count + i] = (uint8_t)label;
    }
    set->count += count;
    return true;
}

bool read_cifar10(ImageSet *set, const char *path, Error *error)
{
    struct stat status;
    if (stat(path, &status) != 0)
        return fail(error, "%s: %s; `make data` fetches CIFAR-10, DATA=fashion-mnist does without", path,
                    strerror(errno));
    if (!S_ISREG(status.st_mode))
        return fail(error, "%s: not a file; put a file in CIFAR-10's binary layout there", path);
    long long bytes = status.st_size;
    if (bytes == 0 || bytes % RECORD_BYTES != 0)
        return fail(error,
                    "%s: %lld bytes, expected a positive multiple of %d (a label and %d pixels an image); "
                    "replace the file by a complete copy",
                    path, bytes, RECORD_BYTES, IMAGE_BYTES);
    if (bytes / RECORD_BYTES > INT_MAX)
        return fail(error, "%s: %lld images, at most %d fit; split it", path, bytes / RECORD_BYTES, INT_MAX);
    int count = (int)(bytes / RECORD_BYTES);
    if (!make_room(set, count, path, error))
        return false;
    FILE *file = fopen(path, "rb");
    if (file == NULL)
        return fail(error, "%s: %s; make it readable", path, strerror(errno));
    bool ok = read_records(set, count, file, path, error);
    fclose(file);
    return ok;
}

/* IDX */

static bool read_bytes(void *to, unsigned count, gzFile file, const char *path, Error *error)
{
    int got = gzread(file, to, count);
    if (got == (int)count)
        return true;
    int code;
    const char *reason = gzerror(file, &code);
    if (got >= 0 && (code == Z_OK || code == Z_BUF_ERROR))
        reason = "it ends early";
    else if (code == Z_ERRNO)
        reason = strerror(errno);
    return fail(error, "%s: %s at byte %ld of its contents, %u more expected; replace it by a sound copy",
                path, reason, (long)gztell(file), count - (unsigned)(got > 0 ? got : 0));
}

/* Reads the header: its numbers are 32 bits each, the most significant byte first. The count is the first
 * number after the magic. */
static bool read_header(uint32_t *count, gzFile file, uint32_t magic, const char *path, Error *error)
{
    uint8_t bytes[16];
    uint32_t numbers[4];
    unsigned many = magic == IDX_IMAGES ? 4 : 2;
    if (!read_bytes(bytes, 4 * many, file, path, error))
        return false;
    for (unsigned i = 0; i < many; i++)
        numbers[i] = (uint32_t)bytes[4 * i] << 24 | (uint32_t)bytes[4 * i + 1] << 16 |
                     (uint32_t)bytes[4 * i + 2] << 8 | bytes[4 * i + 3];
    if (numbers[0] != magic)
        return fail(error, "%s: starts with 0x%08x, expected 0x%08x; put the IDX file of %s there", path,
                    (unsigned)numbers[0], (unsigned)magic, magic == IDX_IMAGES ? "images" : "labels");
    if (magic == IDX_IMAGES && (numbers[2] != GREY_SIDE || numbers[3] != GREY_SIDE))
        return fail(error, "%s: images of %ux%u, expected %dx%d; only that size is read", path,
                    (unsigned)numbers[2], (unsigned)numbers[3], GREY_SIDE, GREY_SIDE);
    if (numbers[1] == 0 || numbers[1] > INT_MAX)
        return fail(error, "%s: announces %u items, expected 1 to %d; replace it by a sound copy", path,
                    (unsigned)numbers[1], INT_MAX);
    *count = numbers[1];
    return true;
}

/* Nothing may follow the last item. Reading to the end is also what makes zlib compare its checksum. */
static bool check_end(gzFile file, const char *path, Error *error)
{
    uint8_t byte;
    int got = gzread(file, &byte, 1);
    if (got == 1)
        return fail(error, "%s: goes on after the %ld bytes it announces; replace it by a sound copy", path,
                    (long)gztell(file) - 1);
    int code;
    const char *reason = gzerror(file, &code);
    if (got == 0 && code == Z_OK)
        return true;
    return fail(error, "%s: %s; replace it by a sound copy", path,
                code == Z_BUF_ERROR ? "the compressed file ends early" : reason);
}

static void pad_grey(uint8_t *image, const uint8_t *grey)
{
    memset(image, 0, IMAGE_BYTES);
    for (int c = 0; c < IMAGE_CHANNELS; c++)
        for (int y = 0; y < GREY_SIDE; y++)
            memcpy(image + c * PLANE + (y + BORDER) * IMAGE_SIDE + BORDER, grey + y * GREY_SIDE, GREY_SIDE);
}

/* Reads all `count` items of both files, so that a fault anywhere is found, and keeps the first `kept`. */
static bool read_items(ImageSet *set, int count, int kept, gzFile images, gzFile labels,
                       const char *images_path, const char *labels_path, Error *error)
{
    for (int i = 0; i < count; i++) {
        uint8_t grey[GREY_BYTES], label;
        if (!read_bytes(grey, GREY_BYTES, images, images_path, error) ||
            !read_bytes(&label, 1, labels, labels_path, error) || !check_label(label, i, labels_path, error))
            return false;
        if (i < kept) {
            pad_grey(set->images + (size_t)(set->count + i) * IMAGE_BYTES, grey);
            set->labels[set->count + i] = label;
        }
    }
    if (!check_end(images, images_path, error) || !check_end(labels, labels_path, error))
        return false;
    set->count += kept;
    return true;
}

static bool read_pair(ImageSet *set, gzFile images, gzFile labels, const char *images_path,
                      const char *labels_path, int most, Error *error)
{
    uint32_t count, count_labels;
    if (!read_header(&count, images, IDX_IMAGES, images_path, error) ||
        !read_header(&count_labels, labels, IDX_LABELS, labels_path, error))
        return false;
    if (count != count_labels)
        return fail(error, "%s: %u labels, but %s has %u images; take both files from one set", labels_path,
                    (unsigned)count_labels, images_path, (unsigned)count);
    int kept = count < (uint32_t)most ? (int)count : most;
    return make_room(set, kept, images_path, error) &&
           read_items(set, (int)count, kept, images, labels, images_path, labels_path, error);
}

static gzFile open_idx(const char *path, Error *error)
{
    struct stat status;
    if (stat(path, &status) == 0 && !S_ISREG(status.st_mode)) {
        fail(error, "%s: not a file; put an IDX file there", path);
        return NULL;
    }
    errno = 0;
    gzFile file = gzopen(path, "rb");
    if (file == NULL)
        fail(error, "%s: %s; Fashion-MNIST comes with `make setup` (package dataset-fashion-mnist)", path,
             errno != 0 ? strerror(errno) : "no memory");
    else
        gzbuffer(file, 1u << 18);
    return file;
}

bool read_idx(ImageSet *set, const char *images_path, const char *labels_path, int most, Error *error)
{
    assert(most > 0);
    gzFile images = open_idx(images_path, error);
    if (images == NULL)
        return false;
    gzFile labels = open_idx(labels_path, error);
    bool ok = labels != NULL && read_pair(set, images, labels, images_path, labels_path, most, error);
    if (labels != NULL)
        gzclose(labels);
    gzclose(images);
    return ok;
}
