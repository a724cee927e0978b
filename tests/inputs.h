/* Arrays for tests. Each stands between two guard zones of rogue values (1e10 and NaN in turn), so that a
 * read outside spoils a result and a write outside is found; a new array is filled with NaN, so that an
 * element which is never written is found too.
 *
 * Every array made here is known: arrays_free, as the teardown of a test case, checks guards and frozen
 * arrays and frees them all:
 *
 *     tcase_add_checked_fixture(tcase, NULL, arrays_free);
 */
#ifndef NOPOOL_TESTS_INPUTS_H
#define NOPOOL_TESTS_INPUTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Aligned to 64 bytes. */
double *doubles(size_t count);
float *floats(size_t count);
int *integers(size_t count);

/* Signed numbers in (-1, 1), never 0, that floats hold exactly: the same seed gives the same numbers in
 * both types. A longer array starts with the numbers of a shorter one. After numbers_have_bits(8) they are
 * rounded to so many significant bits, which bfloat16 holds; at first they have the 24 of floats. */
void numbers_have_bits(int bits);
/* Any number, rounded like them. */
double representable(double x);
void fill_doubles(double *x, size_t count, uint32_t seed);
void fill_floats(float *x, size_t count, uint32_t seed);
double *random_doubles(size_t count, uint32_t seed);
float *random_floats(size_t count, uint32_t seed);

/* Labels in 0..classes-1. */
int *random_labels(size_t count, int classes, uint32_t seed);

/* The outputs of a backward pass, which adds: known non-zero values, and the way to take them off again. */
double *prefilled(size_t count);
void subtract_prefill(double *x, size_t count);

/* From now on this array, which was made here, must keep its bits. Returns x. */
const double *frozen(const double *x);
const float *frozen_float(const float *x);

/* NULL if every guard zone and every frozen array is as it was, otherwise what is not. */
const char *arrays_fault(void);

/* Frees every array, then fails the test if there was a fault. */
void arrays_free(void);

#endif
