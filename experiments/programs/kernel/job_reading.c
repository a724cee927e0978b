/* Reads a job's arrays by the table of operations, and checks their shapes letter by letter. */
#include "job.h"
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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
        return array->count == 1; /* of any rank: MATLAB's single numbers are (1,1) */
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

/* Whatever has images has them first, and a letter for them. */
static Layout layout_of(const Operand *o)
{
    if (o->kind == ARRAY_FLAT)
        return LAYOUT_PLAIN;
    if (strcmp(o->shape, "*") == 0)
        return LAYOUT_MAPS;
    const size_t rank = *o->shape == 'N' ? strlen(o->shape) : 0;
    return rank == 4 ? LAYOUT_MAPS : rank == 2 ? LAYOUT_MATRIX : LAYOUT_PLAIN;
}

/* Reads the array that the operand describes, under this name. */
static bool read_array(Job *job, const ArrayFile *file, const char *name, const Operand *o, Error *error)
{
    const char *shape = o->shape;
    assert(job->input_count < MAX_JOB_ARRAYS);
    char expected[256], found[128];
    describe_expected(expected, sizeof expected, job, shape);
    Array *array = &job->inputs[job->input_count].array;
    job->inputs[job->input_count].layout = layout_of(o);
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
    if (levels > MAX_MIXED)
        return fail(error, "%s: 'a' has %d entries; expected at most %d", job->path, levels, MAX_MIXED);
    char name[ARRAY_NAME_SIZE];
    for (int r = 0; r < levels; r++) {
        snprintf(name, sizeof name, "%s%d", o->name, r);
        if (!read_array(job, file, name, o, error))
            return false;
    }
    return true;
}

static bool use_fallback(Job *job, const Operand *o, Error *error)
{
    Array *array = &job->inputs[job->input_count].array;
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
    return read_array(job, file, o->name, o, error);
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
    return !job->backward || *o->outputs[0].shape == 0 || read_array(job, file, "dy", &o->outputs[0], error);
}

static bool make_output(Job *job, const char *name, Layout layout, int rank, const int *dims, Error *error)
{
    assert(job->output_count < MAX_JOB_ARRAYS);
    JobArray *output = &job->outputs[job->output_count++];
    output->layout = layout;
    if (!array_new(&output->array, job->path, name, rank, dims, error))
        return false;
    const Array *start = job_array(job, name);
    if (start != NULL)
        memcpy(output->array.values, start->values, start->count * sizeof *start->values);
    return true;
}

static bool make_results(Job *job, Error *error)
{
    for (const Operand *o = job->operation->outputs; o->kind != NOTHING; o++) {
        int rank = (int)strlen(o->shape), dims[ARRAY_MAX_RANK];
        bool any = strcmp(o->shape, "*") == 0;
        for (int i = 0; i < rank; i++)
            dims[i] = job_dimension(job, o->shape[i]);
        if (!make_output(job, o->name, layout_of(o), any ? job->any.rank : rank, any ? job->any.dims : dims,
                         error))
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
            const Array *input = &job->inputs[i].array;
            char gradient[ARRAY_NAME_SIZE + 1];
            snprintf(gradient, sizeof gradient, "d%s", input->name);
            if (belongs_to(input->name, *name) &&
                !make_output(job, gradient, job->inputs[i].layout, input->rank, input->dims, error))
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
    job->any.rank = -1;
    for (char digit = '1'; digit <= '9'; digit++)
        job->dimensions[(int)digit] = digit - '0';
    bool read = read_inputs(job, file, error);
    arrays_close(file);
    return read && (job->backward ? make_gradients(job, error) : make_results(job, error));
}
