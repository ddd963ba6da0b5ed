/*
 * life_http.h - what an event stream keeps, over HTTP.
 *
 *     GET    /v1/streams/order-42/limits          life_change.h has the answer; ETag: its version
 *     PUT    /v1/streams/order-42/limits          {"max_count", "max_age", "truncate_before"};
 *                                                 what is left out is no limit; If-Match: the
 *                                                 version, else 412
 *     DELETE /v1/streams/order-42                 it can be appended to again; If-Match: revision
 *     DELETE /v1/streams/order-42?permanent=1     it never can
 *
 *     ?expect=7     as of an append, else 409
 *     ?dry_run=1    nothing is changed: how many events would go
 */
#ifndef NONET_EVENTS_LIFE_HTTP_H
#define NONET_EVENTS_LIFE_HTTP_H

struct http_request;

/* Handlers; OWNER is the struct bus of the request's loop. */
void life_http_show(void *owner, struct http_request *request);
void life_http_limit(void *owner, struct http_request *request);
void life_http_delete(void *owner, struct http_request *request);

#endif
