/*
 * verify.h - do the event streams hold together? (`nonet events verify`)
 *
 * Goes through ES from its first record on and keeps the end of every event stream. Of each record
 * it asks: is it an event; is its number the next one of its stream (else some are missing, or
 * swapped, or there twice); do `before`, `skip` and `leaf` name what they must; does the chain hold
 * (else it, or one before it, was changed). After a finding a stream is taken up where it goes on,
 * so that one change is one finding and not one for every event behind it. What the log itself
 * cannot read is a finding as well.
 *
 * Costs about 250 bytes for each event stream while it runs.
 */
#ifndef NONET_EVENTS_VERIFY_H
#define NONET_EVENTS_VERIFY_H

#include "base/error.h"
#include "rooms/events/engine.h"

struct events_report {
    uint64_t events, streams, findings;
};
/* On the stream shard, while the node serves. PROGRESS is called with findings as they come (NULL:
   only that it goes on), at least once a second; DONE once, with 0, or why it could not go on. What
   is appended meanwhile is not looked at. One at a time: -EBUSY; -ENOMEM. */
must_use int events_verify(struct engine *engine,
                           void (*progress)(void *self, const struct error *finding),
                           void (*done)(void *self, const struct events_report *report, int failed),
                           void *self);
void verify_close(struct engine *engine);

#endif
