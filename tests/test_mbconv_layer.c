/* MBConv as the block of a multi-resolution layer, in ref: the block against a plain second one, the layer
 * against its equation and central differences, the engine's layer against the operations.
 *
 * Claims: eq1.any-block s4.1.mbconv. */
#include "../ref/batchnorm.h"
#include "../ref/engine_mbconv.h"
#include "../ref/mix.h"
#include "../ref/multires.h"
#include "../ref/pool.h"
#include "../ref/upsample.h"
#include "inputs.h"
#include "lanes.h"
#include "layer_case.h"
#include "mbconv_case.h"
#include "suites.h"
#include <math.h>
#include <string.h>

#define COUNT(array) (int)(sizeof(array) / sizeof *(array))

/* n, c, k, h, w, E, Q; with the skip and without. */
static const MbconvShape BLOCKS[] = {{3, 2, 2, 3, 4, 12, 1, 0.1}, {2, 2, 3, 4, 3, 12, 1, 0.1},
                                     {4, 4, 4, 2, 2, 8, 2, 0.1},  {5, 1, 1, 2, 3, 6, 1, 0.1},
                                     {6, 3, 2, 1, 1, 5, 3, 0.1},  {2, 5, 5, 5, 3, 7, 2, 1e-3}};

/* The block written down once more, image by image and pixel by pixel, without any of its parts. */
static double batchnorm_at(const double *x, int c, size_t i, Shape s, double eps)
{
    double mean = 0, variance = 0;
    const int pixels = s.h * s.w;
    for (int n = 0; n < s.n; n++)
        for (int p = 0; p < pixels; p++)
            mean += x[((size_t)n * s.c + c) * pixels + p] / s.n / pixels;
    for (int n = 0; n < s.n; n++)
        for (int p = 0; p < pixels; p++)
            variance += pow(x[((size_t)n * s.c + c) * pixels + p] - mean, 2) / s.n / pixels;
    return (x[i] - mean) / sqrt(variance + eps);
}

static double logistic(double x)
{
    return 0.5 * (1 + tanh(x / 2));
}

/* swish of batch norm of x, a map of E channels. */
static void activate(double *y, const double *x, Shape s, double eps)
{
    for (size_t i = 0; i < shape_count(s); i++) {
        const double u = batchnorm_at(x, (int)(i / ((size_t)s.h * s.w) % s.c), i, s, eps);
        y[i] = u * logistic(u);
    }
}

START_TEST(test_mbconv_forward_matches_a_plain_one)
{
    const MbconvShape s = BLOCKS[_i];
    const Shape wide = mbconv_expanded(s), in = mbconv_input(s), out = mbconv_output(s);
    const int pixels = s.h * s.w;
    const double *x = random_doubles(shape_count(in), 1), *w = random_doubles(mbconv_filters(s), 2);
    const MbconvParameters p = mbconv_parameters(w, NULL, s);
    double *e = doubles(shape_count(wide)), *h = doubles(shape_count(wide)), *f = doubles(shape_count(wide));
    double *z = doubles(shape_count(out)), *y = doubles(shape_count(out)), *got = doubles(shape_count(out));
    MbconvCache cache;
    MbconvScratch scratch;
    mbconv_arrays(&cache, &scratch, s);
    ref_mbconv_forward(got, &cache, x, p, true, s);
    for (size_t i = 0; i < shape_count(wide); i++) {
        const int n = (int)(i / pixels / wide.c), c = (int)(i / pixels % wide.c), pixel = (int)(i % pixels);
        e[i] = 0;
        for (int from = 0; from < s.c; from++)
            e[i] += p.expand[c * s.c + from] * x[((size_t)n * s.c + from) * pixels + pixel];
    }
    activate(h, e, wide, s.eps);
    for (size_t i = 0; i < shape_count(wide); i++) {
        const int c = (int)(i / pixels % wide.c), yo = (int)(i % pixels) / s.w, xo = (int)(i % s.w);
        f[i] = 0;
        for (int tap = 0; tap < 9; tap++) {
            const int dy = tap / 3 - 1, dx = tap % 3 - 1;
            if (yo + dy >= 0 && yo + dy < s.h && xo + dx >= 0 && xo + dx < s.w)
                f[i] += p.depthwise[9 * c + tap] * h[(ptrdiff_t)i + dy * s.w + dx];
        }
    }
    activate(h, f, wide, s.eps);
    for (int n = 0; n < s.n; n++) {
        double average[16] = {0}, hidden[8], gate[16];
        ck_assert(wide.c <= 16 && s.squeezed <= 8);
        for (int c = 0; c < wide.c; c++)
            for (int pixel = 0; pixel < pixels; pixel++)
                average[c] += h[((size_t)n * wide.c + c) * pixels + pixel] / pixels;
        for (int q = 0; q < s.squeezed; q++) {
            double sum = p.excite.b1[q];
            for (int c = 0; c < wide.c; c++)
                sum += p.excite.w1[q * wide.c + c] * average[c];
            hidden[q] = sum * logistic(sum);
        }
        for (int c = 0; c < wide.c; c++) {
            double sum = p.excite.b2[c];
            for (int q = 0; q < s.squeezed; q++)
                sum += p.excite.w2[c * s.squeezed + q] * hidden[q];
            gate[c] = logistic(sum);
        }
        for (int k = 0; k < s.k; k++)
            for (int pixel = 0; pixel < pixels; pixel++) {
                double sum = 0;
                for (int c = 0; c < wide.c; c++)
                    sum += p.project[k * wide.c + c] * gate[c] * h[((size_t)n * wide.c + c) * pixels + pixel];
                z[((size_t)n * s.k + k) * pixels + pixel] = sum;
            }
    }
    for (size_t i = 0; i < shape_count(out); i++)
        y[i] = batchnorm_at(z, (int)(i / pixels % s.k), i, out, s.eps) + (s.k == s.c ? x[i] : 0);
    /* A few hundred roundings, through slopes of at most a few tens: batch norm's are 1 / sqrt(eps). */
    CK_WITHIN(compare_double(got, y, 0x1p-36, shape_count(out)), 1, "y");
}
END_TEST

