/* Records are all there. See manifest.h. */
#include "manifest.h"
#include "../base/files.h"
#include "../base/text.h"
#include <string.h>

static const char header[] = "folder\tsha256\trows";

/* The path of a run under folder, or NULL if it is elsewhere. */
static const char *inside(const char *path, const char *folder)
{
    const size_t length = strlen(folder);
    return strncmp(path, folder, length) == 0 && path[length] == '/' ? path + length + 1 : NULL;
}

bool manifest_write(const char *folder, const Evidence *evidence, Error *error)
{
    Text text = {0};
    text_add(&text, "%s\n", header);
    for (int f = 0; f < evidence->folders_count; f++) {
        const Folder *run = &evidence->folders[f];
        if (inside(run->path, folder))
            text_add(&text, "%s\t%s\t%s\n", inside(run->path, folder), run->sha256, run->rows);
    }
    const bool ok = text_write(&text, folder, "manifest.tsv", error);
    text_free(&text);
    return ok;
}

/* Whether the folder is called records. */
static bool keeps_records(const char *folder)
{
    size_t length = strlen(folder);
    while (length > 0 && folder[length - 1] == '/')
        length--;
    return length >= 7 && strncmp(folder + length - 7, "records", 7) == 0 &&
           (length == 7 || folder[length - 8] == '/');
}

static const Folder *folder_of(const Evidence *evidence, const char *root, const char *name)
{
    for (int f = 0; f < evidence->folders_count; f++) {
        const char *relative = inside(evidence->folders[f].path, root);
        if (relative && strcmp(relative, name) == 0)
            return &evidence->folders[f];
    }
    return NULL;
}

/* Whether a decider of the claim takes one of these rows. */
static bool takes(const Claim *claim, const char *rows)
{
    char word[512], name[64];
    for (const char *at = claim->decider; next_word(word, sizeof word, &at);) {
        const char *list = strchr(word, ':');
        if (!list || strncmp(word, "printed:", 8) == 0)
            continue;
        for (list++; next_name(name, sizeof name, &list);)
            if (has_word(rows, name))
                return true;
    }
    return false;
}

static void tell(const Claims *claims, const char *rows, const char *name, const char *what, FILE *out)
{
    fprintf(out, "records: the run %s %s; it decides", name, what);
    int count = 0;
    for (int c = 0; c < claims->count; c++)
        if (takes(&claims->claims[c], rows))
            fprintf(out, "%s claim %s", count++ ? "," : "", claims->claims[c].id);
    fprintf(out, "%s\n", count ? "" : " no claim");
}

/* Whether a sentence about a file names this folder whole: of b1 one about b12/log.tsv says nothing. */
static bool names_folder(const char *why, const char *name)
{
    const size_t length = strlen(name);
    for (const char *at = why; (at = strstr(at, name)) != NULL; at += length)
        if ((at == why || strchr("/ '`", at[-1])) && strchr("/ :,'`", at[length]))
            return true;
    return false;
}

void manifest_tell(const char *folder, const Claims *claims, const char *why, FILE *out)
{
    char path[1024];
    Tsv list = {0};
    snprintf(path, sizeof path, "%s/manifest.tsv", folder);
    const bool ok = file_exists(path) && tsv_read(&list, path, header, NULL);
    for (int r = 0; ok && r < list.rows; r++) {
        const char *name = tsv_cell(&list, r, 0);
        snprintf(path, sizeof path, "%s/%s/result.tsv", folder, name);
        if (!file_exists(path) || names_folder(why, name))
            tell(claims, tsv_cell(&list, r, 2), name, "is gone or broken", out);
    }
    tsv_free(&list);
}

int manifest_check(const char *folder, const Evidence *evidence, const Claims *claims, FILE *out)
{
    char path[1024];
    Tsv list;
    Error error;
    int faults = 0;
    snprintf(path, sizeof path, "%s/manifest.tsv", folder);
    if (!file_exists(path)) {
        if (!keeps_records(folder))
            return 0;
        fprintf(out, "records: %s is gone, without which no run is missed: make records\n", path);
        return 1;
    }
    if (!tsv_read(&list, path, header, &error)) {
        fprintf(out, "records: %s\n", error.text);
        tsv_free(&list);
        return 1;
    }
    for (int r = 0; r < list.rows; r++) {
        const char *name = tsv_cell(&list, r, 0), *rows = tsv_cell(&list, r, 2);
        const Folder *run = folder_of(evidence, folder, name);
        if (run && strcmp(run->sha256, tsv_cell(&list, r, 1)) == 0 && strcmp(run->rows, rows) == 0)
            continue;
        tell(claims, rows, name,
             !run                      ? "is gone"
             : strcmp(run->rows, rows) ? "stands for other rows"
                                       : "has another result",
             out);
        faults++;
    }
    for (int f = 0; f < evidence->folders_count; f++) {
        const char *name = inside(evidence->folders[f].path, folder);
        bool listed = !name;
        for (int r = 0; name && r < list.rows; r++)
            listed = listed || strcmp(name, tsv_cell(&list, r, 0)) == 0;
        if (!listed)
            fprintf(out, "records: the run %s is not in %s: make records\n", name, path);
        faults += !listed;
    }
    tsv_free(&list);
    return faults;
}
