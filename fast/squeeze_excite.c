/* Squeeze-and-excitation, and the passes of MBConv around it. Twin of ref/squeeze_excite.c.
 *
 * Bound by bytes: forward reads x for the averages, and again to scale it, and writes y, since a gate needs
 * the average of every channel; backward reads dy and x for the gates' gradients, then dy, and writes dx.
 * Within MBConv the input is not x but swish(scale x + shift), batch norm and swish of a tensor that is
 * there: formed where it is read, in each of these passes, it is never stored. CHANNELS channels of a pixel
 * are read at a time, whose sums stay in the first cache; RUN pixels at a time share the gates, which are
 * four bytes an image where a pixel of bf16 is two. Pixels of 768 channels lie 24 or 48 KiB apart, where no
 * hardware prefetcher follows from one to the next: what is read is fetched AHEAD units, or a pixel, before,
 * which in bf16 makes each pass a quarter to a third faster. What is between the averages and the gates are
 * matrices, of a few thousand products an image (fast/linear.c).
 *
 * Error, with u = scale x + shift where scale and shift were rounded once from double, U = |scale x| +
 * |shift|: u is wrong by 3 2^-24 U. |swish'| <= 1.1 and |swish''| <= 1/2, so that
 *
 *     swish(u)                      (9 |swish(u)| + 4 U) 2^-24
 *     swish'(u)                     (20 (s + |u| s (1 - s)) + 2 U) 2^-24
 *     average, of terms t           sums of rows, then over rows: (H + W + 2) 2^-24 average |t|, and what t
 * has gradient of the gate          the same with terms dy t, one product more gate of a sum of n terms and a
 * bias: |sigmoid'| <= 1/4, ((n + 2) gauge / 4 + 8 gate) 2^-24
 *
 * and each product and sum after that one rounding; in bf16 a tensor that is stored one of 2^-8 more. */
#include "operations.h"
#include "simd/logistic.h"
#include <string.h>

enum { CHANNELS = 64, BLOCK = CHANNELS / UNIT, RUN = 4, AHEAD = 16 };

/* One unit of the input: x itself, or swish(scale x + shift). A channel beyond an odd last one stays 0, since
 * its scale and shift are. */
INLINE Unit input_unit(const Word *x, const Activation *a, int unit)
{
    Unit u = load_unit(x);
    if (a->scale)
        UNROLL_UNIT
    for (int i = 0; i < UNIT; i++)
        u.channel[i] =
            swish(u.channel[i] * broadcast(a->scale[unit * UNIT + i]) + broadcast(a->shift[unit * UNIT + i]));
    return u;
}

/* One unit of a matrix (N,C) in lanes; a channel beyond an odd last one is 0. */
INLINE Unit matrix_unit(const float *matrix, int group, int unit, int part, Shape s)
{
    Unit u = {{{0}}};
    UNROLL_UNIT
    for (int i = 0; i < UNIT; i++)
        if (unit * UNIT + i < s.c)
            u.channel[i] = load(matrix + ((size_t)group * s.c + unit * UNIT + i) * LANES + part);
    return u;
}

/* Sums over the map of one group and a block of channels, of dy times the input, or of the input where dy is
 * NULL, times `share`, into the matrix y. */
INLINE void sum_block(float *y, const Word *dy, const Word *x, const Activation *a, int group, int first,
                      int units, float share, Shape s)
{
    for (int part = 0; part < LANES; part += VL) {
        Unit total[BLOCK];
        memset(total, 0, sizeof total);
        for (int row = 0; row < s.h; row++) {
            Unit sum[BLOCK];
            memset(sum, 0, sizeof sum);
            for (int column = 0; column < s.w; column++)
                for (int unit = 0; unit < units; unit++) {
                    const size_t at = row_at(s, group, row) + column * pixel_words(s) +
                                      (size_t)(first + unit) * LANES + (size_t)part;
                    __builtin_prefetch(x + at + pixel_words(s));
                    if (dy)
                        __builtin_prefetch(dy + at + pixel_words(s));
                    const Unit input = input_unit(x + at, a, first + unit);
                    UNROLL_UNIT
                    for (int i = 0; i < UNIT; i++)
                        sum[unit].channel[i] +=
                            dy ? load_unit(dy + at).channel[i] * input.channel[i] : input.channel[i];
                }
            for (int unit = 0; unit < units; unit++)
                total[unit] = add_units(total[unit], sum[unit]);
        }
        for (int unit = 0; unit < units; unit++)
            for (int i = 0; i < UNIT && (first + unit) * UNIT + i < s.c; i++)
                store(y + ((size_t)group * s.c + (first + unit) * UNIT + i) * LANES + part,
                      total[unit].channel[i] * broadcast(share));
    }
}

