/* See training_places.h: first how many numbers each layer has, then where they stand, then the maps. */
#include "training_places.h"
#include "training_fabric.h"
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
    plain_fabric_free(net ? net->fabric : NULL);
    while (net && net->rooms) {
        struct Room *next = net->rooms->next;
        free(net->rooms);
        net->rooms = next;
    }
    free(net);
}

Conv2dShape plain_block(const PlainNetworkShape *s, int l, int n)
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

bool plain_is_mbconv(const PlainNetworkShape *s, int l)
{
    return s->block == BLOCK_MBCONV && l > 0 && l < s->layers - 1;
}

int plain_expanded(Conv2dShape block)
{
    return 6 * block.c;
}

int plain_squeezed(Conv2dShape block)
{
    return block.c < 8 ? 1 : block.c / 4;
}

size_t plain_pixel_weights(const PlainNetworkShape *s, int l)
{
    const Conv2dShape block = plain_block(s, l, 1);
    const size_t e = (size_t)plain_expanded(block);
    return plain_is_mbconv(s, l) ? e * block.c + 9 * e + block.k * e : conv2d_filters(block);
}

size_t plain_layer_weights(const PlainNetworkShape *s, int l)
{
    const Conv2dShape block = plain_block(s, l, 1);
    const size_t e = (size_t)plain_expanded(block), q = (size_t)plain_squeezed(block);
    return plain_pixel_weights(s, l) + (plain_is_mbconv(s, l) ? q * e + q + e * q + e : 0);
}

/* Channels of a layer's norms together. */
static size_t norm_channels(const PlainNetworkShape *s, int l)
{
    const Conv2dShape block = plain_block(s, l, 1);
    return (size_t)block.k + (plain_is_mbconv(s, l) ? 2 * (size_t)plain_expanded(block) : 0);
}

size_t plain_set_filters(const PlainNetworkShape *s, int l)
{
    const size_t bias = s->bias && !plain_is_mbconv(s, l) ? (size_t)plain_block(s, l, 1).k : 0;
    return plain_layer_weights(s, l) + bias;
}

size_t plain_sets(const PlainNetworkShape *s)
{
    return s->unshared ? (size_t)s->levels : 1;
}

size_t plain_layer_filters(const PlainNetworkShape *s, int l)
{
    return plain_sets(s) * plain_set_filters(s, l) +
           (s->affine ? (size_t)norms_of(s) * 2 * norm_channels(s, l) : 0);
}

/* The next count numbers of an array. */
static double *next(double **at, size_t count)
{
    double *here = *at;
    *at += count;
    return here;
}

/* The next count numbers of the parameters, and of their gradients. */
static void next_pair(const double **w, double **dw, double **at, double **dat, size_t count)
{
    *w = next(at, count);
    *dw = next(dat, count);
}

/* Running averages of a norm of k channels. */
static TrackedStatistics next_statistics(double **at, size_t k)
{
    TrackedStatistics t;
    t.mean = next(at, k);
    t.variance = next(at, k);
    t.weight = next(at, 1);
    return t;
}

/* MBConv's filters at level 0, which are those of every level. */
static void place_mbconv(PlainLayer *layer, double **w, double **dw)
{
    const size_t c = (size_t)layer->shape.block.c, k = (size_t)layer->shape.block.k,
                 e = (size_t)layer->shape.expanded, q = (size_t)layer->shape.squeezed;
    MbconvParameters *p = &layer->parameters.mbconv[0];
    MbconvGradients *d = &layer->gradients.mbconv[0];
    next_pair(&p->expand, &d->dexpand, w, dw, e * c);
    next_pair(&p->depthwise, &d->ddepthwise, w, dw, 9 * e);
    next_pair(&p->excite.w1, &d->excite.dw1, w, dw, q * e);
    next_pair(&p->excite.b1, &d->excite.db1, w, dw, q);
    next_pair(&p->excite.w2, &d->excite.dw2, w, dw, e * q);
    next_pair(&p->excite.b2, &d->excite.db2, w, dw, e);
    next_pair(&p->project, &d->dproject, w, dw, k * e);
}

