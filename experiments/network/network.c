/* The network on an engine: layers bound to their slices of the vectors, maps handed from one to the next. */
#include "network.h"
#include "../../fast/ranks.h"
#include "../../ref/random.h"
#include "fabric.h"
#include <math.h>
#include <stdlib.h>

bool network_check(const NetworkSpec *s, Error *error)
{
    if (s->net != NET_LAYERS)
        return fabric_check(s, error);
    if (s->layers < (s->linear_head ? 1 : 2) || s->layers > MAX_LAYERS)
        return fail(error, "a network has 2 to %d layers, or one before a linear head, not %d", MAX_LAYERS,
                    s->layers);
    if (s->depth & ~all_levels(s->layers - 1))
        return fail(error, "a depth mix takes the %d hidden layers alone", s->layers - 1);
    if (s->unshared && s->block != BLOCK_CONV)
        return fail(error,
                    "filters that are not shared are those of convolutions: choose --filters=shared or "
                    "--block=conv");
    if (s->levels < 1 || s->levels > MAX_LEVELS)
        return fail(error, "a layer has 1 to %d levels, not %d", MAX_LEVELS, s->levels);
    const int factor = 1 << (s->levels - 1);
    if (s->height % factor || s->width % factor)
        return fail(error,
                    "%d levels pool by %d, which does not divide the image's %d x %d: choose fewer levels",
                    s->levels, factor, s->height, s->width);
    for (int l = 0; l < s->layers; l++)
        if ((s->kept[l] & all_levels(s->levels)) == 0)
            return fail(error, "layer %d keeps none of its %d levels", l + 1, s->levels);
    return true;
}

LayerSpec network_layer(const NetworkSpec *s, int l)
{
    const bool last = l == s->layers - 1;
    const BlockKind block = l == 0 || last ? BLOCK_CONV : s->block;
    return (LayerSpec){
        .channels_in = l == 0 ? s->image_channels : s->channels,
        .channels_out = last && !s->linear_head ? s->classes : s->channels,
        .height = s->height,
        .width = s->width,
        .levels = s->levels,
        .kept = s->kept[l],
        .down = s->down,
        .up = s->up,
        .bias = s->bias && block == BLOCK_CONV,
        .affine = s->affine,
        .shared_norm = s->shared_norm,
        .unshared = s->unshared,
        .eps = s->eps,
        .momentum = s->momentum,
        .block = block,
    };
}

HeadSpec network_head(const NetworkSpec *s)
{
    if (s->net != NET_LAYERS)
        return (HeadSpec){s->channels, 1, 1, s->classes, true};
    return (HeadSpec){
        .channels = s->linear_head ? s->channels : s->classes,
        .height = s->height,
        .width = s->width,
        .classes = s->classes,
        .linear = s->linear_head,
    };
}

DepthSpec network_depth(const NetworkSpec *s)
{
    return (DepthSpec){.maps = s->layers - 1,
                       .kept = s->depth,
                       .channels = s->channels,
                       .height = s->height,
                       .width = s->width,
                       .levels = s->levels};
}

/* Layers of a network that is made of layers. */
static int layers_of(const NetworkSpec *s)
{
    return s->net == NET_LAYERS ? s->layers : 0;
}

static void count_nodes(Network *net)
{
    for (int i = 0; i < fabric_nodes(&net->spec); i++) {
        const FabricNode node = fabric_node(&net->spec, i);
        net->filters_count += node_filters_count(&node.spec);
        net->statistics_count += node_statistics_count(&node.spec);
    }
}

static bool create_vectors(Network *net)
{
    const Engine *e = net->engine;
    const HeadSpec head = network_head(&net->spec);
    if (net->spec.net != NET_LAYERS)
        count_nodes(net);
    for (int l = 0; l < layers_of(&net->spec); l++) {
        const LayerSpec layer = network_layer(&net->spec, l);
        net->filters_count += layer_filters_count(&layer);
        net->statistics_count += layer_statistics_count(&layer);
    }
    net->filters_count += head_filters_count(&head);
    net->logits_count = (size_t)net->spec.layers * net->spec.levels;
    if (net->spec.depth)
        net->logits_count += (size_t)net->spec.layers - 1;
    return (net->filters = e->vector_create(net->filters_count)) &&
           (net->dfilters = e->vector_create(net->filters_count)) &&
           (net->velocity = e->vector_create(net->filters_count)) &&
           (net->logits = e->vector_create(net->logits_count)) &&
           (net->dlogits = e->vector_create(net->logits_count)) &&
           (net->moment1 = e->vector_create(net->logits_count)) &&
           (net->moment2 = e->vector_create(net->logits_count)) &&
           (net->statistics = e->vector_create(net->statistics_count)) &&
           (net->scratch = e->scratch_create());
}

