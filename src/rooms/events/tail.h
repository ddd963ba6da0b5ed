/*
 * tail.h - the newest events, which are committed and not on disk yet: what conditions must know.
 *
 * A record can be read once it is synced. A condition that had to wait for that would hold up all
 * appends behind it, each time for as long as a sync takes; so what it asks of an event (its
 * stream, type and tags) is kept until the record can be read. It begins with the first condition
 * that the engine sees: who uses none pays nothing.
 *
 * BOUNDS. Those of what the log holds unsynced; where there is no memory for one, it is waited for.
 */
#ifndef NONET_EVENTS_TAIL_H
#define NONET_EVENTS_TAIL_H

#include "rooms/events/fetch.h"

/* EVENT has been appended to event stream SUBJECT as SEQUENCE. */
void tail_add(struct engine *engine, uint64_t sequence, slice subject, const struct event *event);
/* The log shows more: what can be read is not kept. */
void tail_trim(struct engine *engine);
void tail_forget(struct engine *engine); /* ES is another one */
void tail_free(struct engine *engine);

/* The event at SEQUENCE: subject and time of its record, its number, type, tags and tagged at
   least, valid as fetch_event's. 0; -ENOENT: it was removed, or is no event; else as fetch_event.
 */
must_use int tail_event(struct fetch *fetch, uint64_t sequence, struct log_record *ret_record,
                        struct event *ret_event);

#endif
