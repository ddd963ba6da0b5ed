/*
 * index.h - equality look-up of a relation's rows: a hash of some columns -> the ids of rows.
 *
 *   slots   [ hash | first ] …            open addressing, a slot a distinct hash
 *   nodes   [ id | next ] …               the rows of one hash, newest first
 *
 * An index knows hashes and ids only; who asks compares the rows themselves, since two keys may
 * share a hash and since versions of a row stay in until they are vacuumed. Adding is O(1); taking
 * out walks the rows of that hash.
 */
#ifndef NONET_SQL_STORE_INDEX_H
#define NONET_SQL_STORE_INDEX_H

#include "base/check.h"

#include <stdbool.h>
#include <stdint.h>

#define INDEX_NONE UINT32_MAX

struct index_slot {
    uint64_t hash;
    uint32_t first; /* node; INDEX_NONE: the slot was never used */
};

struct index_node {
    uint64_t id;
    uint32_t next;
};

struct row_index {
    struct index_slot *slots;
    uint32_t size, used; /* slots: a power of two, and those taken (they stay so when empty) */
    struct index_node *nodes;
    uint32_t node_room, node_count, free_node;
};

void row_index_free(struct row_index *x);
/* 0 or -ENOMEM. */
must_use int row_index_add(struct row_index *x, uint64_t hash, uint64_t id);
void row_index_remove(struct row_index *x, uint64_t hash, uint64_t id);
/* The first node of HASH and the one after NODE; INDEX_NONE: none. */
uint32_t row_index_first(const struct row_index *x, uint64_t hash);
static inline uint32_t row_index_next(const struct row_index *x, uint32_t node) {
    return x->nodes[node].next;
}
static inline uint64_t row_index_id(const struct row_index *x, uint32_t node) {
    return x->nodes[node].id;
}
uint64_t row_index_bytes(const struct row_index *x);

#endif
