/* From partials to the sums over the batch: fast/conv2d/sums.h. */
#include "sums.h"
#include "../ranks.h"
#include "winograd.h"
#include <string.h>

size_t SET(map_sums_scratch)(Shape s)
{
    const int tiles = tiles_over(s.h) * tiles_over(s.w), parts = tiles > s.h ? tiles : s.h;
    return (size_t)lanes_groups(s.n) * (parts + 1) * 2 * s.c * sizeof(double);
}

static void add_parts(double *to, const double *from, int parts, int count)
{
    memcpy(to, from, count * sizeof *to);
    for (int part = 1; part < parts; part++)
        for (int i = 0; i < count; i++)
            to[i] += from[(size_t)part * count + i];
}

void SET(map_sums_finish)(double *sum, double *product, double *partials, int parts, Shape s)
{
    const int groups = lanes_groups(s.n), count = 2 * s.c;
    double *own = parts > 1 ? partials + (size_t)groups * parts * count : partials;
    if (parts > 1)
#pragma omp parallel for schedule(static)
        for (int group = 0; group < groups; group++)
            add_parts(own + (size_t)group * count, partials + (size_t)group * parts * count, parts, count);
    const double *all = ranks_gathered(own, (size_t)groups * count * sizeof *own, RANKS_FIRST);
    for (int c = 0; c < s.c; c++) {
        double total = 0, products = 0;
        for (int group = 0; group < groups * ranks_count(); group++) {
            total += all[(size_t)group * count + c];
            products += all[(size_t)group * count + s.c + c];
        }
        sum[c] = total;
        product[c] = products;
    }
}
