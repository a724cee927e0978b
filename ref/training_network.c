/* The network's passes, and what they cost: see training_network.h. Where its arrays stand is told in
 * training_places.c. */
#include "training_network.h"
#include "batchnorm.h"
#include "cross_entropy.h"
#include "global_average.h"
#include "linear.h"
#include "mix.h"
#include "training_fabric.h"
#include "training_places.h"
#include <string.h>

/* The map that the head averages. */
static Shape last_map(const PlainNetwork *net, int n)
{
    const PlainNetworkShape *s = &net->shape;
    return net->fabric ? (Shape){n, s->channels, 1, 1} : conv2d_output(plain_block(s, s->layers - 1, n));
}

// book: training_network
/* Running averages in and out of the layer, kept level by kept level (choice "batch-norm"): those of norm i,
 * one of a convolution, three of MBConv. */
static void track_norm(PlainLayer *layer, int r, int i, StatisticsUse use, double momentum)
{
    const bool mbconv = layer->shape.kind == BLOCK_MBCONV;
    const TrackedStatistics t = layer->tracked[r][i];
    double *mean = mbconv ? layer->cache.mbconv[r].mean[i] : layer->cache.mean[r];
    double *variance = mbconv ? layer->cache.mbconv[r].variance[i] : layer->cache.variance[r];
    Shape map = shape_coarser(conv2d_output(layer->shape.block), 1 << r);
    map.c = mbconv && i < 2 ? layer->shape.expanded : map.c;
    if (use == STATISTICS_OF_BATCH_TRACKED)
        ref_batchnorm_track(t.mean, t.variance, t.weight, mean, variance, momentum, map);
    if (use == STATISTICS_TRACKED)
        ref_batchnorm_tracked(mean, variance, t.mean, t.variance, *t.weight, map.c);
}

static void track(PlainLayer *layer, StatisticsUse use, double momentum)
{
    for (int r = 0; r < layer->shape.levels; r++)
        for (int i = 0; i < (layer->shape.kind == BLOCK_MBCONV ? MBCONV_NORMS : 1); i++)
            if (level_kept(layer->shape.kept, r))
                track_norm(layer, r, i, use, momentum);
}

/* Equation 6: the input of the last layer. */
static const double *mix_layers(PlainNetwork *net)
{
    const int hidden = net->shape.layers - 1;
    const double *h[MAX_LAYERS];
    for (int l = 0; l < hidden; l++)
        h[l] = net->layer[l].y;
    ref_softmax_forward(net->beta, net->b, all_levels(hidden), hidden);
    ref_mix_forward(net->mixed, h, net->beta, all_levels(hidden), hidden,
                    shape_count(conv2d_output(net->layer[0].shape.block)));
    return net->mixed;
}

double plain_network_forward(PlainNetwork *net, const double *x, const int *labels, int n, StatisticsUse use)
{
    const PlainNetworkShape *s = &net->shape;
    const double *h = net->fabric ? plain_fabric_forward(net->fabric, x, n, use) : x; /* h_0 */
    for (int l = 0; l < s->layers; l++) {
        PlainLayer *layer = &net->layer[l];
        layer->shape.block.n = n;
        if (s->depth_mix && l == s->layers - 1)
            h = mix_layers(net);
        if (use == STATISTICS_TRACKED)
            track(layer, use, s->momentum);
        ref_multires_forward(layer->y, &layer->cache, h, layer->parameters, use != STATISTICS_TRACKED,
                             layer->shape);
        if (use == STATISTICS_OF_BATCH_TRACKED)
            track(layer, use, s->momentum);
        h = layer->y; /* h_(l+1) = M(h_l) */
    }
    ref_global_average_forward(net->average, h, last_map(net, n));
    if (s->linear_head)
        ref_linear_forward(net->class_logits, net->average, net->head_w, net->head_b, n, s->channels,
                           s->classes);
    return ref_cross_entropy_forward(net->class_logits, labels, n, s->classes);
}

/* From equation 6: every hidden layer has a part in the last one's input, and b has a gradient. What the next
 * layer hands back comes on top, or rather before: layer l's share of the mix is added when layer l + 1 is
 * through. */
static void mix_backward(PlainNetwork *net, bool logits)
{
    const int hidden = net->shape.layers - 1;
    const double *h[MAX_LAYERS];
    for (int l = 0; l < hidden; l++)
        h[l] = net->layer[l].y;
    if (!logits)
        return;
    memset(net->dbeta, 0, sizeof net->dbeta);
    ref_mix_backward(NULL, net->dbeta, net->dmixed, h, net->beta, all_levels(hidden), hidden,
                     shape_count(conv2d_output(net->layer[0].shape.block)));
    ref_softmax_backward(net->db, net->dbeta, net->beta, all_levels(hidden), hidden);
}

