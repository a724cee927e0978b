/* The parts of build/bench: what is measured, set by set. Each asks measure_wanted before it works. */
#ifndef NOPOOL_BENCH_H
#define NOPOOL_BENCH_H

#include "measure.h"

/* Convolution passes, and the passes bound by bytes, of the paper's networks. */
void bench_convolutions(const Kernels *kernels, int threads);
void bench_maps(const Kernels *kernels, int threads);
void bench_mbconv(const Kernels *kernels, int threads);

/* A batch from bytes to the set's layout, augmented: what a step waits for before it begins. */
void bench_batch(const Kernels *kernels, int threads);

/* Steps of whole networks, the largest on all cores only; and (in processes of their own, before any thread
 * starts) their memory: false, with a sentence, if one did not end well. */
void bench_steps(const Kernels *kernels, int threads, bool all_cores);
bool bench_memory(const Kernels *kernels);

/* What the ranks of a job exchange in a step of the 10 x 64 network: a count, nothing is timed for it. */
void bench_exchange(const Kernels *kernels, int threads);

/* oneDNN on the same convolution, in float or bfloat16: the seconds of its best algorithm, direct or
 * Winograd; 0 if it is not built in or has none. Passes as in bench_passes. */
typedef enum { PASS_FORWARD, PASS_BACKWARD_DATA, PASS_BACKWARD_WEIGHTS } ConvolutionPass;
typedef enum { ALGORITHM_DIRECT, ALGORITHM_WINOGRAD } Algorithm;
double onednn_seconds(ConvolutionPass pass, Algorithm algorithm, bool bf16, Conv2dShape s);

#endif
