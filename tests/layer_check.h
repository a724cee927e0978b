/* A set's multi-resolution layer against ref, stage by stage: ref is fed with what the set itself left
 * at the stage before, so no bound is carried through ReLU's or the maximum's kink. Bounds: those of the
 * operations, and of the fused passes in fast/engine/multires.c. */
#ifndef NOPOOL_TESTS_LAYER_CHECK_H
#define NOPOOL_TESTS_LAYER_CHECK_H

#include "compare.h"
#include "layer_case.h"

/* A result that was rounded to float: |got - ref| / (2^-24 gauge); of ref's engine, |got - ref| / (16 2^-53
 * gauge). */
Difference compare_rounded(const double *got, const double *ref, const double *gauge, size_t count);

/* After a forward pass in training: pooled maps, activations, statistics, alpha and y. */
void layer_check_forward(const LayerCase *c);

/* y alone, from the exported activations and these statistics. */
void layer_check_mixed(const LayerCase *c, const double *const mean[], const double *const variance[]);

/* After a backward pass that wanted filters and logits: dconv, and from it the gradients. c holds the
 * gradients of the parameters as they were before; these are dx (NULL: not formed), dfilters and dlogits
 * after. */
void layer_check_backward(const LayerCase *c, const double *dx, const double *dfilters,
                          const double *dlogits);

#endif
