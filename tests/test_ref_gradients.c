/* The backward passes of the operations of ref/ against central differences. Outputs start from known values
 * that are subtracted again: a pass adds. */
#include "../ref/batchnorm.h"
#include "../ref/conv2d.h"
#include "../ref/cross_entropy.h"
#include "../ref/global_average.h"
#include "../ref/linear.h"
#include "../ref/mix.h"
#include "../ref/pool.h"
#include "../ref/relu.h"
#include "../ref/upsample.h"
#include "gradient.h"
#include "inputs.h"
#include "suites.h"

#define COUNT(array) (int)(sizeof(array) / sizeof *(array))

/* Whatever one operation needs; each uses its part. */
typedef struct {
    Conv2dShape conv;
    Shape shape;
    PoolMode pool;
    UpsampleMode upsample;
    int factor, levels, n, c, k;
    uint64_t kept;
    double eps;
    double *x, *w, *b, *y, *cotangent, *mean, *variance, *xs[MAX_MIXED];
    int *labels;
    size_t count; /* of y */
} Case;

static Outcome loss(const Case *o, uint64_t pattern)
{
    return (Outcome){dot(o->cotangent, o->y, o->count), pattern};
}

/* The output and its cotangent. */
static void set_output(Case *o, size_t count)
{
    o->count = count;
    o->y = doubles(count);
    o->cotangent = random_doubles(count, 99);
    frozen(o->cotangent);
}

static void check(Outcome (*forward)(void *), Case *o, double *x, double *gradient, size_t count,
                  const char *what)
{
    subtract_prefill(gradient, count);
    CK_GRADIENT(((GradientCheck){forward, o, x, gradient, count}), what);
}

/* n, c, k, h, w, side, stride */
static const Conv2dShape CONVOLUTIONS[] = {
    {1, 1, 1, 1, 1, 1, 1}, {1, 1, 1, 1, 1, 3, 1}, {1, 2, 2, 1, 1, 3, 2}, {2, 3, 4, 5, 4, 3, 1},
    {3, 2, 5, 4, 6, 1, 1}, {2, 3, 2, 6, 4, 3, 2}, {2, 2, 3, 5, 7, 3, 2}, {1, 4, 3, 7, 5, 1, 2},
    {1, 3, 2, 1, 6, 3, 1}, {2, 1, 2, 5, 1, 3, 2}, {5, 1, 2, 2, 3, 3, 1}, {1, 17, 3, 3, 2, 3, 1},
};

static Outcome conv2d_loss(void *context)
{
    Case *o = context;
    ref_conv2d_forward(o->y, o->x, o->w, o->b, o->conv);
    return loss(o, 0);
}

START_TEST(test_conv2d_backward_matches_differences)
{
    const Conv2dShape s = CONVOLUTIONS[_i];
    const size_t in = shape_count(conv2d_input(s)), filters = conv2d_filters(s);
    Case o = {.conv = s, .x = random_doubles(in, 1), .w = random_doubles(filters, 2)};
    o.b = random_doubles(s.k, 3);
    set_output(&o, shape_count(conv2d_output(s)));
    frozen(o.x), frozen(o.w), frozen(o.b);
    double *dx = prefilled(in), *dw = prefilled(filters), *db = prefilled(s.k), *alone = prefilled(filters);
    ref_conv2d_backward_data(dx, o.cotangent, o.w, s);
    ref_conv2d_backward_weights(dw, db, o.cotangent, o.x, s);
    ref_conv2d_backward_weights(alone, NULL, o.cotangent, o.x, s);
    CK_WITHIN(compare_exact_double(alone, dw, filters), 0, "dw without db");
    check(conv2d_loss, &o, o.x, dx, in, "dx");
    check(conv2d_loss, &o, o.w, dw, filters, "dw");
    check(conv2d_loss, &o, o.b, db, s.k, "db");
    o.b = NULL;
    check(conv2d_loss, &o, o.w, alone, filters, "dw without bias");
}
END_TEST

static Outcome relu_loss(void *context)
{
    Case *o = context;
    ref_relu_forward(o->y, o->x, o->count);
    return loss(o, pattern_signs(0, o->x, o->count));
}

START_TEST(test_relu_backward_matches_differences)
{
    Case o = {.x = random_doubles(301, 1)};
    set_output(&o, 301);
    frozen(o.x);
    double *dx = prefilled(301);
    relu_loss(&o);
    ref_relu_backward(dx, o.cotangent, o.y, 301);
    check(relu_loss, &o, o.x, dx, 301, "dx");
}
END_TEST

