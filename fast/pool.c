/* Pooling by a power of two. Twin of ref/pool.c. Bound by bytes: the engine pools by 2 from level to level,
 * which reads one tensor and writes a quarter.
 *
 * Error: max and subsample are exact; the average of factor^2 numbers has |got - ref| <= factor^2 2^-24
 * gauge. Backward adds once to each pixel: one rounding more. In bf16 each tensor written is one more
 * rounding of 2^-8. */
#include "isa.h"
#include "operations.h"
#include <assert.h>

/* A square of pixels of one unit: the pixel at row i, column j is at[i row + j pixel]. */
typedef struct {
    const Word *at;
    size_t row, pixel;
} Square;

static Square square_at(const Word *x, Shape s, int group, int y, int column, int unit, int part)
{
    const size_t pixel = pixel_words(s);
    return (Square){x + row_at(s, group, y) + column * pixel + (size_t)unit * LANES + part, row_words(s),
                    pixel};
}

/* The largest numbers of a square and where they stand: row * side + column, counted in the whole square. */
typedef struct {
    Unit value;
    UnitMask at;
} Maximum;

static Maximum maximum_of(Square square, int factor, int row, int column, int side)
{
    Maximum best;
    if (factor == 1) {
        best.value = load_unit(square.at + row * square.row + column * square.pixel);
        UNROLL_UNIT
        for (int i = 0; i < UNIT; i++)
            best.at.channel[i] = row * side + column - (VecMask){0};
        return best;
    }
    const int half = factor / 2;
    best = maximum_of(square, half, row, column, side);
    for (int quadrant = 1; quadrant < 4; quadrant++) {
        const Maximum other =
            maximum_of(square, half, row + quadrant / 2 * half, column + quadrant % 2 * half, side);
        UNROLL_UNIT
        for (int i = 0; i < UNIT; i++) {
            const VecMask better = other.value.channel[i] > best.value.channel[i];
            best.value.channel[i] = choose(better, other.value.channel[i], best.value.channel[i]);
            best.at.channel[i] = (better & other.at.channel[i]) | (~better & best.at.channel[i]);
        }
    }
    return best;
}

static Unit mean_of(Square square, int factor)
{
    Unit sum = {{{0}}};
    for (int i = 0; i < factor; i++)
        for (int j = 0; j < factor; j++)
            sum = add_units(sum, load_unit(square.at + i * square.row + j * square.pixel));
    return scale_unit(sum, 1.0f / ((float)factor * factor));
}

/* The four pixels of a 2x2 square, the only one that training takes. */
typedef struct {
    Unit a, b, c, d; /* upper left, upper right, lower left, lower right */
} Four;

INLINE Four load_four(Square q)
{
    return (Four){load_unit(q.at), load_unit(q.at + q.pixel), load_unit(q.at + q.row),
                  load_unit(q.at + q.row + q.pixel)};
}

static Unit maximum_of_four(Square q)
{
    const Four x = load_four(q);
    Unit best;
    UNROLL_UNIT
    for (int i = 0; i < UNIT; i++) {
        const Vec upper = choose(x.b.channel[i] > x.a.channel[i], x.b.channel[i], x.a.channel[i]);
        const Vec lower = choose(x.d.channel[i] > x.c.channel[i], x.d.channel[i], x.c.channel[i]);
        best.channel[i] = choose(lower > upper, lower, upper);
    }
    return best;
}

static Unit pooled(Square square, PoolMode mode, int factor)
{
    switch (mode) {
    case POOL_MAX:
        return factor == 2 ? maximum_of_four(square) : maximum_of(square, factor, 0, 0, factor).value;
    case POOL_AVERAGE:
        return mean_of(square, factor);
    default:
        return load_unit(square.at);
    }
}

void SET(pool_forward)(Word *y, const Word *x, PoolMode mode, int factor, Shape s)
{
    assert(factor > 0 && (factor & (factor - 1)) == 0 && s.h % factor == 0 && s.w % factor == 0);
    const Shape out = shape_coarser(s, factor);
#pragma omp parallel for collapse(2) schedule(static)
    for (int group = 0; group < lanes_groups(s.n); group++)
        for (int yo = 0; yo < out.h; yo++) {
            Word *to = y + row_at(out, group, yo);
            for (int xo = 0; xo < out.w; xo++)
                for (int unit = 0; unit < units_of(s.c); unit++)
                    for (int part = 0; part < LANES; part += VL, to += VL)
                        store_unit(to, pooled(square_at(x, s, group, yo * factor, xo * factor, unit, part),
                                              mode, factor));
        }
}

/* Adds one gradient to its square of dx; `square` is the same square of x. */
INLINE void spread(Word *dx, Square square, Unit gradient, PoolMode mode, int factor)
{
    if (mode == POOL_SUBSAMPLE) {
        store_unit(dx, add_units(load_unit(dx), gradient));
        return;
    }
    const Maximum best = maximum_of(square, factor, 0, 0, factor);
    const Unit share = scale_unit(gradient, 1.0f / ((float)factor * factor));
    for (int row = 0; row < factor; row++)
        for (int column = 0; column < factor; column++) {
            Word *at = dx + row * square.row + column * square.pixel;
            UnitMask here;
            UNROLL_UNIT
            for (int i = 0; i < UNIT; i++)
                here.channel[i] = best.at.channel[i] == row * factor + column;
            store_unit(at, add_units(load_unit(at), mode == POOL_MAX ? keep_units(here, gradient) : share));
        }
}

INLINE void add_where(Word *dx, UnitMask mask, Unit gradient)
{
    store_unit(dx, add_units(load_unit(dx), keep_units(mask, gradient)));
}

/* The 2x2 maximum of training: three comparisons say which of the four it was. */
INLINE void spread_to_maximum_of_four(Word *dx, Square q, Unit gradient)
{
    const Four x = load_four(q);
    UnitMask a, b, c, d;
    UNROLL_UNIT
    for (int i = 0; i < UNIT; i++) {
        const VecMask right_up = x.b.channel[i] > x.a.channel[i],
                      right_down = x.d.channel[i] > x.c.channel[i];
        const VecMask down = choose(right_down, x.d.channel[i], x.c.channel[i]) >
                             choose(right_up, x.b.channel[i], x.a.channel[i]);
        a.channel[i] = ~down & ~right_up;
        b.channel[i] = ~down & right_up;
        c.channel[i] = down & ~right_down;
        d.channel[i] = down & right_down;
    }
    add_where(dx, a, gradient);
    add_where(dx + q.pixel, b, gradient);
    add_where(dx + q.row, c, gradient);
    add_where(dx + q.row + q.pixel, d, gradient);
}

void SET(pool_backward)(Word *dx, const Word *dy, const Word *x, PoolMode mode, int factor, Shape s)
{
    const Shape out = shape_coarser(s, factor);
#pragma omp parallel for collapse(2) schedule(static)
    for (int group = 0; group < lanes_groups(s.n); group++)
        for (int yo = 0; yo < out.h; yo++) {
            const Word *from = dy + row_at(out, group, yo);
            for (int xo = 0; xo < out.w; xo++)
                for (int unit = 0; unit < units_of(s.c); unit++)
                    for (int part = 0; part < LANES; part += VL, from += VL) {
                        const Square square = square_at(x, s, group, yo * factor, xo * factor, unit, part);
                        if (mode == POOL_MAX && factor == 2)
                            spread_to_maximum_of_four(dx + (square.at - x), square, load_unit(from));
                        else
                            spread(dx + (square.at - x), square, load_unit(from), mode, factor);
                    }
        }
}
