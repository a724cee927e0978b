/* A text that grows line by line: the tables of a run's folder, in memory before they are written whole. */
#ifndef NOPOOL_TEXT_H
#define NOPOOL_TEXT_H

#include "error.h"
#include <stddef.h>

/* Starts as {0}. After memory ran out, failed is set, further lines are dropped, and writing it is refused.
 */
typedef struct {
    char *bytes;
    size_t count, room;
    bool failed;
} Text;

void text_add(Text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));
void text_free(Text *text);

/* Writes it whole to folder/name (files.h). */
bool text_write(const Text *text, const char *folder, const char *name, Error *error);

/* Reads folder/name and cuts it back: of the lines that begin with an epoch, those up to `epochs` stay; so do
 * header lines, and a blank line after a line that stayed. */
bool text_read_epochs(Text *text, const char *folder, const char *name, int epochs, Error *error);

#endif
