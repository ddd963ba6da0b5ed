/*
 * client_inside.h - the inside of client.h: a pool, its links, calls. For client*.c only.
 *
 *     pool -- links, each with one call at most;   idle ones, the one used last first
 *       '---- waiting: calls without a link, the oldest first
 *
 * LINK, a connection as the pool sees it:
 *
 *     OPENING --connected, TLS ready--> CALLED --answer complete, may be used again--> IDLE
 *        |                               |  ^------------ the next call ---------------'|
 *        |                               |--http_call_detach--> LEAVING -----------> gone
 *        '--failed, taken back-----------+--any other end, idle_ns, no room--> CLOSED --> gone
 *
 * A link that opens belongs to the call it is opened for; where that call is cancelled it opens
 * nevertheless, for the next one. OPENING, CALLED and IDLE count for connections_max. A link's
 * memory goes with its stream (in on_close), so whoever has called an event may still look at the
 * link: it has no call any more where the event has ended the call, and no pool where it has freed
 * the pool.
 *
 * CALL: WAITING has no link; then it goes where its link goes. The request's side (`whole`) and the
 * answer's side (`answered`) move independently. What a call would need in order to be sent once
 * more lies in `text`, unless a byte of a body has been handed over.
 *
 * Events are called last, when everything else is in order again: the owner may do anything in
 * them, http_pool_free included.
 */
#ifndef NONET_HTTP_CLIENT_INSIDE_H
#define NONET_HTTP_CLIENT_INSIDE_H

#include "base/list.h"
#include "http/client.h"
#include "wire/http1_body.h"

#define HTTP_SPARE_CALLS_MAX 64u       /* ended calls kept for the next ones */
#define HTTP_SPARE_TEXT_MAX (4u << 10) /* bytes of text that a spare call keeps room for */
#define HTTP_INTERIMS_MAX 32u          /* 1xx before one answer */
#define HTTP_LINK_REST_MAX (1u << 20)  /* two reads, decrypted, and a head cut in two */
#define HTTP_LINK_LOOKS 4u             /* at bytes not taken, within silence_ns */
#define HTTP_CLIENT_NEVER UINT64_MAX

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
    uint64_t connections_total, calls_total, retries, connect_failures;
    struct http1_head head; /* the answer's being parsed; large, so one for all links */
};

enum http_link_state { LINK_OPENING, LINK_CALLED, LINK_IDLE, LINK_LEAVING, LINK_CLOSED };

struct http_link {
    struct list_node in_pool, in_idle;
    struct io_loop *loop;
    struct http_pool *pool;   /* NULL: the pool is gone, or the stream has left it */
    struct http_call *call;   /* OPENING: perhaps; CALLED: always; else NULL */
    struct io_stream *stream; /* NULL: not yet connected */
    enum http_link_state state;
    bool keep_alive;     /* what the answer says of the connection */
    bool ended;          /* the server has sent its last */
    bool heard;          /* a byte has come since the call was begun */
    bool reading_paused; /* by us, in the stream */
    bool lingers;
    uint64_t served;   /* answers */
    uint64_t begun_at; /* io_stream_accepted when the call was begun */
    uint64_t taken;    /* the same, when last seen to have grown */
    uint64_t since_ns; /* when that happened which the clock measures from */
    uint64_t due_ns;   /* when the clock rings; NEVER: it does not run */
    struct io_timer clock, room;
    struct io_task task;
    int failed;      /* why we cut the stream: negative errno, 0 = for no failure */
    const char *why; /* words for it */
    struct http1_parser parser;
    struct http1_body body;
    slice input;     /* during a feed: what is not yet read */
    struct buf rest; /* between feeds: the same, from rest_at on */
    size_t rest_at;
    struct io_stream_events heir_events; /* LEAVING: whose the stream will be */
    void *heir;
};

struct http_call {
    struct list_node node; /* in the pool's queue; of a spare one only next */
    struct http_pool *pool;
    struct http_link *link; /* NULL: waits */
    struct http_call_events events;
    void *self;
    struct buf text;    /* the request so far */
    uint64_t body_left; /* of a body with a length */
    uint64_t answer_ns;
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
/* A call of LINK has been taken off it, or LINK has opened: it serves the next call, or is idle, or
   closes. */
void http_link_release(struct http_link *link);
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

/* client_link.c */
/* Opens a link for CALL. 0 or -ENOMEM; what else may fail is told by an event of CALL's. */
must_use int http_link_open(struct http_pool *pool, struct http_call *call);
/* Begins CALL, whose first bytes are in the stream's output already. */
void http_link_begin(struct http_link *link, struct http_call *call);
/* The same for a call that has waited: sends its text. Events may come. */
void http_link_start(struct http_link *link, struct http_call *call);
/* Closes the stream; LINK has no call, and is gone later. CLEAN: nothing is due from either side,
   so TLS says goodbye. */
void http_link_drop(struct http_link *link, bool clean);
/* The pool is gone, and LINK's call with it. */
void http_link_orphan(struct http_link *link);
/* Fails LINK's call, and drops LINK. */
void http_link_fail(struct http_link *link, enum http_failed failed, int code, const char *why);
/* From inside of functions of a call: the call fails a little later, with CODE. */
void http_link_break(struct http_link *link, int code, const char *why);
/* Brings pausing of the stream in line with its call. */
void http_link_set_reading(struct http_link *link);
/* Reads on, and tells of room, by the end of the turn. */
void http_link_go_on(struct http_link *link);
/* LINK, whose call is gone, leaves the pool with its stream at the end of the turn. */
void http_link_leave(struct http_link *link, const struct io_stream_events *events, void *owner);

/* client_clock.c */
/* The clock is to ring in SPAN_NS at the latest. */
void http_link_look(struct http_link *link, uint64_t span_ns);
/* After the request's last byte, or a part of its body. */
void http_link_look_after_request(struct http_link *link);
/* Somebody waits until the stream takes bytes again. */
void http_link_want_room(struct http_link *link);
/* Tells who waits for it, if there is room. */
void http_link_give_room(struct http_link *link);

/* client_head.c */
/* Bytes that the head of OPTIONS needs at most; 0: more than HTTP_CALL_HEAD_MAX, or a request that
   is not the client's to send. */
size_t http_head_room(const struct http_call_options *options);
/* Writes it at OUT. Its length; 0: something in it cannot be sent. */
size_t http_head_put(char *out, const struct http_call_options *options);
/* The same for what ends a chunked body. */
size_t http_tail_room(const struct http1_field *trailers, size_t count);
size_t http_tail_put(char *out, const struct http1_field *trailers, size_t count);

#endif
