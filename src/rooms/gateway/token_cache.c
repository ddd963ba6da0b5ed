/*
 * token_cache.c - a map and a list of use (token_cache.h).
 *
 *      by_key:  digest + realm -> entry
 *      by_use:  head <-> most recent <-> ... <-> least recent <-> head
 *
 * Every entry is in both. An entry's key lies inside the entry, as map.h wants it.
 */
#include "rooms/gateway/token_cache.h"

#include "base/list.h"
#include "base/map.h"
#include "base/mem.h"
#include "io/crypto.h"

#include <assert.h>
#include <errno.h>

struct entry_key {
    struct token_key token;
    uint32_t realm;
};
static_assert(sizeof(struct entry_key) == 36, "the map hashes its bytes: no padding");

struct entry {
    struct entry_key key;
    uint64_t generation;
    struct jwt *jwt;
    struct list_node by_use;
};

struct token_cache {
    struct map by_key;
    struct list by_use;
    size_t bytes_max;
    struct token_cache_stats stats;
};

static slice key_bytes(const struct entry_key *key) {
    return slice_make(key, sizeof *key);
}

int token_cache_new(struct hash_key hash_key, unsigned entries_max, size_t bytes_max,
                    struct token_cache **ret_cache) {
    check(entries_max > 0);
    struct token_cache *cache = mem_zalloc(1, sizeof *cache);
    if (!cache)
        return -ENOMEM;
    cache->by_key = map_make(hash_key, entries_max);
    list_init(&cache->by_use);
    cache->bytes_max = bytes_max;
    *ret_cache = cache;
    return 0;
}

static size_t entry_bytes(const struct jwt *jwt) {
    return sizeof(struct entry) + jwt->bytes;
}

/* Out of the map, out of the list, gone. */
static void drop(struct token_cache *cache, struct entry *e) {
    check(map_remove(&cache->by_key, key_bytes(&e->key)) == e);
    list_remove(&e->by_use);
    cache->stats.bytes -= entry_bytes(e->jwt);
    jwt_unref(e->jwt);
    mem_free(e);
}

void token_cache_clear(struct token_cache *cache) {
    struct list_node *node, *next;
    list_each(&cache->by_use, node, next) {
        drop(cache, container_of(node, struct entry, by_use));
    }
    check(map_count(&cache->by_key) == 0 && cache->stats.bytes == 0);
}

struct token_cache *token_cache_free(struct token_cache *cache) {
    if (!cache)
        return NULL;
    token_cache_clear(cache);
    map_free(&cache->by_key);
    return mem_free(cache);
}

struct token_key token_key(slice token) {
    struct token_key key;
    io_sha256(token, key.digest);
    return key;
}

struct jwt *token_cache_find(struct token_cache *cache, const struct token_key *key, uint32_t realm,
                             uint64_t generation, int64_t now_ns) {
    const struct entry_key wanted = {*key, realm};
    struct entry *e = map_find(&cache->by_key, key_bytes(&wanted));
    if (e && (e->generation != generation || e->jwt->expires_ns <= now_ns)) {
        drop(cache, e);
        e = NULL;
    }
    if (!e) {
        cache->stats.misses++;
        return NULL;
    }
    cache->stats.hits++;
    list_remove(&e->by_use);
    list_push_front(&cache->by_use, &e->by_use);
    return e->jwt;
}

/* Room for one more entry of BYTES. */
static void make_room(struct token_cache *cache, size_t bytes) {
    while (map_count(&cache->by_key) == cache->by_key.max ||
           cache->stats.bytes + bytes > cache->bytes_max) {
        drop(cache, container_of(list_last(&cache->by_use), struct entry, by_use));
        cache->stats.evicted++;
    }
}

int token_cache_put(struct token_cache *cache, const struct token_key *key, uint32_t realm,
                    uint64_t generation, struct jwt *jwt) {
    check(jwt->verified);
    const struct entry_key wanted = {*key, realm};
    struct entry *old = map_find(&cache->by_key, key_bytes(&wanted));
    size_t bytes = entry_bytes(jwt);
    if (old)
        drop(cache, old);
    if (bytes > cache->bytes_max)
        return -ENOBUFS;
    make_room(cache, bytes);
    struct entry *e = mem_alloc(sizeof *e);
    if (!e)
        return -ENOMEM;
    *e = (struct entry){.key = wanted, .generation = generation, .jwt = jwt};
    int failed = map_add(&cache->by_key, key_bytes(&e->key), e);
    if (failed) {
        mem_free(e);
        return failed;
    }
    jwt_ref(jwt);
    list_push_front(&cache->by_use, &e->by_use);
    cache->stats.bytes += bytes;
    return 0;
}

struct token_cache_stats token_cache_stats(const struct token_cache *cache) {
    struct token_cache_stats stats = cache->stats;
    stats.entries = (unsigned)map_count(&cache->by_key);
    return stats;
}
