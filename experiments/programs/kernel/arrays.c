/* Named arrays and words in HDF5 files: read in a process of their own (hdf5_reader.h), written here. */
#include "arrays.h"
#include "../../base/files.h"
#include "../../base/hdf5_image.h"
#include "../../base/hdf5_reader.h"
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct ArrayFile {
    Hdf5Reader *reader;
    const char *path;
};

bool array_new(Array *array, const char *path, const char *name, int rank, const int *dims, Error *error)
{
    *array = (Array){.rank = rank, .count = 1};
    snprintf(array->name, sizeof array->name, "%s", name);
    char shape[128];
    array_describe(shape, sizeof shape, rank, dims);
    for (int i = 0; i < rank; i++) {
        array->dims[i] = dims[i];
        if (dims[i] < 1)
            return fail(error, "%s: '%s' would have the shape %s; every dimension must be at least 1", path,
                        name, shape);
        if (array->count > (size_t)INT_MAX / (size_t)dims[i])
            return fail(error,
                        "%s: '%s' would have the shape %s, more than the %d numbers that an array may hold",
                        path, name, shape, INT_MAX);
        array->count *= (size_t)dims[i];
    }
    array->values = calloc(array->count, sizeof *array->values);
    return array->values != NULL ||
           fail(error, "%s: no memory for '%s' of shape %s; use smaller arrays", path, name, shape);
}

void array_describe(char *text, size_t size, int rank, const int *dims)
{
    if (rank == 0) {
        snprintf(text, size, "a single number");
        return;
    }
    size_t length = 0;
    for (int i = 0; i < rank && length < size; i++)
        length += (size_t)snprintf(text + length, size - length, "%c%d", i == 0 ? '(' : ',', dims[i]);
    if (length < size)
        snprintf(text + length, size - length, ")");
}

ArrayFile *arrays_open(const char *path, Error *error)
{
    char *bytes;
    size_t count;
    Error why;
    if (!file_read(&bytes, &count, path, error))
        return NULL;
    ArrayFile *file = malloc(sizeof *file);
    if (file == NULL) {
        free(bytes);
        fail(error, "no memory to open %s; free some and run again", path);
        return NULL;
    }
    *file = (ArrayFile){hdf5_reader_open(bytes, count, path, &why), path};
    free(bytes);
    if (file->reader == NULL) {
        free(file);
        if (why.text[0] != 0)
            fail(error, "%s", why.text);
        else if (file_is_being_written(path))
            fail(error, "%s is held open for writing by another program: close it there first", path);
        else
            fail(error, "%s is no HDF5 file, or not all of one; write it with h5py, for example", path);
        return NULL;
    }
    return file;
}

void arrays_close(ArrayFile *file)
{
    hdf5_reader_close(file->reader);
    free(file);
}

bool arrays_has(const ArrayFile *file, const char *name)
{
    int rank;
    uint64_t dims[HDF5_RANK];
    return hdf5_reader_shape(&rank, dims, file->reader, name) != HDF5_MISSING;
}

/* The sentence for an array that is not there, or not as it should be. */
static bool refuse(Hdf5Status status, const ArrayFile *file, const char *name, const char *expected,
                   Error *error)
{
    switch (status) {
    case HDF5_MISSING:
        return fail(error, "%s: '%s' is missing; expected %s", file->path, name, expected);
    case HDF5_NO_DATASET:
        return fail(error, "%s: '%s' is no dataset; expected %s", file->path, name, expected);
    case HDF5_ELSEWHERE:
        return fail(error, "%s: the numbers of '%s' are in another file; copy them into this one", file->path,
                    name);
    case HDF5_NO_NUMBERS:
        return fail(error, "%s: '%s' holds no floating-point or integer numbers; expected %s", file->path,
                    name, expected);
    case HDF5_NO_SHAPE:
        return fail(error,
                    "%s: '%s' is empty, or has a dimension over %d, or more than %d dimensions; "
                    "expected %s",
                    file->path, name, INT_MAX, ARRAY_MAX_RANK, expected);
    case HDF5_CRASHED:
        return hdf5_reader_crashed(file->reader, error);
    default:
        return fail(error, "%s: '%s' cannot be read; the file is damaged or its compression unknown here",
                    file->path, name);
    }
}

/* The shape of a dataset as ints. */
static Hdf5Status read_shape(int *rank, int *dims, const ArrayFile *file, const char *name)
{
    uint64_t sizes[HDF5_RANK];
    const Hdf5Status status = hdf5_reader_shape(rank, sizes, file->reader, name);
    for (int i = 0; status == HDF5_FOUND && i < *rank; i++) {
        if (sizes[i] < 1 || sizes[i] > INT_MAX)
            return HDF5_NO_SHAPE;
        dims[i] = (int)sizes[i];
    }
    return status;
}

bool arrays_read(Array *array, const ArrayFile *file, const char *name, const char *expected, Error *error)
{
    int rank, dims[HDF5_RANK];
    *array = (Array){.count = 0};
    Hdf5Status status = read_shape(&rank, dims, file, name);
    if (status != HDF5_FOUND)
        return refuse(status, file, name, expected, error);
    if (!array_new(array, file->path, name, rank, dims, error))
        return false;
    status = hdf5_reader_values(array->values, array->count, file->reader, name);
    if (status == HDF5_FOUND)
        return true;
    free(array->values);
    array->values = NULL;
    return refuse(status, file, name, expected, error);
}

bool arrays_read_word(char *word, size_t size, const ArrayFile *file, const char *name, const char *expected,
                      Error *error)
{
    switch (hdf5_reader_text(word, size, NULL, file->reader, name)) {
    case HDF5_FOUND:
        return true;
    case HDF5_MISSING:
        return fail(error, "%s: the root group's attribute '%s' is missing; expected one of %s", file->path,
                    name, expected);
    case HDF5_TOO_LONG:
        return fail(error, "%s: the root group's attribute '%s' is too long; expected one of %s", file->path,
                    name, expected);
    case HDF5_CRASHED:
        return hdf5_reader_crashed(file->reader, error);
    default:
        return fail(error, "%s: the root group's attribute '%s' is no single string; expected one of %s",
                    file->path, name, expected);
    }
}

bool arrays_write(const char *path, const Array *arrays, int count, bool single, Error *error)
{
    hid_t file = hdf5_image_create();
    if (file < 0)
        return fail(error, "HDF5 cannot start %s; free some memory and run again", path);
    void *bytes = NULL;
    size_t size = 0;
    bool made = true;
    for (int i = 0; i < count && made; i++) {
        hsize_t dims[ARRAY_MAX_RANK];
        for (int d = 0; d < arrays[i].rank; d++)
            dims[d] = (hsize_t)arrays[i].dims[d];
        made = hdf5_image_put(file, arrays[i].name, single ? H5T_IEEE_F32LE : H5T_IEEE_F64LE, arrays[i].rank,
                              dims, arrays[i].values);
    }
    made = made && hdf5_image_bytes(file, &bytes, &size);
    H5Fclose(file);
    bool written = made ? file_write(path, bytes, size, error)
                        : fail(error, "HDF5 cannot build %s; free some memory and run again", path);
    free(bytes);
    return written;
}
