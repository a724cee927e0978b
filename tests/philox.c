/* Draws worked out by hand: see philox.h. */
#include "philox.h"
#include <string.h>

void plain_philox(uint32_t out[4], const uint32_t counter[4], const uint32_t key[2])
{
    uint32_t c[4], k[2] = {key[0], key[1]};
    memcpy(c, counter, sizeof c);
    for (int round = 0; round < 10; round++) {
        uint64_t left = UINT64_C(0xD2511F53) * c[0], right = UINT64_C(0xCD9E8D57) * c[2];
        uint32_t next[4] = {(uint32_t)(right >> 32) ^ c[1] ^ k[0], (uint32_t)right,
                            (uint32_t)(left >> 32) ^ c[3] ^ k[1], (uint32_t)left};
        memcpy(c, next, sizeof c);
        k[0] += UINT32_C(0x9E3779B9);
        k[1] += UINT32_C(0xBB67AE85);
    }
    memcpy(out, c, sizeof c);
}

int plain_permutation(uint32_t *permutation, int count, uint64_t seed, uint32_t stream, uint32_t a)
{
    int rejected = 0;
    for (int i = 0; i < count; i++)
        permutation[i] = (uint32_t)i;
    for (uint32_t i = (uint32_t)count - 1; i > 0; i--) {
        uint32_t key[2] = {(uint32_t)seed, (uint32_t)(seed >> 32)}, words[4], counter[4] = {stream, a, i, 0};
        uint64_t range = (uint64_t)i + 1, product;
        for (int draw = 0;; draw++) {
            counter[3] = (uint32_t)draw / 4;
            plain_philox(words, counter, key);
            product = words[draw % 4] * range;
            if (product % (UINT64_C(1) << 32) >= (UINT64_C(1) << 32) % range)
                break;
            rejected++;
        }
        uint32_t j = (uint32_t)(product >> 32), moved = permutation[i];
        permutation[i] = permutation[j];
        permutation[j] = moved;
    }
    return rejected;
}
