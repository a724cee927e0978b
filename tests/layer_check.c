/* Stage-by-stage checks of a layer; see layer_check.h. */
#include "layer_check.h"
#include "../ref/batchnorm.h"
#include "../ref/conv2d.h"
#include "../ref/mix.h"
#include "../ref/pool.h"
#include "../ref/relu.h"
#include "../ref/upsample.h"
#include "lanes.h"
#include "layer_check_mbconv.h"
#include "layer_gauge.h"
#include <math.h>
#include <string.h>

/* Where ref's engine is checked, both sides round in double, and not in the order whose roundings were
 * counted: still some 2^25 times as sharp as for floats. */
enum { REF_UNITS = 16 };

Difference compare_rounded(const double *got, const double *ref, const double *gauge, size_t count)
{
    if (!ref_is_used())
        return compare_gauged(as_floats(got, count), ref, gauge, count);
    double *units = doubles(count);
    for (size_t i = 0; i < count; i++)
        units[i] = REF_UNITS * gauge[i];
    return compare_gauged_double(got, ref, units, count);
}

static void check_pooled(const LayerCase *c, int r)
{
    const size_t count = shape_count(layer_case_in(c, r)), full = shape_count(layer_case_in(c, 0));
    double *pooled = doubles(count), *gauge = doubles(count);
    ref_pool_forward(pooled, c->input, c->spec.down, 1 << r, layer_case_in(c, 0));
    ref_pool_forward(gauge, absolute(c->input, full), POOL_AVERAGE, 1 << r, layer_case_in(c, 0));
    CK_WITHIN(compare_rounded(layer_case_stage(c, STAGE_POOLED, r), pooled, gauge, count),
              c->spec.down == POOL_AVERAGE ? stored(4 * r, r) : 0, "pooled");
}

static void check_activation(const LayerCase *c, int r)
{
    const Conv2dShape block = layer_case_block(c, r);
    const size_t out = shape_count(conv2d_output(block));
    const double *b = c->spec.bias ? layer_filters_given(c, r) + layer_weights_count(&c->spec) : NULL,
                 *w = layer_filters_at(c, r);
    double *pooled = layer_case_stage(c, STAGE_POOLED, r), *activation = doubles(out), *gauge = doubles(out);
    ref_conv2d_forward(activation, pooled, w, b, block);
    const double terms = layer_gauge_forward(gauge, c, r, pooled, w);
    for (size_t i = 0; b && i < out; i++)
        gauge[i] += fabs(b[layer_channel_of(i, conv2d_output(block))]);
    ref_relu_forward(activation, activation, out);
    add_stores(gauge, activation, out, terms, 1);
    CK_WITHIN(compare_rounded(layer_case_stage(c, STAGE_ACTIVATION, r), activation, gauge, out),
              roundings(terms), "activation");
}

/* Of norm number `norm`, whose input is a stage. */
static void check_statistics(const LayerCase *c, Stage input, int r, int norm)
{
    const Shape s = layer_stage_shape(&c->spec, input, r, c->n);
    const double m = (double)s.n * s.h * s.w;
    double *z = layer_case_stage(c, input, r), *mean = doubles(s.c), *variance = doubles(s.c);
    double *gauge_mean = zeros(s.c), *gauge_variance = zeros(s.c);
    ref_batchnorm_statistics(mean, variance, z, s);
    for (size_t i = 0; i < shape_count(s); i++) {
        gauge_mean[layer_channel_of(i, s)] += fabs(z[i]) / m;
        gauge_variance[layer_channel_of(i, s)] += z[i] * z[i] / m;
    }
    CK_WITHIN(compare_gauged_double(layer_statistic(c, STAGE_MEAN, r, norm), mean, gauge_mean, s.c),
              2 * m + run_roundings() * 0x1p29, "mean");
    CK_WITHIN(
        compare_gauged_double(layer_statistic(c, STAGE_VARIANCE, r, norm), variance, gauge_variance, s.c),
        8 * m + 3 * run_roundings() * 0x1p29, "variance");
}

/* What the skip adds to y. */
static void add_skip(double *y, double *gauge, const LayerCase *c, double alpha, int r)
{
    const size_t count = shape_count(layer_case_out(c, 0)), coarse = shape_count(layer_case_in(c, r));
    double *pooled = layer_case_stage(c, STAGE_POOLED, r), *skip = doubles(count), *size = doubles(count);
    ref_upsample_forward(skip, pooled, c->spec.up, 1 << r, layer_case_in(c, r));
    ref_upsample_forward(size, absolute(pooled, coarse), c->spec.up, 1 << r, layer_case_in(c, r));
    for (size_t i = 0; i < count; i++) {
        y[i] += alpha * skip[i];
        gauge[i] += alpha * size[i];
    }
}

