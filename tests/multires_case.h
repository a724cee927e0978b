/* A multi-resolution layer with all its arrays, for tests. Whatever belongs to a level that is not kept is
 * NULL, and its logit is one that would take all of alpha: none of it may be read or written. */
#ifndef NOPOOL_TESTS_MULTIRES_CASE_H
#define NOPOOL_TESTS_MULTIRES_CASE_H

#include "../ref/multires.h"
#include "gradient.h"

typedef enum { AFFINE_NONE, AFFINE_EACH, AFFINE_SHARED } Affine;

typedef struct {
    MultiresShape s;
    double *x, *y, *cotangent; /* cotangent: of y */
    double *w, *b;             /* b, if there is one, follows w in one array */
    double *a, *gamma[MAX_LEVELS], *beta[MAX_LEVELS];
    MultiresCache cache;
    MultiresScratch scratch;
} MultiresCase;

/* Inputs and parameters from the seed; every array is frozen but outputs and caches. */
MultiresCase multires_case(MultiresShape s, bool bias, Affine affine, uint32_t seed);

/* How many numbers stand in w and b. */
size_t multires_filters(const MultiresCase *m);

MultiresParameters multires_parameters(const MultiresCase *m);

/* Runs the layer in training; `context` is a MultiresCase. The pattern holds the ReLU masks of every kept
 * level and the maxima of the pooling. */
Outcome multires_loss(void *context);

/* The shape of the activation at level r. */
Shape multires_map(MultiresShape s, int r);

#endif
