/* Named arrays and words in HDF5 files. */
#include "arrays.h"
#include "../../base/files.h"
#include "../../base/hdf5_image.h"
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct ArrayFile {
    hid_t file;
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
    if (!file_read(&bytes, &count, path, error))
        return NULL;
    ArrayFile *file = malloc(sizeof *file);
    if (file == NULL) {
        free(bytes);
        fail(error, "no memory to open %s; free some and run again", path);
        return NULL;
    }
    *file = (ArrayFile){hdf5_image_open(bytes, count), path};
    free(bytes);
    if (file->file < 0) {
        free(file);
        if (file_is_being_written(path))
            fail(error, "%s is held open for writing by another program: close it there first", path);
        else
            fail(error, "%s is no HDF5 file, or not all of one; write it with h5py, for example", path);
        return NULL;
    }
    return file;
}

void arrays_close(ArrayFile *file)
{
    H5Fclose(file->file);
    free(file);
}

bool arrays_has(const ArrayFile *file, const char *name)
{
    return H5Lexists(file->file, name, H5P_DEFAULT) > 0;
}

/* The shape of a dataset as ints; false if a dimension is 0 or too large or there are too many. */
static bool read_shape(int *rank, int *dims, hid_t dataset)
{
    hsize_t sizes[H5S_MAX_RANK];
    hid_t space = H5Dget_space(dataset);
    H5S_class_t class = H5Sget_simple_extent_type(space);
    *rank = H5Sget_simple_extent_dims(space, sizes, NULL);
    H5Sclose(space);
    if (*rank < 0 || *rank > ARRAY_MAX_RANK || (class != H5S_SCALAR && class != H5S_SIMPLE))
        return false;
    for (int i = 0; i < *rank; i++) {
        if (sizes[i] < 1 || sizes[i] > INT_MAX)
            return false;
        dims[i] = (int)sizes[i];
    }
    return true;
}

static bool holds_numbers(hid_t dataset)
{
    hid_t type = H5Dget_type(dataset);
    H5T_class_t class = H5Tget_class(type);
    H5Tclose(type);
    return class == H5T_FLOAT || class == H5T_INTEGER;
}

/* The part of reading in which the dataset is open. */
static bool read_dataset(Array *array, hid_t dataset, const ArrayFile *file, const char *name,
                         const char *expected, Error *error)
{
    int rank, dims[ARRAY_MAX_RANK];
    if (!holds_numbers(dataset))
        return fail(error, "%s: '%s' holds no floating-point or integer numbers; expected %s", file->path,
                    name, expected);
    if (!read_shape(&rank, dims, dataset))
        return fail(error,
                    "%s: '%s' is empty, or has a dimension over %d, or more than %d dimensions; "
                    "expected %s",
                    file->path, name, INT_MAX, ARRAY_MAX_RANK, expected);
    if (!array_new(array, file->path, name, rank, dims, error))
        return false;
    if (H5Dread(dataset, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, array->values) >= 0)
        return true;
    free(array->values);
    array->values = NULL;
    return fail(error, "%s: '%s' cannot be read; the file is damaged or its compression unknown here",
                file->path, name);
}

/* Called when a link leads into another file. This file was opened from memory, so that HDF5 would look for
 * the other one in the wrong place. */
static herr_t refuse_external(const char *parent_file, const char *parent_group, const char *child_file,
                              const char *child_object, unsigned *flags, hid_t access, void *met)
{
    (void)parent_file, (void)parent_group, (void)child_file, (void)child_object, (void)flags, (void)access;
    *(bool *)met = true;
    return -1;
}

/* Opens the dataset; *elsewhere says if a link to it leads into another file. */
static hid_t open_dataset(bool *elsewhere, const ArrayFile *file, const char *name)
{
    hid_t access = H5Pcreate(H5P_DATASET_ACCESS);
    *elsewhere = false;
    if (access < 0)
        return -1;
    hid_t dataset = -1;
    if (H5Pset_elink_cb(access, refuse_external, elsewhere) >= 0)
        dataset = H5Dopen2(file->file, name, access);
    H5Pclose(access);
    return dataset;
}

/* A virtual dataset, or one whose numbers are in a raw file: HDF5 reads 0 where it does not find them. */
static bool stands_elsewhere(hid_t dataset)
{
    hid_t create = H5Dget_create_plist(dataset);
    const bool elsewhere = H5Pget_layout(create) == H5D_VIRTUAL || H5Pget_external_count(create) > 0;
    H5Pclose(create);
    return elsewhere;
}

bool arrays_read(Array *array, const ArrayFile *file, const char *name, const char *expected, Error *error)
{
    *array = (Array){.count = 0};
    if (!arrays_has(file, name))
        return fail(error, "%s: '%s' is missing; expected %s", file->path, name, expected);
    bool elsewhere;
    hid_t dataset = open_dataset(&elsewhere, file, name);
    if (dataset < 0 && !elsewhere)
        return fail(error, "%s: '%s' is no dataset; expected %s", file->path, name, expected);
    elsewhere = elsewhere || stands_elsewhere(dataset);
    bool read = !elsewhere && read_dataset(array, dataset, file, name, expected, error);
    if (elsewhere)
        fail(error, "%s: the numbers of '%s' are in another file; copy them into this one", file->path, name);
    if (dataset >= 0)
        H5Dclose(dataset);
    return read;
}

/* The text of a string attribute of one element, as a new string; NULL if it is something else. */
static char *attribute_text(hid_t attribute)
{
    hid_t type = H5Aget_type(attribute), space = H5Aget_space(attribute);
    char *text = NULL;
    if (H5Tget_class(type) == H5T_STRING && H5Sget_simple_extent_npoints(space) == 1) {
        if (H5Tis_variable_str(type) > 0) {
            char *stored = NULL;
            if (H5Aread(attribute, type, &stored) >= 0 && stored != NULL)
                text = strdup(stored);
            H5free_memory(stored);
        } else {
            /* The file may pad with zeros or blanks up to the last byte: ask for room for one more. */
            size_t size = H5Tget_size(type) + 1;
            hid_t memory_type = H5Tcopy(type);
            H5Tset_size(memory_type, size);
            H5Tset_strpad(memory_type, H5T_STR_NULLTERM);
            text = calloc(size, 1);
            if (text != NULL && H5Aread(attribute, memory_type, text) < 0) {
                free(text);
                text = NULL;
            }
            H5Tclose(memory_type);
        }
    }
    H5Sclose(space);
    H5Tclose(type);
    return text;
}

bool arrays_read_word(char *word, size_t size, const ArrayFile *file, const char *name, const char *expected,
                      Error *error)
{
    hid_t attribute = H5Aopen(file->file, name, H5P_DEFAULT);
    if (attribute < 0)
        return fail(error, "%s: the root group's attribute '%s' is missing; expected one of %s", file->path,
                    name, expected);
    char *text = attribute_text(attribute);
    H5Aclose(attribute);
    if (text == NULL)
        return fail(error, "%s: the root group's attribute '%s' is no single string; expected one of %s",
                    file->path, name, expected);
    bool fits = strlen(text) < size;
    if (fits)
        strcpy(word, text);
    else
        fail(error, "%s: the root group's attribute '%s' is too long; expected one of %s", file->path, name,
             expected);
    free(text);
    return fits;
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
