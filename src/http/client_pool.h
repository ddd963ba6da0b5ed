/*
 * client_pool.h - the inside of client.h: a pool and its calls. For client*.c only; the other half,
 * links, is client_link.h.
 *
 *     pool -- links, each with one call at most;   idle ones, the one used last first
 *       '---- waiting: calls without a link, the oldest first
 *
 * A CALL waits without a link, and then goes where its link goes. The request's side (`whole`) and
 * the answer's side (`answered`) move independently. What it would take to send the request once
 * more lies in `text`, until a byte of a body has been handed over.
 *
 * Events are called last, when everything else is in order again: the owner may do anything in
 * them, http_pool_free included. A call that ends is given back before its last event.
 */
#ifndef NONET_HTTP_CLIENT_POOL_H
#define NONET_HTTP_CLIENT_POOL_H

#include "base/list.h"
#include "http/client.h"

#define HTTP_SPARE_CALLS_MAX 64u       /* ended calls kept for the next ones */
#define HTTP_SPARE_TEXT_MAX (4u << 10) /* bytes of text that a spare call keeps room for */

struct http_link;

struct http_pool {
    struct io_loop *loop;
    char *address;
    struct io_tls *tls;
    struct http_pool_options options; /* without zeros; its pointers are not used */
    struct list links, idle, waiting;
    struct http_call *spare;
    unsigned open, idle_count, waiting_count, calls, spare_count;
    unsigned lingering; /* links that say goodbye */
    bool retired;
    bool draining; /* keeps no idle links */
    uint64_t connections_total, calls_total, retries, connect_failures;
    struct http1_head head; /* the answer's being parsed; large, so one for all links */
};

struct http_call {
    struct list_node node; /* in the pool's queue; of a spare one only next */
    struct http_pool *pool;
    struct http_link *link; /* NULL: waits */
    struct http_call_events events;
    void *self;
    struct buf text;    /* the request so far */
    uint64_t body_left; /* of a body with a length */
    uint64_t answer_ns, take_ns;
    struct io_timer patience; /* for a place */
    unsigned interims;
    int broken; /* the request cannot be ended: told when there is a link */
    enum http1_side side;
    bool has_body, chunked, upgrades;
    bool repeatable; /* safe, or said to be idempotent */
    bool text_kept;  /* text is all of the request so far */
    bool whole;      /* the request is, as far as its owner has a say */
    bool retried;
    bool answered; /* on_head was called */
    bool switched; /* with a 101: to be detached */
    bool paused;
    bool wants_room;
};

/* client.c */
/* There may be a place: opens links for waiting calls. */
void http_pool_serve(struct http_pool *pool);
/* The pool frees itself where it is retired and nothing is left. */
void http_pool_settle(struct http_pool *pool);
/* CALL, which waits, waits no more. */
void http_call_leave_queue(struct http_call *call);
/* CALL is gone; its memory is kept for another one. */
void http_call_give(struct http_call *call);
/* CALL has no link (any more): gives it up and tells its owner. */
void http_call_fail(struct http_call *call, enum http_failed failed, int code, const char *why);

/* client_head.c */
/* Bytes that the head of OPTIONS needs at most; 0: more than HTTP1_WRITTEN_MAX, or a request that
   is not the client's to send. */
size_t http_head_room(const struct http_call_options *options);
/* Writes it at OUT. Its length; 0: something in it cannot be sent. */
size_t http_head_put(char *out, const struct http_call_options *options);
/* The same for what ends a chunked body. */
size_t http_tail_room(const struct http1_field *trailers, size_t count);
size_t http_tail_put(char *out, const struct http1_field *trailers, size_t count);

#endif
