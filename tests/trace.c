/* The hooks of the traced kernel sets. */
#include "trace.h"
#include <check.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_ARRAYS = 1024, MOST_CALLS = 64, LINE = 64, LEAST_BYTES = 256 };

/* The passes in which a line was last read and written, by number from 1. */
typedef struct {
    uintptr_t from, end;
    uint32_t *read, *written;
} Array;

static Array arrays[MOST_ARRAYS]; /* in the order of memory */
static int array_count;
static bool watching;
static Moved moved;

static uint32_t pass = 1, passes = 1, outer[MOST_CALLS];
static int calls, regions; /* that are under way; regions among them */
static bool is_pass[MOST_CALLS];

void trace_watches(bool on)
{
    watching = on;
}

void trace_watch(const void *array, size_t bytes)
{
    const size_t lines = (bytes + LINE - 1) / LINE;
    ck_assert_int_lt(array_count, MOST_ARRAYS);
    ck_assert_uint_eq((uintptr_t)array % LINE, 0);
    int at = array_count++;
    for (; at > 0 && arrays[at - 1].from > (uintptr_t)array; at--)
        arrays[at] = arrays[at - 1];
    arrays[at] = (Array){(uintptr_t)array, (uintptr_t)array + bytes, calloc(lines, sizeof(uint32_t)),
                         calloc(lines, sizeof(uint32_t))};
    ck_assert(arrays[at].read && arrays[at].written);
}

void trace_forget(const void *array)
{
    for (int i = 0; i < array_count; i++)
        if (arrays[i].from == (uintptr_t)array) {
            free(arrays[i].read);
            free(arrays[i].written);
            array_count--;
            memmove(arrays + i, arrays + i + 1, (size_t)(array_count - i) * sizeof *arrays);
            return;
        }
}

Moved trace_moved(void)
{
    const Moved since = moved;
    moved = (Moved){0, 0};
    return since;
}

static Array *array_of(uintptr_t at)
{
    int from = 0, end = array_count;
    while (from < end) {
        const int middle = (from + end) / 2;
        if (at < arrays[middle].from)
            end = middle;
        else if (at >= arrays[middle].end)
            from = middle + 1;
        else
            return &arrays[middle];
    }
    return NULL;
}

static void touch(const void *address, size_t bytes, bool store)
{
    const uintptr_t at = (uintptr_t)address;
    const Array *array = array_of(at);
    if (!array || bytes == 0)
        return;
    for (size_t line = (at - array->from) / LINE; line <= (at + bytes - 1 - array->from) / LINE; line++) {
        const bool written = array->written[line] == pass, read = array->read[line] == pass;
        if (store && !written) {
            array->written[line] = pass;
            moved.written += LINE;
        } else if (!store && !written && !read) {
            array->read[line] = pass;
            moved.read += LINE;
        }
    }
}

/* A pass within another, after which that one goes on. */
static void begin_call(bool is)
{
    ck_assert_int_lt(calls, MOST_CALLS);
    outer[calls] = pass;
    is_pass[calls++] = is;
    regions += is;
    if (is)
        pass = ++passes;
}

static void end_call(void)
{
    ck_assert_int_gt(calls, 0);
    pass = outer[--calls];
    regions -= is_pass[calls];
}

/* Where the program's own code is: who calls from elsewhere is the library that runs parallel regions. */
extern const char __executable_start[], etext[];

#define HOOK __attribute__((visibility("default"))) void

HOOK __tsan_func_entry(void *caller);
HOOK __tsan_func_entry(void *caller)
{
    const uintptr_t from = (uintptr_t)caller;
    begin_call(from < (uintptr_t)__executable_start || from >= (uintptr_t)etext);
}

HOOK __tsan_func_exit(void);
HOOK __tsan_func_exit(void)
{
    end_call();
}

#define ACCESS_HOOKS(bytes)                       \
    HOOK __tsan_read##bytes(void *at);            \
    HOOK __tsan_read##bytes(void *at)             \
    {                                             \
        touch(at, bytes, false);                  \
    }                                             \
    HOOK __tsan_write##bytes(void *at);           \
    HOOK __tsan_write##bytes(void *at)            \
    {                                             \
        touch(at, bytes, true);                   \
    }                                             \
    HOOK __tsan_unaligned_read##bytes(void *at);  \
    HOOK __tsan_unaligned_read##bytes(void *at)   \
    {                                             \
        touch(at, bytes, false);                  \
    }                                             \
    HOOK __tsan_unaligned_write##bytes(void *at); \
    HOOK __tsan_unaligned_write##bytes(void *at)  \
    {                                             \
        touch(at, bytes, true);                   \
    }
ACCESS_HOOKS(1)
ACCESS_HOOKS(2)
ACCESS_HOOKS(4)
ACCESS_HOOKS(8)
ACCESS_HOOKS(16)

HOOK __tsan_read_range(void *at, size_t bytes);
HOOK __tsan_read_range(void *at, size_t bytes)
{
    touch(at, bytes, false);
}

HOOK __tsan_write_range(void *at, size_t bytes);
HOOK __tsan_write_range(void *at, size_t bytes)
{
    touch(at, bytes, true);
}

HOOK __tsan_init(void);
HOOK __tsan_init(void)
{
}

/* What the traced sets call in the place of the library's functions. */
void *trace_alloc(size_t alignment, size_t bytes);
void *trace_alloc(size_t alignment, size_t bytes)
{
    void *array = aligned_alloc(alignment, bytes);
    if (array && watching && bytes >= LEAST_BYTES)
        trace_watch(array, bytes);
    return array;
}

void trace_free(void *array);
void trace_free(void *array)
{
    trace_forget(array);
    free(array);
}

/* Outside a parallel region a pass of its own. */
void *trace_memset(void *to, int byte, size_t bytes);
void *trace_memset(void *to, int byte, size_t bytes)
{
    const bool alone = regions == 0;
    if (alone)
        begin_call(true);
    touch(to, bytes, true);
    if (alone)
        end_call();
    return memset(to, byte, bytes);
}

void *trace_memcpy(void *restrict to, const void *restrict from, size_t bytes);
void *trace_memcpy(void *restrict to, const void *restrict from, size_t bytes)
{
    touch(from, bytes, false);
    touch(to, bytes, true);
    return memcpy(to, from, bytes);
}