/* y from the exported activations and statistics; its gauge has each level's scale and constant apart. */
void layer_check_mixed(const LayerCase *c, const double *const mean[], const double *const variance[])
{
    double alpha[MAX_LEVELS];
    const Shape full = layer_case_out(c, 0);
    const size_t count = shape_count(full);
    double *y = zeros(count), *gauge = zeros(count), *upsampled = doubles(count), *size = doubles(count);
    c->engine->layer_alpha(c->layer, alpha);
    for (int r = 0; r < c->spec.levels; r++) {
        if (!level_kept(c->spec.kept, r))
            continue;
        const double *gamma = layer_case_gamma(c, r), *beta = layer_case_beta(c, r);
        double *z = layer_case_stage(c, STAGE_ACTIVATION, r);
        ref_upsample_forward(upsampled, z, c->spec.up, 1 << r, layer_case_out(c, r));
        ref_upsample_forward(size, absolute(z, shape_count(layer_case_out(c, r))), c->spec.up, 1 << r,
                             layer_case_out(c, r));
        for (size_t i = 0; i < count; i++) {
            const int k = layer_channel_of(i, full);
            const double scale = (gamma ? gamma[k] : 1) / sqrt(variance[r][k] + c->spec.eps);
            const double shift = beta ? beta[k] : 0;
            y[i] += alpha[r] * (scale * (upsampled[i] - mean[r][k]) + shift);
            gauge[i] += alpha[r] * (fabs(scale) * (size[i] + fabs(mean[r][k])) + fabs(shift));
        }
        if (layer_has_skip(c))
            add_skip(y, gauge, c, alpha[r], r);
    }
    const int interpolation = c->spec.up == UPSAMPLE_BILINEAR ? 8 : 0;
    CK_WITHIN(compare_rounded(c->output, y, gauge, count),
              stored((layer_has_skip(c) ? 2 : 1) * c->spec.levels + 3 + interpolation, interpolation ? 2 : 1),
              "y");
}

void layer_check_forward(const LayerCase *c)
{
    double alpha[MAX_LEVELS], softmax[MAX_LEVELS];
    const double *mean[MAX_LEVELS] = {0}, *variance[MAX_LEVELS] = {0};
    for (int r = 0; r < c->spec.levels; r++) {
        if (!level_kept(c->spec.kept, r))
            continue;
        check_pooled(c, r);
        if (layer_is_mbconv(c)) {
            layer_check_mbconv_forward(c, r);
            check_statistics(c, STAGE_EXPANDED, r, 0);
            check_statistics(c, STAGE_FILTERED, r, 1);
        } else
            check_activation(c, r);
        check_statistics(c, STAGE_ACTIVATION, r, layer_last_norm(c));
        mean[r] = layer_statistic(c, STAGE_MEAN, r, layer_last_norm(c));
        variance[r] = layer_statistic(c, STAGE_VARIANCE, r, layer_last_norm(c));
    }
    c->engine->layer_alpha(c->layer, alpha);
    ref_softmax_forward(softmax, c->logits, c->spec.kept, c->spec.levels);
    CK_WITHIN(compare_rounded(alpha, softmax, softmax, c->spec.levels), roundings(2), "alpha");
    layer_check_mixed(c, mean, variance);
}

/* Sums of one level that dconv, dgamma, dbeta and dalpha need, and their gauges; zhat = (z - mean) scale. */
typedef struct {
    double *dsum, *gauge_dsum;  /* U^T dy (N,K,H/2^r,W/2^r) */
    double *sum, *sum_zhat;     /* over batch and map, (K): of dsum, of dsum zhat */
    double *gauge, *gauge_zhat; /* the same over absolute values, |zhat| <= (|z| + |mean|) scale */
    double *z, *mean, *variance;
    double *squares;          /* (K): of dsum^2 zhat^2, and of what dsum was summed from */
    double roundings, stores; /* that dsum has seen */
} LevelSums;

