/*
 * index.c - building the trie of index.h: nodes, their table, groups, pruning.
 *
 * The table holds every node but the root and the wildcard children, with linear probing at most
 * three quarters full; removal shifts the following run back, so there are no tombstones and a
 * look-up stops at the first empty slot.
 */
#include "bus/index.h"

#include "base/mem.h"
#include "bus/index_node.h"
#include "wire/nats_subject.h"

#include <errno.h>

#define TABLE_SIZE_FIRST 256u

static struct index_node *node_new(struct index_node *parent, slice token, uint64_t hash) {
    struct index_node *node = mem_zalloc(1, sizeof *node + token.len);
    if (!node)
        return NULL;
    node->parent = parent;
    node->hash = hash;
    node->token_len = (uint16_t)token.len;
    if (token.len)
        memcpy(node->token, token.ptr, token.len);
    list_init(&node->plain);
    return node;
}

int index_open(struct index *index, struct hash_key key) {
    memset(index, 0, sizeof *index);
    index->key = key;
    index->generation = index->wildcard_generation = 1;
    index->root = node_new(NULL, (slice){0}, 0);
    index->table = mem_zalloc(TABLE_SIZE_FIRST, sizeof *index->table);
    if (!index->root || !index->table) {
        index->root = mem_free(index->root);
        index->table = mem_free(index->table);
        return -ENOMEM;
    }
    index->table_size = TABLE_SIZE_FIRST;
    return 0;
}

static void table_place(struct index *index, struct index_node *node) {
    uint32_t mask = index->table_size - 1;
    uint32_t at = (uint32_t)node->hash & mask;
    while (index->table[at])
        at = (at + 1) & mask;
    index->table[at] = node;
}

static int table_make_room(struct index *index) {
    if (index->node_count < index->table_size / 4 * 3)
        return 0;
    struct index_node **old = index->table;
    uint32_t old_size = index->table_size;
    if (old_size > UINT32_MAX / 4)
        return -ENOBUFS;
    struct index_node **table = mem_zalloc((size_t)old_size * 2, sizeof *table);
    if (!table)
        return -ENOMEM;
    index->table = table;
    index->table_size = old_size * 2;
    for (uint32_t i = 0; i < old_size; i++)
        if (old[i])
            table_place(index, old[i]);
    mem_free(old);
    return 0;
}

static void table_remove(struct index *index, const struct index_node *node) {
    uint32_t mask = index->table_size - 1;
    uint32_t hole = (uint32_t)node->hash & mask;
    while (index->table[hole] != node) {
        check(index->table[hole]);
        hole = (hole + 1) & mask;
    }
    for (uint32_t at = (hole + 1) & mask; index->table[at]; at = (at + 1) & mask) {
        uint32_t home = (uint32_t)index->table[at]->hash & mask;
        if (((at - home) & mask) >= ((at - hole) & mask)) {
            index->table[hole] = index->table[at];
            hole = at;
        }
    }
    index->table[hole] = NULL;
    index->node_count--;
}

static bool is_star(slice token) {
    return token.len == 1 && token.ptr[0] == '*';
}

static bool is_rest(slice token) {
    return token.len == 1 && token.ptr[0] == '>';
}

/* NODE's child by a pattern's token, wildcards included. */
static struct index_node *pattern_child(const struct index *index, const struct index_node *node,
                                        slice token) {
    if (is_star(token))
        return node->star;
    if (is_rest(token))
        return node->rest;
    return index_child(index, node, token);
}

struct index_node *index_node_find(const struct index *index, slice subject) {
    struct index_node *node = index->root;
    slice token;
    while (node && nats_subject_next(&subject, &token))
        node = pattern_child(index, node, token);
    return node;
}

static struct index_node *child_add(struct index *index, struct index_node *node, slice token) {
    if (is_star(token) || is_rest(token)) {
        struct index_node *child = node_new(node, token, 0);
        if (child) {
            *(is_star(token) ? &node->star : &node->rest) = child;
            node->children++;
        }
        return child;
    }
    if (table_make_room(index))
        return NULL;
    struct index_node *child = node_new(node, token, index_child_hash(index, node, token));
    if (child) {
        table_place(index, child);
        index->node_count++;
        node->children++;
    }
    return child;
}

