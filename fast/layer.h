/* The parts of the f32 engine that its files share. */
#ifndef NOPOOL_FAST_LAYER_H
#define NOPOOL_FAST_LAYER_H

#include "isa.h"

struct Tensor {
    Shape shape; /* shape.n is the present batch */
    int capacity;
    float *data; /* lanes_count of the capacity */
};

struct Vector {
    size_t count;
    float *data;
};

/* An array that grows: at least `bytes` long, aligned to 64. */
typedef struct {
    void *data;
    size_t bytes;
} Buffer;

struct Scratch {
    Buffer conv, reduce;          /* of the convolutions, of the sums over the batch */
    Buffer dsum[MAX_LEVELS];      /* dy brought to level r: the gradient of mixed maps, not yet times alpha */
    Buffer dconv[MAX_LEVELS];     /* the gradient of the convolution's output */
    Buffer dpooled[MAX_LEVELS];   /* of its input; level 0 is dx itself */
    Buffer upsampled[MAX_LEVELS]; /* full-size maps, for bilinear upsampling only */
};

bool F32(buffer_grow)(Buffer *b, size_t bytes);

Tensor *F32(tensor_create)(Shape s);
void F32(tensor_free)(Tensor *t);

Scratch *F32(scratch_create)(void);
void F32(scratch_free)(Scratch *s);

Layer *F32(layer_create)(const LayerSpec *spec, Slices slices, int batch);
void F32(layer_free)(Layer *layer);
void F32(layer_forward)(Layer *layer, Tensor *y, const Tensor *x, Pass pass);
void F32(layer_backward)(Layer *layer, Tensor *dx, Tensor *dy, unsigned wanted);
void F32(layer_alpha)(const Layer *layer, double *alpha);
bool F32(layer_stage)(const Layer *layer, Stage stage, int r, double *values);

/* fast/multires.c. With a coefficient per level and channel and a constant per channel,
 *     y[k] = constant[k] + sum over kept r of coefficient[r][k] z[r][k] at (h / step[r], w / step[r]). */
typedef struct {
    const float *z[MAX_LEVELS];
    const float *coefficient[MAX_LEVELS];
    int step[MAX_LEVELS];
    const float *constant;
    unsigned kept;
    int levels;
} MixedMaps;
void F32(multires_mix)(float *y, const MixedMaps *maps, Shape s);

/* dconv = z > 0 ? a dsum + b z + c : 0, the numbers a, b, c per channel. */
void F32(multires_gradient)(float *dconv, const float *dsum, const float *z, const float *a, const float *b,
                            const float *c, Shape s);

#endif
