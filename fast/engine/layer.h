/* The parts of the engine that its files share. */
#ifndef NOPOOL_FAST_LAYER_H
#define NOPOOL_FAST_LAYER_H

#include "../operations.h"

/* With nearest upsampling a layer whose finest kept level is m gives maps that are constant on squares of
 * 2^m: they are stored as one pixel a square, and pooling by 2^r is the identity for r = m and pools by
 * 2^(r-m) for r > m. The gradient of such a map is stored as the sum over each square, which is all that the
 * layer before needs of it. */
struct Tensor {
    Shape shape; /* shape.n is the present batch; height and width before storing it coarser */
    int capacity;
    int level;     /* stored is (H / 2^level, W / 2^level) */
    bool gradient; /* a stored pixel is the sum over its square, not each of its pixels */
    Word *data;    /* tensor_words of the capacity at level 0 */
    /* Of a layer's output: the map whose products with its gradient, added up, the layer's backward pass
     * starts from, as stored; NULL if it takes no such sums from outside. And whether it also starts from the
     * gradient's sums over 2x2 squares. Of the gradient: sums (2,C), of it and of these products, and
     * squares, NULL if nobody needs them, both of which are valid while `summed`. */
    const Word *with;
    bool halved;
    double *sums;
    Word *squares;
    bool summed;
};

INLINE Shape shape_stored(const Tensor *t)
{
    return shape_coarser(t->shape, 1 << t->level);
}

struct Vector {
    size_t count;
    float *data;
};

/* An array that grows: at least `bytes` long, aligned to 64. */
typedef struct {
    void *data;
    size_t bytes;
} Buffer;

struct Scratch {
    Buffer conv, reduce;          /* of the convolutions, of the sums over the batch */
    Buffer dsum[MAX_LEVELS];      /* dy brought to level r: the gradient of mixed maps, not yet times alpha;
                                     dy itself is the one of the level that it is stored at */
    Buffer squares[MAX_LEVELS];   /* dsum[r] of another layer: one makes that of the layer before */
    Buffer dpooled[MAX_LEVELS];   /* of its input; the level that dx is stored at is dx itself */
    Buffer upsampled[MAX_LEVELS]; /* full-size maps, for bilinear upsampling only */
    Buffer finer[MAX_LEVELS];     /* the input at a level finer than it is stored at */
    /* For MBConv (fast/engine/mbconv.h): expanded maps, sums of the depthwise convolution's gradient,
     * coefficients of norms, gradients of averages, gates and what is in between; its input at each level,
     * and where that stands, which the backward pass makes again. */
    Buffer wide[3], depthwise, norms, excite[3], pooled[MAX_LEVELS], marks[MAX_LEVELS];
    Buffer skips[MAX_LEVELS]; /* its full-size skips, for bilinear upsampling only */
    Buffer part[MAX_EDGES];   /* of a fabric's node: the convolution of each edge */
    Buffer brought, seen;     /* of one edge: its map with zeros between pixels; filters or their gradient */
    int coarsest;             /* level at which a layer that shares this scratch stores its output */
};

struct Layer {
    LayerSpec spec;
    Slices at;
    Scratch *scratch;
    bool own_scratch;
    int capacity;
    int finest, top; /* levels that are kept */
    int stored;      /* the level that y is stored at: see struct Tensor */
    int threads;     /* that scratch is sized for: a pass may run on fewer, not on more */
    const Tensor *x; /* the input of the last forward pass */
    float alpha[MAX_LEVELS];
    /* (N,C,H/2^r,W/2^r), coarser than x is stored, to top, and where pooled[r] stands, for maxima; of MBConv
     * in scratch: see pooled_at, marks_at. */
    Word *pooled[MAX_LEVELS];
    Mark *marks[MAX_LEVELS];
    Word *activation[MAX_LEVELS]; /* (N,K,H/2^r,W/2^r), kept levels; of MBConv the projected maps */
    double *mean[MAX_LEVELS]; /* (K) of the activation, kept levels; of MBConv those of each norm's input */
    double *variance[MAX_LEVELS];
    ExciteCache excite[MAX_LEVELS]; /* of MBConv */
    /* dsum, and whether the gradient of the convolution's output has taken its place; of MBConv dsum itself
     * until its backward pass, and then dprojected. */
    Word *dconv[MAX_LEVELS];
    bool in_place[MAX_LEVELS];
    /* (R,K), then the constants (K), alpha of MBConv's skips (R,K), and for backward a, b, c (R,3,K). K is
     * rounded up to whole units, the numbers of the channel beyond stay 0. */
    float *coefficient;
    int padded; /* that K */
};

