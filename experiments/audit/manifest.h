/* The list of the runs that are kept as records: a run that is gone or changed is noticed, and the claims
 * that it decides are named. */
#ifndef NOPOOL_MANIFEST_H
#define NOPOOL_MANIFEST_H

#include "claims.h"
#include "evidence.h"
#include <stdio.h>

/* FOLDER/manifest.tsv: folder (relative), sha256 of its result.tsv, the rows that it stands for. */
bool manifest_write(const char *folder, const Evidence *evidence, Error *error);

/* Compares with what was read; a folder without a manifest is no record and has no faults. A sentence a line
 * on out; returns how many. */
int manifest_check(const char *folder, const Evidence *evidence, const Claims *claims, FILE *out);

#endif
