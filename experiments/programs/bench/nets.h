/* The networks whose steps build/bench measures: rows of the paper's tables at their full size. */
#ifndef NOPOOL_BENCH_NETS_H
#define NOPOOL_BENCH_NETS_H

#include "../../network/network.h"

typedef enum {
    NO_POOLING,
    PREDEFINED, /* of 10 layers */
    FIVE_LEVELS,
    PRUNED, /* of 10 layers */
    LEARNED_DEPTH,
    UNSHARED,
    EFF_CONV,
    FABRIC_DENSE,
    FABRIC_SPARSE,
    NETS
} Net;

/* One measured network. */
typedef struct {
    Net net;
    int layers, channels, batch;
} Case;

NetworkSpec net_spec(Case c);

/* "R=5,10x64,batch 192" */
void net_name(char *name, size_t size, Case c);

static inline bool net_learns(Net net)
{
    return net == FIVE_LEVELS || net == LEARNED_DEPTH || net == UNSHARED || net == EFF_CONV;
}

#endif
