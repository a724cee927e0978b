/* The graph of a fabric, and its passes. */
#include "fabric.h"
#include <stdlib.h>

struct Fabric {
    const Engine *engine;
    NetworkSpec spec;
    int count, scales, n; /* n: images in the last forward pass */
    Node **node;
    Tensor **map;
    /* An edge leads to the next layer or within a layer: the gradients of two layers are enough, that of node
     * (l, scale) at [l % 2][scale]. */
    Tensor **dmap;
};

int fabric_scales(const NetworkSpec *s)
{
    int scales = 1;
    while (s->height >> scales)
        scales++;
    return scales;
}

bool fabric_check(const NetworkSpec *s, Error *error)
{
    if (s->layers < 2 || s->layers > MAX_LAYERS)
        return fail(error, "a fabric has 2 to %d layers, not %d", MAX_LAYERS, s->layers);
    if (s->height != s->width || s->height != 1 << (fabric_scales(s) - 1) || fabric_scales(s) > MAX_LEVELS)
        return fail(error, "a fabric's image is square, with a side of a power of two up to %d, not %d x %d",
                    1 << (MAX_LEVELS - 1), s->height, s->width);
    return (s->levels == 0 && s->depth == 0 && s->linear_head && !s->bias && s->block == BLOCK_CONV) ||
           fail(error, "a fabric has no levels, depth mix, biases or MBConv, and its head is linear");
}

int fabric_nodes(const NetworkSpec *s)
{
    return s->layers * fabric_scales(s);
}

static void add_edge(FabricNode *node, EdgeFrom from, int channels, bool sparse, int input)
{
    node->input[node->spec.edges] = input;
    node->spec.edge[node->spec.edges++] = (Edge){from, channels, sparse};
}

// book: fabric
FabricNode fabric_node(const NetworkSpec *s, int i)
{
    const int scales = fabric_scales(s), layer = i / scales, scale = i % scales, before = i - scales;
    const int c = s->channels;
    const bool sparse = s->net == NET_FABRIC_SPARSE, zipper = layer == 0 || layer == s->layers - 1;
    FabricNode node = {.layer = layer,
                       .scale = scale,
                       .spec = {.channels = c,
                                .height = s->height >> scale,
                                .width = s->width >> scale,
                                .affine = s->affine,
                                .eps = s->eps,
                                .momentum = s->momentum}};
    if (i == 0)
        add_edge(&node, EDGE_SAME, s->image_channels, false, FABRIC_IMAGES);
    if (layer > 0)
        add_edge(&node, EDGE_SAME, c, sparse, before);
    if (layer > 0 && scale > 0)
        add_edge(&node, EDGE_FINER, c, sparse, before - 1);
    if (layer > 0 && scale < scales - 1)
        add_edge(&node, EDGE_COARSER, c, sparse, before + 1);
    if (zipper && scale > 0)
        add_edge(&node, EDGE_FINER, c, sparse, i - 1);
    return node;
}
// book: end

size_t fabric_edge_weights(const NodeSpec *s, int e)
{
    size_t pairs = 0;
    for (int k = 0; k < s->channels; k++)
        for (int c = 0; c < s->edge[e].channels; c++)
            pairs += edge_sees(&s->edge[e], k, c);
    return 9 * pairs;
}

size_t fabric_formula(const NetworkSpec *s)
{
    const size_t inputs = s->net == NET_FABRIC_SPARSE ? 3 : (size_t)s->channels;
    return (size_t)fabric_nodes(s) * 3 * 9 * (size_t)s->channels * inputs;
}

static Shape map_of(const NodeSpec *s, int batch)
{
    return (Shape){batch, s->channels, s->height, s->width};
}

Fabric *fabric_create(const Engine *engine, const NetworkSpec *s, Slices *at, int batch)
{
    Fabric *f = calloc(1, sizeof *f);
    if (!f)
        return NULL;
    *f = (Fabric){.engine = engine, .spec = *s, .count = fabric_nodes(s), .scales = fabric_scales(s)};
    f->node = calloc(f->count, sizeof(Node *));
    f->map = calloc(f->count, sizeof(Tensor *));
    f->dmap = calloc(2 * f->scales, sizeof(Tensor *));
    bool ok = f->node && f->map && f->dmap;
    for (int i = 0; ok && i < f->count; i++) {
        const FabricNode node = fabric_node(s, i);
        ok = (f->node[i] = engine->node_create(&node.spec, *at, batch)) &&
             (f->map[i] = engine->tensor_create(map_of(&node.spec, batch))) &&
             (i >= 2 * f->scales || (f->dmap[i] = engine->tensor_create(map_of(&node.spec, batch))));
        at->filters_at += node_filters_count(&node.spec);
        at->statistics_at += node_statistics_count(&node.spec);
    }
    if (ok)
        return f;
    fabric_free(f);
    return NULL;
}

void fabric_free(Fabric *f)
{
    if (!f)
        return;
    for (int i = 0; f->node && i < f->count; i++)
        f->engine->node_free(f->node[i]);
    for (int i = 0; f->map && i < f->count; i++)
        f->engine->tensor_free(f->map[i]);
    for (int i = 0; f->dmap && i < 2 * f->scales; i++)
        f->engine->tensor_free(f->dmap[i]);
    free(f->node);
    free(f->map);
    free(f->dmap);
    free(f);
}

const Tensor *fabric_forward(Fabric *f, const Tensor *images, int n, Pass pass)
{
    f->n = n;
    for (int i = 0; i < f->count; i++) {
        const FabricNode node = fabric_node(&f->spec, i);
        const Tensor *x[MAX_EDGES];
        for (int e = 0; e < node.spec.edges; e++)
            x[e] = node.input[e] == FABRIC_IMAGES ? images : f->map[node.input[e]];
        f->engine->node_forward(f->node[i], f->map[i], x, pass);
    }
    return f->map[f->count - 1];
}

static Tensor *gradient_of(const Fabric *f, int i)
{
    return f->dmap[i % (2 * f->scales)];
}

void fabric_backward(Fabric *f, Tensor *dy, unsigned wanted)
{
    for (int i = 0; i < 2 * f->scales; i++)
        f->engine->tensor_clear(f->dmap[i], f->n);
    for (int i = f->count - 1; i >= 0; i--) {
        const FabricNode node = fabric_node(&f->spec, i);
        Tensor *dx[MAX_EDGES];
        for (int e = 0; e < node.spec.edges; e++)
            dx[e] = node.input[e] == FABRIC_IMAGES ? NULL : gradient_of(f, node.input[e]);
        f->engine->node_backward(f->node[i], dx, i == f->count - 1 ? dy : gradient_of(f, i), wanted);
        f->engine->tensor_clear(gradient_of(f, i), f->n); /* for the node two layers before */
    }
}

const Node *fabric_node_of(const Fabric *f, int i)
{
    return f->node[i];
}

const Tensor *fabric_map(const Fabric *f, int i)
{
    return f->map[i];
}
