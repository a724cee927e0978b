/* A trained network at inference as plain operations of the f32 kernels, layer by layer, forward and backward
 * to the image: what figures 1 and 2 look at. Batch norm uses its tracked statistics, so that the gradient of
 * one unit is that of the function that the net computes, and not of a batch. */
#ifndef NOPOOL_PROBE_TRAINED_H
#define NOPOOL_PROBE_TRAINED_H

#include "../../../fast/kernels.h"
#include "../../network/network.h"

typedef struct {
    LayerSpec spec;
    float *w, *b;            /* b NULL: no bias */
    float alpha[MAX_LEVELS]; /* 0 where a level is not kept */
    float *mean[MAX_LEVELS], *variance[MAX_LEVELS];
    float *gamma[MAX_LEVELS], *beta[MAX_LEVELS]; /* NULL: no affine map */
    Word *activation[MAX_LEVELS];                /* ReLU(conv(S(x))) of the last forward pass */
} ProbeLayer;

typedef struct {
    const Kernels *kernels;
    int layers, batch, height, width;
    ProbeLayer layer[MAX_LAYERS];
    Word *map[MAX_LAYERS + 1]; /* the images, then every layer's output */
    void *convolution;         /* scratch */
} Probe;

/* The parameters of net, which stays the caller's, for batches of up to its capacity. Refuses networks whose
 * layers are not convolutions. The caller frees the probe. */
bool probe_create(Probe *probe, const Network *net, Error *error);
void probe_free(Probe *probe);

Shape probe_input(const Probe *probe, int layer, int n);
Shape probe_output(const Probe *probe, int layer, int n);

/* Tensors for a probe: zeroed, aligned; ends the program if there is no memory. */
Word *probe_tensor(Shape s);

/* images (n,C,H,W) through every layer. */
void probe_forward(Probe *probe, const float *images, int n);

/* One level of one layer, after probe_forward: U(B(S(x))), (n,K,H,W). */
void probe_level(const Probe *probe, Word *upsampled, int layer, int level, int n);

/* dx, the gradient of map[0], from dy, that of the output of `layer`. dy is overwritten. */
void probe_backward(Probe *probe, Word *dx, Word *dy, int layer, int n);

#endif
