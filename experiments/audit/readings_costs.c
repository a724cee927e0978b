/* Readings of the costs in Table 1 and of networks of one size: placements of the poolings, levels that are
 * kept. See readings_search.h. */
#include "readings_search.h"

/* Of both heads, and of a multiply-accumulate as one operation or as two. */
static void count_network(Search *search, NetworkSpec s)
{
    for (int linear = 0; linear < 2; linear++)
        for (int operations = 1; operations <= 2; operations++) {
            s.linear_head = linear;
            reading_count(search, operations * reading_giga(s));
        }
}

static void of_levels(Search *search, int layers, int channels, int least, int most)
{
    for (int levels = least; levels <= most; levels++)
        count_network(search, reading_network(layers, channels, reading_levels(levels), false));
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
    NetworkSpec s = reading_network(10, 64, 1, false);
    placements(search, &s, 0, 0, 2, 3, count_network);
}

/* In the one reading that gives the 0.31 of no pooling. */
static void count_plain(Search *search, NetworkSpec s)
{
    reading_count(search, reading_giga(s));
}

static void any_placement(Search *search)
{
    NetworkSpec s = reading_network(10, 64, 1, false);
    placements(search, &s, 0, 0, 1, 10, count_plain);
}

/* Our model over the predefined one, for every number of levels. */
static void count_ratio(Search *search, NetworkSpec s)
{
    for (int levels = 2; levels <= 6; levels++)
        reading_count(search,
                      reading_giga(reading_network(10, 64, reading_levels(levels), false)) / reading_giga(s));
}

static void ratio_to_predefined(Search *search)
{
    NetworkSpec s = reading_network(10, 64, 1, false);
    placements(search, &s, 0, 0, 2, 3, count_ratio);
}

/* No pooling over every placement that pools at all. */
static void count_no_pooling_over(Search *search, NetworkSpec s)
{
    if (s.kept[s.layers - 1] > 1)
        reading_count(search, reading_giga(reading_network(10, 64, 1, false)) / reading_giga(s));
}

static void no_pooling_over_pooled(Search *search)
{
    NetworkSpec s = reading_network(10, 64, 1, false);
    placements(search, &s, 0, 0, 1, 10, count_no_pooling_over);
}

/* One of five levels a layer: the eight hidden layers between the first and the last are alike in cost, so
 * the number at each level is what counts. */
static void one_level(Search *search, NetworkSpec *s, int layer, bool monotone)
{
    if (layer == s->layers - 1) {
        for (int r = 0; r < 5; r++)
            if (!monotone || layer == 0 || 1u << r >= s->kept[layer - 1]) {
                s->kept[layer] = 1u << r;
                reading_count(search, reading_giga(*s));
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
    NetworkSpec s = reading_network(10, 64, 1, false);
    one_level(search, &s, 0, false);
}

static void one_level_diagonal(Search *search)
{
    NetworkSpec s = reading_network(10, 64, 1, false);
    one_level(search, &s, 0, true);
}

/* Of the eight hidden layers so many keep each of five levels, the first and the last layer keep all; a layer
 * keeps at least one level. */
static void thresholds(Search *search)
{
    const NetworkSpec all = reading_network(10, 64, reading_levels(5), false);
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
            reading_count(search, macs / 1e9);
    }
}

const Space readings_of_costs[] = {
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
    {"no-pooling-over-pooled", ABOVE, no_pooling_over_pooled, "every placement that pools"},
    {"ours-over-predefined", EQUAL, ratio_to_predefined,
     "R = 2..6 x every placement in stages of 2 or 3 layers"},
    {0},
};
