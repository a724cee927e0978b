/* The ranks of a job, by MPI. */
#define _GNU_SOURCE /* sched_getaffinity */
#include "job.h"
#include "../../fast/ranks.h"
#include "progress.h"
#include "stop.h"
#include "threads.h"
#include "watch.h"
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>

static int ranks = 1, own; /* this process is rank `own` */

/* The processes that mpirun or another launcher started (1: so many as MPI will tell); 0 if none did. Open
 * MPI is started only then: a program that is called by hand is alone. */
static int launched(void)
{
    const char *size = getenv("OMPI_COMM_WORLD_SIZE");
    return size ? atoi(size) : getenv("PMIX_RANK") ? 1 : 0;
}

#ifdef HAVE_MPI
#include <mpi.h>

/* Where the parts of all ranks are gathered. */
static struct {
    void *bytes;
    size_t size;
} room[RANKS_PLACES];

static const void *gather(const void *part, size_t bytes, int place)
{
    const size_t size = (bytes * (size_t)ranks + 63) / 64 * 64;
    if (room[place].size < size) {
        free(room[place].bytes);
        room[place].bytes = aligned_alloc(64, size);
        room[place].size = size;
    }
    if (!room[place].bytes || bytes > INT_MAX) {
        fprintf(stderr, "train: not enough memory for %zu bytes of each rank: choose a smaller --batch\n",
                bytes);
        MPI_Abort(MPI_COMM_WORLD, EXIT_FAILURE);
    }
    MPI_Allgather(part, (int)bytes, MPI_BYTE, room[place].bytes, (int)bytes, MPI_BYTE, MPI_COMM_WORLD);
    return room[place].bytes;
}

/* Whether this process is alone, and not one of several that srun started without MPI. */
static bool alone(Error *error)
{
    const char *tasks = getenv("SLURM_STEP_NUM_TASKS"), *task = getenv("SLURM_PROCID");
    if (!tasks || atoi(tasks) <= 1)
        return true;
    own = task ? atoi(task) : 0; /* so that one prints */
    return fail(
        error,
        "srun started %s processes that do not know of each other: start them by srun --mpi=pmix, or one",
        tasks);
}

static bool start(Error *error)
{
    int provided;
    if (!launched())
        return alone(error);
    MPI_Init_thread(NULL, NULL, MPI_THREAD_FUNNELED, &provided);
    MPI_Comm_size(MPI_COMM_WORLD, &ranks);
    MPI_Comm_rank(MPI_COMM_WORLD, &own);
    ranks_join(ranks, own, gather);
    progress_plain();
    return true;
}

static void leave(void)
{
    if (launched())
        MPI_Finalize();
}

static void share(void *bytes, size_t count, int from)
{
    MPI_Bcast(bytes, (int)count, MPI_BYTE, from, MPI_COMM_WORLD);
}

static int largest(int mine)
{
    int all = mine;
    MPI_Allreduce(&mine, &all, 1, MPI_INT, MPI_MAX, MPI_COMM_WORLD);
    return all;
}

/* Ranks of this machine, this one too, whose CPUs begin with the same one: they have the same CPUs. */
static int sharing(void)
{
    cpu_set_t cpus;
    MPI_Comm machine;
    int here = 0, first = 0, count = 0;
    sched_getaffinity(0, sizeof cpus, &cpus);
    while (first < CPU_SETSIZE && !CPU_ISSET(first, &cpus))
        first++;
    MPI_Comm_split_type(MPI_COMM_WORLD, MPI_COMM_TYPE_SHARED, own, MPI_INFO_NULL, &machine);
    MPI_Comm_size(machine, &here);
    int *firsts = malloc((size_t)here * sizeof *firsts);
    if (!firsts)
        MPI_Abort(MPI_COMM_WORLD, EXIT_FAILURE);
    MPI_Allgather(&first, 1, MPI_INT, firsts, 1, MPI_INT, machine);
    for (int i = 0; i < here; i++)
        count += firsts[i] == first;
    free(firsts);
    MPI_Comm_free(&machine);
    return count;
}

#else

static bool start(Error *error)
{
    const char *rank = getenv("OMPI_COMM_WORLD_RANK");
    own = rank ? atoi(rank) : 0; /* so that one prints */
    return launched() <= 1 ||
           fail(
               error,
               "mpirun started %d processes, but this build knows one: build with `make MPI=1`, or start one",
               launched());
}

static void leave(void)
{
}

static void share(void *bytes, size_t count, int from)
{
    (void)bytes, (void)count, (void)from;
}

static int largest(int mine)
{
    return mine;
}

static int sharing(void)
{
    return 1;
}

#endif

bool job_begin(Error *error)
{
    if (launched())
        watch_begin();
    if (!start(error))
        return false;
    /* Where this fails, the other ranks print too. */
    if (!job_writes() && !freopen("/dev/null", "w", stdout))
        fprintf(stderr, "train: there is no /dev/null\n");
    return true;
}

int job_end(int status)
{
    leave();
    watch_end();
    return status;
}

_Noreturn void job_die(const char *program, const Error *error)
{
    if (job_writes())
        fprintf(stderr, "%s: %s\n", program, error->text);
    exit(job_end(EXIT_FAILURE));
}

int job_ranks(void)
{
    return ranks;
}

bool job_writes(void)
{
    return own == 0;
}

bool job_agrees(bool ok, Error *error)
{
    const int failed = largest(ok ? 0 : ranks - own); /* ranks - number of the first that failed */
    if (failed && error)
        share(error->text, sizeof error->text, ranks - failed);
    return !failed;
}

bool job_decides(bool mine)
{
    share(&mine, sizeof mine, 0);
    return mine;
}

int job_stop(void)
{
    return largest(stop_signal());
}

void job_share(void *bytes, size_t count)
{
    share(bytes, count, 0);
}

int job_threads(int asked)
{
    if (ranks == 1)
        return asked;
    const int share_of = sharing(), threads = threads_allowed() / share_of;
    if (asked || getenv("OMP_NUM_THREADS"))
        return asked;
    return threads > 1 ? threads : 1;
}

void job_watch(const char *sentence)
{
    watch_say(sentence);
}
