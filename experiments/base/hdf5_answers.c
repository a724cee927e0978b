/* Reading datasets and attributes. See hdf5_answers.h. */
#include "hdf5_answers.h"
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

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
static hid_t open_dataset(bool *elsewhere, hid_t file, const char *name)
{
    hid_t access = H5Pcreate(H5P_DATASET_ACCESS);
    *elsewhere = false;
    if (access < 0)
        return -1;
    hid_t dataset = -1;
    if (H5Pset_elink_cb(access, refuse_external, elsewhere) >= 0)
        dataset = H5Dopen2(file, name, access);
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

static bool holds_numbers(hid_t dataset)
{
    hid_t type = H5Dget_type(dataset);
    const H5T_class_t class = H5Tget_class(type);
    H5Tclose(type);
    return class == H5T_FLOAT || class == H5T_INTEGER;
}

static bool read_shape(Hdf5Reply *reply, hid_t dataset)
{
    hsize_t sizes[H5S_MAX_RANK];
    hid_t space = H5Dget_space(dataset);
    const H5S_class_t class = H5Sget_simple_extent_type(space);
    reply->rank = H5Sget_simple_extent_dims(space, sizes, NULL);
    H5Sclose(space);
    if (reply->rank < 0 || reply->rank > HDF5_RANK || (class != H5S_SCALAR && class != H5S_SIMPLE))
        return false;
    for (int i = 0; i < reply->rank; i++)
        reply->dims[i] = sizes[i];
    return true;
}

/* Whether the shape is one of `count` numbers. */
static bool has_count(const Hdf5Reply *reply, size_t count)
{
    uint64_t left = count;
    bool zero = false;
    for (int i = 0; i < reply->rank; i++)
        zero = zero || reply->dims[i] == 0;
    if (zero || count == 0)
        return zero && count == 0;
    for (int i = 0; i < reply->rank; i++) {
        if (left % reply->dims[i] != 0)
            return false;
        left /= reply->dims[i];
    }
    return left == 1;
}

/* Whether a chunked dataset has more chunks than its file has bytes, so that most of them are not there: HDF5
 * looks for each one, for minutes in a file of a few thousand bytes. */
static bool lacks_chunks(hid_t dataset, const Hdf5Reply *shape)
{
    hsize_t chunk[HDF5_RANK], size = 0;
    uint64_t chunks = 1;
    hid_t create = H5Dget_create_plist(dataset), file = H5Iget_file_id(dataset);
    const bool chunked =
        H5Pget_layout(create) == H5D_CHUNKED && H5Pget_chunk(create, HDF5_RANK, chunk) == shape->rank;
    for (int i = 0; chunked && i < shape->rank; i++) /* at most the numbers: the caller has counted those */
        chunks *= shape->dims[i] / chunk[i] + (shape->dims[i] % chunk[i] != 0);
    const bool known = H5Fget_filesize(file, &size) >= 0;
    H5Fclose(file);
    H5Pclose(create);
    return chunked && (!known || chunks > size);
}

static Hdf5Status read_values(void **content, Hdf5Reply *reply, hid_t dataset, size_t count)
{
    if (!has_count(reply, count) || count > SIZE_MAX / sizeof(double) || lacks_chunks(dataset, reply))
        return HDF5_UNREADABLE;
    *content = malloc(count ? count * sizeof(double) : 1);
    if (!*content || H5Dread(dataset, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, *content) < 0)
        return HDF5_UNREADABLE;
    reply->bytes = count * sizeof(double);
    return HDF5_FOUND;
}

static Hdf5Status answer_of_dataset(void **content, Hdf5Reply *reply, hid_t dataset,
                                    const Hdf5Request *request)
{
    if (stands_elsewhere(dataset))
        return HDF5_ELSEWHERE;
    if (!holds_numbers(dataset))
        return HDF5_NO_NUMBERS;
    if (!read_shape(reply, dataset))
        return HDF5_NO_SHAPE;
    return request->question == HDF5_SHAPE ? HDF5_FOUND
                                           : read_values(content, reply, dataset, request->count);
}

static Hdf5Status answer_of_name(void **content, Hdf5Reply *reply, hid_t file, const Hdf5Request *request)
{
    if (H5Lexists(file, request->name, H5P_DEFAULT) <= 0)
        return HDF5_MISSING;
    bool elsewhere;
    hid_t dataset = open_dataset(&elsewhere, file, request->name);
    if (dataset < 0)
        return elsewhere ? HDF5_ELSEWHERE : HDF5_NO_DATASET;
    const Hdf5Status status = answer_of_dataset(content, reply, dataset, request);
    H5Dclose(dataset);
    return status;
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

static Hdf5Status answer_of_text(void **content, Hdf5Reply *reply, hid_t file, const Hdf5Request *request)
{
    hid_t attribute = H5Aopen(file, request->name, H5P_DEFAULT);
    if (attribute < 0)
        return HDF5_MISSING;
    char *text = attribute_text(attribute);
    H5Aclose(attribute);
    if (!text)
        return HDF5_NO_TEXT;
    reply->bytes = strlen(text) + 1;
    if (reply->bytes <= request->count) {
        *content = text;
        return HDF5_FOUND;
    }
    reply->dims[0] = reply->bytes;
    reply->bytes = 0;
    free(text);
    return HDF5_TOO_LONG;
}

Hdf5Reply hdf5_answer(void **content, hid_t file, const Hdf5Request *request)
{
    Hdf5Reply reply = {.status = HDF5_FOUND};
    *content = NULL;
    if (request->question == HDF5_TEXT)
        reply.status = answer_of_text(content, &reply, file, request);
    else if (request->question != HDF5_OPEN)
        reply.status = answer_of_name(content, &reply, file, request);
    return reply;
}
