/* Linear layer on tensors of 1x1 maps, [group][c][lane]. Twin of ref/linear.c. The head's few thousand
 * products are nothing; the gates of squeeze and excitation, 768 x 32 at 128 channels, are half of its
 * backward pass at 8x8 where one thread makes them: so threads divide the outputs, each of which is summed by
 * one of them, in the same order on any number.
 *
 * Error: sums of n terms and a start value, |got - ref| <= (n + 2) 2^-24 gauge with n = C forward, K for dx,
 * and N for dw and db (group after group in each lane, then lane after lane). */
#include "operations.h"
#include "ranks.h"
#include "simd/isa.h"

void SET(linear_forward)(float *y, const float *x, const float *w, const float *b, int n, int c, int k)
{
#pragma omp parallel for collapse(2) schedule(static)
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
#pragma omp parallel for collapse(2) schedule(static)
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

/* The sum over all images of a times b, or of a where b is NULL: numbers of one channel, those of the next
 * group `a_step`, `b_step` further on. */
INLINE float sum_over_images(const float *a, size_t a_step, const float *b, size_t b_step, int n)
{
    float total = 0;
    for (int part = 0; part < LANES; part += VL) {
        Vec sum = {0};
        for (int group = 0; group < lanes_groups(n); group++) {
            const Vec one = load(a + group * a_step + part);
            const Vec product = b ? one * load(b + group * b_step + part) : one;
            const int used = lanes_used(n, group) - part;
            sum += used >= VL ? product : choose(first_lanes(used), product, (Vec){0});
        }
        for (int lane = 0; lane < VL; lane++)
            total += sum[lane];
    }
    return total;
}

/* dw (K,C) and db (K). Operands are as small as partials: every rank takes those of the whole batch. */
static void backward_weights(float *dw, float *db, const float *dy, const float *x, int n, int c, int k)
{
    dy = ranks_gathered(dy, lanes_count((Shape){n, k, 1, 1}) * sizeof *dy, RANKS_FIRST);
    x = ranks_gathered(x, lanes_count((Shape){n, c, 1, 1}) * sizeof *x, RANKS_SECOND);
    n = ranks_batch(n);
    const size_t dy_step = (size_t)k * LANES, x_step = (size_t)c * LANES;
#pragma omp parallel for schedule(static)
    for (int o = 0; o < k; o++) {
        const float *gradient = dy + (size_t)o * LANES;
        db[o] += sum_over_images(gradient, dy_step, NULL, 0, n);
        for (int i = 0; i < c; i++)
            dw[(size_t)o * c + i] += sum_over_images(gradient, dy_step, x + (size_t)i * LANES, x_step, n);
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
