/* A batch that ranks divide: every rank has the bits of one process that is alone, in every kind of network.
 * Ranks are processes here too, but their hook is an array that they share, so that this runs without MPI
 * (tests/mpi.sh runs with it). A rank's number of threads is its own. */
#define _DEFAULT_SOURCE /* MAP_ANONYMOUS */
#include "../experiments/network/bilevel.h"
#include "../fast/ranks.h"
#include "lanes.h"
#include "suites.h"
#include <omp.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { MOST = 4, NUMBERS = 1 << 19, ROOM = 1 << 22, CLASSES = 4, IMAGES = 64 };

/* A network of layers that keep these levels. */
#define NET(layers_, channels_, side, ...)                                                                 \
    {                                                                                                      \
        .layers = layers_, .channels = channels_, .classes = CLASSES, .image_channels = 3, .height = side, \
        .width = side, .eps = 1e-5, .momentum = 0.1, __VA_ARGS__                                           \
    }

static const NetworkSpec table[] = {
    /* Winograd's algorithm with partials of half a group, of one, and of several. */
    NET(2, 24, 32, .levels = 4, .kept = {15, 15}, .bias = true, .linear_head = true),
    NET(3, 3, 8, .levels = 3, .kept = {7, 5, 6}, .bias = true, .affine = true, .linear_head = true,
        .down = POOL_AVERAGE, .up = UPSAMPLE_BILINEAR),
    NET(4, 5, 8, .levels = 3, .kept = {2, 4, 7, 3}, .bias = true, .depth = 7),
    NET(3, 4, 8, .levels = 2, .kept = {3, 3, 2}, .bias = true, .affine = true, .block = BLOCK_MBCONV,
        .linear_head = true),
    NET(3, 25, 16, .linear_head = true, .net = NET_FABRIC_DENSE),
    NET(3, 6, 8, .linear_head = true, .affine = true, .net = NET_FABRIC_SPARSE),
};
enum { ROWS = sizeof table / sizeof *table };

/* What the processes of a test share; the last one is alone. */
typedef struct {
    atomic_int arrived, round;
    size_t count[MOST + 1];
    double number[MOST + 1][NUMBERS];
    unsigned char room[MOST][ROOM];
} Shared;

static Shared *shared;
static int ranks, own;
static _Alignas(64) unsigned char gathered[RANKS_PLACES][MOST * ROOM];

static void meet(void)
{
    const int round = atomic_load(&shared->round);
    if (atomic_fetch_add(&shared->arrived, 1) + 1 == ranks) {
        atomic_store(&shared->arrived, 0);
        atomic_store(&shared->round, round + 1);
    }
    while (atomic_load(&shared->round) == round)
        nanosleep(&(struct timespec){0, 20000}, NULL);
}

static const void *gather(const void *part, size_t bytes, int place)
{
    if (bytes > ROOM)
        _exit(1);
    memcpy(shared->room[own], part, bytes);
    meet();
    for (int rank = 0; rank < ranks; rank++)
        memcpy(gathered[place] + rank * bytes, shared->room[rank], bytes);
    meet();
    return gathered[place];
}

static void note(const double *numbers, size_t count, int process)
{
    if (shared->count[process] + count > NUMBERS)
        _exit(1);
    memcpy(shared->number[process] + shared->count[process], numbers, count * sizeof *numbers);
    shared->count[process] += count;
}

static void note_vector(const Network *net, const Vector *v, size_t count, int process)
{
    double *numbers = doubles(count);
    net->engine->vector_read(numbers, v, 0, count);
    note(numbers, count, process);
}

static void note_step(Step step, int process)
{
    const double numbers[] = {step.loss, step.correct, step.gradient, step.decay};
    note(numbers, 4, process);
}

/* Loss and classes of n images: the last ones of a test set, no whole groups, fewer than there are ranks. */
static void note_test(Network *net, const float *images, const int *labels, int n, int process)
{
    int classes[IMAGES];
    const double loss = network_forward(net, images, labels, n, PASS_INFERENCE);
    note(&loss, 1, process);
    network_predictions(net, classes, n);
    for (int i = 0; i < n; i++)
        note(&(double){classes[i]}, 1, process);
}

