/*
 * events_table.h - `events`, the table of all events: what the event store has (docs/events.md),
 * shown by its judge (bus/diversion.h) as JSON documents, and decoded like those of any stream.
 *
 * It is there without CREATE, in pg_catalog: a table `events` of one's own, in public, is found
 * first. Before the first append it is empty. It is only read.
 *
 * category = '…' and stream = '…' are look-ups: of the stream ES only the subjects are read that
 * they name. What is gone (limits, deletion) is not in it; a view that has had an event already
 * keeps what it has made of it until it is computed anew.
 */
#ifndef NONET_STREAM_EVENTS_TABLE_H
#define NONET_STREAM_EVENTS_TABLE_H

#include "rooms/stream/inside.h"
#include "sql/exec/exec.h"

/* Into the catalog. */
must_use int events_table_define(struct database *db);
bool events_table_is(const struct sql_table *t);
/* What input INPUT of X, a scan of a table over a stream, reads of the stream: the subject of the
   table, or what the look-ups of `events` want; several with blanks between; empty: all. To OUT. */
must_use int stream_subjects(struct sql_exec *x, unsigned input, struct buf *out,
                             struct sql_error *error);

#endif
