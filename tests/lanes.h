/* Tensors in lanes for tests of the fast sets, on top of inputs.h. */
#ifndef NOPOOL_TESTS_LANES_H
#define NOPOOL_TESTS_LANES_H

#include "../fast/f32.h"
#include "inputs.h"

/* The instruction sets that this CPU runs: set `index`, and how many there are. */
const F32 *f32_set(int index);
int f32_set_count(void);

/* For tcase_add_loop_test over sets x rows of a table: _i is set * rows + row. Three sets are always looped
 * over; one that this CPU lacks is NULL, and the test returns. */
const F32 *loop_set(int i, int rows);

/* x (ref's order, numbers that floats hold) in lanes; the empty lanes hold `empty`. */
float *to_lanes(const double *x, Shape s, float empty);

/* A tensor of NaN, to be written. */
float *lanes(Shape s);

/* The used lanes, in ref's order. */
float *from_lanes(const float *x, Shape s);

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

#endif
