/* The roofline of a step. */
#include "roofline.h"
#include "../../network/fabric.h"
#include <stdio.h>
#include <string.h>

static Pass pass_of(StepKind step)
{
    return step == WEIGHT_STEP ? PASS_FILTERS : step == ALPHA_STEP ? PASS_LOGITS : PASS_INFERENCE;
}

static unsigned wanted_by(StepKind step)
{
    return step == WEIGHT_STEP ? WANT_FILTERS : step == ALPHA_STEP ? WANT_LOGITS : 0;
}

/* The levels that the images and each layer's output are stored at; the mix's, if there is one. */
typedef struct {
    int map[MAX_LAYERS + 1], mixed;
} Stored;

static Stored stored_levels(const NetworkSpec *s)
{
    Stored stored = {.mixed = MAX_LEVELS};
    for (int l = 0; l < s->layers && s->net == NET_LAYERS; l++) {
        const LayerSpec layer = network_layer(s, l);
        const int level = layer_stored_level(&layer);
        stored.map[l + 1] = level;
        if (s->depth >> l & 1 && level < stored.mixed)
            stored.mixed = level;
    }
    return stored;
}

/* The level of what layer l reads. */
static int input_level(const NetworkSpec *s, const Stored *stored, int l)
{
    return s->depth && l == s->layers - 1 ? stored->mixed : stored->map[l];
}

/* Which sums layer l takes for layer l - 1. */
static unsigned sums_taken(const NetworkSpec *s, int l)
{
    if (l < 1 || l >= s->layers || (s->depth && l == s->layers - 1))
        return 0;
    const LayerSpec layer = network_layer(s, l), before = network_layer(s, l - 1);
    return (layer_takes_sums(&layer, &before) ? SUMS_TAKEN : 0) |
           (layer_takes_squares(&layer, &before) ? SQUARES_TAKEN : 0);
}

/* And whether layer l is handed its own, since nothing is added to what they are of. */
static unsigned sums_of(const NetworkSpec *s, int l)
{
    return sums_taken(s, l) | (sums_taken(s, l + 1) && !(s->depth >> l & 1) ? SUMS_KNOWN : 0);
}

/* Both directions of layer l. */
static Traffic layer_traffic(const Kernels *kernels, const NetworkSpec *s, const Stored *stored, int l, int n,
                             StepKind step)
{
    const LayerSpec layer = network_layer(s, l);
    const int level = input_level(s, stored, l);
    const bool reads_mixed = s->depth && l == s->layers - 1;
    const Traffic forward = kernels->traffic->layer_forward(&layer, n, level, pass_of(step));
    if (step == EVALUATION)
        return forward;
    return traffic_sum(forward, kernels->traffic->layer_backward(&layer, n, level, l > 0 || reads_mixed,
                                                                 sums_of(s, l), wanted_by(step)));
}

static Traffic mix_traffic(const Kernels *kernels, const NetworkSpec *s, const Stored *stored, int n,
                           StepKind step)
{
    const DepthSpec depth = network_depth(s);
    const int *levels = stored->map + 1;
    Traffic sum = kernels->traffic->depth_forward(&depth, n, levels);
    if (step == EVALUATION)
        return sum;
    sum = traffic_sum(sum, kernels->traffic->depth_backward(&depth, n, levels, wanted_by(step)));
    for (int l = 0; l < s->layers - 1; l++) /* the last of them has no gradient yet */
        sum = traffic_sum(sum, kernels->traffic->depth_share(&depth, n, levels, l, l < s->layers - 2));
    return sum;
}

/* Nodes, and the gradients of their maps, which are cleared: two layers of them before, each once used. */
static Traffic fabric_traffic(const Kernels *kernels, const NetworkSpec *s, int n, StepKind step)
{
    const int scales = fabric_scales(s);
    Traffic sum = {0};
    for (int i = 0; i < fabric_nodes(s); i++) {
        const FabricNode node = fabric_node(s, i);
        const double map = kernels->traffic->map((Shape){n, s->channels, node.spec.height, node.spec.width});
        unsigned dx = 0;
        for (int e = 0; e < MAX_EDGES; e++)
            dx |= (unsigned)(e < node.spec.edges && node.input[e] != FABRIC_IMAGES) << e;
        sum = traffic_sum(sum, kernels->traffic->node_forward(&node.spec, n, pass_of(step)));
        if (step == EVALUATION)
            continue;
        sum = traffic_sum(sum, kernels->traffic->node_backward(&node.spec, n, dx, wanted_by(step)));
        sum.written += i < 2 * scales ? 2 * map : map;
    }
    return sum;
}

/* The images brought into lanes; the last map read for its average, and its gradient cleared and added to. */
static Traffic ends_traffic(const Kernels *kernels, const NetworkSpec *s, const Stored *stored, int n,
                            StepKind step)
{
    const HeadSpec head = network_head(s);
    const int level = s->net == NET_LAYERS ? stored->map[s->layers] : 0;
    const Shape images = {n, s->image_channels, s->height, s->width};
    const double last =
        kernels->traffic->map((Shape){n, head.channels, head.height >> level, head.width >> level});
    const Traffic forward = {(double)shape_count(images) * sizeof(float) + last,
                             kernels->traffic->map(images), 0, 0};
    return step == EVALUATION ? forward : traffic_sum(forward, (Traffic){last, 2 * last, 0, 0});
}

