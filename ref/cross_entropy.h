/* Softmax cross-entropy between logits and labels: the training loss (section 3.4). */
#ifndef NOPOOL_REF_CROSS_ENTROPY_H
#define NOPOOL_REF_CROSS_ENTROPY_H

/* Returns the mean over N of -log softmax(logits (N,K))[label]; labels (N) are in 0..K-1. */
double ref_cross_entropy_forward(const double *logits, const int *labels, int n, int k);

/* Adds to dlogits (N,K) the gradient of that mean: (softmax - one-hot) / N. */
void ref_cross_entropy_backward(double *dlogits, const double *logits, const int *labels, int n, int k);

#endif
