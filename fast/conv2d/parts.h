/* How threads divide sums over the batch. */
#ifndef NOPOOL_FAST_PARTS_H
#define NOPOOL_FAST_PARTS_H

#include "../simd/isa.h"

/* Where threads do not divide the partials evenly, each is split into parts, by channels: the order
 * of every sum stays the same. */
INLINE int parts_of(int partials, int threads)
{
    int divisor = threads;
    for (int rest = partials; rest != 0;) {
        const int next = divisor % rest;
        divisor = rest;
        rest = next;
    }
    return threads / divisor;
}

/* The first channel (or unit of channels) of a part; parts are whole numbers of `step` of them, but for the
 * last. */
INLINE int part_from(int channels, int step, int part, int parts)
{
    const int from = (channels + step - 1) / step * part / parts * step;
    return from < channels ? from : channels;
}

#endif
