/*
 * face.h - what the handlers of event streams over HTTP have in common.
 *
 * Each function that returns bool has answered the request where it returns false: the words name
 * what is wrong.
 */
#ifndef NONET_EVENTS_FACE_H
#define NONET_EVENTS_FACE_H

#include "base/buf.h"
#include "http/request.h"

#define FACE_ETAG_MAX 24u
#define FACE_LINK_MAX (32u << 10) /* a target has less */
#define NDJSON_TYPE "application/x-ndjson"

/* A 400 "KEY: WHAT". False. */
bool face_refuse(struct http_request *request, const char *key, const char *what);
/* The end of a handler that has asked the engine: the request is answered later, by SELF, of which
   EVENTS tell; or FAILED says that it could not be asked, and a 503 is the answer. */
bool face_later(struct http_request *request, int failed, const struct http_request_events *events,
                void *self);
/* The argument KEY of the query, empty where there is none. */
bool face_argument(struct http_request *request, const char *key, slice *ret_value);
/* Untouched where there is none; at most MOST. */
bool face_number(struct http_request *request, const char *key, uint64_t most, uint64_t *number);
/* Whether KEY is there, and not 0. */
bool face_flag(struct http_request *request, const char *key, bool *ret_flag);
/* The argument KEY, a time of RFC 3339. Untouched where there is none. */
bool face_time(struct http_request *request, const char *key, bool *ret_there, int64_t *time_ns);
/* The argument `category`: appends its subject, where there is one. */
bool face_category(struct http_request *request, struct buf *subject);
/* The argument `expect`, empty where there is none: one of its words, or a revision. */
bool face_expect(struct http_request *request, slice *ret_expect);
/* How many there are to be on a page: from 1 to MOST. Untouched where it is not said. */
bool face_limit(struct http_request *request, unsigned most, unsigned *limit);
/* The argument KEY, words with commas between them, into LIST, which has room for MOST: types or
   tags, so each of 1 to 256 bytes of UTF-8. */
bool face_words(struct http_request *request, const char *key, unsigned most, slice *list,
                unsigned *ret_count);
/* Whether the route that the request has come by is for the event stream, or category, SUBJECT: a
   gateway may confine its callers to some. */
bool face_may(struct http_request *request, slice subject);
/* Whether it confines them; *RET_ONLY is the subject of the category where there is one only, in
   the request's arena, else empty. */
bool face_is_confined(struct http_request *request, slice *ret_only);
/* The subject of the event stream that the path names, which the request may use. */
bool face_subject(struct http_request *request, struct buf *subject);
/* Whether the client would have TYPE (RFC 9110 12.5.1: named in Accept). */
bool face_accepts(const struct http_request *request, slice type);
/* ETag: "LAST", in TEXT of FACE_ETAG_MAX bytes. */
struct http1_field face_etag(uint64_t last, char *text);
/* Appends lines of JSON as an array: no line has an end of its own within. 0 or -ENOMEM. */
must_use int face_array(struct buf *out, slice lines);
/* Appends the Link to the next page (RFC 8288): REQUEST's own query, which goes on at KEY=NUMBER
   and no other place; without a path, so that it holds behind a gateway's rewrite. 0 or -ENOMEM. */
must_use int face_link(const struct http_request *request, const char *key, uint64_t number,
                       struct buf *out);

#endif
