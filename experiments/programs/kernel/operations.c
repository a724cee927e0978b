/* The table of build/kernel: every operation, what it takes and gives, and what it asks of its inputs. */
#include "operations.h"
#include "passes.h"
#include <limits.h>
#include <math.h>
#include <string.h>

/* The comparisons below are written so that NaN fails. */

static bool expect_number(const Job *job, const char *name, bool right, const char *expected, Error *error)
{
    return right ||
           fail(error, "%s: '%s' is %g; expected %s", job->path, name, job_number(job, name), expected);
}

static bool expect_finite(const Job *job, const char *name, Error *error)
{
    return expect_number(job, name, isfinite(job_number(job, name)), "a finite number", error);
}

static bool expect_positive(const Job *job, const char *name, Error *error)
{
    double value = job_number(job, name);
    return expect_number(job, name, value > 0 && isfinite(value), "a number over 0", error);
}

/* What keeps a division finite: over 0 as the set holds it, too. */
static bool expect_eps(const Job *job, Error *error)
{
    if (!expect_positive(job, "eps", error))
        return false;
    return job->kernels == NULL || (float)job_number(job, "eps") > 0 ||
           expect_number(job, "eps", false, "more: as a float, which f32 and bf16 hold it as, it is 0",
                         error);
}

/* The network's own sizes, which the fast sets' layer has. */
static bool check_mbconv(Job *job, Error *error)
{
    const int c = job_dimension(job, 'C'), e = job_dimension(job, 'E'), q = job_dimension(job, 'Q');
    if (e != 6 * c)
        return fail(error, "%s: 'expand' makes %d channels of %d; expected %d, 6 times as many", job->path, e,
                    c, 6 * c);
    if (q != (c < 8 ? 1 : c / 4))
        return fail(error, "%s: 'w1' gives %d numbers; expected %d, a quarter of 'x's channels, at least 1",
                    job->path, q, c < 8 ? 1 : c / 4);
    return expect_eps(job, error);
}

static bool expect_rate(const Job *job, const char *name, Error *error)
{
    double value = job_number(job, name);
    return expect_number(job, name, value >= 0 && value < 1, "a number from 0 up to, not including, 1",
                         error);
}

static bool is_whole(double value, double least, double most)
{
    return value >= least && value <= most && value == floor(value);
}

static bool expect_filter_side(const Job *job, const char *expected, bool right, Error *error)
{
    int side = job_dimension(job, 'S');
    return right || fail(error, "%s: 'w' has %dx%d filters; expected %s", job->path, side, side, expected);
}

static bool check_conv2d(Job *job, Error *error)
{
    int side = job_dimension(job, 'S');
    double stride = job_number(job, "stride");
    if (!expect_filter_side(job, "1x1 or 3x3", side == 1 || side == 3, error) ||
        !expect_number(job, "stride", stride == 1 || stride == 2, "1 or 2", error))
        return false;
    Shape out = conv2d_output(job_conv2d(job));
    job->dimensions['h'] = out.h;
    job->dimensions['w'] = out.w;
    return true;
}

static bool expect_power_of_two(const Job *job, const char *name, Error *error)
{
    double value = job_number(job, name);
    bool right = is_whole(value, 1, 1 << 30) && ((int)value & ((int)value - 1)) == 0;
    return expect_number(job, name, right, "a power of two, at most 2^30", error);
}

static bool expect_divides(const Job *job, const char *name, int factor, Error *error)
{
    Shape s = job_shape(job);
    return (s.h % factor == 0 && s.w % factor == 0) ||
           fail(error,
                "%s: '%s' asks for a factor %d, which does not divide the map; expected a divisor of %d "
                "and %d, the height and width of 'x'",
                job->path, name, factor, s.h, s.w);
}

static bool check_pool(Job *job, Error *error)
{
    if (!expect_power_of_two(job, "factor", error))
        return false;
    int factor = (int)job_number(job, "factor");
    if (!expect_divides(job, "factor", factor, error))
        return false;
    Shape out = shape_coarser(job_shape(job), factor);
    job->dimensions['h'] = out.h;
    job->dimensions['w'] = out.w;
    return true;
}

