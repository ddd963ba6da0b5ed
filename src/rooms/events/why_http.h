/*
 * why_http.h - GET /v1/streams/order-50/why?revision=1: what an event follows from, and what
 * follows from it (why.h draws the answer). Without `revision` it is the stream's last event.
 *
 * The event is read, then the events of its correlation, by their key: at most the WHY_EVENTS_MAX
 * newest. An event without a correlation id stands alone, with the causation id that it names.
 */
#ifndef NONET_EVENTS_WHY_HTTP_H
#define NONET_EVENTS_WHY_HTTP_H

struct http_request;

/* A handler; OWNER is the struct bus of the request's loop. */
void why_http(void *owner, struct http_request *request);

#endif
