/*
 * bus.h - subjects: publish, subscribe, queue groups. The only way rooms meet.
 *
 * Every shard has its own bus, used on that shard's thread only. Each bus holds the interest of
 * the whole node: its own subscriptions with their receivers, and for every other shard which
 * subjects (and queue groups, with how many members) somebody there wants. So one look-up in
 * one's own index decides everything a publish needs: local receivers, which shards get a copy,
 * which one member of each queue group node-wide, and whether anybody answers at all.
 *
 *     publish ── index ─┬─ local subscriptions: on_message, in this call
 *                       ├─ other shards: one copy each, through the channel of the pair
 *                       └─ nobody: returns 0 receivers (the caller answers "no responders")
 *
 * Streams capture subjects by subscribing like everyone else (bus/streams.h), so a durable publish
 * takes the same path as a live one, and one publisher's order holds on both.
 *
 * ORDER. What one caller publishes from one shard arrives at any one subscription in that order.
 * FENCE: other shards learn of SUB and UNSUB with a delay; bus_fence calls back once all of them
 * have applied everything this shard announced before. A connection answers PING with PONG only
 * then, which is what lets a client say "flush" and rely on it.
 *
 * RE-ENTRY. on_message may publish, subscribe and unsubscribe (itself, too). Subscriptions made
 * during a publish do not see that message; ended ones are not called again; their memory goes
 * at the end of the turn.
 *
 * BOUNDS. Subjects up to BUS_SUBJECT_MAX bytes (so at most half as many tokens). A bus never queues
 * messages itself: receivers have bounded buffers, channels report full (bus_full), and then
 * publishers that read from sockets pause until on_room (bus_wait).
 */
#ifndef NONET_BUS_BUS_H
#define NONET_BUS_BUS_H

#include "base/error.h"
#include "base/list.h"
#include "base/slice.h"
#include "io/logger.h"
#include "io/loop.h"

#define BUS_SUBJECT_MAX 4096
#define BUS_SHARDS_MAX 64u
#define BUS_SUBSCRIPTIONS_MAX (16u << 20) /* per shard */

struct bus;
struct bus_subscription;

struct bus_message {
    slice subject, reply; /* reply: empty = none */
    slice headers;        /* a whole NATS/1.0 block, or empty */
    slice payload;
    slice route; /* to receivers: the subject it was sent to by bus_publish_to, else empty */
};

/* The subject by which MESSAGE came to a receiver. */
static inline slice bus_message_route(const struct bus_message *message) {
    return message->route.len ? message->route : message->subject;
}

/* One bus for LOOP's shard; SHARDS loops of the group, from 0, have one each (the log's own loop is
   one of them). STREAM_SHARD is where streams live. The bus becomes the loop's io_receiver. */
struct bus_options {
    struct io_loop *loop;
    unsigned shards, stream_shard;
    struct logger *logger;
};
must_use int bus_create(const struct bus_options *options, struct bus **ret_bus);
struct bus *bus_free(struct bus *bus); /* NULL allowed; every subscription must have ended */
struct io_loop *bus_loop(const struct bus *bus);
unsigned bus_shard(const struct bus *bus);
unsigned bus_shards(const struct bus *bus);
unsigned bus_stream_shard(const struct bus *bus);

/* --- publish ------------------------------------------------------------------------------ */

/* A publisher's memory of its last subject: makes the next look-up of the same one a compare.
   Zeroed at first; valid as long as its bus; bus_route_clear gives its memory back. */
struct bus_route {
    uint64_t generation;
    struct bus_match *match;
};
void bus_route_clear(struct bus_route *route);

/* Delivers MESSAGE. ORIGIN: subscriptions whose `origin` equals it are passed over (echo off), NULL
   for none. ROUTE may be NULL. Returns how many receivers took it, shards counted as one each;
   0: nobody is interested. Subjects that are not literal match only wildcards and never fail. */
unsigned bus_publish(struct bus *bus, const struct bus_message *message, const void *origin,
                     struct bus_route *route);

/* Delivers MESSAGE to those interested in DESTINATION in place of its subject, which they see as it
   is: how a stored message reaches the inbox of a pull request. MESSAGE's route is ignored. */
unsigned bus_publish_to(struct bus *bus, slice destination, const struct bus_message *message,
                        struct bus_route *route);

/* True where some channel, or the log, is over its mark: a publisher fed by a socket should stop
   reading it. bus_wait calls ON_ROOM once, when there is room again (never from inside). */
bool bus_full(const struct bus *bus);
/* The same without the log: for who feeds the bus from the log. */
bool bus_channels_full(const struct bus *bus);
struct bus_waiter {
    struct list_node node; /* zeroed = not waiting */
    void (*on_room)(struct bus_waiter *waiter);
};
void bus_wait(struct bus *bus, struct bus_waiter *waiter);
void bus_wait_cancel(struct bus_waiter *waiter);
/* The stream engine's own word that it is over its mark (any shard hears of it). */
void bus_set_stream_full(struct bus *bus, bool full);

/* --- subscribe ---------------------------------------------------------------------------- */

struct bus_receiver {
    /* MESSAGE is valid during the call only. OWNER as given to bus_subscribe. */
    void (*on_message)(void *owner, struct bus_subscription *subscription,
                       const struct bus_message *message);
};

/* SUBJECT may have wildcards; QUEUE empty for a plain subscription. ORIGIN marks the subscriber for
   echo-off publishers, may be NULL. 0, -EINVAL (bad subject), -ENOBUFS (a bound), -ENOMEM. */
must_use int bus_subscribe(struct bus *bus, slice subject, slice queue,
                           const struct bus_receiver *receiver, void *owner, const void *origin,
                           struct bus_subscription **ret_subscription);
/* on_message is not called again. NULL allowed; always returns NULL. */
struct bus_subscription *bus_unsubscribe(struct bus *bus, struct bus_subscription *subscription);
/* Said by on_message: not taken. Another member of the queue group gets it; not counted. */
void bus_decline(struct bus_subscription *subscription);
slice bus_subscription_subject(const struct bus_subscription *subscription);
slice bus_subscription_queue(const struct bus_subscription *subscription);

/* Is anybody, on any shard, interested in SUBJECT? */
bool bus_has_interest(struct bus *bus, slice subject);
/* The same by a publisher's memory: cheap where the message follows. ROUTE may be NULL. */
bool bus_route_has_interest(struct bus *bus, slice subject, struct bus_route *route);

/* Calls DONE(self) once every shard has applied this shard's interest so far: in this call where
   that is so already. 0 or -ENOMEM. SELF must stay valid till then, or take its fences back. */
must_use int bus_fence(struct bus *bus, void (*done)(void *self, uint64_t id), void *self,
                       uint64_t id);
void bus_fence_cancel(struct bus *bus, const void *self); /* none of SELF's is called any more */

/* --- figures ------------------------------------------------------------------------------ */

struct bus_stats {
    uint64_t subscriptions, cache_hits, cache_misses, published, delivered, to_shards, from_shards;
};
struct bus_stats bus_stats(const struct bus *bus);

/* Calls EACH for this shard's own subscriptions until it returns != 0 (/subsz, debugging). */
int bus_each_subscription(struct bus *bus,
                          int (*each)(void *self, const struct bus_subscription *subscription),
                          void *self);

#endif
