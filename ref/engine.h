/* The engine: one struct of functions a kernel set, the only numerics that network and training know.
 *
 * Network and training are written once against this header and run on every set: in double to check
 * gradients end to end, in float to train. What is behind a Tensor, a Vector, a Layer or a Head (number
 * type, layout, caches) is the set's own business.
 *
 * Sizes are validated by the caller (network_check); an engine asserts. Creating functions return NULL when
 * memory runs out; free functions accept NULL. */
#ifndef NOPOOL_REF_ENGINE_H
#define NOPOOL_REF_ENGINE_H

#include "fabric_node.h"
#include "optimizer.h"
#include "vocabulary.h"

/* A batch of feature maps. Its shape's n is a capacity: a batch may fill less. */
typedef struct Tensor Tensor;

/* A flat array of the set's own numbers: parameters, gradients, moments, statistics. Starts at 0. */
typedef struct Vector Vector;

/* A multi-resolution layer (section 3.2) with what its backward pass needs. */
typedef struct Layer Layer;

/* A node of a fabric (fabric_node.h) with what its backward pass needs. */
typedef struct Node Node;

/* From the last layer's input to the loss. */
typedef struct Head Head;

/* The mix of the hidden layers' maps that feeds the last layer (section 3.3), with what its backward pass
 * needs. */
typedef struct DepthMix DepthMix;

/* Memory that the layers of one network share within a pass; it grows as layers are created with it. */
typedef struct Scratch Scratch;

/* What a forward pass is for. */
typedef enum {
    PASS_FILTERS, /* a training step of the filters: statistics of the batch, which are also tracked */
    PASS_LOGITS,  /* a training step of the mixing logits: statistics of the batch, tracked ones left alone */
    PASS_INFERENCE /* tracked statistics; no backward pass follows */
} Pass;

/* What a backward pass is for, beside the input: an alpha step computes no filter gradient. */
typedef enum { WANT_FILTERS = 1, WANT_LOGITS = 2 } Wanted;

typedef struct {
    int channels_in, channels_out, height, width;
    int levels;           /* R */
    unsigned kept;        /* mask of the levels that take part */
    PoolMode down;        /* S */
    UpsampleMode up;      /* U */
    bool bias;            /* the convolution has one; MBConv's have none */
    bool affine;          /* batch norm has gamma and beta */
    bool shared_norm;     /* one set of tracked statistics and one affine map for all levels, not one each */
    double eps, momentum; /* of batch norm and of its tracking */
    BlockKind block;      /* B */
    bool unshared;        /* each level has filters and a bias of its own, F[l][r] of section 3.5 */
} LayerSpec;

/* A layer's slices of the network's vectors, in this order:
 *   filters     w (K,C,3,3), b (K) if bias, once for all levels or, unshared, once each; then gamma (K),
 *               beta (K) per level if affine (once if shared)
 *   logits      a (R)
 *   statistics  per level (once if shared): average of the mean (K), of the variance (K), their weight (1)
 *
 * With MBConv the filters are those of MbconvPlaces, and gamma, beta, averages and weight, level by level,
 * those of its three norms, of E, E and K channels, one after the other. */
typedef struct {
    Vector *filters, *dfilters, *logits, *dlogits, *statistics;
    size_t filters_at, logits_at, statistics_at;
    Scratch *scratch; /* shared by the network's layers; NULL: the layer has its own */
} Slices;

/* Norms that are not shared: how many sets of statistics and affine maps a layer has. */
static inline int layer_norms(const LayerSpec *s)
{
    return s->shared_norm ? 1 : s->levels;
}

/* MBConv's channels in between, as the paper's EfficientNet has them: E = 6 C, Q = max(1, C/4). */
static inline int layer_expanded(const LayerSpec *s)
{
    return 6 * s->channels_in;
}

static inline int layer_squeezed(const LayerSpec *s)
{
    return s->channels_in / 4 > 1 ? s->channels_in / 4 : 1;
}

/* Where MBConv's filters stand in the layer's slice, in this order: expand (E,C), depthwise (E,3,3), w1
 * (Q,E), b1 (Q), w2 (E,Q), b2 (E), project (K,E); and where they end. */
