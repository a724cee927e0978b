/* The kernel sets f32 and bf16 for build/kernel: each pass rounds the job's arrays to float, brings them into
 * the layout of fast/ (bf16 rounds them to bfloat16 there), calls the operation of the fastest instruction
 * set, and takes the results back. */
#include "../../../fast/kernels.h"
#include "operations.h"
#include <omp.h>
#include <string.h>

static const Kernels *kernels;

bool kernel_fast_choose(const char *set, Error *error)
{
    kernels = kernels_best(set);
    return kernels != NULL ||
           fail(
               error,
               "this CPU cannot run the instruction set that NOPOOL_ISA names, or %s does not have it; unset "
               "it, or set it to plain or avx2, or to avx512 for f32, avx512bf16 or amx for bf16",
               set);
}

/* A plain array, as filters and statistics are; NULL for an input that was not given. */
static float *rounded(Job *job, const double *values, size_t count)
{
    float *x = values == NULL ? NULL : job_memory(job, count, sizeof *x);
    for (size_t i = 0; x != NULL && i < count; i++)
        x[i] = (float)values[i];
    return x;
}

/* Room for what a pass gives as a plain array; NULL where it is not wanted. */
static float *room(Job *job, const double *wanted, size_t count)
{
    return wanted == NULL ? NULL : job_memory(job, count, sizeof(float));
}

static void give(double *values, const float *x, size_t count)
{
    for (size_t i = 0; values != NULL && i < count; i++)
        values[i] = x[i];
}

static Word *lanes_room(Job *job, Shape s)
{
    return job_memory(job, lanes_count(s), sizeof(float));
}

static Word *lanes_rounded(Job *job, const double *values, Shape s)
{
    float *x = rounded(job, values, shape_count(s));
    Word *lanes = lanes_room(job, s);
    if (x != NULL && lanes != NULL)
        kernels->import(lanes, x, s);
    return lanes;
}

static void lanes_give(Job *job, double *values, const Word *lanes, Shape s)
{
    float *x = job_memory(job, shape_count(s), sizeof *x);
    if (x == NULL)
        return;
    kernels->export(x, lanes, s);
    give(values, x, shape_count(s));
}

/* The same for matrices (N,C). */
static float *matrix_room(Job *job, int n, int c)
{
    return job_memory(job, lanes_count((Shape){n, c, 1, 1}), sizeof(float));
}

static float *matrix_rounded(Job *job, const double *values, int n, int c)
{
    float *x = rounded(job, values, (size_t)n * c), *lanes = matrix_room(job, n, c);
    if (x != NULL && lanes != NULL)
        kernels->import_matrix(lanes, x, n, c);
    return lanes;
}

static void matrix_give(Job *job, double *values, const float *lanes, int n, int c)
{
    float *x = job_memory(job, (size_t)n * c, sizeof *x);
    if (x == NULL)
        return;
    kernels->export_matrix(x, lanes, n, c);
    give(values, x, (size_t)n * c);
}

/* A per-channel input, and what it holds. */
static float *vector_rounded(Job *job, const char *name)
{
    const Array *array = job_array(job, name);
    return array == NULL ? NULL : rounded(job, array->values, array->count);
}

static void conv2d_forward(Job *job)
{
    const Conv2dShape s = job_conv2d(job);
    Word *x = lanes_rounded(job, job_input(job, "x"), conv2d_input(s)),
         *y = lanes_room(job, conv2d_output(s));
    float *w = vector_rounded(job, "w"), *b = vector_rounded(job, "b");
    void *scratch = job_memory(job, kernels->conv2d_scratch(s, omp_get_max_threads()), 1);
    if (job->memory_failed)
        return;
    kernels->conv2d_forward(y, x, w, b, false, s, scratch);
    lanes_give(job, job_output(job, "y"), y, conv2d_output(s));
}

static void conv2d_backward(Job *job)
{
    const Conv2dShape s = job_conv2d(job);
    Word *x = lanes_rounded(job, job_input(job, "x"), conv2d_input(s)),
         *dx = lanes_room(job, conv2d_input(s));
    Word *dy = lanes_rounded(job, job_input(job, "dy"), conv2d_output(s));
    float *w = vector_rounded(job, "w");
    float *dw = room(job, job_output(job, "dw"), conv2d_filters(s));
    float *db = room(job, job_output(job, "db"), (size_t)s.k);
    void *scratch = job_memory(job, kernels->conv2d_scratch(s, omp_get_max_threads()), 1);
    if (job->memory_failed)
        return;
    kernels->conv2d_backward_data(dx, dy, w, s, scratch);
    kernels->conv2d_backward_weights(dw, db, dy, x, s, scratch);
    lanes_give(job, job_output(job, "dx"), dx, conv2d_input(s));
    give(job_output(job, "dw"), dw, conv2d_filters(s));
    give(job_output(job, "db"), db, (size_t)s.k);
}

