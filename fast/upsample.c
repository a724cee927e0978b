/* Upsampling by an integer factor. Twin of ref/upsample.c. Bound by bytes (with nearest upsampling the engine
 * never forms the finer map: fast/engine/multires.c).
 *
 * Error: nearest is exact forward; bilinear forward rounds three interpolations, |got - ref| <= 8 2^-24 gauge
 * (its weights are exact for powers of two). Backward sums n = factor^2 (nearest) or 4 factor^2 (bilinear)
 * terms: |got - ref| <= (n + 4) 2^-24 gauge. In bf16 forward is one rounding of 2^-8 more, and backward too
 * with nearest upsampling; bilinear backward stores every sum, n roundings. */
#include "operations.h"
#include "simd/isa.h"
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

INLINE Unit interpolate(Unit near, Unit far, float t)
{
    return t == 0 ? near : add_units(scale_unit(near, 1 - t), scale_unit(far, t));
}

void SET(upsample_forward)(Word *y, const Word *x, UpsampleMode mode, int factor, Shape s)
{
    assert(factor > 0);
    const Shape out = shape_finer(s, factor);
    const size_t pixel = pixel_words(s);
#pragma omp parallel for collapse(2) schedule(static)
    for (int group = 0; group < lanes_groups(s.n); group++)
        for (int yo = 0; yo < out.h; yo++) {
            const Source v = source_of(yo, mode, factor, s.h);
            const Word *upper = x + row_at(s, group, v.near), *lower = x + row_at(s, group, v.far);
            Word *to = y + row_at(out, group, yo);
            for (int xo = 0; xo < out.w; xo++, to += pixel) {
                const Source u = source_of(xo, mode, factor, s.w);
                const size_t near = u.near * pixel, far = u.far * pixel;
                for (size_t i = 0; i < pixel; i += VL) {
                    const Unit up = interpolate(load_unit(upper + near + i), load_unit(upper + far + i), u.t);
                    const Unit down =
                        interpolate(load_unit(lower + near + i), load_unit(lower + far + i), u.t);
                    store_unit(to + i, interpolate(up, down, v.t));
                }
            }
        }
}

/* Nearest: each pixel of dx gathers its square of dy. */
static void nearest_backward(Word *dx, const Word *dy, int factor, Shape s)
{
    const Shape out = shape_finer(s, factor);
    const size_t pixel = pixel_words(s);
#pragma omp parallel for collapse(2) schedule(static)
    for (int group = 0; group < lanes_groups(s.n); group++)
        for (int y = 0; y < s.h; y++)
            for (int x = 0; x < s.w; x++) {
                Word *to = dx + row_at(s, group, y) + x * pixel;
                const Word *from = dy + row_at(out, group, y * factor) + (size_t)x * factor * pixel;
                for (size_t i = 0; i < pixel; i += VL) {
                    Unit sum = load_unit(to + i);
                    for (int row = 0; row < factor; row++)
                        for (int column = 0; column < factor; column++)
                            sum = add_units(sum, load_unit(from + row * row_words(out) + column * pixel + i));
                    store_unit(to + i, sum);
                }
            }
}

INLINE void add_scaled(Word *to, float scale, const Word *from, size_t count)
{
    for (size_t i = 0; i < count; i += VL)
        store_unit(to + i, add_units(load_unit(to + i), scale_unit(load_unit(from + i), scale)));
}

/* Bilinear: each pixel of dy hands its gradient to four pixels of dx; a group is one thread's. */
static void bilinear_backward(Word *dx, const Word *dy, int factor, Shape s)
{
    const Shape out = shape_finer(s, factor);
    const size_t pixel = pixel_words(s);
#pragma omp parallel for schedule(static)
    for (int group = 0; group < lanes_groups(s.n); group++)
        for (int yo = 0; yo < out.h; yo++)
            for (int xo = 0; xo < out.w; xo++) {
                const Source v = source_of(yo, UPSAMPLE_BILINEAR, factor, s.h);
                const Source u = source_of(xo, UPSAMPLE_BILINEAR, factor, s.w);
                const Word *from = dy + row_at(out, group, yo) + xo * pixel;
                Word *upper = dx + row_at(s, group, v.near), *lower = dx + row_at(s, group, v.far);
                add_scaled(upper + u.near * pixel, (1 - v.t) * (1 - u.t), from, pixel);
                add_scaled(upper + u.far * pixel, (1 - v.t) * u.t, from, pixel);
                add_scaled(lower + u.near * pixel, v.t * (1 - u.t), from, pixel);
                add_scaled(lower + u.far * pixel, v.t * u.t, from, pixel);
            }
}

void SET(upsample_backward)(Word *dx, const Word *dy, UpsampleMode mode, int factor, Shape s)
{
    assert(factor > 0);
    if (mode == UPSAMPLE_NEAREST)
        nearest_backward(dx, dy, factor, s);
    else
        bilinear_backward(dx, dy, factor, s);
}
