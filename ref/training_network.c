/* The network as plain arrays: see training_network.h. The first half gives every array its place, the second
 * is the network. */
#include "training_network.h"
#include "batchnorm.h"
#include "cross_entropy.h"
#include "global_average.h"
#include "linear.h"
#include "mix.h"
#include <stdlib.h>
#include <string.h>

/* A piece of memory of the network; all are freed with it. */
struct Room {
    struct Room *next;
    double numbers[];
};

/* count zeros; NULL if memory runs out, which *failed remembers. */
static double *room(PlainNetwork *net, size_t count, bool *failed)
{
    struct Room *made = calloc(1, sizeof *made + count * sizeof *made->numbers);
    if (!made) {
        *failed = true;
        return NULL;
    }
    made->next = net->rooms;
    net->rooms = made;
    return made->numbers;
}

void plain_network_free(PlainNetwork *net)
{
    while (net && net->rooms) {
        struct Room *next = net->rooms->next;
        free(net->rooms);
        net->rooms = next;
    }
    free(net);
}

/* Layer l as a convolution: the first reads the images, the last has one channel a class (choice "head"). */
static Conv2dShape block_of(const PlainNetworkShape *s, int l, int n)
{
    const bool first = l == 0, last = l == s->layers - 1;
    return (Conv2dShape){.n = n,
                         .c = first ? s->image_channels : s->channels,
                         .k = last && !s->linear_head ? s->classes : s->channels,
                         .h = s->height,
                         .w = s->width,
                         .side = 3,
                         .stride = 1};
}

/* Sets of running averages and affine maps: one a level (choice "batch-norm"). */
static int norms_of(const PlainNetworkShape *s)
{
    return s->shared_norm ? 1 : s->levels;
}

static size_t layer_filters(const PlainNetworkShape *s, Conv2dShape block)
{
    const size_t k = (size_t)block.k;
    return conv2d_filters(block) + (s->bias ? k : 0) + (s->affine ? (size_t)norms_of(s) * 2 * k : 0);
}

/* The next count numbers of an array. */
static double *next(double **at, size_t count)
{
    double *here = *at;
    *at += count;
    return here;
}

/* Gives layer l its parameters and their gradients, the next ones of each array. */
static void place_parameters(PlainNetwork *net, int l, double **w, double **dw, double **statistics)
{
    const PlainNetworkShape *s = &net->shape;
    PlainLayer *layer = &net->layer[l];
    const size_t count = conv2d_filters(layer->shape.block), k = (size_t)layer->shape.block.k;
    layer->parameters.a = net->logits + (size_t)l * s->levels;
    layer->gradients.da = net->dlogits + (size_t)l * s->levels;
    layer->parameters.w = next(w, count);
    layer->gradients.dw = next(dw, count);
    layer->parameters.b = s->bias ? next(w, k) : NULL;
    layer->gradients.db = s->bias ? next(dw, k) : NULL;
    for (int r = 0; r < s->levels; r++) {
        if (r > 0 && s->shared_norm) {
            layer->parameters.gamma[r] = layer->parameters.gamma[0];
            layer->parameters.beta[r] = layer->parameters.beta[0];
            layer->gradients.dgamma[r] = layer->gradients.dgamma[0];
            layer->gradients.dbeta[r] = layer->gradients.dbeta[0];
            layer->tracked[r] = layer->tracked[0];
            continue;
        }
        layer->parameters.gamma[r] = s->affine ? next(w, k) : NULL;
        layer->gradients.dgamma[r] = s->affine ? next(dw, k) : NULL;
        layer->parameters.beta[r] = s->affine ? next(w, k) : NULL;
        layer->gradients.dbeta[r] = s->affine ? next(dw, k) : NULL;
        layer->tracked[r].mean = next(statistics, k);
        layer->tracked[r].variance = next(statistics, k);
        layer->tracked[r].weight = next(statistics, 1);
    }
}

