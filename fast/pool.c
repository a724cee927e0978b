/* Pooling by a power of two. Twin of ref/pool.c. Bound by bytes: the engine pools by 2 from level to level,
 * which reads one tensor and writes a quarter.
 *
 * Error: max and subsample are exact; the average of factor^2 numbers has |got - ref| <= factor^2 2^-24
 * gauge. Backward adds once to each pixel: one rounding more. */
#include "isa.h"
#include "operations.h"
#include <assert.h>

/* A square of pixels of one channel: the pixel at row i, column j is at[i row + j pixel]. */
typedef struct {
    const float *at;
    size_t row, pixel;
} Square;

static Square square_at(const float *x, Shape s, int group, int y, int column, int c, int part)
{
    const size_t pixel = (size_t)s.c * LANES;
    return (Square){x + row_at(s, group, y) + column * pixel + (size_t)c * LANES + part, row_floats(s),
                    pixel};
}

/* The largest number of a square and where it stands: row * side + column, counted in the whole square. */
typedef struct {
    Vec value;
    VecMask at;
} Maximum;

static Maximum maximum_of(Square square, int factor, int i, int j, int side)
{
    if (factor == 1)
        return (Maximum){load(square.at + i * square.row + j * square.pixel), i * side + j - (VecMask){0}};
    const int half = factor / 2;
    Maximum best = maximum_of(square, half, i, j, side);
    for (int quadrant = 1; quadrant < 4; quadrant++) {
        const Maximum other =
            maximum_of(square, half, i + quadrant / 2 * half, j + quadrant % 2 * half, side);
        const VecMask better = other.value > best.value;
        best.value = choose(better, other.value, best.value);
        best.at = (better & other.at) | (~better & best.at);
    }
    return best;
}

static Vec mean_of(Square square, int factor)
{
    Vec sum = {0};
    for (int i = 0; i < factor; i++)
        for (int j = 0; j < factor; j++)
            sum += load(square.at + i * square.row + j * square.pixel);
    return sum * broadcast(1.0f / ((float)factor * factor));
}

/* The whole of the forward pass of one 2x2 square, the only one that training takes. */
static Vec maximum_of_four(Square q)
{
    const Vec a = load(q.at), b = load(q.at + q.pixel), c = load(q.at + q.row),
              d = load(q.at + q.row + q.pixel);
    const Vec upper = choose(b > a, b, a), lower = choose(d > c, d, c);
    return choose(lower > upper, lower, upper);
}

static Vec pooled(Square square, PoolMode mode, int factor)
{
    switch (mode) {
    case POOL_MAX:
        return factor == 2 ? maximum_of_four(square) : maximum_of(square, factor, 0, 0, factor).value;
    case POOL_AVERAGE:
        return mean_of(square, factor);
    default:
        return load(square.at);
    }
}

void F32(pool_forward)(float *y, const float *x, PoolMode mode, int factor, Shape s)
{
    assert(factor > 0 && (factor & (factor - 1)) == 0 && s.h % factor == 0 && s.w % factor == 0);
    const Shape out = shape_coarser(s, factor);
#pragma omp parallel for collapse(2) schedule(static)
    for (int group = 0; group < lanes_groups(s.n); group++)
        for (int yo = 0; yo < out.h; yo++) {
            float *to = y + row_at(out, group, yo);
            for (int xo = 0; xo < out.w; xo++)
                for (int c = 0; c < s.c; c++)
                    for (int part = 0; part < LANES; part += VL, to += VL)
                        store(to, pooled(square_at(x, s, group, yo * factor, xo * factor, c, part), mode,
                                         factor));
        }
}

/* Adds one gradient to its square of dx; `square` is the same square of x. */
INLINE void spread(float *dx, Square square, Vec gradient, PoolMode mode, int factor)
{
    if (mode == POOL_SUBSAMPLE) {
        store(dx, load(dx) + gradient);
        return;
    }
    const Maximum best = mode == POOL_MAX ? maximum_of(square, factor, 0, 0, factor) : (Maximum){{0}, {0}};
    const Vec part = gradient * broadcast(1.0f / ((float)factor * factor));
    for (int i = 0; i < factor; i++)
        for (int j = 0; j < factor; j++) {
            float *at = dx + i * square.row + j * square.pixel;
            store(at, load(at) +
                          (mode == POOL_MAX ? choose(best.at == i * factor + j, gradient, (Vec){0}) : part));
        }
}

/* The 2x2 maximum of training: three comparisons say which of the four it was. */
INLINE void spread_to_maximum_of_four(float *dx, Square q, Vec gradient)
{
    const Vec a = load(q.at), b = load(q.at + q.pixel), c = load(q.at + q.row),
              d = load(q.at + q.row + q.pixel);
    const VecMask right_up = b > a, right_down = d > c;
    const VecMask down = choose(right_down, d, c) > choose(right_up, b, a);
    float *dx_down = dx + q.row;
    store(dx, load(dx) + choose(~down & ~right_up, gradient, (Vec){0}));
    store(dx + q.pixel, load(dx + q.pixel) + choose(~down & right_up, gradient, (Vec){0}));
    store(dx_down, load(dx_down) + choose(down & ~right_down, gradient, (Vec){0}));
    store(dx_down + q.pixel, load(dx_down + q.pixel) + choose(down & right_down, gradient, (Vec){0}));
}

void F32(pool_backward)(float *dx, const float *dy, const float *x, PoolMode mode, int factor, Shape s)
{
    const Shape out = shape_coarser(s, factor);
#pragma omp parallel for collapse(2) schedule(static)
    for (int group = 0; group < lanes_groups(s.n); group++)
        for (int yo = 0; yo < out.h; yo++) {
            const float *from = dy + row_at(out, group, yo);
            for (int xo = 0; xo < out.w; xo++)
                for (int c = 0; c < s.c; c++)
                    for (int part = 0; part < LANES; part += VL, from += VL) {
                        const Square square = square_at(x, s, group, yo * factor, xo * factor, c, part);
                        if (mode == POOL_MAX && factor == 2)
                            spread_to_maximum_of_four(dx + (square.at - x), square, load(from));
                        else
                            spread(dx + (square.at - x), square, load(from), mode, factor);
                    }
        }
}
