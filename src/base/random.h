/*
 * random.h - a small repeatable generator (xoshiro256**): one seed, one sequence, on any machine.
 *
 * For simulation, the example's generator and jitter. NOT for secrets: who sees some outputs can
 * compute the rest. Keys, nonces, tokens and hash seeds come from io's random.
 */
#ifndef NONET_BASE_RANDOM_H
#define NONET_BASE_RANDOM_H

#include <stddef.h>
#include <stdint.h>

struct random {
    uint64_t state[4];
};

/* The generator of SEED; every seed, 0 too, is good, and near seeds are unrelated. */
struct random random_make(uint64_t seed);

/* Uniform over all 64-bit values. */
uint64_t random_u64(struct random *r);

/* Uniform over 0 .. BOUND-1 without bias; BOUND > 0. */
uint64_t random_below(struct random *r, uint64_t bound);

/* Uniform over [0, 1), 53 bits. */
double random_double(struct random *r);

/* Fills LEN bytes at OUT. */
void random_bytes(struct random *r, void *out, size_t len);

#endif