/* At inference the statistics are given: those of the batch give the same y, others do not. */
START_TEST(test_mbconv_inference_uses_given_statistics)
{
    const MbconvShape s = BLOCKS[0];
    const size_t out = shape_count(mbconv_output(s));
    const double *x = random_doubles(shape_count(mbconv_input(s)), 1),
                 *w = random_doubles(mbconv_filters(s), 2);
    const MbconvParameters p = mbconv_parameters(w, NULL, s);
    double *trained = doubles(out), *inferred = doubles(out);
    MbconvCache cache;
    MbconvScratch scratch;
    mbconv_arrays(&cache, &scratch, s);
    ref_mbconv_forward(trained, &cache, x, p, true, s);
    ref_mbconv_forward(inferred, &cache, x, p, false, s);
    CK_WITHIN(compare_exact_double(inferred, trained, out), 0, "statistics of the batch");
    for (int i = 0; i < MBCONV_NORMS; i++) {
        const double before = cache.mean[i][0];
        cache.mean[i][0] += 0.5;
        ref_mbconv_forward(inferred, &cache, x, p, false, s);
        ck_assert_msg(!within(compare_exact_double(inferred, trained, out), 0), "mean %d is not read", i);
        ck_assert_double_eq(cache.mean[i][0], before + 0.5);
        cache.mean[i][0] = before;
    }
}
END_TEST

/* A layer of MBConv with all its arrays. */
typedef struct {
    MultiresShape s;
    double *x, *w, *a, *affine[MAX_LEVELS], *y, *cotangent;
    MultiresCache cache;
    MultiresScratch scratch;
} LayerArrays;

static Shape map_of(MultiresShape s, int channels, int r)
{
    return (Shape){s.block.n, channels, s.block.h >> r, s.block.w >> r};
}

static MbconvShape block_of(MultiresShape s, int r)
{
    const Conv2dShape b = s.block;
    return (MbconvShape){b.n, b.c, b.k, b.h >> r, b.w >> r, s.expanded, s.squeezed, s.eps};
}

