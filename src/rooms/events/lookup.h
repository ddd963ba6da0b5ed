/*
 * lookup.h - finding one's way back in an event stream: to a number, or to an id (record.h).
 *
 * (And to a time, or a position: to the last event that comes before something.)
 *
 * They need no index but the records themselves, and go on where they stood after a wait. A lookup
 * reads nothing where the id is new, but the leaves' ids once (heads.h).
 */
#ifndef NONET_EVENTS_LOOKUP_H
#define NONET_EVENTS_LOOKUP_H

#include "rooms/events/heads.h"

/* From the record EVENT to one with number TARGET (below EVENT's): the next record to read. */
uint64_t event_hop(const struct event *event, uint64_t target);

/* The last event, from the record AT back, that is not too new. What IS_TOO_NEW says must hold for
   all events behind one for which it holds; else one of the places is found where it changes. */
struct search {
    uint64_t at; /* the record to look at; in the end that event's */
    bool (*is_too_new)(const void *self, const struct log_record *record,
                       const struct event *event);
    const void *self;
    uint64_t hops[3]; /* what the last record that was too new knows, the farthest first */
    unsigned hop;
};
void search_begin(struct search *search, uint64_t at,
                  bool (*is_too_new)(const void *self, const struct log_record *record,
                                     const struct event *event),
                  const void *self);
/* One record. 0: found, with its record; -EAGAIN: once more; -ERANGE: all that are there are too
   new; else as fetch_event. */
must_use int search_step(struct search *search, struct fetch *fetch, struct log_record *ret_record,
                         struct event *ret_event);

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
