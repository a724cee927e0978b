/* Spaces of readings. See readings.h. What the paper leaves open of its costs: the number of levels R, the
 * head (a convolution to the classes, or a linear layer behind L convolutions), and whether a
 * multiply-accumulate is one operation or two. Costs are in 10^9, as the cells are.
 *
 * Claims: s1.cost-comparable fig2.index s2.three-convolutions s3.1.fewer-parameters eq4.factors
 * s3.2.finest-dearest s3.2.quarter s3.2.cost-under-two s3.2.cost-under-four-thirds eq6.factors
 * s3.5.fewer-parameters t1.no-pooling.cost t1.predefined.cost t1.scale-invariant.cost t1.ours.cost
 * t1.thr-0.1.cost t1.thr-0.2.cost t1.one-res.cost t1.predefined.cost-any t1.one-res.cost-diagonal
 * t1.cost-unit t1.joint-reading t1.parameters s4.2.no-pooling-dearer t4.fabric-sparse.parameters
 * t4.fabric-dense.parameters t4.ours-64.parameters t4.ours-128.parameters t4.eff.parameters t4.ours-64.cost
 * t4.ours-128.cost t4.eff.cost t4.sparse-bytes. */
#include "readings.h"
#include "../data/data.h"
#include "../network/cost.h"
#include <math.h>
#include <string.h>

typedef enum { EQUAL, BELOW, ABOVE } Relation;

/* A search under way: what is looked for, what was found. */
typedef struct {
    double paper, half;
    Relation relation;
    Readings *found;
} Search;

static void count_if(Search *search, double value, bool given)
{
    Readings *found = search->found;
    if (found->all == 0 || fabs(value - search->paper) < fabs(found->nearest - search->paper))
        found->nearest = value;
    found->all++;
    found->given += given;
}

static void count(Search *search, double value)
{
    count_if(search, value,
             search->relation == BELOW   ? value < search->paper
             : search->relation == ABOVE ? value > search->paper
                                         : fabs(value - search->paper) <= search->half + 1e-9);
}

/* A network of the paper; every layer keeps the levels of `kept`. */
static NetworkSpec network(int layers, int channels, unsigned kept, bool linear)
{
    NetworkSpec s = {.layers = layers,
                     .channels = channels,
                     .classes = CLASSES,
                     .image_channels = IMAGE_CHANNELS,
                     .height = IMAGE_SIDE,
                     .width = IMAGE_SIDE,
                     .levels = 6,
                     .bias = true,
                     .linear_head = linear};
    for (int l = 0; l < layers; l++)
        s.kept[l] = kept;
    return s;
}

static double giga(NetworkSpec s)
{
    return network_cost(&s).macs / 1e9;
}

static unsigned first_levels(int count)
{
    return (1u << count) - 1;
}

/* Of both heads, and of a multiply-accumulate as one operation or as two. */
static void count_network(Search *search, NetworkSpec s)
{
    for (int linear = 0; linear < 2; linear++)
        for (int operations = 1; operations <= 2; operations++) {
            s.linear_head = linear;
            count(search, operations * giga(s));
        }
}

static void of_levels(Search *search, int layers, int channels, int least, int most)
{
    for (int levels = least; levels <= most; levels++)
        count_network(search, network(layers, channels, first_levels(levels), false));
}

static void no_pooling(Search *search)
{
    of_levels(search, 10, 64, 1, 1);
}

static void unpruned(Search *search)
{
    of_levels(search, 10, 64, 2, 6);
}

static void unpruned_wide(Search *search)
{
    of_levels(search, 8, 128, 2, 6);
}

/* Calls `use` for every network of 10 layers whose stages, one level coarser each, have `least` to `most`
 * layers; the last stage may be shorter. */
static void placements(Search *search, NetworkSpec *s, int layer, int level, int least, int most,
                       void (*use)(Search *, NetworkSpec))
{
    if (layer == s->layers) {
        use(search, *s);
        return;
    }
    for (int length = 1; level < 6 && length <= most && layer + length <= s->layers; length++) {
        if (length < least && layer + length < s->layers)
            continue;
        for (int l = layer; l < layer + length; l++)
            s->kept[l] = 1u << level;
        placements(search, s, layer + length, level + 1, least, most, use);
    }
}

static void rule_of_thumb(Search *search)
{
    NetworkSpec s = network(10, 64, 1, false);
    placements(search, &s, 0, 0, 2, 3, count_network);
}

