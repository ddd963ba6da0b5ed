/*
 * watch.h - being told that somebody begins, or ends, to subscribe to exactly one subject.
 *
 * A push consumer sends to a subject of its client's and must pause while nobody is there. The
 * index knows, but a look at every turn by every consumer would cost more than the messages, so a
 * WATCH hangs under its subject and is called once, at the end of the turn in which interest in
 * that subject changed: then its owner looks by bus_is_subscribed.
 *
 * Only subscriptions to the very subject count, as with nats-server: a wildcard that happens to
 * match (somebody looking at `>`) is no receiver.
 */
#ifndef NONET_BUS_WATCH_H
#define NONET_BUS_WATCH_H

#include "bus/bus.h"

#define BUS_WATCHES_MAX (1u << 24)

struct bus_watch {
    void (*on_change)(struct bus_watch *watch); /* may end this watch and any other */
    struct list_node in_subject, in_changed;
    struct watched_subject *subject; /* NULL: not watching */
};

/* Watches SUBJECT, which is literal. 0, -ENOMEM, -ENOBUFS. */
must_use int bus_watch(struct bus *bus, slice subject, struct bus_watch *watch);
/* No-op where it is not watching. */
void bus_watch_end(struct bus *bus, struct bus_watch *watch);

/* Does somebody, on any shard, subscribe to exactly SUBJECT: plainly, or (QUEUE not empty) as a
   member of that queue group? */
bool bus_is_subscribed(struct bus *bus, slice subject, slice queue);

#endif
