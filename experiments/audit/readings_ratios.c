/* Readings of several costs together: their sums over the levels, their ratios, their unit. See
 * readings_search.h. */
#include "readings_search.h"
#include <math.h>

/* The R of the readings that give three unpruned costs and both parameter counts at once. */
static void joint(Search *search)
{
    for (int levels = 2; levels <= 6; levels++)
        for (int linear = 0; linear < 2; linear++)
            for (int operations = 1; operations <= 2; operations++) {
                const NetworkSpec narrow = reading_network(10, 64, reading_levels(levels), linear),
                                  wide = reading_network(8, 128, reading_levels(levels), linear);
                const bool given =
                    fabs(operations * reading_giga(reading_network(10, 64, 1, linear)) - 0.31) <= 0.005 &&
                    fabs(operations * reading_giga(narrow) - 0.41) <= 0.005 &&
                    fabs(operations * reading_giga(wide) - 1.23) <= 0.005 &&
                    fabs((double)network_cost(&narrow).weights / 1e6 - 0.3) <= 0.05 &&
                    fabs((double)network_cost(&wide).weights / 1e6 - 0.9) <= 0.05;
                if (given)
                    reading_count(search, levels);
            }
}

/* Sums over the levels that start at the factor 1, at 2, or run over even factors: which give the printed
 * cost. */
static void factors(Search *search)
{
    const double one = reading_giga(reading_network(10, 64, 1, false));
    for (int rule = 0; rule < 3; rule++) {
        double sum = 0;
        for (int r = 0; r < 5; r++) {
            const double factor = rule == 0 ? 1 << r : rule == 1 ? 2 << r : 2 * (r + 1);
            sum += one / (factor * factor);
        }
        reading_count(search, sum);
    }
}

/* The column says MFLOPS: in millions. */
static void unit(Search *search)
{
    for (int operations = 1; operations <= 2; operations++)
        reading_count(search, operations * reading_giga(reading_network(10, 64, 1, false)) * 1000);
}

/* All levels over the finest one. */
static void ratio_of_levels(Search *search)
{
    for (int levels = 2; levels <= 6; levels++)
        for (int wide = 0; wide < 2; wide++)
            reading_count(
                search,
                reading_giga(reading_network(wide ? 8 : 10, wide ? 128 : 64, reading_levels(levels), false)) /
                    reading_giga(reading_network(wide ? 8 : 10, wide ? 128 : 64, 1, false)));
}

static void ratio_of_neighbours(Search *search)
{
    const NetworkSpec s = reading_network(10, 64, reading_levels(6), false);
    const Cost cost = network_cost(&s);
    for (int l = 0; l < 10; l++)
        for (int r = 0; r < 5; r++)
            reading_count(search, cost.level_macs[l][r] / cost.level_macs[l][r + 1]);
}

/* The finest level over all the others together. */
static void finest_share(Search *search)
{
    for (int levels = 2; levels <= 6; levels++) {
        const double one = reading_giga(reading_network(10, 64, 1, false));
        reading_count(search,
                      one / (reading_giga(reading_network(10, 64, reading_levels(levels), false)) - one));
    }
}

/* Of a hidden layer, in per cent of its convolutions' operations, two a multiply-accumulate: pooling, 3
 * comparisons or 4 operations of an average for each pixel of a coarser level, and for each coarser level at
 * each pixel of the finest one an addition, with bilinear upsampling three interpolations of 3 operations
 * more. */
static void sampling(Search *search)
{
    for (int levels = 2; levels <= 6; levels++)
        for (int wide = 0; wide < 2; wide++)
            for (int average = 0; average < 2; average++)
                for (int bilinear = 0; bilinear < 2; bilinear++) {
                    double pixels = 0;
                    for (int r = 1; r < levels; r++)
                        pixels += pow(0.25, r);
                    const double pooling = (average ? 4 : 3) * pixels,
                                 upsampling = (levels - 1) * (bilinear ? 10 : 1),
                                 convolution = 2 * 9 * (wide ? 128 : 64) * (1 + pixels);
                    reading_count(search, 100 * (pooling + upsampling) / convolution);
                }
}

const Space readings_of_ratios[] = {
    {"joint", ABOVE, joint,
     "those of R = 2..6 x 2 heads x 1 or 2 operations that give all of 0.31, 0.41, 1.23, 0.3M and 0.9M"},
    {"factors", EQUAL, factors, "factors 1,2,4,.. or 2,4,8,.. or 2,4,6,.."},
    {"unit", EQUAL, unit, "1 or 2 operations, in millions"},
    {"levels-over-one", BELOW, ratio_of_levels, "R = 2..6 x 2 sizes"},
    {"level-over-next", EQUAL, ratio_of_neighbours, "10 layers x 5 pairs of neighbouring levels"},
    {"sampling-over-convolution", BELOW, sampling,
     "R = 2..6 x 64 or 128 channels x maximum or average x nearest or bilinear"},
    {"finest-over-rest", ABOVE, finest_share, "R = 2..6"},
    {0},
};
