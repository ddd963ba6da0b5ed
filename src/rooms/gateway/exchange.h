/*
 * exchange.h - one request on its way through the gateway, and all that is said to its client.
 *
 *     BEGUN --steps--> TARGET --exchange_reply, or begin, write*, end--> gone
 *       '--a step answers------------------------------------------------^
 *       '--exchange_hold ... exchange_go_on | the client goes: on_gone --^
 *
 * An exchange lives in its request's arena and goes with the request: after a call that completes
 * the answer (reply, problem, end, break) and after on_gone the pointer must not be used. Steps and
 * targets keep what they need in memory of their own or in the arena, and give it back in on_gone
 * (the client went, the body was refused, or the route's exchange_timeout is over), which is called
 * in place of everything else, exactly once, while the exchange is held or with its target and not
 * yet answered.
 */
#ifndef NONET_GATEWAY_EXCHANGE_H
#define NONET_GATEWAY_EXCHANGE_H

#include "bus/auth.h"
#include "rooms/gateway/gateway.h"
#include "rooms/gateway/template.h"

#define EXCHANGE_FIELDS_MAX 32u /* that steps add to the answer */
#define EXCHANGE_ANSWER_FIELDS_MAX (HTTP1_FIELDS_MAX + EXCHANGE_FIELDS_MAX + 2 * 32 + 8)
#define EXCHANGE_TRACEPARENT_LEN 55 /* "00-TRACE-SPAN-01": 32 and 16 hex digits */
#define EXCHANGE_PHASES 6

struct exchange;
struct gateway_route;

/* What is told to whoever holds the exchange; any may be NULL. */
struct exchange_events {
    void (*on_gone)(struct exchange *x);
    void (*on_room)(struct exchange *x);       /* exchange_write said -EAGAIN before */
    void (*on_client_end)(struct exchange *x); /* as http/request.h */
    /* As http/request.h: parts, or (on_body NULL) the end with the body gathered. */
    void (*on_body)(struct exchange *x, slice bytes);
    void (*on_body_end)(struct exchange *x, slice trailers);
    /* An answer without an end of its own (SSE) is to end: the loop drains, or login_end.over. */
    void (*on_drain)(struct exchange *x);
};

/* Moments in loop time, ns (the end: by the clock); 0: did not come. For the access log. */
enum exchange_moment {
    EXCHANGE_BEGAN,     /* first byte of the head */
    EXCHANGE_ADMITTED,  /* all steps have let it go on */
    EXCHANGE_CONNECTED, /* http: a connection was there */
    EXCHANGE_SENT,      /* the target has the whole request */
    EXCHANGE_ANSWERED,  /* the answer began */
    EXCHANGE_ENDED,
};

struct exchange {
    struct list_node node; /* of the shard's exchanges */
    struct gateway_shard *shard;
    const struct gateway_route *route;
    struct http_request *request;
    slice peer, client; /* addresses without port; client: as trusted_proxies let us know it */
    bool trusted;       /* the peer is one of trusted_proxies */
    slice principal;    /* who asks; empty: nobody in particular */
    slice way;          /* name of the way that let it in; empty: none was asked */
    struct principal *rights;   /* counted: on subjects; NULL: no limit beside the route's */
    struct login_end login_end; /* of what let it in: set by ways that know it */
    char traceparent[EXCHANGE_TRACEPARENT_LEN]; /* W3C trace context, with a span of ours */
    bool continued;                             /* the trace was begun by someone else */
    slice request_id;                           /* X-Request-Id as sent, or the trace id */
    slice upstream;                             /* who answered: "http://10.0.0.1:80", "bid.new" */
    const char *reason; /* why it failed: for the access log, not for the client */
    unsigned field_count;
    /* Fields that are set in what goes on to an HTTP service, or, where the value's ptr is NULL,
       taken out of it (auth.c), in the arena. */
    struct http1_field *onward;
    unsigned onward_count;
    uint64_t moments[EXCHANGE_PHASES];
    uint64_t bytes_in, bytes_out; /* of bodies */
    unsigned status;              /* 0: not answered yet */
    unsigned step;                /* which one is next */
    unsigned retries;
    bool held, counted;                 /* counted: in the route's concurrency */
    struct exchange_deadline *deadline; /* of the whole; NULL: the route sets none */
    struct exchange_events events;
    void *state;                                    /* of whoever holds it */
    struct http1_field fields[EXCHANGE_FIELDS_MAX]; /* last: not zeroed */
};

