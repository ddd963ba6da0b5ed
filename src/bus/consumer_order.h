/*
 * consumer_order.h - delivery in order per key (consumer_order.c): a consumer's keys, a part of
 * struct consumer, and what the engine's other files ask of them.
 *
 * For a consumer without "nonet.ordered" there are no keys: nothing is ever busy or waits, and what
 * takes or releases a key does nothing.
 */
#ifndef NONET_BUS_CONSUMER_ORDER_H
#define NONET_BUS_CONSUMER_ORDER_H

#include "base/list.h"
#include "base/map64.h"
#include "base/slice.h"
#include "bus/pending.h"

struct consumer;

struct consumer_order {
    struct map64 keys; /* those that are busy, or waited for: struct order_key */
    struct list ready; /* those that are free and waited for, the longest first */
    size_t ready_count;
    uint64_t passed; /* messages passed over and never delivered, at most CONSUMER_PASSED_MAX */
};

void consumer_order_init(struct consumer *c);
void consumer_order_free(struct consumer *c);
/* Puts the keys together by what is in flight, once that has been replayed. 0 or -ENOMEM. */
must_use int consumer_order_start(struct consumer *c);

/* The key of a message: 8 bytes of its subject, the same in every life. */
uint64_t consumer_order_key(slice subject);
/* A message of KEY is in flight or waits, so a new one must wait behind it. */
bool consumer_order_is_busy(const struct consumer *c, uint64_t key);

/* Room for KEY. 0 or -ENOMEM; who does not use it gives it back. */
must_use int consumer_order_reserve(struct consumer *c, uint64_t key);
void consumer_order_give_back(struct consumer *c, uint64_t key);
/* A first delivery of KEY, within a reservation. */
void consumer_order_take(struct consumer *c, uint64_t key);
/* ENTRY, which is in `pending` with its key, waits; within a reservation. */
void consumer_order_wait(struct consumer *c, struct pending_entry *entry);
/* Notes that the new message SEQUENCE waits for KEY. 0, -ENOMEM, -ENOBUFS (the journal), or -EBUSY
   at CONSUMER_PASSED_MAX. */
must_use int consumer_order_pass(struct consumer *c, uint64_t sequence, uint64_t key);

/* What waits and whose key is free, or NULL. It stays. */
struct pending_entry *consumer_order_next(const struct consumer *c);
/* The message SEQUENCE is the one that waits next for a free key: its entry; else NULL. */
struct pending_entry *consumer_order_turn(const struct consumer *c, uint64_t sequence);
/* ENTRY, whose turn it is, goes in flight. */
void consumer_order_go(struct consumer *c, struct pending_entry *entry);

/* Before what ends ENTRY's flight is noted, one of COUNT that end together. 0, -ENOMEM, -ENOBUFS.
 */
must_use int consumer_order_reserve_end(struct consumer *c, const struct pending_entry *entry,
                                        size_t count);
/* After it: the key is free once that is on disk. */
void consumer_order_end(struct consumer *c, const struct pending_entry *entry);
/* It is on disk. */
void consumer_order_ended(struct consumer *c, uint64_t key);
/* ENTRY's message has gone from the stream. Before it leaves `pending`. */
void consumer_order_vanish(struct consumer *c, struct pending_entry *entry);

/* The highest consumer sequence below those of everything in flight. */
uint64_t consumer_order_floor(const struct consumer *c);

#endif
