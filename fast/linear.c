/* Linear layer on tensors of 1x1 maps, [group][c][lane]. Twin of ref/linear.c. A few thousand products:
 * neither arithmetic nor bytes matter, clarity does. Error: sums of n terms and a start value, |got - ref| <=
 * (n + 2) 2^-24 gauge with n = C forward, K for dx, and n = N + G for dw and db (G groups: a partial each,
 * added in order). */
#include "operations.h"
#include "ranks.h"
#include "simd/isa.h"

void SET(linear_forward)(float *y, const float *x, const float *w, const float *b, int n, int c, int k)
{
    for (int group = 0; group < lanes_groups(n); group++)
        for (int o = 0; o < k; o++)
            for (int part = 0; part < LANES; part += VL) {
                Vec sum = broadcast(b[o]);
                for (int i = 0; i < c; i++)
                    sum += broadcast(w[(size_t)o * c + i]) * load(x + ((size_t)group * c + i) * LANES + part);
                store(y + ((size_t)group * k + o) * LANES + part, sum);
            }
}

static void backward_data(float *dx, const float *dy, const float *w, int n, int c, int k)
{
    for (int group = 0; group < lanes_groups(n); group++)
        for (int i = 0; i < c; i++)
            for (int part = 0; part < LANES; part += VL) {
                float *to = dx + ((size_t)group * c + i) * LANES + part;
                Vec sum = load(to);
                for (int o = 0; o < k; o++)
                    sum +=
                        broadcast(w[(size_t)o * c + i]) * load(dy + ((size_t)group * k + o) * LANES + part);
                store(to, sum);
            }
}

/* dw (K,C) and db (K): for each number, one partial a group over its used lanes. Operands are as small as
 * partials: every rank takes those of the whole batch. */
static void backward_weights(float *dw, float *db, const float *dy, const float *x, int n, int c, int k)
{
    dy = ranks_gathered(dy, lanes_count((Shape){n, k, 1, 1}) * sizeof *dy, RANKS_FIRST);
    x = ranks_gathered(x, lanes_count((Shape){n, c, 1, 1}) * sizeof *x, RANKS_SECOND);
    n = ranks_batch(n);
    for (int group = 0; group < lanes_groups(n); group++)
        for (int o = 0; o < k; o++) {
            const float *gradient = dy + ((size_t)group * k + o) * LANES;
            const int used = lanes_used(n, group);
            float bias = 0;
            for (int lane = 0; lane < used; lane++)
                bias += gradient[lane];
            db[o] += bias;
            for (int i = 0; i < c; i++) {
                const float *input = x + ((size_t)group * c + i) * LANES;
                float sum = 0;
                for (int lane = 0; lane < used; lane++)
                    sum += gradient[lane] * input[lane];
                dw[(size_t)o * c + i] += sum;
            }
        }
}

void SET(linear_backward)(float *dx, float *dw, float *db, const float *dy, const float *x, const float *w,
                          int n, int c, int k)
{
    if (dx)
        backward_data(dx, dy, w, n, c, k);
    if (dw)
        backward_weights(dw, db, dy, x, n, c, k);
}