static Shape pooled_shape(const Job *job)
{
    return (Shape){job_dimension(job, 'N'), job_dimension(job, 'C'), job_dimension(job, 'h'),
                   job_dimension(job, 'w')};
}

static void pool_forward(Job *job)
{
    Word *x = lanes_rounded(job, job_input(job, "x"), job_shape(job)),
         *y = lanes_room(job, pooled_shape(job));
    if (job->memory_failed)
        return;
    kernels->pool_forward(y, x, (PoolMode)job_word(job, "mode"), (int)job_number(job, "factor"),
                          job_shape(job));
    lanes_give(job, job_output(job, "y"), y, pooled_shape(job));
}

static void pool_backward(Job *job)
{
    Word *x = lanes_rounded(job, job_input(job, "x"), job_shape(job)), *dx = lanes_room(job, job_shape(job));
    Word *dy = lanes_rounded(job, job_input(job, "dy"), pooled_shape(job));
    if (job->memory_failed)
        return;
    kernels->pool_backward(dx, dy, x, (PoolMode)job_word(job, "mode"), (int)job_number(job, "factor"),
                           job_shape(job));
    lanes_give(job, job_output(job, "dx"), dx, job_shape(job));
}

static void upsample_forward(Job *job)
{
    Word *x = lanes_rounded(job, job_input(job, "x"), job_shape(job)),
         *y = lanes_room(job, pooled_shape(job));
    if (job->memory_failed)
        return;
    kernels->upsample_forward(y, x, (UpsampleMode)job_word(job, "mode"), (int)job_number(job, "factor"),
                              job_shape(job));
    lanes_give(job, job_output(job, "y"), y, pooled_shape(job));
}

static void upsample_backward(Job *job)
{
    Word *dy = lanes_rounded(job, job_input(job, "dy"), pooled_shape(job)),
         *dx = lanes_room(job, job_shape(job));
    if (job->memory_failed)
        return;
    kernels->upsample_backward(dx, dy, (UpsampleMode)job_word(job, "mode"), (int)job_number(job, "factor"),
                               job_shape(job));
    lanes_give(job, job_output(job, "dx"), dx, job_shape(job));
}

static void relu_forward(Job *job)
{
    const Shape s = job_any_shape(job);
    Word *x = lanes_rounded(job, job_input(job, "x"), s), *y = lanes_room(job, s);
    if (job->memory_failed)
        return;
    kernels->relu_forward(y, x, s);
    lanes_give(job, job_output(job, "y"), y, s);
}

static void relu_backward(Job *job)
{
    const Shape s = job_any_shape(job);
    Word *x = lanes_rounded(job, job_input(job, "x"), s), *dy = lanes_rounded(job, job_input(job, "dy"), s);
    Word *y = lanes_room(job, s), *dx = lanes_room(job, s);
    if (job->memory_failed)
        return;
    kernels->relu_forward(y, x, s);
    kernels->relu_backward(dx, dy, y, s);
    lanes_give(job, job_output(job, "dx"), dx, s);
}

static double *batchnorm_scratch(Job *job)
{
    const Shape s = job_shape(job);
    return job_memory(job, 2 * (size_t)lanes_groups(s.n) * s.c, sizeof(double));
}

static void batchnorm_forward(Job *job)
{
    const Shape s = job_shape(job);
    const size_t channels = (size_t)s.c;
    Word *x = lanes_rounded(job, job_input(job, "x"), s), *y = lanes_room(job, s);
    float *gamma = vector_rounded(job, "gamma"), *beta = vector_rounded(job, "beta");
    float *mean = job_memory(job, channels, sizeof *mean),
          *variance = job_memory(job, channels, sizeof *mean);
    double *scratch = batchnorm_scratch(job);
    if (job->memory_failed)
        return;
    kernels->batchnorm_statistics(mean, variance, x, s, scratch);
    kernels->batchnorm_forward(y, x, mean, variance, gamma, beta, (float)job_number(job, "eps"), s);
    lanes_give(job, job_output(job, "y"), y, s);
    give(job_output(job, "mean"), mean, channels);
    give(job_output(job, "var"), variance, channels);
}