/* dconv = a dsum + b z + c, with relu 0 where z is, the numbers a, b, c per channel. In bf16 the numbers of a
 * channel beyond an odd last one are there too, and 0. */
typedef struct {
    const Word *dsum, *z;
    const float *a, *b, *c;
    bool relu;
} GradientMaps;

INLINE Shape input_at(const Layer *layer, int n, int r)
{
    return (Shape){n, layer->spec.channels_in, layer->spec.height >> r, layer->spec.width >> r};
}

INLINE Shape output_at(const Layer *layer, int n, int r)
{
    return (Shape){n, layer->spec.channels_out, layer->spec.height >> r, layer->spec.width >> r};
}

INLINE Conv2dShape block_at(const Layer *layer, int n, int r)
{
    const LayerSpec *s = &layer->spec;
    return (Conv2dShape){n, s->channels_in, s->channels_out, s->height >> r, s->width >> r, 3, 1};
}

INLINE bool kept(const Layer *layer, int r)
{
    return level_kept(layer->spec.kept, r);
}

/* Of level r; levels may share them. */
INLINE const float *filters_of(const Layer *layer, int r)
{
    return layer->at.filters->data + layer->at.filters_at + layer_set_at(&layer->spec, r);
}

INLINE const float *bias_of(const Layer *layer, int r)
{
    return layer->spec.bias ? filters_of(layer, r) + layer_weights_count(&layer->spec) : NULL;
}

/* The block's last norm, which the mix takes in, and where its channels start in layer->mean. */
INLINE int last_norm(const Layer *layer)
{
    return layer_block_norms(&layer->spec) - 1;
}

INLINE size_t last_channels(const Layer *layer)
{
    return layer_norms_channels(&layer->spec, last_norm(layer));
}

/* gamma of a norm of level r, with beta behind it; NULL without an affine map. */
INLINE const float *gamma_of(const Layer *layer, int r, int norm)
{
    const LayerSpec *s = &layer->spec;
    const float *filters = layer->at.filters->data + layer->at.filters_at;
    return s->affine ? filters + layer_gamma_at(s, r) + layer_norm_gamma(s, norm) : NULL;
}

/* a, b, c (3,K) of multires_gradient at level r. */
INLINE float *gradient_coefficients(const Layer *layer, int r)
{
    return layer->coefficient + (size_t)(2 * layer->spec.levels + 1 + 3 * r) * layer->padded;
}

/* What dconv of level r is made of, with its coefficients. */
INLINE GradientMaps gradient_maps(const Layer *layer, int r)
{
    const float *a = gradient_coefficients(layer, r);
    return (GradientMaps){layer->dconv[r],   layer->activation[r],  a,
                          a + layer->padded, a + 2 * layer->padded, layer->spec.block == BLOCK_CONV};
}

INLINE Word *pooled_at(const Layer *layer, int r)
{
    return layer->spec.block == BLOCK_MBCONV ? layer->scratch->pooled[r].data : layer->pooled[r];
}

INLINE Mark *marks_at(const Layer *layer, int r)
{
    return layer->spec.block == BLOCK_MBCONV ? layer->scratch->marks[r].data : layer->marks[r];
}

/* The input at the levels coarser than it is stored, from level to level. */
void SET(layer_pool)(Layer *layer, int n);