static void sums(float *y, const Word *dy, const Word *x, Activation a, float share, Shape s)
{
    const int units = units_of(s.c), blocks = (units + BLOCK - 1) / BLOCK;
#pragma omp parallel for collapse(2) schedule(static)
    for (int group = 0; group < lanes_groups(s.n); group++)
        for (int block = 0; block < blocks; block++) {
            const int first = block * BLOCK, count = units - first < BLOCK ? units - first : BLOCK;
            if (dy)
                sum_block(y, dy, x, &a, group, first, count, share, s);
            else
                sum_block(y, NULL, x, &a, group, first, count, share, s);
        }
}

void SET(excite_average)(float *average, const Word *x, Activation a, Shape s)
{
    sums(average, NULL, x, a, 1.0f / (s.h * s.w), s);
}

void SET(excite_dgate)(float *dgate, const Word *dy, const Word *x, Activation a, Shape s)
{
    sums(dgate, dy, x, a, 1, s);
}

/* So many runs of pixels has a map; so many pixels has a run. */
static int runs_of(Shape s)
{
    return (s.h * s.w + RUN - 1) / RUN;
}

static int run_pixels(Shape s, int run)
{
    const int left = s.h * s.w - run * RUN;
    return left < RUN ? left : RUN;
}

void SET(excite_scale)(Word *y, const Word *x, Activation a, const float *gate, Shape s)
{
#pragma omp parallel for collapse(2) schedule(static)
    for (int group = 0; group < lanes_groups(s.n); group++)
        for (int run = 0; run < runs_of(s); run++)
            for (int unit = 0; unit < units_of(s.c); unit++)
                for (int part = 0; part < LANES; part += VL) {
                    size_t at = group * group_words(s) + run * RUN * pixel_words(s) + (size_t)unit * LANES +
                                (size_t)part;
                    const Unit gates = gate ? matrix_unit(gate, group, unit, part, s) : (Unit){{{0}}};
                    for (int p = 0; p < run_pixels(s, run); p++, at += pixel_words(s)) {
                        __builtin_prefetch(x + at + AHEAD * LANES);
                        Unit u = input_unit(x + at, &a, unit);
                        if (gate)
                            UNROLL_UNIT
                        for (int i = 0; i < UNIT; i++)
                            u.channel[i] *= gates.channel[i];
                        store_unit(y + at, u);
                    }
                }
}

/* dx of one unit, before what dx holds: dy times the gate and the average's share, through the input's swish
 * where it has one. */
INLINE Unit dx_unit(Unit dy, const Word *x, const Activation *a, const Unit *gates, const Unit *shares,
                    int unit)
{
    UNROLL_UNIT
    for (int i = 0; i < UNIT; i++) {
        const int c = unit * UNIT + i;
        if (gates)
            dy.channel[i] = dy.channel[i] * gates->channel[i] + shares->channel[i];
        if (a->scale)
            dy.channel[i] *=
                swish_slope(load_unit(x).channel[i] * broadcast(a->scale[c]) + broadcast(a->shift[c]));
    }
    return dy;
}