/* gamma, beta and running averages of the norms of MBConv at level r. */
static void place_norms(PlainLayer *layer, int r, bool affine, double **w, double **dw, double **statistics)
{
    MbconvParameters *p = &layer->parameters.mbconv[r];
    MbconvGradients *d = &layer->gradients.mbconv[r];
    *p = layer->parameters.mbconv[0];
    *d = layer->gradients.mbconv[0];
    for (int i = 0; i < MBCONV_NORMS; i++) {
        const size_t channels = (size_t)(i < 2 ? layer->shape.expanded : layer->shape.block.k);
        if (affine) {
            next_pair(&p->gamma[i], &d->dgamma[i], w, dw, channels);
            next_pair(&p->beta[i], &d->dbeta[i], w, dw, channels);
        }
        layer->tracked[r][i] = next_statistics(statistics, channels);
    }
}

/* The same of a convolution. */
static void place_norm(PlainLayer *layer, int r, bool affine, double **w, double **dw, double **statistics)
{
    const size_t k = (size_t)layer->shape.block.k;
    if (affine) {
        next_pair(&layer->parameters.gamma[r], &layer->gradients.dgamma[r], w, dw, k);
        next_pair(&layer->parameters.beta[r], &layer->gradients.dbeta[r], w, dw, k);
    }
    layer->tracked[r][0] = next_statistics(statistics, k);
}

/* Gives layer l its parameters and their gradients, the next ones of each array. */
static void place_parameters(PlainNetwork *net, int l, double **w, double **dw, double **statistics)
{
    const PlainNetworkShape *s = &net->shape;
    PlainLayer *layer = &net->layer[l];
    const size_t k = (size_t)layer->shape.block.k;
    layer->parameters.a = net->logits + (size_t)l * s->levels;
    layer->gradients.da = net->dlogits + (size_t)l * s->levels;
    if (plain_is_mbconv(s, l))
        place_mbconv(layer, w, dw);
    else {
        next_pair(&layer->parameters.w, &layer->gradients.dw, w, dw, conv2d_filters(layer->shape.block));
        if (s->bias)
            next_pair(&layer->parameters.b, &layer->gradients.db, w, dw, k);
        layer->parameters.own = s->unshared ? plain_set_filters(s, l) : 0;
        for (size_t set = 1; set < plain_sets(s); set++) {
            next(w, layer->parameters.own);
            next(dw, layer->parameters.own);
        }
    }
    for (int r = 0; r < s->levels; r++) {
        if (r > 0 && s->shared_norm) {
            layer->parameters.gamma[r] = layer->parameters.gamma[0];
            layer->parameters.beta[r] = layer->parameters.beta[0];
            layer->gradients.dgamma[r] = layer->gradients.dgamma[0];
            layer->gradients.dbeta[r] = layer->gradients.dbeta[0];
            layer->parameters.mbconv[r] = layer->parameters.mbconv[0];
            layer->gradients.mbconv[r] = layer->gradients.mbconv[0];
            memcpy(layer->tracked[r], layer->tracked[0], sizeof layer->tracked[0]);
        } else
            (plain_is_mbconv(s, l) ? place_norms : place_norm)(layer, r, s->affine, w, dw, statistics);
    }
}