/* The input at level r. */
const Word *SET(layer_pooled)(const Layer *layer, int r);

/* Statistics of a norm's input x, into layer->mean and variance and, in a step of the filters, into what is
 * tracked; at inference from there. */
void SET(layer_statistics)(Layer *layer, int r, int norm, const Word *x, Shape map, Pass pass);

bool SET(buffer_grow)(Buffer *b, size_t bytes);

Tensor *SET(tensor_create)(Shape s);
void SET(tensor_free)(Tensor *t);

Scratch *SET(scratch_create)(void);
void SET(scratch_free)(Scratch *s);

Layer *SET(layer_create)(const LayerSpec *spec, Slices slices, int batch);
void SET(layer_free)(Layer *layer);
void SET(layer_forward)(Layer *layer, Tensor *y, const Tensor *x, Pass pass);
void SET(layer_backward)(Layer *layer, Tensor *dx, Tensor *dy, unsigned wanted);
void SET(layer_alpha)(const Layer *layer, double *alpha);
bool SET(layer_stage)(const Layer *layer, Stage stage, int r, double *values);

/* fast/engine/depth.c */
DepthMix *SET(depth_create)(const DepthSpec *spec, Slices slices, int batch);
void SET(depth_free)(DepthMix *mix);
void SET(depth_forward)(DepthMix *mix, Tensor *y, const Tensor *const h[]);
void SET(depth_backward)(DepthMix *mix, const Tensor *dy, unsigned wanted);
void SET(depth_share)(const DepthMix *mix, Tensor *dh, int l, bool add);
void SET(depth_beta)(const DepthMix *mix, double *beta);

/* fast/engine/node.c */
Node *SET(node_create)(const NodeSpec *spec, Slices slices, int batch);
void SET(node_free)(Node *node);
void SET(node_forward)(Node *node, Tensor *y, const Tensor *const x[], Pass pass);
void SET(node_backward)(Node *node, Tensor *const dx[], Tensor *dy, unsigned wanted);
bool SET(node_stage)(const Node *node, NodeStage stage, double *values);

/* fast/engine/multires.c. With a coefficient per map and channel and a constant per channel,
 *     y[k] = constant[k] + sum over kept r of coefficient[r][k] z[r][k] at (h / step[r], w / step[r]).
 * There is a map a level and, after them, a skip a level. */
typedef struct {
    const Word *z[MAX_MIXED];
    const float *coefficient[MAX_MIXED];
    int step[MAX_MIXED];
    const float *constant;
    uint64_t kept;
    int levels;
} MixedMaps;
void SET(multires_mix)(Word *y, const MixedMaps *maps, Shape s);

/* The whole map, which may take the place of dsum; units first..end-1 of one row of a group to `dconv`, which
 * are added to `sums` [padded channel][image], if it is not NULL. */
void SET(multires_gradient)(Word *dconv, const GradientMaps *maps, Shape s);
void SET(multires_gradient_row)(Word *dconv, const GradientMaps *maps, int first, int end, float *sums,
                                Shape s, int group, int y);

/* fast/engine/bands.c: from the gradient of a level's mixed maps to those of its filters w, its bias and its
 * input x. */
typedef struct {
    Conv2dShape block;
    GradientMaps maps;
    const Word *x;
    const float *w;
    float *dw, *db; /* to add to; NULL where they are not wanted */
    Word *dx;       /* to write, or NULL */
    Unpooling unpooling;
    bool packed;         /* scratch holds the filters of this layer's pass before, for maps of another size */
    const MapSums *sums; /* of dx, or NULL */
    void *scratch;
} BandsPass;

/* Whether dconv is made in bands that no map holds; otherwise in the place of dsum. */
bool SET(bands_roll)(Conv2dShape s, bool dx, bool dw);
size_t SET(bands_scratch)(Conv2dShape s, int threads);
/* Returns whether scratch holds the filters, for the next pass. */
bool SET(bands_backward)(const BandsPass *pass);

#endif
