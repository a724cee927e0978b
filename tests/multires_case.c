/* Arrays and loss of a multi-resolution layer under test. */
#include "multires_case.h"
#include "inputs.h"

Shape multires_map(MultiresShape s, int r)
{
    return shape_coarser(conv2d_output(s.block), 1 << r);
}

size_t multires_filters(const MultiresCase *m)
{
    return conv2d_filters(m->s.block) + (m->b ? (size_t)m->s.block.k : 0);
}

static double *random_frozen(size_t count, uint32_t seed)
{
    double *x = random_doubles(count, seed);
    frozen(x);
    return x;
}

static void level_arrays(MultiresCase *m, int r)
{
    const Conv2dShape block = m->s.block;
    const size_t in = shape_count(shape_coarser(conv2d_input(block), 1 << r)),
                 out = shape_count(multires_map(m->s, r)), full = shape_count(conv2d_output(block));
    m->cache.pooled[r] = doubles(in);
    m->cache.activation[r] = doubles(out);
    m->cache.mean[r] = doubles(block.k);
    m->cache.variance[r] = doubles(block.k);
    m->cache.upsampled[r] = doubles(full);
    m->scratch.dpooled[r] = doubles(in);
    m->scratch.dactivation[r] = doubles(out);
    m->scratch.dnormalised[r] = doubles(out);
    m->scratch.dconv[r] = doubles(out);
    m->scratch.dupsampled[r] = doubles(full);
}

MultiresCase multires_case(MultiresShape s, bool bias, Affine affine, uint32_t seed)
{
    MultiresCase m = {.s = s};
    const size_t full = shape_count(conv2d_output(s.block));
    m.x = random_frozen(shape_count(conv2d_input(s.block)), seed);
    m.y = doubles(full);
    m.cotangent = random_frozen(full, seed + 1);
    m.w = random_frozen(conv2d_filters(s.block) + (bias ? s.block.k : 0), seed + 2);
    m.b = bias ? m.w + conv2d_filters(s.block) : NULL;
    m.a = random_doubles(s.levels, seed + 4);
    int first = -1;
    for (int r = 0; r < s.levels; r++) {
        if (!level_kept(s.kept, r)) {
            m.a[r] = 1e10;
            continue;
        }
        level_arrays(&m, r);
        if (affine == AFFINE_NONE)
            continue;
        const bool own = affine == AFFINE_EACH || first < 0;
        m.gamma[r] = own ? random_frozen(s.block.k, seed + 10 + r) : m.gamma[first];
        m.beta[r] = own ? random_frozen(s.block.k, seed + 20 + r) : m.beta[first];
        first = first < 0 ? r : first;
    }
    frozen(m.a);
    return m;
}

MultiresParameters multires_parameters(const MultiresCase *m)
{
    MultiresParameters p = {.w = m->w, .b = m->b, .a = m->a};
    for (int r = 0; r < m->s.levels; r++)
        p.gamma[r] = m->gamma[r], p.beta[r] = m->beta[r];
    return p;
}

Outcome multires_loss(void *context)
{
    MultiresCase *m = context;
    const Conv2dShape b = m->s.block;
    ref_multires_forward(m->y, &m->cache, m->x, multires_parameters(m), true, m->s);
    uint64_t pattern = 0;
    for (int r = 0; r < m->s.levels; r++) {
        if (!level_kept(m->s.kept, r))
            continue;
        pattern = pattern_signs(pattern, m->cache.activation[r], shape_count(multires_map(m->s, r)));
        if (m->s.down == POOL_MAX)
            pattern = pattern_maxima(pattern, m->x, b.n * b.c, b.h, b.w, 1 << r);
    }
    return (Outcome){dot(m->cotangent, m->y, shape_count(conv2d_output(b))), pattern};
}
