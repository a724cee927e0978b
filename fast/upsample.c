/* Upsampling by an integer factor. Twin of ref/upsample.c. Bound by bytes (with nearest upsampling the engine
 * never forms the finer map: fast/engine/multires.c).
 *
 * Error: nearest is exact forward; bilinear forward rounds three interpolations, |got - ref| <= 8 2^-24 gauge
 * (its weights are exact for powers of two). Backward sums n = factor^2 (nearest) or 4 factor^2 (bilinear)
 * terms: |got - ref| <= (n + 4) 2^-24 gauge. In bf16 forward and backward are one rounding of 2^-8 more: sums
 * are float, and stored once. */
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

/* The output pixels of one axis that take from input pixel `from`, and the weights with which they do. */
typedef struct {
    int first, last;
} Reach;

static Reach reach_of(int from, int factor, int size)
{
    const int first = (from - 1) * factor, last = (from + 2) * factor;
    return (Reach){first > 0 ? first : 0, last < size * factor ? last : size * factor};
}

/* At the map's border both ends may be the same pixel. */
INLINE float weight_of(Source s, int from)
{
    return (s.near == from ? 1 - s.t : 0) + (s.far == from ? s.t : 0);
}

/* Bilinear: each pixel of dx gathers from up to 3 factor x 3 factor pixels of dy, of which half have weight
 * 0, so that the sum is float and is stored once. */
static void bilinear_backward(Word *dx, const Word *dy, int factor, Shape s)
{
    const Shape out = shape_finer(s, factor);
    const size_t pixel = pixel_words(s);
#pragma omp parallel for collapse(2) schedule(static)
    for (int group = 0; group < lanes_groups(s.n); group++)
        for (int y = 0; y < s.h; y++)
            for (int x = 0; x < s.w; x++) {
                Word *to = dx + row_at(s, group, y) + x * pixel;
                const Reach rows = reach_of(y, factor, s.h), columns = reach_of(x, factor, s.w);
                for (size_t i = 0; i < pixel; i += VL) {
                    Unit sum = load_unit(to + i);
                    for (int yo = rows.first; yo < rows.last; yo++) {
                        const float v = weight_of(source_of(yo, UPSAMPLE_BILINEAR, factor, s.h), y);
                        const Word *from = dy + row_at(out, group, yo) + i;
                        for (int xo = columns.first; v != 0 && xo < columns.last; xo++) {
                            const float u = weight_of(source_of(xo, UPSAMPLE_BILINEAR, factor, s.w), x);
                            if (u != 0)
                                sum = add_units(sum, scale_unit(load_unit(from + xo * pixel), v * u));
                        }
                    }
                    store_unit(to + i, sum);
                }
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
