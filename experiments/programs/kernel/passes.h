/* The passes of every operation: each is a call in ref/ beside the same call in a fast set. */
#ifndef NOPOOL_PASSES_H
#define NOPOOL_PASSES_H

#include "job.h"

void pass_conv2d_forward(Job *job);
void pass_conv2d_backward(Job *job);
void pass_pool_forward(Job *job);
void pass_pool_backward(Job *job);
void pass_upsample_forward(Job *job);
void pass_upsample_backward(Job *job);

/* The backward pass of a function of each number whose gradient is told by y: from x, the pass itself takes
 * y. The fast ones are not looked at where the job is for ref. */
typedef void (*FastForward)(Word *y, const Word *x, Shape s);
typedef void (*FastBackward)(Word *dx, const Word *dy, const Word *y, Shape s);
typedef void (*RefForward)(double *y, const double *x, size_t count);
typedef void (*RefBackward)(double *dx, const double *dy, const double *y, size_t count);
void pass_backward_of_output(Job *job, FastForward fast_forward, FastBackward fast_backward,
                             RefForward ref_forward, RefBackward ref_backward);

void pass_relu_forward(Job *job);
void pass_relu_backward(Job *job);
/* mbconv.c */
void pass_sigmoid_forward(Job *job);
void pass_sigmoid_backward(Job *job);
void pass_swish_forward(Job *job);
void pass_swish_backward(Job *job);
void pass_depthwise_forward(Job *job);
void pass_depthwise_backward(Job *job);
void pass_squeeze_excite_forward(Job *job);
void pass_squeeze_excite_backward(Job *job);
void pass_mbconv_forward(Job *job);
void pass_mbconv_backward(Job *job);
/* multires.c: a layer of a fast set's engine with MBConv as its block and one level, whose alpha is 1. */
void pass_mbconv_by_engine(Job *job);
void pass_batchnorm_forward(Job *job);
void pass_batchnorm_backward(Job *job);
void pass_mix_forward(Job *job);
void pass_mix_backward(Job *job);
void pass_linear_forward(Job *job);
void pass_linear_backward(Job *job);
void pass_global_average_forward(Job *job);
void pass_global_average_backward(Job *job);
void pass_cross_entropy_forward(Job *job);
void pass_cross_entropy_backward(Job *job);
void pass_sgd_step(Job *job);
void pass_adam_step(Job *job);
void pass_cosine_lr(Job *job);

/* multires.c: by the layer of the set's engine; in ref by ref/multires.h, since engines take images as
 * floats. */
void pass_multires_forward(Job *job);
void pass_multires_backward(Job *job);

#endif
