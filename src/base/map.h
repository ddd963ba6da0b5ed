/*
 * map.h - a hash map from byte strings to pointers, kept in insertion order.
 *
 *      index:   [ . | 2 | . | x | 0 | . | 1 | . ]     open addressing, hash bits + entry number
 *      entries: [ e0 ][ e1 ][ e2 ] ...                 in the order they were added, dense
 *
 * Lookup touches the index (8 bytes a slot, hash bits compared there) and then one entry.
 * Iteration walks the entries, so its order does not depend on the hash: the same run with another
 * key does the same thing, which simulation and tests rely on. Removal leaves a hole that the next
 * rebuild closes, so removing any entry, the current one too, is fine during iteration; adding is
 * not. The hash is keyed per map (hash.h), because strangers choose the keys.
 *
 * Keys are borrowed: the bytes must live and stay as they are while their entry does, and usually
 * lie inside the value. Values are never NULL. At most `max` entries: the next add is refused with
 * -ENOBUFS. -ENOMEM leaves the map as it was. One thread at a time.
 */
#ifndef NONET_BASE_MAP_H
#define NONET_BASE_MAP_H

#include "base/check.h"
#include "base/hash.h"
#include "base/slice.h"

#define MAP_MAX_ENTRIES ((size_t)1 << 30)

struct map_entry {
    slice key;
    uint64_t hash;
    void *value; /* NULL in a hole */
};

struct map_slot {
    uint32_t bits;  /* low half of the hash */
    uint32_t entry; /* entry number + 1; 0 = never used, UINT32_MAX = removed */
};

struct map {
    struct map_entry *entries;
    struct map_slot *index;
    size_t count;      /* live entries */
    size_t used;       /* entries in use, holes included */
    size_t taken;      /* index slots that are not empty, removed ones included */
    size_t index_size; /* a power of two, or 0 before the first add */
    size_t max;
    struct hash_key key;
};

/* An empty map for at most MAX entries (at most MAP_MAX_ENTRIES). Allocates nothing. */
struct map map_make(struct hash_key key, size_t max);

/* Frees the map's memory, not the keys and values. The map is then empty and usable. */
void map_free(struct map *m);

/* Removes every entry, keeps the memory. */
void map_clear(struct map *m);

/* The value of KEY, or NULL. */
void *map_find(const struct map *m, slice key);

/* The same with the hash already known: hash_slice(&m->key, key). */
void *map_find_hashed(const struct map *m, slice key, uint64_t hash);

/* Adds. 0, -EEXIST (the old value stays), -ENOBUFS or -ENOMEM. */
must_use int map_add(struct map *m, slice key, void *value);

/* Adds or replaces key and value; *RET_OLD (unless NULL) is the value that was replaced or NULL. */
must_use int map_set(struct map *m, slice key, void *value, void **ret_old);

/* Removes KEY and returns its value, or NULL. Never fails for memory. */
void *map_remove(struct map *m, slice key);

static inline size_t map_count(const struct map *m) {
    return m->count;
}

/* Next entry in insertion order, NULL after the last. Start with *CURSOR = 0:
       for (size_t at = 0; (entry = map_next(&m, &at));) ... */
const struct map_entry *map_next(const struct map *m, size_t *cursor);

#define _cleanup_map_ __attribute__((cleanup(map_free)))

#endif
