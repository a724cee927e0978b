/* Verdicts. See verdict.h, which states every rule. */
#include "verdict.h"
#include <math.h>

const char *difference_word(DifferenceVerdict verdict)
{
    static const char *const words[] = {[DIFFERENCE_UNDECIDED] = "undecided",
                                        [DIFFERENCE_CONFIRMED] = "confirmed",
                                        [DIFFERENCE_OTHER_SIZE] = "confirmed, other size",
                                        [DIFFERENCE_IN_DIRECTION] = "in direction",
                                        [DIFFERENCE_NEGLIGIBLE] = "negligible",
                                        [DIFFERENCE_ABSENT] = "absent",
                                        [DIFFERENCE_CONTRADICTED] = "contradicted"};
    return words[verdict];
}

const char *value_word(ValueVerdict verdict)
{
    static const char *const words[] = {
        [VALUE_UNDECIDED] = "undecided",   [VALUE_REPRODUCED] = "reproduced",
        [VALUE_COMPATIBLE] = "compatible", [VALUE_LOWER] = "lower",
        [VALUE_HIGHER] = "higher",         [VALUE_SELECTED] = "only with test-set selection"};
    return words[verdict];
}

static bool inside(Interval i, double margin)
{
    return -margin < i.low && i.high < margin;
}

static Estimate shifted(Estimate e, double by)
{
    e.mean += by;
    return e;
}

static bool decides(Estimate e)
{
    return e.n >= 2 && e.df > 0;
}

/* The side that the claim is on counts as above 0. */
static Estimate facing(Estimate e, double sign)
{
    if (sign < 0)
        e.mean = -e.mean;
    return e;
}

DifferenceVerdict verdict_direction(Estimate d, int sign, double margin)
{
    if (!decides(d))
        return DIFFERENCE_UNDECIDED;
    d = facing(d, sign);
    const Interval i95 = estimate_interval(d, 0.95), i90 = estimate_interval(d, 0.90);
    if (i95.low > 0)
        return inside(i90, margin) ? DIFFERENCE_NEGLIGIBLE : DIFFERENCE_CONFIRMED;
    return inside(i90, margin) ? DIFFERENCE_ABSENT
           : i95.high < 0      ? DIFFERENCE_CONTRADICTED
                               : DIFFERENCE_UNDECIDED;
}

DifferenceVerdict verdict_difference(Estimate d, double x, double margin)
{
    if (x == 0)
        return verdict_equality(d, margin);
    const DifferenceVerdict direction = verdict_direction(d, x > 0 ? 1 : -1, margin);
    const bool above = direction == DIFFERENCE_CONFIRMED || direction == DIFFERENCE_NEGLIGIBLE;
    const Estimate off = shifted(d, -x);
    const Interval off95 = estimate_interval(off, 0.95);
    if (above && inside(estimate_interval(off, 0.90), margin))
        return DIFFERENCE_CONFIRMED;
    if (direction != DIFFERENCE_CONFIRMED)
        return direction;
    return (off95.low > 0 || off95.high < 0) && fabs(off.mean) > margin ? DIFFERENCE_OTHER_SIZE
                                                                        : DIFFERENCE_IN_DIRECTION;
}

DifferenceVerdict verdict_equality(Estimate d, double margin)
{
    if (!decides(d))
        return DIFFERENCE_UNDECIDED;
    const Interval i95 = estimate_interval(d, 0.95);
    if (inside(estimate_interval(d, 0.90), margin))
        return DIFFERENCE_CONFIRMED;
    return i95.low > margin || i95.high < -margin ? DIFFERENCE_CONTRADICTED : DIFFERENCE_UNDECIDED;
}

DifferenceVerdict verdict_not_worse(Estimate d, double margin)
{
    if (!decides(d))
        return DIFFERENCE_UNDECIDED;
    if (estimate_interval(d, 0.90).low > -margin)
        return DIFFERENCE_CONFIRMED;
    return estimate_interval(d, 0.95).high < -margin ? DIFFERENCE_CONTRADICTED : DIFFERENCE_UNDECIDED;
}

static bool meets(Interval i, double value, double half_digit)
{
    return i.low <= value + half_digit && value - half_digit <= i.high;
}

ValueVerdict verdict_value(double paper, double half_digit, Sample last, Spread last_spread, Sample best,
                           Spread best_spread, double margin)
{
    if (last.n < 2 || last_spread.df <= 0)
        return VALUE_UNDECIDED;
    const Interval i = prediction_interval(last, last_spread, 0.95);
    if (meets(i, paper, half_digit))
        return (i.high - i.low) / 2 <= margin ? VALUE_REPRODUCED : VALUE_COMPATIBLE;
    if (meets(prediction_interval(best, best_spread, 0.95), paper, half_digit))
        return VALUE_SELECTED;
    return last.mean < paper ? VALUE_LOWER : VALUE_HIGHER;
}

bool cost_holds(double paper, double macs)
{
    return fabs(macs / 1e9 - paper) <= 0.005;
}

bool parameters_hold(double paper, double parameters)
{
    return fabs(parameters / 1e6 - paper) <= 0.05;
}
