/* The two fused passes of the multi-resolution layer; fast/layer.c composes them with the plain operations.
 * Twin of the steps 3 to 5 of ref/multires.c.
 *
 * Bound by bytes. Batch norm is a scale and a shift per channel, and nearest upsampling repeats pixels, so
 * steps 3 (normalise), 4 (upsample) and 5 (mix) are one pass: it reads each level's activation once, from the
 * coarser maps through the cache, and writes y once. Neither the normalised nor the upsampled maps ever
 * exist. Backward is likewise one pass a level: it reads the gradient and the activation, and writes the
 * gradient of the convolution.
 *
 * Error: a sum of n = R + 1 terms (3 backward) whose coefficients were rounded once from double:
 * |got - ref| <= (n + 2) 2^-24 gauge, the gauge being the same sum over absolute values. */
#include "layer.h"

void F32(multires_mix)(float *y, const MixedMaps *maps, Shape s)
{
    const size_t pixel = (size_t)s.c * LANES;
#pragma omp parallel for collapse(2) schedule(static)
    for (int group = 0; group < lanes_groups(s.n); group++)
        for (int row = 0; row < s.h; row++) {
            const float *from[MAX_LEVELS], *coefficient[MAX_LEVELS];
            int step[MAX_LEVELS], count = 0;
            for (int r = 0; r < maps->levels; r++) {
                if (!level_kept(maps->kept, r))
                    continue;
                step[count] = maps->step[r];
                coefficient[count] = maps->coefficient[r];
                from[count] = maps->z[r] + row_at(shape_coarser(s, step[count]), group, row / step[count]);
                count++;
            }
            float *to = y + row_at(s, group, row);
            for (int column = 0; column < s.w; column++, to += pixel)
                for (int k = 0; k < s.c; k++)
                    for (int part = 0; part < LANES; part += VL) {
                        Vec sum = broadcast(maps->constant[k]);
                        for (int i = 0; i < count; i++)
                            sum += broadcast(coefficient[i][k]) *
                                   load(from[i] + column / step[i] * pixel + k * LANES + part);
                        store(to + k * LANES + part, sum);
                    }
        }
}

void F32(multires_gradient)(float *dconv, const float *dsum, const float *z, const float *a, const float *b,
                            const float *c, Shape s)
{
#pragma omp parallel for schedule(static)
    for (int pixel = 0; pixel < lanes_groups(s.n) * s.h * s.w; pixel++)
        for (int k = 0; k < s.c; k++)
            for (int part = 0; part < LANES; part += VL) {
                const size_t i = ((size_t)pixel * s.c + k) * LANES + part;
                const Vec activation = load(z + i);
                const Vec gradient =
                    broadcast(a[k]) * load(dsum + i) + broadcast(b[k]) * activation + broadcast(c[k]);
                store(dconv + i, choose(activation > 0, gradient, (Vec){0}));
            }
}
