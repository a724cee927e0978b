/* The depth mix of the engine. Twin of ref/engine_depth.c.
 *
 * Bound by bytes. Forward is one pass, that of the multi-resolution layer (fast/engine/multires.c) with one
 * coefficient a map: it reads L - 1 maps and writes one. Backward reads each map and dy for beta's gradient,
 * where that is wanted, and for each map reads dy and reads and writes what the next layer handed back: 5
 * maps a hidden layer in a step of the logits, 3 in one of the filters.
 *
 * Maps may be stored coarser than dy, each at its own level (fast/engine/layer.h). Their gradient is a sum
 * over squares, so dy is summed over 2x2 squares from level to level, once, and map l takes it at its level.
 *
 * Error: forward that of the pass, n = L - 1 terms and beta's rounding in the coefficients: n + 4; dbeta that
 * of the mix (fast/mix.c); dh one product and one sum on beta: 4 2^-24 gauge, and 4 r more where dy came to
 * level r from the finest. In bf16 each tensor written is one rounding of 2^-8 more.
 *
 * Claims: eq6. */
#include "layer.h"
#include <assert.h>
#include <stdlib.h>
#include <string.h>

struct DepthMix {
    DepthSpec spec;
    Slices at;
    int capacity, n;      /* n: images in the last forward pass */
    int finest, coarsest; /* levels at which its kept maps are stored */
    int stored[MAX_MIXED];
    const Word *h[MAX_MIXED];
    const Word *dy[MAX_LEVELS]; /* of the last backward pass, at the levels from finest to coarsest */
    Word *coarser[MAX_LEVELS];  /* memory for it beyond the level that it comes at */
    double *reduce;             /* 1 a group */
    float beta[MAX_MIXED];
    float *coefficient; /* (maps,C), beta once a channel, then C zeros, as the pass wants them */
    int padded;         /* that C: rounded up to whole units */
};

static Shape shape_at(const DepthMix *mix, int n, int r)
{
    return (Shape){n, mix->spec.channels, mix->spec.height >> r, mix->spec.width >> r};
}

static bool mixed(const DepthMix *mix, int l)
{
    return level_kept(mix->spec.kept, l);
}

void SET(depth_free)(DepthMix *mix)
{
    if (!mix)
        return;
    for (int r = 0; r < MAX_LEVELS; r++)
        free(mix->coarser[r]);
    free(mix->reduce);
    free(mix->coefficient);
    free(mix);
}

/* Aligned memory, cleared; *ok turns false when there is none. */
static void *memory(size_t bytes, bool *ok)
{
    Buffer b = {0};
    *ok = SET(buffer_grow)(&b, bytes) && *ok;
    return b.data;
}

DepthMix *SET(depth_create)(const DepthSpec *spec, Slices slices, int batch)
{
    assert(spec->maps > 0 && spec->maps <= MAX_MIXED);
    DepthMix *mix = calloc(1, sizeof *mix);
    bool ok = true;
    if (!mix)
        return NULL;
    mix->spec = *spec;
    mix->at = slices;
    mix->capacity = batch;
    mix->padded = units_of(spec->channels) * UNIT;
    mix->coefficient = memory((size_t)(spec->maps + 1) * mix->padded * sizeof(float), &ok);
    mix->reduce = memory((size_t)lanes_groups(batch) * sizeof(double), &ok);
    for (int r = 1; r < spec->levels; r++)
        mix->coarser[r] = memory(tensor_words(shape_at(mix, batch, r)) * sizeof(Word), &ok);
    if (ok)
        return mix;
    SET(depth_free)(mix);
    return NULL;
}

static void softmax(float *beta, const DepthMix *mix)
{
    SET(softmax_forward)
    (beta, mix->at.logits->data + mix->at.logits_at, mix->spec.kept, mix->spec.maps);
}

void SET(depth_beta)(const DepthMix *mix, double *beta)
{
    float rounded[MAX_MIXED];
    softmax(rounded, mix);
    for (int l = 0; l < mix->spec.maps; l++)
        beta[l] = rounded[l];
}

