/* The passes of MBConv and of its parts: each is a call in ref/ beside the same call in a fast set. */
#include "../../../ref/mbconv.h"
#include "../../../ref/depthwise.h"
#include "../../../ref/engine_mbconv.h"
#include "../../../ref/sigmoid.h"
#include "../../../ref/swish.h"
#include "passes.h"
#include <stdlib.h>

void pass_sigmoid_forward(Job *job)
{
    if (job->kernels)
        job->kernels->sigmoid_forward(job_output(job, "y"), job_input(job, "x"), job_any_shape(job));
    else
        ref_sigmoid_forward(job_output(job, "y"), job_input(job, "x"), job->any.count);
}

void pass_sigmoid_backward(Job *job)
{
    const Kernels *k = job->kernels;
    pass_backward_of_output(job, k ? k->sigmoid_forward : NULL, k ? k->sigmoid_backward : NULL,
                            ref_sigmoid_forward, ref_sigmoid_backward);
}

void pass_swish_forward(Job *job)
{
    if (job->kernels)
        job->kernels->swish_forward(job_output(job, "y"), job_input(job, "x"), job_any_shape(job));
    else
        ref_swish_forward(job_output(job, "y"), job_input(job, "x"), job->any.count);
}

void pass_swish_backward(Job *job)
{
    const void *x = job_input(job, "x"), *dy = job_input(job, "dy");
    if (job->kernels)
        job->kernels->swish_backward(job_output(job, "dx"), dy, x, job_any_shape(job));
    else
        ref_swish_backward(job_output(job, "dx"), dy, x, job->any.count);
}

void pass_depthwise_forward(Job *job)
{
    const void *x = job_input(job, "x"), *w = job_input(job, "w"), *b = job_input(job, "b");
    if (job->kernels)
        job->kernels->depthwise_forward(job_output(job, "y"), x, w, b, job_shape(job));
    else
        ref_depthwise_forward(job_output(job, "y"), x, w, b, job_shape(job));
}

void pass_depthwise_backward(Job *job)
{
    const Shape s = job_shape(job);
    const void *x = job_input(job, "x"), *w = job_input(job, "w"), *dy = job_input(job, "dy");
    void *dx = job_output(job, "dx"), *dw = job_output(job, "dw"), *db = job_output(job, "db");
    if (job->kernels) {
        void *scratch = job_memory(job, job->kernels->depthwise_scratch(s), 1);
        if (!scratch)
            return;
        job->kernels->depthwise_backward_data(dx, dy, w, s);
        job->kernels->depthwise_backward_weights(dw, db, dy, x, s, scratch);
    } else {
        ref_depthwise_backward_data(dx, dy, w, s);
        ref_depthwise_backward_weights(dw, db, dy, x, s);
    }
}

static SqueezeExciteShape excite_shape(const Job *job)
{
    return (SqueezeExciteShape){job_shape(job), job_dimension(job, 'Q')};
}

/* A matrix of the gates' size, or of what is in between. */
static void *wide(Job *job)
{
    const Shape s = job_shape(job);
    return job_memory(job, lanes_count((Shape){s.n, s.c, 1, 1}), sizeof(double));
}

static void *narrow(Job *job)
{
    return job_memory(job, lanes_count((Shape){job_shape(job).n, job_dimension(job, 'Q'), 1, 1}),
                      sizeof(double));
}

static void ref_excite(Job *job, void *y)
{
    SqueezeExciteCache cache = {wide(job), narrow(job), narrow(job), wide(job)};
    SqueezeExciteScratch scratch = {wide(job), narrow(job), narrow(job), wide(job), wide(job)};
    const SqueezeExciteParameters p = {job_input(job, "w1"), job_input(job, "b1"), job_input(job, "w2"),
                                       job_input(job, "b2")};
    const SqueezeExciteShape s = excite_shape(job);
    if (job->memory_failed)
        return;
    ref_squeeze_excite_forward(y, &cache, job_input(job, "x"), p, s);
    if (!job->backward)
        return;
    const SqueezeExciteGradients d = {job_output(job, "dw1"), job_output(job, "db1"), job_output(job, "dw2"),
                                      job_output(job, "db2")};
    ref_squeeze_excite_backward(job_output(job, "dx"), d, &scratch, job_input(job, "dy"), job_input(job, "x"),
                                &cache, p, s);
}

