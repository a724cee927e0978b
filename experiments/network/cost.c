/* The cost model. A level r costs H/2^r W/2^r pixels times 9 C K products; of MBConv the products of each of
 * its convolutions, and once an image those of the two between the averages and the gates. */
#include "cost.h"

// book: cost
Cost network_cost(const NetworkSpec *s)
{
    const HeadSpec head = network_head(s);
    Cost cost = {0};
    for (int l = 0; l < s->layers; l++) {
        const LayerSpec layer = network_layer(s, l);
        cost.weights += layer_weights_count(&layer);
        cost.parameters += layer_filters_count(&layer);
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