static bool create_layers(Network *net)
{
    const Engine *e = net->engine;
    const NetworkSpec *s = &net->spec;
    const HeadSpec head = network_head(s);
    Slices at = {.filters = net->filters,
                 .dfilters = net->dfilters,
                 .logits = net->logits,
                 .dlogits = net->dlogits,
                 .statistics = net->statistics,
                 .scratch = net->scratch};
    if (s->net != NET_LAYERS && !(net->fabric = fabric_create(e, s, &at, net->part)))
        return false;
    for (int l = 0; l < layers_of(s); l++) {
        const LayerSpec layer = network_layer(s, l);
        if (!(net->layer[l] = e->layer_create(&layer, at, net->part)))
            return false;
        at.filters_at += layer_filters_count(&layer);
        at.logits_at += s->levels;
        at.statistics_at += layer_statistics_count(&layer);
    }
    const DepthSpec depth = network_depth(s);
    if (s->depth && !(net->depth = e->depth_create(&depth, at, net->part)))
        return false;
    return (net->head = e->head_create(&head, at, net->part)) != NULL;
}

static bool create_maps(Network *net)
{
    const NetworkSpec *s = &net->spec;
    const size_t logits = (size_t)net->batch * s->classes, filters = net->filters_count;
    const Shape images = {net->part, s->image_channels, s->height, s->width};
    const Shape hidden = {net->part, s->channels, s->height, s->width};
    const HeadSpec head = network_head(s);
    const Shape last = {net->part, head.channels, head.height, head.width};
    bool ok = (net->map[0] = net->engine->tensor_create(images)) != NULL;
    for (int l = 0; l < layers_of(s); l++)
        ok = ok && (net->map[l + 1] = net->engine->tensor_create(l == s->layers - 1 ? last : hidden));
    if (s->depth)
        ok = ok && (net->mixed = net->engine->tensor_create(hidden)) &&
             (net->dmixed = net->engine->tensor_create(hidden));
    if (s->net == NET_LAYERS)
        ok = ok && (net->dhidden = net->engine->tensor_create(hidden));
    return ok && (net->dlast = net->engine->tensor_create(last)) &&
           (net->numbers = calloc(logits > filters ? logits : filters, sizeof *net->numbers));
}

Network *network_create(const Engine *engine, const NetworkSpec *spec, int batch, Error *error)
{
    if (!network_check(spec, error))
        return NULL;
    Network *net = calloc(1, sizeof *net);
    if (net) {
        net->spec = *spec;
        net->engine = engine;
        net->batch = batch;
        net->part = ranks_share(batch);
        if (create_vectors(net) && create_layers(net) && create_maps(net))
            return net;
    }
    network_free(net);
    fail(error,
         "not enough memory for %d layers of %d channels and batches of %d images: choose a smaller --batch",
         spec->layers, spec->channels, batch);
    return NULL;
}

void network_free(Network *net)
{
    if (!net)
        return;
    const Engine *e = net->engine;
    Vector *const vectors[] = {net->filters, net->dfilters, net->velocity, net->logits,
                               net->dlogits, net->moment1,  net->moment2,  net->statistics};
    for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++)
        e->vector_free(vectors[i]);
    for (int l = 0; l < MAX_LAYERS; l++)
        e->layer_free(net->layer[l]);
    fabric_free(net->fabric);
    e->head_free(net->head);
    e->depth_free(net->depth);
    e->tensor_free(net->mixed);
    e->tensor_free(net->dmixed);
    for (int l = 0; l <= MAX_LAYERS; l++)
        e->tensor_free(net->map[l]);
    e->tensor_free(net->dhidden);
    e->tensor_free(net->dlast);
    if (net->scratch)
        e->scratch_free(net->scratch);
    free(net->numbers);
    free(net);
}