static void fast_excite(Job *job, void *y)
{
    const ExciteCache cache = {wide(job), narrow(job), narrow(job), wide(job)};
    const ExciteScratch scratch = {wide(job), narrow(job), wide(job)};
    const ExciteWeights p = {job_input(job, "w1"), job_input(job, "b1"), job_input(job, "w2"),
                             job_input(job, "b2")};
    const SqueezeExciteShape s = excite_shape(job);
    if (job->memory_failed)
        return;
    job->kernels->squeeze_excite_forward(y, &cache, job_input(job, "x"), p, s);
    if (!job->backward)
        return;
    const ExciteGradients d = {job_output(job, "dw1"), job_output(job, "db1"), job_output(job, "dw2"),
                               job_output(job, "db2")};
    job->kernels->squeeze_excite_backward(job_output(job, "dx"), d, &scratch, job_input(job, "dy"),
                                          job_input(job, "x"), &cache, p, s);
}

void pass_squeeze_excite_forward(Job *job)
{
    (job->kernels ? fast_excite : ref_excite)(job, job_output(job, "y"));
}

void pass_squeeze_excite_backward(Job *job)
{
    void *y = job_memory(job, lanes_count(job_shape(job)), sizeof(double));
    if (y)
        (job->kernels ? fast_excite : ref_excite)(job, y);
}

static void ref_mbconv(Job *job, double *y)
{
    const MbconvShape s = {.n = job_dimension(job, 'N'),
                           .c = job_dimension(job, 'C'),
                           .k = job_dimension(job, 'K'),
                           .h = job_dimension(job, 'H'),
                           .w = job_dimension(job, 'W'),
                           .expanded = job_dimension(job, 'E'),
                           .squeezed = job_dimension(job, 'Q'),
                           .eps = job_number(job, "eps")};
    const MbconvParameters p = {
        .expand = job_input(job, "expand"),
        .depthwise = job_input(job, "depthwise"),
        .project = job_input(job, "project"),
        .excite = {job_input(job, "w1"), job_input(job, "b1"), job_input(job, "w2"), job_input(job, "b2")}};
    MbconvCache cache;
    MbconvScratch scratch;
    double *arrays = mbconv_arrays_create(&cache, &scratch, s);
    job->memory_failed |= arrays == NULL;
    if (arrays == NULL)
        return;
    ref_mbconv_forward(y, &cache, job_input(job, "x"), p, true, s);
    if (job->backward) {
        const MbconvGradients d = {.dexpand = job_output(job, "dexpand"),
                                   .ddepthwise = job_output(job, "ddepthwise"),
                                   .dproject = job_output(job, "dproject"),
                                   .excite = {job_output(job, "dw1"), job_output(job, "db1"),
                                              job_output(job, "dw2"), job_output(job, "db2")}};
        ref_mbconv_backward(job_output(job, "dx"), d, &scratch, job_input(job, "dy"), job_input(job, "x"),
                            &cache, p, s);
    }
    free(arrays);
}

void pass_mbconv_forward(Job *job)
{
    if (job->kernels)
        pass_mbconv_by_engine(job);
    else
        ref_mbconv(job, job_output(job, "y"));
}

void pass_mbconv_backward(Job *job)
{
    double *y = job_memory(job, job_array(job, "dy")->count, sizeof *y);
    if (y == NULL)
        return;
    if (job->kernels)
        pass_mbconv_by_engine(job);
    else
        ref_mbconv(job, y);
}
