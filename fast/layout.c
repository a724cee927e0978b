/* Between the order of ref, [n][c][h][w], and lanes, [group][h][w][c][lane]. Bound by bytes; done once a
 * batch. */
#include "isa.h"
#include "operations.h"

void F32(import)(float *lanes, const float *x, Shape s)
{
    const size_t image = (size_t)s.c * s.h * s.w, plane = (size_t)s.h * s.w;
#pragma omp parallel for collapse(2) schedule(static)
    for (int group = 0; group < lanes_groups(s.n); group++)
        for (int y = 0; y < s.h; y++) {
            float *to = lanes + row_at(s, group, y);
            const int used = lanes_used(s.n, group);
            for (int c = 0; c < s.c; c++)
                for (int lane = 0; lane < LANES; lane++) {
                    const float *from =
                        x + (group * LANES + (lane < used ? lane : 0)) * image + c * plane + (size_t)y * s.w;
                    for (int column = 0; column < s.w; column++)
                        to[((size_t)column * s.c + c) * LANES + lane] = lane < used ? from[column] : 0;
                }
        }
}

void F32(export)(float *x, const float *lanes, Shape s)
{
    const size_t plane = (size_t)s.h * s.w;
#pragma omp parallel for schedule(static)
    for (int n = 0; n < s.n; n++)
        for (int c = 0; c < s.c; c++)
            for (size_t pixel = 0; pixel < plane; pixel++)
                x[((size_t)n * s.c + c) * plane + pixel] =
                    lanes[n / LANES * group_floats(s) + (pixel * s.c + c) * LANES + n % LANES];
}
