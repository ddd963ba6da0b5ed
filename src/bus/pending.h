/*
 * pending.h - the messages of one consumer that are in flight: delivered, not yet done.
 *
 *      entries   [ 17 | 18 | gone | 20 | gone | 25 | ... ]      a ring, by stream sequence
 *                  ^ first                             ^ the next one delivered goes behind
 *      due       [ 20, 17, ... ]                              to be delivered again, oldest first
 *
 * First deliveries come in stream order, so a new entry always goes behind the last and the ring
 * stays sorted: finding one is a binary search, the first one says how far everything is
 * acknowledged, and millions in flight cost 32 bytes each. Done entries in the middle are marked
 * and squeezed out when they outweigh the living.
 *
 * An entry is IN FLIGHT, or DUE: then its sequence waits in the second ring. One that is done, or
 * goes in flight again, stays there as a sequence that is passed over when its turn comes. One that
 * is PARKED waits for a person, one that WAITS for its key to be free (consumer_order.c): they are
 * neither, and have no deadline. Where entries have keys, these lie in a ring beside, 8 bytes each.
 *
 * Pointers to entries are valid until the next add, remove or tidy.
 */
#ifndef NONET_BUS_PENDING_H
#define NONET_BUS_PENDING_H

#include "base/check.h"

#include <stdint.h>

struct pending_entry {
    uint64_t stream_sequence;
    uint64_t consumer_sequence; /* of the first delivery */
    union {
        uint64_t deadline_ns;   /* loop clock: then it is due again */
        uint64_t next_sequence; /* WAITS: the next one that waits for the same; 0 = none */
    };
    uint32_t deliveries;
    bool due : 1, gone : 1, kept : 1, parked : 1, waits : 1; /* kept: see squeeze_due */
};

struct pending {
    struct pending_entry *entries;
    uint64_t *keys;            /* beside the entries, where they have some */
    bool keyed;                /* they have: set before the first one */
    size_t room;               /* a power of two, or 0 */
    uint64_t head, tail;       /* ever taken out at the front, ever put in */
    size_t count, redelivered; /* living; those delivered more than once */
    size_t parked, waiting;    /* of the living: not in flight (consumer_park.c, _order.c) */
    uint64_t *due;
    size_t due_room, due_count; /* due_count: living entries that are due */
    uint64_t due_head, due_tail;
};

void pending_free(struct pending *p);

/* Room for one more. 0 or -ENOMEM. */
must_use int pending_reserve(struct pending *p);
/* Within a reservation. ENTRY's stream sequence is above all before it. Gives its place. */
struct pending_entry *pending_add(struct pending *p, const struct pending_entry *entry);
struct pending_entry *pending_find(const struct pending *p, uint64_t stream_sequence);
static inline size_t pending_in_flight(const struct pending *p) {
    return p->count - p->parked - p->waiting;
}
/* What an entry was given; 0 before, and where entries have no keys. */
static inline uint64_t pending_key(const struct pending *p, const struct pending_entry *entry) {
    return p->keyed ? p->keys[entry - p->entries] : 0;
}
void pending_set_key(struct pending *p, const struct pending_entry *entry, uint64_t key);
/* The first one at or after a sequence, or NULL. */
struct pending_entry *pending_from(const struct pending *p, uint64_t stream_sequence);
/* The one behind ENTRY, or NULL. */
struct pending_entry *pending_after(const struct pending *p, const struct pending_entry *entry);
static inline struct pending_entry *pending_first(const struct pending *p) {
    return p->count ? pending_from(p, 0) : NULL;
}
void pending_remove(struct pending *p, struct pending_entry *entry);
/* Counts one more delivery. */
void pending_delivered_again(struct pending *p, struct pending_entry *entry, uint32_t deliveries);

/* Lines the entry up to be delivered again; no-op where it is. 0 or -ENOMEM. */
must_use int pending_make_due(struct pending *p, struct pending_entry *entry);
/* The next one due, which stays; or NULL. */
struct pending_entry *pending_next_due(struct pending *p);
/* The entry is in flight again, or waits for another time. */
void pending_not_due(struct pending *p, struct pending_entry *entry);

/* Not in flight any more; in flight again. */
void pending_park(struct pending *p, struct pending_entry *entry);
void pending_unpark(struct pending *p, struct pending_entry *entry);
void pending_wait(struct pending *p, struct pending_entry *entry);
void pending_go(struct pending *p, struct pending_entry *entry);

#endif
