/* checkpoint.h5: named arrays and numbers of a run, from which it continues or is evaluated. The file's
 * SHA-256 stands beside it in checkpoint.sha256 and is verified before HDF5 opens the file.
 *
 * Writing: checkpoint_create, checkpoint_put..., checkpoint_close. Nothing replaces an earlier checkpoint
 * before close has written and synced all of it. Reading: checkpoint_open, checkpoint_get...,
 * checkpoint_close. */
#ifndef NOPOOL_CHECKPOINT_H
#define NOPOOL_CHECKPOINT_H

#include "../base/error.h"
#include <stddef.h>

typedef struct Checkpoint Checkpoint;

/* NULL on failure, with the sentence in error. */
Checkpoint *checkpoint_create(const char *folder, Error *error);
Checkpoint *checkpoint_open(const char *folder, Error *error);

/* A one-dimensional dataset of doubles. Getting one of another length, or one that is not there, fails. */
bool checkpoint_put(Checkpoint *c, const char *name, const double *values, size_t count, Error *error);
bool checkpoint_get(Checkpoint *c, const char *name, double *values, size_t count, Error *error);

/* A text, as a string attribute of the root group; get fails if it does not fit. */
bool checkpoint_put_text(Checkpoint *c, const char *name, const char *text, Error *error);
bool checkpoint_get_text(Checkpoint *c, const char *name, char *text, size_t size, Error *error);

/* Ends writing (and puts the file in place) or reading; frees c either way. After a failed put the caller
 * calls checkpoint_abandon instead. */
bool checkpoint_close(Checkpoint *c, Error *error);

/* Where a crash left two hashes in checkpoint.sha256, that of checkpoint.h5 stays. For who writes in the
 * folder. */
bool checkpoint_settle(const char *folder, Error *error);
void checkpoint_abandon(Checkpoint *c);

#endif