/* The maps of layer l and what its passes leave. */
static void make_maps(PlainNetwork *net, int l, bool *failed)
{
    PlainLayer *layer = &net->layer[l];
    const Conv2dShape block = layer->shape.block;
    const size_t in = shape_count(conv2d_input(block)), out = shape_count(conv2d_output(block));
    layer->y = room(net, out, failed);
    layer->dy = room(net, out, failed);
    for (int r = 0; r < layer->shape.levels; r++) {
        if (!level_kept(layer->shape.kept, r))
            continue;
        layer->cache.pooled[r] = room(net, in >> 2 * r, failed);
        layer->cache.activation[r] = room(net, out >> 2 * r, failed);
        layer->cache.mean[r] = room(net, (size_t)block.k, failed);
        layer->cache.variance[r] = room(net, (size_t)block.k, failed);
        layer->cache.upsampled[r] = room(net, out, failed);
        layer->scratch.dpooled[r] = room(net, in >> 2 * r, failed);
        layer->scratch.dactivation[r] = room(net, out >> 2 * r, failed);
        layer->scratch.dnormalised[r] = room(net, out >> 2 * r, failed);
        layer->scratch.dconv[r] = room(net, out >> 2 * r, failed);
        layer->scratch.dupsampled[r] = room(net, out, failed);
    }
}

/* The arrays of parameters, then each layer's place in them. */
static void place_layers(PlainNetwork *net, int batch, bool *failed)
{
    const PlainNetworkShape *s = &net->shape;
    const size_t head = s->linear_head ? (size_t)s->classes * s->channels : 0;
    for (int l = 0; l < s->layers; l++) {
        const Conv2dShape block = block_of(s, l, batch);
        net->layer[l].shape = (MultiresShape){.block = block,
                                              .levels = s->levels,
                                              .kept = s->kept[l],
                                              .down = s->down,
                                              .up = s->up,
                                              .eps = s->eps};
        net->filters_count += layer_filters(s, block);
        net->statistics_count += (size_t)norms_of(s) * (2 * (size_t)block.k + 1);
    }
    net->filters_count += head ? head + (size_t)s->classes : 0;
    net->logits_count = (size_t)s->layers * s->levels;
    double *w = net->filters = room(net, net->filters_count, failed);
    double *dw = net->dfilters = room(net, net->filters_count, failed);
    net->velocity = room(net, net->filters_count, failed);
    net->logits = room(net, net->logits_count, failed);
    net->dlogits = room(net, net->logits_count, failed);
    net->moment1 = room(net, net->logits_count, failed);
    net->moment2 = room(net, net->logits_count, failed);
    double *statistics = net->statistics = room(net, net->statistics_count, failed);
    if (*failed)
        return;
    for (int l = 0; l < s->layers; l++)
        place_parameters(net, l, &w, &dw, &statistics);
    if (head) {
        net->head_w = next(&w, head);
        net->head_b = next(&w, (size_t)s->classes);
        net->dhead_w = next(&dw, head);
        net->dhead_b = next(&dw, (size_t)s->classes);
    }
}

PlainNetwork *plain_network_create(const PlainNetworkShape *shape, int batch)
{
    PlainNetwork *net = calloc(1, sizeof *net);
    bool failed = !net;
    if (net) {
        const size_t last = (size_t)batch * (shape->linear_head ? shape->channels : shape->classes),
                     classes = (size_t)batch * shape->classes;
        net->shape = *shape;
        place_layers(net, batch, &failed);
        for (int l = 0; l < shape->layers; l++)
            make_maps(net, l, &failed);
        net->average = room(net, last, &failed);
        net->daverage = room(net, last, &failed);
        net->class_logits = shape->linear_head ? room(net, classes, &failed) : net->average;
        net->dclass_logits = shape->linear_head ? room(net, classes, &failed) : net->daverage;
    }
    if (!failed)
        return net;
    plain_network_free(net);
    return NULL;
}

// book: training_network
/* Running averages in and out of the layer, kept level by kept level (choice "batch-norm"). */
static void track(PlainLayer *layer, double momentum)
{
    for (int r = 0; r < layer->shape.levels; r++) {
        if (!level_kept(layer->shape.kept, r))
            continue;
        const TrackedStatistics t = layer->tracked[r];
        const Shape map = shape_coarser(conv2d_output(layer->shape.block), 1 << r);
        ref_batchnorm_track(t.mean, t.variance, t.weight, layer->cache.mean[r], layer->cache.variance[r],
                            momentum, map);
    }
}

static void use_tracked(PlainLayer *layer)
{
    for (int r = 0; r < layer->shape.levels; r++)
        if (level_kept(layer->shape.kept, r))
            ref_batchnorm_tracked(layer->cache.mean[r], layer->cache.variance[r], layer->tracked[r].mean,
                                  layer->tracked[r].variance, *layer->tracked[r].weight,
                                  layer->shape.block.k);
}

