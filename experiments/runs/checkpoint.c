/* checkpoint.h5 and the SHA-256 beside it.
 *
 * Two files cannot be replaced in one step, so checkpoint.sha256 lists every content of checkpoint.h5 that is
 * right at the moment, one a line, and opening accepts a file whose hash is listed. Closing
 *
 *     1. writes checkpoint.sha256 with the new hash and, if there is a valid earlier checkpoint, its hash,
 *     2. writes checkpoint.h5,
 *     3. writes checkpoint.sha256 with the new hash alone,
 *
 * each under a temporary name, synced, then renamed. A crash before 2 leaves the earlier checkpoint valid, a
 * crash after 2 the new one; who goes on from either does 3 first. When nothing crashed,
 * `sha256sum -c checkpoint.sha256` checks the file. */
#include "checkpoint.h"
#include "../base/files.h"
#include "../base/hdf5_image.h"
#include "../base/hdf5_reader.h"
#include <assert.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct Checkpoint {
    hid_t file;         /* that is written; -1 where one is read */
    Hdf5Reader *reader; /* of one that is read */
    char path[PATH_MAX], hash_path[PATH_MAX];
};

static Checkpoint *checkpoint_new(const char *folder, Error *error)
{
    Checkpoint *c = malloc(sizeof *c);
    if (c == NULL) {
        fail(error, "no memory for a checkpoint; free some and run again");
        return NULL;
    }
    *c = (Checkpoint){.file = -1};
    int length = snprintf(c->path, sizeof c->path, "%s/checkpoint.h5", folder);
    int hash_length = snprintf(c->hash_path, sizeof c->hash_path, "%s/checkpoint.sha256", folder);
    if ((size_t)length >= sizeof c->path || (size_t)hash_length >= sizeof c->hash_path) {
        fail(error, "the folder's name %.80s... is too long; choose a shorter one", folder);
        free(c);
        return NULL;
    }
    return c;
}

Checkpoint *checkpoint_create(const char *folder, Error *error)
{
    Checkpoint *c = checkpoint_new(folder, error);
    if (c == NULL)
        return NULL;
    c->file = hdf5_image_create();
    if (c->file < 0) {
        fail(error, "HDF5 cannot start %s; free some memory and run again", c->path);
        free(c);
        return NULL;
    }
    return c;
}

/* Whether a line of the text starts with the hash. */
static bool hash_is_listed(const char *text, const char hash[65])
{
    for (const char *line = text; line != NULL && *line != 0;) {
        if (strncmp(line, hash, 64) == 0 && (line[64] == ' ' || line[64] == '\n' || line[64] == 0))
            return true;
        const char *end = strchr(line, '\n');
        line = end == NULL ? NULL : end + 1;
    }
    return false;
}

/* Reads both files; *bytes is the caller's to free, NULL if only the hash is wrong. */
static bool read_once(char **bytes, size_t *count, char hash[65], const Checkpoint *c, Error *error)
{
    char *listed = NULL;
    size_t length = 0;
    if (!file_read(bytes, count, c->path, error))
        return false;
    if (!file_read(&listed, &length, c->hash_path, error)) {
        free(*bytes);
        return false;
    }
    sha256_hex(hash, *bytes, *count);
    bool right = hash_is_listed(listed, hash);
    free(listed);
    if (!right) {
        free(*bytes);
        *bytes = NULL;
    }
    return true;
}

/* Reads checkpoint.h5 and verifies its hash; *bytes is the caller's to free, hash is what was verified. A run
 * may have replaced both files between the reading of one and of the other: then they match when they are
 * read again. */
static bool read_verified(char **bytes, size_t *count, char hash[65], const Checkpoint *c, Error *error)
{
    for (int i = 0; i < 3; i++) {
        if (!read_once(bytes, count, hash, c, error))
            return false;
        if (*bytes)
            return true;
    }
    if (file_is_being_written(c->path))
        return fail(error, "%s is held open for writing by another program: close it there first", c->path);
    return fail(error,
                "%s does not have the SHA-256 that %s lists: it is damaged or was changed; remove the run's "
                "folder or restore the file",
                c->path, c->hash_path);
}

Checkpoint *checkpoint_open(const char *folder, Error *error)
{
    Checkpoint *c = checkpoint_new(folder, error);
    if (c == NULL)
        return NULL;
    char *bytes = NULL, hash[65];
    size_t count = 0;
    if (!read_verified(&bytes, &count, hash, c, error)) {
        free(c);
        return NULL;
    }
    Error why;
    c->reader = hdf5_reader_open(bytes, count, c->path, &why);
    free(bytes);
    if (!c->reader) {
        if (why.text[0])
            fail(error, "%s", why.text);
        else
            fail(error, "%s has the right SHA-256 but is no HDF5 file; remove the run's folder", c->path);
        free(c);
        return NULL;
    }
    return c;
}

bool checkpoint_put(Checkpoint *c, const char *name, const double *values, size_t count, Error *error)
{
    assert(c->file >= 0);
    hsize_t dims[1] = {count};
    return hdf5_image_put(c->file, name, H5T_IEEE_F64LE, 1, dims, values) ||
           fail(error, "HDF5 cannot add '%s' (%zu numbers) to %s; the name is taken or memory ran out", name,
                count, c->path);
}

