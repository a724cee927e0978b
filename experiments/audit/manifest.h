/* The list of the runs that are kept as records: a run that is gone or changed is noticed, and the claims
 * that it decides are named. */
#ifndef NOPOOL_MANIFEST_H
#define NOPOOL_MANIFEST_H

#include "claims.h"
#include "evidence.h"
#include <stdio.h>

/* FOLDER/manifest.tsv: folder (relative), sha256 of its result.tsv, the rows that it stands for. */
bool manifest_write(const char *folder, const Evidence *evidence, Error *error);

/* After reading a folder failed for a reason: the runs of its manifest that are gone or that the reason
 * names, and the claims that they decide. */
void manifest_tell(const char *folder, const Claims *claims, const char *why, FILE *out);

/* Compares with what was read; a folder called records without a manifest is a fault, any other is no record. A
 * sentence a line on out; returns how many. */
int manifest_check(const char *folder, const Evidence *evidence, const Claims *claims, FILE *out);

#endif
