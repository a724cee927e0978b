/* What the fuzzed readers share. A harness takes any bytes, gives them to a reader as the file or the files
 * that it reads, and aborts if the reader breaks a promise: what it refuses it refuses with one line of text,
 * and what it accepts it has read right. A fault of memory or arithmetic is the sanitizers' to find. */
#ifndef NOPOOL_FUZZ_HARNESS_H
#define NOPOOL_FUZZ_HARNESS_H

#include "../../experiments/base/error.h"
#include <stddef.h>
#include <stdint.h>

typedef struct {
    const char *name;
    void (*run)(const uint8_t *bytes, size_t count);
    size_t most; /* bytes of an input */
} Reader;

#define READER(name, most) void fuzz_##name(const uint8_t *bytes, size_t count);
#include "readers.def"
#undef READER

/* The reader of this name, NULL if there is none; and number i, NULL behind the last. */
const Reader *reader_of(const char *name);
const Reader *reader_at(int i);

/* A folder of this process's own in `parent` (memory, if NULL and the machine has such a folder), in which
 * harnesses write; and its removal. */
void scratch_begin(const char *parent);
void scratch_end(void);

/* The path of a name in the scratch folder, "" the folder itself; four of them live at a time. */
const char *scratch(const char *name);

/* Replaces a file of the scratch folder. */
void scratch_put(const char *name, const void *bytes, size_t count);

/* Several files in one input: a line `=== NAME` begins each. Those among names (ended by NULL) are written to
 * the scratch folder, the others of names removed from it. Returns how many were written. */
int scratch_unpack(const char *const names[], const uint8_t *bytes, size_t count);

/* A copy with a 0 behind it, the caller's to free; it ends at the first 0 of the bytes, as files of text do.
 */
char *text_of(const uint8_t *bytes, size_t count);

/* Aborts with the words unless the promise is kept. */
void expect(bool kept, const char *promise);

/* After a process that read for the reader has crashed: aborts if a sanitizer's report in the folder that
 * FUZZ_REPORTS names says that it was in the project's code, not inside HDF5, and removes the reports. */
void expect_crash_elsewhere(void);

/* A refusal has a sentence: one line, of characters that a terminal prints. error->text was "" before. */
void expect_sentence(bool accepted, const Error *error);

#endif
