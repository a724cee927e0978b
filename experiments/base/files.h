/* Files of a run: written whole under a temporary name, synced, then renamed, so that a name always holds a
 * complete file. A full disk or an unwritable folder is an error, and the old file stays. */
#ifndef NOPOOL_FILES_H
#define NOPOOL_FILES_H

#include "error.h"
#include <stddef.h>

/* Makes the folder and its parents if they are not there, and checks that files can be made in it. */
bool folder_make(const char *folder, Error *error);

/* What a name stands for. */
typedef enum { FILE_ABSENT, FILE_PLAIN, FILE_OTHER /* a folder, a device, a pipe */ } FileKind;
FileKind file_kind(const char *path);

/* Whether it is a plain file. */
bool file_exists(const char *path);

/* Whether another program has it open for writing and says so by a lock, as HDF5 does: its content may be on
 * the way. */
bool file_is_being_written(const char *path);

/* Replaces path by these bytes. */
bool file_write(const char *path, const void *bytes, size_t count, Error *error);

/* Reads a whole plain file; a pipe or a device is refused, so that nobody waits for it. *bytes is the
 * caller's to free and has a 0 byte after its end. */
bool file_read(char **bytes, size_t *count, const char *path, Error *error);

/* SHA-256 in hexadecimal, 64 digits and a 0. */
void sha256_hex(char hex[65], const void *bytes, size_t count);

/* Syncs a finished temporary file, renames it to path, and syncs the folder. On failure the temporary file is
 * removed. */
bool file_commit(const char *temporary, const char *path, Error *error);

#endif
