/*
 * verify.h - do the event streams hold together? (`nonet events verify`)
 *
 * Goes through ES from its first record on while the node serves, or with nobody having the log
 * open; chains.h says what is asked of each record. What the log itself cannot read is a finding as
 * well. Both ways say the same.
 */
#ifndef NONET_EVENTS_VERIFY_H
#define NONET_EVENTS_VERIFY_H

#include "rooms/events/chains.h"
#include "rooms/events/engine.h"

/* On the stream shard, while the node serves. PROGRESS is called with findings as they come (NULL:
   only that it goes on), at least once a second; DONE once, with 0, or why it could not go on. What
   is appended meanwhile is not looked at. One at a time: -EBUSY; -ENOMEM. */
must_use int events_verify(struct engine *engine,
                           void (*progress)(void *self, const struct error *finding),
                           void (*done)(void *self, const struct events_report *report, int failed),
                           void *self);
void verify_close(struct engine *engine);

/* The same of the log in DIRECTORY, which nobody has open; it is not changed. Blocks. FOUND for
   each finding. 0, -EBADMSG (there were findings), or why it could not be read, with words. */
must_use int events_verify_closed(struct io_host *host, const char *directory,
                                  void (*found)(void *self, const struct error *finding),
                                  void *self, struct events_report *ret_report,
                                  struct error *ret_error);

#endif