/* Of two values, or of equal ones, batch norm is constant but for eps: such shapes go with a large eps. */
static const struct {
    Shape shape;
    double eps;
    bool affine;
} NORMS[] = {
    {{1, 1, 2, 3}, 1e-5, false}, {{4, 3, 2, 5}, 1e-5, true},  {{2, 5, 4, 3}, 1e-3, false},
    {{5, 2, 1, 1}, 1e-5, true},  {{2, 2, 1, 1}, 0.25, false}, {{1, 3, 1, 2}, 0.25, true},
    {{3, 1, 7, 2}, 0.25, false}, {{1, 2, 6, 6}, 0.25, true},
};

static Outcome batchnorm_loss(void *context)
{
    Case *o = context;
    ref_batchnorm_statistics(o->mean, o->variance, o->x, o->shape);
    ref_batchnorm_forward(o->y, o->x, o->mean, o->variance, o->w, o->b, o->eps, o->shape);
    return loss(o, 0);
}

START_TEST(test_batchnorm_backward_matches_differences)
{
    const Shape s = NORMS[_i].shape;
    const size_t count = shape_count(s);
    Case o = {.shape = s, .eps = NORMS[_i].eps, .x = random_doubles(count, 1)};
    o.mean = doubles(s.c), o.variance = doubles(s.c);
    frozen(o.x);
    if (NORMS[_i].affine) {
        o.w = random_doubles(s.c, 2), o.b = random_doubles(s.c, 3);
        frozen(o.w), frozen(o.b);
    }
    set_output(&o, count);
    double *dx = prefilled(count), *dgamma = prefilled(s.c), *dbeta = prefilled(s.c);
    double *alone = prefilled(count);
    batchnorm_loss(&o);
    ref_batchnorm_backward(dx, dgamma, dbeta, o.cotangent, o.x, o.mean, o.variance, o.w, o.eps, s);
    ref_batchnorm_backward(alone, NULL, NULL, o.cotangent, o.x, o.mean, o.variance, o.w, o.eps, s);
    CK_WITHIN(compare_exact_double(alone, dx, count), 0, "dx without dgamma and dbeta");
    check(batchnorm_loss, &o, o.x, dx, count, "dx");
    if (!o.w)
        return;
    check(batchnorm_loss, &o, o.w, dgamma, s.c, "dgamma");
    check(batchnorm_loss, &o, o.b, dbeta, s.c, "dbeta");
}
END_TEST

static const int FACTORS[] = {1, 2, 4, 8};

static Outcome pool_loss(void *context)
{
    Case *o = context;
    const Shape s = o->shape;
    ref_pool_forward(o->y, o->x, o->pool, o->factor, s);
    return loss(o, o->pool == POOL_MAX ? pattern_maxima(0, o->x, s.n * s.c, s.h, s.w, o->factor) : 0);
}

/* _i counts modes and factors. */
START_TEST(test_pool_backward_matches_differences)
{
    const Shape s = {2, 3, 8, 16};
    const size_t count = shape_count(s);
    Case o = {.shape = s, .pool = (PoolMode)(_i / COUNT(FACTORS)), .factor = FACTORS[_i % COUNT(FACTORS)]};
    o.x = random_doubles(count, 1);
    frozen(o.x);
    set_output(&o, shape_count(shape_coarser(s, o.factor)));
    double *dx = prefilled(count);
    ref_pool_backward(dx, o.cotangent, o.x, o.pool, o.factor, s);
    check(pool_loss, &o, o.x, dx, count, "dx");
}
END_TEST

static Outcome upsample_loss(void *context)
{
    Case *o = context;
    ref_upsample_forward(o->y, o->x, o->upsample, o->factor, o->shape);
    return loss(o, 0);
}

static const Shape UPSAMPLED[] = {{2, 2, 3, 5}, {1, 2, 1, 4}, {1, 1, 1, 1}};

