/* A fabric (fabric_node.h) in the training of section 3.4, as plain arrays: nodes (layer, scale), scale by
 * scale in a layer and layer by layer, each with its slice of the network's parameters. */
#ifndef NOPOOL_REF_TRAINING_FABRIC_H
#define NOPOOL_REF_TRAINING_FABRIC_H

#include "fabric_node.h"
#include "training_network.h"

typedef struct {
    NodeSpec spec;
    int from[MAX_EDGES]; /* the node that an edge comes from; -1: the images */
    NodeParameters parameters;
    NodeGradients gradients;
    double *mean, *variance, *weight; /* running averages */
    NodeArrays arrays;
    double *y, *dy;
} PlainNode;

typedef struct PlainFabric {
    int layers, scales;
    double momentum;
    PlainNode *node; /* (layers, scales); the last one is the head's */
} PlainFabric;

/* How many numbers SGD trains in the nodes, and how many are tracked. */
size_t plain_fabric_filters(const PlainNetworkShape *s);
size_t plain_fabric_statistics(const PlainNetworkShape *s);

/* With the next numbers of the network's arrays as parameters, gradients and running averages; NULL if memory
 * runs out. */
PlainFabric *plain_fabric_create(const PlainNetworkShape *s, int batch, double **w, double **dw,
                                 double **statistics);
void plain_fabric_free(PlainFabric *f);

/* The map of the last node, (n,C,1,1), from the images x. */
const double *plain_fabric_forward(PlainFabric *f, const double *x, int n, StatisticsUse use);

/* Adds to the gradients of the filters from dy, the gradient of that map. */
void plain_fabric_backward(PlainFabric *f, const double *dy, const double *x, int n);

/* What the filters and products of a node count. */
void plain_fabric_cost(PlainCost *cost, const PlainNetworkShape *s);

#endif