bool checkpoint_get(Checkpoint *c, const char *name, double *values, size_t count, Error *error)
{
    int rank;
    uint64_t dims[HDF5_RANK];
    assert(c->reader);
    Hdf5Status status = hdf5_reader_shape(&rank, dims, c->reader, name);
    if (status == HDF5_FOUND && rank == 1 && dims[0] == count)
        status = hdf5_reader_values(values, count, c->reader, name);
    else if (status == HDF5_FOUND && rank == 1)
        return fail(error,
                    "%s: the dataset '%s' holds %llu numbers, not %zu; it is a checkpoint of another network",
                    c->path, name, (unsigned long long)dims[0], count);
    else if (status == HDF5_FOUND || status == HDF5_NO_SHAPE)
        return fail(error, "%s: the dataset '%s' is not one-dimensional; the file was not written here",
                    c->path, name);
    if (status == HDF5_CRASHED)
        return hdf5_reader_crashed(c->reader, error);
    if (status == HDF5_MISSING || status == HDF5_NO_DATASET)
        return fail(error,
                    "%s has no dataset '%s'; it was written by another version of this program, or for "
                    "another network",
                    c->path, name);
    return status == HDF5_FOUND ||
           fail(error, "%s: the dataset '%s' cannot be read as numbers", c->path, name);
}

bool checkpoint_put_text(Checkpoint *c, const char *name, const char *text, Error *error)
{
    assert(c->file >= 0);
    hid_t type = H5Tcopy(H5T_C_S1), space = H5Screate(H5S_SCALAR);
    bool typed = H5Tset_size(type, strlen(text) + 1) >= 0 && H5Tset_cset(type, H5T_CSET_UTF8) >= 0;
    hid_t attribute = typed ? H5Acreate2(c->file, name, type, space, H5P_DEFAULT, H5P_DEFAULT) : -1;
    bool written = attribute >= 0 && H5Awrite(attribute, type, text) >= 0;
    if (attribute >= 0)
        written = H5Aclose(attribute) >= 0 && written;
    H5Sclose(space);
    H5Tclose(type);
    return written || fail(error,
                           "HDF5 cannot add the text '%s' (%zu bytes, at most about 64,000) to %s; "
                           "the name is taken or the text too long",
                           name, strlen(text), c->path);
}

bool checkpoint_get_text(Checkpoint *c, const char *name, char *text, size_t size, Error *error)
{
    size_t bytes;
    assert(c->reader);
    switch (hdf5_reader_text(text, size, &bytes, c->reader, name)) {
    case HDF5_FOUND:
        return true;
    case HDF5_MISSING:
        return fail(
            error,
            "%s has no text '%s'; it was written by another version of this program, or for another network",
            c->path, name);
    case HDF5_TOO_LONG:
        return fail(error, "%s: the text '%s' has %zu bytes, which is more than the %zu expected", c->path,
                    name, bytes, size);
    case HDF5_CRASHED:
        return hdf5_reader_crashed(c->reader, error);
    default:
        return fail(error, "%s: the attribute '%s' is not a text as written here", c->path, name);
    }
}

static int hashes_text(char text[256], const char *hash, const char *earlier)
{
    int length = snprintf(text, 256, "%s  checkpoint.h5\n", hash);
    if (earlier != NULL)
        length += snprintf(text + length, 256 - (size_t)length, "%s  checkpoint.h5\n", earlier);
    return length;
}

static bool write_hashes(const Checkpoint *c, const char *hash, const char *earlier, Error *error)
{
    char text[256];
    const int length = hashes_text(text, hash, earlier);
    return file_write(c->hash_path, text, (size_t)length, error);
}

static bool settle(const Checkpoint *c, Error *error)
{
    char *bytes = NULL, *listed = NULL, hash[65], alone[256];
    size_t count = 0;
    if (!read_verified(&bytes, &count, hash, c, error))
        return false;
    free(bytes);
    if (!file_read(&listed, &count, c->hash_path, error))
        return false;
    hashes_text(alone, hash, NULL);
    const bool done = strcmp(listed, alone) == 0 || write_hashes(c, hash, NULL, error);
    free(listed);
    return done;
}

bool checkpoint_settle(const char *folder, Error *error)
{
    Checkpoint *c = checkpoint_new(folder, error);
    const bool done = c && settle(c, error);
    free(c);
    return done;
}

static bool put_in_place(const Checkpoint *c, Error *error)
{
    void *bytes = NULL;
    size_t count = 0;
    if (!hdf5_image_bytes(c->file, &bytes, &count))
        return fail(error, "HDF5 cannot finish %s; free some memory and run again", c->path);
    char hash[65], earlier_hash[65], *earlier = NULL;
    size_t earlier_count = 0;
    sha256_hex(hash, bytes, count);
    bool replaces = read_verified(&earlier, &earlier_count, earlier_hash, c, NULL);
    if (replaces)
        free(earlier);
    bool done = write_hashes(c, hash, replaces ? earlier_hash : NULL, error) &&
                file_write(c->path, bytes, count, error) && (!replaces || write_hashes(c, hash, NULL, error));
    free(bytes);
    return done;
}

static bool close_both(Checkpoint *c)
{
    const bool closed = c->file < 0 || H5Fclose(c->file) >= 0;
    if (c->reader)
        hdf5_reader_close(c->reader);
    free(c);
    return closed;
}

bool checkpoint_close(Checkpoint *c, Error *error)
{
    const bool done = c->file < 0 || put_in_place(c, error);
    return (close_both(c) && done) || (done && fail(error, "HDF5 cannot close the checkpoint that it wrote"));
}

void checkpoint_abandon(Checkpoint *c)
{
    close_both(c);
}