/* Draws `count` normals of this deviation into the filters, keyed by their place in the vector. */
static void draw(Network *net, size_t at, size_t count, double deviation, uint64_t seed)
{
    for (size_t i = at; i < at + count; i++) {
        const double value = deviation * random_normal(seed, STREAM_FILTERS, (uint32_t)i, 0);
        net->engine->vector_write(net->filters, i, &value, 1);
    }
}

/* All filters of a layer whose slice starts at `at`, each with its own fan-in; biases stay 0. */
static void draw_layer(Network *net, size_t at, const LayerSpec *layer, uint64_t seed)
{
    if (layer->block == BLOCK_CONV) {
        draw(net, at, layer_weights_count(layer), sqrt(2.0 / (9 * layer->channels_in)), seed);
        return;
    }
    const MbconvPlaces m = layer_mbconv(layer);
    const int e = layer_expanded(layer);
    draw(net, at, m.depthwise, sqrt(2.0 / layer->channels_in), seed);
    draw(net, at + m.depthwise, m.w1 - m.depthwise, sqrt(2.0 / 9), seed);
    draw(net, at + m.w1, m.b1 - m.w1, sqrt(2.0 / e), seed);
    draw(net, at + m.w2, m.b2 - m.w2, sqrt(2.0 / layer_squeezed(layer)), seed);
    draw(net, at + m.project, m.end - m.project, sqrt(2.0 / e), seed);
}

/* Every gamma of level r is 1. */
static void write_gammas(Network *net, size_t at, const LayerSpec *layer, int r)
{
    const double one = 1;
    for (int i = 0; i < layer_block_norms(layer); i++)
        for (int k = 0; k < layer_norm_channels(layer, i); k++)
            net->engine->vector_write(
                net->filters, at + layer_gamma_at(layer, r) + layer_norm_gamma(layer, i) + k, &one, 1);
}

/* The filters of node i of a fabric, from `at` on: those that an edge does not see are 0. */
static void initialise_node(Network *net, size_t at, int i, uint64_t seed)
{
    const NodeSpec node = fabric_node(&net->spec, i).spec;
    const double zero = 0, one = 1;
    for (int e = 0; e < node.edges; e++) {
        const Edge *edge = &node.edge[e];
        const size_t from = at + node_weights_at(&node, e), count = node_weights_at(&node, e + 1) + at - from;
        draw(net, from, count, sqrt(2.0 / (9 * (edge->sparse ? 3 : edge->channels))), seed);
        for (size_t w = 0; w < count; w++)
            if (!edge_sees(edge, (int)(w / 9 / edge->channels), (int)(w / 9 % edge->channels)))
                net->engine->vector_write(net->filters, from + w, &zero, 1);
    }
    for (int k = 0; node.affine && k < node.channels; k++)
        net->engine->vector_write(net->filters, at + node_weights_at(&node, node.edges) + k, &one, 1);
}

void network_initialise(Network *net, uint64_t seed)
{
    const NetworkSpec *s = &net->spec;
    const HeadSpec head = network_head(s);
    size_t at = 0;
    net->engine->vector_clear(net->filters);
    net->engine->vector_clear(net->logits);
    for (int i = 0; s->net != NET_LAYERS && i < fabric_nodes(s); i++) {
        const NodeSpec node = fabric_node(s, i).spec;
        initialise_node(net, at, i, seed);
        at += node_filters_count(&node);
    }
    for (int l = 0; l < layers_of(s); l++) {
        const LayerSpec layer = network_layer(s, l);
        for (int set = 0; set < layer_sets(&layer); set++)
            draw_layer(net, at + layer_set_at(&layer, set), &layer, seed);
        for (int r = 0; layer.affine && r < layer_norms(&layer); r++)
            write_gammas(net, at, &layer, r);
        at += layer_filters_count(&layer);
    }
    if (head.linear)
        draw(net, at, (size_t)head.classes * head.channels, sqrt(1.0 / head.channels), seed);
}

