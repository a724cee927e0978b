/* Winograd's F(4x4, 3x3) as three matrices, plain or by absolute values. */
#include "winograd_gauge.h"
#include "../fast/kernels.h"
#include "inputs.h"
#include <math.h>
#include <string.h>

enum { TILE = 4, SPAN = 6, FINITE = 5, TAPS = 3 };

typedef struct {
    double a[TILE][SPAN], b[SPAN][SPAN], g[SPAN][TAPS]; /* A^T, B^T, G */
} Matrices;

/* A number as it is, or its absolute value for the worst case, or its square for the typical one. */
typedef enum { PLAIN, ABSOLUTE, SQUARE } Size;

static double sized(double x, Size size)
{
    return size == PLAIN ? x : size == ABSOLUTE ? fabs(x) : x * x;
}

/* With the polynomial m(x), the product of x - p over the finite points: row i of G evaluates a filter at
 * point i and divides by the product of p_i - p_j, j != i; row i of B^T is m(x) / (x - p_i), and m itself for
 * infinity; column i of A^T evaluates at point i. */
static Matrices matrices_of(Size size)
{
    static const double points[FINITE] = {0, 0.625, -0.625, 1.5, -1.5};
    Matrices m = {.a = {[TILE - 1] = {[FINITE] = 1}}, .g = {[FINITE] = {[TAPS - 1] = 1}}};
    for (int i = 0; i < SPAN; i++) {
        double divisor = 1, polynomial[SPAN + 1] = {1};
        for (int j = 0, degree = 0; j < FINITE; j++) {
            if (j == i)
                continue;
            if (i < FINITE)
                divisor *= points[i] - points[j];
            for (int k = ++degree; k >= 0; k--)
                polynomial[k] = (k > 0 ? polynomial[k - 1] : 0) - points[j] * polynomial[k];
        }
        memcpy(m.b[i], polynomial, sizeof m.b[i]);
        for (int k = 0; i < FINITE && k < TILE; k++)
            m.a[k][i] = pow(points[i], k);
        for (int k = 0; i < FINITE && k < TAPS; k++)
            m.g[i][k] = pow(points[i], k) / divisor;
    }
    double *const entries = &m.a[0][0];
    for (size_t i = 0; i < sizeof m / sizeof *entries; i++)
        entries[i] = sized(entries[i], size);
    return m;
}

/* to (rows, rows) = m (rows, columns) from (columns, columns) m^T. */
static void transform(double *to, const double *m, const double *from, int rows, int columns)
{
    for (int i = 0; i < rows; i++)
        for (int j = 0; j < rows; j++) {
            double sum = 0;
            for (int k = 0; k < columns; k++)
                for (int l = 0; l < columns; l++)
                    sum += m[i * columns + k] * from[k * columns + l] * m[j * columns + l];
            to[i * rows + j] = sum;
        }
}

/* rows x rows pixels of channel c of image n from (top, left) on; beyond the border 0. */
static void read_tile(double *d, const double *x, Shape s, int n, int c, int top, int left, int rows)
{
    for (int i = 0; i < rows; i++)
        for (int j = 0; j < rows; j++) {
            const int yi = top + i, xi = left + j;
            const bool inside = 0 <= yi && yi < s.h && 0 <= xi && xi < s.w;
            d[i * rows + j] = inside ? x[(((size_t)n * s.c + c) * s.h + yi) * s.w + xi] : 0;
        }
}

/* Adds the outputs of the tile at (top, left) of image n for every filter; u is G g G^T (K,C,6,6). */
static void add_tile(double *y, const double *x, const double *u, const Matrices *m, Conv2dShape s, int n,
                     int top, int left, double *v)
{
    for (int c = 0; c < s.c; c++) {
        double d[SPAN * SPAN];
        read_tile(d, x, conv2d_input(s), n, c, top - 1, left - 1, SPAN);
        transform(v + (size_t)c * SPAN * SPAN, &m->b[0][0], d, SPAN, SPAN);
    }
    for (int k = 0; k < s.k; k++) {
        double sum[SPAN * SPAN] = {0}, out[TILE][TILE];
        for (size_t i = 0; i < (size_t)s.c * SPAN * SPAN; i++)
            sum[i % (SPAN * SPAN)] += u[(size_t)k * s.c * SPAN * SPAN + i] * v[i];
        transform(&out[0][0], &m->a[0][0], sum, TILE, SPAN);
        for (int i = 0; i < TILE && top + i < s.h; i++)
            for (int j = 0; j < TILE && left + j < s.w; j++)
                y[(((size_t)n * s.k + k) * s.h + top + i) * s.w + left + j] += out[i][j];
    }
}

static void convolve(double *y, const double *x, const double *w, Conv2dShape s, Size size)
{
    const Matrices m = matrices_of(size);
    double *u = doubles((size_t)s.k * s.c * SPAN * SPAN), *v = doubles((size_t)s.c * SPAN * SPAN);
    for (int i = 0; i < s.k * s.c; i++)
        transform(u + (size_t)i * SPAN * SPAN, &m.g[0][0], w + (size_t)i * TAPS * TAPS, SPAN, TAPS);
    for (int n = 0; n < s.n; n++)
        for (int top = 0; top < s.h; top += TILE)
            for (int left = 0; left < s.w; left += TILE)
                add_tile(y, x, u, &m, s, n, top, left, v);
}

double winograd_roundings(int channels)
{
    return channels + 18;
}

