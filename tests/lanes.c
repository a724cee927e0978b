/* Lanes for tests. The conversions are written anew here, index by index, so that they also check the sets'
 * own. */
#include "lanes.h"
#include "compare.h"
#include <check.h>
#include <math.h>
#include <string.h>

/* Channels in a word of the version under test. */
static int unit = 1;
static const Kernels *used;
static bool of_ref;

const Kernels *use_version(int index)
{
    const Kernels *versions[MAX_ISAS];
    const bool bf16 = index >= MAX_ISAS;
    const int count = kernels_versions(versions, bf16 ? "bf16" : "f32");
    of_ref = false;
    unit = bf16 ? 2 : 1;
    numbers_have_bits(bf16 ? 8 : 24);
    used = index % MAX_ISAS < count ? versions[index % MAX_ISAS] : NULL;
    if (used)
        compare_subject(used->name, used->instruction_set);
    return used;
}

void use_ref(void)
{
    unit = 1;
    numbers_have_bits(24);
    used = NULL;
    of_ref = true;
    compare_subject("ref", "double");
}

bool ref_is_used(void)
{
    return of_ref;
}

const Kernels *version_used(void)
{
    return used;
}

const Kernels *loop_set(int i, int rows)
{
    return use_version(i / rows);
}

int f32_count(void)
{
    const Kernels *versions[MAX_ISAS];
    return kernels_versions(versions, "f32");
}

const Kernels *f32_at(int index)
{
    return index < f32_count() ? use_version(index) : NULL;
}

static int padded(int channels)
{
    return (channels + unit - 1) / unit * unit;
}

/* The word of image n and channel c. */
static size_t word_at(Shape s, int n, int c, int pixel)
{
    const size_t units = (size_t)padded(s.c) / unit;
    return (size_t)(n / LANES) * s.h * s.w * units * LANES + (pixel * units + c / unit) * LANES + n % LANES;
}

static void put(Word *words, Shape s, int n, int c, int pixel, float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    if (unit == 1)
        memcpy(words + word_at(s, n, c, pixel), &bits, 4);
    else
        memcpy((char *)(words + word_at(s, n, c, pixel)) + 2 * (c % 2), (char *)&bits + 2, 2);
}

static float get(const Word *words, Shape s, int n, int c, int pixel)
{
    uint32_t bits = 0;
    if (unit == 1)
        memcpy(&bits, words + word_at(s, n, c, pixel), 4);
    else
        memcpy((char *)&bits + 2, (const char *)(words + word_at(s, n, c, pixel)) + 2 * (c % 2), 2);
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

Word *lanes(Shape s)
{
    s.c = padded(s.c) / unit;
    return floats(lanes_count(s));
}

Word *to_lanes(const double *x, Shape s, float empty)
{
    Word *y = lanes(s);
    for (int n = 0; n < lanes_groups(s.n) * LANES; n++)
        for (int c = 0; c < padded(s.c); c++)
            for (int p = 0; p < s.h * s.w; p++) {
                const double value = c < s.c && n < s.n ? x[((size_t)n * s.c + c) * s.h * s.w + p] : 0;
                put(y, s, n, c, p, n < s.n || c >= s.c ? (float)value : empty);
            }
    return y;
}

float *from_lanes(const Word *x, Shape s)
{
    float *y = floats(shape_count(s));
    for (int n = 0; n < s.n; n++)
        for (int p = 0; p < s.h * s.w; p++) {
            for (int c = 0; c < s.c; c++)
                y[((size_t)n * s.c + c) * s.h * s.w + p] = get(x, s, n, c, p);
            ck_assert_msg(padded(s.c) == s.c || get(x, s, n, s.c, p) == 0,
                          "the channel beyond the last is not 0");
        }
    return y;
}

static size_t matrix_at(Shape s, int n, int c)
{
    return ((size_t)(n / LANES) * s.c + c) * LANES + n % LANES;
}

float *matrix(Shape s)
{
    return floats(lanes_count(s));
}

float *to_matrix(const double *x, Shape s, float empty)
{
    float *y = matrix(s);
    for (int n = 0; n < lanes_groups(s.n) * LANES; n++)
        for (int c = 0; c < s.c; c++)
            y[matrix_at(s, n, c)] = n < s.n ? (float)x[(size_t)n * s.c + c] : empty;
    return y;
}

float *from_matrix(const float *x, Shape s)
{
    float *y = floats(shape_count(s));
    for (int n = 0; n < s.n; n++)
        for (int c = 0; c < s.c; c++)
            y[(size_t)n * s.c + c] = x[matrix_at(s, n, c)];
    return y;
}

float *as_floats(const double *x, size_t count)
{
    float *y = floats(count);
    for (size_t i = 0; i < count; i++)
        y[i] = (float)x[i];
    return y;
}

double *as_doubles(const float *x, size_t count)
{
    double *y = doubles(count);
    for (size_t i = 0; i < count; i++)
        y[i] = x[i];
    return y;
}

double *absolute(const double *x, size_t count)
{
    double *y = doubles(count);
    for (size_t i = 0; i < count; i++)
        y[i] = fabs(x[i]);
    return y;
}

double *zeros(size_t count)
{
    double *y = doubles(count);
    memset(y, 0, count * sizeof *y);
    return y;
}

void *scratch_of(size_t bytes)
{
    return doubles((bytes + sizeof(double) - 1) / sizeof(double));
}

double roundings(double n)
{
    return n / (1 - n * 0x1p-24);
}

double depthwise_weights_roundings(Shape s)
{
    const bool pairs = used && (strcmp(used->instruction_set, "avx512bf16") == 0 ||
                                strcmp(used->instruction_set, "amx") == 0);
    return roundings((pairs ? 2 : 1) * s.h * s.w + 2);
}

double run_roundings(void)
{
    return unit == 2 ? roundings(BF16_RUN + 1) : 0;
}

double stored(double n, double stores)
{
    return roundings(n) + (unit == 2 ? stores * 0x1p16 * (1 + stores * 0x1p-8) : 0);
}

void add_stores(double *gauge, const double *y, size_t count, double n, double stores)
{
    for (size_t i = 0; i < count; i++)
        gauge[i] += (stored(n, stores) / roundings(n) - 1) * (fabs(y[i]) + roundings(n) * 0x1p-24 * gauge[i]);
}
