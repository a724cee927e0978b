/* Global average pooling. Twin of ref/global_average.c. Bound by bytes, once a step.
 * Error: a sum of H W numbers and a product: |got - ref| <= (H W + 1) 2^-24 gauge; backward 2 2^-24 gauge. */
#include "isa.h"
#include "operations.h"

void F32(global_average_forward)(float *y, const float *x, Shape s)
{
    const float share = 1.0f / (s.h * s.w);
#pragma omp parallel for collapse(2) schedule(static)
    for (int group = 0; group < lanes_groups(s.n); group++)
        for (int c = 0; c < s.c; c++)
            for (int part = 0; part < LANES; part += VL) {
                const float *from = x + group * group_floats(s) + (size_t)c * LANES + part;
                Vec sum = {0};
                for (int pixel = 0; pixel < s.h * s.w; pixel++)
                    sum += load(from + (size_t)pixel * s.c * LANES);
                store(y + ((size_t)group * s.c + c) * LANES + part, sum * broadcast(share));
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
