/*
 * audit_http.h - GET /v1/audit: who did what, when and why.
 *
 *     actor, correlation   exactly these (provenance.h says where they stand)
 *     from, to             RFC 3339: stored at or after the one, before the other
 *     after                a position: goes on behind it, in place of `from`
 *     types, category      as in GET /v1/events
 *     limit                1 to 1000 entries (100)
 *
 *     {"last":5,"after":3,"entries":[{"position":3,"time":"..","stream":"order-42","revision":1,
 *      "type":"Paid","id":"payment-7","actor":"ann","reason":"..","correlation":"..",
 *      "causation":".."}]}
 *
 * `after` is the next page's, null behind the end; Link says the same. With Accept:
 * application/x-ndjson the entries alone, a line each. A page is a read (read.h) and has its
 * bounds: at most READ_LOOKS_MAX events are looked at, so a page may be empty and still say where
 * to go on.
 */
#ifndef NONET_EVENTS_AUDIT_HTTP_H
#define NONET_EVENTS_AUDIT_HTTP_H

struct http_request;

/* A handler; OWNER is the struct bus of the request's loop. */
void audit_http_list(void *owner, struct http_request *request);

#endif
