/* Runs a job in its kernel set. ref takes the arrays as they are. For a fast set they are rounded to float
 * and brought into the layout of fast/kernels.h (bf16 rounds them to bfloat16 there); its results come back
 * the same way. */
#include "job.h"

static float *rounded(Job *job, const Array *array)
{
    float *x = job_memory(job, array->count, sizeof *x);
    for (size_t i = 0; x != NULL && i < array->count; i++)
        x[i] = (float)array->values[i];
    return x;
}

static void import(Job *job, JobArray *a)
{
    a->data = a->array.values;
    if (job->kernels == NULL || job->operation->by_engine)
        return;
    const Shape s = job_images(&a->array);
    float *plain = rounded(job, &a->array), *lanes = plain;
    if (a->layout != LAYOUT_PLAIN)
        lanes = job_memory(job, lanes_count(s), sizeof *lanes);
    a->data = lanes;
    if (job->memory_failed)
        return;
    if (a->layout == LAYOUT_MAPS)
        job->kernels->import(lanes, plain, s);
    if (a->layout == LAYOUT_MATRIX)
        job->kernels->import_matrix(lanes, plain, s.n, s.c);
}

static void export(Job *job, JobArray *a)
{
    if (job->kernels == NULL || job->operation->by_engine)
        return;
    const Shape s = job_images(&a->array);
    float *plain = a->layout == LAYOUT_PLAIN ? a->data : job_memory(job, a->array.count, sizeof *plain);
    if (plain == NULL)
        return;
    if (a->layout == LAYOUT_MAPS)
        job->kernels->export(plain, a->data, s);
    if (a->layout == LAYOUT_MATRIX)
        job->kernels->export_matrix(plain, a->data, s.n, s.c);
    for (size_t i = 0; i < a->array.count; i++)
        a->array.values[i] = plain[i];
}

bool job_run(Job *job, Error *error)
{
    for (int i = 0; i < job->input_count; i++)
        import(job, &job->inputs[i]);
    for (int i = 0; i < job->output_count; i++)
        import(job, &job->outputs[i]);
    if (!job->memory_failed)
        (job->backward ? job->operation->backward : job->operation->forward)(job);
    for (int i = 0; i < job->output_count && !job->memory_failed; i++)
        export(job, &job->outputs[i]);
    return !job->memory_failed ||
           fail(error, "%s: no memory to run the operation; use smaller arrays", job->path);
}
