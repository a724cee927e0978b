/* Random streams on Philox 4x32-10: see random.h. */
#include "random.h"
#include <Random123/philox.h>
#include <assert.h>
#include <gsl/gsl_cdf.h>

static void philox(uint32_t words[4], uint64_t seed, Stream stream, uint32_t a, uint32_t b, uint32_t attempt)
{
    philox4x32_ctr_t counter = {{(uint32_t)stream, a, b, attempt}};
    philox4x32_key_t key = {{(uint32_t)seed, (uint32_t)(seed >> 32)}};
    philox4x32_ctr_t drawn = philox4x32(counter, key);
    for (int i = 0; i < 4; i++)
        words[i] = drawn.v[i];
}

void random_words(uint32_t words[4], uint64_t seed, Stream stream, uint32_t a, uint32_t b)
{
    philox(words, seed, stream, a, b, 0);
}

double random_normal(uint64_t seed, Stream stream, uint32_t a, uint32_t b)
{
    uint32_t words[4];
    random_words(words, seed, stream, a, b);
    uint64_t bits = (uint64_t)words[0] << 32 | words[1];
    /* An odd multiple of 2^-53: exact in a double, symmetric about 1/2, and never 0 or 1, where the inverse
     * is infinite. */
    double uniform = ((double)(bits >> 12) + 0.5) * 0x1p-52;
    return gsl_cdf_ugaussian_Pinv(uniform);
}

/* Uniform in 0..range-1. The high half of word * range is biased only through the words whose low half is
 * under 2^32 mod range: those are drawn again, first from the other words, then at the next attempt. */
static uint32_t draw_below(uint32_t range, uint64_t seed, Stream stream, uint32_t a, uint32_t position)
{
    uint32_t biased = (UINT32_MAX - range + 1) % range;
    for (uint32_t attempt = 0;; attempt++) {
        uint32_t words[4];
        philox(words, seed, stream, a, position, attempt);
        for (int i = 0; i < 4; i++) {
            uint64_t product = (uint64_t)words[i] * range;
            if ((uint32_t)product >= biased)
                return (uint32_t)(product >> 32);
        }
    }
}

void random_permutation(uint32_t *permutation, int count, uint64_t seed, Stream stream, uint32_t a)
{
    assert(count >= 0);
    for (int i = 0; i < count; i++)
        permutation[i] = (uint32_t)i;
    for (int i = count - 1; i > 0; i--) {
        uint32_t j = draw_below((uint32_t)i + 1, seed, stream, a, (uint32_t)i);
        uint32_t moved = permutation[i];
        permutation[i] = permutation[j];
        permutation[j] = moved;
    }
}
