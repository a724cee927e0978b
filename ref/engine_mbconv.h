/* The parts of the reference engine's layer that exist where its block is MBConv. */
#ifndef NOPOOL_REF_ENGINE_MBCONV_H
#define NOPOOL_REF_ENGINE_MBCONV_H

#include "engine.h"
#include "mbconv.h"

MbconvShape mbconv_shape(const LayerSpec *spec, int r, int n);

/* The arrays of a level's passes, in one piece of memory, which is returned: the caller frees it. NULL if
 * there is not enough. */
double *mbconv_arrays_create(MbconvCache *cache, MbconvScratch *scratch, MbconvShape s);

/* Level r's parameters or gradients in a layer's slice of filters. */
MbconvParameters mbconv_parameters_at(const double *filters, const LayerSpec *spec, int r);
MbconvGradients mbconv_gradients_at(double *dfilters, const LayerSpec *spec, int r);

/* Level r's tracked statistics, which `statistics` points to: into the averages after a training step of the
 * filters, out of them before inference. */
void mbconv_track(MbconvCache *cache, double *statistics, const LayerSpec *spec, Pass pass, int r, int n);

/* A stage that only MBConv has, or that it calls by another name; NULL if it is none of its own. For mean and
 * variance `norm` tells which. */
const double *mbconv_stage(const MbconvCache *cache, const MbconvScratch *scratch, Stage stage, int norm);

#endif