static bool check_upsample(Job *job, Error *error)
{
    if (!expect_power_of_two(job, "factor", error))
        return false;
    int factor = (int)job_number(job, "factor");
    Shape s = job_shape(job);
    if (s.h > INT_MAX / factor || s.w > INT_MAX / factor)
        return expect_number(job, "factor", false, "less: the map would be too large", error);
    job->dimensions['h'] = s.h * factor;
    job->dimensions['w'] = s.w * factor;
    return true;
}

static bool check_batchnorm(Job *job, Error *error)
{
    bool gamma = job_array(job, "gamma") != NULL, beta = job_array(job, "beta") != NULL;
    if (gamma != beta)
        return fail(error, "%s: '%s' is missing; expected 'gamma' and 'beta' both or neither", job->path,
                    gamma ? "beta" : "gamma");
    return expect_eps(job, error);
}

static bool check_multires(Job *job, Error *error)
{
    int levels = job_dimension(job, 'R');
    if (levels > MAX_LEVELS)
        return fail(error, "%s: 'a' has %d entries; expected at most %d", job->path, levels, MAX_LEVELS);
    return expect_filter_side(job, "3x3", job_dimension(job, 'S') == 3, error) &&
           expect_divides(job, "a", 1 << (levels - 1), error) && expect_eps(job, error);
}

static bool check_cross_entropy(Job *job, Error *error)
{
    const Array *labels = job_array(job, "labels");
    int classes = job_dimension(job, 'K');
    for (size_t i = 0; i < labels->count; i++)
        if (!is_whole(labels->values[i], 0, classes - 1))
            return fail(error, "%s: 'labels' has %g at place %zu; expected a whole number from 0 to %d",
                        job->path, labels->values[i], i, classes - 1);
    return true;
}

static bool check_sgd(Job *job, Error *error)
{
    return expect_finite(job, "lr", error) && expect_finite(job, "momentum", error) &&
           expect_finite(job, "weight_decay", error);
}

static bool check_adam(Job *job, Error *error)
{
    return expect_number(job, "t", is_whole(job_number(job, "t"), 1, INT_MAX), "a whole number from 1",
                         error) &&
           expect_finite(job, "lr", error) && expect_rate(job, "beta1", error) &&
           expect_rate(job, "beta2", error) && expect_eps(job, error) &&
           expect_finite(job, "weight_decay", error);
}

static bool check_cosine(Job *job, Error *error)
{
    double epoch = job_number(job, "epoch");
    return expect_positive(job, "epochs", error) &&
           expect_number(job, "epoch", epoch >= 0 && epoch < job_number(job, "epochs"),
                         "a number from 0 up to, not including, 'epochs'", error) &&
           expect_finite(job, "lr_max", error) && expect_finite(job, "lr_min", error);
}

#define POOL_MODES     "max|avg|subsample"
#define UP_MODES       "nearest|bilinear"
#define UPSAMPLE_MODES UP_MODES "|zeros"

