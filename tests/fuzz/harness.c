/* Scratch files and promises. See harness.h. */
#define _XOPEN_SOURCE 700 /* for nftw */
#include "harness.h"
#include "../../experiments/base/files.h"
#include <dirent.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const Reader readers[] = {
#define READER(name, most) {#name, fuzz_##name, most},
#include "readers.def"
#undef READER
};

enum { READERS = sizeof readers / sizeof *readers, PATH_BYTES = 512 };

const Reader *reader_at(int i)
{
    return i >= 0 && i < READERS ? &readers[i] : NULL;
}

const Reader *reader_of(const char *name)
{
    for (int i = 0; name && i < READERS; i++)
        if (strcmp(readers[i].name, name) == 0)
            return &readers[i];
    return NULL;
}

static char folder[PATH_BYTES];

void scratch_begin(const char *parent)
{
    if (!parent)
        parent = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
    snprintf(folder, sizeof folder, "%.400s/nopool-fuzz-XXXXXX", parent);
    expect(mkdtemp(folder) != NULL, "there is a folder to write in");
}

static int remove_one(const char *path, const struct stat *status, int kind, struct FTW *place)
{
    (void)status, (void)kind, (void)place;
    return remove(path);
}

void scratch_end(void)
{
    nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

const char *scratch(const char *name)
{
    static char paths[4][2 * PATH_BYTES];
    static int next;
    char *path = paths[next++ % 4];
    snprintf(path, sizeof *paths, "%s%s%s", folder, *name ? "/" : "", name);
    return path;
}

/* Makes the folders that the name passes through. */
static void make_folders(const char *name)
{
    for (const char *slash = strchr(name, '/'); slash; slash = strchr(slash + 1, '/')) {
        char part[PATH_BYTES];
        snprintf(part, sizeof part, "%.*s", (int)(slash - name), name);
        mkdir(scratch(part), 0777);
    }
}

void scratch_put(const char *name, const void *bytes, size_t count)
{
    make_folders(name);
    FILE *file = fopen(scratch(name), "wb");
    expect(file && fwrite(bytes, 1, count, file) == count && fclose(file) == 0, "a file can be written");
}

/* The next line that begins a file, or the end. */
static const uint8_t *next_file(const uint8_t *at, const uint8_t *end, const uint8_t *first)
{
    static const char mark[] = "=== ";
    for (; at + 4 <= end; at++)
        if ((at == first || at[-1] == '\n') && memcmp(at, mark, 4) == 0)
            return at;
    return end;
}

int scratch_unpack(const char *const names[], const uint8_t *bytes, size_t count)
{
    const uint8_t *end = bytes + count;
    int written = 0;
    for (int i = 0; names[i]; i++)
        remove(scratch(names[i]));
    for (const uint8_t *at = next_file(bytes, end, bytes); at < end;) {
        const uint8_t *line = memchr(at, '\n', (size_t)(end - at));
        const uint8_t *content = line ? line + 1 : end, *stop = next_file(content, end, bytes);
        const size_t length = (size_t)((line ? line : end) - at) - 4;
        for (int i = 0; names[i]; i++)
            if (strlen(names[i]) == length && memcmp(at + 4, names[i], length) == 0) {
                scratch_put(names[i], content, (size_t)(stop - content));
                written++;
            }
        at = stop;
    }
    return written;
}

char *text_of(const uint8_t *bytes, size_t count)
{
    char *text = malloc(count + 1);
    expect(text != NULL, "there is memory for an input");
    memcpy(text, bytes, count);
    text[count] = 0;
    return text;
}

void expect(bool kept, const char *promise)
{
    if (kept)
        return;
    fprintf(stderr, "fuzz: broken promise: %s\n", promise);
    abort();
}

/* The first of both in the stack that a report begins with. */
static bool is_ours(const char *report)
{
    const char *ours = strstr(report, "/experiments/"), *theirs = strstr(report, "libhdf5");
    return ours && (!theirs || ours < theirs);
}

void expect_crash_elsewhere(void)
{
    struct dirent **entries;
    const char *reports = getenv("FUZZ_REPORTS");
    const int count = reports ? scandir(reports, &entries, NULL, NULL) : -1;
    for (int i = 0; i < count; i++) {
        char path[2 * PATH_BYTES], *report;
        size_t size;
        snprintf(path, sizeof path, "%s/%.255s", reports, entries[i]->d_name);
        free(entries[i]);
        if (!file_exists(path) || !file_read(&report, &size, path, NULL))
            continue;
        if (is_ours(report))
            fprintf(stderr, "%s", report);
        expect(!is_ours(report), "a crash is HDF5's own");
        free(report);
        remove(path);
    }
    if (count >= 0)
        free(entries);
}

void expect_sentence(bool accepted, const Error *error)
{
    if (accepted)
        return;
    expect(error->text[0] != 0, "a refusal says what was wrong");
    if (strstr(error->text, "HDF5 crashed") || strstr(error->text, "HDF5 took"))
        expect_crash_elsewhere();
    for (const char *c = error->text; *c; c++)
        expect(((unsigned char)*c >= ' ' && *c != 0x7f) || *c == '\t',
               "a refusal is one line that can be printed");
}
