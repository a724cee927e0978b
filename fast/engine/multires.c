/* The two fused passes of the multi-resolution layer; fast/engine/layer.c composes them with the plain
 * operations. Twin of the steps 3 to 5 of ref/multires.c.
 *
 * Bound by bytes. Batch norm is a scale and a shift per channel, and nearest upsampling repeats pixels, so
 * steps 3 (normalise), 4 (upsample) and 5 (mix) are one pass: it reads each level's activation once, from the
 * coarser maps through the cache, and writes y once. Neither the normalised nor the upsampled maps ever
 * exist. Backward is likewise one pass a level: it reads the gradient and the activation, and writes the
 * gradient of the convolution.
 *
 * Error: a sum of n = R + 1 terms, with MBConv's skips 2 R + 1 (3 backward) whose coefficients were rounded
 * once from double: |got - ref| <= (n + 2) 2^-24 gauge, the gauge being the same sum over absolute values; in
 * bf16 one rounding of 2^-8 more.
 *
 * Claims: eq4. */
#include "layer.h"

void SET(multires_mix)(Word *y, const MixedMaps *maps, Shape s)
{
    const size_t pixel = pixel_words(s);
#pragma omp parallel for collapse(2) schedule(static)
    for (int group = 0; group < lanes_groups(s.n); group++)
        for (int row = 0; row < s.h; row++) {
            const Word *from[MAX_MIXED];
            const float *coefficient[MAX_MIXED];
            int step[MAX_MIXED], count = 0;
            for (int r = 0; r < maps->levels; r++) {
                if (!level_kept(maps->kept, r))
                    continue;
                step[count] = maps->step[r];
                coefficient[count] = maps->coefficient[r];
                from[count] = maps->z[r] + row_at(shape_coarser(s, step[count]), group, row / step[count]);
                count++;
            }
            Word *to = y + row_at(s, group, row);
            for (int column = 0; column < s.w; column++, to += pixel) {
                const Word *z[MAX_MIXED];
                for (int r = 0; r < count; r++)
                    z[r] = from[r] + column / step[r] * pixel;
                for (int unit = 0; unit < units_of(s.c); unit++)
                    for (int part = 0; part < LANES; part += VL) {
                        const size_t at = (size_t)unit * LANES + part;
                        Unit sum;
                        UNROLL_UNIT
                        for (int i = 0; i < UNIT; i++)
                            sum.channel[i] = broadcast(maps->constant[unit * UNIT + i]);
                        for (int r = 0; r < count; r++) {
                            const Unit u = load_unit(z[r] + at);
                            UNROLL_UNIT
                            for (int i = 0; i < UNIT; i++)
                                sum.channel[i] += broadcast(coefficient[r][unit * UNIT + i]) * u.channel[i];
                        }
                        store_unit(to + at, sum);
                    }
            }
        }
}

/* A row of these units. */
INLINE void gradient_row(Word *dconv, const GradientMaps *maps, size_t from, int first, int end, float *sums,
                         const bool summing, Shape s)
{
    const Word *z = maps->z + from, *dsum = maps->dsum + from;
    for (int x = 0; x < s.w; x++)
        for (int unit = first; unit < end; unit++)
            for (int part = 0; part < LANES; part += VL) {
                const size_t at = x * pixel_words(s) + (size_t)unit * LANES + part;
                const Unit activation = load_unit(z + at), change = load_unit(dsum + at);
                Unit result;
                UNROLL_UNIT
                for (int i = 0; i < UNIT; i++) {
                    const int k = unit * UNIT + i;
                    const Vec slope = broadcast(maps->a[k]) * change.channel[i] +
                                      broadcast(maps->b[k]) * activation.channel[i] + broadcast(maps->c[k]);
                    result.channel[i] =
                        maps->relu ? choose(activation.channel[i] <= 0, (Vec){0}, slope) : slope;
                }
                store_unit(dconv + at, result);
                const Unit stored = load_unit(dconv + at);
                UNROLL_UNIT
                for (int i = 0; i < UNIT && summing; i++) {
                    float *sum = sums + (size_t)(unit * UNIT + i) * LANES + part;
                    store(sum, load(sum) + stored.channel[i]);
                }
            }
}

void SET(multires_gradient_row)(Word *dconv, const GradientMaps *maps, int first, int end, float *sums,
                                Shape s, int group, int y)
{
    if (sums)
        gradient_row(dconv, maps, row_at(s, group, y), first, end, sums, true, s);
    else
        gradient_row(dconv, maps, row_at(s, group, y), first, end, NULL, false, s);
}

void SET(multires_gradient)(Word *dconv, const GradientMaps *maps, Shape s)
{
#pragma omp parallel for collapse(2) schedule(static)
    for (int group = 0; group < lanes_groups(s.n); group++)
        for (int y = 0; y < s.h; y++)
            SET(multires_gradient_row)
    (dconv + row_at(s, group, y), maps, 0, units_of(s.c), NULL, s, group, y);
}
