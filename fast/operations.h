/* Every function of the kernel set that is being compiled, under the name it has in this set and instruction
 * set. They are documented in fast/kernels.h, whose table fast/engine/engine.c fills with them. */
#ifndef NOPOOL_FAST_OPERATIONS_H
#define NOPOOL_FAST_OPERATIONS_H

#include "simd/isa.h"

void SET(import)(Word *lanes, const float *x, Shape s);
void SET(export)(float *x, const Word *lanes, Shape s);
void SET(import_matrix)(float *lanes, const float *x, int n, int c);
void SET(export_matrix)(float *x, const float *lanes, int n, int c);

/* Sums over batch and map that a convolution takes of its result where it stores it (fast/conv2d/sums.h): sum
 * (C) and product (C) as of channel_sums, whose other factor is `with`, a map like the result, or the result
 * itself if that is NULL. partials: map_sums_scratch bytes for this shape, or for a greater one. squares
 * (N,C,H/2,W/2) gets the sums over its 2x2 squares, if it is not NULL and `with` is not. */
typedef struct {
    double *sum, *product;
    const Word *with;
    Word *squares;
    double *partials;
} MapSums;
size_t SET(map_sums_scratch)(Shape s);
/* The sums from partials [group][part][2][C]; where there are several parts, a partial more for each group is
 * formed behind them. sum and product may stand where the first ones do. */
void SET(map_sums_finish)(double *sum, double *product, double *partials, int parts, Shape s);

/* Bytes of the packed filters of forward and backward data, a part of conv2d_scratch. */
size_t SET(conv2d_packed)(Conv2dShape s);
size_t SET(conv2d_scratch)(Conv2dShape s, int threads);
void SET(conv2d_forward)(Word *y, const Word *x, const float *w, const float *b, bool relu, Conv2dShape s,
                         void *scratch);
void SET(conv2d_backward_data_strided)(Word *dx, const Word *dy, const float *w, Conv2dShape s);
void SET(conv2d_backward_data)(Word *dx, const Word *dy, const float *w, Conv2dShape s, void *scratch);
/* The forward pass with ReLU, at stride 1, which takes sums of y unless that is NULL. */
void SET(conv2d_layer_forward)(Word *y, const Word *x, const float *w, const float *b, const MapSums *sums,
                               Conv2dShape s, void *scratch);
/* At stride 1: adds to dx, or writes it, which spares a fused layer the reading and the clearing; takes sums
 * of dx unless that is NULL. */
void SET(conv2d_backward_data_from)(Word *dx, bool add, const Word *dy, const float *w, const MapSums *sums,
                                    Conv2dShape s, void *scratch);
void SET(conv2d_backward_weights)(float *dw, float *db, const Word *dy, const Word *x, Conv2dShape s,
                                  void *scratch);

#ifdef TILE_PRODUCTS
/* The same by tile products: forward, or `backward` data from dy as x to dx as y, which it writes or adds to,
 * at stride 1; backward weights of 3x3 filters at stride 1. And the bytes of their scratch, of which the
 * packed filters take those for no thread. */
void SET(conv2d_tiles)(Word *y, const Word *x, const float *w, const float *b, bool relu, bool backward,
                       bool add, const MapSums *sums, Conv2dShape s, void *scratch);
size_t SET(conv2d_tiles_scratch)(Conv2dShape s, int threads);
void SET(conv2d_backward_weights_tiles)(float *dw, float *db, const Word *dy, const Word *x, Conv2dShape s,
                                        void *scratch);
size_t SET(conv2d_backward_weights_tiles_scratch)(Conv2dShape s, int threads);
#endif

/* Where the maximum of a 2x2 square stands: fast/pool.h. */
typedef int8_t Mark;

/* A gradient that pooling by 2 hands back: of maps (N,C,H/2,W/2), with their marks if they are maxima. */
typedef struct {
    const Word *dy;
    const Mark *marks;
    PoolMode mode;
} Unpooling;

