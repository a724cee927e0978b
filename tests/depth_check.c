/* Checks of the depth mix; see depth_check.h. */
#include "depth_check.h"
#include "../ref/mix.h"
#include "../ref/upsample.h"
#include "gradient.h"
#include "lanes.h"
#include "layer_check.h"
#include <math.h>
#include <string.h>

/* The level of the output of layer l = 1..L-1, of the images for 0. */
static int level_of_map(const NetworkSpec *s, int l)
{
    int level = 0;
    while (l > 0 && s->up == UPSAMPLE_NEAREST && !level_kept(s->kept[l - 1], level))
        level++;
    return level;
}

int stored_level(const Network *net, int l)
{
    const NetworkSpec *s = &net->spec;
    int finest = MAX_LEVELS;
    if (network_input(net, l) != net->mixed)
        return level_of_map(s, l);
    for (int i = 0; i < s->layers - 1; i++)
        if (level_kept(s->depth, i) && level_of_map(s, i + 1) < finest)
            finest = level_of_map(s, i + 1);
    return finest;
}

static Shape map_shape(const Network *net, int n)
{
    return (Shape){n, net->spec.channels, net->spec.height, net->spec.width};
}

static double *exported(const Network *net, const Tensor *t, int n)
{
    double *values = doubles(shape_count(map_shape(net, n)));
    net->engine->tensor_export(values, t);
    return values;
}

void depth_check_mix(const Network *net, int n)
{
    const int maps = net->spec.layers - 1;
    const uint64_t kept = net->spec.depth;
    const size_t count = shape_count(map_shape(net, n)), at = net->logits_count - (size_t)maps;
    const double *h[MAX_MIXED], *size[MAX_MIXED];
    double beta[MAX_MIXED], *b = doubles((size_t)maps), *expected = doubles((size_t)maps);
    double *y = doubles(count), *gauge = doubles(count);
    for (int l = 0; l < maps; l++) {
        h[l] = exported(net, net->map[l + 1], n);
        size[l] = absolute(h[l], count);
    }
    network_beta(net, beta);
    net->engine->vector_read(b, net->logits, at, (size_t)maps);
    ref_softmax_forward(expected, b, kept, maps);
    CK_WITHIN(compare_rounded(beta, expected, expected, (size_t)maps), roundings(2), "beta");
    ref_mix_forward(y, h, beta, kept, maps, count);
    ref_mix_forward(gauge, size, beta, kept, maps, count);
    CK_WITHIN(compare_rounded(exported(net, net->mixed, n), y, gauge, count), stored(maps + 2, 1),
              "mixed map");

    net->engine->depth_backward(net->depth, net->dmixed, WANT_FILTERS);
    double *got = doubles((size_t)maps), *db = zeros((size_t)maps), *gauge_b = zeros((size_t)maps);
    net->engine->vector_read(got, net->dlogits, at, (size_t)maps);
    CK_WITHIN(compare_exact_double(got, db, (size_t)maps), 0, "db of a step of the filters");
    net->engine->depth_backward(net->depth, net->dmixed, WANT_LOGITS);
    net->engine->vector_read(got, net->dlogits, at, (size_t)maps);
    const double *dy = exported(net, net->dmixed, n);
    double *dbeta = zeros((size_t)maps), *gauge_beta = zeros((size_t)maps), mean = 0;
    ref_mix_backward(NULL, dbeta, dy, h, beta, kept, maps, count);
    ref_mix_backward(NULL, gauge_beta, absolute(dy, count), size, beta, kept, maps, count);
    ref_softmax_backward(db, dbeta, beta, kept, maps);
    for (int l = 0; l < maps; l++)
        mean += beta[l] * gauge_beta[l];
    for (int l = 0; l < maps; l++)
        gauge_b[l] = beta[l] * (gauge_beta[l] + mean);
    /* dy is summed over squares on its way to the coarsest map; dbeta and db are rounded twice each. */
    CK_WITHIN(compare_rounded(got, db, gauge_b, (size_t)maps),
              stored(4 + 4 * net->spec.levels + (double)count * 0x1p-28, net->spec.levels - 1), "db");
}

void depth_check_share(const Network *net, Tensor *dh, int l, bool add, int n)
{
    const int level = level_of_map(&net->spec, l + 1);
    const Shape full = map_shape(net, n), squares = shape_coarser(full, 1 << level);
    const size_t count = shape_count(squares);
    const double *dy = exported(net, net->dmixed, n),
                 *before = add ? exported(net, dh, n) : zeros(shape_count(full));
    double beta[MAX_MIXED], *sum = zeros(count), *gauge = zeros(count), *got = zeros(count);
    network_beta(net, beta);
    net->engine->depth_share(net->depth, dh, l, add);
    ref_upsample_backward(sum, dy, UPSAMPLE_NEAREST, 1 << level, squares);
    ref_upsample_backward(gauge, absolute(dy, shape_count(full)), UPSAMPLE_NEAREST, 1 << level, squares);
    for (size_t i = 0; i < count; i++) {
        sum[i] *= beta[l];
        gauge[i] *= beta[l];
    }
    ref_upsample_backward(sum, before, UPSAMPLE_NEAREST, 1 << level, squares);
    ref_upsample_backward(gauge, absolute(before, shape_count(full)), UPSAMPLE_NEAREST, 1 << level, squares);
    ref_upsample_backward(got, exported(net, dh, n), UPSAMPLE_NEAREST, 1 << level, squares);
    CK_WITHIN(compare_rounded(got, sum, gauge, count), stored(4 + 4 * level, level + 1), "share of a map");
}
