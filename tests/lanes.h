/* Tensors in lanes for tests of the fast sets, on top of inputs.h. */
#ifndef NOPOOL_TESTS_LANES_H
#define NOPOOL_TESTS_LANES_H

#include "../fast/kernels.h"
#include "inputs.h"

/* The versions that tests loop over: f32 in every instruction set, then bf16. One that this CPU lacks is
 * NULL, and its test returns. */
enum { VERSIONS = 2 * MAX_ISAS };

/* Version `index`, which is from now on the one under test: random numbers are such as its tensors hold, and
 * to_lanes and from_lanes keep its layout. */
const Kernels *use_version(int index);

/* No version: what is under test is ref's engine, which takes floats and computes in double. */
void use_ref(void);
bool ref_is_used(void);

/* The version under test; NULL before there is one, and for ref. */
const Kernels *version_used(void);

/* For tcase_add_loop_test over versions x rows of a table: i is version * rows + row. */
const Kernels *loop_set(int i, int rows);

/* The versions of f32 that this CPU runs. */
const Kernels *f32_at(int index);
int f32_count(void);

/* x (ref's order, numbers that the set holds) in lanes; the empty lanes hold `empty`. */
Word *to_lanes(const double *x, Shape s, float empty);

/* A tensor of NaN, to be written. */
Word *lanes(Shape s);

/* The used lanes, in ref's order. */
float *from_lanes(const Word *x, Shape s);

/* The same for matrices, tensors with H = W = 1 that are floats in every set. */
float *to_matrix(const double *x, Shape s, float empty);
float *matrix(Shape s);
float *from_matrix(const float *x, Shape s);

/* Copies in the other number type. */
float *as_floats(const double *x, size_t count);
double *as_doubles(const float *x, size_t count);

/* |x|, for gauges. */
double *absolute(const double *x, size_t count);
double *zeros(size_t count);

/* Scratch of so many bytes, guarded like every array. */
void *scratch_of(size_t bytes);

/* n roundings, one after the other: n / (1 - n 2^-24), in units of 2^-24. */
double roundings(double n);

/* What a sum over batch and map has in error beyond that of doubles, in units of 2^-24 of its absolute terms:
 * bf16 adds a run of pixels in float. */
double run_roundings(void);

/* Roundings of fast/depthwise_backward_weights.c: a lane sums two images where the CPU multiplies pairs. */
double depthwise_weights_roundings(Shape s);

/* Adds to a gauge, of which n roundings are allowed, what storing y `stores` times adds in bf16; in f32
 * nothing. For a gauge that is many times |y|. */
void add_stores(double *gauge, const double *y, size_t count, double n, double stores);

/* n roundings to float, and in bf16 `stores` to bfloat16 (2^-8 each) on top, in the same unit. */
double stored(double n, double stores);

#endif
