/*
 * event_http.h - one event as a resource: GET /v1/streams/order-42/events/3.
 *
 *     default                                  JSON, as in pages
 *     Accept: application/cloudevents+json     a CloudEvent in structured mode
 *     ?mode=binary                             the same in binary mode: ce-* headers, data as body
 */
#ifndef NONET_EVENTS_EVENT_HTTP_H
#define NONET_EVENTS_EVENT_HTTP_H

struct http_request;

/* A handler; OWNER is the struct bus of the request's loop. */
void event_http_one(void *owner, struct http_request *request);

#endif
