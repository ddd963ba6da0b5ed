/*
 * events.h - room 5, event sourcing: event streams in the durable stream ES.
 *
 * The same events are messages of the JetStream stream ES on es.CATEGORY.ID, CloudEvents 1.0 in
 * NATS headers; what a client publishes there is judged like an append. docs/events.md is the
 * users' page, operations.c the table of all routes.
 *
 *     HTTP, loop 0    operations.c --> *_http.c --.
 *                                                 | call.h: requests on the bus
 *     stream shard                     engine.c <-'
 *                          jobs.c: appends, changes    read.c  state.c  verify.c
 *                               |
 *                               '--> one batch of ES and ES_NOTES --> answer
 *
 * THE FILES, in an order to read them:
 *
 *     an event      record               headers, numbers, the way back, the chain
 *                   provenance, attributes   who and why; what else CloudEvents has
 *                   event_json, ids      one line of JSON; ids for events without one
 *     the inside    engine               what it all hangs on
 *                   fetch                a record, now or once it is there
 *                   heads, lookup        where a stream ends; back to a number, id or time
 *                   notes, es_create     ES_NOTES, what is known beside events
 *     an append     append*, raw_read, actor   what is asked for, by JSON or publish; by whom
 *                   judge                expectations and ids of one stream
 *                   condition*           no event of some types and tags
 *                   tags, walk, tail     by which such events are found, on disk or not yet
 *                   jobs                 the queue, the commit, the answer
 *     reading       read                 pages of one stream, or of all
 *                   why                  the tree of causes
 *     state         fold                 what events add up to
 *                   fold_*               its rules, values, numbers and config
 *                   state                folds up to an event
 *                   snapshot, state_kept spare it work, on disk and in memory
 *     the end       life                 limits, deletion, tombstones: the rules
 *                   life_change, life_notes   one that is asked for, and written
 *                   sweep*               takes out of the log what is gone
 *                   state_hold, snapshot_notes   what it waits for, and takes along
 *     the proof     chains               judges records, one after the other
 *                   verify, verify_closed   of a serving node, of a folder
 *     over HTTP     operations, openapi* the routes, and the document of them
 *                   face, *_http         what handlers have in common, and they
 *                   cloudevent*          the three modes of CloudEvents
 *
 * ES comes with the first append, or at the start where nonet.yaml has a section `events`.
 */
#ifndef NONET_EVENTS_EVENTS_H
#define NONET_EVENTS_EVENTS_H

#include "bus/room.h"

extern const struct room events_room;

struct http_routes;
/* Adds the routes above, to be served by BUS's loop. 0, -ENOMEM, -ENOBUFS, -EEXIST. */
must_use int events_http_routes(struct http_routes *routes, struct bus *bus);

#endif
