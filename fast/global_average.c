/* Global average pooling. Twin of ref/global_average.c. Bound by bytes, once a step.
 *
 * The last map is normalised, so its average is a small difference of large sums: it is summed in double, and
 * rounded once. Error: |got - ref| <= 2^-24 |ref| + H W 2^-52 gauge; backward, with a rounded share, a
 * product and a sum, 3 2^-24 gauge, and in bf16 one rounding of 2^-8. */
#include "operations.h"
#include "simd/isa.h"

void SET(global_average_forward)(float *y, const Word *x, Shape s)
{
    const int pixels = s.h * s.w;
#pragma omp parallel for collapse(2) schedule(static)
    for (int group = 0; group < lanes_groups(s.n); group++)
        for (int c = 0; c < s.c; c++)
            for (int half = 0; half < HALVES; half++) {
                const Word *from = x + group * group_words(s) + (size_t)(c / UNIT) * LANES + half * HALF;
                VecDouble sum = {0};
                for (int pixel = 0; pixel < pixels; pixel++)
                    sum += load_double(from + pixel * pixel_words(s), c % UNIT);
                store_double(y + ((size_t)group * s.c + c) * LANES + half * HALF, sum / pixels);
            }
}

void SET(global_average_backward)(Word *dx, const float *dy, Shape s)
{
    const float share = 1.0f / (s.h * s.w);
#pragma omp parallel for collapse(2) schedule(static)
    for (int group = 0; group < lanes_groups(s.n); group++)
        for (int pixel = 0; pixel < s.h * s.w; pixel++)
            for (int unit = 0; unit < units_of(s.c); unit++)
                for (int part = 0; part < LANES; part += VL) {
                    Word *to =
                        dx + group * group_words(s) + pixel * pixel_words(s) + (size_t)unit * LANES + part;
                    Unit sum = load_unit(to);
                    UNROLL_UNIT
                    for (int i = 0; i < UNIT; i++) {
                        const int c = unit * UNIT + i;
                        if (c < s.c)
                            sum.channel[i] +=
                                load(dy + ((size_t)group * s.c + c) * LANES + part) * broadcast(share);
                    }
                    store_unit(to, sum);
                }
}
