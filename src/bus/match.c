/*
 * match.c - looking a subject up: the walk over the trie, the flattened match, the cache.
 *
 * The walk collects into a COLLECTOR, a scratch match whose arrays grow and are kept for the next
 * look-up, so that a subject seen once (an inbox) costs no allocation. A publish made from inside
 * a delivery needs a second collector while the first is in use: collectors form a stack of idle
 * ones, as deep as deliveries nest. A subject seen twice gets a compact copy in the cache.
 *
 * Recursion: one level a token, so at most BUS_SUBJECT_MAX / 2 levels of a small frame. A subject
 * with an empty token ("a..b") matches nothing, not even a wildcard, as in nats-server.
 *
 * Strangers choose patterns and queue names, so nothing here costs more than the nodes and
 * receivers found, times the logarithm of the groups; and a match of very many receivers is not
 * kept, since thousands of such copies would be more memory than the subscriptions are.
 */
#include "base/mem.h"
#include "bus/index_node.h"
#include "wire/nats_subject.h"

#include <errno.h>
#include <stdlib.h>

#define CACHED_RECEIVERS_MAX 1024u /* of one match; delivering to more dwarfs finding them */

/* A group found, and when: members of one name keep the order of the walk. */
struct source {
    const struct index_group *group;
    uint32_t order;
};

struct index_collector {
    struct bus_match match; /* first: a scratch match is freed back to its collector */
    struct index_collector *next_spare;
    struct bus_subscription **plain;
    struct source *sources;
    struct bus_subscription **members;
    struct match_remote *remotes;
    struct match_group *groups;
    uint32_t plain_cap, source_count, source_cap, member_cap, remote_cap, group_cap;
    bool failed;
};

/* Room for one more element of an array that doubles. */
static bool grow(void *address_of_array, uint32_t *cap, uint32_t count, size_t size) {
    if (count < *cap)
        return true;
    uint32_t wanted = *cap ? *cap * 2 : 8;
    while (wanted <= count)
        wanted *= 2;
    void *old;
    memcpy(&old, address_of_array, sizeof old);
    void *grown = mem_realloc(old, wanted * size);
    if (!grown)
        return false;
    memcpy(address_of_array, &grown, sizeof grown);
    *cap = wanted;
    return true;
}

static void collect_node(struct index_collector *c, struct index_node *node) {
    c->match.shards |= node->shards;
    struct list_node *at, *following;
    list_each(&node->plain, at, following) {
        if (!grow(&c->plain, &c->plain_cap, c->match.plain_count, sizeof *c->plain)) {
            c->failed = true;
            return;
        }
        c->plain[c->match.plain_count++] = container_of(at, struct bus_subscription, in_node);
    }
    const struct map_entry *entry;
    for (size_t i = 0; node->groups && (entry = map_next(node->groups, &i));) {
        if (!grow(&c->sources, &c->source_cap, c->source_count, sizeof *c->sources)) {
            c->failed = true;
            return;
        }
        c->sources[c->source_count] = (struct source){entry->value, c->source_count};
        c->source_count++;
    }
}

static void walk(const struct index *index, struct index_collector *c, struct index_node *node,
                 slice rest) {
    slice token;
    if (!nats_subject_next(&rest, &token)) {
        collect_node(c, node);
        return;
    }
    if (node->rest)
        collect_node(c, node->rest);
    if (node->star)
        walk(index, c, node->star, rest);
    struct index_node *child = index_child(index, node, token);
    if (child)
        walk(index, c, child, rest);
}

static bool group_add_source(struct index_collector *c, struct match_group *group,
                             const struct index_group *source, uint32_t *members,
                             uint32_t *remotes) {
    struct list_node *at, *following;
    list_each(&source->members, at, following) {
        if (!grow(&c->members, &c->member_cap, *members, sizeof *c->members))
            return false;
        c->members[(*members)++] = container_of(at, struct bus_subscription, in_node);
        group->member_count++;
        group->weight++;
    }
    for (uint32_t i = 0; i < source->remote_count; i++) {
        if (!grow(&c->remotes, &c->remote_cap, *remotes, sizeof *c->remotes))
            return false;
        c->remotes[(*remotes)++] = source->remotes[i];
        group->remote_count++;
        group->weight += source->remotes[i].members;
    }
    return true;
}

