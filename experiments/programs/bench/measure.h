/* How build/bench measures: time, this machine's peaks, and the line of a figure. Every figure is a median
 * over repetitions in this process on this machine; a line is
 *
 *     what <tab> kernels <tab> shape <tab> threads <tab> value <tab> unit <tab> fraction_of_peak <tab>
 * ratio_to_onednn
 *
 * with `-` where a column does not apply. */
#ifndef NOPOOL_MEASURE_H
#define NOPOOL_MEASURE_H

#include "../../../fast/kernels.h"

/* What the hardware can do, measured here, at the present number of threads. */
typedef struct {
    double flops; /* the set's multiply-adds between registers, operations a second */
    double bytes; /* read from memory, bytes a second */
    double
        written; /* written to memory by plain stores, each of which reads its line first, bytes a second */
} Peak;

/* Measured where it is first asked for, and kept. */
Peak measure_peak(const Kernels *kernels, int threads);

/* From here on only the lines are asked for whose name, "what kernels shape", contains each of these words;
 * no words: all of them. */
void measure_only(char *const *words, int count);

/* Whether a line is asked for: to know before the work. And whether any was made. */
bool measure_wanted(const char *what, const char *kernels, const char *shape);
bool measure_made(void);

/* Median seconds of work(context); at least 3 repetitions, and about 0.2 s in all if they are short. */
double measure_seconds(void (*work)(void *context), void *context);

/* How many times as long work(a) takes as work(b): the median over pairs of the one and then the other, so
 * that what else the machine does meets both alike; at least 7 pairs, and about 1 s in all. */
double measure_ratio(void (*work)(void *context), void *a, void *b);

/* Aligned numbers between -1 and 1, and a tensor of them; the program ends if there is no memory. */
void *measure_numbers(size_t bytes);
Word *measure_tensor(const Kernels *kernels, Shape s);

/* Prints a line, if it is asked for, after the columns' names if it is the first; fraction or ratio 0: `-`.
 */
void measure_line(const char *what, const char *kernels, const char *shape, int threads, double value,
                  const char *unit, double fraction, double ratio);

#endif
