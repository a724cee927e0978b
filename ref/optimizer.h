/* The two optimizers and the schedule (section 4.1). */
#ifndef NOPOOL_REF_OPTIMIZER_H
#define NOPOOL_REF_OPTIMIZER_H

#include <stddef.h>

typedef struct {
    double lr, momentum, weight_decay;
} Sgd;

typedef struct {
    double lr, beta1, beta2, eps, weight_decay;
} Adam;

/* Stochastic gradient descent with momentum, in place on w and the velocity v, count elements. */
void ref_sgd_step(double *w, double *v, const double *dw, Sgd sgd, size_t count);

/* Adam, in place on w and its moments m and v; t = 1 at the first step. Weight decay is the gradient of an
 * L2 penalty: it is added to dw. */
void ref_adam_step(double *w, double *m, double *v, const double *dw, int t, Adam adam, size_t count);

/* Cosine annealing: the rate of epoch 0 <= epoch < epochs. lr_max at epoch 0, towards lr_min at the end. */
double ref_cosine_lr(double epoch, double epochs, double lr_max, double lr_min);

#endif
