/* The passes of a layer over its maps, forward (fast/engine/layer.c, mbconv.c) and backward
 * (layer_backward.c, mbconv_backward.c): a table of each, in the order of the code. A pass that is added
 * there, or taken away, is added or taken away here; tests/test_traffic.c compares them.
 *
 * At one level of a layer in the middle of a net with nearest upsampling, where Winograd's algorithm pays,
 * that is 4 maps forward and 6 backward in a step of the filters, 9 where bands do not pay, and one less each
 * where the sums over the batch come with the gradient; a level more takes a quarter of a map for the next
 * level's x, dsum and dx each, and their marks. */
#include "traffic.h"
#include "layer.h"

/* Maps, at level r. Coarser: at r + 1, finer: at r - 1. Marks are those of pooling to the level. */
enum {
    X = 1 << 0,
    X_FINER = 1 << 1,  /* as pooling reads it */
    X_STORED = 1 << 2, /* at the level that the input is stored at */
    X_COARSER = 1 << 3,
    MARKS = 1 << 4,
    MARKS_COARSER = 1 << 5,
    Z = 1 << 6,    /* the activation; of MBConv the projected maps */
    FULL = 1 << 7, /* at level 0, of bilinear upsampling: z, a skip, dy */
    Y = 1 << 8,    /* as the output is stored */
    DSUM = 1 << 9, /* and dconv, where it takes its place */
    DSUM_COARSER = 1 << 10,
    DX = 1 << 11,
    DX_COARSER = 1 << 12,
    DX_STORED = 1 << 13, /* at the level that the input is stored at */
    WIDE = 1 << 14,      /* the expanded maps of MBConv, and another of them */
    OTHER = 1 << 15,
    Z_BEFORE = 1 << 16,  /* the activation of the layer before, at the level that the input is stored at */
    DX_HALVED = 1 << 17, /* at the level after that */
    MAPS = 18
};

/* What may be so at level r. */
enum {
    KEPT = 1 << 0,
    PASSED = 1 << 1, /* not kept */
    CONV = 1 << 2,
    MBCONV = 1 << 3,
    WINOGRAD = 1 << 4, /* its algorithm convolves this level */
    DIRECT = 1 << 5,
    POOLED = 1 << 6,  /* the input comes from level r - 1 */
    APART = 1 << 7,   /* in a pass of its own */
    POOLS = 1 << 8,   /* Winograd's pass makes the maxima for level r + 1 on its way */
    FINER = 1 << 9,   /* than the input is stored at: it is brought there where it is asked for */
    TRAINS = 1 << 10, /* statistics are those of the batch */
    SKIP = 1 << 12,
    ENLARGED = 1 << 13, /* bilinear, r > 0 */
    PLAIN = 1 << 14,
    FIRST = 1 << 15, /* the finest kept level */
    NEXT = 1 << 16,  /* dsum goes on to level r + 1 */
    INPUT = 1 << 17, /* dx is wanted */
    FILTERS = 1 << 18,
    LOGITS = 1 << 19,
    UNPOOLS = 1 << 20, /* pooling hands back a gradient from level r + 1 */
    ALONE = 1 << 21,   /* it does not, at a level that the input has */
    CHAIN = 1 << 22,   /* MBConv's backward pass runs */
    BANDS = 1 << 23,   /* dconv is wanted, and made in bands that no map holds */
    PLACED = 1 << 24,  /* or in the place of dsum */
    TAKEN = 1 << 25,   /* sums for the layer before are taken on the way of dx */
    SQUARED = 1 << 26, /* and its next dsum is made */
    UNKNOWN = 1 << 27  /* the sums of dsum are not known */
};

/* Convolutions whose products a pass makes. */
enum { CONVOLUTION = 1, WEIGHTS, EXPANSION, PROJECTION, DEPTHWISE };

