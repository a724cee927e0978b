/* Upsampling by an integer factor, U_{2^r} (paper, equation 4). Along each axis, output pixel o takes from
 * input pixels i and i + 1 with weights 1 - t and t:
 *
 *     nearest:    i = floor(o / factor),  t = 0
 *     bilinear:   position = (o + 1/2) / factor - 1/2, held inside the map;  i = floor(position),
 *                 t = position - i
 *     zeros:      i = floor(o / factor),  t = 0,  where factor divides o; elsewhere from none
 *
 * Reference; its fast twin is fast/upsample.c.
 *
 * Claims: eq4. */
#include "upsample.h"
#include <assert.h>
#include <math.h>

typedef struct {
    int near, far; /* i and i + 1; i alone where that has all the weight; far < near: neither */
    double t;      /* the weight of far; near has 1 - t */
} Source;

// book: upsample_forward
static Source source_of(int o, UpsampleMode mode, int factor, int size)
{
    if (mode == UPSAMPLE_NEAREST)
        return (Source){o / factor, o / factor, 0};
    if (mode == UPSAMPLE_ZEROS)
        return (Source){o / factor, o % factor == 0 ? o / factor : o / factor - 1, 0};
    double position = fmin(fmax((o + 0.5) / factor - 0.5, 0), size - 1);
    int near = (int)position;
    return (Source){near, position > near ? near + 1 : near, position - near};
}

/* The weight of input pixel i, near or far. */
static double weight_of(Source s, int i)
{
    return i == s.near ? 1 - s.t : s.t;
}

void ref_upsample_forward(double *y, const double *x, UpsampleMode mode, int factor, Shape s)
{
    assert(factor > 0);
    const Shape out = shape_finer(s, factor);
    for (int nc = 0; nc < s.n * s.c; nc++)
        for (int yo = 0; yo < out.h; yo++)
            for (int xo = 0; xo < out.w; xo++) {
                const double *map = x + (size_t)nc * s.h * s.w;
                Source v = source_of(yo, mode, factor, s.h), u = source_of(xo, mode, factor, s.w);
                double sum = 0;
                for (int i = v.near; i <= v.far; i++)
                    for (int j = u.near; j <= u.far; j++)
                        sum += weight_of(v, i) * weight_of(u, j) * map[i * s.w + j];
                y[((size_t)nc * out.h + yo) * out.w + xo] = sum;
            }
}
// book: end

// book: upsample_backward
/* From y = sum over i and j of weight[i] weight[j] x[i][j]: each pixel of x receives dy times its weights. */
void ref_upsample_backward(double *dx, const double *dy, UpsampleMode mode, int factor, Shape s)
{
    assert(factor > 0);
    const Shape out = shape_finer(s, factor);
    for (int nc = 0; nc < s.n * s.c; nc++)
        for (int yo = 0; yo < out.h; yo++)
            for (int xo = 0; xo < out.w; xo++) {
                double *map = dx + (size_t)nc * s.h * s.w;
                double gradient = dy[((size_t)nc * out.h + yo) * out.w + xo];
                Source v = source_of(yo, mode, factor, s.h), u = source_of(xo, mode, factor, s.w);
                for (int i = v.near; i <= v.far; i++)
                    for (int j = u.near; j <= u.far; j++)
                        map[i * s.w + j] += weight_of(v, i) * weight_of(u, j) * gradient;
            }
}
// book: end
