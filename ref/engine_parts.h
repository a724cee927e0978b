/* What the files of the reference engine share. */
#ifndef NOPOOL_REF_ENGINE_PARTS_H
#define NOPOOL_REF_ENGINE_PARTS_H

#include "engine.h"
#include <stdlib.h>

struct Tensor {
    Shape shape; /* shape.n is the present batch */
    int capacity;
    double *data;
};

struct Vector {
    size_t count;
    double *data;
};

/* An array of the shape's size; *ok turns false when memory runs out. */
static inline double *array(Shape s, bool *ok)
{
    double *data = calloc(shape_count(s), sizeof *data);
    *ok = *ok && data;
    return data;
}

/* ref/engine_layer.c */
Layer *ref_layer_create(const LayerSpec *spec, Slices slices, int batch);
void ref_layer_free(Layer *layer);
void ref_layer_forward(Layer *layer, Tensor *y, const Tensor *x, Pass pass);
void ref_layer_backward(Layer *layer, Tensor *dx, Tensor *dy, unsigned wanted);
void ref_layer_alpha(const Layer *layer, double *alpha);
bool ref_layer_stage(const Layer *layer, Stage stage, int r, double *values);

/* ref/engine_depth.c */
DepthMix *ref_depth_create(const DepthSpec *spec, Slices slices, int batch);
void ref_depth_free(DepthMix *mix);
void ref_depth_forward(DepthMix *mix, Tensor *y, const Tensor *const h[]);
void ref_depth_backward(DepthMix *mix, const Tensor *dy, unsigned wanted);
void ref_depth_share(const DepthMix *mix, Tensor *dh, int l, bool add);
void ref_depth_beta(const DepthMix *mix, double *beta);

/* ref/engine_node.c */
Node *ref_engine_node_create(const NodeSpec *spec, Slices slices, int batch);
void ref_engine_node_free(Node *node);
void ref_engine_node_forward(Node *node, Tensor *y, const Tensor *const x[], Pass pass);
void ref_engine_node_backward(Node *node, Tensor *const dx[], Tensor *dy, unsigned wanted);
bool ref_engine_node_stage(const Node *node, NodeStage stage, double *values);

#endif
