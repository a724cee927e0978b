/* What the files of the reference engine share. */
#ifndef NOPOOL_REF_ENGINE_PARTS_H
#define NOPOOL_REF_ENGINE_PARTS_H

#include "engine.h"

struct Tensor {
    Shape shape; /* shape.n is the present batch */
    int capacity;
    double *data;
};

struct Vector {
    size_t count;
    double *data;
};

/* ref/engine_depth.c */
DepthMix *ref_depth_create(const DepthSpec *spec, Slices slices, int batch);
void ref_depth_free(DepthMix *mix);
void ref_depth_forward(DepthMix *mix, Tensor *y, const Tensor *const h[]);
void ref_depth_backward(DepthMix *mix, const Tensor *dy, unsigned wanted);
void ref_depth_share(const DepthMix *mix, Tensor *dh, int l, bool add);
void ref_depth_beta(const DepthMix *mix, double *beta);

#endif
