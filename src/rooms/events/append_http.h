/*
 * append_http.h - appends over HTTP.
 *
 *     POST /v1/streams/order-42   JSON as append.h has it, or CloudEvents (cloudevent.h)
 *     POST /v1/append             JSON: several event streams
 *
 *     ?expect=none                what a CloudEvent cannot say: any, none, exists, a revision
 *     If-Match: "3"               expect revision 3;  If-Match: *  exists;  If-None-Match: *  none
 *     ETag: "4"                   of the answer: the stream's last revision
 *
 * Where the expectation came as If-Match or If-None-Match, a conflict is 412 and not 409; else both
 * say the same.
 */
#ifndef NONET_EVENTS_APPEND_HTTP_H
#define NONET_EVENTS_APPEND_HTTP_H

struct http_request;

/* Handlers; OWNER is the struct bus of the request's loop. */
void append_http_stream(void *owner, struct http_request *request);
void append_http_many(void *owner, struct http_request *request);

#endif
