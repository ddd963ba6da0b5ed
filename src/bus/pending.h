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
 * is PARKED waits for a person: it is neither, and its deadline means nothing.
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
    uint64_t deadline_ns;       /* loop clock: then it is due again */
    uint32_t deliveries;
    bool due, gone, kept, parked; /* kept: see squeeze_due */
};

struct pending {
    struct pending_entry *entries;
    size_t room;               /* a power of two, or 0 */
    uint64_t head, tail;       /* ever taken out at the front, ever put in */
    size_t count, redelivered; /* living; those delivered more than once */
    size_t parked;             /* of the living: not in flight, but kept (consumer_park.c) */
    uint64_t *due;
    size_t due_room, due_count; /* due_count: living entries that are due */
    uint64_t due_head, due_tail;
};

void pending_free(struct pending *p);

/* Room for one more. 0 or -ENOMEM. */
must_use int pending_reserve(struct pending *p);
/* Within a reservation. ENTRY's stream sequence is above all before it. */
void pending_add(struct pending *p, const struct pending_entry *entry);
struct pending_entry *pending_find(const struct pending *p, uint64_t stream_sequence);
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

#endif
