/* Between the order of ref, [n][c][h][w], and lanes, [group][h][w][unit][lane]. Bound by bytes; done once a
 * batch. */
#include "../operations.h"
#include "isa.h"
#include <string.h>

/* One channel of a word. */
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

/* Columns of a row that are brought across together. */
enum { STRIP = 64 };

/* Part of a row of one unit, at most STRIP pixels. The images lie whole pages apart, in the same set of the
 * cache, so each image's numbers are brought to their columns of `strip` before lanes are read across. */
static void import_strip(Word *to, const float *from, Shape s, int pixels, int channels, int used)
{
    const size_t image = (size_t)s.c * s.h * s.w, plane = (size_t)s.h * s.w;
    float strip[STRIP][UNIT][LANES] __attribute__((aligned(64)));
    memset(strip, 0, pixels * sizeof *strip);
    for (int i = 0; i < channels; i++)
        for (int lane = 0; lane < used; lane++)
            for (int column = 0; column < pixels; column++)
                strip[column][i][lane] = from[lane * image + i * plane + column];
    for (int column = 0; column < pixels; column++, to += pixel_words(s))
        for (int part = 0; part < LANES; part += VL) {
            Unit u;
            UNROLL_UNIT
            for (int i = 0; i < UNIT; i++)
                u.channel[i] = load(strip[column][i] + part);
            store_unit(to + part, u);
        }
}

void SET(import)(Word *lanes, const float *x, Shape s)
{
    const size_t image = (size_t)s.c * s.h * s.w, plane = (size_t)s.h * s.w;
#pragma omp parallel for collapse(2) schedule(static)
    for (int group = 0; group < lanes_groups(s.n); group++)
        for (int y = 0; y < s.h; y++)
            for (int unit = 0; unit < units_of(s.c); unit++) {
                const int left = s.c - unit * UNIT;
                Word *to = lanes + row_at(s, group, y) + (size_t)unit * LANES;
                const float *from = x + group * LANES * image + unit * UNIT * plane + (size_t)y * s.w;
                for (int column = 0; column < s.w; column += STRIP)
                    import_strip(to + column * pixel_words(s), from + column, s,
                                 s.w - column < STRIP ? s.w - column : STRIP, left < UNIT ? left : UNIT,
                                 lanes_used(s.n, group));
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
