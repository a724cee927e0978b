/* The depth mix of the reference engine (paper, section 3.3, equation 6): the softmax mix of ref/mix.c, over
 * the hidden layers' maps. Each map has two ways to the loss, the next layer and the mix, so its gradient is
 * a sum of two: depth_share adds the mix's to what the next layer has handed back.
 *
 * Claims: eq6. */
#include "engine_parts.h"
#include "mix.h"
#include <assert.h>
#include <stdlib.h>
#include <string.h>

struct DepthMix {
    DepthSpec spec;
    Slices at;
    int n;                      /* images in the last forward pass */
    const double *h[MAX_MIXED]; /* its maps */
    const double *dy;           /* of the last backward pass */
    double beta[MAX_MIXED];
};

static size_t map_count(const DepthMix *mix)
{
    return shape_count((Shape){mix->n, mix->spec.channels, mix->spec.height, mix->spec.width});
}

DepthMix *ref_depth_create(const DepthSpec *spec, Slices slices, int batch)
{
    (void)batch;
    assert(spec->maps > 0 && spec->maps <= MAX_MIXED);
    DepthMix *mix = calloc(1, sizeof *mix);
    if (mix) {
        mix->spec = *spec;
        mix->at = slices;
    }
    return mix;
}

void ref_depth_free(DepthMix *mix)
{
    free(mix);
}

void ref_depth_beta(const DepthMix *mix, double *beta)
{
    ref_softmax_forward(beta, mix->at.logits->data + mix->at.logits_at, mix->spec.kept, mix->spec.maps);
}

void ref_depth_forward(DepthMix *mix, Tensor *y, const Tensor *const h[])
{
    mix->n = h[0]->shape.n;
    y->shape.n = mix->n;
    for (int l = 0; l < mix->spec.maps; l++)
        mix->h[l] = h[l]->data;
    ref_depth_beta(mix, mix->beta);
    ref_mix_forward(y->data, mix->h, mix->beta, mix->spec.kept, mix->spec.maps, map_count(mix));
}

void ref_depth_backward(DepthMix *mix, const Tensor *dy, unsigned wanted)
{
    double dbeta[MAX_MIXED] = {0};
    mix->dy = dy->data;
    if (!(wanted & WANT_LOGITS))
        return;
    ref_mix_backward(NULL, dbeta, mix->dy, mix->h, mix->beta, mix->spec.kept, mix->spec.maps, map_count(mix));
    ref_softmax_backward(mix->at.dlogits->data + mix->at.logits_at, dbeta, mix->beta, mix->spec.kept,
                         mix->spec.maps);
}

void ref_depth_share(const DepthMix *mix, Tensor *dh, int l, bool add)
{
    double *dx[MAX_MIXED] = {NULL}, unused[MAX_MIXED] = {0};
    dx[l] = dh->data;
    dh->shape.n = mix->n;
    if (!add)
        memset(dh->data, 0, map_count(mix) * sizeof *dh->data);
    ref_mix_backward(dx, unused, mix->dy, mix->h, mix->beta, mix->spec.kept & UINT64_C(1) << l,
                     mix->spec.maps, map_count(mix));
}
