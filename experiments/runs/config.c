/* Writing, reading and comparing config.tsv. */
#include "config.h"
#include "../base/files.h"
#include "result.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void config_write(Text *text, const Plan *plan, const Dataset *data)
{
    char options[16384];
    options_write(options, sizeof options, &plan->options);
    text_add(text, "%s", options);
    text_add(text, "#data-set\t%s\n", data->name);
    text_add(text, "#data-sha256\t%s\n", data->sha256);
    text_add(text, "#instruction-set\t%s\n", plan->engine->instruction_set);
}

bool config_read(Options *options, char **bytes, const char *folder, Error *error)
{
    char path[4096], *text;
    size_t count;
    options_default(options);
    if ((size_t)snprintf(path, sizeof path, "%s/config.tsv", folder) >= sizeof path)
        return fail(error, "the path of the run's folder %.200s is too long", folder);
    if (!file_read(&text, &count, path, error))
        return false;
    /* An option that came later is missing in an old file and has its default; a file without one is no
     * record. */
    char value[TEXT_OPTION];
    const bool ok = (result_value(value, sizeof value, text, "data") ||
                     fail(error, "%s %s: restore it, or remove the run's folder to start it anew", path,
                          count ? "does not begin with a run's options" : "is empty")) &&
                    options_read(options, text, path, error);
    if (ok && bytes)
        *bytes = text;
    else
        free(text);
    return ok;
}

static bool differs(const char *folder, const char *name, const char *was, const char *is, Error *error)
{
    return fail(error, "%.400s was made with %s%.100s, not %.100s: choose another --run folder%s", folder,
                name, was, is, strncmp(name, "--", 2) == 0 ? " or the same options" : "");
}

bool config_check(const char *bytes, const char *folder, const Plan *plan, const Dataset *data, Error *error)
{
    Options theirs;
    char path[4096], was[TEXT_OPTION], is[TEXT_OPTION];
    const char *const others[][3] = {
        {"#data-sha256", "the data of SHA-256 ", data->sha256},
        {"#instruction-set", "the instruction set ", plan->engine->instruction_set}};
    snprintf(path, sizeof path, "%.4000s/config.tsv", folder);
    options_default(&theirs);
    if (!options_read(&theirs, bytes, path, error))
        return false;
    snprintf(theirs.data, sizeof theirs.data, "%s", plan->options.data);
    const char *name = options_difference(&theirs, &plan->options);
    if (name) {
        char words[80];
        options_value(was, sizeof was, &theirs, name);
        options_value(is, sizeof is, &plan->options, name);
        snprintf(words, sizeof words, "--%s=", name);
        return differs(folder, words, was, is, error);
    }
    for (int i = 0; i < 2; i++) {
        if (!result_value(was, sizeof was, bytes, others[i][0]))
            return fail(error, "%s has no line %s: restore it, or remove the run's folder to start it anew",
                        path, others[i][0]);
        if (strcmp(was, others[i][2]) != 0)
            return differs(folder, others[i][1], was, others[i][2], error);
    }
    return true;
}

void run_sibling(char *path, size_t size, const char *folder, const char *name)
{
    int end = (int)strlen(folder);
    while (end > 1 && folder[end - 1] == '/')
        end--;
    while (end > 0 && folder[end - 1] != '/')
        end--;
    snprintf(path, size, "%.*s%s", strchr(name, '/') ? 0 : end, folder, name);
}
