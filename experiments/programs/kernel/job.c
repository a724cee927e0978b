/* A job's arrays, numbers, words and memory. */
#include "job.h"
#include <assert.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct Memory {
    Memory *next;
    void *bytes;
};

void job_free(Job *job)
{
    for (int i = 0; i < MAX_JOB_ARRAYS; i++) {
        free(job->inputs[i].array.values);
        free(job->outputs[i].array.values);
    }
    while (job->memory != NULL) {
        Memory *next = job->memory->next;
        free(job->memory->bytes);
        free(job->memory);
        job->memory = next;
    }
}

static const JobArray *find(const JobArray *arrays, int count, const char *name)
{
    for (int i = 0; i < count; i++)
        if (strcmp(arrays[i].array.name, name) == 0)
            return &arrays[i];
    return NULL;
}

const void *job_input(const Job *job, const char *name)
{
    const JobArray *input = find(job->inputs, job->input_count, name);
    return input == NULL ? NULL : input->data;
}

void *job_output(const Job *job, const char *name)
{
    const JobArray *output = find(job->outputs, job->output_count, name);
    return output == NULL ? NULL : output->data;
}

const void *job_input_level(const Job *job, const char *name, int r)
{
    char level[ARRAY_NAME_SIZE];
    snprintf(level, sizeof level, "%s%d", name, r);
    return job_input(job, level);
}

void *job_output_level(const Job *job, const char *name, int r)
{
    char level[ARRAY_NAME_SIZE];
    snprintf(level, sizeof level, "%s%d", name, r);
    return job_output(job, level);
}

void job_give_number(Job *job, const char *name, double value)
{
    void *data = job_output(job, name);
    if (job->kernels == NULL || job->operation->by_engine)
        *(double *)data = value;
    else
        *(float *)data = (float)value;
}

const Array *job_array(const Job *job, const char *name)
{
    const JobArray *input = find(job->inputs, job->input_count, name);
    return input == NULL ? NULL : &input->array;
}

double job_number(const Job *job, const char *name)
{
    const Array *array = job_array(job, name);
    assert(array != NULL);
    return *array->values;
}

int job_word(const Job *job, const char *name)
{
    const Operand *o = job->operation->inputs;
    while (o->kind != NOTHING && strcmp(o->name, name) != 0)
        o++;
    assert(o->kind == WORD);
    return job->words[o - job->operation->inputs];
}

void *job_memory(Job *job, size_t count, size_t size)
{
    Memory *memory = malloc(sizeof *memory);
    if (memory == NULL || count > (SIZE_MAX - 64) / size) {
        free(memory);
        job->memory_failed = true;
        return NULL;
    }
    size_t bytes = (count * size + 63) / 64 * 64;
    memory->bytes = aligned_alloc(64, bytes > 0 ? bytes : 64);
    if (memory->bytes == NULL) {
        free(memory);
        job->memory_failed = true;
        return NULL;
    }
    memset(memory->bytes, 0, bytes);
    memory->next = job->memory;
    job->memory = memory;
    return memory->bytes;
}

Shape job_shape(const Job *job)
{
    return (Shape){job_dimension(job, 'N'), job_dimension(job, 'C'), job_dimension(job, 'H'),
                   job_dimension(job, 'W')};
}

Shape job_images(const Array *array)
{
    const int *d = array->dims;
    if (array->rank == 4)
        return (Shape){d[0], d[1], d[2], d[3]};
    if (array->rank == 2)
        return (Shape){d[0], d[1], 1, 1};
    return (Shape){(int)array->count, 1, 1, 1};
}

Shape job_any_shape(const Job *job)
{
    return job_images(&job->any);
}

Conv2dShape job_conv2d(const Job *job)
{
    return (Conv2dShape){.n = job_dimension(job, 'N'),
                         .c = job_dimension(job, 'C'),
                         .k = job_dimension(job, 'K'),
                         .h = job_dimension(job, 'H'),
                         .w = job_dimension(job, 'W'),
                         .side = job_dimension(job, 'S'),
                         .stride = job_array(job, "stride") ? (int)job_number(job, "stride") : 1};
}

int *job_labels(Job *job)
{
    const Array *array = job_array(job, "labels");
    int *labels = job_memory(job, array->count, sizeof *labels);
    for (size_t i = 0; labels != NULL && i < array->count; i++)
        labels[i] = (int)array->values[i];
    return labels;
}
