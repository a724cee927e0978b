/* Provenance. The build passes NOPOOL_COMMIT and NOPOOL_FLAGS. */
#include "provenance.h"
#include "../base/job.h"
#include "../base/text.h"
#include "../base/threads.h"
#include <gnu/libc-version.h>
#include <gsl/gsl_version.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#ifndef NOPOOL_COMMIT
#define NOPOOL_COMMIT "unknown"
#endif
#ifndef NOPOOL_FLAGS
#define NOPOOL_FLAGS "unknown"
#endif

const char *provenance_commit(void)
{
    return NOPOOL_COMMIT;
}

/* The processor's name as Linux tells it. */
static void cpu_name(char *name, size_t size)
{
    char line[512];
    FILE *in = fopen("/proc/cpuinfo", "r");
    snprintf(name, size, "unknown");
    while (in && fgets(line, sizeof line, in)) {
        const char *colon = strchr(line, ':');
        if (strncmp(line, "model name", 10) != 0 || !colon)
            continue;
        snprintf(name, size, "%.*s", (int)strcspn(colon + 1 + (colon[1] == ' '), "\n"),
                 colon + 1 + (colon[1] == ' '));
        break;
    }
    if (in)
        fclose(in);
}

/* The present time, in UTC. */
static void present(char *date, size_t size)
{
    const time_t now = time(NULL);
    struct tm parts;
    strftime(date, size, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&now, &parts));
}

bool provenance_write(const char *folder, const Engine *engine, const Dataset *data, Error *error)
{
    char cpu[256], date[64];
    Text text = {0};
    cpu_name(cpu, sizeof cpu);
    present(date, sizeof date);
    text_add(&text, "commit\t%s\n", NOPOOL_COMMIT);
    text_add(&text, "compiler\t%s\n", __VERSION__);
    text_add(&text, "flags\t%s\n", NOPOOL_FLAGS);
    text_add(&text, "cpu\t%s\n", cpu);
    text_add(&text, "kernels\t%s\n", engine->name);
    text_add(&text, "instruction_set\t%s\n", engine->instruction_set);
    text_add(&text, "threads\t%d\n", threads_running());
    if (job_ranks() > 1)
        text_add(&text, "ranks\t%d\n", job_ranks());
    text_add(&text, "glibc\t%s\n", gnu_get_libc_version());
    text_add(&text, "gsl\t%s\n", gsl_version);
    text_add(&text, "data\t%s\n", data->name);
    text_add(&text, "data_sha256\t%s\n", data->sha256);
    text_add(&text, "started\t%s\n", date);
    const bool ok = text_write(&text, folder, "provenance.tsv", error);
    text_free(&text);
    return ok;
}

bool provenance_finish(const char *folder, Error *error)
{
    struct rusage usage;
    Text text = {0};
    bool ok = text_read_epochs(&text, folder, "provenance.tsv", 0, error);
    /* A run that was killed before its result was written has its peak already. */
    const bool told = text.bytes && strstr(text.bytes, "\npeak_mib\t");
    if (ok && !told && getrusage(RUSAGE_SELF, &usage) == 0) {
        text_add(&text, "peak_mib\t%.1f\n", (double)usage.ru_maxrss / 1024);
        ok = text_write(&text, folder, "provenance.tsv", error);
    }
    text_free(&text);
    return ok;
}

bool provenance_continue(const char *folder, const Engine *engine, int epoch, Error *error)
{
    char date[64];
    Text text = {0};
    present(date, sizeof date);
    bool ok = text_read_epochs(&text, folder, "provenance.tsv", epoch, error);
    if (ok) {
        text_add(&text, "continued\t%d %s %s %s %d %s %s\n", epoch, date, NOPOOL_COMMIT,
                 engine->instruction_set, threads_running(), gnu_get_libc_version(), gsl_version);
        ok = text_write(&text, folder, "provenance.tsv", error);
    }
    text_free(&text);
    return ok;
}
