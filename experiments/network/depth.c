/* Readings of a learned depth. */
#include "depth.h"

DepthReading depth_reading(const double *beta, int maps)
{
    DepthReading reading = {0, 1, 1};
    for (int l = 0; l < maps; l++) {
        reading.argmax = beta[l] > beta[reading.argmax] ? l : reading.argmax;
        reading.expected += beta[l] * (l + 1);
        /* In float, so that equal weights count with every kernel set. */
        reading.last = (float)beta[l] >= (float)(1.0 / maps) ? l + 2 : reading.last;
    }
    reading.argmax += 2;
    return reading;
}
