/* The inverted bottleneck with squeeze-and-excitation, MBConv: the block B of Table 4's row Eff-Conv.
 *
 * A multi-resolution layer takes it as its block B, with the same filters at every resolution; batch
 * statistics, gates and the skip are each resolution's own. */
#ifndef NOPOOL_REF_MBCONV_H
#define NOPOOL_REF_MBCONV_H

#include "squeeze_excite.h"

typedef struct {
    int n, c, k, h, w; /* from x (N,C,H,W) to y (N,K,H,W) */
    int expanded;      /* E, 6 C in the paper's network */
    int squeezed;      /* Q, max(1, C/4) there */
    double eps;        /* of batch norm */
} MbconvShape;

/* Batch norms of a block: after the expansion, after the depthwise convolution, after the projection. */
enum { MBCONV_NORMS = 3 };

/* expand (E,C,1,1), depthwise (E,1,3,3), project (K,E,1,1), none with a bias, and squeeze-and-excitation's
 * own, w1 (Q,E), w2 (E,Q). gamma and beta of each norm (E, E, K), or NULL. */
typedef struct {
    const double *expand, *depthwise, *project;
    SqueezeExciteParameters excite;
    const double *gamma[MBCONV_NORMS], *beta[MBCONV_NORMS];
} MbconvParameters;

/* Their gradients. dexpand may be NULL (none is wanted), and then the others are not touched either. */
typedef struct {
    double *dexpand, *ddepthwise, *dproject;
    SqueezeExciteGradients excite;
    double *dgamma[MBCONV_NORMS], *dbeta[MBCONV_NORMS];
} MbconvGradients;

/* What the forward pass leaves for the backward pass; the caller owns the arrays. */
typedef struct {
    double *expanded;                                    /* expand * x                    (N,E,H,W) */
    double *expanded_norm, *activated;                   /* its batch norm, swish of that */
    double *filtered;                                    /* depthwise * activated         (N,E,H,W) */
    double *filtered_norm, *excitable;                   /* its batch norm, swish of that */
    double *excited;                                     /* times the gates               (N,E,H,W) */
    double *projected;                                   /* project * excited             (N,K,H,W) */
    double *mean[MBCONV_NORMS], *variance[MBCONV_NORMS]; /* written in training, read at inference */
    SqueezeExciteCache excite;
} MbconvCache;

/* Where the backward pass works: gradients of the arrays of the same names. Cleared by the pass. */
typedef struct {
    double *dexpanded, *dexpanded_norm, *dactivated, *dfiltered, *dfiltered_norm, *dexcitable, *dexcited,
        *dprojected;
    SqueezeExciteScratch excite;
} MbconvScratch;

/* y (N,K,H,W) from x (N,C,H,W). With training, statistics are those of this batch and go to the cache;
 * without, the cache's are inputs. */
void ref_mbconv_forward(double *y, MbconvCache *cache, const double *x, MbconvParameters p, bool training,
                        MbconvShape s);

/* Adds to dx (N,C,H,W; may be NULL) and to the gradients of the parameters, after a forward pass in training
 * that left cache. */
void ref_mbconv_backward(double *dx, MbconvGradients d, MbconvScratch *scratch, const double *dy,
                         const double *x, const MbconvCache *cache, MbconvParameters p, MbconvShape s);

/* Shapes of x, of the expanded maps and of y. */
static inline Shape mbconv_input(MbconvShape s)
{
    return (Shape){s.n, s.c, s.h, s.w};
}

static inline Shape mbconv_expanded(MbconvShape s)
{
    return (Shape){s.n, s.expanded, s.h, s.w};
}

static inline Shape mbconv_output(MbconvShape s)
{
    return (Shape){s.n, s.k, s.h, s.w};
}

#endif
