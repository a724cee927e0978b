/* Upsampling by an integer factor. Twin of ref/upsample.c. Bound by bytes (with nearest upsampling the engine
 * never forms the finer map: fast/engine/multires.c).
 *
 * Error: nearest and zeros are exact forward; bilinear forward rounds three interpolations, |got - ref| <= 8
 * 2^-24 gauge (its weights are exact for powers of two). Backward sums n = factor^2 (nearest), 4 factor^2
 * (bilinear) or 1 (zeros) terms in float and stores the sum once: |got - ref| <= (n + 4) 2^-24 gauge. In bf16
 * either pass is one rounding of 2^-8 more.
 *
 * Claims: eq4. */
#include "operations.h"
#include "simd/isa.h"
#include <assert.h>
#include <string.h>

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
    return (Source){near, position > near ? near + 1 : near, position - near};
}

INLINE Unit interpolate(Unit near, Unit far, float t)
{
    return t == 0 ? near : add_units(scale_unit(near, 1 - t), scale_unit(far, t));
}

/* Each pixel of x at the upper left of its square. */
static void zeros_forward(Word *y, const Word *x, int factor, Shape s)
{
    const Shape out = shape_finer(s, factor);
    const size_t pixel = pixel_words(s);
#pragma omp parallel for collapse(2) schedule(static)
    for (int group = 0; group < lanes_groups(s.n); group++)
        for (int yo = 0; yo < out.h; yo++) {
            Word *to = y + row_at(out, group, yo);
            memset(to, 0, row_words(out) * sizeof *to);
            for (int i = 0; yo % factor == 0 && i < s.w; i++)
                memcpy(to + i * factor * pixel, x + row_at(s, group, yo / factor) + i * pixel,
                       pixel * sizeof *to);
        }
}

void SET(upsample_forward)(Word *y, const Word *x, UpsampleMode mode, int factor, Shape s)
{
    assert(factor > 0);
    if (mode == UPSAMPLE_ZEROS) {
        zeros_forward(y, x, factor, s);
        return;
    }
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

enum { STRIP = 4 }; /* registers of words whose sums are taken together */

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

/* Zeros: each pixel of dx gets the upper left of its square of dy. */
static void zeros_backward(Word *dx, const Word *dy, int factor, Shape s)
{
    const Shape out = shape_finer(s, factor);
    const size_t pixel = pixel_words(s);
#pragma omp parallel for collapse(2) schedule(static)
    for (int group = 0; group < lanes_groups(s.n); group++)
        for (int y = 0; y < s.h; y++)
            for (int x = 0; x < s.w; x++) {
                Word *to = dx + row_at(s, group, y) + x * pixel;
                const Word *from = dy + row_at(out, group, y * factor) + (size_t)x * factor * pixel;
                for (size_t i = 0; i < pixel; i += VL)
                    store_unit(to + i, add_units(load_unit(to + i), load_unit(from + i)));
            }
}

/* Where the pixels of dx along one axis take from in dy, and with which weight: pixel i lies in the middle of
 * `factor` pixels, and half as many more on either side interpolate between it and its neighbour. */
typedef struct {
    int from, end;
} Range;

static Range gathered(int i, int factor, int size)
{
    const int from = ((2 * i - 1) * factor + 1) / 2, end = (2 * i + 3) * factor / 2;
    return (Range){i == 0 ? 0 : from, i == size - 1 ? size * factor : end};
}

INLINE float weight_of(int i, int o, int factor, int size)
{
    const Source source = source_of(o, UPSAMPLE_BILINEAR, factor, size);
    return i == source.near ? 1 - source.t : source.t;
}

/* Bilinear: each pixel of dx gathers, too, so that bf16 rounds its sum once. `count` registers of words of
 * pixel x in row y, at `to`. */
INLINE void gather_bilinear(Word *to, const Word *dy, int y, int x, int factor, Shape s, const int count)
{
    const Shape out = shape_finer(s, factor);
    const Range rows = gathered(y, factor, s.h), columns = gathered(x, factor, s.w);
    Unit sum[STRIP] = {{{{0}}}};
    for (int row = rows.from; row < rows.end; row++) {
        const float share = weight_of(y, row, factor, s.h);
        for (int column = columns.from; column < columns.end; column++) {
            const Word *from = dy + row * row_words(out) + column * pixel_words(s);
            const float weight = share * weight_of(x, column, factor, s.w);
#pragma GCC unroll 4
            for (int i = 0; i < count; i++)
                sum[i] = add_units(sum[i], scale_unit(load_unit(from + i * VL), weight));
        }
    }
#pragma GCC unroll 4
    for (int i = 0; i < count; i++)
        store_unit(to + i * VL, add_units(load_unit(to + i * VL), sum[i]));
}

static void bilinear_backward(Word *dx, const Word *dy, int factor, Shape s)
{
    const size_t pixel = pixel_words(s), group_dy = group_words(shape_finer(s, factor));
#pragma omp parallel for collapse(2) schedule(static)
    for (int group = 0; group < lanes_groups(s.n); group++)
        for (int y = 0; y < s.h; y++)
            for (int x = 0; x < s.w; x++) {
                Word *to = dx + row_at(s, group, y) + x * pixel;
                const Word *from = dy + group * group_dy;
                size_t i = 0;
                for (; i + STRIP * VL <= pixel; i += STRIP * VL)
                    gather_bilinear(to + i, from + i, y, x, factor, s, STRIP);
                for (; i < pixel; i += VL)
                    gather_bilinear(to + i, from + i, y, x, factor, s, 1);
            }
}

void SET(upsample_backward)(Word *dx, const Word *dy, UpsampleMode mode, int factor, Shape s)
{
    assert(factor > 0);
    if (mode == UPSAMPLE_NEAREST)
        nearest_backward(dx, dy, factor, s);
    else if (mode == UPSAMPLE_ZEROS)
        zeros_backward(dx, dy, factor, s);
    else
        bilinear_backward(dx, dy, factor, s);
}
