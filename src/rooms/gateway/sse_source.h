/*
 * sse_source.h - where the clients of a feed (sse_feed.h) read from: its tail, and catch-ups.
 *
 * A SOURCE is a window (sse_window.h) and the clients who read from it. The TAIL is fed by a
 * follower of the stream, or by subscriptions; each event is encoded once and written to all. A
 * client who is behind the tail's window, since it was slow or has said Last-Event-ID, reads from a
 * CATCH-UP: a window that a reader of the stream fills batch by batch, for all who are near it.
 *
 *     WAITING --a catch-up begins--> in CATCH-UP --it reaches the tail's window--> in TAIL
 *        ^                              '--does not read--.                          |
 *        '------ reads again ----------- BLOCKED <--------'                          |
 *        '------ fell out of the window (STREAM; PLAIN: told what it missed) --------'
 *
 * A client knows the sequence of the event that it needs next, and nothing else of where it stands.
 * Work is done by a pump, a bounded number of clients a turn, so that events which come during a
 * round share the next write to each.
 *
 * BOUNDS. SSE_CATCH_UPS_MAX catch-ups a loop, SSE_FEED_CATCH_UPS_MAX a feed; more clients wait. The
 * tail's window grows with the clients (SSE_KEEP_*), a catch-up's holds SSE_BATCH_* and at most one
 * event more. What waits for a client that does not read is bounded by http/reply.h, in bytes and
 * time.
 */
#ifndef NONET_GATEWAY_SSE_SOURCE_H
#define NONET_GATEWAY_SSE_SOURCE_H

#include "rooms/gateway/exchange.h"
#include "rooms/gateway/sse_window.h"
#include "rooms/gateway/stream_reader.h"

#define SSE_CATCH_UPS_MAX 64u
#define SSE_FEED_CATCH_UPS_MAX 4u
#define SSE_CATCH_UP_AHEAD 4096u /* sequences that a client waits for a catch-up to come to it */
#define SSE_BATCH_MESSAGES 256u
#define SSE_BATCH_BYTES (128u << 10)
#define SSE_KEEP_CLIENT_BYTES (16u << 10)
#define SSE_KEEP_BYTES_MIN (256u << 10)
#define SSE_KEEP_BYTES_MAX (1u << 20)

struct sse_feed;

struct sse_source {
    struct sse_feed *feed;
    struct list_node node;       /* of the feed's catch-ups */
    struct stream_reader reader; /* closed: of a PLAIN feed's tail */
    struct sse_window window;
    struct list ready, rest, blocked; /* clients: to be written to; have all; do not read */
    unsigned clients;
    bool tail;
    /* of a catch-up */
    bool filled, lost;          /* a batch is there; the reader gave up */
    uint64_t reached;           /* who has read the batch has all below this */
    struct bus_request *asking; /* whether something before the batch is not there any more */
};

/* Lies in its request's arena. */
struct sse_client {
    struct list_node node; /* of a source or of the feed */
    struct sse_feed *feed;
    struct sse_source *source; /* NULL: none */
    struct exchange *x;
    uint64_t next;   /* sequence of the first event that it has not got */
    uint64_t after;  /* said to be the last one it has */
    uint64_t gap_to; /* it is to be told that what is below is missing; 0: nothing is */
    bool resumes;    /* it has said AFTER */
    bool astray;     /* AFTER is beyond the end of the stream: not one of its sequences */
    bool filtered;   /* its rights are asked for each event */
    bool begun;      /* answered 200 */
    bool blocked;    /* does not read */
    bool ended;      /* says no more */
    uint64_t wrote_ns;
    struct io_timer beat;
};

/* sse_write.c: what a client took of its source: all there is, a part, nothing since it does not
   read; or it is behind the source's window; or it cannot be written to. */
enum sse_took { SSE_TOOK_ALL, SSE_TOOK_SOME, SSE_TOOK_NOTHING, SSE_FELL_OUT, SSE_FAILED };
enum sse_took sse_write(struct sse_client *client);

void sse_source_init(struct sse_source *source, struct sse_feed *feed, bool tail);
/* Closes all sources of FEED, from which no client reads. */
void sse_sources_close(struct sse_feed *feed);
/* The tail begins to follow the feed's stream, then calls sse_feed_opened. 0 or -ENOMEM. */
must_use int sse_tail_follow(struct sse_feed *feed);
/* A message that is fed by subscriptions. */
void sse_tail_take(struct sse_feed *feed, const struct bus_message *message);
/* Gives back the memory of events that all have got; does nothing where some have not. */
void sse_tail_rest(struct sse_feed *feed);

/* CLIENT, who has been answered 200, gets what it needs from here on. */
void sse_place(struct sse_client *client);
/* Takes CLIENT off whatever list it is in. */
void sse_unplace(struct sse_client *client);
void sse_on_room(struct sse_client *client);
/* The feed's pump. */
void sse_pump(struct io_task *task);

#endif
