/* What build/kernel says about itself: the text of --help, from the table of operations. */
#include "operations.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Appends formatted text as far as it fits. */
static void append(char *text, size_t size, const char *format, ...) __attribute__((format(printf, 3, 4)));

static void append(char *text, size_t size, const char *format, ...)
{
    size_t length = strlen(text);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text + length, size - length, format, arguments);
    va_end(arguments);
}

void help_list(char *text, size_t size)
{
    *text = 0;
    for (const Operation *o = operations; o < operations + operations_count; o++)
        append(text, size, "%s%s%s", o == operations ? "" : ", ", o->name,
               o->backward != NULL ? "_forward|backward" : "");
}

/* " (N,K,H',W')": the map of the result has primes. */
static void append_shape(char *text, size_t size, const char *shape)
{
    if (*shape == 0)
        return;
    for (const char *c = shape; *c != 0; c++)
        append(text, size, "%s%s", c == shape ? " (" : ",",
               *c == 'h'   ? "H'"
               : *c == 'w' ? "W'"
                           : (char[2]){*c, 0});
    append(text, size, ")");
}

static void append_operand(char *text, size_t size, const Operand *o)
{
    bool optional = o->kind == ARRAY_OPTIONAL || o->kind == NUMBER_OPTIONAL;
    append(text, size, "%s%s", optional ? "[" : "", o->name);
    if (o->kind == WORD) {
        append(text, size, "=%s", o->shape);
        return;
    }
    if (o->kind == ARRAY_EACH_LEVEL)
        append(text, size, "0..%s{R-1}", o->name);
    append_shape(text, size, o->shape);
    if (o->kind == NUMBER_OPTIONAL)
        append(text, size, "=%g", o->fallback);
    append(text, size, "%s", optional ? "]" : "");
}

static bool is_each_level(const Operation *o, const char *name)
{
    for (const Operand *i = o->inputs; i->kind != NOTHING; i++)
        if (strcmp(i->name, name) == 0)
            return i->kind == ARRAY_EACH_LEVEL;
    return false;
}

static void print_operation(const Operation *o)
{
    char text[1024] = "";
    for (const Operand *i = o->inputs; i->kind != NOTHING; i++) {
        append(text, sizeof text, "%s", i == o->inputs ? "" : ", ");
        append_operand(text, sizeof text, i);
    }
    append(text, sizeof text, " -> ");
    for (const Operand *i = o->outputs; i->kind != NOTHING; i++) {
        append(text, sizeof text, "%s", i == o->outputs ? "" : ", ");
        append_operand(text, sizeof text, i);
    }
    printf("  %s%s\n      %s\n", o->name, o->backward != NULL ? "_forward" : "", text);
    if (o->note != NULL)
        printf("      %s\n", o->note);
    if (o->backward == NULL)
        return;
    printf("  %s_backward\n      the same%s ->", o->name, *o->outputs[0].shape ? " and dy" : "");
    for (const char *const *name = o->differentiable; *name != NULL; name++)
        if (is_each_level(o, *name))
            printf("%s d%s0..d%s{R-1}", name == o->differentiable ? "" : ",", *name, *name);
        else
            printf("%s d%s", name == o->differentiable ? "" : ",", *name);
    printf("\n");
}

void help_print(void)
{
    printf(
        "usage: kernel OP SET IN.h5 OUT.h5\n"
        "\n"
        "Runs one operation of one kernel set on the arrays in IN.h5 and writes its results to OUT.h5.\n"
        "SET is ref (double precision), f32 (single precision) or bf16 (tensors and filters rounded to\n"
        "bfloat16, sums and parameters in single precision), with the fastest instruction set of this CPU.\n"
        "\n"
        "Arrays are HDF5 datasets in PyTorch's conventions, of floating-point or integer numbers of any\n"
        "width; numbers are scalar datasets or have one element; words (mode, down, up) are string\n"
        "attributes of the root group. All must stand in IN.h5 itself: external links and virtual datasets\n"
        "are refused. What stands in [brackets] may be absent. Results are float64 for ref, float32 for the\n"
        "others; a backward pass takes the cotangent dy of its first result and gives the gradient of every\n"
        "differentiable input that is there.\n"
        "\n"
        "NaN and infinity are numbers. A NaN wins, as in PyTorch: ReLU keeps it and hands its gradient "
        "back,\n"
        "max pooling takes it for the maximum (the last one, of several), and every mean, variance, sum and\n"
        "loss that it enters is NaN; a pixel without weight is not read. In\n"
        "\n"
        "  N images, C channels in, K channels out or classes, H x W the map, H' x W' the map of the\n"
        "  result, S x S the filter, R resolutions; (*) is any shape, the same for all that have it\n"
        "\n"
        "OP is one of\n"
        "\n");
    for (int i = 0; i < operations_count; i++)
        print_operation(&operations[i]);
    printf(
        "\n"
        "Exit status: 0 done; 1 an input is wrong or a file cannot be read or written, and OUT.h5 is left\n"
        "as it was; 2 the command line is wrong.\n");
}
