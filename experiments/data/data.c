/* Data sets: finds the files that a name stands for, reads them, identifies and measures them. See data.h;
 * the readers are in data_files.c. */
#include "data.h"
#include "../base/files.h"
#include "scales.h"
#include <errno.h>
#include <math.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum {
    TRAIN_IMAGES = 50000, /* of the named sets; of IDX files, which hold 60,000, the first ones */
    TEST_IMAGES = 10000,
    CIFAR10_FILES = 6,
    CIFAR10_FILE_BYTES = 10000 * (1 + IMAGE_BYTES),
    MOST_FILES = 6,
    PATH_BYTES = 512
};

static const char cifar10_folder[] = "data/cifar-10-batches-bin";
static const char fashion_mnist_folder[] = "/usr/share/datasets/fashion-mnist";

static const char *const cifar10_files[CIFAR10_FILES] = {"data_batch_1.bin", "data_batch_2.bin",
                                                         "data_batch_3.bin", "data_batch_4.bin",
                                                         "data_batch_5.bin", "test_batch.bin"};
static const char *const idx_files[4] = {"train-images-idx3-ubyte", "train-labels-idx1-ubyte",
                                         "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"};

static const char *const cifar10_classes[CLASSES] = {"airplane", "automobile", "bird",  "cat",  "deer",
                                                     "dog",      "frog",       "horse", "ship", "truck"};
static const char *const fashion_mnist_classes[CLASSES] = {
    "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"};
static const char *const digits[CLASSES] = {"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"};

/* The files of a set, in the order of reading. */
typedef struct {
    int count;
    char path[MOST_FILES][PATH_BYTES];
} Files;

/* Makes folder/name followed by suffix. */
static bool join(char path[PATH_BYTES], const char *folder, const char *name, const char *suffix,
                 Error *error)
{
    int length = snprintf(path, PATH_BYTES, "%s/%s%s", folder, name, suffix);
    if (length >= 0 && length < PATH_BYTES)
        return true;
    return fail(error, "data folder %.200s...: a path of over %d bytes; link it under a shorter one", folder,
                PATH_BYTES - 1);
}

/* Ten lines, one a class; blank lines do not count (the official file ends with one). */
static bool read_class_names(Dataset *d, const char *path, Error *error)
{
    char *text, *rest;
    size_t count;
    if (!file_read(&text, &count, path, error))
        return false;
    int classes = 0;
    bool fit = true;
    for (char *line = strtok_r(text, "\r\n", &rest); line != NULL; line = strtok_r(NULL, "\r\n", &rest)) {
        if (classes < CLASSES) {
            size_t size = sizeof d->class_names[classes];
            fit = fit && strlen(line) < size && strchr(line, '\t') == NULL;
            snprintf(d->class_names[classes], size, "%s", line);
        }
        classes++;
    }
    free(text);
    if (classes == CLASSES && fit)
        return true;
    return fail(error,
                "%s: %d class names, expected %d of at most %zu bytes without tabs, one a line; mend or "
                "remove the file",
                path, classes, CLASSES, sizeof d->class_names[0] - 1);
}

static bool hash_file(EVP_MD_CTX *digest, const char *path, Error *error)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL)
        return fail(error, "%s: %s; make it readable", path, strerror(errno));
    static const size_t most = 1u << 18;
    char *buffer = malloc(most);
    bool ok = buffer != NULL;
    for (size_t got = most; ok && got == most;) {
        got = fread(buffer, 1, most, file);
        ok = !ferror(file) && EVP_DigestUpdate(digest, buffer, got) == 1;
    }
    free(buffer);
    fclose(file);
    return ok ||
           fail(error, "%s: cannot compute its SHA-256: %s; check disk and memory", path, strerror(errno));
}

static bool hash_files(char hex[65], const Files *files, Error *error)
{
    EVP_MD_CTX *digest = EVP_MD_CTX_new();
    if (digest == NULL || EVP_DigestInit_ex(digest, EVP_sha256(), NULL) != 1) {
        EVP_MD_CTX_free(digest);
        return fail(error, "libcrypto offers no SHA-256; install libssl-dev anew");
    }
    bool ok = true;
    for (int i = 0; ok && i < files->count; i++)
        ok = hash_file(digest, files->path[i], error);
    unsigned char bytes[EVP_MAX_MD_SIZE];
    unsigned length = 0;
    if (ok && (EVP_DigestFinal_ex(digest, bytes, &length) != 1 || length != 32))
        ok = fail(error, "libcrypto could not finish a SHA-256; install libssl-dev anew");
    EVP_MD_CTX_free(digest);
    for (unsigned i = 0; ok && i < length; i++)
        snprintf(hex + 2 * i, 3, "%02x", bytes[i]);
    return ok;
}

