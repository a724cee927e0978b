/* The table of build/kernel: every operation, what it takes and gives, and what it asks of its inputs. */
#include "operations.h"
#include <limits.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
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
    return expect_positive(job, "eps", error);
}

static bool check_multires(Job *job, Error *error)
{
    int levels = job_dimension(job, 'R');
    if (levels > MAX_LEVELS)
        return fail(error, "%s: 'a' has %d entries; expected at most %d", job->path, levels, MAX_LEVELS);
    return expect_filter_side(job, "3x3", job_dimension(job, 'S') == 3, error) &&
           expect_divides(job, "a", 1 << (levels - 1), error) && expect_positive(job, "eps", error);
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
           expect_rate(job, "beta2", error) && expect_positive(job, "eps", error) &&
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
#define UPSAMPLE_MODES "nearest|bilinear"

const Operation operations[] = {
    {"conv2d",
     true,
     {{ARRAY, "x", "NCHW", 0},
      {ARRAY, "w", "KCSS", 0},
      {ARRAY_OPTIONAL, "b", "K", 0},
      {NUMBER_OPTIONAL, "stride", "", 1}},
     {{ARRAY, "y", "NKhw", 0}},
     {"x", "w", "b"},
     check_conv2d,
     "S is 1 or 3, stride 1 or 2; zero padding (S-1)/2"},
    {"pool",
     true,
     {{ARRAY, "x", "NCHW", 0}, {WORD, "mode", POOL_MODES, 0}, {NUMBER, "factor", "", 0}},
     {{ARRAY, "y", "NChw", 0}},
     {"x"},
     check_pool,
     "factor is a power of two that divides H and W"},
    {"upsample",
     true,
     {{ARRAY, "x", "NCHW", 0}, {WORD, "mode", UPSAMPLE_MODES, 0}, {NUMBER, "factor", "", 0}},
     {{ARRAY, "y", "NChw", 0}},
     {"x"},
     check_upsample,
     "factor is a power of two; bilinear: half-pixel centres"},
    {"relu", true, {{ARRAY, "x", "*", 0}}, {{ARRAY, "y", "*", 0}}, {"x"}, NULL, NULL},
    {"batchnorm",
     true,
     {{ARRAY, "x", "NCHW", 0},
      {ARRAY_OPTIONAL, "gamma", "C", 0},
      {ARRAY_OPTIONAL, "beta", "C", 0},
      {NUMBER, "eps", "", 0}},
     {{ARRAY, "y", "NCHW", 0}, {ARRAY, "mean", "C", 0}, {ARRAY, "var", "C", 0}},
     {"x", "gamma", "beta"},
     check_batchnorm,
     "training mode: the statistics are those of x, var is biased"},
    {"mix",
     true,
     {{ARRAY, "a", "R", 0}, {ARRAY_EACH_LEVEL, "x", "*", 0}},
     {{ARRAY, "y", "*", 0}, {ARRAY, "alpha", "R", 0}},
     {"x", "a"},
     NULL,
     "alpha = softmax(a); R is at most 8"},
    {"linear",
     true,
     {{ARRAY, "x", "NC", 0}, {ARRAY, "w", "KC", 0}, {ARRAY, "b", "K", 0}},
     {{ARRAY, "y", "NK", 0}},
     {"x", "w", "b"},
     NULL,
     NULL},
    {"global_average", true, {{ARRAY, "x", "NCHW", 0}}, {{ARRAY, "y", "NC", 0}}, {"x"}, NULL, NULL},
    {"cross_entropy",
     true,
     {{ARRAY, "logits", "NK", 0}, {ARRAY, "labels", "N", 0}},
     {{ARRAY, "loss", "", 0}},
     {"logits"},
     check_cross_entropy,
     "the mean over N; labels are whole numbers from 0 to K-1"},
    {"multires",
     true,
     {{ARRAY, "x", "NCHW", 0},
      {ARRAY, "w", "KCSS", 0},
      {ARRAY_OPTIONAL, "b", "K", 0},
      {ARRAY, "a", "R", 0},
      {WORD, "down", POOL_MODES, 0},
      {WORD, "up", UPSAMPLE_MODES, 0},
      {NUMBER, "eps", "", 0}},
     {{ARRAY, "y", "NKHW", 0}},
     {"x", "w", "b", "a"},
     check_multires,
     "S is 3; 2^(R-1) divides H and W; R is at most 8; training mode"},
    {"sgd_step",
     false,
     {{ARRAY, "w", "*", 0},
      {ARRAY, "dw", "*", 0},
      {ARRAY, "v", "*", 0},
      {NUMBER, "lr", "", 0},
      {NUMBER, "momentum", "", 0},
      {NUMBER, "weight_decay", "", 0}},
     {{ARRAY, "w", "*", 0}, {ARRAY, "v", "*", 0}},
     {NULL},
     check_sgd,
     NULL},
    {"adam_step",
     false,
     {{ARRAY, "w", "*", 0},
      {ARRAY, "dw", "*", 0},
      {ARRAY, "m", "*", 0},
      {ARRAY, "v", "*", 0},
      {NUMBER, "t", "", 0},
      {NUMBER, "lr", "", 0},
      {NUMBER, "beta1", "", 0},
      {NUMBER, "beta2", "", 0},
      {NUMBER, "eps", "", 0},
      {NUMBER, "weight_decay", "", 0}},
     {{ARRAY, "w", "*", 0}, {ARRAY, "m", "*", 0}, {ARRAY, "v", "*", 0}},
     {NULL},
     check_adam,
     "t is 1 at the first step; the decay is added to dw"},
    {"cosine_lr",
     false,
     {{NUMBER, "epoch", "", 0},
      {NUMBER, "epochs", "", 0},
      {NUMBER, "lr_max", "", 0},
      {NUMBER, "lr_min", "", 0}},
     {{ARRAY, "lr", "", 0}},
     {NULL},
     check_cosine,
     NULL},
};
const int operations_count = sizeof operations / sizeof *operations;

/* Appends formatted text as far as it fits. */
static void append(char *text, size_t size, const char *format, ...) __attribute__((format(printf, 3, 4)));

static void append(char *text, size_t size, const char *format, ...)
{
    size_t length = strlen(text);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text + length, size - length, format, arguments);
    va_end(arguments);
}

