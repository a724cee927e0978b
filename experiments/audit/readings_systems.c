/* Readings of what Table 4 compares: parameters of every net, Eff-Conv, fabrics, filters that are not shared.
 * See readings_search.h. */
#include "readings_search.h"

static void weights(Search *search, int layers, int channels)
{
    for (int linear = 0; linear < 2; linear++) {
        const NetworkSpec s = reading_network(layers, channels, 1, linear);
        reading_count(search, (double)network_cost(&s).weights / 1e6);
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
                reading_count(search, eff_value(blocks, squeezed[s], levels, wants_weights));
}

static void eff_cost(Search *search)
{
    eff(search, false);
}

static void eff_weights(Search *search)
{
    eff(search, true);
}

/* Filters of each level over one set for all of them. */
static void unshared(Search *search)
{
    for (int levels = 2; levels <= 6; levels++) {
        NetworkSpec s = reading_network(10, 64, reading_levels(levels), false);
        const double one = (double)network_cost(&s).weights;
        s.unshared = true;
        reading_count(search, (double)network_cost(&s).weights / one);
    }
}

/* A filter of twice the size, (2h,2w), over one of (h,w), for h = w = 1..7. */
static void double_filter(Search *search)
{
    for (int side = 1; side <= 7; side++)
        reading_count(search, (double)(2 * side) * (2 * side) / (side * side));
}

/* Fabrics: as their paper's formula counts (every node takes three 3x3 convolutions, dense, or of three
 * channels each); without those that would cross the border of the six scales; and the graph that is trained,
 * whose ends are chains down the scales. */
static void fabric(Search *search, NetKind net, int layers, int channels)
{
    NetworkSpec s = reading_network(layers, channels, 0, true);
    s.net = net;
    s.bias = false;
    s.levels = 0;
    const Cost cost = network_cost(&s);
    reading_count(search, (double)cost.formula / 1e6);
    reading_count(search, (double)cost.formula / 1e6 * (6 * 3 - 2) / (6 * 3));
    reading_count(search, (double)cost.weights / 1e6);
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

const Space readings_of_systems[] = {
    {"weights-10x64", EQUAL, weights_narrow, "2 heads"},
    {"weights-8x128", EQUAL, weights_wide, "2 heads"},
    {"eff-cost", EQUAL, eff_cost, "6 to 8 blocks x 3 widths of squeeze-and-excitation x R = 2..6"},
    {"eff-weights", EQUAL, eff_weights, "6 to 8 blocks x 3 widths of squeeze-and-excitation"},
    {"unshared-over-shared", ABOVE, unshared, "R = 2..6"},
    {"double-filter", ABOVE, double_filter, "filters of 1x1 to 7x7"},
    {"fabric-dense", EQUAL, fabric_dense, "formula, without the border's, the graph that is trained"},
    {"fabric-sparse-bytes", EQUAL, fabric_bytes,
     "formula, without the border's, the graph that is trained; 4 bytes a parameter"},
    {"fabric-sparse", EQUAL, fabric_sparse, "formula, without the border's, the graph that is trained"},
    {0},
};
