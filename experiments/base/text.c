/* Growing texts, and the tables of a run that are cut back to its checkpoint. */
#include "text.h"
#include "files.h"
#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool make_room(Text *text, size_t more)
{
    if (text->failed)
        return false;
    if (text->count + more + 1 <= text->room)
        return true;
    const size_t room = 2 * (text->count + more + 1);
    char *bytes = realloc(text->bytes, room);
    text->failed = !bytes;
    if (bytes) {
        text->bytes = bytes;
        text->room = room;
    }
    return bytes != NULL;
}

void text_add(Text *text, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    const int length = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    if (length < 0 || !make_room(text, (size_t)length))
        return;
    va_start(arguments, format);
    vsnprintf(text->bytes + text->count, (size_t)length + 1, format, arguments);
    va_end(arguments);
    text->count += (size_t)length;
}

void text_free(Text *text)
{
    free(text->bytes);
    *text = (Text){0};
}

static bool path_of(char *path, size_t size, const char *folder, const char *name, Error *error)
{
    const int length = snprintf(path, size, "%s/%s", folder, name);
    return (length > 0 && (size_t)length < size) ||
           fail(error, "the path %.200s/%s is too long", folder, name);
}

bool text_write(const Text *text, const char *folder, const char *name, Error *error)
{
    char path[4096];
    if (text->failed)
        return fail(error, "not enough memory for %s/%s", folder, name);
    return path_of(path, sizeof path, folder, name, error) &&
           file_write(path, text->count ? text->bytes : "", text->count, error);
}

bool text_read_epochs(Text *text, const char *folder, const char *name, int epochs, Error *error)
{
    char path[4096], *bytes;
    size_t count;
    bool stays = true;
    if (!path_of(path, sizeof path, folder, name, error) || !file_read(&bytes, &count, path, error))
        return false;
    for (char *line = bytes; *line;) {
        const size_t length = strcspn(line, "\n");
        if (isdigit((unsigned char)*line))
            stays = atoi(line) <= epochs;
        if (stays)
            text_add(text, "%.*s\n", (int)length, line);
        line += length + (line[length] == '\n');
    }
    free(bytes);
    return true;
}
