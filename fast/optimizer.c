/* SGD with momentum and Adam. Twin of ref/optimizer.c; the schedule is the reference's own. Bound by bytes,
 * once a step over 0.3 million parameters.
 *
 * Error, from equal state, each against the sum of the absolute terms: sgd's v 5 2^-24 gauge, w 7 2^-24
 * gauge; adam's m 6 2^-24 gauge and v 10 2^-24 gauge (the square doubles the error of the gradient); w, given
 * m and v, 2^-24 |w| + 10 2^-24 |step|.
 *
 * Claims: s4.1.cosine. */
#include "operations.h"
#include "simd/isa.h"
#include <math.h>

void SET(sgd_step)(float *w, float *v, const float *dw, Sgd sgd, size_t count)
{
    const float momentum = sgd.momentum, decay = sgd.weight_decay, lr = sgd.lr;
    for (size_t i = 0; i < count; i++) {
        v[i] = momentum * v[i] + dw[i] + decay * w[i];
        w[i] -= lr * v[i];
    }
}

void SET(adam_step)(float *w, float *m, float *v, const float *dw, int t, Adam adam, size_t count)
{
    const float correct1 = 1 - pow(adam.beta1, t), correct2 = 1 - pow(adam.beta2, t);
    const float beta1 = adam.beta1, keep1 = 1 - adam.beta1, beta2 = adam.beta2, keep2 = 1 - adam.beta2;
    const float lr = adam.lr, eps = adam.eps, decay = adam.weight_decay;
    for (size_t i = 0; i < count; i++) {
        const float g = dw[i] + decay * w[i];
        m[i] = beta1 * m[i] + keep1 * g;
        v[i] = beta2 * v[i] + keep2 * g * g;
        w[i] -= lr * (m[i] / correct1) / (sqrtf(v[i] / correct2) + eps);
    }
}
