/* What the tests of data sets share: a temporary folder, files of known content in it, and the checks of what
 * was read from them. */
#ifndef NOPOOL_TESTS_DATA_FIXTURE_H
#define NOPOOL_TESTS_DATA_FIXTURE_H

#include "../experiments/data/data.h"
#include "suites.h"
#include <stddef.h>

enum {
    RECORD = 1 + IMAGE_BYTES,
    PLANE = IMAGE_SIDE * IMAGE_SIDE,
    GREY = 28 * 28,
    NAMED_BYTES = 30730000 /* of a file of the official CIFAR-10 */
};

extern const char *const cifar10_names[6];

/* The fixture of each test case: a temporary folder for its time. */
void make_root(void);
void remove_root(void);

/* A path in a folder of the root; either may be empty. Four of them live at a time. */
const char *under(const char *folder, const char *name);
void make_folder(const char *name);
void put(const char *path, const void *bytes, size_t count);

/* Fails the test unless the call was refused with a sentence that holds both. */
void check_refused(bool ok, const Error *error, const char *path, const char *says);

/* Records of images in CIFAR-10's layout; the caller frees them. */
uint8_t *make_records(int first, int count);
int unequal_records(const ImageSet *set, int at, const uint8_t *records, int count);

/* A file of CIFAR-10's name in that folder, black but for its first label and its last byte: number + 1. */
void put_named(const char *folder, int number, int64_t bytes);

/* What is wrong with a pair of IDX files of 3 images; 0 everywhere is a good pair. */
typedef struct {
    const char *name, *says;
    int images_magic, labels_magic, images, labels, height, width; /* added to the right number */
    int image_bytes, label_bytes;                                  /* added to the right length */
    int label;                                                     /* added to the label of image 1 */
    bool in_labels; /* the error names the file of labels, not that of images */
    bool gzip;
    int cut, flip; /* cut so many bytes off the compressed images; flip a bit so far from their end */
} IdxFault;

void put_idx(const char *images_path, const char *labels_path, IdxFault fault);
int unequal_greys(const ImageSet *set, int at, int count);

/* The other cases of the suite. */
TCase *data_load_case(void);
TCase *data_fetch_case(void);

#endif