/* Mean and deviation of each channel. The sums are exact: squares of 2^47 pixels fit in 64 bits. A constant
 * channel has deviation 1, so that it can be divided by. */
static void measure(Dataset *d)
{
    enum { PLANE = IMAGE_SIDE * IMAGE_SIDE };
    uint64_t sum[IMAGE_CHANNELS] = {0}, squares[IMAGE_CHANNELS] = {0};
    for (int n = 0; n < d->train.count; n++)
        for (int c = 0; c < IMAGE_CHANNELS; c++) {
            const uint8_t *plane = d->train.images + (size_t)n * IMAGE_BYTES + c * PLANE;
            uint32_t plane_sum = 0, plane_squares = 0;
#pragma omp simd reduction(+ : plane_sum, plane_squares)
            for (int i = 0; i < PLANE; i++) {
                plane_sum += plane[i];
                plane_squares += (uint32_t)plane[i] * plane[i];
            }
            sum[c] += plane_sum;
            squares[c] += plane_squares;
        }
    double pixels = (double)d->train.count * PLANE;
    for (int c = 0; c < IMAGE_CHANNELS; c++) {
        double mean = (double)sum[c] / pixels;
        double variance = (double)squares[c] / pixels - mean * mean;
        d->mean[c] = (float)(mean / 255);
        d->deviation[c] = variance > 0 ? (float)(sqrt(variance) / 255) : 1;
    }
}

/* A named set is exactly what it is named for: six files of 10,000 images. */
static bool check_cifar10_sizes(const Files *files, Error *error)
{
    for (int i = 0; i < files->count; i++) {
        struct stat status;
        if (stat(files->path[i], &status) != 0)
            return fail(error,
                        "%s: %s (expected %d bytes); run `make data` to fetch CIFAR-10, or choose "
                        "DATA=fashion-mnist",
                        files->path[i], strerror(errno), CIFAR10_FILE_BYTES);
        if (status.st_size != CIFAR10_FILE_BYTES)
            return fail(error,
                        "%s: %lld bytes, expected %d; remove its folder and run `make data`, or choose "
                        "DATA=fashion-mnist",
                        files->path[i], (long long)status.st_size, CIFAR10_FILE_BYTES);
    }
    return true;
}

static bool load_cifar10(Dataset *d, Files *files, const char *folder, bool named, Error *error)
{
    files->count = CIFAR10_FILES;
    for (int i = 0; i < files->count; i++)
        if (!join(files->path[i], folder, cifar10_files[i], "", error))
            return false;
    if (named && !check_cifar10_sizes(files, error))
        return false;
    for (int i = 0; i < files->count - 1; i++)
        if (!read_cifar10(&d->train, files->path[i], error))
            return false;
    return read_cifar10(&d->test, files->path[files->count - 1], error);
}

static bool load_idx(Dataset *d, Files *files, const char *folder, bool named, Error *error)
{
    files->count = 4;
    for (int i = 0; i < files->count; i++) {
        if (!join(files->path[i], folder, idx_files[i], "", error))
            return false;
        if (!file_exists(files->path[i]) && !join(files->path[i], folder, idx_files[i], ".gz", error))
            return false;
    }
    if (!read_idx(&d->train, files->path[0], files->path[1], TRAIN_IMAGES, error) ||
        !read_idx(&d->test, files->path[2], files->path[3], TEST_IMAGES, error))
        return false;
    if (named && (d->train.count != TRAIN_IMAGES || d->test.count != TEST_IMAGES))
        return fail(error,
                    "%s: %d training and %d test images, expected at least %d and %d; install "
                    "dataset-fashion-mnist anew",
                    folder, d->train.count, d->test.count, TRAIN_IMAGES, TEST_IMAGES);
    return true;
}

