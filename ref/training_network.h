/* The network that section 3.4 trains, as plain arrays: L multi-resolution layers (equation 4) at full
 * resolution, then the head. A classical network is a mask of one level a layer, so one description serves
 * every row of every table.
 *
 *     h_0 = the images,    h_l = M_l(h_(l-1)),  l = 1..L,    logits = average over the map of h_L
 *
 * With a learned depth (equation 6) the last layer reads the mix of all before it instead of h_(L-1):
 *
 *     sum over l = 1..L-1 of beta_l h_l,    beta = softmax(b)
 *
 * It composes the operations of this folder and owns its arrays; training.h is what moves its parameters. */
#ifndef NOPOOL_REF_TRAINING_NETWORK_H
#define NOPOOL_REF_TRAINING_NETWORK_H

#include "multires.h"
#include "vocabulary.h"

typedef struct {
    NetKind net;
    int layers, channels, classes;     /* L, 0 of a fabric; C of every layer but the last; classes */
    int fabric_layers;                 /* L of a fabric (training_fabric.h), whose head is linear */
    int image_channels, height, width; /* of the images */
    int levels;                        /* R */
    unsigned kept[MAX_LAYERS];         /* the levels of each layer that take part */
    PoolMode down;                     /* S */
    UpsampleMode up;                   /* U */
    BlockKind block;      /* B of every layer but the first and the last, which are convolutions */
    bool bias;            /* convolutions have one */
    bool affine;          /* batch norm has gamma and beta */
    bool shared_norm;     /* one running average (and gamma, beta) for all levels, not one each */
    bool unshared;        /* filters and bias of its own for each level, not one set for all */
    bool depth_mix;       /* equation 6 */
    bool linear_head;     /* L layers of C channels, average, linear layer */
    double eps, momentum; /* of batch norm and of its running averages */
} PlainNetworkShape;

/* Running averages of a batch norm at one level: (K), (K), and their weight. */
typedef struct {
    double *mean, *variance, *weight;
} TrackedStatistics;

/* One layer: where its parameters stand in the network's arrays, and what its passes leave. */
typedef struct {
    MultiresShape shape; /* shape.block.n is the present batch */
    MultiresParameters parameters;
    MultiresGradients gradients;
    TrackedStatistics tracked[MAX_LEVELS]
                             [MBCONV_NORMS]; /* of a convolution the first; shared_norm: all the same */
    MultiresCache cache;
    MultiresScratch scratch;
    double *y, *dy; /* h_l (N,K,H,W) and the gradient of the loss in it */
} PlainLayer;

typedef struct PlainNetwork {
    PlainNetworkShape shape;
    size_t filters_count, logits_count, statistics_count;
    double *filters, *dfilters,
        *velocity; /* all that SGD trains, in the order of random.h, and its moments */
    double *logits, *dlogits, *moment1, *moment2; /* a (L,R), then b (L-1), which Adam trains */
    double *statistics;                           /* running averages */
    PlainLayer layer[MAX_LAYERS];
    double *b, *db;         /* logits of the depth mix, else NULL */
    double *mixed, *dmixed; /* its map (N,C,H,W) and the gradient in it */
    double beta[MAX_LAYERS], dbeta[MAX_LAYERS];
    struct PlainFabric *fabric;           /* in place of layers, else NULL */
    double *average, *daverage;           /* of the last map, (N, channels) */
    double *class_logits, *dclass_logits; /* (N, classes); the same arrays where there is no linear layer */
    double *head_w, *head_b, *dhead_w, *dhead_b; /* of the linear layer, else NULL */
    struct Room *rooms;                          /* the memory behind all these */
} PlainNetwork;

/* With all parameters 0, for batches of up to `batch` images; NULL if memory runs out. */
PlainNetwork *plain_network_create(const PlainNetworkShape *shape, int batch);
void plain_network_free(PlainNetwork *net);

/* Which mean and variance batch norm normalises with, and what happens to its running averages. */
typedef enum {
    STATISTICS_OF_BATCH_TRACKED, /* those of this batch, which enter the running averages */
    STATISTICS_OF_BATCH,         /* those of this batch; the running averages stay as they are */
    STATISTICS_TRACKED           /* the running averages */
} StatisticsUse;

/* Mean cross-entropy of the images x (n,channels,H,W) against labels (n). */
double plain_network_forward(PlainNetwork *net, const double *x, const int *labels, int n, StatisticsUse use);

/* dfilters, and nothing else, or dlogits, and nothing else, of the last forward pass, which was not with
 * tracked statistics and had these images and labels. They are written, not added to. */
void plain_network_filters_gradient(PlainNetwork *net, const double *x, const int *labels, int n);
void plain_network_logits_gradient(PlainNetwork *net, const double *x, const int *labels, int n);

/* Of the last forward pass: the class of image i, that of its largest logit, the first of equal ones; and how
 * many images have it at their label. */
int plain_network_class(const PlainNetwork *net, int i);
int plain_network_correct(const PlainNetwork *net, const int *labels, int n);

/* alpha (R) of layer l = 0..L-1, of the present logits. */
void plain_network_alpha(double *alpha, const PlainNetwork *net, int l);

/* beta (L-1), of the present logits of the depth mix. */
void plain_network_beta(double *beta, const PlainNetwork *net);

/* What one image costs forward, in multiply-accumulates of the convolutions (and of a linear head), every tap
 * of every pixel counted; and how many numbers the filters have. */
typedef struct {
    size_t weights, parameters;                /* without biases and affine maps; all that SGD trains */
    size_t formula;                            /* weights as a fabric's paper counts them, else 0 */
    double macs;                               /* the sum of: */
    double level_macs[MAX_LAYERS][MAX_LEVELS]; /* 0 where a level is not kept */
} PlainCost;
PlainCost plain_network_cost(const PlainNetworkShape *shape);

#endif