static const PassRow forward_passes[] = {
    {"pool", POOLED | APART, X_FINER, X | MARKS, 0},
    {"x at a finer level", KEPT | FINER, X_STORED, X, 0},
    {"convolve", KEPT | CONV, X, Z, CONVOLUTION},
    {"pool on its way", KEPT | WINOGRAD | POOLS, 0, X_COARSER | MARKS_COARSER, 0},
    {"expand", KEPT | MBCONV, X, WIDE, EXPANSION},
    {"its statistics", KEPT | MBCONV | TRAINS, WIDE, 0, 0},
    {"norm and swish", KEPT | MBCONV, WIDE, WIDE, 0},
    {"depthwise", KEPT | MBCONV, WIDE, OTHER, DEPTHWISE},
    {"its statistics", KEPT | MBCONV | TRAINS, OTHER, 0, 0},
    {"averages", KEPT | MBCONV, OTHER, 0, 0},
    {"excite", KEPT | MBCONV, OTHER, OTHER, 0},
    {"project", KEPT | MBCONV, OTHER, Z, PROJECTION},
    {"its statistics", KEPT | MBCONV | TRAINS, Z, 0, 0},
    {"enlarge", KEPT | ENLARGED, Z, FULL, 0},
    {"the skip at a finer level", KEPT | SKIP | FINER, X_STORED, X, 0},
    {"enlarge the skip", KEPT | SKIP | ENLARGED, X, FULL, 0},
    {"mix", KEPT | PLAIN, Z, 0, 0},
    {"mix", KEPT | ENLARGED, FULL, 0, 0},
    {"mix a skip", KEPT | SKIP | PLAIN, X, 0, 0},
    {"mix a skip", KEPT | SKIP | ENLARGED, FULL, 0, 0},
    {"mix", FIRST, 0, Y, 0},
};

static const PassRow backward_passes[] = {
    {"clear dsum", KEPT | ENLARGED, 0, DSUM, 0},
    {"gather dsum", KEPT | ENLARGED, FULL | DSUM, DSUM, 0},
    {"pool again", MBCONV | POOLED, X_FINER, X | MARKS, 0},
    {"clear the next dsum", PASSED | NEXT, 0, DSUM_COARSER, 0},
    {"pass dsum on", PASSED | NEXT, DSUM | DSUM_COARSER, DSUM_COARSER, 0},
    {"sums over the batch", KEPT | UNKNOWN, DSUM | Z, 0, 0},
    {"pass dsum on meanwhile", KEPT | NEXT | UNKNOWN, 0, DSUM_COARSER, 0},
    {"the skip at a finer level", KEPT | SKIP | LOGITS | FINER, X_STORED, X, 0},
    {"dalpha of the skip", KEPT | SKIP | LOGITS, DSUM | X, 0, 0},
    {"x at a finer level", KEPT | CONV | FILTERS | FINER, X_STORED, X, 0},

    {"norm, ReLU and bias in bands", BANDS, DSUM | Z, 0, 0},
    {"filters", BANDS | FILTERS, X, 0, WEIGHTS},
    {"data", BANDS | INPUT, 0, DX, CONVOLUTION},
    {"unpool on the way", BANDS | INPUT | UNPOOLS, DX_COARSER | MARKS_COARSER, 0, 0},

    {"norm, ReLU and bias", PLACED, DSUM | Z, DSUM, 0},
    {"filters", PLACED | FILTERS, DSUM | X, 0, WEIGHTS},
    {"data", PLACED | INPUT, DSUM, DX, CONVOLUTION},
    {"unpool on its way", PLACED | WINOGRAD | INPUT | UNPOOLS, DX_COARSER | MARKS_COARSER, 0, 0},
    {"unpool before", PLACED | DIRECT | INPUT | UNPOOLS, DX_COARSER | MARKS_COARSER, DX, 0},
    {"add to that", PLACED | DIRECT | INPUT | UNPOOLS, DX, 0, 0},

    {"unpool", PASSED | INPUT | UNPOOLS, DX_COARSER | MARKS_COARSER, DX, 0},
    {"clear dx", PASSED | INPUT | ALONE, 0, DX, 0},

    {"unpool", CHAIN | INPUT | UNPOOLS, DX_COARSER | MARKS_COARSER, DX, 0},
    {"clear dx", CHAIN | INPUT | ALONE, 0, DX, 0},
    {"clear dx", CHAIN | INPUT | FINER, 0, DX, 0},
    {"skip", CHAIN | INPUT | SKIP, DX | DSUM, DX, 0},
    {"norm", CHAIN, DSUM | Z, DSUM, 0},
    {"x at a finer level", CHAIN | FINER, X_STORED, X, 0},
    {"expand again", CHAIN, X, WIDE, EXPANSION},
    {"norm and swish again", CHAIN, WIDE, OTHER, 0},
    {"depthwise again", CHAIN, OTHER, WIDE, DEPTHWISE},
    {"excite again", CHAIN | FILTERS, WIDE, OTHER, 0},
    {"filters of the projection", CHAIN | FILTERS, DSUM | OTHER, 0, PROJECTION},
    {"data of the projection", CHAIN, DSUM, OTHER, PROJECTION},
    {"gradients of the gates", CHAIN, WIDE | OTHER, 0, 0},
    {"gates and swish", CHAIN, WIDE | OTHER, OTHER, 0},
    {"sums over the batch", CHAIN, WIDE | OTHER, 0, 0},
    {"norm", CHAIN, WIDE | OTHER, OTHER, 0},
    {"norm and swish a third time", CHAIN | FILTERS, WIDE, OTHER, 0},
    {"filters of the depthwise", CHAIN | FILTERS, WIDE | OTHER, 0, DEPTHWISE},
    {"data of the depthwise", CHAIN, OTHER, WIDE, DEPTHWISE},
    {"swish", CHAIN, WIDE | OTHER, WIDE, 0},
    {"sums over the batch", CHAIN, WIDE | OTHER, 0, 0},
    {"norm", CHAIN, WIDE | OTHER, WIDE, 0},
    {"x at a finer level", CHAIN | FILTERS | FINER, X_STORED, X, 0},
    {"filters of the expansion", CHAIN | FILTERS, WIDE | X, 0, EXPANSION},
    {"data of the expansion", CHAIN | INPUT, WIDE | DX, DX, EXPANSION},

    {"sums for the layer before, meanwhile", TAKEN, Z_BEFORE, 0, 0},
    {"its next dsum, meanwhile", SQUARED, 0, DX_HALVED, 0},
    {"to the level of dx", KEPT | INPUT | FINER, DX | DX_STORED, DX_STORED, 0},
};