void network_start_alpha(Network *net, AlphaStart start, uint64_t seed)
{
    const NetworkSpec *s = &net->spec;
    for (int l = 0; l < s->layers; l++) {
        int kept = 0, finest = s->levels - 1, coarsest = 0;
        for (int r = 0; r < s->levels; r++) {
            if (!level_kept(s->kept[l], r))
                continue;
            kept++;
            finest = r < finest ? r : finest;
            coarsest = r;
        }
        for (int r = 0; r < s->levels; r++) {
            const size_t at = (size_t)l * s->levels + r;
            const bool first = kept > 1 && ((start == ALPHA_FINEST && r == finest) ||
                                            (start == ALPHA_COARSEST && r == coarsest));
            /* exp(a) / (exp(a) + kept - 1) = 0.9 */
            const double logit = start == ALPHA_RANDOM ? random_normal(seed, STREAM_LOGITS, (uint32_t)at, 0)
                                 : first               ? log(9.0 * (kept - 1))
                                                       : 0;
            net->engine->vector_write(net->logits, at, &logit, 1);
        }
    }
}

void network_reverse_alpha(Network *net, const Network *from)
{
    const NetworkSpec *s = &net->spec;
    for (int l = 0; l < s->layers; l++) {
        size_t kept[MAX_LEVELS];
        int count = 0;
        for (int r = 0; r < s->levels; r++)
            if (level_kept(s->kept[l], r))
                kept[count++] = (size_t)l * s->levels + r;
        for (int i = 0; i < count; i++) {
            double logit;
            from->engine->vector_read(&logit, from->logits, kept[count - 1 - i], 1);
            net->engine->vector_write(net->logits, kept[i], &logit, 1);
        }
    }
}

const Tensor *network_input(const Network *net, int l)
{
    return net->depth && l == net->spec.layers - 1 ? net->mixed : net->map[l];
}

Tensor *network_gradient(const Network *net, int l)
{
    const int last = net->spec.layers - 1;
    return (last - l) % 2 == 0 ? net->dhidden : net->map[last];
}

double network_forward(Network *net, const float *images, const int *labels, int n, Pass pass)
{
    const NetworkSpec *s = &net->spec;
    const RanksPart part = ranks_part(n);
    net->engine->tensor_import(
        net->map[0], images + (size_t)part.first * s->image_channels * s->height * s->width, part.count);
    const Tensor *last =
        net->fabric ? fabric_forward(net->fabric, net->map[0], part.count, pass) : net->map[s->layers];
    for (int l = 0; l < layers_of(s); l++) {
        if (network_input(net, l) == net->mixed)
            net->engine->depth_forward(net->depth, net->mixed, (const Tensor *const *)net->map + 1);
        net->engine->layer_forward(net->layer[l], net->map[l + 1], network_input(net, l), pass);
    }
    return net->engine->head_forward(net->head, last, labels, n);
}

void network_backward(Network *net, unsigned wanted)
{
    Tensor *dy = net->dlast;
    net->engine->head_backward(net->head, dy, wanted);
    if (net->fabric)
        fabric_backward(net->fabric, dy, wanted);
    for (int l = layers_of(&net->spec) - 1; l >= 0; l--) {
        const bool reads_mixed = network_input(net, l) == net->mixed;
        Tensor *dx = l > 0 ? network_gradient(net, l) : NULL;
        net->engine->layer_backward(net->layer[l], reads_mixed ? net->dmixed : dx, dy, wanted);
        if (reads_mixed)
            net->engine->depth_backward(net->depth, net->dmixed, wanted);
        if (net->depth && l > 0)
            net->engine->depth_share(net->depth, dx, l - 1, !reads_mixed);
        dy = dx;
    }
}

/* The first of the largest. */
static int largest(const double *logits, int classes)
{
    int best = 0;
    for (int k = 1; k < classes; k++)
        best = logits[k] > logits[best] ? k : best;
    return best;
}

void network_predictions(const Network *net, int *classes, int n)
{
    net->engine->head_logits(net->head, net->numbers);
    for (int i = 0; i < n; i++)
        classes[i] = largest(net->numbers + (size_t)i * net->spec.classes, net->spec.classes);
}

int network_correct(const Network *net, const int *labels, int n)
{
    int correct = 0;
    net->engine->head_logits(net->head, net->numbers);
    for (int i = 0; i < n; i++)
        correct += largest(net->numbers + (size_t)i * net->spec.classes, net->spec.classes) == labels[i];
    return correct;
}

void network_beta(const Network *net, double *beta)
{
    net->engine->depth_beta(net->depth, beta);
}

void network_alpha(const Network *net, double *alpha)
{
    for (int l = 0; l < layers_of(&net->spec); l++)
        net->engine->layer_alpha(net->layer[l], alpha + (size_t)l * net->spec.levels);
}
