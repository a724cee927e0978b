/* config.tsv: every option of a run, resolved, and behind a '#' what else decides its bits: the data, by its
 * SHA-256, and the instruction set. */
#ifndef NOPOOL_CONFIG_H
#define NOPOOL_CONFIG_H

#include "../base/text.h"
#include "../protocol/plan.h"

void config_write(Text *text, const Plan *plan, const Dataset *data);

/* Whether bytes, the config.tsv of a folder, is of this run; names the first thing that differs, and both
 * values. Where the data lies and what it is called may differ: its SHA-256 decides. */
bool config_check(const char *bytes, const char *folder, const Plan *plan, const Dataset *data, Error *error);

/* The options of a folder, and all of its config.tsv if bytes is not NULL (the caller's to free). */
bool config_read(Options *options, char **bytes, const char *folder, Error *error);

/* The folder of another run as --prune-from names it: a name without a '/' is that of a sibling of `folder`,
 * so that runs can move together. */
void run_sibling(char *path, size_t size, const char *folder, const char *name);

#endif