static bool load_folder(Dataset *d, Files *files, const char *folder, Error *error)
{
    char cifar10[PATH_BYTES], idx[PATH_BYTES], idx_gz[PATH_BYTES];
    if (!join(cifar10, folder, cifar10_files[0], "", error) || !join(idx, folder, idx_files[0], "", error) ||
        !join(idx_gz, folder, idx_files[0], ".gz", error))
        return false;
    if (file_exists(cifar10))
        return load_cifar10(d, files, folder, false, error);
    if (file_exists(idx) || file_exists(idx_gz))
        return load_idx(d, files, folder, false, error);
    return fail(error,
                "data folder %s: holds neither %s nor %s (or .gz); give a folder in CIFAR-10's binary layout "
                "or of IDX files",
                folder, cifar10_files[0], idx_files[0]);
}

/* What fetch_cifar10.sh leaves beside the files of an archive whose SHA-256 it checked. */
static bool is_verified_cifar10(const Dataset *d, const char *folder)
{
    char path[PATH_BYTES], expected[256], *text;
    size_t count;
    if (!join(path, folder, "verified.tsv", "", NULL) || !file_exists(path) ||
        !file_read(&text, &count, path, NULL))
        return false;
    snprintf(expected, sizeof expected, "archive_sha256\t%s\nfiles_sha256\t%s\n", CIFAR10_ARCHIVE, d->sha256);
    const bool same = strcmp(text, expected) == 0;
    free(text);
    return same;
}

static const struct {
    const char *sha256, *name;
    const char *const *classes;
} known[] = {
#define DATA_SET(sha256, name, classes) {sha256, name, classes},
#include "known.def"
#undef DATA_SET
};

/* Names of the set and of its classes. `names` are the classes of the set that was asked for, NULL for a
 * folder. */
static bool identify(Dataset *d, const char *folder, const char *const *names, Error *error)
{
    snprintf(d->name, sizeof d->name, "%s", is_verified_cifar10(d, folder) ? "cifar10" : "custom");
    if (strcmp(d->name, "cifar10") == 0)
        names = cifar10_classes;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strcmp(d->sha256, known[i].sha256) == 0) {
            snprintf(d->name, sizeof d->name, "%s", known[i].name);
            names = known[i].classes;
        }
    char path[PATH_BYTES];
    if (names == NULL && !join(path, folder, "batches.meta.txt", "", error))
        return false;
    if (names == NULL && file_exists(path))
        return read_class_names(d, path, error);
    for (int k = 0; k < CLASSES; k++)
        snprintf(d->class_names[k], sizeof d->class_names[k], "%s", names != NULL ? names[k] : digits[k]);
    return true;
}

static bool load(Dataset *d, const char *data, Error *error)
{
    Files files = {0};
    const char *folder = data;
    const char *const *names = NULL;
    bool ok;
    if (scales_named(data))
        return scales_make(d, data, TRAIN_IMAGES, TEST_IMAGES, 1, error);
    if (strcmp(data, "cifar10") == 0) {
        folder = cifar10_folder;
        names = cifar10_classes;
        ok = load_cifar10(d, &files, folder, true, error);
    } else if (strcmp(data, "fashion-mnist") == 0) {
        folder = fashion_mnist_folder;
        names = fashion_mnist_classes;
        ok = load_idx(d, &files, folder, true, error);
    } else if (strchr(data, '/') != NULL) {
        ok = load_folder(d, &files, folder, error);
    } else {
        ok = fail(error,
                  "data set '%.100s' is unknown; give cifar10, fashion-mnist, scales-0 to scales-4, "
                  "scales-mixed or a folder (with a '/')",
                  data);
    }
    return ok && hash_files(d->sha256, &files, error) && identify(d, folder, names, error);
}

bool dataset_load(Dataset *d, const char *data, Error *error)
{
    *d = (Dataset){0};
    if (!load(d, data, error)) {
        dataset_free(d);
        return false;
    }
    measure(d);
    return true;
}

void dataset_free(Dataset *d)
{
    image_set_free(&d->train);
    image_set_free(&d->test);
    *d = (Dataset){0};
}

const char *dataset_default(void)
{
    struct stat status;
    return stat(cifar10_folder, &status) == 0 && S_ISDIR(status.st_mode) ? "cifar10" : "fashion-mnist";
}