static void batchnorm_backward(Job *job)
{
    const Shape s = job_shape(job);
    const size_t channels = (size_t)s.c;
    Word *x = lanes_rounded(job, job_input(job, "x"), s), *dx = lanes_room(job, s);
    Word *dy = lanes_rounded(job, job_input(job, "dy"), s);
    float *gamma = vector_rounded(job, "gamma");
    float *dgamma = room(job, job_output(job, "dgamma"), channels);
    float *dbeta = room(job, job_output(job, "dbeta"), channels);
    float *mean = job_memory(job, channels, sizeof *mean),
          *variance = job_memory(job, channels, sizeof *mean);
    double *scratch = batchnorm_scratch(job);
    if (job->memory_failed)
        return;
    kernels->batchnorm_statistics(mean, variance, x, s, scratch);
    kernels->batchnorm_backward(dx, dgamma, dbeta, dy, x, mean, variance, gamma,
                                (float)job_number(job, "eps"), s, scratch);
    lanes_give(job, job_output(job, "dx"), dx, s);
    give(job_output(job, "dgamma"), dgamma, channels);
    give(job_output(job, "dbeta"), dbeta, channels);
}

static void mix_forward(Job *job)
{
    const Shape s = job_any_shape(job);
    const int levels = job_dimension(job, 'R');
    const Word *x[MAX_LEVELS];
    for (int r = 0; r < levels; r++)
        x[r] = lanes_rounded(job, job_input_level(job, "x", r), s);
    Word *y = lanes_room(job, s);
    float *a = vector_rounded(job, "a"), alpha[MAX_LEVELS];
    if (job->memory_failed)
        return;
    kernels->softmax_forward(alpha, a, all_levels(levels), levels);
    kernels->mix_forward(y, x, alpha, all_levels(levels), levels, s);
    lanes_give(job, job_output(job, "y"), y, s);
    give(job_output(job, "alpha"), alpha, (size_t)levels);
}

static void mix_backward(Job *job)
{
    const Shape s = job_any_shape(job);
    const int levels = job_dimension(job, 'R');
    const Word *x[MAX_LEVELS];
    Word *dx[MAX_LEVELS];
    float alpha[MAX_LEVELS], dalpha[MAX_LEVELS] = {0}, da[MAX_LEVELS] = {0};
    for (int r = 0; r < levels; r++) {
        x[r] = lanes_rounded(job, job_input_level(job, "x", r), s);
        dx[r] = lanes_room(job, s);
    }
    Word *dy = lanes_rounded(job, job_input(job, "dy"), s);
    float *a = vector_rounded(job, "a");
    double *scratch = job_memory(job, (size_t)lanes_groups(s.n), sizeof *scratch);
    if (job->memory_failed)
        return;
    kernels->softmax_forward(alpha, a, all_levels(levels), levels);
    kernels->mix_backward(dx, dalpha, dy, x, alpha, all_levels(levels), levels, s, scratch);
    kernels->softmax_backward(da, dalpha, alpha, all_levels(levels), levels);
    for (int r = 0; r < levels; r++)
        lanes_give(job, job_output_level(job, "dx", r), dx[r], s);
    give(job_output(job, "da"), da, (size_t)levels);
}

static void linear_forward(Job *job)
{
    const int n = job_dimension(job, 'N'), c = job_dimension(job, 'C'), k = job_dimension(job, 'K');
    float *x = matrix_rounded(job, job_input(job, "x"), n, c);
    float *y = matrix_room(job, n, k);
    float *w = vector_rounded(job, "w"), *b = vector_rounded(job, "b");
    if (job->memory_failed)
        return;
    kernels->linear_forward(y, x, w, b, n, c, k);
    matrix_give(job, job_output(job, "y"), y, n, k);
}

static void linear_backward(Job *job)
{
    const int n = job_dimension(job, 'N'), c = job_dimension(job, 'C'), k = job_dimension(job, 'K');
    const size_t weights = (size_t)k * c;
    float *x = matrix_rounded(job, job_input(job, "x"), n, c);
    float *dx = matrix_room(job, n, c);
    float *dy = matrix_rounded(job, job_input(job, "dy"), n, k), *w = vector_rounded(job, "w");
    float *dw = room(job, job_output(job, "dw"), weights), *db = room(job, job_output(job, "db"), (size_t)k);
    if (job->memory_failed)
        return;
    kernels->linear_backward(dx, dw, db, dy, x, w, n, c, k);
    matrix_give(job, job_output(job, "dx"), dx, n, c);
    give(job_output(job, "dw"), dw, weights);
    give(job_output(job, "db"), db, (size_t)k);
}

