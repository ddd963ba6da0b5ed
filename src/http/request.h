/*
 * request.h - a request as its handler sees it, and the ways to answer it.
 *
 * A handler is called once the whole body is there. It answers at once:
 *
 *     http_reply(request, &(struct http_answer){.status = 200, .type = "text/plain"}, text);
 *
 * or later, after http_request_later, from anywhere on the same loop. A streamed answer is begun,
 * written in pieces and ended; that is also how server-sent events are sent:
 *
 *     CALLED --http_reply, _problem, _json--------------------------------------------> gone
 *       |  \--http_reply_begin--> STREAMING --http_reply_end, http_reply_break--------> gone
 *       '--http_request_later--> (both as above, or the client goes: on_gone) --------> gone
 *
 * "gone": the pointer must not be used any more. A handler that returns without having answered
 * must have called http_request_later (checked). Slices of a request live as long as it does.
 * Answers leave in the order of the requests, whatever order they are given in; what is answered
 * out of turn waits in memory, within the limits of the server.
 */
#ifndef NONET_HTTP_REQUEST_H
#define NONET_HTTP_REQUEST_H

#include "base/arena.h"
#include "base/check.h"
#include "base/slice.h"
#include "io/loop.h"
#include "wire/http1_fields.h"

#define HTTP_ANSWER_BYTES_MAX (32u << 20) /* of a whole answer; a larger one becomes a 500 */
#define HTTP_STREAM_HIGH_BYTES (256u << 10)
#define HTTP_PROBLEM_TYPE "application/problem+json"
#define HTTP_JSON_TYPE "application/json"

struct http_request;

/* --- what was asked ----------------------------------------------------------------------------
 */

slice http_request_method(const struct http_request *request);
slice http_request_path(const struct http_request *request);  /* decoded, in its one form */
slice http_request_query(const struct http_request *request); /* without '?', as sent */
slice http_request_body(const struct http_request *request);
bool http_request_is_tls(const struct http_request *request);
/* A parameter of the route's pattern; the empty slice where the pattern has no such one. */
slice http_request_parameter(const struct http_request *request, const char *name);
/* The first field NAME (case does not matter). */
bool http_request_field(const struct http_request *request, slice name, slice *ret_value);
/* The first "KEY=value" of the query, decoded ("+" is a blank; "" where it has no '='). 0, -ENOENT,
   -EINVAL (badly escaped), -ENOMEM. */
must_use int http_request_argument(struct http_request *request, slice key, slice *ret_value);
/* The user or "token" that the guard has let in; empty where it asked for none. */
slice http_request_user(const struct http_request *request);

struct io_loop *http_request_loop(const struct http_request *request);
const char *http_request_peer(const struct http_request *request);
/* Memory that goes with the request, at most 1 MiB of it. */
struct arena *http_request_arena(struct http_request *request);

/* --- answering -------------------------------------------------------------------------------- */

struct http_request_events {
    /* The client went before the answer was complete; the request is gone after the call. */
    void (*on_gone)(void *self);
    /* http_reply_write has said -EAGAIN before and takes bytes again. NULL where nothing streams.
     */
    void (*on_room)(void *self);
};
/* The answer comes later (or is streamed beyond the handler's call). May be called again, to set
   other events. */
void http_request_later(struct http_request *request, const struct http_request_events *events,
                        void *self);

struct http_answer {
    unsigned status;  /* 200 to 599 */
    const char *type; /* Content-Type; NULL: none */
    /* More fields; Content-Length, Transfer-Encoding, Connection and Date are the server's own. */
    const struct http1_field *fields;
    size_t field_count;
    bool close; /* end the connection after this answer */
};

/* A whole answer. Never fails: what cannot be said (a bad field, no memory) becomes a 500, or the
   end of the connection. */
void http_reply(struct http_request *request, const struct http_answer *answer, slice body);
void http_reply_json(struct http_request *request, unsigned status, slice json);
/* RFC 9457: {"type":"about:blank","title":"Not Found","status":404,"detail":"..."}. */
void http_reply_problem(struct http_request *request, unsigned status, const char *format, ...)
    printf_like(3, 4);

/* Begins a streamed answer (chunked, or until close for HTTP/1.0). 0; -EINVAL for a field that
   cannot be sent or -ENOMEM: nothing is begun, and the request wants another answer. */
must_use int http_reply_begin(struct http_request *request, const struct http_answer *answer);
/* 0: all of BYTES is taken. -EAGAIN: none is, since more than HTTP_STREAM_HIGH_BYTES wait for the
   client (or it is not this request's turn yet); on_room tells when. -ENOMEM: none is. -E2BIG:
   more than HTTP_ANSWER_BYTES_MAX in one call. Bytes for a client that has just gone are taken and
   lost; on_gone follows. */
must_use int http_reply_write(struct http_request *request, slice bytes);
/* The answer is complete. */
void http_reply_end(struct http_request *request);
/* The answer cannot be completed: the connection ends, so that the client sees that it is short. */
void http_reply_break(struct http_request *request);

#endif
