/* The job that a training program is part of: the program alone, or the ranks that mpirun started, which
 * divide every batch (fast/ranks.h). Only a build with MPI=1 knows several; in any other, and without mpirun,
 * all of this does nothing.
 *
 * Every rank makes the same decisions from the same numbers. What could differ between them, they agree on:
 * functions marked "all" are called by all ranks at the same place in their work, and return the same. */
#ifndef NOPOOL_JOB_H
#define NOPOOL_JOB_H

#include "error.h"
#include <stddef.h>

/* Joins the job, before any thread is started; all. The other ranks' standard output goes nowhere. Refused
 * where mpirun started several processes of a build that knows one. */
bool job_begin(Error *error);

/* Leaves the job; all. Returns the status. */
int job_end(int status);

/* All ranks failed alike: one prints the sentence, and every one leaves and exits with status 1. */
_Noreturn void job_die(const char *program, const Error *error);

int job_ranks(void);

/* Whether this is the rank that writes files and prints. */
bool job_writes(void);

/* Whether all ranks succeeded; if not, every one has the sentence of the first that failed. All. */
bool job_agrees(bool ok, Error *error);

/* What the writing rank decides. All. */
bool job_decides(bool mine);

/* The signal that asked any of the ranks to stop (stop.h), 0 if none did. All. */
int job_stop(void);

/* Overwrites bytes by the writing rank's. All. */
void job_share(void *bytes, size_t count);

/* The threads for threads_set: `asked`, or else this rank's share where ranks use the same CPUs. All. */
int job_threads(int asked);

/* From now on this sentence is printed where a rank of a job dies, whatever kills it. */
void job_watch(const char *sentence);

#endif
