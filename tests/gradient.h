/* Gradients against central differences in double.
 *
 * The loss is <random cotangent, output>, so that no error hides in a sum. Elements whose step changes the
 * pattern (which ReLU is active, which pixel is the maximum) are skipped: the function has a kink there. */
#ifndef NOPOOL_TESTS_GRADIENT_H
#define NOPOOL_TESTS_GRADIENT_H

#include "compare.h"
#include <stdint.h>

typedef struct {
    double loss;
    uint64_t pattern; /* differs where the smooth piece of the function differs; 0 if there is one piece */
} Outcome;

typedef struct {
    Outcome (*forward)(void *context);
    void *context;
    double *x;              /* what the loss is differentiated by: changed and restored */
    const double *gradient; /* the claim */
    size_t count;
} GradientCheck;

typedef struct {
    Difference difference; /* |claim - difference quotient| in units of the tensor's largest quotient */
    size_t examined, skipped;
} GradientResult;

/* What a right gradient reaches, and the least share of the elements that must not be skipped. */
#define GRADIENT_LIMIT 1e-6
#define GRADIENT_SHARE 0.95

/* Examines every element, or 2000 evenly strided ones of a larger tensor. */
GradientResult gradient_measure(GradientCheck check);
bool gradient_right(GradientResult result);

#define CK_GRADIENT(check, what)                                                        \
    do {                                                                                \
        const GradientResult result_ = gradient_measure(check);                         \
        ck_assert_msg(gradient_right(result_), "%s: %s; %zu of %zu skipped", (what),    \
                      describe(result_.difference), result_.skipped, result_.examined); \
    } while (0)

double dot(const double *a, const double *b, size_t count);

/* sum |a b|: the gauge of dot. */
double dot_gauge(const double *a, const double *b, size_t count);

/* Takes the signs of x, or the place of the maximum of every factor x factor square of its maps x height x
 * width pixels, into a pattern. */
uint64_t pattern_signs(uint64_t pattern, const double *x, size_t count);
uint64_t pattern_maxima(uint64_t pattern, const double *x, int maps, int height, int width, int factor);

#endif
