/* Linear layer: only the alternative head uses it (choice "head"). */
#ifndef NOPOOL_REF_LINEAR_H
#define NOPOOL_REF_LINEAR_H

/* y (N,K) = x (N,C) w^T + b, with w (K,C) and b (K). */
void ref_linear_forward(double *y, const double *x, const double *w, const double *b, int n, int c, int k);

/* Adds to dx (N,C), dw (K,C) and db (K). dx may be NULL; dw and db may be NULL together. */
void ref_linear_backward(double *dx, double *dw, double *db, const double *dy, const double *x,
                         const double *w, int n, int c, int k);

#endif
