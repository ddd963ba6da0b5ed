/*
 * state.h - how operators keep rows: bytes in slabs, found by a hash or in an order.
 *
 *      sql_index   [hash, entry][hash, entry]...   open addressing, hashes beside the pointers
 *                            |
 *                            v
 *      sql_slab    entry: { key_len, …the operator's own…, key bytes, row bytes }
 *                            ^
 *      sql_tree    root -> node -> node            a treap over memcmp() keys, weights summed up
 *
 * One entry costs its bytes rounded up to 16 and no call of the allocator. All that the operators
 * of a plan take is counted in one sql_budget; at its bound they get NULL or -ENOBUFS and the plan
 * fails with 53200. An entry begins with its key's length; where the key's bytes lie is said once
 * for all entries of a kind (key_at). No order of anything that comes out depends on an address
 * or on the seed of the hash: indexes are iterated over to free what they hold only.
 */
#ifndef NONET_SQL_EXEC_STATE_H
#define NONET_SQL_EXEC_STATE_H

#include "base/check.h"
#include "base/slice.h"

/* What the operators of one plan hold together. */
struct sql_budget {
    uint64_t used, max; /* bytes */
    uint64_t rows;      /* entries */
};

/* BYTES more, taken elsewhere. 0 or -ENOBUFS. */
must_use int sql_budget_take(struct sql_budget *b, uint64_t bytes);
static inline void sql_budget_give(struct sql_budget *b, uint64_t bytes) {
    b->used -= bytes;
}

/* ---- memory ------------------------------------------------------------------------------- */

#define SQL_SLAB_CLASSES 64u /* of 16, 32, … 1024 bytes; larger ones come from the allocator */

struct sql_slab {
    struct sql_budget *budget;
    void *free[SQL_SLAB_CLASSES];
    char *at;
    size_t left, chunk_bytes; /* of the newest chunk; size of the next */
    void *chunks;             /* linked by their first word */
    struct sql_slab_large *large;
};

void sql_slab_make(struct sql_slab *s, struct sql_budget *budget);
void sql_slab_free(struct sql_slab *s);
/* SIZE bytes, not cleared, aligned to 16; NULL at the bound or without memory. */
must_use void *sql_slab_take(struct sql_slab *s, size_t size);
/* SIZE as it was taken. */
void sql_slab_give(struct sql_slab *s, void *pointer, size_t size);

/* ---- by hash ------------------------------------------------------------------------------ */

struct sql_slot {
    uint64_t hash;
    void *entry; /* begins with uint32_t key_len; NULL: empty */
};

struct sql_index {
    struct sql_budget *budget;
    struct sql_slot *slots;
    size_t capacity, count; /* capacity: 0 or a power of two */
    unsigned key_at;        /* offset of the key's bytes in an entry */
};

uint64_t sql_hash_bytes(uint64_t seed, slice bytes);

void sql_index_make(struct sql_index *i, struct sql_budget *budget, unsigned key_at);
void sql_index_free(struct sql_index *i);
/* The entry with KEY, or NULL. */
void *sql_index_find(const struct sql_index *i, uint64_t hash, slice key);
/* Adds ENTRY, whose key is not in yet. 0, -ENOBUFS or -ENOMEM. */
must_use int sql_index_add(struct sql_index *i, uint64_t hash, void *entry);
/* Room as it was saved, in an index that has none yet. 0, -EBADMSG (no such CAPACITY, or it has),
   -ENOBUFS or -ENOMEM. */
must_use int sql_index_reserve(struct sql_index *i, uint64_t capacity);
/* Takes ENTRY out, which is in. */
void sql_index_remove(struct sql_index *i, uint64_t hash, const void *entry);
static inline void sql_index_prefetch(const struct sql_index *i, uint64_t hash) {
    if (i->capacity)
        __builtin_prefetch(&i->slots[hash & (i->capacity - 1)]);
}

/* ---- in order ----------------------------------------------------------------------------- */

/* The head of an entry that is in a tree; key_len first, as everywhere. */
struct sql_node {
    uint32_t key_len;
    uint32_t priority; /* of the treap: a parent's is not below its children's */
    struct sql_node *left, *right, *parent;
    int64_t weight; /* change it by sql_tree_weigh */
    int64_t total;  /* of all weights in its subtree */
};

/* What all trees of an operator share. */
struct sql_order {
    unsigned key_at;
    uint64_t sequence; /* gives priorities, the same at every run */
};

struct sql_tree {
    struct sql_node *root;
};

static inline slice sql_node_key(const struct sql_order *o, const struct sql_node *n) {
    return slice_make((const char *)n + o->key_at, n->key_len);
}
struct sql_node *sql_tree_find(const struct sql_tree *t, const struct sql_order *o, slice key);
/* The first node whose key is not below KEY; NULL: none. */
struct sql_node *sql_tree_at_least(const struct sql_tree *t, const struct sql_order *o, slice key);
/* Adds N, whose key_len, key and weight are set, and whose key is not in yet. */
void sql_tree_add(struct sql_tree *t, struct sql_order *o, struct sql_node *n);
/* The same of a node that was saved: 0, or -EBADMSG where its key is not above all others. */
must_use int sql_tree_append(struct sql_tree *t, struct sql_order *o, struct sql_node *n);
void sql_tree_remove(struct sql_tree *t, struct sql_node *n);
void sql_tree_weigh(struct sql_node *n, int64_t change);
struct sql_node *sql_tree_first(const struct sql_tree *t);
struct sql_node *sql_tree_last(const struct sql_tree *t);
struct sql_node *sql_node_next(const struct sql_node *n);
struct sql_node *sql_node_prev(const struct sql_node *n);
/* The sum of the weights before N. */
int64_t sql_node_before(const struct sql_node *n);

#endif