static LevelSums level_sums(const LayerCase *c, int r)
{
    const Shape s = layer_case_out(c, r);
    const size_t count = shape_count(s), full = shape_count(layer_case_out(c, 0));
    LevelSums l = {zeros(count), zeros(count), zeros(s.c), zeros(s.c), zeros(s.c), zeros(s.c),
                   NULL,         NULL,         NULL,       zeros(s.c), 0,          0};
    double *dy2 = zeros(full), *finer = zeros(count);
    l.z = layer_case_stage(c, STAGE_ACTIVATION, r);
    l.mean = layer_statistic(c, STAGE_MEAN, r, layer_last_norm(c));
    l.variance = layer_statistic(c, STAGE_VARIANCE, r, layer_last_norm(c));
    l.roundings = c->spec.up == UPSAMPLE_NEAREST ? 4 * r : r == 0 ? 0 : 4 * (1 << 2 * r) + 4;
    l.stores = c->spec.up == UPSAMPLE_NEAREST ? r : r == 0 ? 0 : 1;
    ref_upsample_backward(l.dsum, c->cotangent, c->spec.up, 1 << r, s);
    ref_upsample_backward(l.gauge_dsum, absolute(c->cotangent, full), c->spec.up, 1 << r, s);
    for (size_t i = 0; i < full; i++)
        dy2[i] = c->cotangent[i] * c->cotangent[i];
    ref_upsample_backward(finer, dy2, c->spec.up, 1 << r, s);
    for (size_t i = 0; i < count; i++) {
        const int k = layer_channel_of(i, s);
        const double scale = 1 / sqrt(l.variance[k] + c->spec.eps);
        l.sum[k] += l.dsum[i];
        l.sum_zhat[k] += l.dsum[i] * (l.z[i] - l.mean[k]) * scale;
        l.squares[k] += (l.dsum[i] * l.dsum[i] + finer[i]) * pow((l.z[i] - l.mean[k]) * scale, 2);
        l.gauge[k] += l.gauge_dsum[i];
        l.gauge_zhat[k] += l.gauge_dsum[i] * (fabs(l.z[i]) + fabs(l.mean[k])) * scale;
    }
    return l;
}

static void check_dconv(const LayerCase *c, const LevelSums *l, double alpha, int r)
{
    const Shape s = layer_case_out(c, r);
    const size_t count = shape_count(s);
    const double m = (double)s.n * s.h * s.w, *gamma = layer_case_gamma(c, r);
    double *dconv = zeros(count), *gauge = zeros(count);
    for (size_t i = 0; i < count; i++) {
        const int k = layer_channel_of(i, s);
        const double scale = 1 / sqrt(l->variance[k] + c->spec.eps),
                     share = alpha * (gamma ? gamma[k] : 1) * scale;
        const double zhat = (l->z[i] - l->mean[k]) * scale;
        if (l->z[i] > 0 || layer_is_mbconv(c))
            dconv[i] = share * (l->dsum[i] - l->sum[k] / m - zhat * l->sum_zhat[k] / m);
        gauge[i] = fabs(share) * (l->gauge_dsum[i] + l->gauge[k] / m +
                                  (fabs(l->z[i]) + fabs(l->mean[k])) * scale * l->gauge_zhat[k] / m);
    }
    CK_WITHIN(compare_rounded(layer_case_stage(c, STAGE_DCONV, r), dconv, gauge, count),
              stored(5 + l->roundings + m * 0x1p-27 + run_roundings(), l->stores + 1), "dconv");
}

static double *copy_of(const double *x, size_t count)
{
    double *y = doubles(count);
    memcpy(y, x, count * sizeof *y);
    return y;
}

/* dx, its gauge for roundings and the size of what is stored on the way, which Winograd's gauge passes by
 * far. */
typedef struct {
    double *sum, *gauge, *size, terms, stores;
} InputGradient;

/* The share of level r, from dconv. */
static void add_level(InputGradient *x, const LayerCase *c, int r, const double *dconv)
{
    const Conv2dShape block = layer_case_block(c, r);
    const size_t in = shape_count(conv2d_input(block)), out = shape_count(conv2d_output(block));
    const double *w = layer_filters_at(c, r);
    double *dpooled = zeros(in), *gauge = doubles(in), *size = zeros(in);
    x->terms = fmax(x->terms, layer_gauge_backward_data(gauge, c, r, dconv, w));
    ref_conv2d_backward_data(dpooled, dconv, w, block);
    ref_conv2d_backward_data(size, absolute(dconv, out), absolute(w, conv2d_filters(block)), block);
    ref_pool_backward(x->sum, dpooled, c->input, c->spec.down, 1 << r, layer_case_in(c, 0));
    ref_pool_backward(x->gauge, gauge, c->input, c->spec.down, 1 << r, layer_case_in(c, 0));
    ref_pool_backward(x->size, size, c->input, c->spec.down, 1 << r, layer_case_in(c, 0));
}

