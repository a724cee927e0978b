/* Upsampling by an integer factor. Twin of ref/upsample.c. Bound by bytes (with nearest upsampling the engine
 * never forms the finer map: fast/multires.c).
 *
 * Error: nearest is exact forward; bilinear forward rounds three interpolations, |got - ref| <= 8 2^-24 gauge
 * (its weights are exact for powers of two). Backward sums n = factor^2 (nearest) or 4 factor^2 (bilinear)
 * terms: |got - ref| <= (n + 4) 2^-24 gauge. */
#include "isa.h"
#include "operations.h"
#include <assert.h>

/* Where output pixel o of one axis takes from: near with weight 1 - t, far with weight t. */
typedef struct {
    int near, far;
    float t;
} Source;

static Source source_of(int o, UpsampleMode mode, int factor, int size)
{
    if (mode == UPSAMPLE_NEAREST)
        return (Source){o / factor, o / factor, 0};
    float position = (o + 0.5f) / factor - 0.5f;
    position = position < 0 ? 0 : position > size - 1 ? size - 1 : position;
    const int near = (int)position;
    return (Source){near, near + 1 < size ? near + 1 : near, position - near};
}

static Vec interpolate(const float *near, const float *far, float t)
{
    return t == 0 ? load(near) : broadcast(1 - t) * load(near) + broadcast(t) * load(far);
}

void F32(upsample_forward)(float *y, const float *x, UpsampleMode mode, int factor, Shape s)
{
    assert(factor > 0);
    const Shape out = shape_finer(s, factor);
    const size_t pixel = (size_t)s.c * LANES;
#pragma omp parallel for collapse(2) schedule(static)
    for (int group = 0; group < lanes_groups(s.n); group++)
        for (int yo = 0; yo < out.h; yo++) {
            const Source v = source_of(yo, mode, factor, s.h);
            const float *upper = x + row_at(s, group, v.near), *lower = x + row_at(s, group, v.far);
            float *to = y + row_at(out, group, yo);
            for (int xo = 0; xo < out.w; xo++, to += pixel) {
                const Source u = source_of(xo, mode, factor, s.w);
                const size_t near = u.near * pixel, far = u.far * pixel;
                for (size_t i = 0; i < pixel; i += VL) {
                    const Vec up = interpolate(upper + near + i, upper + far + i, u.t);
                    const Vec down = interpolate(lower + near + i, lower + far + i, u.t);
                    store(to + i, v.t == 0 ? up : broadcast(1 - v.t) * up + broadcast(v.t) * down);
                }
            }
        }
}

/* Nearest: each pixel of dx gathers its square of dy. */
static void nearest_backward(float *dx, const float *dy, int factor, Shape s)
{
    const Shape out = shape_finer(s, factor);
    const size_t pixel = (size_t)s.c * LANES;
#pragma omp parallel for collapse(2) schedule(static)
    for (int group = 0; group < lanes_groups(s.n); group++)
        for (int y = 0; y < s.h; y++)
            for (int x = 0; x < s.w; x++) {
                float *to = dx + row_at(s, group, y) + x * pixel;
                const float *from = dy + row_at(out, group, y * factor) + (size_t)x * factor * pixel;
                for (size_t i = 0; i < pixel; i += VL) {
                    Vec sum = load(to + i);
                    for (int row = 0; row < factor; row++)
                        for (int column = 0; column < factor; column++)
                            sum += load(from + row * row_floats(out) + column * pixel + i);
                    store(to + i, sum);
                }
            }
}

INLINE void add_scaled(float *to, float scale, const float *from, size_t count)
{
    for (size_t i = 0; i < count; i += VL)
        store(to + i, load(to + i) + broadcast(scale) * load(from + i));
}

/* Bilinear: each pixel of dy hands its gradient to four pixels of dx; a group is one thread's. */
static void bilinear_backward(float *dx, const float *dy, int factor, Shape s)
{
    const Shape out = shape_finer(s, factor);
    const size_t pixel = (size_t)s.c * LANES;
#pragma omp parallel for schedule(static)
    for (int group = 0; group < lanes_groups(s.n); group++)
        for (int yo = 0; yo < out.h; yo++)
            for (int xo = 0; xo < out.w; xo++) {
                const Source v = source_of(yo, UPSAMPLE_BILINEAR, factor, s.h);
                const Source u = source_of(xo, UPSAMPLE_BILINEAR, factor, s.w);
                const float *from = dy + row_at(out, group, yo) + xo * pixel;
                float *upper = dx + row_at(s, group, v.near), *lower = dx + row_at(s, group, v.far);
                add_scaled(upper + u.near * pixel, (1 - v.t) * (1 - u.t), from, pixel);
                add_scaled(upper + u.far * pixel, (1 - v.t) * u.t, from, pixel);
                add_scaled(lower + u.near * pixel, v.t * (1 - u.t), from, pixel);
                add_scaled(lower + u.far * pixel, v.t * u.t, from, pixel);
            }
}

void F32(upsample_backward)(float *dx, const float *dy, UpsampleMode mode, int factor, Shape s)
{
    assert(factor > 0);
    if (mode == UPSAMPLE_NEAREST)
        nearest_backward(dx, dy, factor, s);
    else
        bilinear_backward(dx, dy, factor, s);
}