typedef struct {
    size_t expand, depthwise, w1, b1, w2, b2, project, end;
} MbconvPlaces;

static inline MbconvPlaces layer_mbconv(const LayerSpec *s)
{
    const size_t e = (size_t)layer_expanded(s), q = (size_t)layer_squeezed(s);
    MbconvPlaces at = {.depthwise = e * s->channels_in};
    at.w1 = at.depthwise + 9 * e;
    at.b1 = at.w1 + q * e;
    at.w2 = at.b1 + q;
    at.b2 = at.w2 + e * q;
    at.project = at.b2 + e;
    at.end = at.project + s->channels_out * e;
    return at;
}

/* The batch norms of a block, and the channels of one. */
static inline int layer_block_norms(const LayerSpec *s)
{
    return s->block == BLOCK_MBCONV ? 3 : 1;
}

static inline int layer_norm_channels(const LayerSpec *s, int norm)
{
    return norm == layer_block_norms(s) - 1 ? s->channels_out : layer_expanded(s);
}

/* Channels of the first `norms` of them together. */
static inline size_t layer_norms_channels(const LayerSpec *s, int norms)
{
    size_t sum = 0;
    for (int i = 0; i < norms; i++)
        sum += (size_t)layer_norm_channels(s, i);
    return sum;
}

/* Without the convolution's bias and without affine maps. */
static inline size_t layer_weights_count(const LayerSpec *s)
{
    return s->block == BLOCK_MBCONV ? layer_mbconv(s).end : (size_t)s->channels_out * s->channels_in * 9;
}

/* Multiply-accumulates of a layer's convolutions at level r for one image: pixels times weights, and once for
 * each of MBConv's weights that meet averages. */
static inline double layer_macs(const LayerSpec *s, int r)
{
    const double pixels = (double)(s->height >> r) * (s->width >> r);
    if (s->block == BLOCK_CONV)
        return pixels * (double)layer_weights_count(s);
    const MbconvPlaces at = layer_mbconv(s);
    const size_t w1_and_w2 = at.b1 - at.w1 + at.b2 - at.w2;
    return pixels * (double)(at.w1 + at.end - at.project) + (double)w1_and_w2;
}

/* Numbers of a level's affine maps, gamma and beta of every norm; of its tracked statistics. */
static inline size_t layer_affine_count(const LayerSpec *s)
{
    return 2 * layer_norms_channels(s, layer_block_norms(s));
}

static inline size_t layer_level_statistics(const LayerSpec *s)
{
    return layer_affine_count(s) + (size_t)layer_block_norms(s);
}

/* One set of filters with its bias; the sets that the layer has; where level r's starts in its slice. */
static inline size_t layer_set_count(const LayerSpec *s)
{
    return layer_weights_count(s) + (s->bias ? (size_t)s->channels_out : 0);
}

static inline int layer_sets(const LayerSpec *s)
{
    return s->unshared ? s->levels : 1;
}

static inline size_t layer_set_at(const LayerSpec *s, int r)
{
    return s->unshared ? (size_t)r * layer_set_count(s) : 0;
}

static inline size_t layer_filters_count(const LayerSpec *s)
{
    return layer_sets(s) * layer_set_count(s) + (s->affine ? layer_norms(s) * layer_affine_count(s) : 0);
}

static inline size_t layer_statistics_count(const LayerSpec *s)
{
    return layer_norms(s) * layer_level_statistics(s);
}

/* Where gamma of level r's first norm starts in the layer's slice of filters; beta follows it. */
static inline size_t layer_gamma_at(const LayerSpec *s, int r)
{
    return layer_sets(s) * layer_set_count(s) + (s->shared_norm ? 0 : (size_t)r * layer_affine_count(s));
}

/* Where level r's tracked statistics start in the layer's slice of statistics. */
static inline size_t layer_statistics_at(const LayerSpec *s, int r)
{
    return s->shared_norm ? 0 : (size_t)r * layer_level_statistics(s);
}

