/* Pooling by a power of two. Twin of ref/pool.c. Bound by bytes: the engine pools by 2 from level to level,
 * which reads one tensor and writes a quarter, and a mark for each maximum (fast/pool.h). Where a level
 * convolves by Winograd's algorithm, gather pools and scatter adds what pooling hands back
 * (fast/conv2d/winograd_tiles.h); elsewhere pooling is a pass of its own, forward (pool_forward_marked) and,
 * by the marks, backward (unpool), which a direct convolution then adds to.
 *
 * Error: max and subsample are exact; the average of factor^2 numbers has |got - ref| <= factor^2 2^-24
 * gauge. Backward adds once to each pixel: one rounding more. In bf16 each tensor written is one more
 * rounding of 2^-8.
 *
 * Claims: eq2. */
#include "pool.h"
#include <assert.h>

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
            const VecMask better = exceeds(other.value.channel[i], best.value.channel[i]);
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

/* The maximum of a 2x2 square, and which of its pixels that is. */
INLINE Unit maximum_of_four(Square q, UnitMask *which)
{
    const Unit square[4] = {load_unit(q.at), load_unit(q.at + q.pixel), load_unit(q.at + q.row),
                            load_unit(q.at + q.row + q.pixel)};
    return square_maximum(square, which);
}

static Unit pooled(Square square, PoolMode mode, int factor)
{
    UnitMask which;
    switch (mode) {
    case POOL_MAX:
        return factor == 2 ? maximum_of_four(square, &which) : maximum_of(square, factor, 0, 0, factor).value;
    case POOL_AVERAGE:
        return mean_of(square, factor);
    default:
        return load_unit(square.at);
    }
}

/* With marks, the maxima of 2x2 squares. */
static void pool(Word *y, Mark *marks, const Word *x, PoolMode mode, int factor, Shape s)
{
    assert(factor > 0 && (factor & (factor - 1)) == 0 && s.h % factor == 0 && s.w % factor == 0);
    const Shape out = shape_coarser(s, factor);
#pragma omp parallel for collapse(2) schedule(static)
    for (int group = 0; group < lanes_groups(s.n); group++)
        for (int yo = 0; yo < out.h; yo++) {
            size_t to = row_at(out, group, yo);
            for (int xo = 0; xo < out.w; xo++)
                for (int unit = 0; unit < units_of(s.c); unit++)
                    for (int part = 0; part < LANES; part += VL, to += VL) {
                        const Square square = square_at(x, s, group, yo * factor, xo * factor, unit, part);
                        UnitMask which;
                        store_unit(y + to,
                                   marks ? maximum_of_four(square, &which) : pooled(square, mode, factor));
                        if (marks)
                            store_marks(marks + to * UNIT, which);
                    }
        }
}

void SET(pool_forward)(Word *y, const Word *x, PoolMode mode, int factor, Shape s)
{
    pool(y, NULL, x, mode, factor, s);
}

void SET(pool_forward_marked)(Word *y, Mark *marks, const Word *x, Shape s)
{
    pool(y, marks, x, POOL_MAX, 2, s);
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

/* The same for the 2x2 squares of training. */
INLINE void spread_to_four(Word *dx, Square square, Unit gradient, PoolMode mode)
{
    Unit share[4];
    UnitMask which = {{{0}}};
    if (mode == POOL_MAX)
        maximum_of_four(square, &which);
    pooled_shares(share, gradient, which, mode);
    for (int p = 0; p < 4; p++) {
        Word *at = dx + p / 2 * square.row + p % 2 * square.pixel;
        store_unit(at, add_units(load_unit(at), share[p]));
    }
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
                        if (factor == 2 && mode != POOL_SUBSAMPLE)
                            spread_to_four(dx + (square.at - x), square, load_unit(from), mode);
                        else
                            spread(dx + (square.at - x), square, load_unit(from), mode, factor);
                    }
        }
}

void SET(unpool_rows)(Word *dx, const Unpooling *unpooling, Shape s, int group, int y)
{
    const Shape out = shape_coarser(s, 2);
    size_t from = row_at(out, group, y);
    Word *to = dx + row_at(s, group, 2 * y);
    for (int x = 0; x < out.w; x++, to += pixel_words(s))
        for (size_t i = 0; i < pixel_words(s); i += VL, from += VL, to += VL) {
            Unit share[4];
            unpooled_shares(share, unpooling, from);
            store_unit(to, share[0]);
            store_unit(to + pixel_words(s), share[1]);
            store_unit(to + row_words(s), share[2]);
            store_unit(to + row_words(s) + pixel_words(s), share[3]);
        }
}

void SET(square_row)(Word *squares, const Word *x, int first, int end, Shape s, int group, int y)
{
    const Shape out = shape_coarser(s, 2);
    Word *to = squares + row_at(out, group, y);
    for (int column = 0; column < out.w; column++, to += pixel_words(s))
        for (int unit = first; unit < end; unit++)
            for (int part = 0; part < LANES; part += VL)
                store_unit(to + (size_t)unit * LANES + part,
                           square_sum(square_at(x, s, group, 2 * y, 2 * column, unit, part)));
}

void SET(unpool)(Word *dx, const Unpooling *unpooling, Shape s)
{
    assert(s.h % 2 == 0 && s.w % 2 == 0);
#pragma omp parallel for collapse(2) schedule(static)
    for (int group = 0; group < lanes_groups(s.n); group++)
        for (int y = 0; y < s.h / 2; y++)
            SET(unpool_rows)(dx, unpooling, s, group, y);
}
