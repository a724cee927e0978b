/* The options of a training run: parsed from the command line, resolved, written to config.tsv, and compared
 * with the config.tsv of a run that is continued. */
#ifndef NOPOOL_OPTIONS_H
#define NOPOOL_OPTIONS_H

#include "../base/error.h"
#include <stddef.h>
#include <stdio.h>

enum { TEXT_OPTION = 512 };

typedef struct {
#define INTEGER(field, ...) int field;
#define REAL(field, ...)    double field;
#define CHOICE(field, ...)  int field;
#define TEXT(field, ...)    char field[TEXT_OPTION];
#include "options.def"
#undef INTEGER
#undef REAL
#undef CHOICE
#undef TEXT
} Options;

/* The values of the choices that code asks for. */
enum { KERNELS_REF, KERNELS_F32, KERNELS_BF16 };
enum { POOLING_NONE, POOLING_PREDEFINED, POOLING_UNIFORM, POOLING_LEARNED };
enum { HEAD_CONVOLUTION, HEAD_LINEAR };
enum { NORM_PER_RESOLUTION, NORM_SHARED };
enum { FILTERS_SHARED, FILTERS_UNSHARED };
enum { DEPTH_FIXED, DEPTH_LEARNED };
enum { FIXED_DATA_SPLIT, FIXED_DATA_ALL };
enum { ORDER_FILTERS_FIRST, ORDER_LOGITS_FIRST };
enum { LOGITS_DATA_B, LOGITS_DATA_A, LOGITS_DATA_NONE };
enum {
    LOGITS_START_UNIFORM,
    LOGITS_START_RANDOM,
    LOGITS_START_FINEST,
    LOGITS_START_COARSEST,
    LOGITS_START_REVERSED
};
enum { PRUNE_TRAINED, PRUNE_SCRATCH };

void options_default(Options *o);

/* Sets one option by its name. An unknown name, or a value out of its range, is refused with what is allowed.
 */
bool options_set(Options *o, const char *name, const char *value, Error *error);

/* Whether there is an option of this name. */
bool options_known(const char *name);

/* "name <tab> value" a line, every option, in a form that options_set reads back to the same bits. */
void options_write(char *text, size_t size, const Options *o);

/* Sets options from such lines; lines whose name starts with '#' are left out. */
bool options_read(Options *o, const char *text, const char *path, Error *error);

/* The name of the first option whose value differs, or NULL. */
const char *options_difference(const Options *a, const Options *b);

/* The name of the first number that is below `least` in size without being 0, or NULL. */
const char *options_below(const Options *o, double least);

/* The value of one option as text, as options_write has it. */
bool options_value(char *value, size_t size, const Options *o, const char *name);

/* The name of option number i in the order of options.def; NULL behind the last. */
const char *options_name(int i);

/* What the paper states of an option, or NULL if it leaves it open. */
const char *options_stated(const char *name);

/* Sets options from words "--name=value --name=value". */
bool options_set_words(Options *o, const char *words, Error *error);

/* A line or two for each option: name, values, default, what it does. */
void options_help(FILE *out);

#endif