/* In the one reading that gives the 0.31 of no pooling. */
static void count_plain(Search *search, NetworkSpec s)
{
    count(search, giga(s));
}

static void any_placement(Search *search)
{
    NetworkSpec s = network(10, 64, 1, false);
    placements(search, &s, 0, 0, 1, 10, count_plain);
}

/* Our model over the predefined one, for every number of levels. */
static void count_ratio(Search *search, NetworkSpec s)
{
    for (int levels = 2; levels <= 6; levels++)
        count(search, giga(network(10, 64, first_levels(levels), false)) / giga(s));
}

static void ratio_to_predefined(Search *search)
{
    NetworkSpec s = network(10, 64, 1, false);
    placements(search, &s, 0, 0, 2, 3, count_ratio);
}

/* One of five levels a layer: the eight hidden layers between the first and the last are alike in cost, so
 * the number at each level is what counts. */
static void one_level(Search *search, NetworkSpec *s, int layer, bool monotone)
{
    if (layer == s->layers - 1) {
        for (int r = 0; r < 5; r++)
            if (!monotone || 1u << r >= s->kept[layer - 1]) {
                s->kept[layer] = 1u << r;
                count(search, giga(*s));
            }
        return;
    }
    for (int r = 0; r < 5; r++) {
        if ((monotone || layer > 1) && layer > 0 && 1u << r < s->kept[layer - 1])
            continue;
        s->kept[layer] = 1u << r;
        one_level(search, s, layer + 1, monotone);
    }
}

static void one_level_any(Search *search)
{
    NetworkSpec s = network(10, 64, 1, false);
    one_level(search, &s, 0, false);
}

static void one_level_diagonal(Search *search)
{
    NetworkSpec s = network(10, 64, 1, false);
    one_level(search, &s, 0, true);
}

/* Of the eight hidden layers so many keep each of five levels, the first and the last layer keep all; a layer
 * keeps at least one level. */
static void thresholds(Search *search)
{
    const NetworkSpec all = network(10, 64, first_levels(5), false);
    const Cost cost = network_cost(&all);
    double ends = 0;
    for (int r = 0; r < 5; r++)
        ends += cost.level_macs[0][r] + cost.level_macs[9][r];
    for (int code = 0; code < 9 * 9 * 9 * 9 * 9; code++) {
        double macs = ends;
        int kept = 0, rest = code;
        for (int r = 0; r < 5; r++, rest /= 9) {
            kept += rest % 9;
            macs += rest % 9 * cost.level_macs[1][r];
        }
        if (kept >= 8)
            count(search, macs / 1e9);
    }
}

static void weights(Search *search, int layers, int channels)
{
    for (int linear = 0; linear < 2; linear++) {
        const NetworkSpec s = network(layers, channels, 1, linear);
        count(search, (double)network_cost(&s).weights / 1e6);
    }
}

static void weights_narrow(Search *search)
{
    weights(search, 10, 64);
}

static void weights_wide(Search *search)
{
    weights(search, 8, 128);
}

/* MBConv with expansion 6 for the hidden layers of 128 channels: two 1x1 convolutions, 9 taps a channel, and
 * squeeze-and-excitation with no, C/4 or 6C/4 channels, whose cost is that of one pixel. The network that is
 * trained (--block=mbconv) is the reading of 6 blocks and C/4; its biases count as the cost model counts. */
static double eff_value(int blocks, int squeezed, int levels, bool wants_weights)
{
    const double wide = 6 * 128, block = 2 * 128 * wide + 9 * wide, excite = 2 * wide * squeezed;
    const double ends = 9.0 * 128 * (IMAGE_CHANNELS + CLASSES), biases = squeezed > 0 ? squeezed + wide : 0;
    double macs = 0;
    for (int r = 0; r < levels; r++)
        macs += (ends + blocks * block) * (IMAGE_SIDE >> r) * (IMAGE_SIDE >> r) + blocks * excite;
    return wants_weights ? (ends + blocks * (block + excite + biases)) / 1e6 : macs / 1e9;
}

static void eff(Search *search, bool wants_weights)
{
    const int squeezed[] = {0, 128 / 4, 6 * 128 / 4};
    for (int s = 0; s < 3; s++)
        for (int blocks = 6; blocks <= 8; blocks++)
            for (int levels = wants_weights ? 6 : 2; levels <= 6; levels++)
                count(search, eff_value(blocks, squeezed[s], levels, wants_weights));
}

