/* The operations of build/kernel, in a table: what each takes and gives, what it asks of its inputs, and its
 * passes. The reading, the checking, the help and the writing all follow from it. */
#ifndef NOPOOL_OPERATIONS_H
#define NOPOOL_OPERATIONS_H

#include "job.h"

extern const Operation operations[];
extern const int operations_count;

/* The operation that a name such as conv2d_backward means, and which pass; NULL if none. */
const Operation *operation_find(bool *backward, const char *pass_name);

/* help.c: the names of all passes, into text; the whole help text on standard output. */
void help_list(char *text, size_t size);
void help_print(void);

#endif