/* Takes the maps, and the levels that they are stored at. */
static void take_maps(DepthMix *mix, const Tensor *const h[])
{
    mix->n = h[0]->shape.n;
    mix->finest = MAX_LEVELS;
    mix->coarsest = 0;
    for (int l = 0; l < mix->spec.maps; l++) {
        mix->h[l] = h[l]->data;
        mix->stored[l] = h[l]->level;
        if (mixed(mix, l) && h[l]->level < mix->finest)
            mix->finest = h[l]->level;
        if (mixed(mix, l) && h[l]->level > mix->coarsest)
            mix->coarsest = h[l]->level;
    }
}

void SET(depth_forward)(DepthMix *mix, Tensor *y, const Tensor *const h[])
{
    const int maps = mix->spec.maps;
    MixedMaps pass = {
        .kept = mix->spec.kept, .levels = maps, .constant = mix->coefficient + (size_t)maps * mix->padded};
    softmax(mix->beta, mix);
    take_maps(mix, h);
    assert(mix->n <= mix->capacity && mix->n <= y->capacity && mix->coarsest < mix->spec.levels);
    for (int l = 0; l < maps; l++) {
        float *coefficient = mix->coefficient + (size_t)l * mix->padded;
        if (!mixed(mix, l))
            continue;
        for (int c = 0; c < mix->spec.channels; c++)
            coefficient[c] = mix->beta[l];
        pass.coefficient[l] = coefficient;
        pass.z[l] = mix->h[l];
        pass.step[l] = 1 << (mix->stored[l] - mix->finest);
    }
    y->shape.n = mix->n;
    y->level = mix->finest;
    y->gradient = false;
    y->with = NULL;
    SET(multires_mix)(y->data, &pass, shape_stored(y));
}

/* Adds to the gradient of b: dbeta[l] = <dy, h[l]>, at the level that h[l] is stored at. */
static void logits_backward(DepthMix *mix)
{
    float dbeta[MAX_MIXED] = {0};
    for (int l = 0; l < mix->spec.maps; l++) {
        const int level = mix->stored[l];
        if (mixed(mix, l))
            SET(mix_backward)
        (NULL, dbeta + l, mix->dy[level], mix->h + l, mix->beta + l, 1, 1, shape_at(mix, mix->n, level),
         mix->reduce);
    }
    SET(softmax_backward)
    (mix->at.dlogits->data + mix->at.logits_at, dbeta, mix->beta, mix->spec.kept, mix->spec.maps);
}

void SET(depth_backward)(DepthMix *mix, const Tensor *dy, unsigned wanted)
{
    assert(dy->level == mix->finest && dy->gradient);
    mix->dy[mix->finest] = dy->data;
    for (int r = mix->finest + 1; r <= mix->coarsest; r++) {
        const Shape map = shape_at(mix, mix->n, r);
        memset(mix->coarser[r], 0, tensor_words(map) * sizeof(Word));
        SET(upsample_backward)(mix->coarser[r], mix->dy[r - 1], UPSAMPLE_NEAREST, 2, map);
        mix->dy[r] = mix->coarser[r];
    }
    if (wanted & WANT_LOGITS)
        logits_backward(mix);
}

void SET(depth_share)(const DepthMix *mix, Tensor *dh, int l, bool add)
{
    const int level = mix->stored[l];
    const size_t words = tensor_words(shape_at(mix, mix->n, level));
    assert(!add || (dh->level == level && dh->gradient));
    dh->shape.n = mix->n;
    dh->level = level;
    dh->gradient = true;
    dh->summed = dh->summed && add && !mixed(mix, l);
    if (!mixed(mix, l)) {
        if (!add)
            memset(dh->data, 0, words * sizeof(Word));
        return;
    }
    const Word *dy = mix->dy[level];
    const float beta = mix->beta[l];
#pragma omp parallel for schedule(static)
    for (size_t i = 0; i < words; i += VL) {
        const Unit share = scale_unit(load_unit(dy + i), beta);
        store_unit(dh->data + i, add ? add_units(load_unit(dh->data + i), share) : share);
    }
}
