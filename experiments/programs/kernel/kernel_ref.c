/* Kernel set ref for build/kernel: each pass calls the operation of ref/ on the job's arrays. Gradients start
 * at 0, as outputs do. */
#include "../../../ref/batchnorm.h"
#include "../../../ref/conv2d.h"
#include "../../../ref/cross_entropy.h"
#include "../../../ref/global_average.h"
#include "../../../ref/linear.h"
#include "../../../ref/mix.h"
#include "../../../ref/multires.h"
#include "../../../ref/optimizer.h"
#include "../../../ref/pool.h"
#include "../../../ref/relu.h"
#include "../../../ref/upsample.h"
#include "operations.h"
#include <string.h>

static void conv2d_forward(Job *job)
{
    ref_conv2d_forward(job_output(job, "y"), job_input(job, "x"), job_input(job, "w"), job_input(job, "b"),
                       job_conv2d(job));
}

static void conv2d_backward(Job *job)
{
    const double *dy = job_input(job, "dy");
    ref_conv2d_backward_data(job_output(job, "dx"), dy, job_input(job, "w"), job_conv2d(job));
    ref_conv2d_backward_weights(job_output(job, "dw"), job_output(job, "db"), dy, job_input(job, "x"),
                                job_conv2d(job));
}

static void pool_forward(Job *job)
{
    ref_pool_forward(job_output(job, "y"), job_input(job, "x"), (PoolMode)job_word(job, "mode"),
                     (int)job_number(job, "factor"), job_shape(job));
}

static void pool_backward(Job *job)
{
    ref_pool_backward(job_output(job, "dx"), job_input(job, "dy"), job_input(job, "x"),
                      (PoolMode)job_word(job, "mode"), (int)job_number(job, "factor"), job_shape(job));
}

static void upsample_forward(Job *job)
{
    ref_upsample_forward(job_output(job, "y"), job_input(job, "x"), (UpsampleMode)job_word(job, "mode"),
                         (int)job_number(job, "factor"), job_shape(job));
}

static void upsample_backward(Job *job)
{
    ref_upsample_backward(job_output(job, "dx"), job_input(job, "dy"), (UpsampleMode)job_word(job, "mode"),
                          (int)job_number(job, "factor"), job_shape(job));
}

static void relu_forward(Job *job)
{
    ref_relu_forward(job_output(job, "y"), job_input(job, "x"), job->any.count);
}

static void relu_backward(Job *job)
{
    double *y = job_memory(job, job->any.count, sizeof *y);
    if (y == NULL)
        return;
    ref_relu_forward(y, job_input(job, "x"), job->any.count);
    ref_relu_backward(job_output(job, "dx"), job_input(job, "dy"), y, job->any.count);
}

static void batchnorm_forward(Job *job)
{
    double *mean = job_output(job, "mean"), *variance = job_output(job, "var");
    ref_batchnorm_statistics(mean, variance, job_input(job, "x"), job_shape(job));
    ref_batchnorm_forward(job_output(job, "y"), job_input(job, "x"), mean, variance, job_input(job, "gamma"),
                          job_input(job, "beta"), job_number(job, "eps"), job_shape(job));
}

static void batchnorm_backward(Job *job)
{
    const Shape s = job_shape(job);
    double *mean = job_memory(job, (size_t)s.c, sizeof *mean),
           *variance = job_memory(job, (size_t)s.c, sizeof *variance);
    if (job->memory_failed)
        return;
    ref_batchnorm_statistics(mean, variance, job_input(job, "x"), s);
    ref_batchnorm_backward(job_output(job, "dx"), job_output(job, "dgamma"), job_output(job, "dbeta"),
                           job_input(job, "dy"), job_input(job, "x"), mean, variance, job_input(job, "gamma"),
                           job_number(job, "eps"), s);
}

static void mix_forward(Job *job)
{
    const int levels = job_dimension(job, 'R');
    const double *x[MAX_LEVELS];
    for (int r = 0; r < levels; r++)
        x[r] = job_input_level(job, "x", r);
    double *alpha = job_output(job, "alpha");
    ref_softmax_forward(alpha, job_input(job, "a"), all_levels(levels), levels);
    ref_mix_forward(job_output(job, "y"), x, alpha, all_levels(levels), levels, job->any.count);
}

static void mix_backward(Job *job)
{
    const int levels = job_dimension(job, 'R');
    const double *x[MAX_LEVELS];
    double *dx[MAX_LEVELS], alpha[MAX_LEVELS], dalpha[MAX_LEVELS] = {0};
    for (int r = 0; r < levels; r++) {
        x[r] = job_input_level(job, "x", r);
        dx[r] = job_output_level(job, "dx", r);
    }
    ref_softmax_forward(alpha, job_input(job, "a"), all_levels(levels), levels);
    ref_mix_backward(dx, dalpha, job_input(job, "dy"), x, alpha, all_levels(levels), levels, job->any.count);
    ref_softmax_backward(job_output(job, "da"), dalpha, alpha, all_levels(levels), levels);
}

static void linear_forward(Job *job)
{
    ref_linear_forward(job_output(job, "y"), job_input(job, "x"), job_input(job, "w"), job_input(job, "b"),
                       job_dimension(job, 'N'), job_dimension(job, 'C'), job_dimension(job, 'K'));
}

static void linear_backward(Job *job)
{
    ref_linear_backward(job_output(job, "dx"), job_output(job, "dw"), job_output(job, "db"),
                        job_input(job, "dy"), job_input(job, "x"), job_input(job, "w"),
                        job_dimension(job, 'N'), job_dimension(job, 'C'), job_dimension(job, 'K'));
}

