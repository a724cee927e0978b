/* What a step of a network must move and multiply, and how long that takes at least at this machine's peaks:
 * the roofline, beside the measured time. */
#ifndef NOPOOL_BENCH_ROOFLINE_H
#define NOPOOL_BENCH_ROOFLINE_H

#include "../../network/network.h"
#include "measure.h"

typedef enum { WEIGHT_STEP, ALPHA_STEP, EVALUATION } StepKind;

/* What the passes of one step over n images move and multiply, from the images to the logits and back,
 * without the optimizer's (fast/traffic.h). */
Traffic step_traffic(const Kernels *kernels, const NetworkSpec *s, int n, StepKind step);

/* Bytes that a hidden layer moves in such a step, in maps of its channels at full resolution: the mean over
 * the layers between the first and the last, 0 if there are none, and for a fabric. */
double step_maps(const Kernels *kernels, const NetworkSpec *s, int n, StepKind step);

/* The least seconds of that traffic at these peaks: bytes over bandwidth, each in its own direction, and
 * products over the peak of their kind. */
double traffic_bytes_seconds(Traffic t, Peak peak);
double traffic_products_seconds(Traffic t, Peak peak, Peak float_peak);

/* The roofline of these two: neither can wait for the other, so the longer one. */
double roofline_seconds(double bytes, double arithmetic);

/* The lines of a step called `what`, those that need no time measured: bytes, and maps a layer. */
void roofline_counts(const char *what, const Kernels *kernels, const NetworkSpec *s, int n, StepKind step,
                     const char *shape, int threads);

/* The lines beside a measured time, and whether one of them is asked for. */
bool roofline_wanted(const char *what, const Kernels *kernels, const char *shape);
void roofline_times(const char *what, const Kernels *kernels, const NetworkSpec *s, int n, StepKind step,
                    const char *shape, int threads, double seconds);

#endif