/* The affine maps of the levels are their own, or the first one's. */
static LayerArrays layer_arrays(MultiresShape s, bool affine, bool shared)
{
    LayerArrays l = {.s = s};
    const size_t out = shape_count(map_of(s, s.block.k, 0));
    l.x = random_doubles(shape_count(map_of(s, s.block.c, 0)), 1);
    l.w = random_doubles(mbconv_filters(block_of(s, 0)), 2);
    l.a = random_doubles(s.levels, 3);
    l.y = doubles(out);
    l.cotangent = random_doubles(out, 4);
    frozen(l.x), frozen(l.w), frozen(l.a), frozen(l.cotangent);
    for (int r = 0, first = -1; r < s.levels; r++) {
        const size_t map = shape_count(map_of(s, s.block.k, r)), in = shape_count(map_of(s, s.block.c, r));
        if (!level_kept(s.kept, r))
            continue;
        l.cache.pooled[r] = doubles(in), l.scratch.dpooled[r] = doubles(in);
        l.cache.block[r] = doubles(map), l.scratch.dnormalised[r] = doubles(map);
        l.cache.upsampled[r] = doubles(out), l.scratch.dupsampled[r] = doubles(out);
        mbconv_arrays(&l.cache.mbconv[r], &l.scratch.mbconv[r], block_of(s, r));
        if (affine)
            l.affine[r] = shared && first >= 0 ? l.affine[first]
                                               : random_doubles(mbconv_affine(block_of(s, r)), 10 + r);
        first = first < 0 ? r : first;
    }
    return l;
}

static MultiresParameters parameters(const LayerArrays *l)
{
    MultiresParameters p = {.a = l->a};
    for (int r = 0; r < l->s.levels; r++)
        p.mbconv[r] = mbconv_parameters(l->w, l->affine[r], block_of(l->s, r));
    return p;
}

static Outcome layer_loss(void *context)
{
    LayerArrays *l = context;
    ref_multires_forward(l->y, &l->cache, l->x, parameters(l), true, l->s);
    uint64_t pattern = 0;
    const Conv2dShape b = l->s.block;
    for (int r = 0; r < l->s.levels; r++)
        if (level_kept(l->s.kept, r) && l->s.down == POOL_MAX)
            pattern = pattern_maxima(pattern, l->x, b.n * b.c, b.h, b.w, 1 << r);
    return (Outcome){dot(l->cotangent, l->y, shape_count(map_of(l->s, b.k, 0))), pattern};
}

#define LAYER(c, k, levels, kept, down, up)                                    \
    {                                                                          \
        {3, c, k, 8, 8, 1, 1}, levels, kept, down, up, 0.1, BLOCK_MBCONV, 5, 2 \
    }

static const struct {
    MultiresShape s;
    bool affine, shared;
} LAYERS[] = {
    {LAYER(2, 2, 1, 1, POOL_MAX, UPSAMPLE_NEAREST), false, false},
    {LAYER(2, 2, 3, 7, POOL_MAX, UPSAMPLE_NEAREST), true, false},
    {LAYER(3, 2, 3, 5, POOL_AVERAGE, UPSAMPLE_NEAREST), true, true},
    {LAYER(3, 3, 4, 14, POOL_SUBSAMPLE, UPSAMPLE_BILINEAR), false, false},
};

/* M(h) = sum of alpha[r] U(B(S(h))), each level's block run by itself. */
START_TEST(test_mbconv_layer_is_the_equation)
{
    const MultiresShape s = LAYERS[_i].s;
    LayerArrays l = layer_arrays(s, LAYERS[_i].affine, LAYERS[_i].shared);
    const size_t out = shape_count(map_of(s, s.block.k, 0));
    double alpha[MAX_LEVELS], *y = zeros(out), *up = doubles(out);
    layer_loss(&l);
    ref_softmax_forward(alpha, l.a, s.kept, s.levels);
    for (int r = 0; r < s.levels; r++) {
        if (!level_kept(s.kept, r))
            continue;
        const MbconvShape block = block_of(s, r);
        double *pooled = doubles(shape_count(mbconv_input(block))),
               *b = doubles(shape_count(mbconv_output(block)));
        MbconvCache cache;
        MbconvScratch scratch;
        mbconv_arrays(&cache, &scratch, block);
        ref_pool_forward(pooled, l.x, s.down, 1 << r, map_of(s, s.block.c, 0));
        ref_mbconv_forward(b, &cache, pooled, mbconv_parameters(l.w, l.affine[r], block), true, block);
        ref_upsample_forward(up, b, s.up, 1 << r, mbconv_output(block));
        for (size_t i = 0; i < out; i++)
            y[i] += alpha[r] * up[i];
    }
    CK_WITHIN(compare_double(l.y, y, 0x1p-48, out), 1, "y");
}
END_TEST