static bool node_is_bare(const struct index_node *node) {
    return node->parent && !node->children && !node->plain_count && !node->groups && !node->shards;
}

/* Frees NODE and its ancestors as far as nothing needs them. */
static void prune(struct index *index, struct index_node *node) {
    while (node && node_is_bare(node)) {
        struct index_node *parent = node->parent;
        if (parent->star == node)
            parent->star = NULL;
        else if (parent->rest == node)
            parent->rest = NULL;
        else
            table_remove(index, node);
        check(parent->children > 0);
        parent->children--;
        mem_free(node);
        node = parent;
    }
}

/* The node of SUBJECT, made where missing; NULL where memory runs out (nothing is left behind). */
static struct index_node *node_make(struct index *index, slice subject) {
    struct index_node *node = index->root;
    slice token;
    while (nats_subject_next(&subject, &token)) {
        struct index_node *child = pattern_child(index, node, token);
        if (!child)
            child = child_add(index, node, token);
        if (!child) {
            prune(index, node);
            return NULL;
        }
        node = child;
    }
    return node;
}

static struct index_group *group_find(const struct index_node *node, slice name) {
    return node->groups ? map_find(node->groups, name) : NULL;
}

static void groups_free_if_empty(struct index_node *node) {
    if (map_count(node->groups))
        return;
    map_free(node->groups);
    node->groups = mem_free(node->groups);
}

static struct index_group *group_add(struct index *index, struct index_node *node, slice name) {
    if (!node->groups) {
        node->groups = mem_alloc(sizeof *node->groups);
        if (!node->groups)
            return NULL;
        *node->groups = map_make(index->key, MAP_MAX_ENTRIES);
    }
    struct index_group *group = mem_zalloc(1, sizeof *group + name.len);
    if (group) {
        list_init(&group->members);
        group->name_len = (uint16_t)name.len;
        memcpy(group->name, name.ptr, name.len);
        if (map_add(node->groups, slice_make(group->name, name.len), group))
            group = mem_free(group);
    }
    groups_free_if_empty(node);
    return group;
}

static struct index_group *group_make(struct index *index, struct index_node *node, slice name) {
    struct index_group *group = group_find(node, name);
    return group ? group : group_add(index, node, name);
}

static void group_prune(struct index_node *node, struct index_group *group) {
    if (group->member_count || group->remote_count)
        return;
    void *removed = map_remove(node->groups, slice_make(group->name, group->name_len));
    check(removed == group);
    groups_free_if_empty(node);
    mem_free(group->remotes);
    mem_free(group);
}

static slice subscription_subject(const struct bus_subscription *s) {
    return slice_make(s->text, s->subject_len);
}

int index_add(struct index *index, struct bus_subscription *s) {
    struct index_node *node = node_make(index, subscription_subject(s));
    if (!node)
        return -ENOMEM;
    if (s->queue_len) {
        s->group = group_make(index, node, slice_make(s->text + s->subject_len, s->queue_len));
        if (!s->group) {
            prune(index, node);
            return -ENOMEM;
        }
        list_push_back(&s->group->members, &s->in_node);
        s->group->member_count++;
    } else {
        list_push_back(&node->plain, &s->in_node);
        node->plain_count++;
    }
    s->node = node;
    index_changed(index, subscription_subject(s));
    return 0;
}

void index_remove(struct index *index, struct bus_subscription *s) {
    check(s->node);
    list_remove(&s->in_node);
    if (s->group) {
        s->group->member_count--;
        group_prune(s->node, s->group);
    } else {
        s->node->plain_count--;
    }
    prune(index, s->node);
    s->node = NULL;
    s->group = NULL;
    index_changed(index, subscription_subject(s));
}

/* The entry of SHARD, or NULL. */
static struct match_remote *group_remote(const struct index_group *group, unsigned shard) {
    for (uint32_t i = 0; i < group->remote_count; i++)
        if (group->remotes[i].shard == shard)
            return &group->remotes[i];
    return NULL;
}

