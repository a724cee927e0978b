/* How a training starts: settings, network, and the first values of filters and logits. "Choice x" is row x
 * of paper/choices.tsv. */
#include "training_start.h"
#include "random.h"
#include "training_fabric.h"
#include <assert.h>
#include <math.h>
#include <string.h>

TrainingSettings training_settings(void)
{
    return (TrainingSettings){
        .seed = 1,
        .layers = 10, /* section 4.2: "10 layers with 64 channel per layer" */
        .channels = 64,
        .mix = MIX_LEARNED,
        .levels = 5,                   /* choice "resolutions" */
        .first_level = 0,              /* choice "levels" */
        .down = POOL_MAX,              /* choice "down" */
        .up = UPSAMPLE_NEAREST,        /* choice "up" */
        .shared_norm = false,          /* choice "batch-norm" */
        .affine = false,               /* choice "batch-norm" */
        .norm_eps = 1e-5,              /* choice "batch-norm" */
        .norm_momentum = 0.1,          /* choice "batch-norm" */
        .linear_head = false,          /* choice "head" */
        .bias = true,                  /* choice "conv-bias" */
        .unshared_filters = false,     /* section 3.2: "the same filters" */
        .learned_depth = false,        /* Tables 1, 2 and 4 have a fixed one */
        .images_a = 40000,             /* section 4.1: "40,000 images for training the network parameters */
        .images_b = 10000,             /* and 10,000 for estimating the values of alphas" */
        .images_test = 10000,          /* "testing sets of sizes .. 10,000 images"; choice "test-images" */
        .images_epoch = 10000,         /* choice "test-images" */
        .fixed_data_all = false,       /* choice "baseline-data" */
        .augment = true,               /* choice "augmentation" */
        .epochs = 400,                 /* section 4.1: "for 400 epochs" */
        .batch = 192,                  /* choice "sgd" */
        .lr = 0.1,                     /* choice "sgd" */
        .lr_min = 0.001,               /* choice "sgd" */
        .momentum = 0.9,               /* choice "sgd" */
        .weight_decay = 0,             /* choice "sgd" */
        .logits_lr = 0,                /* section 4.1: "initial learning rate 10^-4", */
        .logits_beta1 = 0.5,           /* "momentum (0.5,0.999)" */
        .logits_beta2 = 0.999,         /* "and weight decay 3 x 10^-4"; choice "adam" */
        .logits_eps = 1e-8,            /* choice "adam" */
        .logits_decay = 3e-4,          /* choice "adam": as L2 */
        .logits_first = false,         /* choice "order" */
        .logits_data = LOGITS_ON_B,    /* section 3.4: "on D_b" */
        .logits_start = START_UNIFORM, /* section 3.4: "initialized with the same value" */
        .prune_threshold = 0,          /* choice "pruning" */
        .prune_scratch = false,        /* choice "pruning" */
        .prune_epochs = 0,             /* choice "pruning" */
    };
}

/* Stage 0 at full resolution, each later one coarser by 2; "every 2-3 layers": choice "predefined", four
 * stages as equal as can be, the larger first. */
static void predefined_levels(PlainNetworkShape *shape, const TrainingSettings *s)
{
    int stages[MAX_LEVELS] = {0}, l = 0;
    memcpy(stages, s->stages, sizeof stages);
    for (int stage = 0; s->stages[0] == 0 && stage < 4; stage++)
        stages[stage] = s->layers / 4 + (stage < s->layers % 4);
    shape->levels = 0;
    for (int stage = 0; stage < MAX_LEVELS && stages[stage] > 0; stage++) {
        for (int i = 0; i < stages[stage]; i++)
            shape->kept[l++] = 1u << stage;
        shape->levels = stage + 1;
    }
    assert(l == s->layers);
}

PlainNetworkShape training_shape(const TrainingSettings *s)
{
    PlainNetworkShape shape = {.layers = s->layers,
                               .channels = s->channels,
                               .classes = IMAGE_CLASSES,
                               .image_channels = IMAGE_PLANES,
                               .height = IMAGE_EDGE,
                               .width = IMAGE_EDGE,
                               .levels = s->mix == MIX_NONE ? 1 : s->first_level + s->levels,
                               .down = s->down,
                               .up = s->up,
                               .block = s->block,
                               .bias = s->bias,
                               .affine = s->affine,
                               .shared_norm = s->shared_norm,
                               .unshared = s->unshared_filters,
                               .depth_mix = s->learned_depth,
                               .linear_head = s->linear_head,
                               .eps = s->norm_eps,
                               .momentum = s->norm_momentum};
    if (s->net != NET_LAYERS) { /* choice "fabric": no layers, no levels */
        shape.net = s->net;
        shape.fabric_layers = s->layers;
        shape.layers = shape.levels = 0;
        return shape;
    }
    for (int l = 0; l < s->layers; l++)
        for (int r = s->mix == MIX_NONE ? 0 : s->first_level; r < shape.levels; r++)
            shape.kept[l] |= 1u << r;
    if (s->mix == MIX_PREDEFINED) {
        memset(shape.kept, 0, sizeof shape.kept);
        predefined_levels(&shape, s);
    }
    return shape;
}

