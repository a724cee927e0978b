/* The softmax mix (equations 4, 5 and, over layers, 6): alpha = softmax(a) over the kept entries, then a
 * weighted sum of equally shaped arrays. Entries that are not kept have alpha = 0 and receive no gradient. */
#ifndef NOPOOL_REF_MIX_H
#define NOPOOL_REF_MIX_H

#include "vocabulary.h"

/* alpha (R) = softmax of the logits a (R) over the entries of the mask kept, which is not empty. */
void ref_softmax_forward(double *alpha, const double *a, uint64_t kept, int levels);

/* Adds to da (R) the gradient dalpha (R) of alpha. */
void ref_softmax_backward(double *da, const double *dalpha, const double *alpha, uint64_t kept, int levels);

/* y = sum over kept r of alpha[r] x[r]; every array has count elements; x[r] is not read where not kept. */
void ref_mix_forward(double *y, const double *const x[], const double *alpha, uint64_t kept, int levels,
                     size_t count);

/* Adds to dx[r] and dalpha[r] of every kept r. dx, or single dx[r], may be NULL. */
void ref_mix_backward(double *const dx[], double *dalpha, const double *dy, const double *const x[],
                      const double *alpha, uint64_t kept, int levels, size_t count);

#endif
