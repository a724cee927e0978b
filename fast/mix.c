/* The softmax mix. Twin of ref/mix.c. The softmax of R numbers is computed in double and rounded once
 * (|got - ref| <= 2 2^-24 |ref|); the sum of maps is bound by bytes: R reads and a write.
 *
 * Error: forward |got - ref| <= (R + 1) 2^-24 gauge; dx one product and one sum: 2 2^-24 gauge; dalpha, in
 * double like the sums of fast/engine/channel_sums.c, 2 2^-24 |dalpha| + N C H W 2^-52 gauge. In bf16
 * each tensor written is one rounding of 2^-8 more.
 *
 * Claims: eq5. */
#include "operations.h"
#include "ranks.h"
#include "simd/isa.h"
#include <assert.h>
#include <math.h>

void SET(softmax_forward)(float *alpha, const float *a, uint64_t kept, int levels)
{
    assert(levels > 0 && levels <= MAX_MIXED && (kept & all_levels(levels)) != 0);
    double largest = -INFINITY, sum = 0, exponential[MAX_MIXED];
    for (int r = 0; r < levels; r++)
        if (level_kept(kept, r))
            largest = fmax(largest, a[r]);
    for (int r = 0; r < levels; r++) {
        exponential[r] = level_kept(kept, r) ? exp(a[r] - largest) : 0;
        sum += exponential[r];
    }
    for (int r = 0; r < levels; r++)
        alpha[r] = exponential[r] / sum;
}

void SET(softmax_backward)(float *da, const float *dalpha, const float *alpha, uint64_t kept, int levels)
{
    double mean = 0;
    for (int r = 0; r < levels; r++)
        if (level_kept(kept, r))
            mean += (double)alpha[r] * dalpha[r];
    for (int r = 0; r < levels; r++)
        if (level_kept(kept, r))
            da[r] += alpha[r] * (dalpha[r] - mean);
}

void SET(mix_forward)(Word *y, const Word *const x[], const float *alpha, uint64_t kept, int levels, Shape s)
{
#pragma omp parallel for schedule(static)
    for (size_t i = 0; i < tensor_words(s); i += VL) {
        Unit sum = {{{0}}};
        for (int r = 0; r < levels; r++)
            if (level_kept(kept, r))
                sum = add_units(sum, scale_unit(load_unit(x[r] + i), alpha[r]));
        store_unit(y + i, sum);
    }
}

/* <a, b> over the used lanes of one group. */
static double group_dot(const Word *a, const Word *b, Shape s, int group)
{
    VecDouble sum[HALVES] = {0};
    const size_t at = group * group_words(s);
    for (size_t word = at; word < at + group_words(s); word += LANES)
        for (int half = 0; half < HALVES; half++)
            UNROLL_UNIT
    for (int i = 0; i < UNIT; i++)
        sum[half] += load_double(a + word + half * HALF, i) * load_double(b + word + half * HALF, i);
    double total = 0;
    for (int lane = 0; lane < lanes_used(s.n, group); lane++)
        total += sum[lane / HALF][lane % HALF];
    return total;
}

void SET(mix_backward)(Word *const dx[], float *dalpha, const Word *dy, const Word *const x[],
                       const float *alpha, uint64_t kept, int levels, Shape s, double *scratch)
{
    const int groups = lanes_groups(s.n);
    for (int r = 0; r < levels; r++) {
        if (!level_kept(kept, r))
            continue;
#pragma omp parallel for schedule(static)
        for (int group = 0; group < groups; group++)
            scratch[group] = group_dot(dy, x[r], s, group);
        const double *partials = ranks_gathered(scratch, groups * sizeof *scratch, RANKS_FIRST);
        double sum = 0;
        for (int group = 0; group < groups * ranks_count(); group++)
            sum += partials[group];
        dalpha[r] += sum;
        if (!dx || !dx[r])
            continue;
#pragma omp parallel for schedule(static)
        for (size_t i = 0; i < tensor_words(s); i += VL)
            store_unit(dx[r] + i, add_units(load_unit(dx[r] + i), scale_unit(load_unit(dy + i), alpha[r])));
    }
}
