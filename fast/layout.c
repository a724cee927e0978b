/* Between the order of ref, [n][c][h][w], and lanes, [group][h][w][unit][lane]. Bound by bytes; done once a
 * batch. */
#include "isa.h"
#include "operations.h"
#include <string.h>

/* One channel of a word. */
static void put(Word *word, int i, float value)
{
#ifdef BF16
    const VecBits bits = round_unit((Unit){{broadcast(value), broadcast(value)}});
    memcpy((char *)word + 2 * i, &bits, 2);
#else
    (void)i;
    *word = value;
#endif
}

static float get(const Word *word, int i)
{
#ifdef BF16
    uint32_t bits;
    memcpy(&bits, word, sizeof bits);
    bits = i == 0 ? bits << 16 : bits & 0xffff0000u;
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
#else
    (void)i;
    return *word;
#endif
}

void SET(import)(Word *lanes, const float *x, Shape s)
{
    const size_t image = (size_t)s.c * s.h * s.w, plane = (size_t)s.h * s.w;
#pragma omp parallel for collapse(2) schedule(static)
    for (int group = 0; group < lanes_groups(s.n); group++)
        for (int y = 0; y < s.h; y++) {
            Word *to = lanes + row_at(s, group, y);
            const int used = lanes_used(s.n, group);
            for (int c = 0; c < units_of(s.c) * UNIT; c++)
                for (int lane = 0; lane < LANES; lane++) {
                    const bool empty = lane >= used || c >= s.c;
                    const float *from = x + (group * LANES + (empty ? 0 : lane)) * image +
                                        (empty ? 0 : c) * plane + (size_t)y * s.w;
                    for (int column = 0; column < s.w; column++)
                        put(to + column * pixel_words(s) + c / UNIT * LANES + lane, c % UNIT,
                            empty ? 0 : from[column]);
                }
        }
}

void SET(export)(float *x, const Word *lanes, Shape s)
{
    const size_t plane = (size_t)s.h * s.w;
#pragma omp parallel for schedule(static)
    for (int n = 0; n < s.n; n++)
        for (int c = 0; c < s.c; c++)
            for (size_t pixel = 0; pixel < plane; pixel++)
                x[((size_t)n * s.c + c) * plane + pixel] =
                    get(lanes + n / LANES * group_words(s) + pixel * pixel_words(s) + c / UNIT * LANES +
                            n % LANES,
                        c % UNIT);
}

void SET(import_matrix)(float *lanes, const float *x, int n, int c)
{
    for (int image = 0; image < lanes_groups(n) * LANES; image++)
        for (int i = 0; i < c; i++)
            lanes[((size_t)(image / LANES) * c + i) * LANES + image % LANES] =
                image < n ? x[(size_t)image * c + i] : 0;
}

void SET(export_matrix)(float *x, const float *lanes, int n, int c)
{
    for (int image = 0; image < n; image++)
        for (int i = 0; i < c; i++)
            x[(size_t)image * c + i] = lanes[((size_t)(image / LANES) * c + i) * LANES + image % LANES];
}
