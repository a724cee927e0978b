/* Upsampling by an integer factor, U_{2^r} (paper, equation 4). Along each axis, output pixel o takes from
 * input pixels i and i + 1 with weights 1 - t and t:
 *
 *     nearest:    i = floor(o / factor),  t = 0
 *     bilinear:   position = (o + 1/2) / factor - 1/2, held inside the map;  i = floor(position),  t =
 * position - i
 *
 * Reference; its fast twin is fast/upsample.c. */
#include "upsample.h"
#include <assert.h>
#include <math.h>

typedef struct {
    int near, far; /* i, and i + 1 held inside the map */
    double t;      /* the weight of far; near has 1 - t */
} Source;

// book: upsample_forward
static Source source_of(int o, UpsampleMode mode, int factor, int size)
{
    if (mode == UPSAMPLE_NEAREST)
        return (Source){o / factor, o / factor, 0};
    double position = fmin(fmax((o + 0.5) / factor - 0.5, 0), size - 1);
    int near = (int)position;
    return (Source){near, near + 1 < size ? near + 1 : near, position - near};
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
                double upper = (1 - u.t) * map[v.near * s.w + u.near] + u.t * map[v.near * s.w + u.far];
                double lower = (1 - u.t) * map[v.far * s.w + u.near] + u.t * map[v.far * s.w + u.far];
                y[((size_t)nc * out.h + yo) * out.w + xo] = (1 - v.t) * upper + v.t * lower;
            }
}
// book: end

// book: upsample_backward
/* From y = (1 - v) ((1 - u) x[near][near] + u x[near][far]) + v ((1 - u) x[far][near] + u x[far][far]): each
 * pixel of x receives dy times its weight. */
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
                map[v.near * s.w + u.near] += (1 - v.t) * (1 - u.t) * gradient;
                map[v.near * s.w + u.far] += (1 - v.t) * u.t * gradient;
                map[v.far * s.w + u.near] += v.t * (1 - u.t) * gradient;
                map[v.far * s.w + u.far] += v.t * u.t * gradient;
            }
}
// book: end
