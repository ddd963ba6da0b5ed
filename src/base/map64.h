/*
 * map64.h - a hash map from 64-bit ids to pointers.
 *
 *      slots: [ - | 17:p | x | 4:q | - | - | 9:r | - ]    - empty, x removed
 *
 * Linear probing over an array of (id, pointer): a lookup is usually one cache line. A removal
 * leaves a mark (or empties the slot at once where nothing probes past it), so entries never move
 * but in a rebuild and any entry may be removed during iteration; adding is not allowed then.
 * Iteration order follows the slots: the same for the same seed and history, otherwise unspecified.
 *
 * Values are never NULL. At most `max` entries, then -ENOBUFS; -ENOMEM leaves the map as it was.
 * One thread at a time.
 */
#ifndef NONET_BASE_MAP64_H
#define NONET_BASE_MAP64_H

#include "base/check.h"

#include <stdint.h>

#define MAP64_MAX_ENTRIES ((size_t)1 << 40)

struct map64_entry {
    uint64_t id;
    void *value; /* NULL = empty */
};

struct map64 {
    struct map64_entry *slots;
    size_t size;  /* a power of two, or 0 before the first add */
    size_t count; /* live entries */
    size_t taken; /* live entries and removal marks */
    size_t max;
    uint64_t seed;
};

/* An empty map for at most MAX entries. SEED matters where strangers choose the ids. */
struct map64 map64_make(uint64_t seed, size_t max);
void map64_free(struct map64 *m);
void map64_clear(struct map64 *m);

/* The value of ID, or NULL. */
void *map64_find(const struct map64 *m, uint64_t id);

/* Adds. 0, -EEXIST (the old value stays), -ENOBUFS or -ENOMEM. */
must_use int map64_add(struct map64 *m, uint64_t id, void *value);

/* Adds or replaces; *RET_OLD (unless NULL) is the value that was replaced or NULL. */
must_use int map64_set(struct map64 *m, uint64_t id, void *value, void **ret_old);

/* Removes ID and returns its value, or NULL. Never fails for memory. */
void *map64_remove(struct map64 *m, uint64_t id);

static inline size_t map64_count(const struct map64 *m) {
    return m->count;
}

/* Next entry, NULL after the last. Start with *CURSOR = 0. */
const struct map64_entry *map64_next(const struct map64 *m, size_t *cursor);

#define _cleanup_map64_ __attribute__((cleanup(map64_free)))

#endif