static slice source_name(const struct index_group *source) {
    return slice_make(source->name, source->name_len);
}

static int compare_sources(const void *left, const void *right) {
    const struct source *a = left, *b = right;
    int order = slice_compare(source_name(a->group), source_name(b->group));
    return order ? order : (a->order > b->order) - (a->order < b->order);
}

/* Merges the groups found by name. */
static bool collect_groups(struct index_collector *c) {
    uint32_t members = 0, remotes = 0;
    qsort(c->sources, c->source_count, sizeof *c->sources, compare_sources);
    for (uint32_t i = 0; i < c->source_count;) {
        slice name = source_name(c->sources[i].group);
        if (!grow(&c->groups, &c->group_cap, c->match.group_count, sizeof *c->groups))
            return false;
        struct match_group *group = &c->groups[c->match.group_count++];
        *group = (struct match_group){.name = name};
        for (; i < c->source_count && slice_equal(source_name(c->sources[i].group), name); i++)
            if (!group_add_source(c, group, c->sources[i].group, &members, &remotes))
                return false;
    }
    uint32_t member = 0, remote = 0; /* the arrays have stopped moving: point into them */
    for (uint32_t i = 0; i < c->match.group_count; i++) {
        struct match_group *group = &c->groups[i];
        group->members = c->members ? c->members + member : NULL;
        group->remotes = c->remotes ? c->remotes + remote : NULL;
        member += group->member_count;
        remote += group->remote_count;
    }
    return true;
}

static struct index_collector *collector_take(struct index *index) {
    struct index_collector *c = index->spare;
    if (c)
        index->spare = c->next_spare;
    else
        c = mem_zalloc(1, sizeof *c);
    if (c) {
        c->match = (struct bus_match){.refs = 1};
        c->source_count = 0;
        c->failed = false;
    }
    return c;
}

static void collector_give(struct index *index, struct index_collector *c) {
    c->next_spare = index->spare;
    index->spare = c;
}

static void match_unref(struct bus_match *match) {
    check(match->refs > 0);
    if (--match->refs == 0)
        mem_free(match);
}

void index_put(struct index *index, struct bus_match *match) {
    if (match->subject.ptr)
        match_unref(match);
    else
        collector_give(index, container_of(match, struct index_collector, match));
}

/* A compact copy of a scratch match in one block. NULL where memory runs out, or it is too large.
 */
static struct bus_match *match_copy(const struct bus_match *from, slice subject) {
    size_t members = 0, remotes = 0;
    for (uint32_t i = 0; i < from->group_count; i++) {
        members += from->groups[i].member_count;
        remotes += from->groups[i].remote_count;
    }
    if (from->plain_count + members + remotes > CACHED_RECEIVERS_MAX)
        return NULL;
    size_t size = sizeof *from + from->group_count * sizeof *from->groups +
                  (from->plain_count + members) * sizeof *from->plain +
                  remotes * sizeof(struct match_remote) + subject.len;
    struct bus_match *match = mem_alloc(size);
    if (!match)
        return NULL;
    *match = *from;
    match->groups = (struct match_group *)(void *)(match + 1);
    match->plain = (struct bus_subscription **)(void *)(match->groups + from->group_count);
    struct bus_subscription **member = match->plain + from->plain_count;
    struct match_remote *remote = (struct match_remote *)(void *)(member + members);
    if (from->plain_count)
        memcpy(match->plain, from->plain, from->plain_count * sizeof *from->plain);
    for (uint32_t i = 0; i < from->group_count; i++) {
        const struct match_group *group = &from->groups[i];
        match->groups[i] = *group;
        match->groups[i].members = member;
        match->groups[i].remotes = remote;
        for (uint32_t j = 0; j < group->member_count; j++)
            *member++ = group->members[j];
        for (uint32_t j = 0; j < group->remote_count; j++)
            *remote++ = group->remotes[j];
    }
    match->subject = slice_make(remote, subject.len);
    memcpy(remote, subject.ptr, subject.len);
    match->refs = 1;
    return match;
}