/* count normals of variance 2 / fan-in, each keyed by its place. */
static void draw(PlainNetwork *net, const double *w, size_t count, double fan_in, uint64_t seed)
{
    const size_t from = (size_t)(w - net->filters);
    for (size_t i = from; i < from + count; i++)
        net->filters[i] = sqrt(2.0 / fan_in) * random_normal(seed, STREAM_FILTERS, (uint32_t)i, 0);
}

/* Choice "fabric-init": of each edge, over the channels that an output channel sees, three where it is
 * sparse; filters of the others stay 0. */
static void initialise_node(PlainNetwork *net, const PlainNode *node, uint64_t seed)
{
    const int filters = node->spec.channels;
    for (int e = 0; e < node->spec.edges; e++) {
        const Edge *edge = &node->spec.edge[e];
        const size_t count = (size_t)filters * edge->channels * 9;
        draw(net, node->parameters.w[e], count, 9 * (edge->sparse ? 3 : edge->channels), seed);
        double *w = net->filters + (node->parameters.w[e] - net->filters);
        for (size_t i = 0; i < count; i++)
            if (!edge_sees(edge, (int)(i / ((size_t)edge->channels * 9)), (int)(i / 9) % edge->channels))
                w[i] = 0;
    }
    for (int k = 0; node->spec.affine && k < filters; k++)
        net->filters[node->parameters.gamma - net->filters + k] = 1;
}

void training_initialise(PlainNetwork *net, uint64_t seed)
{
    const PlainNetworkShape *s = &net->shape;
    for (int i = 0; net->fabric && i < net->fabric->layers * net->fabric->scales; i++)
        initialise_node(net, &net->fabric->node[i], seed);
    for (int l = 0; l < s->layers; l++) {
        PlainLayer *layer = &net->layer[l];
        const Conv2dShape block = layer->shape.block;
        const size_t e = (size_t)layer->shape.expanded, q = (size_t)layer->shape.squeezed;
        const MbconvParameters *m = layer->parameters.mbconv;
        if (layer->shape.kind == BLOCK_CONV) {
            for (int r = 0; r < (s->unshared ? s->levels : 1); r++)
                draw(net, layer->parameters.w + r * layer->parameters.own, conv2d_filters(block), 9 * block.c,
                     seed);
        } else { /* choice "mbconv-init" */
            draw(net, m->expand, e * (size_t)block.c, block.c, seed);
            draw(net, m->depthwise, 9 * e, 9, seed);
            draw(net, m->excite.w1, q * e, (double)e, seed);
            draw(net, m->excite.w2, e * q, (double)q, seed);
            draw(net, m->project, (size_t)block.k * e, (double)e, seed);
        }
        for (int r = 0; s->affine && r < s->levels; r++) {
            for (int k = 0; layer->shape.kind == BLOCK_CONV && k < block.k; k++)
                net->filters[(size_t)(layer->parameters.gamma[r] - net->filters) + (size_t)k] = 1;
            for (int i = 0; layer->shape.kind == BLOCK_MBCONV && i < MBCONV_NORMS; i++)
                for (size_t k = 0; k < (i < 2 ? e : (size_t)block.k); k++)
                    net->filters[(size_t)(m[r].gamma[i] - net->filters) + k] = 1;
        }
    }
    for (size_t i = 0; s->linear_head && i < (size_t)s->classes * s->channels; i++)
        net->head_w[i] = sqrt(1.0 / s->channels) *
                         random_normal(seed, STREAM_FILTERS, (uint32_t)(net->head_w - net->filters + i), 0);
}

void training_start_alpha(PlainNetwork *net, const TrainingSettings *s)
{
    const int levels = net->shape.levels, r = net->shape.levels - s->levels; /* the finest of R */
    for (int l = 0; l < net->shape.layers && s->mix == MIX_LEARNED; l++) {
        double *a = net->logits + (size_t)l * levels;
        if (s->logits_start == START_RANDOM)
            for (int i = 0; i < levels; i++)
                a[i] = random_normal(s->seed, STREAM_LOGITS, (uint32_t)(l * levels + i), 0);
        if (s->levels > 1 && s->logits_start == START_FINEST)
            a[r] = log(9.0 * (s->levels - 1));
        if (s->levels > 1 && s->logits_start == START_COARSEST)
            a[levels - 1] = log(9.0 * (s->levels - 1));
        if (s->logits_start == START_REVERSED)
            for (int i = 0; i < s->levels; i++)
                a[r + i] = s->logits_from->network->logits[l * levels + levels - 1 - i];
    }
}
