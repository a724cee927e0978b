/* Guarded arrays and deterministic inputs for tests. */
#include "inputs.h"
#include "../ref/random.h"
#include <assert.h>
#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { GUARD_BYTES = 256, ALIGNMENT = 64 };

typedef struct Array {
    struct Array *next;
    unsigned char *block, *first, *end; /* the allocation, the array in it, the end of the array */
    unsigned char guard[GUARD_BYTES];   /* what stands before the array and after it */
    bool frozen;
    uint64_t hash; /* of a frozen array */
} Array;

static Array *arrays;

/* FNV-1a: enough to notice that bits changed. */
static uint64_t hash_of(const unsigned char *from, const unsigned char *to)
{
    uint64_t hash = 0xcbf29ce484222325u;
    for (; from < to; from++)
        hash = (hash ^ *from) * 0x100000001b3u;
    return hash;
}

/* An array of count elements of this size; the guard zones repeat the two rogue values. */
static void *array_create(size_t count, size_t size, const void *rogue, const void *other)
{
    Array *array = calloc(1, sizeof *array);
    const size_t length = count * size;
    const size_t total = (length + 2 * GUARD_BYTES + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    void *block = NULL;
    ck_assert_msg(array && count < SIZE_MAX / 2 / size && posix_memalign(&block, ALIGNMENT, total) == 0,
                  "no memory for %zu elements", count);
    array->block = block;
    array->first = array->block + GUARD_BYTES;
    array->end = array->first + length;
    for (size_t i = 0; i < GUARD_BYTES / size; i++)
        memcpy(array->guard + i * size, i % 2 ? rogue : other, size);
    memcpy(array->block, array->guard, GUARD_BYTES);
    memcpy(array->end, array->guard, GUARD_BYTES);
    array->next = arrays;
    arrays = array;
    return array->first;
}

double *doubles(size_t count)
{
    double *x = array_create(count, sizeof *x, &(double){1e10}, &(double){NAN});
    for (size_t i = 0; i < count; i++)
        x[i] = NAN;
    return x;
}

float *floats(size_t count)
{
    float *x = array_create(count, sizeof *x, &(float){1e10f}, &(float){NAN});
    for (size_t i = 0; i < count; i++)
        x[i] = NAN;
    return x;
}

int *integers(size_t count)
{
    int *x = array_create(count, sizeof *x, &(int){1000000007}, &(int){-1000000007});
    for (size_t i = 0; i < count; i++)
        x[i] = 1000000007;
    return x;
}

static int significant_bits = 24;

void numbers_have_bits(int bits)
{
    significant_bits = bits;
}

double representable(double x)
{
    int exponent;
    const double fraction = frexp(x, &exponent);
    return ldexp(rint(ldexp(fraction, significant_bits)), exponent - significant_bits);
}

/* The i-th number of a seed: an odd multiple of 2^-23, so a float holds it and it is never 0, rounded. */
static double number(size_t i, uint32_t seed)
{
    uint32_t words[4];
    random_words(words, seed, STREAM_FILTERS, (uint32_t)i, (uint32_t)((uint64_t)i >> 32));
    return representable(((int32_t)(2 * (words[0] >> 9) + 1) - 0x800000) * 0x1p-23);
}

void fill_doubles(double *x, size_t count, uint32_t seed)
{
    for (size_t i = 0; i < count; i++)
        x[i] = number(i, seed);
}

void fill_floats(float *x, size_t count, uint32_t seed)
{
    for (size_t i = 0; i < count; i++)
        x[i] = (float)number(i, seed);
}

double *random_doubles(size_t count, uint32_t seed)
{
    double *x = doubles(count);
    fill_doubles(x, count, seed);
    return x;
}

float *random_floats(size_t count, uint32_t seed)
{
    float *x = floats(count);
    fill_floats(x, count, seed);
    return x;
}

int *random_labels(size_t count, int classes, uint32_t seed)
{
    int *labels = integers(count);
    for (size_t i = 0; i < count; i++)
        labels[i] = (int)((number(i, seed) + 1) / 2 * classes);
    return labels;
}

static double prefill(size_t i)
{
    return i % 2 ? -1.25 : 0.75;
}

double *prefilled(size_t count)
{
    double *x = doubles(count);
    for (size_t i = 0; i < count; i++)
        x[i] = prefill(i);
    return x;
}

void subtract_prefill(double *x, size_t count)
{
    for (size_t i = 0; i < count; i++)
        x[i] -= prefill(i);
}

static const void *freeze(const void *x)
{
    Array *array = arrays;
    while (array && array->first != x)
        array = array->next;
    ck_assert_msg(array != NULL, "only an array made here can be frozen");
    array->frozen = true;
    array->hash = hash_of(array->first, array->end);
    return x;
}

const double *frozen(const double *x)
{
    return freeze(x);
}

const float *frozen_float(const float *x)
{
    return freeze(x);
}

const char *arrays_fault(void)
{
    for (const Array *array = arrays; array; array = array->next) {
        if (memcmp(array->block, array->guard, GUARD_BYTES) != 0)
            return "something was written before an array";
        if (memcmp(array->end, array->guard, GUARD_BYTES) != 0)
            return "something was written after an array";
        if (array->frozen && array->hash != hash_of(array->first, array->end))
            return "an input was changed";
    }
    return NULL;
}

void arrays_free(void)
{
    const char *fault = arrays_fault();
    while (arrays) {
        Array *next = arrays->next;
        free(arrays->block);
        free(arrays);
        arrays = next;
    }
    /* Only now: without a fork, a failure in a teardown runs the teardown again. */
    ck_assert_msg(fault == NULL, "%s", fault ? fault : "");
}
