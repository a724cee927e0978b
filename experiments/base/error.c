/* Errors at the boundary: one sentence, formatted once, printed once. */
#include "error.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

bool fail(Error *error, const char *format, ...)
{
    if (error == NULL)
        return false;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(error->text, sizeof error->text, format, arguments);
    va_end(arguments);
    return false;
}

_Noreturn void die(const char *program, const Error *error)
{
    fprintf(stderr, "%s: %s\n", program, error->text);
    exit(EXIT_FAILURE);
}