const Operation operations[] = {
    {"conv2d",
     {{ARRAY, "x", "NCHW", 0},
      {ARRAY, "w", "KCSS", 0},
      {ARRAY_OPTIONAL, "b", "K", 0},
      {NUMBER_OPTIONAL, "stride", "", 1}},
     {{ARRAY, "y", "NKhw", 0}},
     {"x", "w", "b"},
     check_conv2d,
     "S is 1 or 3, stride 1 or 2; zero padding (S-1)/2",
     pass_conv2d_forward,
     pass_conv2d_backward,
     false},
    {"pool",
     {{ARRAY, "x", "NCHW", 0}, {WORD, "mode", POOL_MODES, 0}, {NUMBER, "factor", "", 0}},
     {{ARRAY, "y", "NChw", 0}},
     {"x"},
     check_pool,
     "factor is a power of two that divides H and W",
     pass_pool_forward,
     pass_pool_backward,
     false},
    {"upsample",
     {{ARRAY, "x", "NCHW", 0}, {WORD, "mode", UPSAMPLE_MODES, 0}, {NUMBER, "factor", "", 0}},
     {{ARRAY, "y", "NChw", 0}},
     {"x"},
     check_upsample,
     "factor is a power of two; bilinear: half-pixel centres; zeros: between pixels, which stand at the "
     "upper left",
     pass_upsample_forward,
     pass_upsample_backward,
     false},
    {"relu",
     {{ARRAY, "x", "*", 0}},
     {{ARRAY, "y", "*", 0}},
     {"x"},
     NULL,
     NULL,
     pass_relu_forward,
     pass_relu_backward,
     false},
    {"sigmoid",
     {{ARRAY, "x", "*", 0}},
     {{ARRAY, "y", "*", 0}},
     {"x"},
     NULL,
     NULL,
     pass_sigmoid_forward,
     pass_sigmoid_backward,
     false},
    {"swish",
     {{ARRAY, "x", "*", 0}},
     {{ARRAY, "y", "*", 0}},
     {"x"},
     NULL,
     NULL,
     pass_swish_forward,
     pass_swish_backward,
     false},
    {"depthwise",
     {{ARRAY, "x", "NCHW", 0}, {ARRAY, "w", "C133", 0}, {ARRAY_OPTIONAL, "b", "C", 0}},
     {{ARRAY, "y", "NCHW", 0}},
     {"x", "w", "b"},
     NULL,
     "a filter a channel, zero padding; filters are not rounded in bf16",
     pass_depthwise_forward,
     pass_depthwise_backward,
     false},
    {"squeeze_excite",
     {{ARRAY, "x", "NCHW", 0},
      {ARRAY, "w1", "QC", 0},
      {ARRAY, "b1", "Q", 0},
      {ARRAY, "w2", "CQ", 0},
      {ARRAY, "b2", "C", 0}},
     {{ARRAY, "y", "NCHW", 0}},
     {"x", "w1", "b1", "w2", "b2"},
     NULL,
     "y = x sigmoid(w2 swish(w1 average(x) + b1) + b2)",
     pass_squeeze_excite_forward,
     pass_squeeze_excite_backward,
     false},
    {"mbconv",
     {{ARRAY, "x", "NCHW", 0},
      {ARRAY, "expand", "EC11", 0},
      {ARRAY, "depthwise", "E133", 0},
      {ARRAY, "w1", "QE", 0},
      {ARRAY, "b1", "Q", 0},
      {ARRAY, "w2", "EQ", 0},
      {ARRAY, "b2", "E", 0},
      {ARRAY, "project", "KE11", 0},
      {NUMBER, "eps", "", 0}},
     {{ARRAY, "y", "NKHW", 0}},
     {"x", "expand", "depthwise", "w1", "b1", "w2", "b2", "project"},
     check_mbconv,
     "training mode, batch norm without affine maps; E = 6 C, Q = max(1, C/4); the skip where K = C",
     pass_mbconv_forward,
     pass_mbconv_backward,
     true},
    {"batchnorm",
     {{ARRAY, "x", "NCHW", 0},
      {ARRAY_OPTIONAL, "gamma", "C", 0},
      {ARRAY_OPTIONAL, "beta", "C", 0},
      {NUMBER, "eps", "", 0}},
     {{ARRAY, "y", "NCHW", 0}, {ARRAY, "mean", "C", 0}, {ARRAY, "var", "C", 0}},
     {"x", "gamma", "beta"},
     check_batchnorm,
     "training mode: the statistics are those of x, var is biased",
     pass_batchnorm_forward,
     pass_batchnorm_backward,
     false},
    {"mix",
     {{ARRAY, "a", "R", 0}, {ARRAY_EACH_LEVEL, "x", "*", 0}},
     {{ARRAY, "y", "*", 0}, {ARRAY, "alpha", "R", 0}},
     {"x", "a"},
     NULL,
     "alpha = softmax(a); R is at most 8",
     pass_mix_forward,
     pass_mix_backward,
     false},
    {"linear",
     {{ARRAY, "x", "NC", 0}, {ARRAY, "w", "KC", 0}, {ARRAY, "b", "K", 0}},
     {{ARRAY, "y", "NK", 0}},
     {"x", "w", "b"},
     NULL,
     NULL,
     pass_linear_forward,
     pass_linear_backward,
     false},
    {"global_average",
     {{ARRAY, "x", "NCHW", 0}},
     {{ARRAY, "y", "NC", 0}},
     {"x"},
     NULL,
     NULL,
     pass_global_average_forward,
     pass_global_average_backward,
     false},
    {"cross_entropy",
     {{ARRAY, "logits", "NK", 0}, {ARRAY, "labels", "N", 0}},
     {{ARRAY, "loss", "", 0}},
     {"logits"},
     check_cross_entropy,
     "the mean over N; labels are whole numbers from 0 to K-1",
     pass_cross_entropy_forward,
     pass_cross_entropy_backward,
     false},
    {"multires",
     {{ARRAY, "x", "NCHW", 0},
      {ARRAY, "w", "KCSS", 0},
      {ARRAY_OPTIONAL, "b", "K", 0},
      {ARRAY, "a", "R", 0},
      {WORD, "down", POOL_MODES, 0},
      {WORD, "up", UP_MODES, 0},
      {NUMBER, "eps", "", 0}},
     {{ARRAY, "y", "NKHW", 0}},
     {"x", "w", "b", "a"},
     check_multires,
     "S is 3; 2^(R-1) divides H and W; R is at most 8; training mode",
     pass_multires_forward,
     pass_multires_backward,
     true},
    {"sgd_step",
     {{ARRAY_FLAT, "w", "*", 0},
      {ARRAY_FLAT, "dw", "*", 0},
      {ARRAY_FLAT, "v", "*", 0},
      {NUMBER, "lr", "", 0},
      {NUMBER, "momentum", "", 0},
      {NUMBER, "weight_decay", "", 0}},
     {{ARRAY_FLAT, "w", "*", 0}, {ARRAY_FLAT, "v", "*", 0}},
     {NULL},
     check_sgd,
     NULL,
     pass_sgd_step,
     NULL,
     false},
    {"adam_step",
     {{ARRAY_FLAT, "w", "*", 0},
      {ARRAY_FLAT, "dw", "*", 0},
      {ARRAY_FLAT, "m", "*", 0},
      {ARRAY_FLAT, "v", "*", 0},
      {NUMBER, "t", "", 0},
      {NUMBER, "lr", "", 0},
      {NUMBER, "beta1", "", 0},
      {NUMBER, "beta2", "", 0},
      {NUMBER, "eps", "", 0},
      {NUMBER, "weight_decay", "", 0}},
     {{ARRAY_FLAT, "w", "*", 0}, {ARRAY_FLAT, "m", "*", 0}, {ARRAY_FLAT, "v", "*", 0}},
     {NULL},
     check_adam,
     "t is 1 at the first step; the decay is added to dw",
     pass_adam_step,
     NULL,
     false},
    {"cosine_lr",
     {{NUMBER, "epoch", "", 0},
      {NUMBER, "epochs", "", 0},
      {NUMBER, "lr_max", "", 0},
      {NUMBER, "lr_min", "", 0}},
     {{ARRAY, "lr", "", 0}},
     {NULL},
     check_cosine,
     NULL,
     pass_cosine_lr,
     NULL,
     false},
};
const int operations_count = sizeof operations / sizeof *operations;

const Operation *operation_find(bool *backward, const char *pass_name)
{
    for (const Operation *o = operations; o < operations + operations_count; o++) {
        const size_t length = strlen(o->name);
        if (strncmp(pass_name, o->name, length) != 0)
            continue;
        const char *rest = pass_name + length;
        *backward = o->backward != NULL && strcmp(rest, "_backward") == 0;
        if (*backward || strcmp(rest, o->backward != NULL ? "_forward" : "") == 0)
            return o;
    }
    return NULL;
}
