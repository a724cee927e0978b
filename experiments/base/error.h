/* Errors at the boundary: a function that can fail returns false and leaves one sentence that says what was
 * wrong, where, and what to do. Programs print that sentence and exit non-zero. */
#ifndef NOPOOL_ERROR_H
#define NOPOOL_ERROR_H

#include <stdbool.h>

typedef struct {
    char text[1024];
} Error;

/* Formats the sentence and returns false, so that a function can end with `return fail(error, ...)`. Control
 * characters but tabs become '?': it is one line. error may be NULL. */
bool fail(Error *error, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Prints "program: sentence" on standard error and exits with status 1. */
_Noreturn void die(const char *program, const Error *error);

#endif
