/*
 * lookup.h - finding one's way back in an event stream: to a number, or to an id (record.h).
 *
 * Both need no index but the records themselves, and go on where they stood after a wait. A lookup
 * reads nothing where the id is new, but the leaves' ids once (heads.h).
 */
#ifndef NONET_EVENTS_LOOKUP_H
#define NONET_EVENTS_LOOKUP_H

#include "rooms/events/heads.h"

/* From the record EVENT to one with number TARGET (below EVENT's): the next record to read. */
uint64_t event_hop(const struct event *event, uint64_t target);

/* Has an event with this id, given by a client, been in the stream? Begin with zeros but `id`. Of
   events that are gone (life.h) only the digests are left, so they are believed: 64 bits of
   SHA-256.
 */
struct lookup {
    slice id;
    uint64_t digest, at, at_number, stop;
    enum { LOOKUP_BEGIN, LOOKUP_CHECK, LOOKUP_SCAN } phase;
    /* Where it was found. It is gone: 0, and the record that has the digest. */
    uint64_t number, sequence;
};
/* 0: it has. -ENOENT, -EINPROGRESS (FETCH's done is called, later), -EBADMSG, -ENOMEM, -ENOBUFS. */
must_use int lookup_step(struct lookup *lookup, struct head *head, struct fetch *fetch);

#endif
