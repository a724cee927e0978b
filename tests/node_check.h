/* A node of a fabric in a fast set against ref, stage by stage: ref is fed with what the set itself left at
 * the stage before. Bounds: those of the operations, and of the passes in fast/engine/node.c. */
#ifndef NOPOOL_TESTS_NODE_CHECK_H
#define NOPOOL_TESTS_NODE_CHECK_H

#include "../ref/engine.h"
#include "compare.h"

typedef struct {
    const Engine *engine;
    NodeSpec spec;
    int n;
    const Node *node;
    const double *filters;          /* its slice */
    const double *input[MAX_EDGES]; /* x[e], exported */
    const double *output;           /* y, exported */
} NodeCase;

/* After a forward pass in training: z, its statistics and y. */
void node_check_forward(const NodeCase *c);

/* After a backward pass from dy: dz, and from it the gradients of filters (as they were before, and after)
 * and of the inputs (the same). dx of an edge from the images is NULL. */
void node_check_backward(const NodeCase *c, const double *dy, const double *before, const double *after,
                         const double *const dx_before[], const double *const dx_after[]);

#endif
