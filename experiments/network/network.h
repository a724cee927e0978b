/* The network: L multi-resolution layers at full resolution, then the head. One description serves every row
 * of every table: a classical network is a mask of one level a layer. Written once, it runs on any engine. A
 * fabric (fabric.h) has nodes in place of layers, no levels and no logits; the rest is the same. */
#ifndef NOPOOL_NETWORK_H
#define NOPOOL_NETWORK_H

#include "../../ref/engine.h"
#include "../base/error.h"
#include <stdint.h>

typedef struct {
    int layers, channels, classes;     /* L, the last one included; C; classes */
    int image_channels, height, width; /* of the input */
    int levels;                        /* R: masks and logits have so many levels, kept or not */
    unsigned kept[MAX_LAYERS];         /* the levels of each layer that take part */
    uint64_t depth; /* the hidden layers whose maps, mixed, feed the last layer (bit l - 1); 0: none is, the
                       last layer follows the one before it */
    PoolMode down;
    UpsampleMode up;
    bool bias, affine, shared_norm, linear_head;
    bool unshared;        /* filters of its own at each level of a layer, for section 3.5 */
    double eps, momentum; /* of batch norm and of its tracking */
    BlockKind block;      /* B of every layer but the first and the last, which are convolutions */
    NetKind net;
} NetworkSpec;

/* Refuses what no engine can run: sizes out of range, levels too many for the image, a layer without a level.
 */
bool network_check(const NetworkSpec *s, Error *error);

/* Layer l = 0..L-1 and the head as the engine sees them. */
LayerSpec network_layer(const NetworkSpec *s, int l);
HeadSpec network_head(const NetworkSpec *s);
DepthSpec network_depth(const NetworkSpec *s);

typedef struct {
    NetworkSpec spec;
    const Engine *engine;
    int batch; /* the most images a pass may bring */
    int part;  /* of them, those of this rank (fast/ranks.h); all of them where there is one */
    size_t filters_count, logits_count, statistics_count;
    Vector *filters, *dfilters, *velocity;
    Vector *logits, *dlogits, *moment1, *moment2; /* logits: a[r] of layer l at l R + r; then b */
    Vector *statistics;                           /* tracked by batch norm */
    Scratch *scratch;
    Layer *layer[MAX_LAYERS];
    DepthMix *depth;       /* NULL where there is none */
    struct Fabric *fabric; /* in place of layers and their maps; NULL if there are layers */
    Head *head;
    Tensor *map[MAX_LAYERS + 1]; /* the images, then each layer's output */
    Tensor *mixed, *dmixed;      /* of the hidden ones, and its gradient; with a depth mix */
    Tensor *dhidden, *dlast;     /* gradients of hidden maps, see network_gradient; of the last one */
    double *numbers;             /* room for a batch's class logits or any of the vectors */
} Network;

/* NULL with a sentence if the description is refused or memory runs out. The number of threads must be set
 * before: scratch is sized for it. */
Network *network_create(const Engine *engine, const NetworkSpec *spec, int batch, Error *error);
void network_free(Network *net);

/* Filters He-normal (fan-in, MBConv's each its own, of each edge of a fabric; the linear head 1/fan-in),
 * biases 0, gamma 1, beta 0, logits 0. */
void network_initialise(Network *net, uint64_t seed);

/* Where alpha starts: logits 0; standard normal logits; 0.9 on the finest or on the coarsest kept level, the
 * rest shared by the others; 0 until network_reverse_alpha. The words of option logits-start. */
typedef enum { ALPHA_UNIFORM, ALPHA_RANDOM, ALPHA_FINEST, ALPHA_COARSEST, ALPHA_REVERSED } AlphaStart;

void network_start_alpha(Network *net, AlphaStart start, uint64_t seed);

/* The logits of alpha that another network of the same layers and kept levels has, in each layer those of its
 * kept levels in reversed order: what it put on the finest is now on the coarsest. */
void network_reverse_alpha(Network *net, const Network *from);

/* Mean loss of images (n,channels,H,W) against labels (n), 1 <= n <= batch. labels must live until the
 * backward pass. Among several ranks each is given the whole batch and passes its part; a batch to train on
 * is whole groups of 16 for each of them. */
double network_forward(Network *net, const float *images, const int *labels, int n, Pass pass);

/* Adds to dfilters or dlogits, as wanted, the gradient of the last forward pass, whose maps it overwrites. */
void network_backward(Network *net, unsigned wanted);

/* Of the last forward pass: the class with the largest logit, for each of the n images. */
void network_predictions(const Network *net, int *classes, int n);

/* Of the last forward pass: how many of the n images have their largest logit at their label. */
int network_correct(const Network *net, const int *labels, int n);

/* alpha (L,R) of the present logits. */
void network_alpha(const Network *net, double *alpha);

/* beta (L-1) of the present logits; there is a depth mix. */
void network_beta(const Network *net, double *beta);

/* What layer l = 0..L-1 reads. */
const Tensor *network_input(const Network *net, int l);

/* Where the backward pass leaves the gradient of map l = 1..L-1: in turn in a place of its own and in that of
 * map L-1, which nobody reads any more when the second is made. A cache may hold these two. */
Tensor *network_gradient(const Network *net, int l);

#endif
