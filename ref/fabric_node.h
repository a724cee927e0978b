/* A node of a convolutional neural fabric (Saxena and Verbeek, NIPS 2016), FabricNet of the paper's table 4.
 * Its edges bring maps from the same scale, from the scale that is finer by 2 and from the one that is
 * coarser by 2, each with 3x3 filters of its own:
 *
 *     z = sum over edges e of  w[e] * brought(x[e])
 *     y = ReLU( batch norm( z ) )
 *
 *     same:     brought(x) = x
 *     finer:    brought(x) = x, and the convolution has stride 2
 *     coarser:  brought(x) = x with zeros between its pixels
 *
 * A sparse edge sees three channels: output channel k the input channels k-1, k and k+1. Its filters are
 * stored in full; those of other channels take no part and their gradient is 0. The convolutions have no
 * bias, which batch norm would take off again. */
#ifndef NOPOOL_REF_FABRIC_NODE_H
#define NOPOOL_REF_FABRIC_NODE_H

#include "vocabulary.h"
#include <stdlib.h>

enum { MAX_EDGES = 4 };

/* The scale that an edge comes from. */
typedef enum { EDGE_SAME, EDGE_FINER, EDGE_COARSER } EdgeFrom;

typedef struct {
    EdgeFrom from;
    int channels; /* C of its input */
    bool sparse;
} Edge;

typedef struct {
    int channels, height, width; /* K and the map of z and y */
    int edges;
    Edge edge[MAX_EDGES];
    bool affine;          /* batch norm has gamma and beta */
    double eps, momentum; /* of batch norm and of its tracking */
} NodeSpec;

/* Whether output channel k sees input channel c. */
static inline bool edge_sees(const Edge *e, int k, int c)
{
    return !e->sparse || abs(k - c) <= 1;
}

/* The input of edge e. */
static inline Shape node_input(const NodeSpec *s, int e, int n)
{
    const Edge *edge = &s->edge[e];
    const Shape map = {n, edge->channels, s->height, s->width};
    return edge->from == EDGE_FINER     ? shape_finer(map, 2)
           : edge->from == EDGE_COARSER ? shape_coarser(map, 2)
                                        : map;
}

static inline Shape node_output(const NodeSpec *s, int n)
{
    return (Shape){n, s->channels, s->height, s->width};
}

/* The convolution of edge e, of its brought map. */
static inline Conv2dShape node_convolution(const NodeSpec *s, int e, int n)
{
    const Edge *edge = &s->edge[e];
    const int stride = edge->from == EDGE_FINER ? 2 : 1;
    return (Conv2dShape){n, edge->channels, s->channels, s->height * stride, s->width * stride, 3, stride};
}

/* What the forward pass leaves for the backward pass, and where both work; the caller owns all arrays. */
typedef struct {
    double *z, *mean, *variance;   /* (N,K,H,W), (K), (K): written in training, read at inference */
    double *part, *brought, *seen; /* of one edge: its convolution, its map, its filters that take part */
    double *dnormalised, *dz;      /* (N,K,H,W) */
    double *dbrought, *dseen;      /* of one edge */
} NodeArrays;

/* Filters w[e] (K,C,3,3), gamma and beta (K) or NULL. */
typedef struct {
    const double *w[MAX_EDGES], *gamma, *beta;
} NodeParameters;

/* Their gradients; dw[0] NULL: none wanted. */
typedef struct {
    double *dw[MAX_EDGES], *dgamma, *dbeta;
} NodeGradients;

/* y (N,K,H,W) from x[e] (node_input). With training, statistics are those of this batch and go to the arrays;
 * without, they are read there. */
void ref_node_forward(double *y, NodeArrays *a, const double *const x[], const NodeParameters *p,
                      bool training, const NodeSpec *s, int n);

/* Adds to dx[e] (each may be NULL) and to the gradients of the parameters, after a forward pass in training
 * that left the arrays and y. */
void ref_node_backward(double *const dx[], NodeGradients d, NodeArrays *a, const double *dy, const double *y,
                       const double *const x[], const NodeParameters *p, const NodeSpec *s, int n);

#endif
