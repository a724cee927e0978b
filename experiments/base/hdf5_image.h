/* HDF5 files as bytes in memory: HDF5 never sees the disk, so that what was hashed is what is opened, and a
 * full disk is met by file_write alone. */
#ifndef NOPOOL_HDF5_IMAGE_H
#define NOPOOL_HDF5_IMAGE_H

#include <hdf5.h>
#include <stdbool.h>
#include <stddef.h>

/* A new, empty file; negative when memory runs out. The caller closes it with H5Fclose. HDF5's own error
 * messages are switched off. */
hid_t hdf5_image_create(void);

/* The file whose content these bytes are, read-only; negative if they are no HDF5 file. The bytes are copied.
 */
hid_t hdf5_image_open(const void *bytes, size_t count);

/* The content of a created file; *bytes is the caller's to free. */
bool hdf5_image_bytes(hid_t file, void **bytes, size_t *count);

/* Writes values as a dataset of the given file type and rank; no times are kept, so equal content gives equal
 * bytes. Groups that the name passes through are made. */
bool hdf5_image_put(hid_t file, const char *name, hid_t type, int rank, const hsize_t *dims,
                    const double *values);

/* The same from numbers of another type in memory. */
bool hdf5_image_put_as(hid_t file, const char *name, hid_t type, int rank, const hsize_t *dims, hid_t memory,
                       const void *values);

/* Writes text as a string attribute of the root group; at most 64 KiB, which is what HDF5 takes there. */
bool hdf5_image_word(hid_t file, const char *name, const char *text);

#endif
