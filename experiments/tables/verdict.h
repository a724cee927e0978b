/* Verdicts: from an estimate and what the paper prints to one word of a fixed vocabulary. The rules were
 * fixed before the runs; every function is total, and less than two seeds a side decide nothing. */
#ifndef NOPOOL_VERDICT_H
#define NOPOOL_VERDICT_H

#include "statistics.h"

/* Points of accuracy under which a difference does not matter: the paper's design, single runs on 10,000 test
 * images at 92.5%, sees 0.57 points with 33% power; and its last digits are tenths. */
#define MARGIN 0.5

typedef enum {
    DIFFERENCE_UNDECIDED,
    DIFFERENCE_CONFIRMED,
    DIFFERENCE_OTHER_SIZE,
    DIFFERENCE_IN_DIRECTION, /* the sign is sure, the size undecided */
    DIFFERENCE_NEGLIGIBLE,   /* the sign is sure, the size inside the margin */
    DIFFERENCE_ABSENT,       /* equivalent to none */
    DIFFERENCE_CONTRADICTED
} DifferenceVerdict;

/* "undecided", "confirmed", "confirmed, other size", "in direction", "negligible", "absent", "contradicted".
 */
const char *difference_word(DifferenceVerdict verdict);

/* "A beats B by x", d = A - B, and with x < 0 B beats A. In points on x's side:
 *   confirmed      95% interval of d above 0, 90% interval of d - x inside +-margin
 *   negligible     95% interval of d above 0, 90% interval of d inside +-margin
 *   other size     95% interval of d above 0, 95% interval of d - x clear of 0, |d - x| beyond the margin
 *   in direction   95% interval of d above 0
 *   absent         90% interval of d inside +-margin
 *   contradicted   95% interval of d below 0
 * The first that holds; else undecided. What lies inside the margin is not called confirmed unless the
 * paper's own x is met. x = 0 is a claim of equality. */
DifferenceVerdict verdict_difference(Estimate d, double x, double margin);

/* "A beats B", without a size; sign is that of the claim. The same rules but for those with x, and
 * `confirmed` where they say in direction. */
DifferenceVerdict verdict_direction(Estimate d, int sign, double margin);

/* "A equals B", "no loss": confirmed only by equivalence, the 90% interval inside +-margin (two one-sided
 * tests at 5%); contradicted if the 95% interval is wholly outside it; else undecided. */
DifferenceVerdict verdict_equality(Estimate d, double margin);

/* "A is comparable to B or better": confirmed if the 90% interval is above -margin (one test at 5%);
 * contradicted if the 95% interval is wholly below it; else undecided. */
DifferenceVerdict verdict_not_worse(Estimate d, double margin);

typedef enum {
    VALUE_UNDECIDED,
    VALUE_REPRODUCED,
    VALUE_COMPATIBLE, /* inside, but the interval is too wide to tell */
    VALUE_LOWER,      /* ours is lower than the paper's */
    VALUE_HIGHER,
    VALUE_SELECTED /* met only by the best epoch on the test set */
} ValueVerdict;

/* "undecided", "reproduced", "compatible", "lower", "higher", "only with test-set selection". */
const char *value_word(ValueVerdict verdict);

/* A printed cell is one run: met if the paper's value, with half a unit of its last digit (0.05 for 92.5),
 * meets the 95% prediction interval; then reproduced if that interval's half width is at most the margin,
 * else compatible. `best` are the same runs' best epochs on the test set, with their own spread. */
ValueVerdict verdict_value(double paper, double half_digit, Sample last, Spread last_spread, Sample best,
                           Spread best_spread, double margin);

/* Of a printed cost in 10^9 multiply-accumulates, to two decimals, of a network that its options fix. */
bool cost_holds(double paper, double macs);

/* Of printed millions of parameters, to one decimal. */
bool parameters_hold(double paper, double parameters);

#endif
