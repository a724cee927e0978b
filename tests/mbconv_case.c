/* Arrays of an MBConv block under test. */
#include "mbconv_case.h"
#include "inputs.h"

void squeeze_excite_arrays(SqueezeExciteCache *cache, SqueezeExciteScratch *scratch, SqueezeExciteShape s)
{
    const size_t channels = (size_t)s.x.n * s.x.c, units = (size_t)s.x.n * s.squeezed;
    *cache = (SqueezeExciteCache){doubles(channels), doubles(units), doubles(units), doubles(channels)};
    *scratch = (SqueezeExciteScratch){doubles(channels), doubles(units), doubles(units), doubles(channels),
                                      doubles(channels)};
}

void mbconv_arrays(MbconvCache *cache, MbconvScratch *scratch, MbconvShape s)
{
    const size_t wide = shape_count(mbconv_expanded(s)), out = shape_count(mbconv_output(s));
    *cache = (MbconvCache){.expanded = doubles(wide),
                           .expanded_norm = doubles(wide),
                           .activated = doubles(wide),
                           .filtered = doubles(wide),
                           .filtered_norm = doubles(wide),
                           .excitable = doubles(wide),
                           .excited = doubles(wide),
                           .projected = doubles(out)};
    *scratch = (MbconvScratch){.dexpanded = doubles(wide),
                               .dexpanded_norm = doubles(wide),
                               .dactivated = doubles(wide),
                               .dfiltered = doubles(wide),
                               .dfiltered_norm = doubles(wide),
                               .dexcitable = doubles(wide),
                               .dexcited = doubles(wide),
                               .dprojected = doubles(out)};
    for (int i = 0; i < MBCONV_NORMS; i++) {
        cache->mean[i] = doubles(i == 2 ? s.k : s.expanded);
        cache->variance[i] = doubles(i == 2 ? s.k : s.expanded);
    }
    squeeze_excite_arrays(&cache->excite, &scratch->excite,
                          (SqueezeExciteShape){mbconv_expanded(s), s.squeezed});
}

size_t mbconv_filters(MbconvShape s)
{
    const size_t e = (size_t)s.expanded;
    return e * s.c + e * 9 + 2 * e * s.squeezed + s.squeezed + e + e * s.k;
}

size_t mbconv_affine(MbconvShape s)
{
    return 2 * (2 * (size_t)s.expanded + s.k);
}

MbconvGradients mbconv_gradients(double *filters, double *affine, MbconvShape s)
{
    MbconvGradients d = {.dexpand = filters};
    const size_t e = (size_t)s.expanded, squeeze = e * s.squeezed;
    d.ddepthwise = d.dexpand + e * s.c;
    d.excite.dw1 = d.ddepthwise + e * 9;
    d.excite.db1 = d.excite.dw1 + squeeze;
    d.excite.dw2 = d.excite.db1 + s.squeezed;
    d.excite.db2 = d.excite.dw2 + squeeze;
    d.dproject = d.excite.db2 + e;
    for (int i = 0; affine && i < MBCONV_NORMS; i++) {
        d.dgamma[i] = affine + i * 2 * e;
        d.dbeta[i] = d.dgamma[i] + (i == 2 ? s.k : s.expanded);
    }
    return d;
}

MbconvParameters mbconv_parameters(const double *filters, const double *affine, MbconvShape s)
{
    const MbconvGradients at = mbconv_gradients((double *)filters, (double *)affine, s);
    MbconvParameters p = {.expand = at.dexpand,
                          .depthwise = at.ddepthwise,
                          .project = at.dproject,
                          .excite = {at.excite.dw1, at.excite.db1, at.excite.dw2, at.excite.db2}};
    for (int i = 0; affine && i < MBCONV_NORMS; i++)
        p.gamma[i] = at.dgamma[i], p.beta[i] = at.dbeta[i];
    return p;
}
