/*
 * core.h - the inside of a bus, for bus.c (publish, subscribe), remote.c (other shards),
 * request.c and watch.c. Nobody else includes it.
 *
 * Messages between buses (io_send kinds; numbers in host order, both ends are one process):
 *
 *     INTEREST    {int32 change, u16 subject length, u16 queue length} subject queue
 *     MESSAGE     {lengths; u64 tried} queue route subject reply headers payload;
 *                 with a queue name it is for one member of that group, else for plain interest;
 *                 with a route (by bus_publish_to) it is looked up by that, else by its subject;
 *                 the shards tried have no member that takes it
 *     FENCE       u64 number: "say when you have applied what I sent before"
 *     FENCE_DONE  u64 number
 *     FULL        u8: the stream shard's word that its log is over the mark, or under it again
 *
 * Interest is announced per subject when the first plain subscription comes and the last goes, and
 * per queue group with every member, since members are what the choice is weighted by.
 */
#ifndef NONET_BUS_CORE_H
#define NONET_BUS_CORE_H

#include "base/random.h"
#include "bus/bus.h"
#include "bus/index.h"
#include "bus/request.h"

enum bus_kind {
    BUS_INTEREST = 1,
    BUS_MESSAGE,
    BUS_FENCE,
    BUS_FENCE_DONE,
    BUS_FULL,
    BUS_AGAIN,
    BUS_RESET
};

struct requests;
struct watches;

struct bus {
    struct io_loop *loop;
    struct logger *logger;
    struct io_host *host;
    unsigned shard, shards, stream_shard;
    struct index index;
    struct random random;
    struct list subscriptions;
    struct list graveyard; /* ended during a publish, buried after the outermost one */
    unsigned depth;        /* publishes under way, one inside the other */
    uint64_t subscription_count, published, delivered, to_shards, from_shards;

    /* remote.c */
    uint64_t announced;               /* interest messages sent, to each shard the same number */
    uint64_t applied[BUS_SHARDS_MAX]; /* what each shard has confirmed */
    uint64_t asked;                   /* the fence number last sent */
    struct list fences;               /* struct fence, oldest first */
    uint64_t unconfirmed[BUS_SHARDS_MAX]; /* what could not be confirmed to a shard, 0 = nothing */
    struct io_timer again_timer;
    uint64_t full_channels; /* bit per shard whose channel reported full */
    bool stream_full, full_untold;
    uint64_t to_ask, to_tell; /* bit per shard whose interest we lack; that lacks ours */
    struct list waiters;

    struct requests *requests; /* request.c; made at first use */
    struct watches *watches;   /* watch.c; made at first use */
};

/* bus.c */
unsigned bus_deliver_local(struct bus *bus, struct bus_match *match,
                           const struct bus_message *message, const void *origin);
/* A member of GROUP was drawn on this shard by another: one here, or, where none is left or takes
   it, on a shard not yet TRIED (a bit each). True where somebody took it. */
bool bus_deliver_drawn(struct bus *bus, const struct match_group *group,
                       const struct bus_message *message, uint64_t tried);
void bus_bury(struct bus *bus);

/* remote.c */
void bus_remote_open(struct bus *bus);
void bus_remote_close(struct bus *bus);
/* Tells the other shards of interest that has come. 0, or -ENOMEM and none of them believes it. */
must_use int bus_announce(struct bus *bus, slice subject, slice queue);
void bus_withdraw(struct bus *bus, slice subject, slice queue);
/* False where the message could not be sent (no memory). */
bool bus_send_message(struct bus *bus, unsigned shard, const struct bus_message *message,
                      slice queue, uint64_t tried);

/* watch.c: interest in exactly SUBJECT, or in all of another shard's, has changed. */
void bus_watches_touch(struct bus *bus, slice subject);
void bus_watches_touch_all(struct bus *bus);
void bus_watches_close(struct bus *bus);

/* request.c */
void bus_requests_close(struct bus *bus);

#endif
