/* Named arrays and words in HDF5 files, as h5py reads and writes them: the files of build/kernel. */
#ifndef NOPOOL_ARRAYS_H
#define NOPOOL_ARRAYS_H

#include "../../base/error.h"
#include "../../base/hdf5_answers.h"
#include <stddef.h>

enum { ARRAY_MAX_RANK = HDF5_RANK, ARRAY_NAME_SIZE = 16 };

/* Numbers in row-major order, in double whatever the file holds. rank 0 is a single number, count 1. */
typedef struct {
    char name[ARRAY_NAME_SIZE];
    int rank, dims[ARRAY_MAX_RANK];
    size_t count;
    double *values;
} Array;

/* An array of zeros, whose values are the caller's to free. Dimensions must be at least 1 and an array has at
 * most INT_MAX numbers; path is for the error message. */
bool array_new(Array *array, const char *path, const char *name, int rank, const int *dims, Error *error);

/* "(2,3,4)", "a single number" for rank 0. */
void array_describe(char *text, size_t size, int rank, const int *dims);

typedef struct ArrayFile ArrayFile;

/* NULL on failure, with the sentence in error. */
ArrayFile *arrays_open(const char *path, Error *error);
void arrays_close(ArrayFile *file);

bool arrays_has(const ArrayFile *file, const char *name);

/* Reads a dataset of floating-point or integer numbers of any width; array->values is the caller's to free.
 * expected says, for the error message, what should be there. */
bool arrays_read(Array *array, const ArrayFile *file, const char *name, const char *expected, Error *error);

/* Reads a string attribute of the root group, of fixed or variable length. */
bool arrays_read_word(char *word, size_t size, const ArrayFile *file, const char *name, const char *expected,
                      Error *error);

/* Replaces the file by these datasets, contiguous, as float32 if single and float64 otherwise. */
bool arrays_write(const char *path, const Array *arrays, int count, bool single, Error *error);

#endif