/* A level of a layer: where maps have a size, and passes are or are not. */
typedef struct {
    const LayerSpec *spec;
    int n, in, out, top, level; /* in, out: the levels that x and y are stored at */
    unsigned state;
} Place;

static Shape map_at(const Place *p, int channels, int level)
{
    return (Shape){p->n, channels, p->spec->height >> level, p->spec->width >> level};
}

static double marks_bytes(const Place *p, int level)
{
    const Shape pooled = map_at(p, p->spec->channels_in, level);
    return p->spec->down == POOL_MAX ? (double)tensor_words(pooled) * UNIT * sizeof(Mark) : 0;
}

/* Bytes of one kind of map. */
static double bytes_of(const Place *p, unsigned map)
{
    const LayerSpec *s = p->spec;
    const int r = p->level;
    switch (map) {
    case X:
    case DX:
        return map_bytes(map_at(p, s->channels_in, r));
    case X_FINER: /* of a square, subsampling reads the first pixel */
        return map_bytes(map_at(p, s->channels_in, s->down == POOL_SUBSAMPLE ? r : r - 1));
    case X_STORED:
    case DX_STORED:
    case Z_BEFORE:
        return map_bytes(map_at(p, s->channels_in, p->in));
    case DX_HALVED:
        return map_bytes(map_at(p, s->channels_in, p->in + 1));
    case X_COARSER:
    case DX_COARSER:
        return map_bytes(map_at(p, s->channels_in, r + 1));
    case MARKS:
        return marks_bytes(p, r);
    case MARKS_COARSER:
        return marks_bytes(p, r + 1);
    case Z:
    case DSUM:
        return map_bytes(map_at(p, s->channels_out, r));
    case FULL:
        return map_bytes(map_at(p, s->channels_out, 0));
    case Y:
        return map_bytes(map_at(p, s->channels_out, p->out));
    case DSUM_COARSER:
        return map_bytes(map_at(p, s->channels_out, r + 1));
    default:
        return map_bytes(map_at(p, layer_expanded(s), r));
    }
}

static Conv2dShape block_of(const Place *p)
{
    const LayerSpec *s = p->spec;
    return (Conv2dShape){
        p->n, s->channels_in, s->channels_out, s->height >> p->level, s->width >> p->level, 3, 1};
}

