/* Convolution with a bias (paper, equation 1), stride 1 or 2, zero padding that keeps the map's size:
 *
 *     y[n][k][yo][xo] = b[k] + sum over c, i, j of  w[k][c][i][j]  x[n][c][yo stride + i - P][xo stride + j -
 * P]
 *
 * with P = (S-1)/2; pixels outside the map are 0. Reference: the loops are the equation, nothing more.
 * Its fast twin is fast/conv2d.c.
 *
 * Claims: eq1. */
#include "conv2d.h"
#include <assert.h>

/* The flat index of [a][b][y][x] in an array of maps (.., B, H, W). */
static size_t at(int a, int b, int y, int x, Shape s)
{
    return (((size_t)a * s.c + b) * s.h + y) * s.w + x;
}

static bool inside(int y, int x, Shape s)
{
    return 0 <= y && y < s.h && 0 <= x && x < s.w;
}

static void check_shape(Conv2dShape s)
{
    assert(s.n >= 0 && s.c > 0 && s.k > 0 && s.h > 0 && s.w > 0);
    assert(s.side == 1 || s.side == 3);
    assert(s.stride == 1 || s.stride == 2);
    (void)s;
}

// book: conv2d_forward
void ref_conv2d_forward(double *y, const double *x, const double *w, const double *b, Conv2dShape s)
{
    check_shape(s);
    const Shape in = conv2d_input(s), out = conv2d_output(s), filter = {s.k, s.c, s.side, s.side};
    const int pad = (s.side - 1) / 2;
    for (int n = 0; n < s.n; n++)
        for (int k = 0; k < s.k; k++)
            for (int yo = 0; yo < out.h; yo++)
                for (int xo = 0; xo < out.w; xo++) {
                    double sum = b ? b[k] : 0;
                    for (int c = 0; c < s.c; c++)
                        for (int i = 0; i < s.side; i++)
                            for (int j = 0; j < s.side; j++) {
                                int yi = yo * s.stride + i - pad, xi = xo * s.stride + j - pad;
                                if (inside(yi, xi, in))
                                    sum += w[at(k, c, i, j, filter)] * x[at(n, c, yi, xi, in)];
                            }
                    y[at(n, k, yo, xo, out)] = sum;
                }
}
// book: end

// book: conv2d_backward
/* From y[..k..] = .. + w[k][c][i][j] x[n][c][yi][xi]: every product hands w times dy back to its pixel of x.
 */
void ref_conv2d_backward_data(double *dx, const double *dy, const double *w, Conv2dShape s)
{
    check_shape(s);
    const Shape in = conv2d_input(s), out = conv2d_output(s), filter = {s.k, s.c, s.side, s.side};
    const int pad = (s.side - 1) / 2;
    for (int n = 0; n < s.n; n++)
        for (int k = 0; k < s.k; k++)
            for (int yo = 0; yo < out.h; yo++)
                for (int xo = 0; xo < out.w; xo++)
                    for (int c = 0; c < s.c; c++)
                        for (int i = 0; i < s.side; i++)
                            for (int j = 0; j < s.side; j++) {
                                int yi = yo * s.stride + i - pad, xi = xo * s.stride + j - pad;
                                if (inside(yi, xi, in))
                                    dx[at(n, c, yi, xi, in)] +=
                                        w[at(k, c, i, j, filter)] * dy[at(n, k, yo, xo, out)];
                            }
}

/* From the same product, y[..k..] = .. + w[k][c][i][j] x[n][c][yi][xi]: x times dy is what w receives; and
 * from y = b[k] + ..: the bias receives dy itself. */
void ref_conv2d_backward_weights(double *dw, double *db, const double *dy, const double *x, Conv2dShape s)
{
    check_shape(s);
    const Shape in = conv2d_input(s), out = conv2d_output(s), filter = {s.k, s.c, s.side, s.side};
    const int pad = (s.side - 1) / 2;
    for (int n = 0; n < s.n; n++)
        for (int k = 0; k < s.k; k++)
            for (int yo = 0; yo < out.h; yo++)
                for (int xo = 0; xo < out.w; xo++) {
                    double gradient = dy[at(n, k, yo, xo, out)];
                    if (db)
                        db[k] += gradient;
                    for (int c = 0; c < s.c; c++)
                        for (int i = 0; i < s.side; i++)
                            for (int j = 0; j < s.side; j++) {
                                int yi = yo * s.stride + i - pad, xi = xo * s.stride + j - pad;
                                if (inside(yi, xi, in))
                                    dw[at(k, c, i, j, filter)] += x[at(n, c, yi, xi, in)] * gradient;
                            }
                }
}
// book: end
