/* One multi-resolution layer on an engine, with random parameters, its stages exported: what the tests of a
 * set's layer start from. */
#ifndef NOPOOL_TESTS_LAYER_CASE_H
#define NOPOOL_TESTS_LAYER_CASE_H

#include "../ref/engine.h"

typedef struct {
    const Engine *engine;
    LayerSpec spec;
    int n;
    int stored; /* the set may store dx as sums over squares of 2^stored pixels; 0: plainly */
    Slices at;
    Layer *layer;
    Tensor *x, *y, *dx, *dy;
    size_t filters_count, logits_count, statistics_count;
    double *filters, *dfilters, *logits, *dlogits; /* as given: random; the gradients start non-zero */
    double *input, *output, *cotangent;            /* x, y (exported), dy */
} LayerCase;

/* Rows of the table of layers that tests loop over. */
typedef struct {
    LayerSpec spec;
    int n;
} LayerRow;

extern const LayerRow layer_table[];
extern const int layer_rows;

/* Makes the layer and everything around it; nothing has run yet. */
void layer_case_make(LayerCase *c, const Engine *engine, LayerRow row);
void layer_case_free(LayerCase *c);

void layer_case_forward(LayerCase *c, Pass pass);
void layer_case_backward(LayerCase *c, unsigned wanted);

/* A stage at level r as an array of inputs.h; fails the test if the set does not form it. */
double *layer_case_stage(const LayerCase *c, Stage stage, int r);

/* A vector of the engine as an array of inputs.h. */
double *layer_case_vector(const LayerCase *c, const Vector *v, size_t count);

/* Shapes of the input and the output at level r. */
Shape layer_case_in(const LayerCase *c, int r);
Shape layer_case_out(const LayerCase *c, int r);
Conv2dShape layer_case_block(const LayerCase *c, int r);

/* gamma and beta (K) of the last norm at level r; NULL without an affine map. */
const double *layer_case_gamma(const LayerCase *c, int r);
const double *layer_case_beta(const LayerCase *c, int r);

#endif