/* _i counts modes, factors and shapes. */
START_TEST(test_upsample_backward_matches_differences)
{
    const Shape s = UPSAMPLED[_i % COUNT(UPSAMPLED)];
    const int rest = _i / COUNT(UPSAMPLED);
    const size_t count = shape_count(s);
    Case o = {.shape = s, .upsample = (UpsampleMode)(rest / COUNT(FACTORS))};
    o.factor = FACTORS[rest % COUNT(FACTORS)];
    o.x = random_doubles(count, 1);
    frozen(o.x);
    set_output(&o, shape_count(shape_finer(s, o.factor)));
    double *dx = prefilled(count);
    ref_upsample_backward(dx, o.cotangent, o.upsample, o.factor, s);
    check(upsample_loss, &o, o.x, dx, count, "dx");
}
END_TEST

/* Masks over at most MAX_MIXED entries. */
static const struct {
    int levels;
    uint64_t kept;
} MASKS[] = {{1, 1},
             {2, 3},
             {3, 2},
             {4, 15},
             {4, 10},
             {5, 17},
             {8, 255},
             {8, 0x94},
             {63, UINT64_MAX >> 1},
             {64, UINT64_C(0x8000000100000002)}};

static Outcome softmax_loss(void *context)
{
    Case *o = context;
    ref_softmax_forward(o->y, o->x, o->kept, o->levels);
    return loss(o, 0);
}

START_TEST(test_softmax_backward_matches_differences)
{
    const int levels = MASKS[_i].levels;
    Case o = {.levels = levels, .kept = MASKS[_i].kept, .x = random_doubles(levels, 1)};
    frozen(o.x);
    set_output(&o, levels);
    double *da = prefilled(levels);
    softmax_loss(&o);
    ref_softmax_backward(da, o.cotangent, o.y, o.kept, levels);
    check(softmax_loss, &o, o.x, da, levels, "da");
}
END_TEST

static Outcome mix_loss(void *context)
{
    Case *o = context;
    ref_mix_forward(o->y, (const double *const *)o->xs, o->w, o->kept, o->levels, o->count);
    return loss(o, 0);
}

/* The first kept entry of dx is NULL, then dx itself: the rest is as before. */
START_TEST(test_mix_backward_matches_differences)
{
    enum { SIZE = 21 };
    const int levels = MASKS[_i].levels;
    Case o = {.levels = levels, .kept = MASKS[_i].kept, .w = random_doubles(levels, 1)};
    double *dx[MAX_MIXED] = {NULL}, *without[MAX_MIXED] = {NULL};
    double *dalpha = prefilled(levels), *again = prefilled(levels), *alone = prefilled(levels);
    int kept = 0;
    for (int r = 0; r < levels; r++)
        if (level_kept(o.kept, r)) {
            o.xs[r] = random_doubles(SIZE, 10 + r);
            frozen(o.xs[r]);
            dx[r] = prefilled(SIZE);
            without[r] = kept++ ? prefilled(SIZE) : NULL;
        }
    frozen(o.w);
    set_output(&o, SIZE);
    const double *const *xs = (const double *const *)o.xs;
    ref_mix_backward(dx, dalpha, o.cotangent, xs, o.w, o.kept, levels, SIZE);
    ref_mix_backward(without, again, o.cotangent, xs, o.w, o.kept, levels, SIZE);
    ref_mix_backward(NULL, alone, o.cotangent, xs, o.w, o.kept, levels, SIZE);
    CK_WITHIN(compare_exact_double(again, dalpha, levels), 0, "dalpha with one dx NULL");
    CK_WITHIN(compare_exact_double(alone, dalpha, levels), 0, "dalpha with dx NULL");
    check(mix_loss, &o, o.w, dalpha, levels, "dalpha");
    for (int r = 0; r < levels; r++) {
        if (without[r])
            CK_WITHIN(compare_exact_double(without[r], dx[r], SIZE), 0, "dx[r] with another NULL");
        if (dx[r])
            check(mix_loss, &o, o.xs[r], dx[r], SIZE, "dx[r]");
    }
}
END_TEST

/* N, C, K */
static const int MATRICES[][3] = {{1, 1, 1}, {3, 4, 2}, {2, 1, 5}, {1, 7, 10}, {5, 6, 3}};

static Outcome linear_loss(void *context)
{
    Case *o = context;
    ref_linear_forward(o->y, o->x, o->w, o->b, o->n, o->c, o->k);
    return loss(o, 0);
}

