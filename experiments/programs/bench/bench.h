/* The parts of build/bench. Every figure is a median over repetitions in this process on this machine; a line
 * is
 *
 *     what <tab> kernels <tab> shape <tab> threads <tab> value <tab> unit <tab> fraction_of_peak <tab>
 * ratio_to_onednn
 *
 * with `-` where a column does not apply. */
#ifndef NOPOOL_BENCH_H
#define NOPOOL_BENCH_H

#include "../../../fast/kernels.h"

/* What the hardware can do, measured here, at the present number of threads. */
typedef struct {
    double flops; /* the set's multiply-adds between registers, operations a second */
    double bytes; /* read from memory, bytes a second */
} Peak;

Peak bench_peak(const Kernels *kernels, int threads);

/* Median seconds of work(context); at least 3 repetitions, and about 0.2 s in all if they are short. */
double bench_seconds(void (*work)(void *context), void *context);

/* Aligned numbers between -1 and 1, and a tensor of them; the program ends if there is no memory. */
void *bench_numbers(size_t bytes);
Word *bench_tensor(const Kernels *kernels, Shape s);

/* Prints one line; fraction or ratio 0: `-`. */
void bench_line(const char *what, const char *kernels, const char *shape, int threads, double value,
                const char *unit, double fraction, double ratio);

/* Convolution passes, and the passes bound by bytes, of the paper's networks. */
void bench_convolutions(const Kernels *kernels, Peak peak, int threads);
void bench_maps(const Kernels *kernels, Peak peak, int threads);

/* A batch from bytes to the set's layout, augmented: what a step waits for before it begins. */
void bench_batch(const Kernels *kernels, int threads);

/* Steps of whole networks, and (in processes of their own, before any thread starts) their memory. */
void bench_steps(const Kernels *kernels, Peak peak, int threads);
void bench_memory(const Kernels *kernels);

/* oneDNN on the same convolution, in float or bfloat16: the seconds of its best algorithm, direct or
 * Winograd; 0 if it is not built in or has none. Passes as in bench_passes. */
typedef enum { PASS_FORWARD, PASS_BACKWARD_DATA, PASS_BACKWARD_WEIGHTS } ConvolutionPass;
typedef enum { ALGORITHM_DIRECT, ALGORITHM_WINOGRAD } Algorithm;
double onednn_seconds(ConvolutionPass pass, Algorithm algorithm, bool bf16, Conv2dShape s);

#endif
