/* Global average pooling. Twin of ref/global_average.c. Bound by bytes, once a step.
 *
 * The last map is normalised, so its average is a small difference of large sums: it is summed in double, and
 * rounded once. Error: |got - ref| <= 2^-24 |ref| + H W 2^-52 gauge; backward, with a rounded share, a
 * product and a sum, 3 2^-24 gauge. */
#include "isa.h"
#include "operations.h"

void F32(global_average_forward)(float *y, const float *x, Shape s)
{
    const int pixels = s.h * s.w;
#pragma omp parallel for collapse(2) schedule(static)
    for (int group = 0; group < lanes_groups(s.n); group++)
        for (int c = 0; c < s.c; c++)
            for (int half = 0; half < HALVES; half++) {
                const float *from = x + group * group_floats(s) + (size_t)c * LANES + half * HALF;
                VecDouble sum = {0};
                for (int pixel = 0; pixel < pixels; pixel++)
                    sum += load_double(from + (size_t)pixel * s.c * LANES);
                store_double(y + ((size_t)group * s.c + c) * LANES + half * HALF, sum / pixels);
            }
}

void F32(global_average_backward)(float *dx, const float *dy, Shape s)
{
    const float share = 1.0f / (s.h * s.w);
    const size_t pixel = (size_t)s.c * LANES;
#pragma omp parallel for collapse(2) schedule(static)
    for (int group = 0; group < lanes_groups(s.n); group++)
        for (int p = 0; p < s.h * s.w; p++) {
            float *to = dx + group * group_floats(s) + p * pixel;
            for (size_t i = 0; i < pixel; i += VL)
                store(to + i, load(to + i) + load(dy + group * pixel + i) * broadcast(share));
        }
}
