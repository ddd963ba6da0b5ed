/*
 * events.h - room 5, event sourcing: event streams in the durable stream ES.
 *
 *     POST /v1/streams/order-42   append, with what is expected of the stream        append.h
 *     POST /v1/append             several streams at once, and checks of others
 *     GET  /v1/streams/order-42   events of the stream, forwards or backwards        read.h
 *     GET  /v1/events             all events in the order of their commits, by category, type, tag
 *
 * The same events are messages of the JetStream stream ES on es.CATEGORY.ID, CloudEvents 1.0 in
 * NATS headers (record.h); what a client publishes there is judged like an append. ES comes
 * with the first append, or at the start where nonet.yaml has a section `events`. docs/events.md is
 * the users' page.
 */
#ifndef NONET_EVENTS_EVENTS_H
#define NONET_EVENTS_EVENTS_H

#include "bus/room.h"

extern const struct room events_room;

struct http_routes;
/* Adds the routes above, to be served by BUS's loop. 0, -ENOMEM, -ENOBUFS, -EEXIST. */
must_use int events_http_routes(struct http_routes *routes, struct bus *bus);

#endif
