/* FabricNet of the paper's table 4: the fabric of Saxena and Verbeek (NIPS 2016), a trellis of scales x L
 * nodes (ref/fabric_node.h) with C channels everywhere. The scales are the image's side, half of it, down to
 * 1 x 1: 6 for 32 x 32.
 *
 *     node (0, 0)      from the image
 *     node (0, scale)  from node (0, scale - 1), finer: the zipper that leads in
 *     node (l, scale)  from layer l - 1 at the same, the finer and the coarser scale
 *     last layer       from node (L-1, scale - 1) besides: the zipper that leads out
 *
 * The linear head reads the last node, 1 x 1. */
#ifndef NOPOOL_FABRIC_H
#define NOPOOL_FABRIC_H

#include "network.h"

enum { FABRIC_IMAGES = -1 }; /* as the input of an edge */

typedef struct {
    int layer, scale;
    NodeSpec spec;
    int input[MAX_EDGES]; /* the node that each edge comes from */
} FabricNode;

/* Refuses a description that is no fabric. */
bool fabric_check(const NetworkSpec *s, Error *error);

int fabric_scales(const NetworkSpec *s);

/* Nodes 0 .. fabric_nodes - 1, each after all that its edges come from; the last one is the head's. */
int fabric_nodes(const NetworkSpec *s);
FabricNode fabric_node(const NetworkSpec *s, int i);

/* Numbers in the filters of an edge that take part. */
size_t fabric_edge_weights(const NodeSpec *s, int e);

/* Parameters as the fabric's paper counts them: every node with three convolutions C -> C, whatever its
 * place; a sparse convolution with three input channels an output channel, also at the ends. */
size_t fabric_formula(const NetworkSpec *s);

/* The nodes on an engine. */
typedef struct Fabric Fabric;

/* Binds the nodes to slices from `at` on, which moves behind them. NULL if memory runs out. */
Fabric *fabric_create(const Engine *engine, const NetworkSpec *s, Slices *at, int batch);
void fabric_free(Fabric *fabric);

/* The last node's map, from n images. */
const Tensor *fabric_forward(Fabric *fabric, const Tensor *images, int n, Pass pass);

/* Adds what is wanted to the gradients; dy is that of the last node's map. */
void fabric_backward(Fabric *fabric, Tensor *dy, unsigned wanted);

/* Node i and its map, for tests. */
const Node *fabric_node_of(const Fabric *fabric, int i);
const Tensor *fabric_map(const Fabric *fabric, int i);

#endif
