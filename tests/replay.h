/* Replaying a run of build/train with the training of ref/: the same options, told to each in its own words.
 */
#ifndef NOPOOL_TESTS_REPLAY_H
#define NOPOOL_TESTS_REPLAY_H

#include "../ref/training.h"
#include <stddef.h>

/* A run of the matrix: what it changes in the options of another one, its base; NULL: of build/train's
 * defaults. Changes are "name=value name=value". A case with a source prunes that case's run, or
 * reverses its logits. */
typedef struct {
    const char *name, *base, *changes, *source;
} ReplayCase;

/* The case of that name; it must be there. */
const ReplayCase *replay_find(const char *name);

/* All cases, count of them. */
extern const ReplayCase replay_cases[];
extern const int replay_count;

/* The options of a case, its base's first, as "name=value" one after the other, which later ones override. */
void replay_options(char *text, size_t size, const ReplayCase *c);

/* Sets what an option of build/train is to ref/training; false if it has no word for it. */
bool replay_set(TrainingSettings *settings, const char *name, const char *value);

/* The training that a case describes, and its source's, on program_write_data's images. Fails the test if it
 * cannot be run. The caller frees both. */
void replay_train(Training *training, Training *source, const ReplayCase *c);

/* What a run's log.tsv, alpha.tsv and result.tsv should then be; the caller frees the text. */
char *replay_print(const Training *training, const char *file);

#endif
