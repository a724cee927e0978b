/* Central differences. The step balances rounding, about 2^-53 / h, against truncation, about h^2: the cube
 * root of 2^-53 times the size of x, and both errors are then near 1e-10. */
#include "gradient.h"
#include <math.h>

enum { MOST = 2000 };

/* The difference quotient at x[i]; false if a kink lies in the step. */
static bool quotient(double *value, GradientCheck check, size_t i, uint64_t pattern)
{
    const double x = check.x[i], h = 6e-6 * fmax(1, fabs(x));
    /* The steps as the rounded sums really make them. */
    const volatile double right = x + h, left = x - h;
    check.x[i] = right;
    Outcome plus = check.forward(check.context);
    check.x[i] = left;
    Outcome minus = check.forward(check.context);
    check.x[i] = x;
    *value = (plus.loss - minus.loss) / (right - left);
    return plus.pattern == pattern && minus.pattern == pattern;
}

GradientResult gradient_measure(GradientCheck check)
{
    double quotients[MOST], claims[MOST], largest = 0;
    const size_t examined = check.count < MOST ? check.count : MOST;
    size_t compared = 0;
    const uint64_t pattern = check.forward(check.context).pattern;
    for (size_t k = 0; k < examined; k++) {
        size_t i = (size_t)((double)k * check.count / examined);
        double value;
        if (!quotient(&value, check, i, pattern))
            continue;
        quotients[compared] = value;
        claims[compared++] = check.gradient[i];
        largest = fmax(largest, fabs(value));
    }
    check.forward(check.context);
    /* A gradient that is 0 everywhere has no unit: it must be claimed exactly. */
    Difference d = largest > 0 ? compare_double(claims, quotients, largest, compared)
                               : compare_exact_double(claims, quotients, compared);
    return (GradientResult){d, examined, examined - compared};
}

bool gradient_right(GradientResult result)
{
    return within(result.difference, GRADIENT_LIMIT) &&
           result.difference.count >= GRADIENT_SHARE * result.examined;
}

double dot(const double *a, const double *b, size_t count)
{
    double sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += a[i] * b[i];
    return sum;
}

double dot_gauge(const double *a, const double *b, size_t count)
{
    double sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += fabs(a[i] * b[i]);
    return sum;
}

static uint64_t pattern_add(uint64_t pattern, uint64_t word)
{
    return (pattern ^ (word + 1)) * 0x100000001b3u + 0x9e3779b97f4a7c15u;
}

uint64_t pattern_signs(uint64_t pattern, const double *x, size_t count)
{
    for (size_t i = 0; i < count; i++)
        pattern = pattern_add(pattern, x[i] > 0);
    return pattern;
}

uint64_t pattern_maxima(uint64_t pattern, const double *x, int maps, int height, int width, int factor)
{
    for (int map = 0; map < maps; map++)
        for (int row = 0; row < height; row += factor)
            for (int column = 0; column < width; column += factor) {
                const double *square = x + ((size_t)map * height + row) * width + column;
                int best = 0;
                for (int p = 1; p < factor * factor; p++)
                    if (square[p / factor * width + p % factor] >
                        square[best / factor * width + best % factor])
                        best = p;
                pattern = pattern_add(pattern, (uint64_t)best);
            }
    return pattern;
}
