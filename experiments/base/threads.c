/* Threads: the number that is asked for or allowed. */
#include "threads.h"
#include <math.h>
#include <omp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void threads_wait_briefly(char **argv)
{
    if (getenv("GOMP_SPINCOUNT") || getenv("OMP_WAIT_POLICY"))
        return;
    if (setenv("GOMP_SPINCOUNT", "1000", 1) == 0)
        execv("/proc/self/exe", argv); /* returns only where there is no /proc: nothing is lost but speed */
}

/* quota / period of one folder in CPUs; 0: no quota. */
static double quota_of(const char *folder, bool second)
{
    char path[4200];
    double quota = 0, period = 0;
    snprintf(path, sizeof path, "%s/%s", folder, second ? "cpu.max" : "cpu.cfs_quota_us");
    FILE *in = fopen(path, "r");
    if (!in)
        return 0;
    int read = fscanf(in, second ? "%lf %lf" : "%lf", &quota, &period); /* "max" is no number: no quota */
    fclose(in);
    if (!second && read == 1) {
        snprintf(path, sizeof path, "%s/cpu.cfs_period_us", folder);
        if (!(in = fopen(path, "r")))
            return 0;
        read += fscanf(in, "%lf", &period);
        fclose(in);
    }
    return read == 2 && quota > 0 && period > 0 ? quota / period : 0;
}

/* The smallest quota of root/path and the folders around it, down to root. In a container `path` may be one
 * of the host's, of which only root is seen. */
static double smallest_quota(const char *root, const char *path, bool second)
{
    char folder[4096];
    double smallest = 0;
    if ((size_t)snprintf(folder, sizeof folder, "%s%s", root, path) >= sizeof folder)
        return 0;
    for (;;) {
        const double quota = quota_of(folder, second);
        if (quota > 0 && (smallest == 0 || quota < smallest))
            smallest = quota;
        char *slash = strrchr(folder, '/');
        if (!slash || (size_t)(slash - folder) < strlen(root))
            return smallest;
        *slash = 0;
    }
}

/* Whether "cpu" is one of the names in "cpu,cpuacct". */
static bool has_cpu(const char *names)
{
    for (const char *at = names; *at; at += strcspn(at, ",") + (at[strcspn(at, ",")] == ','))
        if (strcspn(at, ",") == 3 && strncmp(at, "cpu", 3) == 0)
            return true;
    return false;
}

int cgroup_cpus(const char *groups, const char *root)
{
    char line[4096], mount[4096];
    double smallest = 0;
    FILE *in = fopen(groups, "r");
    while (in && fgets(line, sizeof line, in)) {
        /* NUMBER:NAMES:PATH; version 2 has no names. */
        char *names = strchr(line, ':'), *path = names ? strchr(names + 1, ':') : NULL;
        if (!path)
            continue;
        *path++ = 0;
        path[strcspn(path, "\n")] = 0;
        const bool second = names[1] == 0;
        if (!second && !has_cpu(names + 1))
            continue;
        const char *folders[] = {second ? "" : "/cpu", second ? "/unified" : "/cpu,cpuacct"};
        for (int i = 0; i < 2; i++) {
            snprintf(mount, sizeof mount, "%.2000s%s", root, folders[i]);
            const double quota = smallest_quota(mount, path, second);
            if (quota > 0 && (smallest == 0 || quota < smallest))
                smallest = quota;
        }
    }
    if (in)
        fclose(in);
    return (int)fmin(ceil(smallest), 1 << 20);
}

int threads_allowed(void)
{
    const int cpus = omp_get_num_procs(), quota = cgroup_cpus("/proc/self/cgroup", "/sys/fs/cgroup");
    return quota > 0 && quota < cpus ? quota : cpus;
}

void threads_set(int asked)
{
    int threads = asked ? asked : getenv("OMP_NUM_THREADS") ? omp_get_max_threads() : threads_allowed();
    if (threads > omp_get_thread_limit())
        threads = omp_get_thread_limit();
    omp_set_num_threads(threads);
}

int threads_running(void)
{
    int threads = 1;
#pragma omp parallel
#pragma omp single
    threads = omp_get_num_threads();
    return threads;
}
