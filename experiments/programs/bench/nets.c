/* The networks of the paper's tables, as build/bench measures them. */
#include "nets.h"
#include <stdio.h>

enum { LEVELS = 5 };

void net_name(char *name, size_t size, Case c)
{
    static const char *const names[NETS] = {"no-pooling",   "predefined",    "R=5",
                                            "one-res",      "R=5 and depth", "R=5 unshared",
                                            "R=5 eff-conv", "fabric-dense",  "fabric-sparse"};
    snprintf(name, size, "%s,%dx%d,batch %d", names[c.net], c.layers, c.channels, c.batch);
}

static unsigned kept_levels(Net net, int l)
{
    static const int stages[] = {0, 0, 0, 1, 1, 1, 2, 2, 3, 3};
    static const int one[] = {0, 1, 0, 1, 2, 1, 2, 3, 4, 4}; /* a fine-to-coarse pruned net */
    switch (net) {
    case NO_POOLING:
        return 1;
    case PREDEFINED:
        return 1u << stages[l];
    case PRUNED:
        return 1u << one[l];
    default:
        return (unsigned)all_levels(LEVELS);
    }
}

NetworkSpec net_spec(Case c)
{
    const bool fabric = c.net == FABRIC_DENSE || c.net == FABRIC_SPARSE;
    NetworkSpec s = {.layers = c.layers,
                     .channels = c.channels,
                     .classes = 10,
                     .image_channels = 3,
                     .height = 32,
                     .width = 32,
                     .levels = fabric                ? 0
                               : c.net == NO_POOLING ? 1
                                                     : LEVELS,
                     .bias = !fabric,
                     .linear_head = fabric,
                     .unshared = c.net == UNSHARED,
                     .eps = 1e-5,
                     .momentum = 0.1,
                     .block = c.net == EFF_CONV ? BLOCK_MBCONV : BLOCK_CONV,
                     .depth = c.net == LEARNED_DEPTH ? all_levels(c.layers - 1) : 0};
    if (fabric)
        s.net = c.net == FABRIC_DENSE ? NET_FABRIC_DENSE : NET_FABRIC_SPARSE;
    for (int l = 0; l < c.layers && !fabric; l++)
        s.kept[l] = kept_levels(c.net, l);
    return s;
}
