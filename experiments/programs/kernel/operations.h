/* The operations of build/kernel: what each takes and gives, said once, in a table from which the help, the
 * reading, the checking and the writing all follow; and a job, one of them with its arrays. */
#ifndef NOPOOL_OPERATIONS_H
#define NOPOOL_OPERATIONS_H

#include "../../../ref/engine.h"
#include "arrays.h"

enum { MAX_INPUTS = 12, MAX_OUTPUTS = 4, MAX_JOB_ARRAYS = MAX_INPUTS + MAX_LEVELS + 1 };

typedef enum {
    NOTHING, /* ends a list */
    ARRAY,
    ARRAY_OPTIONAL,
    ARRAY_EACH_LEVEL, /* NAME0, NAME1, ... NAME(R-1); R is known from an array before it */
    NUMBER,
    NUMBER_OPTIONAL,
    WORD /* a string attribute of the root group */
} OperandKind;

/* An input or output. shape has a letter a dimension, as in ref/vocabulary.h; h and w are the height and
 * width of the result. "*" is any shape, the same for all arrays that say so; "" a single number. For a word,
 * shape is the choices "max|avg", in the order of its enum. */
typedef struct {
    OperandKind kind;
    const char *name, *shape;
    double fallback; /* of an optional number */
} Operand;

typedef struct Job Job;

/* One operation, with a forward and a backward pass or with a single one. The cotangent of the backward pass
 * is dy, of the shape of the first output, if that has one. */
typedef struct {
    const char *name;
    bool has_backward;
    Operand inputs[MAX_INPUTS + 1];
    Operand outputs[MAX_OUTPUTS + 1];
    const char *differentiable[MAX_OUTPUTS + 1]; /* inputs; the backward pass gives d and their name */
    bool (*check)(Job *job, Error *error);       /* what shapes cannot say; sets h and w; may be NULL */
    const char *note;                            /* the same for the reader; may be NULL */
} Operation;

extern const Operation operations[];
extern const int operations_count;

typedef struct Memory Memory;

struct Job {
    const Operation *operation;
    bool backward;
    const char *path;        /* of the inputs, for messages */
    int dimensions['z' + 1]; /* by their letters; 0 is not known yet */
    Array any;               /* the shape that "*" is; its rank is -1 before it is known */
    int words[MAX_INPUTS];   /* the choice for each word, at its place in operation->inputs */
    Array inputs[MAX_JOB_ARRAYS], outputs[MAX_JOB_ARRAYS];
    int input_count, output_count;
    Memory *memory; /* what job_memory gave */
    bool memory_failed;
};

/* The operation and pass that a name such as conv2d_backward means; false if none. */
bool job_find(Job *job, const char *pass_name);
/* Prints the names of all passes, or the whole help text, on standard output or into text. */
void operations_list(char *text, size_t size);
void operations_help(void);

/* Reads and checks every input, and makes the outputs, filled with 0. */
bool job_read(Job *job, const char *path, Error *error);
void job_free(Job *job);

/* For the kernel sets. An input that was not given, or an output that is not wanted, is NULL. */
const Array *job_array(const Job *job, const char *name);
const double *job_input(const Job *job, const char *name);
double *job_output(Job *job, const char *name);
double job_number(const Job *job, const char *name);
int job_word(const Job *job, const char *name);
/* Level r's array of an ARRAY_EACH_LEVEL input, or of its gradient. */
const double *job_input_level(const Job *job, const char *name, int r);
double *job_output_level(Job *job, const char *name, int r);
/* Zeroed, aligned to 64 bytes and freed with the job. NULL, and memory_failed, when there is none. */
void *job_memory(Job *job, size_t count, size_t size);

static inline int job_dimension(const Job *job, char letter)
{
    return job->dimensions[(int)letter];
}

/* (N,C,H,W) of the input. */
Shape job_shape(const Job *job);
/* The shape that "*" stands for, seen as images where it has four dimensions or two. */
Shape job_any_shape(const Job *job);
Conv2dShape job_conv2d(const Job *job);
/* The labels as whole numbers; they have been checked. NULL when memory runs out. */
int *job_labels(Job *job);

/* One kernel set's function for a pass: from a job's inputs to its outputs. */
typedef struct {
    const char *pass;
    void (*run)(Job *job);
} Adapter;

/* NULL if this set does not have the pass. */
const Adapter *kernel_ref(const char *pass);
const Adapter *kernel_fast(const char *pass);

/* multires, in the job's pass, by the layer of an engine. */
void kernel_multires(Job *job, const Engine *engine);

/* Makes kernel_fast work with f32 or bf16. Fails if NOPOOL_ISA is set and this CPU or set lacks what it
 * names.
 */
bool kernel_fast_choose(const char *set, Error *error);

#endif