/* The same of MBConv: what the expansion hands back, and the skip's share, alpha dsum. */
static void add_mbconv_level(InputGradient *x, const LayerCase *c, int r, const LevelSums *l, double alpha)
{
    const size_t in = shape_count(layer_case_in(c, r));
    double *dpooled = zeros(in), *gauge = zeros(in);
    const double terms = layer_check_mbconv_input(dpooled, gauge, c, r);
    for (size_t i = 0; i < in && layer_has_skip(c); i++) {
        dpooled[i] += alpha * l->dsum[i];
        gauge[i] += alpha * l->gauge_dsum[i];
    }
    x->terms = fmax(x->terms, terms + l->roundings + 2);
    x->stores = fmax(x->stores, 2 + l->stores);
    ref_pool_backward(x->sum, dpooled, c->input, c->spec.down, 1 << r, layer_case_in(c, 0));
    ref_pool_backward(x->gauge, gauge, c->input, c->spec.down, 1 << r, layer_case_in(c, 0));
    ref_pool_backward(x->size, gauge, c->input, c->spec.down, 1 << r, layer_case_in(c, 0));
}

/* Pixels of x that the set stores as one number have one gradient, the sum. */
static void check_input_gradient(const LayerCase *c, const InputGradient *x, const double *dx)
{
    const Shape squares = layer_case_in(c, c->stored);
    const size_t count = shape_count(squares);
    const double n = x->terms + 3 * c->spec.levels + (1 << 2 * c->stored);
    double *got = zeros(count), *sum = zeros(count), *gauge = zeros(count), *size = zeros(count);
    ref_upsample_backward(got, dx, UPSAMPLE_NEAREST, 1 << c->stored, squares);
    ref_upsample_backward(sum, x->sum, UPSAMPLE_NEAREST, 1 << c->stored, squares);
    ref_upsample_backward(gauge, x->gauge, UPSAMPLE_NEAREST, 1 << c->stored, squares);
    ref_upsample_backward(size, x->size, UPSAMPLE_NEAREST, 1 << c->stored, squares);
    add_stores(gauge, size, count, n, c->spec.levels + 1 + x->stores);
    CK_WITHIN(compare_rounded(got, sum, gauge, count), roundings(n), "dx");
}

/* Beside the worst case, what occurs. The errors of roundings are independent of each other and of mean 0,
 * each at most u = 2^-8 (2^-24 in float) of its term and so of deviation u / sqrt(3) at most: those of a sum
 * of terms t walk at random, and stay within six deviations,
 *
 *     |got - ref| <= 6 u sqrt(roundings / 3) sqrt(sum of t^2),
 *
 * where the worst case has the sum of |t|. Here t are the terms dsum zhat of dalpha; a few roundings of the
 * result itself come on top. */
static void check_typical(const LayerCase *c, const double *dlogits, const double *da,
                          const double *deviation, const double *alpha)
{
    double mean = 0;
    for (int r = 0; r < c->spec.levels; r++)
        mean += alpha[r] * deviation[r];
    for (int r = 0; r < c->spec.levels; r++) {
        const double limit = 6 * alpha[r] * (deviation[r] + mean) + 8 * 0x1p-24 * (fabs(da[r]) + alpha[r]);
        ck_assert_msg(fabs(dlogits[r] - da[r]) <= limit,
                      "dlogits[%d] is %.9g, not %.9g: off by %g, but %g is typical", r, dlogits[r], da[r],
                      fabs(dlogits[r] - da[r]), limit);
    }
}

/* What the skip adds to the gradient of alpha: <dsum, pooled>. */
static void add_skip_to_alpha(double *dalpha, double *gauge, const LevelSums *l, const double *pooled,
                              size_t count)
{
    for (size_t i = 0; i < count; i++) {
        *dalpha += l->dsum[i] * pooled[i];
        *gauge += l->gauge_dsum[i] * fabs(pooled[i]);
    }
}