void SET(excite_backward)(Word *dx, const Word *dy, const Word *x, Activation a, const float *gate,
                          const float *daverage, bool add, Shape s)
{
    const float share = 1.0f / (s.h * s.w);
#pragma omp parallel for collapse(2) schedule(static)
    for (int group = 0; group < lanes_groups(s.n); group++)
        for (int run = 0; run < runs_of(s); run++)
            for (int unit = 0; unit < units_of(s.c); unit++)
                for (int part = 0; part < LANES; part += VL) {
                    size_t at = group * group_words(s) + run * RUN * pixel_words(s) + (size_t)unit * LANES +
                                (size_t)part;
                    Unit gates, shares;
                    if (gate) {
                        gates = matrix_unit(gate, group, unit, part, s);
                        shares = scale_unit(matrix_unit(daverage, group, unit, part, s), share);
                    }
                    for (int p = 0; p < run_pixels(s, run); p++, at += pixel_words(s)) {
                        __builtin_prefetch(dy + at + AHEAD * LANES);
                        if (add)
                            __builtin_prefetch(dx + at + AHEAD * LANES);
                        if (a.scale)
                            __builtin_prefetch(x + at + AHEAD * LANES);
                        const Unit u = dx_unit(load_unit(dy + at), x + at, &a, gate ? &gates : NULL,
                                               gate ? &shares : NULL, unit);
                        store_unit(dx + at, add ? add_units(load_unit(dx + at), u) : u);
                    }
                }
}

static size_t matrix_words(int n, int c)
{
    return (size_t)lanes_groups(n) * LANES * c;
}

void SET(excite_gates)(const ExciteCache *cache, ExciteWeights p, int n, int c, int q)
{
    SET(linear_forward)(cache->squeezed, cache->average, p.w1, p.b1, n, c, q);
    for (size_t i = 0; i < matrix_words(n, q); i += VL)
        store(cache->hidden + i, swish(load(cache->squeezed + i)));
    SET(linear_forward)(cache->gate, cache->hidden, p.w2, p.b2, n, q, c);
    for (size_t i = 0; i < matrix_words(n, c); i += VL)
        store(cache->gate + i, logistic(load(cache->gate + i)).s);
}

void SET(excite_gates_backward)(const ExciteScratch *scratch, ExciteGradients d, const ExciteCache *cache,
                                ExciteWeights p, int n, int c, int q)
{
    memset(scratch->dhidden, 0, matrix_words(n, q) * sizeof(float));
    memset(scratch->daverage, 0, matrix_words(n, c) * sizeof(float));
    for (size_t i = 0; i < matrix_words(n, c); i += VL) {
        const Vec gate = load(cache->gate + i);
        store(scratch->dgate + i, load(scratch->dgate + i) * gate * (1 - gate));
    }
    SET(linear_backward)
    (scratch->dhidden, d.dw1 ? d.dw2 : NULL, d.dw1 ? d.db2 : NULL, scratch->dgate, cache->hidden, p.w2, n, q,
     c);
    for (size_t i = 0; i < matrix_words(n, q); i += VL)
        store(scratch->dhidden + i, load(scratch->dhidden + i) * swish_slope(load(cache->squeezed + i)));
    SET(linear_backward)
    (scratch->daverage, d.dw1, d.dw1 ? d.db1 : NULL, scratch->dhidden, cache->average, p.w1, n, c, q);
}

void SET(squeeze_excite_forward)(Word *y, const ExciteCache *cache, const Word *x, ExciteWeights p,
                                 SqueezeExciteShape s)
{
    const Activation none = {0};
    SET(excite_average)(cache->average, x, none, s.x);
    SET(excite_gates)(cache, p, s.x.n, s.x.c, s.squeezed);
    SET(excite_scale)(y, x, none, cache->gate, s.x);
}

void SET(squeeze_excite_backward)(Word *dx, ExciteGradients d, const ExciteScratch *scratch, const Word *dy,
                                  const Word *x, const ExciteCache *cache, ExciteWeights p,
                                  SqueezeExciteShape s)
{
    const Activation none = {0};
    SET(excite_dgate)(scratch->dgate, dy, x, none, s.x);
    SET(excite_gates_backward)(scratch, d, cache, p, s.x.n, s.x.c, s.squeezed);
    SET(excite_backward)(dx, dy, x, none, cache->gate, scratch->daverage, true, s.x);
}
