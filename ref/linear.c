/* Linear layer: y[n][k] = b[k] + sum over c of w[k][c] x[n][c]. Reference; its fast twin is fast/linear.c. */
#include "linear.h"
#include <stddef.h>

void ref_linear_forward(double *y, const double *x, const double *w, const double *b, int n, int c, int k)
{
    for (int i = 0; i < n; i++)
        for (int o = 0; o < k; o++) {
            double sum = b[o];
            for (int j = 0; j < c; j++)
                sum += w[(size_t)o * c + j] * x[(size_t)i * c + j];
            y[(size_t)i * k + o] = sum;
        }
}

/* From y[n][k] = b[k] + .. + w[k][c] x[n][c]: dx = dy w, dw = dy^T x, db = sum of dy. */
void ref_linear_backward(double *dx, double *dw, double *db, const double *dy, const double *x,
                         const double *w, int n, int c, int k)
{
    for (int i = 0; i < n; i++)
        for (int o = 0; o < k; o++) {
            const double gradient = dy[(size_t)i * k + o];
            for (int j = 0; j < c; j++) {
                if (dx)
                    dx[(size_t)i * c + j] += gradient * w[(size_t)o * c + j];
                if (dw)
                    dw[(size_t)o * c + j] += gradient * x[(size_t)i * c + j];
            }
            if (db)
                db[o] += gradient;
        }
}
