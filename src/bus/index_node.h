/*
 * index_node.h - the trie's nodes, for index.c (which builds it) and match.c (which walks it).
 *
 * Node states are implied: a node exists while it has children, subscriptions, groups or other
 * shards' interest, or is the root; index.c prunes upwards whenever one of these goes.
 */
#ifndef NONET_BUS_INDEX_NODE_H
#define NONET_BUS_INDEX_NODE_H

#include "base/map.h"
#include "bus/index.h"

/* One queue group under one pattern. */
struct index_group {
    struct list members; /* of this shard */
    uint32_t member_count;
    uint32_t remote_count;        /* used entries of remotes */
    struct match_remote *remotes; /* other shards with members, grown one by one */
    uint16_t name_len;
    char name[];
};

struct index_node {
    struct index_node *parent;
    struct index_node *star, *rest; /* the children '*' and '>' */
    struct map *groups;             /* queue -> struct index_group; NULL: none */
    struct list plain;
    uint32_t plain_count;
    uint32_t children; /* wildcards included */
    uint64_t shards;   /* bit per other shard with plain interest */
    uint64_t hash;     /* of (parent, token): its place in the table */
    uint16_t token_len;
    char token[];
};

static inline uint64_t index_child_hash(const struct index *index, const struct index_node *parent,
                                        slice token) {
    return hash_slice(&index->key, token) ^ hash_mix64((uint64_t)(uintptr_t)parent);
}

/* PARENT's child by the literal TOKEN, or NULL. */
static inline struct index_node *index_child(const struct index *index,
                                             const struct index_node *parent, slice token) {
    uint64_t hash = index_child_hash(index, parent, token);
    uint32_t mask = index->table_size - 1;
    for (uint32_t at = (uint32_t)hash & mask; index->table[at]; at = (at + 1) & mask) {
        struct index_node *node = index->table[at];
        if (node->hash == hash && node->parent == parent && node->token_len == token.len &&
            memcmp(node->token, token.ptr, token.len) == 0)
            return node;
    }
    return NULL;
}

/* The node of exactly this pattern, or NULL. */
struct index_node *index_node_find(const struct index *index, slice subject);

/* match.c's side: an interest in SUBJECT (a pattern) has changed. */
void index_changed(struct index *index, slice subject);
/* match.c's side of index_open and index_close. */
void index_cache_close(struct index *index);

#endif
