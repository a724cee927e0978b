/* An HDF5 file that is read in a process of its own: HDF5 crashes, or never ends, on some damaged files, and
 * then that process ends, and the caller says so in a sentence. The caller's process gives it names and takes
 * numbers and texts; it calls no HDF5 on the file. */
#ifndef NOPOOL_HDF5_READER_H
#define NOPOOL_HDF5_READER_H

#include "error.h"
#include "hdf5_answers.h"
#include <stdbool.h>
#include <sys/types.h>

typedef struct Hdf5Reader Hdf5Reader;

/* Starts the process, which reads these bytes; path is for sentences and must live. The bytes are not needed
 * any more afterwards. NULL if they are no HDF5 file, or no process can be started; error->text is "" in the
 * first case. */
Hdf5Reader *hdf5_reader_open(const void *bytes, size_t count, const char *path, Error *error);

/* For harnesses that make sound files by the thousand: while it is set, readers are opened in the caller's
 * own process. No program sets it. */
extern bool hdf5_reader_here;

/* Ends the process. */
void hdf5_reader_close(Hdf5Reader *reader);

/* The shape of a dataset of numbers; the scalar one has rank 0. */
Hdf5Status hdf5_reader_shape(int *rank, uint64_t dims[HDF5_RANK], Hdf5Reader *reader, const char *name);

/* Its values as doubles, in row-major order. count is that of the shape; another one is HDF5_UNREADABLE. */
Hdf5Status hdf5_reader_values(double *values, size_t count, Hdf5Reader *reader, const char *name);

/* A string attribute of the root group, of fixed or variable length, with its 0. Of one that is too long
 * *bytes says how many it has; bytes may be NULL. */
Hdf5Status hdf5_reader_text(char *text, size_t size, size_t *bytes, Hdf5Reader *reader, const char *name);

/* After HDF5_CRASHED: the sentence. Returns false. */
bool hdf5_reader_crashed(Hdf5Reader *reader, Error *error);

/* The process, for who wants to see it end. */
pid_t hdf5_reader_process(const Hdf5Reader *reader);

#endif