/* fast/conv2d/winograd.c */
size_t SET(winograd_scratch)(Conv2dShape s, int threads);
void SET(winograd_forward)(Word *y, const Word *x, const float *w, const float *b, bool relu, Conv2dShape s,
                           void *scratch);
void SET(winograd_backward_data)(Word *dx, const Word *dy, const float *w, Conv2dShape s, void *scratch);
/* The same for a fused layer, which spares it passes over x, y and dx. Forward also makes the maxima of x by
 * 2 and their marks, as pool_forward_marked, if pooled is not NULL, and takes sums of y, if sums is not.
 * There must be whole tiles then. Backward does not add to dx but writes it: the sum, and what pooling hands
 * back, if there is a dy. `packed`: scratch holds these filters for this pass, from the call before, which
 * may have been for maps of another size. */
void SET(winograd_layer_forward)(Word *y, Word *pooled, Mark *marks, const Word *x, const float *w,
                                 const float *b, bool packed, const MapSums *sums, Conv2dShape s,
                                 void *scratch);
void SET(winograd_layer_backward_data)(Word *dx, Unpooling unpooling, const Word *dy, const float *w,
                                       bool packed, const MapSums *sums, Conv2dShape s, void *scratch);
bool SET(winograd_pays)(Conv2dShape s);

/* fast/conv2d/winograd_backward_weights.c; its scratch is a part of winograd_scratch. */
size_t SET(winograd_weights_scratch)(Conv2dShape s, int threads);
void SET(winograd_backward_weights)(float *dw, float *db, const Word *dy, const Word *x, Conv2dShape s,
                                    void *scratch);
bool SET(winograd_weights_pays)(Conv2dShape s);

void SET(relu_forward)(Word *y, const Word *x, Shape s);
void SET(relu_backward)(Word *dx, const Word *dy, const Word *y, Shape s);

void SET(sigmoid_forward)(Word *y, const Word *x, Shape s);
void SET(sigmoid_backward)(Word *dx, const Word *dy, const Word *y, Shape s);
void SET(swish_forward)(Word *y, const Word *x, Shape s);
void SET(swish_backward)(Word *dx, const Word *dy, const Word *x, Shape s);

size_t SET(depthwise_scratch)(Shape s);
void SET(depthwise_forward)(Word *y, const Word *x, const float *w, const float *b, Shape s);
void SET(depthwise_backward_data)(Word *dx, const Word *dy, const float *w, Shape s);
/* Writes dx instead of adding to it. */
void SET(depthwise_backward_data_to)(Word *dx, const Word *dy, const float *w, Shape s);
void SET(depthwise_backward_weights)(float *dw, float *db, const Word *dy, const Word *x, Shape s,
                                     double *scratch);

void SET(squeeze_excite_forward)(Word *y, const ExciteCache *cache, const Word *x, ExciteWeights p,
                                 SqueezeExciteShape s);
void SET(squeeze_excite_backward)(Word *dx, ExciteGradients d, const ExciteScratch *scratch, const Word *dy,
                                  const Word *x, const ExciteCache *cache, ExciteWeights p,
                                  SqueezeExciteShape s);

/* fast/squeeze_excite.c in its parts, on g = swish(scale x + shift) in the place of x, one number of each a
 * channel and 0 beyond an odd last one; x itself where scale is NULL. */
typedef struct {
    const float *scale, *shift;
} Activation;
/* The average of g over the map; the sum of dy g; g times the gate, or g where gate is NULL. */
void SET(excite_average)(float *average, const Word *x, Activation a, Shape s);
void SET(excite_dgate)(float *dgate, const Word *dy, const Word *x, Activation a, Shape s);
void SET(excite_scale)(Word *y, const Word *x, Activation a, const float *gate, Shape s);
/* du = (gate dy + daverage / (H W)) swish'(u), g = swish(u): dx itself where scale is NULL. dy where gate is
 * NULL. Adds to dx or writes it; dx may be dy. */
void SET(excite_backward)(Word *dx, const Word *dy, const Word *x, Activation a, const float *gate,
                          const float *daverage, bool add, Shape s);