static void eff_cost(Search *search)
{
    eff(search, false);
}

static void eff_weights(Search *search)
{
    eff(search, true);
}

/* The R of the readings that give three unpruned costs and both parameter counts at once. */
static void joint(Search *search)
{
    for (int levels = 2; levels <= 6; levels++)
        for (int linear = 0; linear < 2; linear++)
            for (int operations = 1; operations <= 2; operations++) {
                const NetworkSpec narrow = network(10, 64, first_levels(levels), linear),
                                  wide = network(8, 128, first_levels(levels), linear);
                const bool given = fabs(operations * giga(network(10, 64, 1, linear)) - 0.31) <= 0.005 &&
                                   fabs(operations * giga(narrow) - 0.41) <= 0.005 &&
                                   fabs(operations * giga(wide) - 1.23) <= 0.005 &&
                                   fabs((double)network_cost(&narrow).weights / 1e6 - 0.3) <= 0.05 &&
                                   fabs((double)network_cost(&wide).weights / 1e6 - 0.9) <= 0.05;
                if (given)
                    count(search, levels);
            }
}

/* Sums over the levels that start at the factor 1, at 2, or run over even factors: which give the printed
 * cost. */
static void factors(Search *search)
{
    const double one = giga(network(10, 64, 1, false));
    for (int rule = 0; rule < 3; rule++) {
        double sum = 0;
        for (int r = 0; r < 5; r++) {
            const double factor = rule == 0 ? 1 << r : rule == 1 ? 2 << r : 2 * (r + 1);
            sum += one / (factor * factor);
        }
        count(search, sum);
    }
}

/* The column says MFLOPS: in millions. */
static void unit(Search *search)
{
    for (int operations = 1; operations <= 2; operations++)
        count(search, operations * giga(network(10, 64, 1, false)) * 1000);
}

/* All levels over the finest one. */
static void ratio_of_levels(Search *search)
{
    for (int levels = 2; levels <= 6; levels++)
        for (int wide = 0; wide < 2; wide++)
            count(search, giga(network(wide ? 8 : 10, wide ? 128 : 64, first_levels(levels), false)) /
                              giga(network(wide ? 8 : 10, wide ? 128 : 64, 1, false)));
}

static void ratio_of_neighbours(Search *search)
{
    const NetworkSpec s = network(10, 64, first_levels(6), false);
    const Cost cost = network_cost(&s);
    for (int l = 0; l < 10; l++)
        for (int r = 0; r < 5; r++)
            count(search, cost.level_macs[l][r] / cost.level_macs[l][r + 1]);
}

/* The finest level over all the others together. */
static void finest_share(Search *search)
{
    for (int levels = 2; levels <= 6; levels++) {
        const double one = giga(network(10, 64, 1, false));
        count(search, one / (giga(network(10, 64, first_levels(levels), false)) - one));
    }
}

/* No pooling over every placement that pools at all. */
static void count_no_pooling_over(Search *search, NetworkSpec s)
{
    if (s.kept[s.layers - 1] > 1)
        count(search, giga(network(10, 64, 1, false)) / giga(s));
}

static void no_pooling_over_pooled(Search *search)
{
    NetworkSpec s = network(10, 64, 1, false);
    placements(search, &s, 0, 0, 1, 10, count_no_pooling_over);
}

/* Filters of each level over one set for all of them. */
static void unshared(Search *search)
{
    for (int levels = 2; levels <= 6; levels++) {
        NetworkSpec s = network(10, 64, first_levels(levels), false);
        const double one = (double)network_cost(&s).weights;
        s.unshared = true;
        count(search, (double)network_cost(&s).weights / one);
    }
}

/* A filter of twice the size, (2h,2w), over one of (h,w), for h = w = 1..7. */
static void double_filter(Search *search)
{
    for (int side = 1; side <= 7; side++)
        count(search, (double)(2 * side) * (2 * side) / (side * side));
}

/* Fabrics: as their paper's formula counts (every node takes three 3x3 convolutions, dense, or of three
 * channels each); without those that would cross the border of the six scales; and the graph that is trained,
 * whose ends are chains down the scales. */
static void fabric(Search *search, NetKind net, int layers, int channels)
{
    NetworkSpec s = network(layers, channels, 0, true);
    s.net = net;
    s.bias = false;
    s.levels = 0;
    const Cost cost = network_cost(&s);
    count(search, (double)cost.formula / 1e6);
    count(search, (double)cost.formula / 1e6 * (6 * 3 - 2) / (6 * 3));
    count(search, (double)cost.weights / 1e6);
}