static void add_share(PlainNetwork *net, int l)
{
    const size_t count = shape_count(conv2d_output(net->layer[l].shape.block));
    for (size_t i = 0; i < count; i++)
        net->layer[l].dy[i] += net->beta[l] * net->dmixed[i];
}

/* The same chain from its end; of each layer's gradients those that are wanted. */
static void backward(PlainNetwork *net, const double *x, const int *labels, int n, bool filters, bool logits)
{
    const PlainNetworkShape *s = &net->shape;
    memset(net->dclass_logits, 0, (size_t)n * s->classes * sizeof *net->dclass_logits);
    ref_cross_entropy_backward(net->dclass_logits, net->class_logits, labels, n, s->classes);
    if (s->linear_head) {
        memset(net->daverage, 0, (size_t)n * s->channels * sizeof *net->daverage);
        ref_linear_backward(net->daverage, filters ? net->dhead_w : NULL, filters ? net->dhead_b : NULL,
                            net->dclass_logits, net->average, net->head_w, n, s->channels, s->classes);
    }
    if (net->fabric) { /* whose last map is one pixel: its average is itself */
        if (filters)
            plain_fabric_backward(net->fabric, net->daverage, x, n);
        return;
    }
    for (int l = 0; l < s->layers; l++)
        memset(net->layer[l].dy, 0,
               shape_count(conv2d_output(net->layer[l].shape.block)) * sizeof *net->layer[l].dy);
    ref_global_average_backward(net->layer[s->layers - 1].dy, net->daverage, last_map(net, n));
    for (int l = s->layers - 1; l >= 0; l--) {
        PlainLayer *layer = &net->layer[l];
        MultiresGradients d = layer->gradients;
        d.dw = filters ? d.dw : NULL;
        for (int r = 0; r < s->levels; r++)
            d.mbconv[r].dexpand = filters ? d.mbconv[r].dexpand : NULL;
        d.da = logits ? d.da : NULL;
        const bool mixed = s->depth_mix && l == s->layers - 1;
        double *dx = mixed ? net->dmixed : l > 0 ? net->layer[l - 1].dy : NULL;
        if (mixed)
            memset(dx, 0, shape_count(conv2d_input(layer->shape.block)) * sizeof *dx);
        ref_multires_backward(dx, d, &layer->scratch, layer->dy,
                              mixed   ? net->mixed
                              : l > 0 ? net->layer[l - 1].y
                                      : x,
                              &layer->cache, layer->parameters, layer->shape);
        if (mixed)
            mix_backward(net, logits);
        if (s->depth_mix && l > 0)
            add_share(net, l - 1);
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

int plain_network_class(const PlainNetwork *net, int i)
{
    const double *logits = net->class_logits + (size_t)i * net->shape.classes;
    int best = 0;
    for (int k = 1; k < net->shape.classes; k++)
        best = logits[k] > logits[best] ? k : best;
    return best;
}

int plain_network_correct(const PlainNetwork *net, const int *labels, int n)
{
    int correct = 0;
    for (int i = 0; i < n; i++)
        correct += plain_network_class(net, i) == labels[i];
    return correct;
}

void plain_network_alpha(double *alpha, const PlainNetwork *net, int l)
{
    ref_softmax_forward(alpha, net->layer[l].parameters.a, net->shape.kept[l], net->shape.levels);
}

void plain_network_beta(double *beta, const PlainNetwork *net)
{
    ref_softmax_forward(beta, net->b, all_levels(net->shape.layers - 1), net->shape.layers - 1);
}

/* Section 3.2: the same filters at a level of a quarter of the pixels cost a quarter. */
PlainCost plain_network_cost(const PlainNetworkShape *s)
{
    PlainCost cost = {0};
    if (s->net != NET_LAYERS)
        plain_fabric_cost(&cost, s);
    for (int l = 0; l < s->layers; l++) {
        const Conv2dShape block = plain_block(s, l, 1);
        const double once = plain_is_mbconv(s, l) ? 2.0 * plain_squeezed(block) * plain_expanded(block) : 0;
        /* Filters that are not shared count where their level is kept. */
        cost.parameters += plain_layer_filters(s, l) - plain_sets(s) * plain_set_filters(s, l);
        for (int r = 0; r < s->levels; r++) {
            if (s->unshared ? level_kept(s->kept[l], r) : r == 0) {
                cost.weights += plain_layer_weights(s, l);
                cost.parameters += plain_set_filters(s, l);
            }
            const Shape map = shape_coarser(conv2d_output(block), 1 << r);
            cost.level_macs[l][r] = level_kept(s->kept[l], r)
                                        ? (double)map.h * map.w * (double)plain_pixel_weights(s, l) + once
                                        : 0;
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
