/* The split-set bilevel step of section 3.4, first order: each iteration trains the filters on a batch of D_a
 * and the mixing logits on a batch of D_b. A step of one kind never touches the parameters of the other. */
#ifndef NOPOOL_BILEVEL_H
#define NOPOOL_BILEVEL_H

#include "network.h"

typedef struct {
    const float *images; /* (n,channels,H,W), normalised */
    const int *labels;   /* (n) */
    int n;
} Batch;

typedef struct {
    double loss;            /* mean over the batch, before the step */
    int correct;            /* images of the batch that were classified correctly, before the step */
    double gradient, decay; /* Euclidean norms of the loss's gradient and of the weight decay added to it */
} Step;

/*     filters <- SGD(filters, d loss(D_a batch) / d filters),    batch statistics are tracked   */
Step filters_step(Network *net, Batch a, Sgd sgd);

/*     logits <- Adam(logits, d loss(D_b batch) / d logits),      tracked statistics are left alone
 * t = 1 for the first step. */
Step logits_step(Network *net, Batch b, Adam adam, int t);

#endif
