/* How many threads a program runs, and how they wait for each other. */
#ifndef NOPOOL_THREADS_H
#define NOPOOL_THREADS_H

/* Makes OpenMP's threads spin for microseconds before they sleep, unless the environment says how they wait:
 * at libgomp's default, two runs on the same cores take ten times as long as one, and a run alone is no
 * faster. libgomp reads its environment before main: the program replaces itself by itself, once. */
void threads_wait_briefly(char **argv);

/* Sets the number of threads: `asked`, or if that is 0, OMP_NUM_THREADS, or else what this process may use.
 * OMP_THREAD_LIMIT bounds each of them. */
void threads_set(int asked);

/* The threads that a parallel region gets now. */
int threads_running(void);

/* What this process may use: the CPUs of its affinity mask, or fewer under a CPU quota of its cgroup. */
int threads_allowed(void);

/* The CPUs, rounded up, of the smallest quota over a cgroup and those around it; 0 without one. `groups` is
 * the file /proc/self/cgroup, `root` the folder where cgroups are mounted: cpu.max (version 2), or
 * cpu.cfs_quota_us and cpu.cfs_period_us in root/cpu or root/cpu,cpuacct (version 1). */
int cgroup_cpus(const char *groups, const char *root);

#endif
