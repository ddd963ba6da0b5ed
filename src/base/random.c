#include "base/random.h"

#include "base/check.h"

#include <string.h>

static uint64_t rotate(uint64_t x, unsigned bits) {
    return (x << bits) | (x >> (64 - bits));
}

/* splitmix64: spreads one seed over the whole state, which must not be all zero. */
static uint64_t spread(uint64_t *seed) {
    uint64_t x = (*seed += 0x9e3779b97f4a7c15u);
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

struct random random_make(uint64_t seed) {
    struct random r;
    for (size_t i = 0; i < array_count(r.state); i++)
        r.state[i] = spread(&seed);
    return r;
}

uint64_t random_u64(struct random *r) {
    uint64_t *s = r->state;
    uint64_t result = rotate(s[1] * 5, 7) * 9;
    uint64_t shifted = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= shifted;
    s[3] = rotate(s[3], 45);
    return result;
}

/* The high word of a 128-bit product is nearly uniform; the few low words that would make some
   results more likely are drawn again (Lemire). */
uint64_t random_below(struct random *r, uint64_t bound) {
    check(bound > 0);
    unsigned __int128 product = (unsigned __int128)random_u64(r) * bound;
    if ((uint64_t)product < bound) {
        uint64_t refuse_below = -bound % bound;
        while ((uint64_t)product < refuse_below)
            product = (unsigned __int128)random_u64(r) * bound;
    }
    return (uint64_t)(product >> 64);
}

double random_double(struct random *r) {
    return (double)(random_u64(r) >> 11) * 0x1.0p-53;
}

void random_bytes(struct random *r, void *out, size_t len) {
    unsigned char *at = out;
    uint64_t word = 0;
    for (size_t i = 0; i < len; i++) {
        if (i % 8 == 0)
            word = random_u64(r);
        at[i] = (unsigned char)(word >> (8 * (i % 8)));
    }
}