static void fabric_dense(Search *search)
{
    fabric(search, NET_FABRIC_DENSE, 8, 128);
}

static void fabric_sparse(Search *search)
{
    fabric(search, NET_FABRIC_SPARSE, 16, 64);
}

/* In 10^6 bytes of float32. */
static void fabric_bytes(Search *search)
{
    search->paper /= 4;
    search->half /= 4;
    fabric(search, NET_FABRIC_SPARSE, 16, 64);
    search->found->nearest *= 4;
}

static const struct {
    const char *name;
    Relation relation;
    void (*search)(Search *);
    const char *space;
} spaces[] = {
    {"no-pooling", EQUAL, no_pooling, "2 heads x 1 or 2 operations"},
    {"all-levels", EQUAL, unpruned, "R = 2..6 x 2 heads x 1 or 2 operations"},
    {"all-levels-8x128", EQUAL, unpruned_wide, "R = 2..6 x 2 heads x 1 or 2 operations"},
    {"rule-of-thumb", EQUAL, rule_of_thumb,
     "every placement in stages of 2 or 3 layers, the last may be shorter, x 2 heads x 1 or 2 operations"},
    {"any-placement", EQUAL, any_placement,
     "every placement that gets coarser layer by layer, read as the 0.31 of no pooling must be"},
    {"one-level", EQUAL, one_level_any,
     "one of 5 levels a layer, in any order, read as the 0.31 of no pooling must be"},
    {"one-level-diagonal", EQUAL, one_level_diagonal,
     "one of 5 levels a layer, never finer than the layer before, read as the 0.31 of no pooling must be"},
    {"threshold", EQUAL, thresholds, "how many of 8 hidden layers keep each of 5 levels"},
    {"weights-10x64", EQUAL, weights_narrow, "2 heads"},
    {"weights-8x128", EQUAL, weights_wide, "2 heads"},
    {"eff-cost", EQUAL, eff_cost, "6 to 8 blocks x 3 widths of squeeze-and-excitation x R = 2..6"},
    {"eff-weights", EQUAL, eff_weights, "6 to 8 blocks x 3 widths of squeeze-and-excitation"},
    {"joint", ABOVE, joint,
     "those of R = 2..6 x 2 heads x 1 or 2 operations that give all of 0.31, 0.41, 1.23, 0.3M and 0.9M"},
    {"factors", EQUAL, factors, "factors 1,2,4,.. or 2,4,8,.. or 2,4,6,.."},
    {"unit", EQUAL, unit, "1 or 2 operations, in millions"},
    {"levels-over-one", BELOW, ratio_of_levels, "R = 2..6 x 2 sizes"},
    {"level-over-next", EQUAL, ratio_of_neighbours, "10 layers x 5 pairs of neighbouring levels"},
    {"finest-over-rest", ABOVE, finest_share, "R = 2..6"},
    {"no-pooling-over-pooled", ABOVE, no_pooling_over_pooled, "every placement that pools"},
    {"ours-over-predefined", EQUAL, ratio_to_predefined,
     "R = 2..6 x every placement in stages of 2 or 3 layers"},
    {"unshared-over-shared", ABOVE, unshared, "R = 2..6"},
    {"double-filter", ABOVE, double_filter, "filters of 1x1 to 7x7"},
    {"fabric-dense", EQUAL, fabric_dense, "formula, without the border's, the graph that is trained"},
    {"fabric-sparse-bytes", EQUAL, fabric_bytes,
     "formula, without the border's, the graph that is trained; 4 bytes a parameter"},
    {"fabric-sparse", EQUAL, fabric_sparse, "formula, without the border's, the graph that is trained"},
};

enum { SPACES = sizeof spaces / sizeof *spaces };

bool readings_known(const char *name)
{
    bool known = false;
    for (int i = 0; i < SPACES; i++)
        known = known || strcmp(spaces[i].name, name) == 0;
    return known;
}

bool readings_count(Readings *readings, const char *name, double paper, int digits, Error *error)
{
    for (int i = 0; i < SPACES; i++)
        if (strcmp(spaces[i].name, name) == 0) {
            *readings = (Readings){.space = spaces[i].space};
            Search search = {paper, 0.5 * pow(10, -digits), spaces[i].relation, readings};
            spaces[i].search(&search);
            return true;
        }
    return fail(error, "there is no space of readings `%s`", name);
}
