/*
 * reply.h - the ways to answer a request (request.h).
 *
 *     http_reply(request, &(struct http_answer){.status = 200, .type = "text/plain"}, text);
 *
 * A streamed answer is begun, written in pieces and ended; that is also how server-sent events and
 * the answers of other servers are sent. Answers leave in the order of the requests, whatever order
 * they are given in; what is answered out of turn waits in memory, within the server's limits.
 */
#ifndef NONET_HTTP_REPLY_H
#define NONET_HTTP_REPLY_H

#include "http/request.h"
#include "io/net.h"

#define HTTP_ANSWER_BYTES_MAX (32u << 20) /* of a whole answer; a larger one becomes a 500 */
#define HTTP_STREAM_HIGH_BYTES (256u << 10)
#define HTTP_PROBLEM_TYPE "application/problem+json"
#define HTTP_JSON_TYPE "application/json"

struct http_answer {
    unsigned status;  /* 200 to 599 */
    const char *type; /* Content-Type; NULL: none, or it is among the fields */
    /* More fields. Content-Length, Transfer-Encoding and Connection are the server's own; so is
       Date unless it is among these. */
    const struct http1_field *fields;
    size_t field_count;
    /* http_reply_begin: the length is known, so the body is not chunked. For HEAD and 304 it is
       only announced, for 204 (RFC 9110 8.6) not even that; what is written for these is dropped.
     */
    bool has_length;
    uint64_t length;
    bool close; /* end the connection after this answer */
};

/* A whole answer. Never fails: what cannot be said (a bad field, no memory) becomes a 500, or the
   end of the connection. */
void http_reply(struct http_request *request, const struct http_answer *answer, slice body);
void http_reply_json(struct http_request *request, unsigned status, slice json);
/* RFC 9457: {"type":"about:blank","title":"Not Found","status":404,"detail":"..."}. */
void http_reply_problem(struct http_request *request, unsigned status, const char *format, ...)
    printf_like(3, 4);
/* The same with more fields: "Retry-After", "Allow". */
void http_reply_problem_with(struct http_request *request, unsigned status,
                             const struct http1_field *fields, size_t field_count,
                             const char *detail);

/* 1xx before the answer (103 Early Hints; 100 is the server's own). Left out where it is not the
   request's turn, where the answer is begun, and for HTTP/1.0. */
void http_reply_interim(struct http_request *request, unsigned status,
                        const struct http1_field *fields, size_t field_count);

/* Begins a streamed answer (with its length, chunked, or until close for HTTP/1.0). 0; -EINVAL for
   a field that cannot be sent or -ENOMEM: nothing is begun, and the request wants another answer.
 */
must_use int http_reply_begin(struct http_request *request, const struct http_answer *answer);
/* 0: all of BYTES is taken. -EAGAIN: none is, since more than HTTP_STREAM_HIGH_BYTES wait for the
   client (or it is not this request's turn yet); on_room tells when. -ENOMEM: none is. -E2BIG:
   more than HTTP_ANSWER_BYTES_MAX in one call, or more than the length announced. Bytes for a
   client that has just gone are taken and lost; on_gone follows. */
must_use int http_reply_write(struct http_request *request, slice bytes);
/* Whether http_reply_write would say -EAGAIN now; then on_room tells when it would not. Who asks
   this behind each write, and stops whatever brings the bytes, never has any left over. */
bool http_reply_full(struct http_request *request);
/* The answer is complete. One that is short of its length is broken off instead. */
void http_reply_end(struct http_request *request);
/* The same with trailers, which only a chunked answer has room for; else they are left out, and so
   are fields that cannot be sent. */
void http_reply_end_with(struct http_request *request, const struct http1_field *trailers,
                         size_t count);
/* The answer cannot be completed: the connection ends, so that the client sees that it is short. */
void http_reply_break(struct http_request *request);

/* Answers 101 with FIELDS (Upgrade is the caller's, Connection the server's) and takes the stream
   away from HTTP: EVENTS and OWNER are the stream's from the end of this turn on, what the client
   has sent behind the request comes by on_bytes first, and the request is gone. *RET_STREAM may be
   written to at once, behind the 101. The server's drain and close do not know the stream any more.
   0, or nothing was done: -EBUSY (earlier requests are not answered, a body is not read, others
   follow), -EINVAL, -ENOMEM. */
must_use int http_reply_upgrade(struct http_request *request, const struct http1_field *fields,
                                size_t field_count, const struct io_stream_events *events,
                                void *owner, struct io_stream **ret_stream);
/* Whether it would not say -EBUSY now: for who must put things in order before. */
bool http_reply_may_upgrade(const struct http_request *request);

#endif