static Traffic products_of(const Place *p, int products)
{
    Conv2dShape s = block_of(p);
    const int wide = layer_expanded(p->spec);
    switch (products) {
    case CONVOLUTION:
        return convolution_products(s, SET(winograd_pays)(s));
    case WEIGHTS:
        return convolution_products(s, SET(winograd_weights_pays)(s));
    case EXPANSION:
        return convolution_products((Conv2dShape){s.n, s.c, wide, s.h, s.w, 1, 1}, false);
    case PROJECTION:
        return convolution_products((Conv2dShape){s.n, wide, s.k, s.h, s.w, 1, 1}, false);
    case DEPTHWISE: /* a filter a channel */
        return (Traffic){
            .float_products =
                convolution_products((Conv2dShape){s.n, wide, 1, s.h, s.w, 3, 1}, false).products};
    default:
        return (Traffic){0};
    }
}

static Traffic add_up(const Place *p, const PassRow *rows, int count)
{
    Traffic sum = {0};
    for (int i = 0; i < count; i++) {
        if ((rows[i].when & p->state) != rows[i].when)
            continue;
        sum = traffic_sum(sum, products_of(p, rows[i].products));
        for (int map = 0; map < MAPS; map++) {
            sum.read += rows[i].reads >> map & 1 ? bytes_of(p, 1u << map) : 0;
            sum.written += rows[i].writes >> map & 1 ? bytes_of(p, 1u << map) : 0;
        }
    }
    return sum;
}

/* `bit` if it is so. */
static unsigned so(bool is, unsigned bit)
{
    return is ? bit : 0;
}

static bool keeps(const Place *p, int r)
{
    return r >= 0 && r <= p->top && level_kept(p->spec->kept, r);
}

/* Whether Winograd's pass at level r makes the maxima for the next level. */
static bool pools_on(const Place *p, int r)
{
    Place at = *p;
    at.level = r;
    return keeps(p, r) && p->spec->block == BLOCK_CONV && SET(winograd_pays)(block_of(&at)) && r >= p->in &&
           r < p->top && p->spec->down == POOL_MAX;
}

/* What is so at level r in either direction. */
static unsigned state_of(const Place *p, int r)
{
    const LayerSpec *s = p->spec;
    Place at = *p;
    at.level = r;
    const bool conv = s->block == BLOCK_CONV, winograd = conv && SET(winograd_pays)(block_of(&at)),
               nearest = s->up == UPSAMPLE_NEAREST;
    return so(keeps(p, r), KEPT) | so(!keeps(p, r), PASSED) | so(conv, CONV) | so(!conv, MBCONV) |
           so(winograd, WINOGRAD) | so(conv && !winograd, DIRECT) | so(r > p->in && r <= p->top, POOLED) |
           so(!pools_on(p, r - 1), APART) | so(pools_on(p, r), POOLS) | so(r < p->in, FINER) |
           so(!conv && s->channels_in == s->channels_out, SKIP) | so(!nearest && r > 0, ENLARGED) |
           so(nearest || r == 0, PLAIN) | so(r == layer_stored_level(s), FIRST) |
           so(nearest && r >= p->out && r < p->top, NEXT) | so(r >= p->in && r < p->top, UNPOOLS) |
           so(r >= p->in && r >= p->top, ALONE);
}

static Place place_of(const LayerSpec *s, int n, int stored)
{
    Place p = {.spec = s, .n = n, .in = stored, .out = layer_stored_level(s)};
    for (int r = 0; r < s->levels; r++)
        p.top = level_kept(s->kept, r) ? r : p.top;
    return p;
}

Traffic SET(layer_forward_traffic)(const LayerSpec *s, int n, int stored, Pass pass)
{
    Place p = place_of(s, n, stored);
    Traffic sum = {0};
    for (p.level = 0; p.level <= p.top; p.level++) {
        p.state = state_of(&p, p.level) | so(pass != PASS_INFERENCE, TRAINS);
        sum = traffic_sum(sum,
                          add_up(&p, forward_passes, (int)(sizeof forward_passes / sizeof *forward_passes)));
    }
    return sum;
}

