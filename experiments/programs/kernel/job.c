/* A job of build/kernel: its arrays read by the table of operations, their shapes checked letter by letter.
 */
#include "operations.h"
#include <assert.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct Memory {
    Memory *next;
    void *bytes;
};

bool job_find(Job *job, const char *pass_name)
{
    *job = (Job){.any.rank = -1};
    for (int i = 0; i < operations_count; i++) {
        const Operation *o = &operations[i];
        size_t length = strlen(o->name);
        if (strncmp(pass_name, o->name, length) != 0)
            continue;
        const char *rest = pass_name + length;
        if (strcmp(rest, o->has_backward ? "_forward" : "") != 0 &&
            !(o->has_backward && strcmp(rest, "_backward") == 0))
            continue;
        job->operation = o;
        job->backward = strcmp(rest, "_backward") == 0;
        return true;
    }
    return false;
}

/* What the shape should be, with the dimensions that are known as numbers: "shape (N,3,H,W)". */
static void describe_expected(char *text, size_t size, const Job *job, const char *shape)
{
    if (strcmp(shape, "*") == 0) {
        char any[128] = "any shape";
        if (job->any.rank >= 0)
            array_describe(any, sizeof any, job->any.rank, job->any.dims);
        snprintf(text, size, "numbers of shape %s", any);
        return;
    }
    if (*shape == 0) {
        snprintf(text, size, "a single number");
        return;
    }
    size_t length = (size_t)snprintf(text, size, "numbers of shape ");
    for (const char *c = shape; *c != 0; c++) {
        const char *before = c == shape ? "(" : ",", *after = c[1] == 0 ? ")" : "";
        if (job->dimensions[(int)*c] > 0)
            length += (size_t)snprintf(text + length, size - length, "%s%d%s", before,
                                       job->dimensions[(int)*c], after);
        else
            length += (size_t)snprintf(text + length, size - length, "%s%c%s", before, *c, after);
        assert(length < size);
    }
}

static bool any_shape_fits(Job *job, const Array *array)
{
    if (job->any.rank < 0) {
        job->any = *array;
        return true;
    }
    return array->rank == job->any.rank &&
           memcmp(array->dims, job->any.dims, (size_t)array->rank * sizeof *array->dims) == 0;
}

/* Compares a shape with its letters; a letter that was not known yet is known afterwards. */
static bool shape_fits(Job *job, const Array *array, const char *shape)
{
    if (strcmp(shape, "*") == 0)
        return any_shape_fits(job, array);
    if (*shape == 0)
        return array->count == 1 && array->rank <= 1;
    if (array->rank != (int)strlen(shape))
        return false;
    int known[sizeof job->dimensions / sizeof *job->dimensions];
    memcpy(known, job->dimensions, sizeof known);
    for (int i = 0; i < array->rank; i++) {
        int *dimension = &known[(int)shape[i]];
        if (*dimension != 0 && *dimension != array->dims[i])
            return false;
        *dimension = array->dims[i];
    }
    memcpy(job->dimensions, known, sizeof known);
    return true;
}

static bool read_array(Job *job, const ArrayFile *file, const char *name, const char *shape, Error *error)
{
    assert(job->input_count < MAX_JOB_ARRAYS);
    char expected[256], found[128];
    describe_expected(expected, sizeof expected, job, shape);
    Array *array = &job->inputs[job->input_count];
    if (!arrays_read(array, file, name, expected, error))
        return false;
    job->input_count++;
    if (shape_fits(job, array, shape))
        return true;
    array_describe(found, sizeof found, array->rank, array->dims);
    return fail(error, "%s: '%s' has the shape %s; expected %s", job->path, name, found, expected);
}

static bool read_each_level(Job *job, const ArrayFile *file, const Operand *o, Error *error)
{
    int levels = job_dimension(job, 'R');
    if (levels > MAX_LEVELS)
        return fail(error, "%s: 'a' has %d entries; expected at most %d", job->path, levels, MAX_LEVELS);
    char name[ARRAY_NAME_SIZE];
    for (int r = 0; r < levels; r++) {
        snprintf(name, sizeof name, "%s%d", o->name, r);
        if (!read_array(job, file, name, o->shape, error))
            return false;
    }
    return true;
}

static bool use_fallback(Job *job, const Operand *o, Error *error)
{
    Array *array = &job->inputs[job->input_count];
    if (!array_new(array, job->path, o->name, 0, NULL, error))
        return false;
    job->input_count++;
    array->values[0] = o->fallback;
    return true;
}

/* The position of a word among choices "max|avg|subsample"; -1 if it is none of them. */
static int choice_of(const char *word, const char *choices)
{
    size_t length = strlen(word);
    int position = 0;
    for (const char *c = choices; c != NULL; position++) {
        const char *bar = strchr(c, '|');
        size_t choice_length = bar == NULL ? strlen(c) : (size_t)(bar - c);
        if (length == choice_length && memcmp(word, c, length) == 0)
            return position;
        c = bar == NULL ? NULL : bar + 1;
    }
    return -1;
}

static bool read_word(Job *job, const ArrayFile *file, const Operand *o, Error *error)
{
    char word[32];
    if (!arrays_read_word(word, sizeof word, file, o->name, o->shape, error))
        return false;
    int choice = choice_of(word, o->shape);
    job->words[o - job->operation->inputs] = choice;
    for (char *c = word; *c != 0; c++)
        if (*c < ' ' || *c > '~')
            *c = '?'; /* the message is one line of text, whatever the file holds */
    return choice >= 0 || fail(error, "%s: the root group's attribute '%s' is '%s'; expected one of %s",
                               job->path, o->name, word, o->shape);
}

