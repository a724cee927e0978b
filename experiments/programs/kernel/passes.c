/* The passes of build/kernel. What a set needs beyond the arrays, scratch and lanes, is made here; gradients
 * start at 0, as outputs do. */
#include "passes.h"
#include "../../../ref/batchnorm.h"
#include "../../../ref/conv2d.h"
#include "../../../ref/cross_entropy.h"
#include "../../../ref/global_average.h"
#include "../../../ref/linear.h"
#include "../../../ref/mix.h"
#include "../../../ref/optimizer.h"
#include "../../../ref/pool.h"
#include "../../../ref/relu.h"
#include "../../../ref/upsample.h"
#include <omp.h>

void pass_conv2d_forward(Job *job)
{
    const Conv2dShape s = job_conv2d(job);
    const Kernels *fast = job->kernels;
    const void *x = job_input(job, "x"), *w = job_input(job, "w"), *b = job_input(job, "b");
    void *y = job_output(job, "y");
    void *scratch = fast ? job_memory(job, fast->conv2d_scratch(s, omp_get_max_threads()), 1) : NULL;
    if (!fast)
        ref_conv2d_forward(y, x, w, b, s);
    else if (scratch)
        fast->conv2d_forward(y, x, w, b, false, s, scratch);
}

void pass_conv2d_backward(Job *job)
{
    const Conv2dShape s = job_conv2d(job);
    const Kernels *fast = job->kernels;
    const void *x = job_input(job, "x"), *w = job_input(job, "w"), *dy = job_input(job, "dy");
    void *dx = job_output(job, "dx"), *dw = job_output(job, "dw"), *db = job_output(job, "db");
    void *scratch = fast ? job_memory(job, fast->conv2d_scratch(s, omp_get_max_threads()), 1) : NULL;
    if (!fast) {
        ref_conv2d_backward_data(dx, dy, w, s);
        ref_conv2d_backward_weights(dw, db, dy, x, s);
    } else if (scratch) {
        fast->conv2d_backward_data(dx, dy, w, s, scratch);
        fast->conv2d_backward_weights(dw, db, dy, x, s, scratch);
    }
}

void pass_pool_forward(Job *job)
{
    const PoolMode mode = (PoolMode)job_word(job, "mode");
    const int factor = (int)job_number(job, "factor");
    void *y = job_output(job, "y");
    const void *x = job_input(job, "x");
    if (job->kernels)
        job->kernels->pool_forward(y, x, mode, factor, job_shape(job));
    else
        ref_pool_forward(y, x, mode, factor, job_shape(job));
}

void pass_pool_backward(Job *job)
{
    const PoolMode mode = (PoolMode)job_word(job, "mode");
    const int factor = (int)job_number(job, "factor");
    void *dx = job_output(job, "dx");
    const void *x = job_input(job, "x"), *dy = job_input(job, "dy");
    if (job->kernels)
        job->kernels->pool_backward(dx, dy, x, mode, factor, job_shape(job));
    else
        ref_pool_backward(dx, dy, x, mode, factor, job_shape(job));
}

void pass_upsample_forward(Job *job)
{
    const UpsampleMode mode = (UpsampleMode)job_word(job, "mode");
    const int factor = (int)job_number(job, "factor");
    void *y = job_output(job, "y");
    const void *x = job_input(job, "x");
    if (job->kernels)
        job->kernels->upsample_forward(y, x, mode, factor, job_shape(job));
    else
        ref_upsample_forward(y, x, mode, factor, job_shape(job));
}

void pass_upsample_backward(Job *job)
{
    const UpsampleMode mode = (UpsampleMode)job_word(job, "mode");
    const int factor = (int)job_number(job, "factor");
    void *dx = job_output(job, "dx");
    const void *dy = job_input(job, "dy");
    if (job->kernels)
        job->kernels->upsample_backward(dx, dy, mode, factor, job_shape(job));
    else
        ref_upsample_backward(dx, dy, mode, factor, job_shape(job));
}

void pass_relu_forward(Job *job)
{
    if (job->kernels)
        job->kernels->relu_forward(job_output(job, "y"), job_input(job, "x"), job_any_shape(job));
    else
        ref_relu_forward(job_output(job, "y"), job_input(job, "x"), job->any.count);
}

