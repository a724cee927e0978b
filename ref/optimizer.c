/* The optimizers and the schedule of section 4.1: SGD with momentum for the filters, Adam for the mixing
 * logits, cosine annealing. Reference; the fast twin is fast/optimizer.c.
 *
 * Claims: s4.1.cosine s4.1.adam. */
#include "optimizer.h"
#include <math.h>

// book: optimizers
/*     v <- momentum v + dw + weight_decay w
 *     w <- w - lr v                            */
void ref_sgd_step(double *w, double *v, const double *dw, Sgd sgd, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        v[i] = sgd.momentum * v[i] + dw[i] + sgd.weight_decay * w[i];
        w[i] -= sgd.lr * v[i];
    }
}

/*     g <- dw + weight_decay w
 *     m <- beta1 m + (1 - beta1) g,       mhat = m / (1 - beta1^t)
 *     v <- beta2 v + (1 - beta2) g^2,     vhat = v / (1 - beta2^t)
 *     w <- w - lr mhat / (sqrt(vhat) + eps)                         */
void ref_adam_step(double *w, double *m, double *v, const double *dw, int t, Adam adam, size_t count)
{
    const double correct1 = 1 - pow(adam.beta1, t), correct2 = 1 - pow(adam.beta2, t);
    for (size_t i = 0; i < count; i++) {
        const double g = dw[i] + adam.weight_decay * w[i];
        m[i] = adam.beta1 * m[i] + (1 - adam.beta1) * g;
        v[i] = adam.beta2 * v[i] + (1 - adam.beta2) * g * g;
        w[i] -= adam.lr * (m[i] / correct1) / (sqrt(v[i] / correct2) + adam.eps);
    }
}

/* lr = lr_min + (lr_max - lr_min) (1 + cos(pi epoch / epochs)) / 2 */
double ref_cosine_lr(double epoch, double epochs, double lr_max, double lr_min)
{
    const double pi = 3.14159265358979323846;
    return lr_min + (lr_max - lr_min) * (1 + cos(pi * epoch / epochs)) / 2;
}
// book: end
