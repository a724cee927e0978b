/* Where a run comes from: commit, compiler, flags, CPU, threads, data, date. */
#ifndef NOPOOL_PROVENANCE_H
#define NOPOOL_PROVENANCE_H

#include "../../ref/engine.h"
#include "../data/data.h"

/* Writes folder/provenance.tsv, "name <tab> value" a line. Among them the versions of the libraries whose
 * functions decide bits: libm (glibc) and GSL. */
bool provenance_write(const char *folder, const Engine *engine, const Dataset *data, Error *error);

/* Adds what goes on after `epoch` epochs: "continued <tab> epoch date commit instruction_set threads
 * glibc gsl". */
bool provenance_continue(const char *folder, const Engine *engine, int epoch, Error *error);

/* Adds "peak_mib <tab> the most memory that this process had", when the run is done. */
bool provenance_finish(const char *folder, Error *error);

/* The commit this program was built from; "-dirty" behind it if the tree differed. */
const char *provenance_commit(void);

#endif