void pass_backward_of_output(Job *job, FastForward fast_forward, FastBackward fast_backward,
                             RefForward ref_forward, RefBackward ref_backward)
{
    const Shape s = job_any_shape(job);
    const void *x = job_input(job, "x"), *dy = job_input(job, "dy");
    void *dx = job_output(job, "dx"), *y = job_memory(job, lanes_count(s), sizeof(double));
    if (!y)
        return;
    if (job->kernels) {
        fast_forward(y, x, s);
        fast_backward(dx, dy, y, s);
    } else {
        ref_forward(y, x, job->any.count);
        ref_backward(dx, dy, y, job->any.count);
    }
}

void pass_relu_backward(Job *job)
{
    const Kernels *k = job->kernels;
    pass_backward_of_output(job, k ? k->relu_forward : NULL, k ? k->relu_backward : NULL, ref_relu_forward,
                            ref_relu_backward);
}

/* What the fast sets reduce with. */
static void *batchnorm_scratch(Job *job)
{
    return job_memory(job, job->kernels ? job->kernels->batchnorm_scratch(job_shape(job)) : 1, 1);
}

void pass_batchnorm_forward(Job *job)
{
    const Shape s = job_shape(job);
    const double eps = job_number(job, "eps");
    const void *x = job_input(job, "x"), *gamma = job_input(job, "gamma"), *beta = job_input(job, "beta");
    void *y = job_output(job, "y"), *mean = job_output(job, "mean"), *variance = job_output(job, "var");
    void *scratch = batchnorm_scratch(job);
    if (!scratch)
        return;
    if (job->kernels) {
        job->kernels->batchnorm_statistics(mean, variance, x, s, scratch);
        job->kernels->batchnorm_forward(y, x, mean, variance, gamma, beta, (float)eps, s);
    } else {
        ref_batchnorm_statistics(mean, variance, x, s);
        ref_batchnorm_forward(y, x, mean, variance, gamma, beta, eps, s);
    }
}

void pass_batchnorm_backward(Job *job)
{
    const Shape s = job_shape(job);
    const double eps = job_number(job, "eps");
    const void *x = job_input(job, "x"), *dy = job_input(job, "dy"), *gamma = job_input(job, "gamma");
    void *dx = job_output(job, "dx"), *dgamma = job_output(job, "dgamma"), *dbeta = job_output(job, "dbeta");
    void *mean = job_memory(job, (size_t)s.c, sizeof(double));
    void *variance = job_memory(job, (size_t)s.c, sizeof(double)), *scratch = batchnorm_scratch(job);
    if (job->memory_failed)
        return;
    if (job->kernels) {
        job->kernels->batchnorm_statistics(mean, variance, x, s, scratch);
        job->kernels->batchnorm_backward(dx, dgamma, dbeta, dy, x, mean, variance, gamma, (float)eps, s,
                                         scratch);
    } else {
        ref_batchnorm_statistics(mean, variance, x, s);
        ref_batchnorm_backward(dx, dgamma, dbeta, dy, x, mean, variance, gamma, eps, s);
    }
}

void pass_mix_forward(Job *job)
{
    const int levels = job_dimension(job, 'R');
    const uint64_t kept = all_levels(levels);
    const void *x[MAX_MIXED], *a = job_input(job, "a");
    void *y = job_output(job, "y"), *alpha = job_output(job, "alpha");
    for (int r = 0; r < levels; r++)
        x[r] = job_input_level(job, "x", r);
    if (job->kernels) {
        job->kernels->softmax_forward(alpha, a, kept, levels);
        job->kernels->mix_forward(y, (const Word *const *)x, alpha, kept, levels, job_any_shape(job));
    } else {
        ref_softmax_forward(alpha, a, kept, levels);
        ref_mix_forward(y, (const double *const *)x, alpha, kept, levels, job->any.count);
    }
}

void pass_mix_backward(Job *job)
{
    const Shape s = job_any_shape(job);
    const int levels = job_dimension(job, 'R');
    const uint64_t kept = all_levels(levels);
    const void *x[MAX_MIXED], *dy = job_input(job, "dy"), *a = job_input(job, "a");
    void *dx[MAX_MIXED], *da = job_output(job, "da");
    void *alpha = job_memory(job, MAX_MIXED, sizeof(double));
    void *dalpha = job_memory(job, MAX_MIXED, sizeof(double));
    void *scratch = job_memory(job, (size_t)lanes_groups(s.n), sizeof(double));
    for (int r = 0; r < levels; r++) {
        x[r] = job_input_level(job, "x", r);
        dx[r] = job_output_level(job, "dx", r);
    }
    if (job->memory_failed)
        return;
    if (job->kernels) {
        job->kernels->softmax_forward(alpha, a, kept, levels);
        job->kernels->mix_backward((Word *const *)dx, dalpha, dy, (const Word *const *)x, alpha, kept, levels,
                                   s, scratch);
        job->kernels->softmax_backward(da, dalpha, alpha, kept, levels);
    } else {
        ref_softmax_forward(alpha, a, kept, levels);
        ref_mix_backward((double *const *)dx, dalpha, dy, (const double *const *)x, alpha, kept, levels,
                         job->any.count);
        ref_softmax_backward(da, dalpha, alpha, kept, levels);
    }
}

