/* A set's depth mix against ref, stage by stage: ref is fed with the maps and gradients that the set itself
 * left. Bounds: those of fast/engine/depth.c. */
#ifndef NOPOOL_TESTS_DEPTH_CHECK_H
#define NOPOOL_TESTS_DEPTH_CHECK_H

#include "../experiments/network/network.h"

/* The level that a set may store the input of layer l = 0..L-1 at: see fast/engine/layer.h. */
int stored_level(const Network *net, int l);

/* After a forward pass and the last layer's backward pass into net->dmixed, which had n images: runs the
 * mix's backward pass for the logits, whose gradient of b is 0 so far; checks beta, the mixed map and that
 * gradient.
 */
void depth_check_mix(const Network *net, int n);

/* Hands map l its share in dh and checks it. */
void depth_check_share(const Network *net, Tensor *dh, int l, bool add, int n);

#endif