Traffic step_traffic(const Kernels *kernels, const NetworkSpec *s, int n, StepKind step)
{
    const Stored stored = stored_levels(s);
    Traffic sum = ends_traffic(kernels, s, &stored, n, step);
    if (s->net != NET_LAYERS)
        return traffic_sum(sum, fabric_traffic(kernels, s, n, step));
    for (int l = 0; l < s->layers; l++)
        sum = traffic_sum(sum, layer_traffic(kernels, s, &stored, l, n, step));
    return s->depth ? traffic_sum(sum, mix_traffic(kernels, s, &stored, n, step)) : sum;
}

double step_maps(const Kernels *kernels, const NetworkSpec *s, int n, StepKind step)
{
    const int hidden = s->layers - 2;
    if (s->net != NET_LAYERS || hidden < 1)
        return 0;
    const Stored stored = stored_levels(s);
    double bytes = 0;
    for (int l = 1; l <= hidden; l++) {
        const Traffic t = layer_traffic(kernels, s, &stored, l, n, step);
        bytes += t.read + t.written;
    }
    return bytes / hidden / kernels->traffic->map((Shape){n, s->channels, s->height, s->width});
}

double traffic_bytes_seconds(Traffic t, Peak peak)
{
    return t.read / peak.bytes + t.written / peak.written;
}

/* A multiply-add is two operations. */
double traffic_products_seconds(Traffic t, Peak peak, Peak float_peak)
{
    return 2 * t.products / peak.flops + 2 * t.float_products / float_peak.flops;
}

/* The version of f32 with the same registers: Winograd's algorithm and the depthwise convolution multiply in
 * float in bf16, too. */
static const Kernels *float_kernels(const Kernels *kernels)
{
    static const char *const same[][2] = {
        {"avx512bf16", "avx512"}, {"amx", "avx512"}, {"amx_emulated", "plain"}};
    const Kernels *versions[MAX_ISAS];
    const int count = kernels_versions(versions, "f32");
    const char *wanted = kernels->instruction_set;
    for (size_t i = 0; i < sizeof same / sizeof *same; i++)
        if (strcmp(same[i][0], kernels->instruction_set) == 0)
            wanted = same[i][1];
    for (int i = 0; i < count; i++)
        if (strcmp(versions[i]->instruction_set, wanted) == 0)
            return versions[i];
    return versions[0];
}

void roofline_counts(const char *what, const Kernels *kernels, const NetworkSpec *s, int n, StepKind step,
                     const char *shape, int threads)
{
    char name[64];
    const Traffic t = step_traffic(kernels, s, n, step);
    const double maps = step_maps(kernels, s, n, step);
    snprintf(name, sizeof name, "%s_bytes", what);
    measure_line(name, kernels->name, shape, threads, (t.read + t.written) / 1e9, "GB", 0, 0);
    snprintf(name, sizeof name, "%s_products", what);
    measure_line(name, kernels->name, shape, threads, 2 * (t.products + t.float_products) / 1e9, "GFLOP", 0,
                 0);
    snprintf(name, sizeof name, "%s_maps", what);
    if (maps > 0)
        measure_line(name, kernels->name, shape, threads, maps, "maps a layer", 0, 0);
}

enum { BY_BYTES, BY_ARITHMETIC, ROOFLINE, MEASURED, TIMES };
static const char *const times[TIMES] = {"by_bytes", "by_arithmetic", "roofline", "measured"};

bool roofline_wanted(const char *what, const Kernels *kernels, const char *shape)
{
    char name[64];
    for (int i = 0; i < TIMES; i++) {
        snprintf(name, sizeof name, "%s_%s", what, times[i]);
        if (measure_wanted(name, kernels->name, shape))
            return true;
    }
    return false;
}

double roofline_seconds(double bytes, double arithmetic)
{
    return bytes > arithmetic ? bytes : arithmetic;
}

void roofline_times(const char *what, const Kernels *kernels, const NetworkSpec *s, int n, StepKind step,
                    const char *shape, int threads, double seconds)
{
    if (!roofline_wanted(what, kernels, shape))
        return;
    const Traffic t = step_traffic(kernels, s, n, step);
    const Peak peak = measure_peak(kernels, threads),
               float_peak = measure_peak(float_kernels(kernels), threads);
    const double bytes = traffic_bytes_seconds(t, peak),
                 arithmetic = traffic_products_seconds(t, peak, float_peak);
    const double least[TIMES] = {bytes, arithmetic, roofline_seconds(bytes, arithmetic), seconds};
    for (int i = 0; i < TIMES; i++) {
        char name[64];
        snprintf(name, sizeof name, "%s_%s", what, times[i]);
        measure_line(name, kernels->name, shape, threads, 1e3 * least[i], "ms", least[i] / seconds, 0);
    }
}
