/* The passes of a fabric's node over its maps (fast/engine/node.c): the twin of traffic.c for nodes, added up
 * over the edges. What a node does once stands at its first edge. */
#include "../../ref/fabric_node.h"
#include "traffic.h"

enum {
    X = 1 << 0, /* of the edge */
    DX = 1 << 1,
    BROUGHT = 1 << 2, /* a coarser map with zeros between its pixels, and its gradient */
    PART = 1 << 3,    /* the convolution of the edge; z, y, dy have its size */
    OTHER = 1 << 4,
    MAPS = 5
};

enum {
    COARSER = 1 << 0,
    NEAR = 1 << 1, /* not from a coarser map */
    FIRST = 1 << 2,
    MANY = 1 << 3,   /* edges */
    TRAINS = 1 << 4, /* statistics are those of the batch */
    INPUT = 1 << 5,
    FILTERS = 1 << 6
};

enum { CONVOLUTION = 1, WEIGHTS };

static const PassRow forward_passes[] = {
    {"bring", COARSER, X, BROUGHT, 0},           {"convolve", COARSER, BROUGHT, PART, CONVOLUTION},
    {"convolve", NEAR, X, PART, CONVOLUTION},    {"sum of parts", MANY, PART, 0, 0},
    {"sum of parts", MANY | FIRST, 0, OTHER, 0}, {"statistics", FIRST | TRAINS, OTHER, 0, 0},
    {"norm and ReLU", FIRST, OTHER, PART, 0},
};

static const PassRow backward_passes[] = {
    {"ReLU", FIRST, PART | OTHER, OTHER, 0},
    {"sums over the batch", FIRST, PART | OTHER, 0, 0},
    {"norm", FIRST, PART | OTHER, OTHER, 0},
    {"bring again", COARSER | FILTERS, X, BROUGHT, 0},
    {"backward filters", COARSER | FILTERS, BROUGHT | PART, 0, WEIGHTS},
    {"backward filters", NEAR | FILTERS, X | PART, 0, WEIGHTS},
    {"clear", COARSER | INPUT, 0, BROUGHT, 0},
    {"backward data", COARSER | INPUT, BROUGHT | PART, BROUGHT, CONVOLUTION},
    {"gather one pixel of four", COARSER | INPUT, X | DX, DX, 0},
    {"backward data", NEAR | INPUT, DX | PART, DX, CONVOLUTION},
};

static Traffic products_of(const NodeSpec *s, int n, int e, int products)
{
    const Conv2dShape convolution = node_convolution(s, e, n);
    if (products == 0)
        return (Traffic){0};
    return convolution_products(convolution, products == WEIGHTS ? SET(winograd_weights_pays)(convolution)
                                                                 : SET(winograd_pays)(convolution));
}

static double bytes_of(const NodeSpec *s, int n, int e, unsigned map)
{
    return map_bytes(map == BROUGHT                ? conv2d_input(node_convolution(s, e, n))
                     : map == PART || map == OTHER ? node_output(s, n)
                                                   : node_input(s, e, n));
}

static Traffic add_up(const NodeSpec *s, int n, int e, unsigned state, const PassRow *rows, int count)
{
    Traffic sum = {0};
    state |=
        (s->edge[e].from == EDGE_COARSER ? COARSER : NEAR) | (e == 0 ? FIRST : 0) | (s->edges > 1 ? MANY : 0);
    for (int i = 0; i < count; i++) {
        if ((rows[i].when & state) != rows[i].when)
            continue;
        sum = traffic_sum(sum, products_of(s, n, e, rows[i].products));
        for (int map = 0; map < MAPS; map++) {
            sum.read += rows[i].reads >> map & 1 ? bytes_of(s, n, e, 1u << map) : 0;
            sum.written += rows[i].writes >> map & 1 ? bytes_of(s, n, e, 1u << map) : 0;
        }
    }
    return sum;
}

Traffic SET(node_forward_traffic)(const NodeSpec *s, int n, Pass pass)
{
    Traffic sum = {0};
    for (int e = 0; e < s->edges; e++)
        sum = traffic_sum(sum, add_up(s, n, e, pass == PASS_INFERENCE ? 0 : TRAINS, forward_passes,
                                      (int)(sizeof forward_passes / sizeof *forward_passes)));
    return sum;
}

Traffic SET(node_backward_traffic)(const NodeSpec *s, int n, unsigned dx, unsigned wanted)
{
    Traffic sum = {0};
    for (int e = 0; e < s->edges; e++)
        sum = traffic_sum(sum,
                          add_up(s, n, e, (wanted & WANT_FILTERS ? FILTERS : 0) | (dx >> e & 1 ? INPUT : 0),
                                 backward_passes, (int)(sizeof backward_passes / sizeof *backward_passes)));
    return sum;
}
