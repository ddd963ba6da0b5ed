/*
 * pending.c - see pending.h.
 *
 * Places are counted from the beginning of time (head, tail) and masked to find the ring's entry,
 * so none of the code cares about the wrap. The place at head is always a living entry's; gone ones
 * behind it keep their sequence, by which the search still finds its way. Both rings are squeezed
 * only when at least half of them is waste, so squeezing costs constant time an entry.
 */
#include "bus/pending.h"

#include "base/mem.h"

#include <errno.h>

#define ROOM_FIRST 16u
#define GONE_TOLERATED 64u /* places of entries that are gone, before they are squeezed out */

void pending_free(struct pending *p) {
    mem_free(p->entries);
    mem_free(p->keys);
    mem_free(p->due);
    *p = (struct pending){0};
}

static struct pending_entry *place(const struct pending *p, uint64_t at) {
    return &p->entries[at & (p->room - 1)];
}

/* Another ring of ROOM for the keys. */
static int grow_keys(struct pending *p, size_t room) {
    uint64_t *keys = mem_zalloc(room, sizeof *keys);
    if (!keys)
        return -ENOMEM;
    for (uint64_t at = p->head; at < p->tail; at++)
        keys[at & (room - 1)] = p->keys[at & (p->room - 1)];
    mem_free(p->keys);
    p->keys = keys;
    return 0;
}

int pending_reserve(struct pending *p) {
    if (likely(p->tail - p->head < p->room))
        return 0;
    size_t room = p->room ? p->room * 2 : ROOM_FIRST;
    struct pending_entry *entries = mem_zalloc(room, sizeof *entries);
    if (!entries)
        return -ENOMEM;
    if (p->keyed && grow_keys(p, room)) {
        mem_free(entries);
        return -ENOMEM;
    }
    for (uint64_t at = p->head; at < p->tail; at++)
        entries[at & (room - 1)] = *place(p, at);
    mem_free(p->entries);
    p->entries = entries;
    p->room = room;
    return 0;
}

struct pending_entry *pending_add(struct pending *p, const struct pending_entry *entry) {
    check(p->tail - p->head < p->room);
    check(p->tail == p->head || place(p, p->tail - 1)->stream_sequence < entry->stream_sequence);
    struct pending_entry *added = place(p, p->tail++);
    *added = *entry;
    pending_set_key(p, added, 0);
    p->count++;
    p->redelivered += entry->deliveries > 1;
    return added;
}

void pending_set_key(struct pending *p, const struct pending_entry *entry, uint64_t key) {
    if (p->keyed)
        p->keys[entry - p->entries] = key;
}

