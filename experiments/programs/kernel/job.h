/* A job of build/kernel: one pass of one operation, its arrays, and the kernel set that runs it. What an
 * operation is stands here; which there are, in operations.h. */
#ifndef NOPOOL_JOB_H
#define NOPOOL_JOB_H

#include "../../../fast/kernels.h"
#include "arrays.h"

enum { MAX_INPUTS = 12, MAX_OUTPUTS = 8, MAX_JOB_ARRAYS = MAX_INPUTS + MAX_MIXED + 1 };

typedef enum {
    NOTHING, /* ends a list */
    ARRAY,
    ARRAY_OPTIONAL,
    ARRAY_EACH_LEVEL, /* NAME0, NAME1, ... NAME(R-1); R is known from an array before it */
    ARRAY_FLAT,       /* numbers without images among them, whatever the shape: an optimizer's */
    NUMBER,
    NUMBER_OPTIONAL,
    WORD /* a string attribute of the root group */
} OperandKind;

/* An input or output. shape has a letter a dimension, as in ref/vocabulary.h; h and w are the height and
 * width of the result, a digit is itself. "*" is any shape, the same for all arrays that say so; "" a single
 * number. For a word, shape is the choices "max|avg", in the order of its enum. */
typedef struct {
    OperandKind kind;
    const char *name, *shape;
    double fallback; /* of an optional number */
} Operand;

typedef struct Job Job;

/* One operation, with a forward and a backward pass or with a single one. The cotangent of the backward pass
 * is dy, of the shape of the first output, if that has one. An output with the name of an input starts as
 * that, any other at 0. */
typedef struct {
    const char *name;
    Operand inputs[MAX_INPUTS + 1];
    Operand outputs[MAX_OUTPUTS + 1];
    const char *differentiable[MAX_OUTPUTS + 1]; /* inputs; the backward pass gives d and their name */
    bool (*check)(Job *job, Error *error);       /* what shapes cannot say; sets h and w; may be NULL */
    const char *note;                            /* the same for the reader; may be NULL */
    void (*forward)(Job *job);                   /* the pass, in every set: passes.h */
    void (*backward)(Job *job);                  /* NULL: the operation is a single pass */
    bool by_engine; /* its passes take and give doubles in ref's order in every set: an engine imports them */
} Operation;

/* How a fast set holds an array: as it is, or in lanes as maps (N,C,H,W), or as a matrix (N,C). */
typedef enum { LAYOUT_PLAIN, LAYOUT_MAPS, LAYOUT_MATRIX } Layout;

typedef struct {
    Array array; /* in double, in ref's order */
    Layout layout;
    void *data; /* the same in the numbers and the layout of the job's set; while it runs */
} JobArray;

typedef struct Memory Memory;

struct Job {
    const Operation *operation;
    bool backward;
    const Kernels *kernels;  /* f32 or bf16; NULL: ref */
    const char *path;        /* of the inputs, for messages */
    int dimensions['z' + 1]; /* by their letters; 0 is not known yet */
    Array any;               /* the shape that "*" is; its rank is -1 before it is known */
    int words[MAX_INPUTS];   /* the choice for each word, at its place in operation->inputs */
    JobArray inputs[MAX_JOB_ARRAYS], outputs[MAX_JOB_ARRAYS];
    int input_count, output_count;
    Memory *memory; /* what job_memory gave */
    bool memory_failed;
};

/* job_reading.c: reads and checks every input, and makes the outputs. */
bool job_read(Job *job, const char *path, Error *error);
/* job_running.c: runs the pass, from the inputs to the outputs. */
bool job_run(Job *job, Error *error);
void job_free(Job *job);

/* An array in the numbers and the layout of the job's set: of double, float or words. NULL if the input was
 * not given, or the output is not wanted. */
const void *job_input(const Job *job, const char *name);
void *job_output(const Job *job, const char *name);
/* Level r's array of an ARRAY_EACH_LEVEL input, or of its gradient. */
const void *job_input_level(const Job *job, const char *name, int r);
void *job_output_level(const Job *job, const char *name, int r);
/* Sets an output that is a single number. */
void job_give_number(Job *job, const char *name, double value);

/* An input as it was read; NULL if it was not given. */
const Array *job_array(const Job *job, const char *name);
double job_number(const Job *job, const char *name);
int job_word(const Job *job, const char *name);
/* The labels as whole numbers; they have been checked. NULL when memory runs out. */
int *job_labels(Job *job);

/* Zeroed, aligned to 64 bytes and freed with the job. NULL, and memory_failed, when there is none. */
void *job_memory(Job *job, size_t count, size_t size);

static inline int job_dimension(const Job *job, char letter)
{
    return job->dimensions[(int)letter];
}

/* (N,C,H,W) of the input. */
Shape job_shape(const Job *job);
/* An array, or what "*" stands for, seen as images where it has four dimensions or two. */
Shape job_images(const Array *array);
Shape job_any_shape(const Job *job);
Conv2dShape job_conv2d(const Job *job);

#endif