static void check(LayerArrays *l, double *x, double *gradient, size_t count, const char *what)
{
    subtract_prefill(gradient, count);
    CK_GRADIENT(((GradientCheck){layer_loss, l, x, gradient, count}), what);
}

START_TEST(test_layer_backward_matches_differences)
{
    const MultiresShape s = LAYERS[_i].s;
    LayerArrays l = layer_arrays(s, LAYERS[_i].affine, LAYERS[_i].shared);
    const size_t in = shape_count(map_of(s, s.block.c, 0)), weights = mbconv_filters(block_of(s, 0)),
                 affine = mbconv_affine(block_of(s, 0));
    double *dx = prefilled(in), *dw = prefilled(weights), *da = prefilled(s.levels),
           *daffine[MAX_LEVELS] = {0};
    double *untouched = prefilled(weights);
    MultiresGradients d = {.dw = dw, .da = da}, logits = {.da = prefilled(s.levels)};
    int first = -1;
    for (int r = 0; r < s.levels; r++) {
        if (l.affine[r])
            daffine[r] = LAYERS[_i].shared && first >= 0 ? daffine[first] : prefilled(affine);
        first = first < 0 && l.affine[r] ? r : first;
        d.mbconv[r] = mbconv_gradients(dw, daffine[r], block_of(s, r));
    }
    layer_loss(&l);
    ref_multires_backward(dx, d, &l.scratch, l.cotangent, l.x, &l.cache, parameters(&l), s);
    double *again = prefilled(in);
    ref_multires_backward(again, logits, &l.scratch, l.cotangent, l.x, &l.cache, parameters(&l), s);
    CK_WITHIN(compare_exact_double(again, dx, in), 0, "dx without filters");
    CK_WITHIN(compare_exact_double(logits.da, da, s.levels), 0, "da without filters");
    logits = d;
    for (int r = 0; r < s.levels; r++)
        logits.mbconv[r] =
            mbconv_gradients(untouched, l.affine[r] ? prefilled(affine) : NULL, block_of(s, r));
    ref_multires_backward(NULL, logits, &l.scratch, l.cotangent, l.x, &l.cache, parameters(&l), s);
    CK_WITHIN(compare_exact_double(untouched, dw, weights), 0, "filters without dx");
    da = prefilled(s.levels);
    ref_multires_backward(again, (MultiresGradients){.da = da}, &l.scratch, l.cotangent, l.x, &l.cache,
                          parameters(&l), s);
    check(&l, l.x, dx, in, "dx");
    check(&l, l.w, dw, weights, "filters");
    if (s.levels > 1)
        check(&l, l.a, da, s.levels, "da");
    for (int r = 0; r < s.levels; r++)
        if (daffine[r] && !(LAYERS[_i].shared && r > 0))
            check(&l, l.affine[r], daffine[r], affine, "dgamma, dbeta");
}
END_TEST

#define SPEC(c, k, levels, kept, affine, shared)                                        \
    {                                                                                   \
        {c,     k,      8,      8,    levels, kept,         POOL_MAX, UPSAMPLE_NEAREST, \
         false, affine, shared, 1e-5, 0.1,    BLOCK_MBCONV, false},                     \
            3                                                                           \
    }

static const LayerRow ROWS[] = {SPEC(4, 4, 3, 5, true, false), SPEC(9, 9, 2, 3, true, true),
                                SPEC(3, 5, 1, 1, false, false)};