static void global_average_forward(Job *job)
{
    const Shape s = job_shape(job);
    Word *x = lanes_rounded(job, job_input(job, "x"), s);
    float *y = matrix_room(job, s.n, s.c);
    if (job->memory_failed)
        return;
    kernels->global_average_forward(y, x, s);
    matrix_give(job, job_output(job, "y"), y, s.n, s.c);
}

static void global_average_backward(Job *job)
{
    const Shape s = job_shape(job);
    float *dy = matrix_rounded(job, job_input(job, "dy"), s.n, s.c);
    Word *dx = lanes_room(job, s);
    if (job->memory_failed)
        return;
    kernels->global_average_backward(dx, dy, s);
    lanes_give(job, job_output(job, "dx"), dx, s);
}

static void cross_entropy_forward(Job *job)
{
    const int n = job_dimension(job, 'N'), k = job_dimension(job, 'K');
    float *logits = matrix_rounded(job, job_input(job, "logits"), n, k);
    const int *labels = job_labels(job);
    if (job->memory_failed)
        return;
    *job_output(job, "loss") = kernels->cross_entropy_forward(logits, labels, n, k);
}

static void cross_entropy_backward(Job *job)
{
    const int n = job_dimension(job, 'N'), k = job_dimension(job, 'K');
    float *logits = matrix_rounded(job, job_input(job, "logits"), n, k), *dlogits = matrix_room(job, n, k);
    const int *labels = job_labels(job);
    if (job->memory_failed)
        return;
    kernels->cross_entropy_backward(dlogits, logits, labels, n, k);
    matrix_give(job, job_output(job, "dlogits"), dlogits, n, k);
}

/* The optimizers work in place, on plain arrays. */
static void sgd_step(Job *job)
{
    const size_t count = job->any.count;
    float *w = vector_rounded(job, "w"), *dw = vector_rounded(job, "dw"), *v = vector_rounded(job, "v");
    if (job->memory_failed)
        return;
    Sgd sgd = {job_number(job, "lr"), job_number(job, "momentum"), job_number(job, "weight_decay")};
    kernels->sgd_step(w, v, dw, sgd, count);
    give(job_output(job, "w"), w, count);
    give(job_output(job, "v"), v, count);
}

static void adam_step(Job *job)
{
    const size_t count = job->any.count;
    float *w = vector_rounded(job, "w"), *dw = vector_rounded(job, "dw");
    float *m = vector_rounded(job, "m"), *v = vector_rounded(job, "v");
    if (job->memory_failed)
        return;
    Adam adam = {job_number(job, "lr"), job_number(job, "beta1"), job_number(job, "beta2"),
                 job_number(job, "eps"), job_number(job, "weight_decay")};
    kernels->adam_step(w, m, v, dw, (int)job_number(job, "t"), adam, count);
    give(job_output(job, "w"), w, count);
    give(job_output(job, "m"), m, count);
    give(job_output(job, "v"), v, count);
}

/* Every set takes its learning rate from the one schedule, in double. */
static void cosine_lr(Job *job)
{
    *job_output(job, "lr") = ref_cosine_lr(job_number(job, "epoch"), job_number(job, "epochs"),
                                           job_number(job, "lr_max"), job_number(job, "lr_min"));
}

static void multires(Job *job)
{
    kernel_multires(job, kernels->engine);
}

#define PASS(name)  \
    {               \
#name, name \
    }
static const Adapter adapters[] = {
    PASS(conv2d_forward),
    PASS(conv2d_backward),
    PASS(pool_forward),
    PASS(pool_backward),
    PASS(upsample_forward),
    PASS(upsample_backward),
    PASS(relu_forward),
    PASS(relu_backward),
    PASS(batchnorm_forward),
    PASS(batchnorm_backward),
    PASS(mix_forward),
    PASS(mix_backward),
    PASS(linear_forward),
    PASS(linear_backward),
    PASS(global_average_forward),
    PASS(global_average_backward),
    PASS(cross_entropy_forward),
    PASS(cross_entropy_backward),
    {"multires_forward", multires},
    {"multires_backward", multires},
    PASS(sgd_step),
    PASS(adam_step),
    PASS(cosine_lr),
};

const Adapter *kernel_fast(const char *pass)
{
    for (size_t i = 0; i < sizeof adapters / sizeof *adapters; i++)
        if (strcmp(adapters[i].pass, pass) == 0)
            return &adapters[i];
    return NULL;
}
