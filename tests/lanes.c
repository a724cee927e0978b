/* Lanes for tests. The conversions are written anew here, index by index, so that they also check the sets'
 * own. */
#include "lanes.h"
#include <math.h>
#include <string.h>

int f32_set_count(void)
{
    const F32 *sets[3];
    return f32_sets(sets);
}

const F32 *f32_set(int index)
{
    const F32 *sets[3];
    return index < f32_sets(sets) ? sets[index] : NULL;
}

const F32 *loop_set(int i, int rows)
{
    return f32_set(i / rows);
}

static size_t lane_at(Shape s, int n, int c, int pixel)
{
    return (size_t)(n / LANES) * s.h * s.w * s.c * LANES + ((size_t)pixel * s.c + c) * LANES + n % LANES;
}

float *lanes(Shape s)
{
    return floats(lanes_count(s));
}

float *to_lanes(const double *x, Shape s, float empty)
{
    float *y = lanes(s);
    for (int n = 0; n < lanes_groups(s.n) * LANES; n++)
        for (int c = 0; c < s.c; c++)
            for (int p = 0; p < s.h * s.w; p++)
                y[lane_at(s, n, c, p)] = n < s.n ? (float)x[((size_t)n * s.c + c) * s.h * s.w + p] : empty;
    return y;
}

float *from_lanes(const float *x, Shape s)
{
    float *y = floats(shape_count(s));
    for (int n = 0; n < s.n; n++)
        for (int c = 0; c < s.c; c++)
            for (int p = 0; p < s.h * s.w; p++)
                y[((size_t)n * s.c + c) * s.h * s.w + p] = x[lane_at(s, n, c, p)];
    return y;
}

float *as_floats(const double *x, size_t count)
{
    float *y = floats(count);
    for (size_t i = 0; i < count; i++)
        y[i] = (float)x[i];
    return y;
}

double *as_doubles(const float *x, size_t count)
{
    double *y = doubles(count);
    for (size_t i = 0; i < count; i++)
        y[i] = x[i];
    return y;
}

double *absolute(const double *x, size_t count)
{
    double *y = doubles(count);
    for (size_t i = 0; i < count; i++)
        y[i] = fabs(x[i]);
    return y;
}

double *zeros(size_t count)
{
    double *y = doubles(count);
    memset(y, 0, count * sizeof *y);
    return y;
}

void *scratch_of(size_t bytes)
{
    return doubles((bytes + sizeof(double) - 1) / sizeof(double));
}

double roundings(double n)
{
    return n / (1 - n * 0x1p-24);
}