/* The engine's layer is these operations on its slices of the network's vectors. */
START_TEST(test_engine_layer_is_the_operations)
{
    LayerCase c;
    layer_case_make(&c, &ref_engine, ROWS[_i]);
    const LayerSpec *spec = &c.spec;
    const MultiresShape s = {{c.n, spec->channels_in, spec->channels_out, 8, 8, 1, 1},
                             spec->levels,
                             spec->kept,
                             spec->down,
                             spec->up,
                             spec->eps,
                             BLOCK_MBCONV,
                             6 * spec->channels_in,
                             spec->channels_in >= 8 ? spec->channels_in / 4 : 1};
    LayerArrays l = layer_arrays(s, false, false);
    const size_t filters = mbconv_filters(block_of(s, 0)), affine = mbconv_affine(block_of(s, 0));
    const size_t sets = spec->shared_norm ? 1 : (size_t)spec->levels;
    ck_assert_uint_eq(c.filters_count, filters + (spec->affine ? sets * affine : 0));
    ck_assert_uint_eq(c.statistics_count, sets * (affine + 3));
    MultiresParameters p = {.a = c.logits};
    double *dfilters = doubles(c.filters_count), *da = doubles(c.logits_count);
    memcpy(dfilters, c.dfilters, c.filters_count * sizeof *dfilters);
    memcpy(da, c.dlogits, c.logits_count * sizeof *da);
    MultiresGradients d = {.dw = dfilters, .da = da};
    double *statistics = zeros(c.statistics_count);
    for (int r = 0; r < s.levels; r++) {
        const size_t at = filters + (spec->shared_norm ? 0 : r * affine);
        p.mbconv[r] = mbconv_parameters(c.filters, spec->affine ? c.filters + at : NULL, block_of(s, r));
        d.mbconv[r] = mbconv_gradients(dfilters, spec->affine ? dfilters + at : NULL, block_of(s, r));
    }
    const size_t in = shape_count(map_of(s, s.block.c, 0)), out = shape_count(map_of(s, s.block.k, 0));
    double *dx = zeros(in), *got = doubles(in);
    layer_case_forward(&c, PASS_FILTERS);
    layer_case_backward(&c, WANT_FILTERS | WANT_LOGITS);
    c.engine->tensor_export(got, c.dx);
    ref_multires_forward(l.y, &l.cache, c.input, p, true, s);
    ref_multires_backward(dx, d, &l.scratch, c.cotangent, c.input, &l.cache, p, s);
    CK_WITHIN(compare_exact_double(c.output, l.y, out), 0, "y");
    CK_WITHIN(compare_exact_double(got, dx, in), 0, "dx");
    CK_WITHIN(compare_exact_double(layer_case_vector(&c, c.at.dfilters, c.filters_count), dfilters,
                                   c.filters_count),
              0, "dfilters");
    CK_WITHIN(compare_exact_double(layer_case_vector(&c, c.at.dlogits, c.logits_count), da, c.logits_count),
              0, "dlogits");
    for (int r = 0; r < s.levels; r++) {
        double *at = statistics + (spec->shared_norm ? 0 : r * (affine + 3));
        for (int i = 0; level_kept(s.kept, r) && i < 3; i++) {
            const Shape map = map_of(s, i < 2 ? s.expanded : s.block.k, r);
            ref_batchnorm_track(at, at + map.c, at + 2 * map.c, l.cache.mbconv[r].mean[i],
                                l.cache.mbconv[r].variance[i], spec->momentum, map);
            at += 2 * map.c + 1;
        }
    }
    CK_WITHIN(compare_exact_double(layer_case_vector(&c, c.at.statistics, c.statistics_count), statistics,
                                   c.statistics_count),
              0, "tracked statistics");
    layer_case_forward(&c, PASS_INFERENCE);
    for (int r = 0; r < s.levels; r++) {
        const double *at = statistics + (spec->shared_norm ? 0 : r * (affine + 3));
        for (int i = 0; level_kept(s.kept, r) && i < 3; i++) {
            const int channels = i < 2 ? s.expanded : s.block.k;
            ref_batchnorm_tracked(l.cache.mbconv[r].mean[i], l.cache.mbconv[r].variance[i], at, at + channels,
                                  at[2 * channels], channels);
            at += 2 * channels + 1;
        }
    }
    ref_multires_forward(l.y, &l.cache, c.input, p, false, s);
    CK_WITHIN(compare_exact_double(c.output, l.y, out), 0, "y at inference");
    layer_case_free(&c);
}
END_TEST

Suite *mbconv_layer_suite(void)
{
    Suite *suite = suite_create("mbconv_layer");
    TCase *tcase = tcase_create("ref");
    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, NULL, arrays_free);
    tcase_add_loop_test(tcase, test_mbconv_forward_matches_a_plain_one, 0, COUNT(BLOCKS));
    tcase_add_test(tcase, test_mbconv_inference_uses_given_statistics);
    tcase_add_loop_test(tcase, test_mbconv_layer_is_the_equation, 0, COUNT(LAYERS));
    tcase_add_loop_test(tcase, test_layer_backward_matches_differences, 0, COUNT(LAYERS));
    tcase_add_loop_test(tcase, test_engine_layer_is_the_operations, 0, COUNT(ROWS));
    suite_add_tcase(suite, tcase);
    return suite;
}
