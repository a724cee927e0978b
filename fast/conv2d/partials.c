/* The sums over the batch of backward weights; see partials.h. */
#include "partials.h"
#include "../ranks.h"
#include <omp.h>

/* Units whose sums stay in registers over the pixels: 16 lines of a pixel or fewer, which follow each other
 * in memory. */
enum { RUN = 8 / UNIT };

/* Channels from unit `first` on. */
INLINE void bias_run(float *sums, const Word *dy, Shape s, int used, int first, const int units)
{
    Vec sum[RUN][UNIT][PARTS] = {{{{0}}}};
    const Word *at = dy + (size_t)first * LANES;
    for (int pixel = 0; pixel < s.h * s.w; pixel++, at += pixel_words(s))
#pragma GCC unroll 8
        for (int u = 0; u < units; u++)
#pragma GCC unroll 4
            for (int part = 0; part < PARTS; part++) {
                const Unit unit = load_unit(at + (size_t)u * LANES + part * VL);
                UNROLL_UNIT
                for (int i = 0; i < UNIT; i++)
                    sum[u][i][part] += unit.channel[i];
            }
    for (int u = 0; u < units; u++)
        for (int i = 0; i < UNIT; i++) {
            const int k = (first + u) * UNIT + i;
            float total = 0;
            for (int lane = 0; lane < used; lane++)
                total += sum[u][i][lane / VL][lane % VL];
            if (k < s.c)
                sums[k] = total;
        }
}

void SET(bias_partial)(float *partials, const Word *dy, Shape s, int group)
{
    float *sums = partials + (size_t)group * s.c;
    const Word *from = dy + group * group_words(s);
    const int units = units_of(s.c), used = lanes_used(s.n, group);
    int first = 0;
    for (; first + RUN <= units; first += RUN)
        bias_run(sums, from, s, used, first, RUN);
    for (; first < units; first++)
        bias_run(sums, from, s, used, first, 1);
}

/* A vector of wide channels from `column` on, to the tap's place of each in dw. */
INLINE void add_vector(float *dw, Vec sum, int tap, int row, int column, const Products *p)
{
    const int taps = p->side * p->side, narrow = p->narrow_shape.c, wide = p->wide_shape.c;
    for (int i = 0; i < VL && column + i < wide; i++) {
        const size_t filter =
            p->wide_is_x ? (size_t)row * wide + column + i : (size_t)(column + i) * narrow + row;
        dw[filter * taps + tap] += sum[i];
    }
}

void SET(add_partials)(float *dw, const float *partials, int count, const Products *p)
{
    const int taps = p->side * p->side, narrow = p->narrow_shape.c;
#pragma omp parallel for schedule(static)
    for (int row = 0; row < narrow; row++)
        for (int column = 0; column < p->padded; column += VL)
            for (int tap = 0; tap < taps; tap++) {
                const float *at = partials + ((size_t)tap * narrow + row) * p->padded + column;
                Vec sum = {0};
                for (int i = 0; i < count; i++)
                    sum += load(at + i * partial_floats(p));
                add_vector(dw, sum, tap, row, column, p);
            }
}

void SET(add_bias)(float *db, const float *partials, int count, int channels)
{
    for (int k = 0; k < channels; k++) {
        float sum = 0;
        for (int group = 0; group < count; group++)
            sum += partials[(size_t)group * channels + k];
        db[k] += sum;
    }
}

void SET(add_ranks_partials)(float *dw, const float *own, int count, const Products *p)
{
    const float *partials = ranks_gathered(own, partials_floats(p, count) * sizeof *own, RANKS_FIRST);
    SET(add_partials)(dw, partials, count * ranks_count(), p);
}

void SET(add_ranks_bias)(float *db, const float *own, int n, int channels)
{
    const size_t count = (size_t)lanes_groups(n) * channels;
    const float *partials = ranks_gathered(own, count * sizeof *own, RANKS_FIRST);
    SET(add_bias)(db, partials, lanes_groups(ranks_batch(n)), channels);
}
