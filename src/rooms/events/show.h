/*
 * show.h - events as rows of a table: what the judge of ES shows of its records to SQL, which has
 * them as table `events` (stream_diversion.show; docs/sql-streams.md).
 *
 * What is gone (life.h) is no row, as it is on no page (read.h).
 */
#ifndef NONET_EVENTS_SHOW_H
#define NONET_EVENTS_SHOW_H

#include "rooms/events/engine.h"

/* SELF is the engine; *HELD a head that is being read. */
must_use int event_show(void *self, const struct log_record *record, void **held, struct buf *out);
void event_show_end(void *self, void *held);

#endif
