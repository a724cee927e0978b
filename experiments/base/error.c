/* Errors at the boundary: one sentence, formatted once, printed once. */
#include "error.h"
#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

/* What a file holds may be part of the sentence: it must not end the line, nor drive the terminal. */
static void keep_on_one_line(char *text)
{
    for (; *text; text++)
        if (iscntrl((unsigned char)*text) && *text != '\t')
            *text = '?';
}

bool fail(Error *error, const char *format, ...)
{
    if (error == NULL)
        return false;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(error->text, sizeof error->text, format, arguments);
    va_end(arguments);
    keep_on_one_line(error->text);
    return false;
}

_Noreturn void die(const char *program, const Error *error)
{
    fprintf(stderr, "%s: %s\n", program, error->text);
    exit(EXIT_FAILURE);
}