void winograd_forward(double *y, const double *x, const double *w, Conv2dShape s)
{
    memset(y, 0, shape_count(conv2d_output(s)) * sizeof *y);
    convolve(y, x, w, s, PLAIN);
}

static double *sized_copy(const double *x, size_t count, Size size)
{
    double *y = doubles(count);
    for (size_t i = 0; i < count; i++)
        y[i] = sized(x[i], size);
    return y;
}

static void convolve_sized(double *y, const double *x, const double *w, Conv2dShape s, Size size)
{
    convolve(y, sized_copy(x, shape_count(conv2d_input(s)), size), sized_copy(w, conv2d_filters(s), size), s,
             size);
}

void winograd_gauge_forward(double *gauge, const double *x, const double *w, Conv2dShape s)
{
    convolve_sized(gauge, x, w, s, ABSOLUTE);
}

void winograd_squares_forward(double *squares, const double *x, const double *w, Conv2dShape s)
{
    convolve_sized(squares, x, w, s, SQUARE);
}

/* The forward pass from dy with the filters flipped and transposed. */
void winograd_gauge_backward_data(double *gauge, const double *dy, const double *w, Conv2dShape s)
{
    const int taps = TAPS * TAPS;
    const Conv2dShape back = {s.n, s.k, s.c, s.h, s.w, TAPS, 1};
    double *flipped = doubles(conv2d_filters(s));
    for (int k = 0; k < s.k; k++)
        for (int c = 0; c < s.c; c++)
            for (int tap = 0; tap < taps; tap++)
                flipped[((size_t)c * s.k + k) * taps + taps - 1 - tap] =
                    w[((size_t)k * s.c + c) * taps + tap];
    winograd_gauge_forward(gauge, dy, flipped, back);
}

double winograd_weights_roundings(Conv2dShape s)
{
    const double tiles = (double)((s.h + TILE - 1) / TILE) * ((s.w + TILE - 1) / TILE);
    return s.n * tiles + lanes_groups(s.n) + 24;
}

/* Adds the products of the tile at (top, left) of image n to m (K,C,6,6); v has room for both operands. */
static void add_products(double *m, const double *dy, const double *x, const Matrices *matrices,
                         Conv2dShape s, int n, int top, int left, double *v)
{
    enum { POSITIONS = SPAN * SPAN };
    double d[POSITIONS], a[SPAN][TILE], *of_dy = v, *of_x = v + (size_t)s.k * POSITIONS;
    for (int i = 0; i < SPAN; i++)
        for (int j = 0; j < TILE; j++)
            a[i][j] = matrices->a[j][i];
    for (int k = 0; k < s.k; k++) {
        read_tile(d, dy, conv2d_output(s), n, k, top, left, TILE);
        transform(of_dy + (size_t)k * POSITIONS, &a[0][0], d, SPAN, TILE);
    }
    for (int c = 0; c < s.c; c++) {
        read_tile(d, x, conv2d_input(s), n, c, top - 1, left - 1, SPAN);
        transform(of_x + (size_t)c * POSITIONS, &matrices->b[0][0], d, SPAN, SPAN);
    }
    for (int k = 0; k < s.k; k++)
        for (int c = 0; c < s.c; c++)
            for (int p = 0; p < POSITIONS; p++)
                m[((size_t)k * s.c + c) * POSITIONS + p] +=
                    of_dy[k * POSITIONS + p] * of_x[c * POSITIONS + p];
}

static void correlate(double *dw, const double *dy, const double *x, Conv2dShape s, Size size)
{
    const Matrices matrices = matrices_of(size);
    double *m = doubles((size_t)s.k * s.c * SPAN * SPAN), *v = doubles((size_t)(s.k + s.c) * SPAN * SPAN);
    double g[TAPS][SPAN], taps[TAPS * TAPS];
    memset(m, 0, (size_t)s.k * s.c * SPAN * SPAN * sizeof *m);
    for (int n = 0; n < s.n; n++)
        for (int top = 0; top < s.h; top += TILE)
            for (int left = 0; left < s.w; left += TILE)
                add_products(m, dy, x, &matrices, s, n, top, left, v);
    for (int i = 0; i < TAPS; i++)
        for (int j = 0; j < SPAN; j++)
            g[i][j] = matrices.g[j][i];
    for (size_t i = 0; i < (size_t)s.k * s.c; i++) {
        transform(taps, &g[0][0], m + i * SPAN * SPAN, TAPS, SPAN);
        for (int tap = 0; tap < TAPS * TAPS; tap++)
            dw[i * TAPS * TAPS + tap] += taps[tap];
    }
}

static void correlate_sized(double *dw, const double *dy, const double *x, Conv2dShape s, Size size)
{
    correlate(dw, sized_copy(dy, shape_count(conv2d_output(s)), size),
              sized_copy(x, shape_count(conv2d_input(s)), size), s, size);
}

void winograd_backward_weights(double *dw, const double *dy, const double *x, Conv2dShape s)
{
    memset(dw, 0, conv2d_filters(s) * sizeof *dw);
    correlate(dw, dy, x, s, PLAIN);
}

void winograd_gauge_backward_weights(double *gauge, const double *dy, const double *x, Conv2dShape s)
{
    correlate_sized(gauge, dy, x, s, ABSOLUTE);
}

void winograd_squares_backward_weights(double *squares, const double *dy, const double *x, Conv2dShape s)
{
    correlate_sized(squares, dy, x, s, SQUARE);
}
