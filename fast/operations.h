/* Every function of the kernel set f32, under the name it has in the instruction set that is being compiled.
 * They are documented in fast/f32.h, whose table fast/f32.c fills with them. */
#ifndef NOPOOL_FAST_OPERATIONS_H
#define NOPOOL_FAST_OPERATIONS_H

#include "isa.h"

void F32(import)(float *lanes, const float *x, Shape s);
void F32(export)(float *x, const float *lanes, Shape s);

size_t F32(conv2d_scratch)(Conv2dShape s, int threads);
void F32(conv2d_forward)(float *y, const float *x, const float *w, const float *b, bool relu, Conv2dShape s,
                         void *scratch);
void F32(conv2d_backward_data)(float *dx, const float *dy, const float *w, Conv2dShape s, void *scratch);
void F32(conv2d_backward_weights)(float *dw, float *db, const float *dy, const float *x, Conv2dShape s,
                                  void *scratch);

/* fast/conv2d_winograd.c */
size_t F32(winograd_scratch)(Conv2dShape s, int threads);
void F32(winograd_forward)(float *y, const float *x, const float *w, const float *b, bool relu, Conv2dShape s,
                           void *scratch);
void F32(winograd_backward_data)(float *dx, const float *dy, const float *w, Conv2dShape s, void *scratch);

void F32(relu_forward)(float *y, const float *x, Shape s);
void F32(relu_backward)(float *dx, const float *dy, const float *y, Shape s);

void F32(batchnorm_statistics)(float *mean, float *variance, const float *x, Shape s, double *scratch);
void F32(batchnorm_forward)(float *y, const float *x, const float *mean, const float *variance,
                            const float *gamma, const float *beta, float eps, Shape s);
void F32(batchnorm_backward)(float *dx, float *dgamma, float *dbeta, const float *dy, const float *x,
                             const float *mean, const float *variance, const float *gamma, float eps, Shape s,
                             double *scratch);
/* sum (C) of a and product (C) of a b over batch and map, in double; scratch as for the statistics. */
void F32(channel_sums)(double *sum, double *product, const float *a, const float *b, Shape s,
                       double *scratch);

void F32(pool_forward)(float *y, const float *x, PoolMode mode, int factor, Shape s);
void F32(pool_backward)(float *dx, const float *dy, const float *x, PoolMode mode, int factor, Shape s);

void F32(upsample_forward)(float *y, const float *x, UpsampleMode mode, int factor, Shape s);
void F32(upsample_backward)(float *dx, const float *dy, UpsampleMode mode, int factor, Shape s);

void F32(softmax_forward)(float *alpha, const float *a, unsigned kept, int levels);
void F32(softmax_backward)(float *da, const float *dalpha, const float *alpha, unsigned kept, int levels);
void F32(mix_forward)(float *y, const float *const x[], const float *alpha, unsigned kept, int levels,
                      Shape s);
void F32(mix_backward)(float *const dx[], float *dalpha, const float *dy, const float *const x[],
                       const float *alpha, unsigned kept, int levels, Shape s, double *scratch);

void F32(global_average_forward)(float *y, const float *x, Shape s);
void F32(global_average_backward)(float *dx, const float *dy, Shape s);

void F32(linear_forward)(float *y, const float *x, const float *w, const float *b, int n, int c, int k);
void F32(linear_backward)(float *dx, float *dw, float *db, const float *dy, const float *x, const float *w,
                          int n, int c, int k);

double F32(cross_entropy_forward)(const float *logits, const int *labels, int n, int k);
void F32(cross_entropy_backward)(float *dlogits, const float *logits, const int *labels, int n, int k);

void F32(sgd_step)(float *w, float *v, const float *dw, Sgd sgd, size_t count);
void F32(adam_step)(float *w, float *m, float *v, const float *dw, int t, Adam adam, size_t count);

double F32(multiply_add_loop)(long rounds);

extern const Engine F32(engine);

#endif
