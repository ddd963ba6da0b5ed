/*
 * events_http.h - reading and verifying events over HTTP: handlers for operations.c.
 *
 * OWNER of each is the struct bus of the request's loop, on which they ask (call.h); they answer
 * later. What an argument means stands in events_http.c, and in docs/events.md.
 */
#ifndef NONET_EVENTS_EVENTS_HTTP_H
#define NONET_EVENTS_EVENTS_HTTP_H

struct http_request;

void events_http_stream(void *owner, struct http_request *request);
void events_http_all(void *owner, struct http_request *request);
void events_http_verify(void *owner, struct http_request *request);

#endif
