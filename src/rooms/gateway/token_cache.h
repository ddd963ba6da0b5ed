/*
 * token_cache.h - tokens that have been verified, so that the next request with one costs a hash.
 *
 * A signature check takes ten to a hundred microseconds, proxying a whole request about ten: what
 * an authenticated gateway can carry is decided here. A client sends the same token for minutes.
 *
 *      token text --SHA-256--> key + realm --> entry (verified JWT, generation)   hit
 *                                         '--> nothing                            verify, then put
 *
 * The text itself is not kept, so that no dump of memory holds tokens that still work. Two tokens
 * are the same if their SHA-256 is, all 32 bytes.
 *
 * REALM is a number for the rules a token was held against: what one issuer's rules have
 * accepted says nothing about another's. GENERATION is raised with every change of these rules or
 * of their keys; entries of an earlier one are dead. An entry also dies at its token's expiry. What
 * is dead is dropped when it is found; the least recently used goes when room is needed.
 *
 * One cache a shard, without locks; a hit allocates nothing. Bounds: entries, and the memory of
 * the tokens in them.
 */
#ifndef NONET_GATEWAY_TOKEN_CACHE_H
#define NONET_GATEWAY_TOKEN_CACHE_H

#include "base/hash.h"
#include "rooms/gateway/jwt.h"

#define TOKEN_CACHE_ENTRIES_DEFAULT 10000u
#define TOKEN_CACHE_BYTES_DEFAULT ((size_t)32 << 20)

struct token_cache;

struct token_key {
    unsigned char digest[32];
};

/* HASH_KEY is random. 0 or -ENOMEM. */
must_use int token_cache_new(struct hash_key hash_key, unsigned entries_max, size_t bytes_max,
                             struct token_cache **ret_cache);
struct token_cache *token_cache_free(struct token_cache *cache); /* NULL allowed, returns NULL */

/* Half of what a hit costs; with it a token can be asked for in several realms. */
struct token_key token_key(slice token);

/* The verified token, or NULL. It is the cache's: count it to keep it past the next put. */
struct jwt *token_cache_find(struct token_cache *cache, const struct token_key *key, uint32_t realm,
                             uint64_t generation, int64_t now_ns);

/* Keeps JWT, which is verified, counting it; an entry of the same key and realm is replaced. 0;
   -ENOBUFS: it is larger than the whole cache may be; -ENOMEM. Nobody needs to care. */
int token_cache_put(struct token_cache *cache, const struct token_key *key, uint32_t realm,
                    uint64_t generation, struct jwt *jwt);

void token_cache_clear(struct token_cache *cache);

struct token_cache_stats {
    unsigned entries;
    size_t bytes;
    uint64_t hits, misses;
    uint64_t evicted; /* alive, for want of room */
};
struct token_cache_stats token_cache_stats(const struct token_cache *cache);

#endif