/* From there to norm i's. */
static inline size_t layer_norm_gamma(const LayerSpec *s, int norm)
{
    return 2 * layer_norms_channels(s, norm);
}

static inline size_t layer_norm_statistics(const LayerSpec *s, int norm)
{
    return 2 * layer_norms_channels(s, norm) + (size_t)norm;
}

/* A node's slices, in this order: filters w (K,C,3,3) of each edge, then gamma (K), beta (K) if affine;
 * statistics as one level of a layer has them; no logits. Where the filters of edge e start; after the last
 * edge, gamma. */
static inline size_t node_weights_at(const NodeSpec *s, int e)
{
    size_t at = 0;
    for (int i = 0; i < e; i++)
        at += (size_t)s->channels * s->edge[i].channels * 9;
    return at;
}

static inline size_t node_filters_count(const NodeSpec *s)
{
    return node_weights_at(s, s->edges) + (s->affine ? 2 * (size_t)s->channels : 0);
}

static inline size_t node_statistics_count(const NodeSpec *s)
{
    return 2 * (size_t)s->channels + 1;
}

/* The head: the map's global average is the logits of the classes if linear is false (the last layer has
 * then `classes` channels); otherwise a linear layer w (classes, channels), b (classes) follows, whose
 * numbers are a slice of the filters in this order. */
typedef struct {
    int channels, height, width, classes;
    bool linear;
} HeadSpec;

static inline size_t head_filters_count(const HeadSpec *s)
{
    return s->linear ? (size_t)s->classes * (s->channels + 1) : 0;
}

/* The depth mix (equation 6): the input of the last layer is
 *
 *     sum over kept l of beta[l] h[l],     beta = softmax(b),     l = 0..maps-1,
 *
 * where h[l] is the output of hidden layer l + 1. Its logits b (maps) stand at slices.logits_at. */
typedef struct {
    int maps;                    /* L - 1, at most MAX_MIXED */
    uint64_t kept;               /* mask of the maps that take part */
    int channels, height, width; /* of each map */
    int levels;                  /* R of the layers that the maps come from */
} DepthSpec;

/* The stages of a layer that a test can look at: after a forward pass, or after a backward pass of the same
 * layer with nothing in between (they may stand in shared scratch, or in dy). Shapes as in ref/multires.h and
 * ref/mbconv.h. With MBConv, activation and dconv are projected and its gradient, what the last norm
 * normalises as the activation is with a convolution; mean and variance are those of its norms, one after the
 * other. */
typedef enum {
    STAGE_POOLED,
    STAGE_ACTIVATION,
    STAGE_MEAN,
    STAGE_VARIANCE,
    STAGE_DPOOLED,
    STAGE_DCONV,
    /* MBConv only */
    STAGE_EXPANDED,
    STAGE_FILTERED,
    STAGE_EXCITED,
    STAGE_DFILTERED,
    STAGE_DEXPANDED,
    STAGE_GATE /* (N,E) */
} Stage;

/* The shape of a stage at level r for n images. */
static inline Shape layer_stage_shape(const LayerSpec *s, Stage stage, int r, int n)
{
    const int h = s->height >> r, w = s->width >> r;
    if (stage == STAGE_MEAN || stage == STAGE_VARIANCE)
        return (Shape){1, (int)layer_norms_channels(s, layer_block_norms(s)), 1, 1};
    if (stage == STAGE_GATE)
        return (Shape){n, layer_expanded(s), 1, 1};
    if (stage >= STAGE_EXPANDED)
        return (Shape){n, layer_expanded(s), h, w};
    const bool is_input = stage == STAGE_POOLED || stage == STAGE_DPOOLED;
    return (Shape){n, is_input ? s->channels_in : s->channels_out, h, w};
}

/* The same of a node: z, mean, variance, and after a backward pass dz. */
typedef enum { NODE_SUM, NODE_MEAN, NODE_VARIANCE, NODE_DSUM } NodeStage;

