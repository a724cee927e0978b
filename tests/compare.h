/* Comparing arrays: what was measured (a Difference) and what is judged (a limit) are apart.
 *
 * NaN or infinity on either side is an infinite difference, and so is a comparison of nothing. An operation
 * whose right result is infinite needs a comparer of its own. */
#ifndef NOPOOL_TESTS_COMPARE_H
#define NOPOOL_TESTS_COMPARE_H

#include <check.h>
#include <stdbool.h>
#include <stddef.h>

typedef struct {
    double ratio;           /* the largest error, in the unit of the comparison */
    size_t at;              /* where it is */
    double got, ref, gauge; /* the values there, and the unit */
    size_t count;           /* how many elements were compared */
} Difference;

/* ratio = |got - ref| / (2^-24 gauge): gauge is the sum over absolute values of which ref is the sum. An
 * error where the gauge is 0 is infinite. */
Difference compare_gauged(const float *got, const double *ref, const double *gauge, size_t count);

/* The same for results in double: |got - ref| / (2^-53 gauge). */
Difference compare_gauged_double(const double *got, const double *ref, const double *gauge, size_t count);

/* |got - ref| / scale. A scale that is not positive and finite fails. */
Difference compare_double(const double *got, const double *ref, double scale, size_t count);

/* For copies, maxima and masks: any difference is infinite. 0 and -0 are equal. */
Difference compare_exact_float(const float *got, const double *ref, size_t count);
Difference compare_exact_double(const double *got, const double *ref, size_t count);

/* Whether something was compared and no ratio is over the limit, which is finite and not negative. */
bool within(Difference d, double limit);

/* A sentence for a message; valid until the next call. */
const char *describe(Difference d);

/* What is being tested, for the record: "f32 avx512". */
void compare_subject(const char *name, const char *instruction_set);

/* The record of every bound and of the worst error met: where the environment variable NOPOOL_ERRORS names a
 * file, adds a line `test <tab> array <tab> subject <tab> elements <tab> worst error <tab> bound`, both in
 * units of 2^-24 of the gauge (in that of the comparison where there is none). The book quotes it. */
void compare_record(const char *test, const char *what, Difference d, double limit);

/* One assertion a tensor. */
#define CK_WITHIN(difference, limit, what)                                                            \
    do {                                                                                              \
        const Difference difference_ = (difference);                                                  \
        const double limit_ = (limit);                                                                \
        compare_record(__func__, (what), difference_, limit_);                                        \
        ck_assert_msg(within(difference_, limit_), "%s: %s; limit %g", (what), describe(difference_), \
                      limit_);                                                                        \
    } while (0)

#endif
