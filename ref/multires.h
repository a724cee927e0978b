/* The multi-resolution layer M of the paper (equation 4, figure 2):
 *
 *     M(h) = sum over kept r of alpha[r] U_{2^r}( B( S_{2^r}(h) ) ),    alpha = softmax(a),
 *
 * where B = batch norm of ReLU of convolution, or MBConv, with the same filters at every resolution, or, to
 * see what sharing does (section 3.5), with filters F[r] of its own at each. */
#ifndef NOPOOL_REF_MULTIRES_H
#define NOPOOL_REF_MULTIRES_H

#include "mbconv.h"

typedef struct {
    Conv2dShape block;      /* B at full resolution; stride 1. Of MBConv n, c, k, h and w count */
    int levels;             /* R; 2^(R-1) divides H and W */
    unsigned kept;          /* mask of the levels that take part */
    PoolMode down;          /* S */
    UpsampleMode up;        /* U */
    double eps;             /* of batch norm */
    BlockKind kind;         /* what B is */
    int expanded, squeezed; /* MBConv's E and Q */
} MultiresShape;

/* What the forward pass leaves for the backward pass, one array a kept level; the caller owns them all.
 * Level r's maps are H/2^r x W/2^r. Entries of levels that are not kept are neither read nor written. */
typedef struct {
    double *pooled[MAX_LEVELS];     /* S(h)             (N,C,H/2^r,W/2^r) */
    double *activation[MAX_LEVELS]; /* ReLU(conv(S(h))) (N,K,H/2^r,W/2^r) */
    double *mean[MAX_LEVELS];       /* of the activation, (K): written in training, read at inference */
    double *variance[MAX_LEVELS];   /* the same */
    double *upsampled[MAX_LEVELS];  /* U(B(S(h)))       (N,K,H,W) */
    MbconvCache mbconv[MAX_LEVELS]; /* instead of activation, mean and variance where B is MBConv */
    double *block[MAX_LEVELS];      /* B(S(h)), MBConv only (N,K,H/2^r,W/2^r) */
    double alpha[MAX_LEVELS];
} MultiresCache;

/* Where the backward pass works: the gradients of the arrays of the same names. Cleared by the pass. */
typedef struct {
    double *dpooled[MAX_LEVELS];
    double *dactivation[MAX_LEVELS];
    double *dnormalised[MAX_LEVELS]; /* of B(S(h)), (N,K,H/2^r,W/2^r) */
    double *dconv[MAX_LEVELS];       /* of conv(S(h)), the same shape */
    double *dupsampled[MAX_LEVELS];
    MbconvScratch mbconv[MAX_LEVELS]; /* instead of dactivation and dconv where B is MBConv */
    double dalpha[MAX_LEVELS];
} MultiresScratch;

/* The parameters: filters w (K,C,S,S), bias b (K) or NULL, which stand for all levels, or, where own is not
 * 0, for level 0, and level r's own numbers further on, mixing logits a (R), and per level the affine map
 * of batch norm, gamma[r] and beta[r] (K), or NULL. Levels may share an affine map: equal pointers. */
typedef struct {
    const double *w, *b, *a;
    size_t own; /* level r's w and b stand r times as much behind level 0's; 0: all levels share them */
    const double *gamma[MAX_LEVELS], *beta[MAX_LEVELS];
    MbconvParameters
        mbconv[MAX_LEVELS]; /* instead of w, b, gamma, beta: filters are the same at every level */
} MultiresParameters;

/* Their gradients. da may be NULL (no gradient of the logits wanted); dw too, and then db, dgamma and dbeta
 * are not touched either; MBConv's are by their own rule. dw and db stand as w and b do. */
typedef struct {
    double *dw, *db, *da;
    double *dgamma[MAX_LEVELS], *dbeta[MAX_LEVELS];
    MbconvGradients mbconv[MAX_LEVELS];
} MultiresGradients;

/* y (N,K,H,W) from x (N,C,H,W). With training, statistics are those of this batch and go to cache->mean and
 * cache->variance; without, those two are inputs. */
void ref_multires_forward(double *y, MultiresCache *cache, const double *x, MultiresParameters p,
                          bool training, MultiresShape s);

/* Adds to dx (N,C,H,W; may be NULL) and to the gradients of the parameters, after a forward pass in training
 * that left cache. */
void ref_multires_backward(double *dx, MultiresGradients d, MultiresScratch *scratch, const double *dy,
                           const double *x, const MultiresCache *cache, MultiresParameters p,
                           MultiresShape s);

#endif