typedef struct Engine {
    const char *name;            /* "ref", "f32" */
    const char *instruction_set; /* "double", "plain", "avx2", "avx512" */

    Tensor *(*tensor_create)(Shape s);
    void (*tensor_free)(Tensor *t);
    /* The first n images of t from images (n,C,H,W), and back. t's batch becomes n. */
    void (*tensor_import)(Tensor *t, const float *images, int n);
    void (*tensor_export)(double *images, const Tensor *t);
    /* n images of 0: where nodes add the gradient of a map. */
    void (*tensor_clear)(Tensor *t, int n);

    Vector *(*vector_create)(size_t count);
    void (*vector_free)(Vector *v);
    void (*vector_write)(Vector *v, size_t at, const double *values, size_t count);
    void (*vector_read)(double *values, const Vector *v, size_t at, size_t count);
    void (*vector_clear)(Vector *v);

    Scratch *(*scratch_create)(void);
    void (*scratch_free)(Scratch *s);

    /* batch is the most images a pass may bring; passes may run on the present number of threads or fewer. */
    Layer *(*layer_create)(const LayerSpec *spec, Slices slices, int batch);
    void (*layer_free)(Layer *layer);
    /* y from x. x must stay as it is until the backward pass. */
    void (*layer_forward)(Layer *layer, Tensor *y, const Tensor *x, Pass pass);
    /* Writes dx (may be NULL), adds what is wanted to the gradients. dy may be overwritten. */
    void (*layer_backward)(Layer *layer, Tensor *dx, Tensor *dy, unsigned wanted);
    /* alpha (R) of the current logits; 0 where a level is not kept. */
    void (*layer_alpha)(const Layer *layer, double *alpha);
    /* One stage at level r, as doubles in the reference's layout; false if this set does not form it. */
    bool (*layer_stage)(const Layer *layer, Stage stage, int r, double *values);

    DepthMix *(*depth_create)(const DepthSpec *spec, Slices slices, int batch);
    void (*depth_free)(DepthMix *mix);
    /* y from h (maps). Every kept h must stay as it is until the backward pass. */
    void (*depth_forward)(DepthMix *mix, Tensor *y, const Tensor *const h[]);
    /* Takes dy, which must stay as it is until every map has been handed its share, and adds to the gradient
     * of b where logits are wanted. */
    void (*depth_backward)(DepthMix *mix, const Tensor *dy, unsigned wanted);
    /* Writes dh[l] = beta[l] dy, or, where dh[l] already holds what map l has by another way, adds it. */
    void (*depth_share)(const DepthMix *mix, Tensor *dh, int l, bool add);
    /* beta (maps) of the current logits; 0 where a map is not kept. */
    void (*depth_beta)(const DepthMix *mix, double *beta);

    Node *(*node_create)(const NodeSpec *spec, Slices slices, int batch);
    void (*node_free)(Node *node);
    /* y from x[e], one an edge, which must stay as they are, like y, until the backward pass. */
    void (*node_forward)(Node *node, Tensor *y, const Tensor *const x[], Pass pass);
    /* Adds to dx[e], each of which may be NULL, and to the gradient of the filters if it is wanted. dy may be
     * overwritten. */
    void (*node_backward)(Node *node, Tensor *const dx[], Tensor *dy, unsigned wanted);
    bool (*node_stage)(const Node *node, NodeStage stage, double *values);

    Head *(*head_create)(const HeadSpec *spec, Slices slices, int batch);
    void (*head_free)(Head *head);
    /* Mean cross-entropy of a batch of n images against labels (n). x is the batch, or this process's part of
     * it where several divide it (fast/ranks.h). */
    double (*head_forward)(Head *head, const Tensor *x, const int *labels, int n);
    /* The class logits (n, classes) of the last forward pass. */
    void (*head_logits)(const Head *head, double *logits);
    /* Writes dx, adds what is wanted to the gradients. */
    void (*head_backward)(Head *head, Tensor *dx, unsigned wanted);

    /* In place on the first argument and its moments. */
    void (*sgd_step)(Vector *w, Vector *v, const Vector *dw, Sgd sgd);
    void (*adam_step)(Vector *w, Vector *m, Vector *v, const Vector *dw, int t, Adam adam);
} Engine;

extern const Engine ref_engine;

#endif