void layer_check_backward(const LayerCase *c, const double *dx, const double *dfilters, const double *dlogits)
{
    const int channels = c->spec.channels_out;
    const size_t inputs = shape_count(layer_case_in(c, 0));
    double alpha[MAX_LEVELS], dalpha[MAX_LEVELS] = {0}, gauge_alpha[MAX_LEVELS] = {0};
    double terms = 0, most = 0, stores = 0, mean = 0;
    double *sum_filters = copy_of(c->dfilters, c->filters_count);
    double *gauge_filters = absolute(c->dfilters, c->filters_count);
    double *error = zeros(c->filters_count); /* of MBConv's filters */
    InputGradient x = {zeros(inputs), zeros(inputs), zeros(inputs), 0, 0};
    double deviation[MAX_LEVELS] = {0};
    double *da = copy_of(c->dlogits, c->logits_count);
    double *gauge_a = absolute(da, c->logits_count);
    c->engine->layer_alpha(c->layer, alpha);
    for (int r = 0; r < c->spec.levels; r++) {
        if (!level_kept(c->spec.kept, r))
            continue;
        const LevelSums l = level_sums(c, r);
        const Shape out = layer_case_out(c, r);
        const double *gamma = layer_case_gamma(c, r), *beta = layer_case_beta(c, r);
        const size_t g = layer_gamma_at(&c->spec, r) + layer_norm_gamma(&c->spec, layer_last_norm(c));
        check_dconv(c, &l, alpha[r], r);
        if (layer_is_mbconv(c)) {
            layer_check_mbconv_backward(sum_filters, error, c, r);
            add_mbconv_level(&x, c, r, &l, alpha[r]);
            terms += 2; /* the sum over levels */
        } else {
            terms += layer_add_filters(sum_filters, gauge_filters, c, r);
            add_level(&x, c, r, layer_case_stage(c, STAGE_DCONV, r));
        }
        if (layer_has_skip(c))
            add_skip_to_alpha(&dalpha[r], &gauge_alpha[r], &l, layer_case_stage(c, STAGE_POOLED, r),
                              shape_count(layer_case_in(c, r)));
        for (int k = 0; k < channels; k++) {
            dalpha[r] += (gamma ? gamma[k] : 1) * l.sum_zhat[k] + (beta ? beta[k] : 0) * l.sum[k];
            gauge_alpha[r] +=
                (gamma ? fabs(gamma[k]) : 1) * l.gauge_zhat[k] + (beta ? fabs(beta[k]) : 0) * l.gauge[k];
            if (!gamma)
                continue;
            sum_filters[g + k] += alpha[r] * l.sum_zhat[k];
            sum_filters[g + channels + k] += alpha[r] * l.sum[k];
            gauge_filters[g + k] += alpha[r] * l.gauge_zhat[k];
            gauge_filters[g + channels + k] += alpha[r] * l.gauge[k];
        }
        const double m = (double)out.n * out.h * out.w;
        double squares = 0;
        for (int k = 0; k < channels; k++)
            squares += (gamma ? gamma[k] * gamma[k] : 1) * l.squares[k];
        deviation[r] =
            (stored(0, 1) * 0x1p-24 * sqrt(l.stores) + 0x1p-24 * sqrt(l.roundings + 4)) * sqrt(squares / 3);
        most = fmax(most, l.roundings + m * 0x1p-27 + run_roundings());
        stores = fmax(stores, l.stores);
        mean += alpha[r] * gauge_alpha[r];
    }
    /* Filters and biases are sums from dconv as the set has it; only gamma and beta come from dsum. */
    const size_t convolution = layer_gamma_at(&c->spec, 0), affine = c->filters_count - convolution;
    if (layer_is_mbconv(c)) {
        for (size_t i = 0; i < c->filters_count; i++)
            error[i] += stored(terms + most, stores) * 0x1p-24 * gauge_filters[i] +
                        terms * 0x1p-24 * fabs(sum_filters[i]);
        layer_check_bounded(dfilters, sum_filters, error, c->filters_count, "dfilters");
    } else
        CK_WITHIN(compare_rounded(dfilters, sum_filters, gauge_filters, convolution), roundings(terms),
                  "dfilters");
    if (affine > 0 && !layer_is_mbconv(c))
        CK_WITHIN(compare_rounded(dfilters + convolution, sum_filters + convolution,
                                  gauge_filters + convolution, affine),
                  stored(terms + most, stores), "dgamma and dbeta");
    if (dx)
        check_input_gradient(c, &x, dx);
    ref_softmax_backward(da, dalpha, alpha, c->spec.kept, c->spec.levels);
    for (int r = 0; r < c->spec.levels; r++)
        gauge_a[r] += alpha[r] * (gauge_alpha[r] + mean);
    CK_WITHIN(compare_rounded(dlogits, da, gauge_a, c->logits_count), stored(3 + most, stores), "dlogits");
    if (!layer_has_skip(c))
        check_typical(c, dlogits, da, deviation, alpha);
}