static bool read_operand(Job *job, const ArrayFile *file, const Operand *o, Error *error)
{
    switch (o->kind) {
    case ARRAY_OPTIONAL:
        if (!arrays_has(file, o->name))
            return true;
        break;
    case ARRAY_EACH_LEVEL:
        return read_each_level(job, file, o, error);
    case NUMBER_OPTIONAL:
        if (!arrays_has(file, o->name))
            return use_fallback(job, o, error);
        break;
    case WORD:
        return read_word(job, file, o, error);
    default:
        break;
    }
    return read_array(job, file, o->name, o->shape, error);
}

static bool read_inputs(Job *job, const ArrayFile *file, Error *error)
{
    const Operation *o = job->operation;
    for (const Operand *input = o->inputs; input->kind != NOTHING; input++)
        if (!read_operand(job, file, input, error))
            return false;
    if (o->check != NULL && !o->check(job, error))
        return false;
    /* A loss has no shape, and its cotangent is 1. */
    return !job->backward || *o->outputs[0].shape == 0 ||
           read_array(job, file, "dy", o->outputs[0].shape, error);
}

static bool make_output(Job *job, const char *name, int rank, const int *dims, Error *error)
{
    assert(job->output_count < MAX_JOB_ARRAYS);
    Array *array = &job->outputs[job->output_count++];
    return array_new(array, job->path, name, rank, dims, error);
}

static bool make_results(Job *job, Error *error)
{
    for (const Operand *o = job->operation->outputs; o->kind != NOTHING; o++) {
        int rank = (int)strlen(o->shape), dims[ARRAY_MAX_RANK];
        bool any = strcmp(o->shape, "*") == 0;
        for (int i = 0; i < rank; i++)
            dims[i] = job_dimension(job, o->shape[i]);
        if (!make_output(job, o->name, any ? job->any.rank : rank, any ? job->any.dims : dims, error))
            return false;
    }
    return true;
}

/* Whether the input belongs to this operand: has its name, or its name and a level's number. */
static bool belongs_to(const char *input, const char *operand)
{
    size_t length = strlen(operand);
    return strncmp(input, operand, length) == 0 &&
           strspn(input + length, "0123456789") == strlen(input + length);
}

static bool make_gradients(Job *job, Error *error)
{
    for (const char *const *name = job->operation->differentiable; *name != NULL; name++)
        for (int i = 0; i < job->input_count; i++) {
            const Array *input = &job->inputs[i];
            char gradient[ARRAY_NAME_SIZE + 1];
            snprintf(gradient, sizeof gradient, "d%s", input->name);
            if (belongs_to(input->name, *name) &&
                !make_output(job, gradient, input->rank, input->dims, error))
                return false;
        }
    return true;
}

bool job_read(Job *job, const char *path, Error *error)
{
    ArrayFile *file = arrays_open(path, error);
    if (file == NULL)
        return false;
    job->path = path;
    bool read = read_inputs(job, file, error);
    arrays_close(file);
    return read && (job->backward ? make_gradients(job, error) : make_results(job, error));
}

void job_free(Job *job)
{
    for (int i = 0; i < MAX_JOB_ARRAYS; i++) {
        free(job->inputs[i].values);
        free(job->outputs[i].values);
    }
    while (job->memory != NULL) {
        Memory *next = job->memory->next;
        free(job->memory->bytes);
        free(job->memory);
        job->memory = next;
    }
}

static Array *find(const Array *arrays, int count, const char *name)
{
    for (int i = 0; i < count; i++)
        if (strcmp(arrays[i].name, name) == 0)
            return (Array *)&arrays[i];
    return NULL;
}

const Array *job_array(const Job *job, const char *name)
{
    return find(job->inputs, job->input_count, name);
}

const double *job_input(const Job *job, const char *name)
{
    const Array *array = job_array(job, name);
    return array == NULL ? NULL : array->values;
}

double *job_output(Job *job, const char *name)
{
    Array *array = find(job->outputs, job->output_count, name);
    return array == NULL ? NULL : array->values;
}

double job_number(const Job *job, const char *name)
{
    const double *value = job_input(job, name);
    assert(value != NULL);
    return *value;
}

int job_word(const Job *job, const char *name)
{
    const Operand *o = job->operation->inputs;
    while (o->kind != NOTHING && strcmp(o->name, name) != 0)
        o++;
    assert(o->kind == WORD);
    return job->words[o - job->operation->inputs];
}

const double *job_input_level(const Job *job, const char *name, int r)
{
    char level[ARRAY_NAME_SIZE];
    snprintf(level, sizeof level, "%s%d", name, r);
    return job_input(job, level);
}

double *job_output_level(Job *job, const char *name, int r)
{
    char level[ARRAY_NAME_SIZE];
    snprintf(level, sizeof level, "%s%d", name, r);
    return job_output(job, level);
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

Shape job_any_shape(const Job *job)
{
    const int *d = job->any.dims;
    if (job->any.rank == 4)
        return (Shape){d[0], d[1], d[2], d[3]};
    if (job->any.rank == 2)
        return (Shape){d[0], d[1], 1, 1};
    return (Shape){(int)job->any.count, 1, 1, 1};
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