START_TEST(test_linear_backward_matches_differences)
{
    const int n = MATRICES[_i][0], c = MATRICES[_i][1], k = MATRICES[_i][2];
    const size_t in = (size_t)n * c, weights = (size_t)k * c;
    Case o = {.n = n, .c = c, .k = k, .x = random_doubles(in, 1), .w = random_doubles(weights, 2)};
    o.b = random_doubles(k, 3);
    set_output(&o, (size_t)n * k);
    frozen(o.x), frozen(o.w), frozen(o.b);
    double *dx = prefilled(in), *dw = prefilled(weights), *db = prefilled(k);
    double *dx_alone = prefilled(in), *dw_alone = prefilled(weights), *db_alone = prefilled(k);
    ref_linear_backward(dx, dw, db, o.cotangent, o.x, o.w, n, c, k);
    ref_linear_backward(dx_alone, NULL, NULL, o.cotangent, o.x, o.w, n, c, k);
    ref_linear_backward(NULL, dw_alone, db_alone, o.cotangent, o.x, o.w, n, c, k);
    CK_WITHIN(compare_exact_double(dx_alone, dx, in), 0, "dx alone");
    CK_WITHIN(compare_exact_double(dw_alone, dw, weights), 0, "dw without dx");
    CK_WITHIN(compare_exact_double(db_alone, db, k), 0, "db without dx");
    check(linear_loss, &o, o.x, dx, in, "dx");
    check(linear_loss, &o, o.w, dw, weights, "dw");
    check(linear_loss, &o, o.b, db, k, "db");
}
END_TEST

static Outcome global_average_loss(void *context)
{
    Case *o = context;
    ref_global_average_forward(o->y, o->x, o->shape);
    return loss(o, 0);
}

START_TEST(test_global_average_backward_matches_differences)
{
    const Shape s = UPSAMPLED[_i];
    Case o = {.shape = s, .x = random_doubles(shape_count(s), 1)};
    frozen(o.x);
    set_output(&o, (size_t)s.n * s.c);
    double *dx = prefilled(shape_count(s));
    ref_global_average_backward(dx, o.cotangent, s);
    check(global_average_loss, &o, o.x, dx, shape_count(s), "dx");
}
END_TEST

static Outcome cross_entropy_loss(void *context)
{
    Case *o = context;
    return (Outcome){ref_cross_entropy_forward(o->x, o->labels, o->n, o->k), 0};
}

START_TEST(test_cross_entropy_backward_matches_differences)
{
    const int n = MATRICES[_i][0], k = MATRICES[_i][2] + 1;
    const size_t count = (size_t)n * k;
    Case o = {.n = n, .k = k, .x = random_doubles(count, 1), .labels = random_labels(n, k, 2)};
    for (size_t i = 0; i < count; i++)
        o.x[i] *= 3;
    frozen(o.x);
    double *dlogits = prefilled(count);
    ref_cross_entropy_backward(dlogits, o.x, o.labels, n, k);
    check(cross_entropy_loss, &o, o.x, dlogits, count, "dlogits");
}
END_TEST

Suite *ref_gradients_suite(void)
{
    Suite *suite = suite_create("ref_gradients");
    TCase *tcase = tcase_create("differences");
    tcase_set_timeout(tcase, 30);
    tcase_add_checked_fixture(tcase, NULL, arrays_free);
    tcase_add_loop_test(tcase, test_conv2d_backward_matches_differences, 0, COUNT(CONVOLUTIONS));
    tcase_add_test(tcase, test_relu_backward_matches_differences);
    tcase_add_loop_test(tcase, test_batchnorm_backward_matches_differences, 0, COUNT(NORMS));
    tcase_add_loop_test(tcase, test_pool_backward_matches_differences, 0, 3 * COUNT(FACTORS));
    tcase_add_loop_test(tcase, test_upsample_backward_matches_differences, 0,
                        3 * COUNT(FACTORS) * COUNT(UPSAMPLED));
    tcase_add_loop_test(tcase, test_softmax_backward_matches_differences, 0, COUNT(MASKS));
    tcase_add_loop_test(tcase, test_mix_backward_matches_differences, 0, COUNT(MASKS));
    tcase_add_loop_test(tcase, test_linear_backward_matches_differences, 0, COUNT(MATRICES));
    tcase_add_loop_test(tcase, test_global_average_backward_matches_differences, 0, COUNT(UPSAMPLED));
    tcase_add_loop_test(tcase, test_cross_entropy_backward_matches_differences, 0, COUNT(MATRICES));
    suite_add_tcase(suite, tcase);
    return suite;
}