static void global_average_forward(Job *job)
{
    ref_global_average_forward(job_output(job, "y"), job_input(job, "x"), job_shape(job));
}

static void global_average_backward(Job *job)
{
    ref_global_average_backward(job_output(job, "dx"), job_input(job, "dy"), job_shape(job));
}

static void cross_entropy_forward(Job *job)
{
    const int *labels = job_labels(job);
    if (labels != NULL)
        *job_output(job, "loss") = ref_cross_entropy_forward(
            job_input(job, "logits"), labels, job_dimension(job, 'N'), job_dimension(job, 'K'));
}

static void cross_entropy_backward(Job *job)
{
    const int *labels = job_labels(job);
    if (labels != NULL)
        ref_cross_entropy_backward(job_output(job, "dlogits"), job_input(job, "logits"), labels,
                                   job_dimension(job, 'N'), job_dimension(job, 'K'));
}

static MultiresShape multires_shape(const Job *job)
{
    const int levels = job_dimension(job, 'R');
    return (MultiresShape){job_conv2d(job),
                           levels,
                           all_levels(levels),
                           (PoolMode)job_word(job, "down"),
                           (UpsampleMode)job_word(job, "up"),
                           job_number(job, "eps")};
}

/* Runs the forward pass into y; false if memory ran out. */
static bool multires_run(Job *job, double *y, MultiresCache *cache, MultiresParameters *p)
{
    const MultiresShape s = multires_shape(job);
    const Shape in = conv2d_input(s.block), out = conv2d_output(s.block);
    for (int r = 0; r < s.levels; r++) {
        cache->pooled[r] = job_memory(job, shape_count(shape_coarser(in, 1 << r)), sizeof(double));
        cache->activation[r] = job_memory(job, shape_count(shape_coarser(out, 1 << r)), sizeof(double));
        cache->mean[r] = job_memory(job, (size_t)out.c, sizeof(double));
        cache->variance[r] = job_memory(job, (size_t)out.c, sizeof(double));
        cache->upsampled[r] = job_memory(job, shape_count(out), sizeof(double));
    }
    if (job->memory_failed)
        return false;
    *p = (MultiresParameters){job_input(job, "w"), job_input(job, "b"), job_input(job, "a"), {0}, {0}};
    ref_multires_forward(y, cache, job_input(job, "x"), *p, true, s);
    return true;
}

static void multires_forward(Job *job)
{
    MultiresCache cache;
    MultiresParameters p;
    multires_run(job, job_output(job, "y"), &cache, &p);
}

static void multires_backward(Job *job)
{
    const MultiresShape s = multires_shape(job);
    const Shape in = conv2d_input(s.block), out = conv2d_output(s.block);
    MultiresCache cache;
    MultiresParameters p;
    MultiresScratch scratch;
    double *y = job_memory(job, shape_count(out), sizeof *y);
    for (int r = 0; r < s.levels; r++) {
        scratch.dpooled[r] = job_memory(job, shape_count(shape_coarser(in, 1 << r)), sizeof(double));
        scratch.dactivation[r] = job_memory(job, shape_count(shape_coarser(out, 1 << r)), sizeof(double));
        scratch.dnormalised[r] = job_memory(job, shape_count(shape_coarser(out, 1 << r)), sizeof(double));
        scratch.dconv[r] = job_memory(job, shape_count(shape_coarser(out, 1 << r)), sizeof(double));
        scratch.dupsampled[r] = job_memory(job, shape_count(out), sizeof(double));
    }
    if (job->memory_failed || !multires_run(job, y, &cache, &p))
        return;
    MultiresGradients d = {job_output(job, "dw"), job_output(job, "db"), job_output(job, "da"), {0}, {0}};
    ref_multires_backward(job_output(job, "dx"), d, &scratch, job_input(job, "dy"), job_input(job, "x"),
                          &cache, p, s);
}

/* The optimizers work in place: the result starts as the input of its name. */
static double *in_place(Job *job, const char *name)
{
    return memcpy(job_output(job, name), job_input(job, name), job->any.count * sizeof(double));
}

static void sgd_step(Job *job)
{
    Sgd sgd = {job_number(job, "lr"), job_number(job, "momentum"), job_number(job, "weight_decay")};
    ref_sgd_step(in_place(job, "w"), in_place(job, "v"), job_input(job, "dw"), sgd, job->any.count);
}

static void adam_step(Job *job)
{
    Adam adam = {job_number(job, "lr"), job_number(job, "beta1"), job_number(job, "beta2"),
                 job_number(job, "eps"), job_number(job, "weight_decay")};
    ref_adam_step(in_place(job, "w"), in_place(job, "m"), in_place(job, "v"), job_input(job, "dw"),
                  (int)job_number(job, "t"), adam, job->any.count);
}

static void cosine_lr(Job *job)
{
    *job_output(job, "lr") = ref_cosine_lr(job_number(job, "epoch"), job_number(job, "epochs"),
                                           job_number(job, "lr_max"), job_number(job, "lr_min"));
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
    PASS(multires_forward),
    PASS(multires_backward),
    PASS(sgd_step),
    PASS(adam_step),
    PASS(cosine_lr),
};

const Adapter *kernel_ref(const char *pass)
{
    for (size_t i = 0; i < sizeof adapters / sizeof *adapters; i++)
        if (strcmp(adapters[i].pass, pass) == 0)
            return &adapters[i];
    return NULL;
}