double plain_network_forward(PlainNetwork *net, const double *x, const int *labels, int n, StatisticsUse use)
{
    const PlainNetworkShape *s = &net->shape;
    const double *h = x; /* h_0 */
    for (int l = 0; l < s->layers; l++) {
        PlainLayer *layer = &net->layer[l];
        layer->shape.block.n = n;
        if (use == STATISTICS_TRACKED)
            use_tracked(layer);
        ref_multires_forward(layer->y, &layer->cache, h, layer->parameters, use != STATISTICS_TRACKED,
                             layer->shape);
        if (use == STATISTICS_OF_BATCH_TRACKED)
            track(layer, s->momentum);
        h = layer->y; /* h_(l+1) = M(h_l) */
    }
    ref_global_average_forward(net->average, h, conv2d_output(net->layer[s->layers - 1].shape.block));
    if (s->linear_head)
        ref_linear_forward(net->class_logits, net->average, net->head_w, net->head_b, n, s->channels,
                           s->classes);
    return ref_cross_entropy_forward(net->class_logits, labels, n, s->classes);
}

/* The same chain from its end; of each layer's gradients those that are wanted. */
static void backward(PlainNetwork *net, const double *x, const int *labels, int n, bool filters, bool logits)
{
    const PlainNetworkShape *s = &net->shape;
    const Shape last = conv2d_output(net->layer[s->layers - 1].shape.block);
    memset(net->dclass_logits, 0, (size_t)n * s->classes * sizeof *net->dclass_logits);
    ref_cross_entropy_backward(net->dclass_logits, net->class_logits, labels, n, s->classes);
    if (s->linear_head) {
        memset(net->daverage, 0, (size_t)n * s->channels * sizeof *net->daverage);
        ref_linear_backward(net->daverage, filters ? net->dhead_w : NULL, filters ? net->dhead_b : NULL,
                            net->dclass_logits, net->average, net->head_w, n, s->channels, s->classes);
    }
    for (int l = 0; l < s->layers; l++)
        memset(net->layer[l].dy, 0,
               shape_count(conv2d_output(net->layer[l].shape.block)) * sizeof *net->layer[l].dy);
    ref_global_average_backward(net->layer[s->layers - 1].dy, net->daverage, last);
    for (int l = s->layers - 1; l >= 0; l--) {
        PlainLayer *layer = &net->layer[l];
        MultiresGradients d = layer->gradients;
        d.dw = filters ? d.dw : NULL;
        d.da = logits ? d.da : NULL;
        ref_multires_backward(l > 0 ? net->layer[l - 1].dy : NULL, d, &layer->scratch, layer->dy,
                              l > 0 ? net->layer[l - 1].y : x, &layer->cache, layer->parameters,
                              layer->shape);
    }
}

void plain_network_filters_gradient(PlainNetwork *net, const double *x, const int *labels, int n)
{
    memset(net->dfilters, 0, net->filters_count * sizeof *net->dfilters);
    backward(net, x, labels, n, true, false);
}

void plain_network_logits_gradient(PlainNetwork *net, const double *x, const int *labels, int n)
{
    memset(net->dlogits, 0, net->logits_count * sizeof *net->dlogits);
    backward(net, x, labels, n, false, true);
}
// book: end

int plain_network_correct(const PlainNetwork *net, const int *labels, int n)
{
    int correct = 0;
    for (int i = 0; i < n; i++) {
        const double *logits = net->class_logits + (size_t)i * net->shape.classes;
        int best = 0;
        for (int k = 1; k < net->shape.classes; k++)
            best = logits[k] > logits[best] ? k : best;
        correct += best == labels[i];
    }
    return correct;
}

void plain_network_alpha(double *alpha, const PlainNetwork *net, int l)
{
    ref_softmax_forward(alpha, net->layer[l].parameters.a, net->shape.kept[l], net->shape.levels);
}

/* Section 3.2: the same filters at a level of a quarter of the pixels cost a quarter. */
PlainCost plain_network_cost(const PlainNetworkShape *s)
{
    PlainCost cost = {0};
    for (int l = 0; l < s->layers; l++) {
        const Conv2dShape block = block_of(s, l, 1);
        cost.weights += conv2d_filters(block);
        cost.parameters += layer_filters(s, block);
        for (int r = 0; r < s->levels; r++) {
            const Shape map = shape_coarser(conv2d_output(block), 1 << r);
            cost.level_macs[l][r] =
                level_kept(s->kept[l], r) ? (double)map.h * map.w * (double)conv2d_filters(block) : 0;
            cost.macs += cost.level_macs[l][r];
        }
    }
    if (s->linear_head) {
        const int products = s->classes * s->channels;
        cost.weights += (size_t)products;
        cost.parameters += (size_t)products + (size_t)s->classes;
        cost.macs += products;
    }
    return cost;
}
