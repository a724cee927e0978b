/* What every program does when it starts and when it ends. */
#ifndef NOPOOL_PROGRAM_H
#define NOPOOL_PROGRAM_H

#include <stdbool.h>

/* A write beyond a limit on the size of files fails, like one to a full disk, and does not kill in silence; a
 * standard stream that the caller closed is never taken for a file that is opened later. */
void program_begin(void);

/* Whether one of the arguments is --help or -h. */
bool program_asks_help(int argc, char **argv);

/* The exit status of a program that did what it was asked: 0, or, if standard output could not take all of
 * it, 1 with a sentence. */
int program_end(const char *program);

#endif
