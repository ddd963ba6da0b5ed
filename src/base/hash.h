/*
 * hash.h - hashing of keys that strangers choose, and of integers that we choose.
 *
 * Subjects, client ids and header names come from outside. With an unkeyed hash an attacker sends
 * keys that all fall into one bucket and turns every lookup into a walk. SipHash with a secret
 * 128-bit key makes such sets impossible to find; the variant with 1 round per word and 3 at the
 * end (Rust's and Python's choice for tables) costs about 10 ns for a 16 byte key. It sits on the
 * path of every message, so it is inline.
 *
 * base has no randomness: the caller gives the key (io's random in production, a constant in tests
 * and simulation), which may differ at each start. A hash that goes to disk is one under a
 * constant, and nothing depends on two of them being different (bus/consumer_order.c).
 */
#ifndef NONET_BASE_HASH_H
#define NONET_BASE_HASH_H

#include "base/slice.h"

struct hash_key {
    uint64_t low;
    uint64_t high;
};

struct hash_state {
    uint64_t a, b, c, d;
};

static inline uint64_t hash_rotate(uint64_t x, unsigned bits) {
    return (x << bits) | (x >> (64 - bits));
}

static inline void hash_round(struct hash_state *s) {
    s->a += s->b;
    s->b = hash_rotate(s->b, 13) ^ s->a;
    s->a = hash_rotate(s->a, 32);
    s->c += s->d;
    s->d = hash_rotate(s->d, 16) ^ s->c;
    s->a += s->d;
    s->d = hash_rotate(s->d, 21) ^ s->a;
    s->c += s->b;
    s->b = hash_rotate(s->b, 17) ^ s->c;
    s->c = hash_rotate(s->c, 32);
}

/* Eight bytes, little end first whatever the machine. */
static inline uint64_t hash_load(const char *at) {
    uint64_t word;
    memcpy(&word, at, 8);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    word = __builtin_bswap64(word);
#endif
    return word;
}

static inline uint64_t hash_load_4(const char *at) {
    uint32_t word;
    memcpy(&word, at, 4);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    word = __builtin_bswap32(word);
#endif
    return word;
}

/* The last 0 to 7 bytes, below the length in the top byte (SipHash's padding). */
static inline uint64_t hash_tail(const char *at, size_t left, size_t len) {
    uint64_t word = (uint64_t)len << 56;
    if (left >= 4) { /* the halves overlap, and agree where they do */
        return word | hash_load_4(at) | hash_load_4(at + left - 4) << (8 * (left - 4));
    }
    for (size_t i = 0; i < left; i++)
        word |= (uint64_t)(unsigned char)at[i] << (8 * i);
    return word;
}

/* SipHash with WORD_ROUNDS per 8 bytes and END_ROUNDS at the end. Call hash_slice. */
static inline __attribute__((always_inline)) uint64_t
hash_sip(const struct hash_key *key, slice bytes, int word_rounds, int end_rounds) {
    struct hash_state s = {key->low ^ 0x736f6d6570736575u, key->high ^ 0x646f72616e646f6du,
                           key->low ^ 0x6c7967656e657261u, key->high ^ 0x7465646279746573u};
    size_t left = bytes.len;
    const char *at = bytes.ptr;
    for (; left >= 8; left -= 8, at += 8) {
        uint64_t word = hash_load(at);
        s.d ^= word;
        for (int i = 0; i < word_rounds; i++)
            hash_round(&s);
        s.a ^= word;
    }
    uint64_t last = hash_tail(at, left, bytes.len);
    s.d ^= last;
    for (int i = 0; i < word_rounds; i++)
        hash_round(&s);
    s.a ^= last;
    s.c ^= 0xff;
    for (int i = 0; i < end_rounds; i++)
        hash_round(&s);
    return s.a ^ s.b ^ s.c ^ s.d;
}

/* SipHash-1-3 of BYTES under KEY. */
static inline uint64_t hash_slice(const struct hash_key *key, slice bytes) {
    return hash_sip(key, bytes, 1, 3);
}

/* The reference variant, SipHash-2-4, whose published vectors prove the rounds above. */
uint64_t hash_slice_sip24(const struct hash_key *key, slice bytes);

/* Spreads an integer over all 64 bits, one to one. Not keyed: for ids that we hand out ourselves;
   xor a seed in where others choose. */
static inline uint64_t hash_mix64(uint64_t x) {
    x ^= x >> 32;
    x *= 0xd6e8feb86659fd93u;
    x ^= x >> 32;
    x *= 0xd6e8feb86659fd93u;
    x ^= x >> 32;
    return x;
}

/* FNV-1a of BYTES, 32 bits, going on from HASH (HASH_FNV1A_START at first). For numbers that others
   compute as well, or that must stay the same for ever; not against keys that strangers choose. */
#define HASH_FNV1A_START 2166136261u
static inline uint32_t hash_fnv1a(uint32_t hash, slice bytes) {
    for (size_t i = 0; i < bytes.len; i++)
        hash = (hash ^ (uint8_t)bytes.ptr[i]) * 16777619u;
    return hash;
}

#endif