/* What MBConv's passes leave at level r. */
static void make_mbconv(PlainNetwork *net, PlainLayer *layer, int r, bool *failed)
{
    const Conv2dShape block = layer->shape.block;
    const size_t out = shape_count(conv2d_output(block)) >> 2 * r, e = (size_t)layer->shape.expanded,
                 q = (size_t)layer->shape.squeezed, wide = (size_t)block.n * e * block.h * block.w >> 2 * r,
                 channels = block.n * e, units = block.n * q;
    MbconvCache *c = &layer->cache.mbconv[r];
    MbconvScratch *s = &layer->scratch.mbconv[r];
    double **const maps[] = {&c->expanded,       &c->expanded_norm, &c->activated, &c->filtered,
                             &c->filtered_norm,  &c->excitable,     &c->excited,   &s->dexpanded,
                             &s->dexpanded_norm, &s->dactivated,    &s->dfiltered, &s->dfiltered_norm,
                             &s->dexcitable,     &s->dexcited};
    for (size_t i = 0; i < sizeof maps / sizeof *maps; i++)
        *maps[i] = room(net, wide, failed);
    c->projected = room(net, out, failed);
    s->dprojected = room(net, out, failed);
    layer->cache.block[r] = room(net, out, failed);
    for (int i = 0; i < MBCONV_NORMS; i++) {
        c->mean[i] = room(net, i < 2 ? e : (size_t)block.k, failed);
        c->variance[i] = room(net, i < 2 ? e : (size_t)block.k, failed);
    }
    c->excite = (SqueezeExciteCache){room(net, channels, failed), room(net, units, failed),
                                     room(net, units, failed), room(net, channels, failed)};
    s->excite = (SqueezeExciteScratch){room(net, channels, failed), room(net, units, failed),
                                       room(net, units, failed), room(net, channels, failed),
                                       room(net, channels, failed)};
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
        layer->cache.upsampled[r] = room(net, out, failed);
        layer->scratch.dpooled[r] = room(net, in >> 2 * r, failed);
        layer->scratch.dnormalised[r] = room(net, out >> 2 * r, failed);
        layer->scratch.dupsampled[r] = room(net, out, failed);
        if (plain_is_mbconv(&net->shape, l)) {
            make_mbconv(net, layer, r, failed);
            continue;
        }
        layer->cache.activation[r] = room(net, out >> 2 * r, failed);
        layer->cache.mean[r] = room(net, (size_t)block.k, failed);
        layer->cache.variance[r] = room(net, (size_t)block.k, failed);
        layer->scratch.dactivation[r] = room(net, out >> 2 * r, failed);
        layer->scratch.dconv[r] = room(net, out >> 2 * r, failed);
    }
}

/* The arrays of parameters, then each layer's place in them. */
static void place_layers(PlainNetwork *net, int batch, bool *failed)
{
    const PlainNetworkShape *s = &net->shape;
    const size_t head = s->linear_head ? (size_t)s->classes * s->channels : 0;
    for (int l = 0; l < s->layers; l++) {
        const Conv2dShape block = plain_block(s, l, batch);
        net->layer[l].shape = (MultiresShape){.block = block,
                                              .levels = s->levels,
                                              .kept = s->kept[l],
                                              .down = s->down,
                                              .up = s->up,
                                              .eps = s->eps,
                                              .kind = plain_is_mbconv(s, l) ? BLOCK_MBCONV : BLOCK_CONV,
                                              .expanded = plain_expanded(block),
                                              .squeezed = plain_squeezed(block)};
        net->filters_count += plain_layer_filters(s, l);
        net->statistics_count +=
            (size_t)norms_of(s) * (2 * norm_channels(s, l) + (plain_is_mbconv(s, l) ? 3 : 1));
    }
    if (s->net != NET_LAYERS) {
        net->filters_count = plain_fabric_filters(s);
        net->statistics_count = plain_fabric_statistics(s);
    }
    net->filters_count += head ? head + (size_t)s->classes : 0;
    net->logits_count = (size_t)s->layers * s->levels + (s->depth_mix ? (size_t)s->layers - 1 : 0);
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
    if (s->net != NET_LAYERS)
        *failed = !(net->fabric = plain_fabric_create(s, batch, &w, &dw, &statistics));
    for (int l = 0; l < s->layers; l++)
        place_parameters(net, l, &w, &dw, &statistics);
    net->b = s->depth_mix ? net->logits + (size_t)s->layers * s->levels : NULL;
    net->db = s->depth_mix ? net->dlogits + (size_t)s->layers * s->levels : NULL;
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
        if (shape->depth_mix) {
            const size_t hidden = (size_t)batch * shape->channels * shape->height * shape->width;
            net->mixed = room(net, hidden, &failed);
            net->dmixed = room(net, hidden, &failed);
        }
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
