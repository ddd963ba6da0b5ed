/*
 * request.h - a request as its handler sees it.
 *
 * A handler is called once the whole body is there, or, on a route that streams, once the head is.
 * It answers at once (reply.h), or later, after http_request_later, from anywhere on its loop:
 *
 *     CALLED --an answer that is complete------------------------------------------------> gone
 *       |  \--http_reply_begin--> STREAMING --http_reply_end, http_reply_break-----------> gone
 *       '--http_request_later--> (both as above, or on_gone: the client went) -----------> gone
 *
 * "gone": the pointer must not be used any more. A handler that returns without having answered
 * must have called http_request_later (checked). Slices of a request live as long as it does.
 *
 * THE BODY OF A ROUTE THAT STREAMS comes by events once http_request_later has named them, after
 * the handler has returned:
 *
 *     on_body, on_body_end      each part as it comes, valid during the call; then the trailers
 *     on_body_end alone         the body is gathered, within the route's bound and the loop's, for
 *                               http_request_body
 *     neither                   the body is left where it is (and 100 Continue unsaid)
 *
 * http_request_pause stops the parts, and the client behind them. Whoever answers before the body
 * has come to its end ends the connection with the answer, so that no byte of a body is ever taken
 * for a request. A body that is malformed, too large or too slow is refused by the server itself:
 * on_gone is called with the status that the client gets (or would have got, had the answer not
 * been begun). Where a length is announced that is too large (http_request_has_body) the handler is
 * called all the same, and may say so in its own way before any of it is read.
 */
#ifndef NONET_HTTP_REQUEST_H
#define NONET_HTTP_REQUEST_H

#include "base/arena.h"
#include "base/check.h"
#include "base/slice.h"
#include "io/loop.h"
#include "wire/http1_fields.h"

struct http_request;
struct http_parameter; /* routes.h */
struct io_stream;
struct io_tls_info;

/* --- what was asked ----------------------------------------------------------------------------
 */

slice http_request_method(const struct http_request *request);
slice http_request_path(const struct http_request *request);   /* decoded, in its one form */
slice http_request_target(const struct http_request *request); /* path and query as sent */
slice http_request_query(const struct http_request *request);  /* without '?', as sent */
slice http_request_host(const struct http_request *request);   /* host[:port] as sent */
slice http_request_body(const struct http_request *request);
bool http_request_is_tls(const struct http_request *request);
/* The stream below, for its addresses and certificates only. */
const struct io_stream *http_request_stream(const struct http_request *request);
/* Whether a body follows (of length 0 as well), and its length, UINT64_MAX where it is chunked. */
bool http_request_has_body(const struct http_request *request, uint64_t *ret_length);
/* A parameter of the route's pattern; the empty slice where the pattern has no such one. */
slice http_request_parameter(const struct http_request *request, const char *name);
/* All of them, those of the pattern's star as "*". */
const struct http_parameter *http_request_parameters(const struct http_request *request,
                                                     unsigned *ret_count);
/* The first field NAME (case does not matter). */
bool http_request_field(const struct http_request *request, slice name, slice *ret_value);
/* All fields, in order. */
const struct http1_field *http_request_fields(const struct http_request *request,
                                              size_t *ret_count);
/* The value of Upgrade where Connection names it, else empty. */
slice http_request_upgrade(const struct http_request *request);
/* The first "KEY=value" of the query, decoded ("+" is a blank; "" where it has no '='). 0, -ENOENT,
   -EINVAL (badly escaped), -ENOMEM. */
must_use int http_request_argument(struct http_request *request, slice key, slice *ret_value);
/* Who has logged in to a listener with a guard (guard.h): a user, or, where the request comes
   through the node's own gateway, whom that has let in. Empty: nobody in particular. */
slice http_request_user(const struct http_request *request);
bool http_request_through_gateway(const struct http_request *request);
/* Where no route fitted (http_routes_set_fallback): the methods that the path has, "GET, HEAD";
   empty where there is nothing at it. */
slice http_request_allow(const struct http_request *request);

struct io_loop *http_request_loop(const struct http_request *request);
const char *http_request_peer(const struct http_request *request);
/* Loop time at which the head's first byte was seen. */
uint64_t http_request_began_ns(const struct http_request *request);
/* Memory that goes with the request, at most 1 MiB of it. */
struct arena *http_request_arena(struct http_request *request);

/* --- answering later, reading the body ---------------------------------------------------------
 */

struct http_request_events {
    /* The request ended without its owner: the client went (http_request_refusal is 0), or the
       server has refused the body (the status). The request is gone after the call. */
    void (*on_gone)(void *self);
    /* http_reply_write has said -EAGAIN before and takes bytes again. NULL where nothing streams.
     */
    void (*on_room)(void *self);
    /* The client has ended its side: it may still read, but most have gone. What is written next
       finds that out. NULL where nobody minds. */
    void (*on_client_end)(void *self);
    /* See the head of this file. Both NULL on routes that do not stream. on_body_end comes once,
       also where there is no body; TRAILERS are for http1_next_field. */
    void (*on_body)(void *self, slice bytes);
    void (*on_body_end)(void *self, slice trailers);
};
/* The answer comes later (or is streamed beyond the handler's call). May be called again, to set
   other events. None comes from inside this call, or from inside pause or resume. */
void http_request_later(struct http_request *request, const struct http_request_events *events,
                        void *self);
/* During on_gone only. */
unsigned http_request_refusal(const struct http_request *request);
/* No parts of the body until resumed; not counted. */
void http_request_pause(struct http_request *request);
void http_request_resume(struct http_request *request);

#endif
