/* Rectified linear unit. Twin of ref/relu.c. Bound by bytes (the engine fuses it into the convolution).
 * Exact.
 *
 * Claims: eq1. */
#include "operations.h"
#include "simd/isa.h"

void SET(relu_forward)(Word *y, const Word *x, Shape s)
{
#pragma omp parallel for schedule(static)
    for (size_t at = 0; at < tensor_words(s); at += VL) {
        Unit u = load_unit(x + at);
        UNROLL_UNIT
        for (int i = 0; i < UNIT; i++)
            u.channel[i] = positive(u.channel[i]);
        store_unit(y + at, u);
    }
}

/* One addition to dx: |got - ref| <= 2^-24 |dx|, in bf16 one rounding more. */
void SET(relu_backward)(Word *dx, const Word *dy, const Word *y, Shape s)
{
#pragma omp parallel for schedule(static)
    for (size_t at = 0; at < tensor_words(s); at += VL) {
        const Unit output = load_unit(y + at);
        UnitMask passes;
        UNROLL_UNIT
        for (int i = 0; i < UNIT; i++)
            passes.channel[i] = ~(output.channel[i] <= 0);
        store_unit(dx + at, add_units(load_unit(dx + at), keep_units(passes, load_unit(dy + at))));
    }
}