/* The place of the first entry, living or gone, at or after SEQUENCE; tail where there is none. */
static uint64_t search(const struct pending *p, uint64_t sequence) {
    uint64_t low = p->head, high = p->tail;
    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        if (place(p, middle)->stream_sequence < sequence)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

struct pending_entry *pending_find(const struct pending *p, uint64_t sequence) {
    uint64_t at = search(p, sequence);
    if (at == p->tail)
        return NULL;
    struct pending_entry *entry = place(p, at);
    return entry->stream_sequence == sequence && !entry->gone ? entry : NULL;
}

struct pending_entry *pending_from(const struct pending *p, uint64_t sequence) {
    for (uint64_t at = search(p, sequence); at < p->tail; at++)
        if (!place(p, at)->gone)
            return place(p, at);
    return NULL;
}

struct pending_entry *pending_after(const struct pending *p, const struct pending_entry *entry) {
    uint64_t at = p->head + (((uint64_t)(entry - p->entries) - p->head) & (p->room - 1));
    while (++at < p->tail)
        if (!place(p, at)->gone)
            return place(p, at);
    return NULL;
}

static void squeeze(struct pending *p) {
    uint64_t to = p->head;
    for (uint64_t at = p->head; at < p->tail; at++) {
        if (place(p, at)->gone)
            continue;
        *place(p, to) = *place(p, at);
        pending_set_key(p, place(p, to++), pending_key(p, place(p, at)));
    }
    p->tail = to;
    check(p->tail - p->head == p->count);
}

void pending_remove(struct pending *p, struct pending_entry *entry) {
    check(!entry->gone && p->count > 0);
    pending_not_due(p, entry);
    if (unlikely(entry->parked))
        pending_unpark(p, entry);
    if (unlikely(entry->waits))
        pending_go(p, entry);
    entry->gone = true;
    p->count--;
    p->redelivered -= entry->deliveries > 1;
    while (p->head < p->tail && place(p, p->head)->gone)
        p->head++;
    if (p->tail - p->head > 2 * p->count + GONE_TOLERATED)
        squeeze(p);
}

void pending_delivered_again(struct pending *p, struct pending_entry *entry, uint32_t deliveries) {
    p->redelivered += entry->deliveries <= 1 && deliveries > 1;
    entry->deliveries = deliveries;
}

/* Leaves one place to each entry that is due, its first. */
static void squeeze_due(struct pending *p) {
    uint64_t to = p->due_head, mask = p->due_room - 1;
    for (uint64_t at = p->due_head; at < p->due_tail; at++) {
        struct pending_entry *entry = pending_find(p, p->due[at & mask]);
        if (!entry || !entry->due || entry->kept)
            continue;
        entry->kept = true;
        p->due[to++ & mask] = entry->stream_sequence;
    }
    for (uint64_t at = p->due_head; at < to; at++)
        pending_find(p, p->due[at & mask])->kept = false;
    p->due_tail = to;
    check(p->due_tail - p->due_head == p->due_count);
}

static int reserve_due(struct pending *p) {
    if (likely(p->due_tail - p->due_head < p->due_room))
        return 0;
    if (p->due_room)
        squeeze_due(p);
    if (p->due_tail - p->due_head < p->due_room / 2)
        return 0;
    size_t room = p->due_room ? p->due_room * 2 : ROOM_FIRST;
    uint64_t *due = mem_alloc(room * sizeof *due);
    if (!due)
        return -ENOMEM;
    for (uint64_t at = p->due_head; at < p->due_tail; at++)
        due[at & (room - 1)] = p->due[at & (p->due_room - 1)];
    mem_free(p->due);
    p->due = due;
    p->due_room = room;
    return 0;
}

int pending_make_due(struct pending *p, struct pending_entry *entry) {
    if (entry->due)
        return 0;
    if (p->due_count == 0)
        p->due_head = p->due_tail;
    if (reserve_due(p))
        return -ENOMEM;
    p->due[p->due_tail++ & (p->due_room - 1)] = entry->stream_sequence;
    entry->due = true;
    p->due_count++;
    return 0;
}

struct pending_entry *pending_next_due(struct pending *p) {
    if (p->due_count == 0)
        return NULL;
    for (; p->due_head < p->due_tail; p->due_head++) {
        struct pending_entry *entry = pending_find(p, p->due[p->due_head & (p->due_room - 1)]);
        if (entry && entry->due)
            return entry;
    }
    check(false && "an entry that is due is in the ring");
    return NULL;
}

void pending_not_due(struct pending *p, struct pending_entry *entry) {
    if (!entry->due)
        return;
    entry->due = false;
    check(p->due_count > 0);
    p->due_count--;
}

void pending_park(struct pending *p, struct pending_entry *entry) {
    check(!entry->parked && !entry->gone);
    pending_not_due(p, entry);
    if (entry->waits)
        pending_go(p, entry);
    entry->parked = true;
    p->parked++;
}

void pending_wait(struct pending *p, struct pending_entry *entry) {
    check(!entry->waits && !entry->parked && !entry->gone);
    pending_not_due(p, entry);
    entry->waits = true;
    entry->next_sequence = 0;
    p->waiting++;
}

void pending_go(struct pending *p, struct pending_entry *entry) {
    check(entry->waits && p->waiting > 0);
    entry->waits = false;
    p->waiting--;
}

void pending_unpark(struct pending *p, struct pending_entry *entry) {
    check(entry->parked && p->parked > 0);
    entry->parked = false;
    p->parked--;
}
