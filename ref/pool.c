/* Pooling by a power of two, S_{2^r} (paper, equation 2). One step takes each 2x2 square to
 *
 *     max:        its maximum          average:  its mean          subsample:  its upper left pixel
 *
 * and factor 2^r is r steps. A NaN is larger than every number. Reference; its fast twin is fast/pool.c.
 *
 * Claims: eq2. */
#include "pool.h"
#include <assert.h>
#include <math.h>

static void check_shape(int factor, Shape s)
{
    assert(factor > 0 && (factor & (factor - 1)) == 0);
    assert(s.h % factor == 0 && s.w % factor == 0);
    (void)factor, (void)s;
}

// book: pool_forward
/* Where, in the square of `factor` x `factor` pixels whose upper left is x[at], the maximum stands that r
 * steps of 2x2 find: the best of the four quadrants' maxima, the first in row-major order if they are equal.
 */
static size_t maximum_at(const double *x, size_t at, int factor, int width)
{
    if (factor == 1)
        return at;
    const int half = factor / 2;
    size_t best = maximum_at(x, at, half, width);
    for (int quadrant = 1; quadrant < 4; quadrant++) {
        size_t corner = at + (size_t)(quadrant / 2) * half * width + (size_t)(quadrant % 2) * half;
        size_t candidate = maximum_at(x, corner, half, width);
        if (x[candidate] > x[best] || isnan(x[candidate]))
            best = candidate;
    }
    return best;
}

/* r steps of 2x2 means are the mean of the whole square. */
static double mean_of(const double *x, size_t at, int factor, int width)
{
    double sum = 0;
    for (int i = 0; i < factor; i++)
        for (int j = 0; j < factor; j++)
            sum += x[at + (size_t)i * width + j];
    return sum / ((double)factor * factor);
}

void ref_pool_forward(double *y, const double *x, PoolMode mode, int factor, Shape s)
{
    check_shape(factor, s);
    const Shape out = shape_coarser(s, factor);
    for (int nc = 0; nc < s.n * s.c; nc++)
        for (int yo = 0; yo < out.h; yo++)
            for (int xo = 0; xo < out.w; xo++) {
                size_t to = ((size_t)nc * out.h + yo) * out.w + xo;
                size_t from = ((size_t)nc * s.h + (size_t)yo * factor) * s.w + (size_t)xo * factor;
                switch (mode) {
                case POOL_MAX:
                    y[to] = x[maximum_at(x, from, factor, s.w)];
                    break;
                case POOL_AVERAGE:
                    y[to] = mean_of(x, from, factor, s.w);
                    break;
                case POOL_SUBSAMPLE:
                    y[to] = x[from];
                    break;
                }
            }
}
// book: end

// book: pool_backward
/* From y[to] = x[maximum], or x[from], or the mean over the square: dy goes to the pixel that was taken, or
 * in equal parts to all. */
void ref_pool_backward(double *dx, const double *dy, const double *x, PoolMode mode, int factor, Shape s)
{
    check_shape(factor, s);
    const Shape out = shape_coarser(s, factor);
    for (int nc = 0; nc < s.n * s.c; nc++)
        for (int yo = 0; yo < out.h; yo++)
            for (int xo = 0; xo < out.w; xo++) {
                size_t to = ((size_t)nc * out.h + yo) * out.w + xo;
                size_t from = ((size_t)nc * s.h + (size_t)yo * factor) * s.w + (size_t)xo * factor;
                switch (mode) {
                case POOL_MAX:
                    dx[maximum_at(x, from, factor, s.w)] += dy[to];
                    break;
                case POOL_AVERAGE:
                    for (int i = 0; i < factor; i++)
                        for (int j = 0; j < factor; j++)
                            dx[from + (size_t)i * s.w + j] += dy[to] / ((double)factor * factor);
                    break;
                case POOL_SUBSAMPLE:
                    dx[from] += dy[to];
                    break;
                }
            }
}
// book: end
