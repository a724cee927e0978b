/* What the checks of a layer measure its convolutions with, and where its numbers stand. */
#ifndef NOPOOL_TESTS_LAYER_GAUGE_H
#define NOPOOL_TESTS_LAYER_GAUGE_H

#include "layer_case.h"

int layer_channel_of(size_t i, Shape s);

/* The filters of level r as they are, and as the set's convolution at that level uses them. */
const double *layer_filters_given(const LayerCase *c, int r);
const double *layer_filters_at(const LayerCase *c, int r);

/* The gauge of a convolution without bias, by the algorithm that the engine takes; returns its roundings, the
 * bias or the start included. */
double layer_gauge_forward(double *gauge, const LayerCase *c, int r, const double *x, const double *w);
double layer_gauge_backward_data(double *gauge, const LayerCase *c, int r, const double *dy, const double *w);

/* Adds the share of level r to the gradient of filters and bias and to its gauge; returns its roundings. */
double layer_add_filters(double *sum, double *gauge, const LayerCase *c, int r);

/* Of MBConv: whether the layer is one, and has its skip. */
bool layer_is_mbconv(const LayerCase *c);
bool layer_has_skip(const LayerCase *c);

/* Mean or variance of a norm's input; the norm whose output is the block's. */
double *layer_statistic(const LayerCase *c, Stage stage, int r, int norm);
int layer_last_norm(const LayerCase *c);

#endif