/* From the averages to the gates and back, on matrices (N,C) and (N,Q). */
void SET(excite_gates)(const ExciteCache *cache, ExciteWeights p, int n, int c, int q);
void SET(excite_gates_backward)(const ExciteScratch *scratch, ExciteGradients d, const ExciteCache *cache,
                                ExciteWeights p, int n, int c, int q);

void SET(batchnorm_statistics)(float *mean, float *variance, const Word *x, Shape s, double *scratch);
void SET(batchnorm_forward)(Word *y, const Word *x, const float *mean, const float *variance,
                            const float *gamma, const float *beta, float eps, Shape s);
void SET(batchnorm_backward)(Word *dx, float *dgamma, float *dbeta, const Word *dy, const Word *x,
                             const float *mean, const float *variance, const float *gamma, float eps, Shape s,
                             double *scratch);
/* fast/engine/channel_sums.c: sum (C) of a and product (C) of a b over batch and map, in double; scratch:
 * channel_sums_scratch bytes, whose first 2 C numbers sum and product may be. map_sums_scratch is no less.
 * Where it is not NULL, squares (N,C,H/2,W/2) gets the sums of a over 2x2 squares. */
size_t SET(channel_sums_scratch)(Shape s);
void SET(channel_sums)(double *sum, double *product, Word *squares, const Word *a, const Word *b, Shape s,
                       double *scratch);

void SET(pool_forward)(Word *y, const Word *x, PoolMode mode, int factor, Shape s);
void SET(pool_backward)(Word *dx, const Word *dy, const Word *x, PoolMode mode, int factor, Shape s);
/* The maxima by 2, and a mark for each. */
void SET(pool_forward_marked)(Word *y, Mark *marks, const Word *x, Shape s);
/* Writes dx (N,C,H,W). */
void SET(unpool)(Word *dx, const Unpooling *unpooling, Shape s);
/* Rows 2 y and 2 y + 1 of one group of dx. */
void SET(unpool_rows)(Word *dx, const Unpooling *unpooling, Shape s, int group, int y);
/* Row y of one group of the sums over 2x2 squares of a map x (N,C,H,W), units first..end-1. */
void SET(square_row)(Word *squares, const Word *x, int first, int end, Shape s, int group, int y);

void SET(upsample_forward)(Word *y, const Word *x, UpsampleMode mode, int factor, Shape s);
void SET(upsample_backward)(Word *dx, const Word *dy, UpsampleMode mode, int factor, Shape s);

void SET(softmax_forward)(float *alpha, const float *a, uint64_t kept, int levels);
void SET(softmax_backward)(float *da, const float *dalpha, const float *alpha, uint64_t kept, int levels);
void SET(mix_forward)(Word *y, const Word *const x[], const float *alpha, uint64_t kept, int levels, Shape s);
void SET(mix_backward)(Word *const dx[], float *dalpha, const Word *dy, const Word *const x[],
                       const float *alpha, uint64_t kept, int levels, Shape s, double *scratch);

void SET(global_average_forward)(float *y, const Word *x, Shape s);
void SET(global_average_backward)(Word *dx, const float *dy, Shape s);

void SET(linear_forward)(float *y, const float *x, const float *w, const float *b, int n, int c, int k);
void SET(linear_backward)(float *dx, float *dw, float *db, const float *dy, const float *x, const float *w,
                          int n, int c, int k);

double SET(cross_entropy_forward)(const float *logits, const int *labels, int n, int k);
void SET(cross_entropy_backward)(float *dlogits, const float *logits, const int *labels, int n, int k);

void SET(sgd_step)(float *w, float *v, const float *dw, Sgd sgd, size_t count);
void SET(adam_step)(float *w, float *m, float *v, const float *dw, int t, Adam adam, size_t count);

double SET(multiply_add_loop)(long rounds);

extern const Engine SET(engine);
extern const TrafficCount SET(traffic); /* fast/engine/traffic.c */

#endif