static void route_set(struct index *index, struct bus_route *route, struct bus_match *match) {
    if (!route || route->match == match) {
        if (route)
            route->generation = index->generation;
        return;
    }
    bus_route_clear(route);
    match->refs++;
    route->match = match;
    route->generation = index->generation;
}

void bus_route_clear(struct bus_route *route) {
    if (route->match)
        match_unref(route->match);
    *route = (struct bus_route){0};
}

static struct index_slot *slot_of(struct index *index, uint64_t hash) {
    return &index->cache[(uint32_t)hash & (INDEX_CACHE_SLOTS - 1)];
}

static uint32_t mark_of(uint64_t hash) {
    return (uint32_t)(hash >> 32) | 1;
}

static void slot_clear(struct index_slot *slot) {
    if (slot->match)
        match_unref(slot->match);
    slot->match = NULL;
    slot->mark = 0;
}

/* Caches what COLLECTOR found where this subject missed here before; returns what to deliver by. */
static struct bus_match *cache_consider(struct index *index, struct index_collector *c,
                                        slice subject, uint64_t hash, struct bus_route *route) {
    struct index_slot *slot = slot_of(index, hash);
    if (slot->seen != mark_of(hash)) {
        slot->seen = mark_of(hash);
        return &c->match;
    }
    struct bus_match *match = match_copy(&c->match, subject);
    if (!match)
        return &c->match;
    collector_give(index, c);
    match->hash = hash;
    match->generation = index->wildcard_generation;
    slot_clear(slot);
    slot->match = match;
    slot->mark = mark_of(hash);
    match->refs++;
    route_set(index, route, match);
    return match;
}

static bool has_empty_token(slice subject) {
    slice token;
    while (nats_subject_next(&subject, &token))
        if (token.len == 0)
            return true;
    return false;
}

struct bus_match *index_find(struct index *index, slice subject, struct bus_route *route) {
    if (route && route->match && route->generation == index->generation &&
        slice_equal(route->match->subject, subject)) {
        index->hits++;
        route->match->refs++;
        return route->match;
    }
    uint64_t hash = hash_slice(&index->key, subject);
    const struct index_slot *slot = slot_of(index, hash);
    struct bus_match *cached = slot->mark == mark_of(hash) ? slot->match : NULL;
    if (cached && cached->hash == hash && cached->generation == index->wildcard_generation &&
        slice_equal(cached->subject, subject)) {
        index->hits++;
        route_set(index, route, cached);
        cached->refs++;
        return cached;
    }
    index->misses++;
    struct index_collector *c = collector_take(index);
    if (!c)
        return NULL;
    if (!has_empty_token(subject))
        walk(index, c, index->root, subject);
    bool found = !c->failed && (c->source_count == 0 || collect_groups(c));
    c->match.plain = c->plain;
    c->match.groups = c->groups;
    if (!found) {
        collector_give(index, c);
        return NULL;
    }
    return cache_consider(index, c, subject, hash, route);
}

void index_changed(struct index *index, slice subject) {
    index->generation++;
    if (nats_subject_has_wildcard(subject)) {
        index->wildcard_generation++;
        return;
    }
    struct index_slot *slot = slot_of(index, hash_slice(&index->key, subject));
    if (slot->match && slice_equal(slot->match->subject, subject))
        slot_clear(slot);
}

void index_cache_close(struct index *index) {
    for (uint32_t i = 0; i < INDEX_CACHE_SLOTS; i++)
        slot_clear(&index->cache[i]);
    while (index->spare) {
        struct index_collector *c = index->spare;
        index->spare = c->next_spare;
        mem_free(c->plain);
        mem_free(c->sources);
        mem_free(c->members);
        mem_free(c->remotes);
        mem_free(c->groups);
        mem_free(c);
    }
}
