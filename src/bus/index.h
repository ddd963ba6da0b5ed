/*
 * index.h - the subject index of one bus: who wants a subject.
 *
 * A trie by tokens. A node's children by literal token do not hang on the node: all nodes of the
 * trie lie in one open-addressing table keyed by (parent, token), so that a million inboxes with
 * one child each cost one small allocation a node and no half-empty maps. The two wildcard
 * children are pointers, since every look-up asks for them.
 *
 *      root ──"bid"──> node ──"eu"──> node: plain = {s1, s2}, shards = {2}
 *                        ├──'*'─────> node: groups = {"workers": {s3}, shard 1 x 4}
 *                        └──'>'─────> node: plain = {s4}
 *
 * A node holds this shard's own subscriptions, and of the other shards only their numbers: a bit
 * for plain interest, a count of members for each queue group.
 *
 * A MATCH is what a subject finds, flattened: the plain subscriptions, the set of other shards,
 * and the queue groups merged by name over all patterns. Matches of subjects seen twice are cached
 * (direct-mapped by hash; a second sighting is asked for so that inbox subjects, which come once,
 * do not push out those that come a million times). A change of a literal's interest drops that
 * one entry; a change of a wildcard's makes all entries stale by a generation number.
 *
 * A match is counted: the cache, a publisher's route, and a publish under way each hold it, and a
 * subscription that has ended stays in memory until the turn ends, so iterating is always safe.
 */
#ifndef NONET_BUS_INDEX_H
#define NONET_BUS_INDEX_H

#include "base/hash.h"
#include "base/list.h"
#include "bus/bus.h"

#define INDEX_CACHE_SLOTS 8192u /* a power of two */

struct index_group;
struct index_node;

/* The struct behind bus.h's handle; known here and in bus.c only. */
struct bus_subscription {
    struct list_node in_node; /* of the node's plain list or the group's members */
    struct list_node in_bus;
    struct index_node *node;
    struct index_group *group; /* NULL for a plain one */
    void (*on_message)(void *owner, struct bus_subscription *subscription,
                       const struct bus_message *message);
    void *owner;
    const void *origin;
    bool ended, declined;
    uint16_t subject_len, queue_len;
    char text[]; /* subject, then queue */
};

struct match_remote {
    unsigned shard;
    uint32_t members;
};

struct match_group {
    slice name; /* of the first member or group seen; lives as long as the match is valid */
    struct bus_subscription **members;
    struct match_remote *remotes;
    uint32_t member_count, remote_count, weight; /* weight: members of all shards */
};

struct bus_match {
    uint32_t refs;
    uint64_t generation, hash;
    uint64_t shards; /* bit per other shard with plain interest */
    uint32_t plain_count, group_count;
    struct bus_subscription **plain;
    struct match_group *groups;
    slice subject; /* owned copy, empty in a scratch match; one block behind all arrays */
};

/* Marks are hash bits of subjects, never 0: a look-up that finds nothing touches the slot alone. */
struct index_slot {
    uint32_t seen; /* of the last subject that missed here */
    uint32_t mark; /* of the match */
    struct bus_match *match;
};

struct index {
    struct hash_key key;
    struct index_node *root;
    struct index_node **table;
    uint32_t table_size, node_count;
    uint64_t generation, wildcard_generation;
    struct index_slot cache[INDEX_CACHE_SLOTS];
    struct index_collector *spare; /* idle scratch matches */
    uint64_t hits, misses;
};

must_use int index_open(struct index *index, struct hash_key key);
void index_close(struct index *index);

/* Links the subscription under its subject and queue. 0 or -ENOMEM (unchanged). */
must_use int index_add(struct index *index, struct bus_subscription *subscription);
void index_remove(struct index *index, struct bus_subscription *subscription);

/* Another shard's interest: plain on/off, or MEMBERS_CHANGE members of QUEUE more or fewer. */
must_use int index_set_shard(struct index *index, slice subject, slice queue, unsigned shard,
                             int members_change);
/* Forgets everything about another shard. */
void index_clear_shard(struct index *index, unsigned shard);
/* This shard's own interest under exactly this subject: plain subscriptions, or queue members. */
uint32_t index_local_count(struct index *index, slice subject, slice queue);
/* Interest of any shard under exactly this subject: plain, or members of QUEUE. */
bool index_is_wanted(const struct index *index, slice subject, slice queue);

/* The match of a published subject with one count for the caller, who gives it back by index_put.
   NULL: no memory. */
struct bus_match *index_find(struct index *index, slice subject, struct bus_route *route);
void index_put(struct index *index, struct bus_match *match);

#endif
