/* The fuzzer: libFuzzer calls the harness of the reader that FUZZ_READER names. Build and run: tests/fuzz.sh.
 */
#include "harness.h"
#include <stdio.h>
#include <stdlib.h>

static const Reader *reader;

int LLVMFuzzerInitialize(int *count, char ***arguments);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count);

int LLVMFuzzerInitialize(int *count, char ***arguments)
{
    (void)count, (void)arguments;
    reader = reader_of(getenv("FUZZ_READER"));
    if (!reader) {
        fprintf(stderr, "fuzz: FUZZ_READER names none of:");
        for (int i = 0; reader_at(i); i++)
            fprintf(stderr, " %s", reader_at(i)->name);
        fprintf(stderr, "\n");
        exit(2);
    }
    scratch_begin(getenv("FUZZ_SCRATCH"));
    atexit(scratch_end);
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{
    reader->run(bytes, count);
    return 0;
}
