/* Rectified linear unit. Twin of ref/relu.c. Bound by bytes (the engine fuses it into the convolution).
 * Exact. */
#include "isa.h"
#include "operations.h"

void F32(relu_forward)(float *y, const float *x, Shape s)
{
#pragma omp parallel for schedule(static)
    for (size_t i = 0; i < lanes_count(s); i += VL)
        store(y + i, positive(load(x + i)));
}

/* One addition to dx: |got - ref| <= 2^-24 |dx|. */
void F32(relu_backward)(float *dx, const float *dy, const float *y, Shape s)
{
#pragma omp parallel for schedule(static)
    for (size_t i = 0; i < lanes_count(s); i += VL)
        store(dx + i, load(dx + i) + choose(load(y + i) > 0, load(dy + i), (Vec){0}));
}
