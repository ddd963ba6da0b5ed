/*
 * client_link.h - the inside of client.h: a connection as its pool sees it. For client*.c only.
 *
 *     OPENING --connected, TLS ready--> CALLED --answer complete, may be used again--> IDLE
 *        |                               |  ^------------ the next call ---------------'|
 *        |                               |--http_call_detach--> LEAVING -----------> gone
 *        '--failed, taken back-----------+--any other end, idle_ns, no room--> CLOSED --> gone
 *
 * A link that opens belongs to the call it is opened for; where that call is cancelled it opens
 * nevertheless, for the next one. OPENING, CALLED and IDLE count for connections_max.
 *
 * A link's memory goes with its stream (in on_close), so whoever has called an event may still look
 * at the link: it has no call any more where the event has ended the call, and no pool where it has
 * freed the pool. One that has no stream yet goes at once.
 */
#ifndef NONET_HTTP_CLIENT_LINK_H
#define NONET_HTTP_CLIENT_LINK_H

#include "http/client_pool.h"
#include "wire/http1_body.h"

#define HTTP_INTERIMS_MAX 32u         /* 1xx before one answer */
#define HTTP_LINK_REST_MAX (1u << 20) /* two reads, decrypted, and a head cut in two */
#define HTTP_LINK_NEVER UINT64_MAX

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
    struct io_timer clock;
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

/* client.c */
/* A call of LINK has been taken off it, or LINK has opened: it serves the next call, or is idle, or
   closes. */
void http_link_release(struct http_link *link);

/* client_link.c */
/* Opens a link for CALL. 0 or -ENOMEM; what else may fail is told by an event of CALL's. */
must_use int http_link_open(struct http_pool *pool, struct http_call *call);
/* Begins CALL, whose first bytes are in the stream's output already. */
void http_link_begin(struct http_link *link, struct http_call *call);
/* The same for a call that has waited: sends its text. */
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

#endif
