/*
 * client.h - an HTTP/1.1 client: pools of connections to one address, calls over them.
 *
 * A POOL belongs to a loop and to one address. A CALL takes an idle connection, or opens one, or
 * waits until it may; it sends its head, streams a body, and hears the answer:
 *
 *     BEGUN --connected--> SENDING --on_interim*--> on_head --on_body*--> on_end -----> gone
 *       '--------'------------'------------------------'---- on_fail ----------------> gone
 *                             '-- on_head(101) -- http_call_detach ------------------> gone
 *
 * "gone": the pointer must not be used any more. No event comes from inside a function. An answer
 * may come while the body is still being sent; once it is complete the rest of the body is not
 * wanted, and the connection ends with it.
 *
 * THE KEEP-ALIVE RACE. A server may close an idle connection just when a request is put on it; the
 * client cannot know whether the request was acted upon. So idle connections are dropped after
 * idle_ns, which is to be less than the server's patience, and a call that fails on a connection
 * that had served before, with not one byte of an answer, is begun once more on a new one, if its
 * method is safe or it says `idempotent`, and if it has no body that has been handed over already.
 * Where that one cannot be had, the call has failed as HTTP_FAILED_CLOSED.
 *
 * Answers are parsed as strictly as requests (wire/http1.h): what is ambiguous fails the call with
 * HTTP_FAILED_ANSWER and ends the connection. Any byte that comes unasked ends the connection, too,
 * and fails the call whose answer it would have been taken for.
 *
 * BOUNDS, each with its answer: connections and waiting calls of a pool (-EBUSY), connecting
 * (connect_ns), waiting for the head (answer_ns), silence within a body (silence_ns), bytes of a
 * body not taken by the server (http_call_write: -EAGAIN; none taken for take_ns: failed).
 */
#ifndef NONET_HTTP_CLIENT_H
#define NONET_HTTP_CLIENT_H

#include "base/check.h"
#include "io/tls.h"
#include "wire/http1.h"

struct http_pool;
struct http_call;

/* 0 in a field: the default in brackets. Texts are copied. */
struct http_pool_options {
    const char *address;      /* "host:port"; a name is resolved for each new connection */
    struct io_tls *tls;       /* NULL: plain text; counted by the pool */
    unsigned connections_max; /* [256] open ones */
    unsigned waiting_max;     /* [1024] calls that wait for a connection */
    unsigned idle_max;        /* [64] kept without a call */
    uint64_t idle_ns;         /* [4 s] how long they are kept */
    uint64_t connect_ns;      /* [5 s] with the TLS handshake; also the wait for a place */
    uint64_t answer_ns;       /* [60 s] from the request's last byte to the head of the answer */
    uint64_t silence_ns;      /* [60 s] between two bytes of a body, either way */
};
/* 0 or -ENOMEM. */
must_use int http_pool_create(struct io_loop *loop, const struct http_pool_options *options,
                              struct http_pool **ret_pool);
/* Idle connections close, calls under way and waiting go on to their ends; no new ones. The pool
   frees itself after the last. */
void http_pool_retire(struct http_pool *pool);
/* Idle connections close, and from now on those in use close when their calls are over. */
void http_pool_drain(struct http_pool *pool);
/* Everything ends now, without events; the pool is gone. NULL allowed, returns NULL. */
struct http_pool *http_pool_free(struct http_pool *pool);

struct http_pool_stats {
    unsigned connections, idle, waiting, calls; /* calls: with a connection, or waiting */
    uint64_t connections_total, calls_total, retries, connect_failures;
};
struct http_pool_stats http_pool_stats(const struct http_pool *pool);

enum http_failed {
    HTTP_FAILED_CONNECT, /* refused, unreachable, TLS; nothing was sent */
    HTTP_FAILED_BUSY,    /* no place in time; nothing was sent */
    HTTP_FAILED_CLOSED,  /* the connection ended before the answer did, or had to */
    HTTP_FAILED_ANSWER,  /* not HTTP, or ambiguous */
    HTTP_FAILED_TIME,    /* answer_ns, silence_ns or take_ns */
};

struct http_call_events {
    void (*on_interim)(void *self, const struct http1_head *head); /* 1xx but 101; may be NULL */
    /* The answer's head; slices are valid during the call. */
    void (*on_head)(void *self, const struct http1_head *head);
    void (*on_body)(void *self, slice bytes); /* valid during the call */
    void (*on_end)(void *self, slice trailers);
    /* ANSWERED: on_head was called before. CODE: a negative errno. WHY: words for the log. */
    void (*on_fail)(void *self, enum http_failed failed, bool answered, int code, const char *why);
    void (*on_room)(void *self); /* http_call_write said -EAGAIN before; NULL without a body */
};

#define HTTP_CALL_CHUNKED UINT64_MAX
#define HTTP_CALL_HIGH_BYTES (512u << 10) /* not taken by the server: http_call_write waits */

struct http_call_options {
    slice method, target; /* target in origin form, or "*" of OPTIONS; any method but CONNECT */
    slice host;           /* the Host field */
    /* End-to-end fields. Host, Content-Length, Transfer-Encoding, Connection and Upgrade are the
       client's own; names and values must be fit to send (http1_write.h). */
    const struct http1_field *fields;
    size_t field_count;
    bool has_body;
    uint64_t body_length; /* with has_body: at most 2^63 - 1 bytes, or HTTP_CALL_CHUNKED */
    slice upgrade;        /* not empty: Connection: upgrade, and Upgrade with this value */
    bool trailers;        /* those of the answer are wanted: TE: trailers, which Connection names */
    bool idempotent;      /* may be sent twice although its method is not safe */
    uint64_t answer_ns;   /* 0: the pool's */
    uint64_t take_ns;     /* without a byte of the request being taken; 0: the pool's silence_ns */
};
/* 0; -EBUSY (bounds, or retired), -EINVAL (what cannot be sent, or a head above HTTP1_WRITTEN_MAX),
   -ENOMEM: no event comes. The options' texts are not needed after the call. */
must_use int http_call_begin(struct http_pool *pool, const struct http_call_options *options,
                             const struct http_call_events *events, void *self,
                             struct http_call **ret_call);
/* 0: all of BYTES is taken. -EAGAIN: none is; on_room tells when. -E2BIG: more than body_length.
   -ENOMEM. Bytes for a connection that has just gone are taken and lost; on_fail follows. */
must_use int http_call_write(struct http_call *call, slice bytes);
/* Whether http_call_write would say -EAGAIN now, as it does before there is a connection; then
   on_room tells when it would not. */
bool http_call_full(struct http_call *call);
/* The body is whole (it must be), with trailers where it is chunked. What cannot be sent of them,
   as above, fails the call. */
void http_call_end(struct http_call *call, const struct http1_field *trailers, size_t count);
/* No on_body or on_end until resumed; not counted. The server is pushed back on. */
void http_call_pause(struct http_call *call);
void http_call_resume(struct http_call *call);
/* No more events; the connection ends, as it cannot be used again. The call is gone. */
void http_call_cancel(struct http_call *call);
/* During or after on_head of a 101: the stream is the caller's, with EVENTS and OWNER from the end
   of this turn on; what came behind the head comes by on_bytes first. The call is gone. */
void http_call_detach(struct http_call *call, const struct io_stream_events *events, void *owner,
                      struct io_stream **ret_stream);

#endif
