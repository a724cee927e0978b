/* HDF5 files as bytes in memory, by HDF5's core driver without a file behind it. */
#include "hdf5_image.h"
#include <stdlib.h>
#include <string.h>

/* The core driver still looks for a file of this name on disk, and fails if it finds one: no file can have a
 * name below a device. */
static const char no_file[] = "/dev/null/in-memory.h5";

static hid_t core_access(void)
{
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
    hid_t access = H5Pcreate(H5P_FILE_ACCESS);
    if (access >= 0)
        H5Pset_fapl_core(access, (size_t)1 << 20, false);
    return access;
}

hid_t hdf5_image_create(void)
{
    hid_t access = core_access();
    if (access < 0)
        return -1;
    hid_t file = H5Fcreate(no_file, H5F_ACC_TRUNC, H5P_DEFAULT, access);
    H5Pclose(access);
    return file;
}

hid_t hdf5_image_open(const void *bytes, size_t count)
{
    hid_t access = core_access();
    if (access < 0)
        return -1;
    hid_t file = -1;
    /* HDF5's interface takes a void *, and copies. */
    if (count > 0 && H5Pset_file_image(access, (void *)bytes, count) >= 0)
        file = H5Fopen(no_file, H5F_ACC_RDONLY, access);
    H5Pclose(access);
    return file;
}

bool hdf5_image_bytes(hid_t file, void **bytes, size_t *count)
{
    if (H5Fflush(file, H5F_SCOPE_GLOBAL) < 0)
        return false;
    ssize_t size = H5Fget_file_image(file, NULL, 0);
    if (size <= 0)
        return false;
    void *buffer = malloc((size_t)size);
    if (buffer == NULL || H5Fget_file_image(file, buffer, (size_t)size) != size) {
        free(buffer);
        return false;
    }
    *bytes = buffer;
    *count = (size_t)size;
    return true;
}

bool hdf5_image_put(hid_t file, const char *name, hid_t type, int rank, const hsize_t *dims,
                    const double *values)
{
    return hdf5_image_put_as(file, name, type, rank, dims, H5T_NATIVE_DOUBLE, values);
}

bool hdf5_image_put_as(hid_t file, const char *name, hid_t type, int rank, const hsize_t *dims, hid_t memory,
                       const void *values)
{
    hid_t space = rank == 0 ? H5Screate(H5S_SCALAR) : H5Screate_simple(rank, dims, NULL);
    hid_t link = H5Pcreate(H5P_LINK_CREATE), create = H5Pcreate(H5P_DATASET_CREATE);
    bool made = space >= 0 && link >= 0 && create >= 0 && H5Pset_create_intermediate_group(link, 1) >= 0 &&
                H5Pset_obj_track_times(create, false) >= 0;
    hid_t dataset = made ? H5Dcreate2(file, name, type, space, link, create, H5P_DEFAULT) : -1;
    bool written = dataset >= 0 && H5Dwrite(dataset, memory, H5S_ALL, H5S_ALL, H5P_DEFAULT, values) >= 0;
    if (dataset >= 0)
        written = H5Dclose(dataset) >= 0 && written;
    H5Pclose(create);
    H5Pclose(link);
    H5Sclose(space);
    return written;
}

bool hdf5_image_word(hid_t file, const char *name, const char *text)
{
    hid_t space = H5Screate(H5S_SCALAR), type = H5Tcopy(H5T_C_S1);
    const bool made = space >= 0 && type >= 0 && H5Tset_size(type, strlen(text) + 1) >= 0;
    hid_t attribute = made ? H5Acreate2(file, name, type, space, H5P_DEFAULT, H5P_DEFAULT) : -1;
    bool written = attribute >= 0 && H5Awrite(attribute, type, text) >= 0;
    if (attribute >= 0)
        written = H5Aclose(attribute) >= 0 && written;
    H5Tclose(type);
    H5Sclose(space);
    return written;
}
