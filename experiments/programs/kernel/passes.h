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