void pass_linear_forward(Job *job)
{
    const int n = job_dimension(job, 'N'), c = job_dimension(job, 'C'), k = job_dimension(job, 'K');
    const void *x = job_input(job, "x"), *w = job_input(job, "w"), *b = job_input(job, "b");
    if (job->kernels)
        job->kernels->linear_forward(job_output(job, "y"), x, w, b, n, c, k);
    else
        ref_linear_forward(job_output(job, "y"), x, w, b, n, c, k);
}

void pass_linear_backward(Job *job)
{
    const int n = job_dimension(job, 'N'), c = job_dimension(job, 'C'), k = job_dimension(job, 'K');
    const void *x = job_input(job, "x"), *w = job_input(job, "w"), *dy = job_input(job, "dy");
    void *dx = job_output(job, "dx"), *dw = job_output(job, "dw"), *db = job_output(job, "db");
    if (job->kernels)
        job->kernels->linear_backward(dx, dw, db, dy, x, w, n, c, k);
    else
        ref_linear_backward(dx, dw, db, dy, x, w, n, c, k);
}

void pass_global_average_forward(Job *job)
{
    if (job->kernels)
        job->kernels->global_average_forward(job_output(job, "y"), job_input(job, "x"), job_shape(job));
    else
        ref_global_average_forward(job_output(job, "y"), job_input(job, "x"), job_shape(job));
}

void pass_global_average_backward(Job *job)
{
    if (job->kernels)
        job->kernels->global_average_backward(job_output(job, "dx"), job_input(job, "dy"), job_shape(job));
    else
        ref_global_average_backward(job_output(job, "dx"), job_input(job, "dy"), job_shape(job));
}

void pass_cross_entropy_forward(Job *job)
{
    const int n = job_dimension(job, 'N'), k = job_dimension(job, 'K'), *labels = job_labels(job);
    const void *logits = job_input(job, "logits");
    if (labels)
        job_give_number(job, "loss",
                        job->kernels ? job->kernels->cross_entropy_forward(logits, labels, n, k)
                                     : ref_cross_entropy_forward(logits, labels, n, k));
}

void pass_cross_entropy_backward(Job *job)
{
    const int n = job_dimension(job, 'N'), k = job_dimension(job, 'K'), *labels = job_labels(job);
    const void *logits = job_input(job, "logits");
    void *dlogits = job_output(job, "dlogits");
    if (!labels)
        return;
    if (job->kernels)
        job->kernels->cross_entropy_backward(dlogits, logits, labels, n, k);
    else
        ref_cross_entropy_backward(dlogits, logits, labels, n, k);
}

/* The optimizers work in place: their results started as the inputs of the same names. */
void pass_sgd_step(Job *job)
{
    const Sgd sgd = {job_number(job, "lr"), job_number(job, "momentum"), job_number(job, "weight_decay")};
    void *w = job_output(job, "w"), *v = job_output(job, "v");
    if (job->kernels)
        job->kernels->sgd_step(w, v, job_input(job, "dw"), sgd, job->any.count);
    else
        ref_sgd_step(w, v, job_input(job, "dw"), sgd, job->any.count);
}

void pass_adam_step(Job *job)
{
    const Adam adam = {job_number(job, "lr"), job_number(job, "beta1"), job_number(job, "beta2"),
                       job_number(job, "eps"), job_number(job, "weight_decay")};
    const int t = (int)job_number(job, "t");
    void *w = job_output(job, "w"), *m = job_output(job, "m"), *v = job_output(job, "v");
    if (job->kernels)
        job->kernels->adam_step(w, m, v, job_input(job, "dw"), t, adam, job->any.count);
    else
        ref_adam_step(w, m, v, job_input(job, "dw"), t, adam, job->any.count);
}

/* Every set takes its learning rate from the one schedule, in double. */
void pass_cosine_lr(Job *job)
{
    job_give_number(job, "lr",
                    ref_cosine_lr(job_number(job, "epoch"), job_number(job, "epochs"),
                                  job_number(job, "lr_max"), job_number(job, "lr_min")));
}
