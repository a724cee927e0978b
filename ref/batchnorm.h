/* Batch normalisation (section 4.1): each channel is shifted and scaled to mean 0 and variance 1 over the
 * batch and the map. Statistics and normalisation are two steps, so that training (statistics of the batch)
 * and inference (running averages) are the same function. */
#ifndef NOPOOL_REF_BATCHNORM_H
#define NOPOOL_REF_BATCHNORM_H

#include "vocabulary.h"

/* mean (C) and biased variance (C) of x (N,C,H,W): both divide by M = N H W. */
void ref_batchnorm_statistics(double *mean, double *variance, const double *x, Shape s);

/* y = gamma (x - mean) / sqrt(variance + eps) + beta, channel by channel. gamma and beta (C) may be NULL:
 * no affine map, as in the paper's network. y may be x. */
void ref_batchnorm_forward(double *y, const double *x, const double *mean, const double *variance,
                           const double *gamma, const double *beta, double eps, Shape s);

/* Adds to dx, dgamma (C) and dbeta (C) the gradients in training mode, where mean and variance are those of
 * x itself. gamma, dgamma and dbeta may be NULL. */
void ref_batchnorm_backward(double *dx, double *dgamma, double *dbeta, const double *dy, const double *x,
                            const double *mean, const double *variance, const double *gamma, double eps,
                            Shape s);

/* Running averages for inference, one exponential average a channel:
 *
 *     average <- (1 - momentum) average + momentum batch,      started at 0
 *     weight  <- (1 - momentum) weight  + momentum
 *
 * so average / weight has no bias towards its start. The variance enters unbiased: times M / (M - 1). */
void ref_batchnorm_track(double *mean_average, double *variance_average, double *weight, const double *mean,
                         const double *variance, double momentum, Shape s);

/* mean (C) and variance (C) to normalise with at inference: average / weight; 0 and 1 before any batch. */
void ref_batchnorm_tracked(double *mean, double *variance, const double *mean_average,
                           const double *variance_average, double weight, int channels);

#endif
