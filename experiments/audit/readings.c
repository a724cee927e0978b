/* Spaces of readings. See readings.h. What the paper leaves open of its costs: the number of levels R, the
 * head (a convolution to the classes, or a linear layer behind L convolutions), and whether a
 * multiply-accumulate is one operation or two. Costs are in 10^9, as the cells are.
 *
 * Claims: s3.2.negligible s4.2.x-times-cost fig2.index s2.three-convolutions s3.1.fewer-parameters
 * eq4.factors s3.2.finest-dearest s3.2.quarter s3.2.cost-under-two s3.2.cost-under-four-thirds eq6.factors
 * s3.5.fewer-parameters t1.no-pooling.cost t1.predefined.cost t1.scale-invariant.cost t1.ours.cost
 * t1.thr-0.1.cost t1.thr-0.2.cost t1.one-res.cost t1.predefined.cost-any t1.one-res.cost-diagonal
 * t1.cost-unit t1.joint-reading t1.parameters s4.2.no-pooling-dearer t4.fabric-sparse.parameters
 * t4.fabric-dense.parameters t4.ours-64.parameters t4.ours-128.parameters t4.eff.parameters t4.ours-64.cost
 * t4.ours-128.cost t4.eff.cost t4.sparse-bytes. */
#include "readings_search.h"
#include <math.h>
#include <string.h>

void reading_count(Search *search, double value)
{
    Readings *found = search->found;
    if (found->all == 0 || fabs(value - search->paper) < fabs(found->nearest - search->paper))
        found->nearest = value;
    found->all++;
    found->given += search->relation == BELOW   ? value < search->paper
                    : search->relation == ABOVE ? value > search->paper
                                                : fabs(value - search->paper) <= search->half + 1e-9;
}

NetworkSpec reading_network(int layers, int channels, unsigned kept, bool linear)
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

double reading_giga(NetworkSpec s)
{
    return network_cost(&s).macs / 1e9;
}

unsigned reading_levels(int count)
{
    return (1u << count) - 1;
}

static const Space *space_of(const char *name)
{
    static const Space *const tables[] = {readings_of_costs, readings_of_systems, readings_of_ratios};
    for (int t = 0; t < 3; t++)
        for (const Space *space = tables[t]; space->name; space++)
            if (strcmp(space->name, name) == 0)
                return space;
    return NULL;
}

bool readings_known(const char *name)
{
    return space_of(name) != NULL;
}

bool readings_count(Readings *readings, const char *name, double paper, int digits, Error *error)
{
    const Space *space = space_of(name);
    if (!space)
        return fail(error, "there is no space of readings `%s`", name);
    *readings = (Readings){.space = space->space};
    Search search = {paper, 0.5 * pow(10, -digits), space->relation, readings};
    space->search(&search);
    return true;
}