Traffic SET(layer_backward_traffic)(const LayerSpec *s, int n, int stored, bool dx, unsigned sums,
                                    unsigned wanted)
{
    Place p = place_of(s, n, stored);
    Traffic sum = {0};
    const int last = p.top > stored ? p.top : stored;
    for (p.level = 0; p.level <= last; p.level++) {
        p.state = state_of(&p, p.level) | so(dx, INPUT) | so(wanted & WANT_FILTERS, FILTERS) |
                  so(wanted & WANT_LOGITS, LOGITS) | so(sums & SUMS_TAKEN && p.level == stored, TAKEN) |
                  so(sums & SQUARES_TAKEN && p.level == stored, SQUARED) |
                  so(!(sums & SUMS_KNOWN && p.level == p.out), UNKNOWN);
        const bool chain = p.state & KEPT && p.state & MBCONV && p.state & (INPUT | FILTERS);
        const bool gradient = p.state & KEPT && p.state & CONV && p.state & (INPUT | FILTERS),
                   bands = gradient && SET(bands_roll)(block_of(&p), dx, wanted & WANT_FILTERS);
        p.state |= so(chain, CHAIN) | so(bands, BANDS) | so(gradient && !bands, PLACED);
        sum = traffic_sum(
            sum, add_up(&p, backward_passes, (int)(sizeof backward_passes / sizeof *backward_passes)));
    }
    return sum;
}

static double map(Shape s)
{
    return map_bytes(s);
}

/* fast/engine/depth.c, whose maps are stored at their own levels: those that are mixed, from the finest to
 * the coarsest. */
static Shape mixed_at(const DepthSpec *s, int n, int r)
{
    return (Shape){n, s->channels, s->height >> r, s->width >> r};
}

static void mixed_levels(const DepthSpec *s, const int stored[], int *finest, int *coarsest)
{
    *finest = s->levels;
    *coarsest = 0;
    for (int l = 0; l < s->maps; l++) {
        if (!level_kept(s->kept, l))
            continue;
        *finest = stored[l] < *finest ? stored[l] : *finest;
        *coarsest = stored[l] > *coarsest ? stored[l] : *coarsest;
    }
}

/* One pass reads every map and writes the mix. */
static Traffic depth_forward(const DepthSpec *s, int n, const int stored[])
{
    int finest, coarsest;
    mixed_levels(s, stored, &finest, &coarsest);
    Traffic sum = {.written = map_bytes(mixed_at(s, n, finest))};
    for (int l = 0; l < s->maps; l++)
        sum.read += level_kept(s->kept, l) ? map_bytes(mixed_at(s, n, stored[l])) : 0;
    return sum;
}

/* dy from level to level: cleared, then added to; and for each beta dy and the map. */
static Traffic depth_backward(const DepthSpec *s, int n, const int stored[], unsigned wanted)
{
    int finest, coarsest;
    Traffic sum = {0};
    mixed_levels(s, stored, &finest, &coarsest);
    for (int r = finest + 1; r <= coarsest; r++) {
        sum.read += map_bytes(mixed_at(s, n, r - 1)) + map_bytes(mixed_at(s, n, r));
        sum.written += 2 * map_bytes(mixed_at(s, n, r));
    }
    for (int l = 0; l < s->maps && wanted & WANT_LOGITS; l++)
        sum.read += level_kept(s->kept, l) ? 2 * map_bytes(mixed_at(s, n, stored[l])) : 0;
    return sum;
}

/* dy, and where it is added to it the gradient; the gradient of a map that is not mixed is cleared. */
static Traffic depth_share(const DepthSpec *s, int n, const int stored[], int l, bool add)
{
    const double bytes = map_bytes(mixed_at(s, n, stored[l]));
    if (!level_kept(s->kept, l))
        return (Traffic){.written = add ? 0 : bytes};
    return (Traffic){.read = add ? 2 * bytes : bytes, .written = bytes};
}

const TrafficCount SET(traffic) = {
    .map = map,
    .layer_forward = SET(layer_forward_traffic),
    .layer_backward = SET(layer_backward_traffic),
    .depth_forward = depth_forward,
    .depth_backward = depth_backward,
    .depth_share = depth_share,
    .node_forward = SET(node_forward_traffic),
    .node_backward = SET(node_backward_traffic),
};
