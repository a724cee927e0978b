/* Depthwise convolution, 3x3, stride 1, with a border of zeros that keeps the map's size:
 *
 *     y[n][c][yo][xo] = b[c] + sum over i, j of  w[c][i][j]  x[n][c][yo + i - 1][xo + j - 1]
 *
 * It is ref/conv2d.c without the sum over channels. Reference; its fast twin is fast/depthwise.c.
 *
 * Claims: s4.1.mbconv. */
#include "depthwise.h"

/* The flat index of [n][c][y][x]. */
static size_t at(int n, int c, int y, int x, Shape s)
{
    return (((size_t)n * s.c + c) * s.h + y) * s.w + x;
}

static bool inside(int y, int x, Shape s)
{
    return 0 <= y && y < s.h && 0 <= x && x < s.w;
}

// book: depthwise_forward
void ref_depthwise_forward(double *y, const double *x, const double *w, const double *b, Shape s)
{
    for (int n = 0; n < s.n; n++)
        for (int c = 0; c < s.c; c++)
            for (int yo = 0; yo < s.h; yo++)
                for (int xo = 0; xo < s.w; xo++) {
                    double sum = b ? b[c] : 0;
                    for (int i = 0; i < 3; i++)
                        for (int j = 0; j < 3; j++)
                            if (inside(yo + i - 1, xo + j - 1, s))
                                sum += w[c * 9 + i * 3 + j] * x[at(n, c, yo + i - 1, xo + j - 1, s)];
                    y[at(n, c, yo, xo, s)] = sum;
                }
}
// book: end

// book: depthwise_backward
/* From y[..yo][xo] = .. + w[c][i][j] x[n][c][yi][xi]: every product hands w times dy back to its pixel of x.
 */
void ref_depthwise_backward_data(double *dx, const double *dy, const double *w, Shape s)
{
    for (int n = 0; n < s.n; n++)
        for (int c = 0; c < s.c; c++)
            for (int yo = 0; yo < s.h; yo++)
                for (int xo = 0; xo < s.w; xo++)
                    for (int i = 0; i < 3; i++)
                        for (int j = 0; j < 3; j++)
                            if (inside(yo + i - 1, xo + j - 1, s))
                                dx[at(n, c, yo + i - 1, xo + j - 1, s)] +=
                                    w[c * 9 + i * 3 + j] * dy[at(n, c, yo, xo, s)];
}

/* From the same product: x times dy is what w receives; and from y = b[c] + ..: the bias receives dy. */
void ref_depthwise_backward_weights(double *dw, double *db, const double *dy, const double *x, Shape s)
{
    for (int n = 0; n < s.n; n++)
        for (int c = 0; c < s.c; c++)
            for (int yo = 0; yo < s.h; yo++)
                for (int xo = 0; xo < s.w; xo++) {
                    const double gradient = dy[at(n, c, yo, xo, s)];
                    if (db)
                        db[c] += gradient;
                    for (int i = 0; i < 3; i++)
                        for (int j = 0; j < 3; j++)
                            if (inside(yo + i - 1, xo + j - 1, s))
                                dw[c * 9 + i * 3 + j] += x[at(n, c, yo + i - 1, xo + j - 1, s)] * gradient;
                }
}
// book: end
