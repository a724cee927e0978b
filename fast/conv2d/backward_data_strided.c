/* Backward data of a convolution at stride 2: fast/conv2d.c. Pixel by pixel of dx, which gathers what the
 * taps over it give: plain loops, since the paper's own networks have no strided convolution. Error: that of
 * fast/conv2d.c, S S K products and the start value. */
#include "../operations.h"
#include "products.h"

/* Adds to the sums of one part of a unit of dx what one pixel of dy, at `from`, gives through one tap. */
INLINE Unit add_tap(Unit sum, const Word *from, const float *w, Conv2dShape s, int unit, int tap)
{
    const int taps = s.side * s.side;
    for (int k = 0; k < s.k; k++) {
        const Vec gradient = load_unit(from + k / UNIT * LANES).channel[k % UNIT];
        for (int i = 0; i < UNIT && unit * UNIT + i < s.c; i++)
            sum.channel[i] +=
                gradient * broadcast(rounded_weight(w[((size_t)k * s.c + unit * UNIT + i) * taps + tap]));
    }
    return sum;
}

/* The pixel at row y, column x of dx, at `to`, from the pixels of dy, at `from`, whose filters were over it.
 */
static void gather_pixel(Word *to, const Word *from, const float *w, Conv2dShape s, int y, int x)
{
    const Shape out = conv2d_output(s);
    const int pad = (s.side - 1) / 2;
    for (int unit = 0; unit < units_of(s.c); unit++)
        for (int part = 0; part < LANES; part += VL) {
            Word *at = to + (size_t)unit * LANES + part;
            Unit sum = load_unit(at);
            for (int tap = 0; tap < s.side * s.side; tap++) {
                const int down = y + pad - tap / s.side, across = x + pad - tap % s.side;
                if (down < 0 || across < 0 || down % s.stride != 0 || across % s.stride != 0 ||
                    down / s.stride >= out.h || across / s.stride >= out.w)
                    continue;
                sum = add_tap(sum,
                              from + down / s.stride * row_words(out) + across / s.stride * pixel_words(out) +
                                  part,
                              w, s, unit, tap);
            }
            store_unit(at, sum);
        }
}

void SET(conv2d_backward_data_strided)(Word *dx, const Word *dy, const float *w, Conv2dShape s)
{
    const Shape in = conv2d_input(s), out = conv2d_output(s);
#pragma omp parallel for collapse(2) schedule(static)
    for (int group = 0; group < lanes_groups(s.n); group++)
        for (int y = 0; y < s.h; y++)
            for (int x = 0; x < s.w; x++)
                gather_pixel(dx + row_at(in, group, y) + x * pixel_words(in), dy + group * group_words(out),
                             w, s, y, x);
}
