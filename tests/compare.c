/* The comparer. Every comparison below is written so that NaN fails. */
#include "compare.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const double EXACT = 0; /* as a gauge: any error is infinite */

/* Takes one element into account. */
static void measure(Difference *d, size_t at, double got, double ref, double gauge)
{
    double error = fabs(got - ref);
    double ratio = error == 0 ? 0 : error / gauge;
    if (!isfinite(got) || !isfinite(ref) || !(gauge >= 0) || isinf(gauge))
        ratio = INFINITY;
    if (ratio > d->ratio || d->count == 0)
        *d = (Difference){ratio, at, got, ref, gauge, d->count};
    d->count++;
}

Difference compare_gauged(const float *got, const double *ref, const double *gauge, size_t count)
{
    Difference d = {0};
    for (size_t i = 0; i < count; i++)
        measure(&d, i, got[i], ref[i], 0x1p-24 * gauge[i]);
    return d;
}

Difference compare_gauged_double(const double *got, const double *ref, const double *gauge, size_t count)
{
    Difference d = {0};
    for (size_t i = 0; i < count; i++)
        measure(&d, i, got[i], ref[i], 0x1p-53 * gauge[i]);
    return d;
}

Difference compare_double(const double *got, const double *ref, double scale, size_t count)
{
    Difference d = {0};
    for (size_t i = 0; i < count; i++)
        measure(&d, i, got[i], ref[i], scale > 0 ? scale : NAN);
    return d;
}

Difference compare_exact_float(const float *got, const double *ref, size_t count)
{
    Difference d = {0};
    for (size_t i = 0; i < count; i++)
        measure(&d, i, got[i], ref[i], EXACT);
    return d;
}

Difference compare_exact_double(const double *got, const double *ref, size_t count)
{
    Difference d = {0};
    for (size_t i = 0; i < count; i++)
        measure(&d, i, got[i], ref[i], EXACT);
    return d;
}

bool within(Difference d, double limit)
{
    return d.count > 0 && limit >= 0 && isfinite(limit) && d.ratio <= limit;
}

const char *describe(Difference d)
{
    static char text[256];
    if (d.count == 0)
        return "nothing was compared";
    snprintf(text, sizeof text, "ratio %.6g at %zu of %zu: got %.17g, expected %.17g, unit %.6g", d.ratio,
             d.at, d.count, d.got, d.ref, d.gauge);
    return text;
}

static char subject[64] = "-";

void compare_subject(const char *name, const char *instruction_set)
{
    snprintf(subject, sizeof subject, "%s %s", name, instruction_set);
}

void compare_record(const char *test, const char *what, Difference d, double limit)
{
    const char *path = getenv("NOPOOL_ERRORS");
    FILE *file = path ? fopen(path, "a") : NULL;
    if (!file)
        return;
    const char *suffix = strstr(test, "_fn"); /* which Check adds to a test's name */
    fprintf(file, "%.*s\t%s\t%s\t%zu\t%.6g\t%.6g\n", suffix ? (int)(suffix - test) : (int)strlen(test), test,
            what, subject, d.count, d.ratio, limit);
    fclose(file);
}
