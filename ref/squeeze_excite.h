/* Squeeze-and-excitation: every channel of an image is scaled by a gate that all its channels' averages
 * decide. A part of MBConv (Table 4). */
#ifndef NOPOOL_REF_SQUEEZE_EXCITE_H
#define NOPOOL_REF_SQUEEZE_EXCITE_H

#include "vocabulary.h"

/* x is (N,C,H,W); Q channels in between. */
typedef struct {
    Shape x;
    int squeezed; /* Q */
} SqueezeExciteShape;

/* w1 (Q,C), b1 (Q) down, w2 (C,Q), b2 (C) up. */
typedef struct {
    const double *w1, *b1, *w2, *b2;
} SqueezeExciteParameters;

/* Their gradients; dw1 may be NULL (none is wanted), and then the others are not touched either. */
typedef struct {
    double *dw1, *db1, *dw2, *db2;
} SqueezeExciteGradients;

/* What the forward pass leaves for the backward pass; the caller owns the arrays. */
typedef struct {
    double *average;  /* of x over the map (N,C) */
    double *squeezed; /* w1 average + b1   (N,Q) */
    double *hidden;   /* swish of it       (N,Q) */
    double *gate;     /* sigmoid of w2 hidden + b2 (N,C) */
} SqueezeExciteCache;

/* Where the backward pass works: gradients of the arrays of the same names, and of the gate's logit. Cleared
 * by the pass. */
typedef struct {
    double *daverage, *dsqueezed, *dhidden, *dlogit, *dgate;
} SqueezeExciteScratch;

/* y (N,C,H,W), which is not x. */
void ref_squeeze_excite_forward(double *y, SqueezeExciteCache *cache, const double *x,
                                SqueezeExciteParameters p, SqueezeExciteShape s);

/* Adds to dx (N,C,H,W) and to the gradients of the parameters, after a forward pass that left cache. */
void ref_squeeze_excite_backward(double *dx, SqueezeExciteGradients d, SqueezeExciteScratch *scratch,
                                 const double *dy, const double *x, const SqueezeExciteCache *cache,
                                 SqueezeExciteParameters p, SqueezeExciteShape s);

#endif