/* Handler of every route (http/routes.h); OWNER is the struct gateway_route. */
void exchange_begin_request(void *owner, struct http_request *request);

/* --- for steps and targets ---------------------------------------------------------------------
 */

/* From now on EVENTS tell what happens, STATE is the holder's; the request is answered later. With
   body events the body is read from the end of the present call on. */
void exchange_hold(struct exchange *x, const struct exchange_events *events, void *state);
/* A step that held it lets it go on to the next one. */
void exchange_go_on(struct exchange *x);

/* A field of the answer to come, put beside the target's own. Texts must live as long as X (arena,
   table or literals). Dropped, and logged, beyond EXCHANGE_FIELDS_MAX. */
void exchange_add_field(struct exchange *x, slice name, slice value);
/* The same printed into the arena. */
void exchange_print_field(struct exchange *x, const char *name, const char *format, ...)
    printf_like(3, 4);

/* TEXT with what stands for {name} in this request's path: as template_expand. */
must_use int exchange_expand(struct exchange *x, slice text, enum template_kind kind, slice *ret);

/* Whole answers. The route's response_headers and the fields added are applied. */
void exchange_reply(struct exchange *x, const struct http_answer *answer, slice body);
/* RFC 9457 problem: DETAIL for the client, names no internals; REASON (static) for the log. A 503
   without a Retry-After among the fields added gets one of a second: what is short now is memory
   or a place, and comes back that soon. */
void exchange_problem(struct exchange *x, unsigned status, const char *reason, const char *format,
                      ...) printf_like(4, 5);

/* Streamed answers, as http/reply.h. 0, -EINVAL or -ENOMEM: nothing was begun. */
must_use int exchange_begin(struct exchange *x, const struct http_answer *answer);
must_use int exchange_write(struct exchange *x, slice bytes);
bool exchange_full(struct exchange *x);
void exchange_end(struct exchange *x, const struct http1_field *trailers, size_t count);
/* It has no end of its own: it ends, by on_drain, when what let it in does (login_end). */
void exchange_ends_with_login(struct exchange *x);
/* REASON (static): for the log. */
void exchange_break(struct exchange *x, const char *reason);
/* All fields of ANSWER as the client gets it: the target's, those added by steps, and the route's
   changes to both. For who answers by http/ itself (101). OUT has EXCHANGE_ANSWER_FIELDS_MAX, what
   does not fit is left out; returns how many. */
size_t exchange_answer_fields(const struct exchange *x, const struct http_answer *answer,
                              struct http1_field *out);
/* Just before http_reply_upgrade or http_websocket_accept takes the request, with which X goes: the
   exchange is over, and STREAM stands for what goes on until gateway_stream_over. Where the call
   fails the request is answered by http/reply.h, for X is gone all the same. */
void exchange_upgraded(struct exchange *x, struct gateway_stream *stream);

static inline slice exchange_traceparent(const struct exchange *x) {
    return slice_make(x->traceparent, EXCHANGE_TRACEPARENT_LEN);
}
static inline slice exchange_trace_id(const struct exchange *x) {
    return slice_make(x->traceparent + 3, 32);
}
static inline struct io_loop *exchange_loop(const struct exchange *x) {
    return x->shard->shard->loop;
}
static inline struct arena *exchange_arena(struct exchange *x) {
    return http_request_arena(x->request);
}
static inline void exchange_note(struct exchange *x, enum exchange_moment moment) {
    x->moments[moment] = io_loop_now_ns(exchange_loop(x));
}

#endif