void operations_list(char *text, size_t size)
{
    *text = 0;
    for (const Operation *o = operations; o < operations + operations_count; o++)
        append(text, size, "%s%s%s", o == operations ? "" : ", ", o->name,
               o->has_backward ? "_forward|backward" : "");
}

/* " (N,K,H',W')": the map of the result has primes. */
static void append_shape(char *text, size_t size, const char *shape)
{
    if (*shape == 0)
        return;
    for (const char *c = shape; *c != 0; c++)
        append(text, size, "%s%s", c == shape ? " (" : ",",
               *c == 'h'   ? "H'"
               : *c == 'w' ? "W'"
                           : (char[2]){*c, 0});
    append(text, size, ")");
}

static void append_operand(char *text, size_t size, const Operand *o)
{
    bool optional = o->kind == ARRAY_OPTIONAL || o->kind == NUMBER_OPTIONAL;
    append(text, size, "%s%s", optional ? "[" : "", o->name);
    if (o->kind == WORD) {
        append(text, size, "=%s", o->shape);
        return;
    }
    if (o->kind == ARRAY_EACH_LEVEL)
        append(text, size, "0..%s{R-1}", o->name);
    append_shape(text, size, o->shape);
    if (o->kind == NUMBER_OPTIONAL)
        append(text, size, "=%g", o->fallback);
    append(text, size, "%s", optional ? "]" : "");
}

static bool is_each_level(const Operation *o, const char *name)
{
    for (const Operand *i = o->inputs; i->kind != NOTHING; i++)
        if (strcmp(i->name, name) == 0)
            return i->kind == ARRAY_EACH_LEVEL;
    return false;
}

static void print_operation(const Operation *o)
{
    char text[1024] = "";
    for (const Operand *i = o->inputs; i->kind != NOTHING; i++) {
        append(text, sizeof text, "%s", i == o->inputs ? "" : ", ");
        append_operand(text, sizeof text, i);
    }
    append(text, sizeof text, " -> ");
    for (const Operand *i = o->outputs; i->kind != NOTHING; i++) {
        append(text, sizeof text, "%s", i == o->outputs ? "" : ", ");
        append_operand(text, sizeof text, i);
    }
    printf("  %s%s\n      %s\n", o->name, o->has_backward ? "_forward" : "", text);
    if (o->note != NULL)
        printf("      %s\n", o->note);
    if (!o->has_backward)
        return;
    printf("  %s_backward\n      the same%s ->", o->name, *o->outputs[0].shape ? " and dy" : "");
    for (const char *const *name = o->differentiable; *name != NULL; name++)
        if (is_each_level(o, *name))
            printf("%s d%s0..d%s{R-1}", name == o->differentiable ? "" : ",", *name, *name);
        else
            printf("%s d%s", name == o->differentiable ? "" : ",", *name);
    printf("\n");
}

void operations_help(void)
{
    for (int i = 0; i < operations_count; i++)
        print_operation(&operations[i]);
}
