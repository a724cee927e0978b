/* An MBConv block with all its arrays, for tests. */
#ifndef NOPOOL_TESTS_MBCONV_CASE_H
#define NOPOOL_TESTS_MBCONV_CASE_H

#include "../ref/mbconv.h"
#include "gradient.h"

/* Arrays of inputs.h for what a pass leaves and where the other works. */
void mbconv_arrays(MbconvCache *cache, MbconvScratch *scratch, MbconvShape s);
void squeeze_excite_arrays(SqueezeExciteCache *cache, SqueezeExciteScratch *scratch, SqueezeExciteShape s);

/* How many numbers the parameters are: expand, depthwise, w1, b1, w2, b2, project in this order; and gamma 0,
 * beta 0, gamma 1, .. beta 2. */
size_t mbconv_filters(MbconvShape s);
size_t mbconv_affine(MbconvShape s);

/* The parameters in such arrays; affine may be NULL. */
MbconvParameters mbconv_parameters(const double *filters, const double *affine, MbconvShape s);
MbconvGradients mbconv_gradients(double *filters, double *affine, MbconvShape s);

#endif