static int group_change_shard(struct index_group *group, unsigned shard, int change) {
    struct match_remote *remote = group_remote(group, shard);
    if (change < 0 && (!remote || remote->members < (uint32_t)-change))
        return -ENOENT; /* the news that it came was lost for lack of memory */
    if (!remote) {
        struct match_remote *grown =
            mem_realloc(group->remotes, (group->remote_count + 1) * sizeof *grown);
        if (!grown)
            return -ENOMEM;
        group->remotes = grown;
        remote = &grown[group->remote_count++];
        *remote = (struct match_remote){shard, 0};
    }
    remote->members = (uint32_t)((int)remote->members + change);
    if (remote->members == 0)
        *remote = group->remotes[--group->remote_count];
    return 0;
}

int index_set_shard(struct index *index, slice subject, slice queue, unsigned shard, int change) {
    check(shard < BUS_SHARDS_MAX && change != 0);
    struct index_node *node =
        change > 0 ? node_make(index, subject) : index_node_find(index, subject);
    if (!node)
        return -ENOMEM;
    int failed = 0;
    if (queue.len) {
        struct index_group *group =
            change > 0 ? group_make(index, node, queue) : group_find(node, queue);
        failed = group ? group_change_shard(group, shard, change) : -ENOMEM;
        if (group)
            group_prune(node, group);
    } else if (change > 0) {
        node->shards |= 1ull << shard;
    } else {
        node->shards &= ~(1ull << shard);
    }
    prune(index, node);
    index_changed(index, subject);
    return failed;
}

static void group_clear_shard(struct index_group *group, unsigned shard) {
    struct match_remote *remote = group_remote(group, shard);
    if (remote)
        *remote = group->remotes[--group->remote_count];
}

static void node_clear_shard(struct index_node *node, unsigned shard) {
    const struct map_entry *entry;
    node->shards &= ~(1ull << shard);
    for (size_t at = 0; node->groups && (entry = map_next(node->groups, &at));) {
        struct index_group *group = entry->value;
        group_clear_shard(group, shard);
        group_prune(node, group);
    }
    if (node->star)
        node_clear_shard(node->star, shard);
    if (node->rest)
        node_clear_shard(node->rest, shard);
}

/* Nodes that are bare afterwards stay until the next change under them: the interest is about to
   be announced again. */
void index_clear_shard(struct index *index, unsigned shard) {
    check(shard < BUS_SHARDS_MAX);
    node_clear_shard(index->root, shard);
    for (uint32_t i = 0; i < index->table_size; i++)
        if (index->table[i])
            node_clear_shard(index->table[i], shard);
    index->generation++;
    index->wildcard_generation++;
}

uint32_t index_local_count(struct index *index, slice subject, slice queue) {
    const struct index_node *node = index_node_find(index, subject);
    if (!node)
        return 0;
    if (!queue.len)
        return node->plain_count;
    const struct index_group *group = group_find(node, queue);
    return group ? group->member_count : 0;
}

bool index_is_wanted(const struct index *index, slice subject, slice queue) {
    const struct index_node *node = index_node_find(index, subject);
    if (!node)
        return false;
    if (!queue.len)
        return node->plain_count || node->shards;
    const struct index_group *group = group_find(node, queue);
    return group && (group->member_count || group->remote_count);
}

static void node_free(struct index_node *node) {
    const struct map_entry *entry;
    for (size_t at = 0; node->groups && (entry = map_next(node->groups, &at));) {
        struct index_group *group = entry->value;
        mem_free(group->remotes);
        mem_free(group);
    }
    if (node->groups)
        map_free(node->groups);
    mem_free(node->groups);
    if (node->star)
        node_free(node->star);
    if (node->rest)
        node_free(node->rest);
    mem_free(node);
}

void index_close(struct index *index) {
    index_cache_close(index);
    for (uint32_t i = 0; i < index->table_size; i++)
        if (index->table[i])
            node_free(index->table[i]);
    if (index->root)
        node_free(index->root);
    index->table = mem_free(index->table);
    index->root = NULL;
    index->table_size = index->node_count = 0;
}