/* A step of both kinds and tests, all that comes of them noted. */
static void work(const Engine *engine, const NetworkSpec *spec, int process)
{
    Error error;
    Network *net = network_create(engine, spec, IMAGES, &error);
    if (!net)
        _exit(1);
    network_initialise(net, 5);
    const size_t image = (size_t)spec->image_channels * spec->height * spec->width;
    const float *images = random_floats(2 * IMAGES * image, 1);
    const int *labels = random_labels(2 * IMAGES, CLASSES, 2);
    const Batch a = {images, labels, IMAGES}, b = {images + IMAGES * image, labels + IMAGES, IMAGES};
    note_step(filters_step(net, a, (Sgd){0.1, 0.9, 1e-4}), process);
    note_vector(net, net->dfilters, net->filters_count, process);
    if (spec->levels > 0) {
        note_step(logits_step(net, b, (Adam){1e-2, 0.5, 0.999, 1e-8, 3e-4}, 1), process);
        note_vector(net, net->dlogits, net->logits_count, process);
    }
    note_vector(net, net->statistics, net->statistics_count, process);
    note_test(net, images, labels, IMAGES, process);
    note_test(net, images, labels, 40, process);
    note_test(net, images, labels, 8, process);
    network_free(net);
}

/* A process of its own; 0 is the test's. */
static pid_t start(const Engine *engine, const NetworkSpec *spec, int process)
{
    const pid_t child = fork();
    if (child != 0)
        return child;
    alarm(300);
    own = process;
    omp_set_num_threads(1 + process % 2);
    if (process < ranks)
        ranks_join(ranks, process, gather);
    work(engine, spec, process);
    _exit(0);
}

static void finish(pid_t child)
{
    int status;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0, "a rank ended with status %d", status);
}

START_TEST(test_ranks_have_the_bits_of_one_process)
{
    const Kernels *kernels = loop_set(_i, ROWS);
    const NetworkSpec *spec = &table[_i % ROWS];
    if (!kernels)
        return;
    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    ck_assert_ptr_ne(shared, MAP_FAILED);
    finish(start(kernels->engine, spec, MOST));
    ck_assert_uint_gt(shared->count[MOST], 100);
    for (ranks = 2; ranks <= MOST; ranks *= 2) {
        pid_t child[MOST];
        memset(shared->count, 0, MOST * sizeof *shared->count);
        for (int rank = 0; rank < ranks; rank++)
            child[rank] = start(kernels->engine, spec, rank);
        for (int rank = 0; rank < ranks; rank++)
            finish(child[rank]);
        for (int rank = 0; rank < ranks; rank++) {
            ck_assert_uint_eq(shared->count[rank], shared->count[MOST]);
            for (size_t i = 0; i < shared->count[rank]; i++)
                ck_assert_msg(memcmp(&shared->number[rank][i], &shared->number[MOST][i], sizeof(double)) == 0,
                              "rank %d of %d has %.17g as number %zu, one process alone %.17g", rank, ranks,
                              shared->number[rank][i], i, shared->number[MOST][i]);
        }
    }
    munmap(shared, sizeof *shared);
}
END_TEST

/* Rank, ranks, images: from which image on, how many, and the most that a rank has. */
START_TEST(test_ranks_take_whole_groups)
{
    static const int parts[][6] = {{0, 1, 21, 0, 21, 21},  {0, 2, 64, 0, 32, 32}, {1, 2, 64, 32, 32, 32},
                                   {3, 4, 64, 48, 16, 16}, {0, 2, 40, 0, 32, 32}, {1, 2, 40, 32, 8, 32},
                                   {1, 4, 40, 16, 16, 16}, {2, 4, 40, 32, 8, 16}, {3, 4, 40, 0, 16, 16},
                                   {0, 4, 8, 0, 8, 16},    {1, 4, 8, 0, 8, 16}};
    const int *p = parts[_i];
    ranks_join(p[1], p[0], NULL);
    ck_assert_int_eq(ranks_count(), p[1]);
    ck_assert_int_eq(ranks_part(p[2]).first, p[3]);
    ck_assert_int_eq(ranks_part(p[2]).count, p[4]);
    ck_assert_int_eq(ranks_share(p[2]), p[5]);
    ck_assert_int_eq(ranks_batch(16), 16 * p[1]);
    ranks_join(1, 0, NULL);
    ck_assert_ptr_eq(ranks_gathered(p, sizeof *p, RANKS_FIRST), p);
}
END_TEST

Suite *ranks_suite(void)
{
    Suite *suite = suite_create("ranks");
    TCase *tcase = tcase_create("bits");
    tcase_add_checked_fixture(tcase, NULL, arrays_free);
    tcase_set_timeout(tcase, 60);
    tcase_add_loop_test(tcase, test_ranks_have_the_bits_of_one_process, 0, VERSIONS * ROWS);
    tcase_add_loop_test(tcase, test_ranks_take_whole_groups, 0, 11);
    suite_add_tcase(suite, tcase);
    return suite;
}
