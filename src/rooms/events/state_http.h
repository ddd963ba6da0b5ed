/*
 * state_http.h - the state of an event stream as a resource: GET /v1/streams/order-42/state
 *
 *     at=7, at=2026-11-30T12:00:00Z   after revision 7; after the last event at or before that time
 *     position=1007                   after the last event at or before that position
 *     min_position=1007               not before the node has got so far: 504 after two seconds
 *
 * ETag is the revision and the digest of the fold: "7-2f1c..". If-None-Match answers 304 where the
 * state is still that one; in If-Match of an append it means revision 7.
 */
#ifndef NONET_EVENTS_STATE_HTTP_H
#define NONET_EVENTS_STATE_HTTP_H

struct http_request;

/* A handler; OWNER is the struct bus of the request's loop. */
void state_http_get(void *owner, struct http_request *request);

#endif
