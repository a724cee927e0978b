/* The cost model. A level r costs H/2^r W/2^r pixels times 9 C K products; of MBConv the products of each of
 * its convolutions, and once an image those of the two between the averages and the gates. */
#include "cost.h"
#include "fabric.h"

static void add_fabric(Cost *cost, const NetworkSpec *s)
{
    cost->formula = fabric_formula(s);
    for (int i = 0; i < fabric_nodes(s); i++) {
        const FabricNode node = fabric_node(s, i);
        double *macs = &cost->level_macs[node.layer][node.scale];
        for (int e = 0; e < node.spec.edges; e++) {
            const size_t weights = fabric_edge_weights(&node.spec, e);
            cost->weights += weights;
            *macs += (double)node.spec.height * node.spec.width * (double)weights;
        }
        cost->macs += *macs;
    }
    cost->parameters = cost->weights + (s->affine ? 2 * (size_t)s->channels * fabric_nodes(s) : 0);
}

static int kept_levels(const NetworkSpec *s, int l)
{
    int count = 0;
    for (int r = 0; r < s->levels; r++)
        count += level_kept(s->kept[l], r);
    return count;
}

// book: cost
Cost network_cost(const NetworkSpec *s)
{
    const HeadSpec head = network_head(s);
    Cost cost = {0};
    if (s->net != NET_LAYERS)
        add_fabric(&cost, s);
    for (int l = 0; s->net == NET_LAYERS && l < s->layers; l++) {
        const LayerSpec layer = network_layer(s, l);
        const int sets = layer.unshared ? kept_levels(s, l) : 1;
        cost.weights += sets * layer_weights_count(&layer);
        cost.parameters +=
            layer_filters_count(&layer) - (layer_sets(&layer) - sets) * layer_set_count(&layer);
        for (int r = 0; r < s->levels; r++) {
            if (!level_kept(s->kept[l], r))
                continue;
            cost.level_macs[l][r] = layer_macs(&layer, r);
            cost.macs += cost.level_macs[l][r];
        }
    }
    cost.parameters += head_filters_count(&head);
    if (head.linear) {
        cost.weights += (size_t)head.classes * head.channels;
        cost.macs += (double)head.classes * head.channels;
    }
    return cost;
}
// book: end
