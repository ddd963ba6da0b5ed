/*
 * websocket.h - a WebSocket on the server's side: messages both ways, on a request's connection.
 *
 *     static void handle(void *owner, struct http_request *request) {
 *         if (http_websocket_accept(request, &options, &events, session, &session->ws) < 0)
 *             ...    // the request has been answered: 426, 400 or 503
 *     }
 *
 *     OPEN --http_websocket_close: said--> CLOSING --the peer's close frame, or close_ns--> CLOSED
 *      |---- the peer's close frame: answered; a frame that is refused: said ------------------^
 *      '---- the connection lost, abort, no sign of life, output not taken --------------------^
 *
 * CLOSED lasts until what was said has left and the peer has ended (io/net.h, IO_LINGER_MS without
 * either at most); then on_close is the last call, never made from inside a function below, and the
 * pointer is gone.
 *
 * ALIVE is who is heard: after ping_ns without a byte a ping is sent, and pong_ns later, still
 * without one, the connection is cut. A peer that takes output which waits for it counts as heard.
 * One that takes nothing of it for ping_ns + pong_ns is cut, whatever it sends. Pings of the peer
 * are answered here; of several that come while output waits, only the last one, as the protocol
 * allows. idle_ns is about messages: without one either way for so long, it is closed with 1001.
 *
 * SLOW READERS: above out_high_bytes of waiting output http_websocket_send takes nothing (-EAGAIN)
 * and on_room tells when to go on. The owner decides what a slow reader means: wait (and pause what
 * feeds it), leave messages out, or close with 1008. FAST WRITERS: http_websocket_pause stops
 * on_message and, through TCP, the peer; it also stops the clock of pings, since nobody listens.
 *
 * Memory: a WebSocket between messages holds its struct and no buffer, some hundred bytes besides
 * the stream. One in a message holds what has come of it, at most message_bytes_max. Everything
 * happens on the loop of the request. Compression is not offered (wire/websocket.h).
 */
#ifndef NONET_HTTP_WEBSOCKET_H
#define NONET_HTTP_WEBSOCKET_H

#include "http/request.h"
#include "wire/websocket_error.h"

#define HTTP_WEBSOCKET_SEND_MAX (32u << 20) /* bytes of one message that is sent */
#define HTTP_WEBSOCKET_HIGH_MAX (16u << 20) /* the most that out_high_bytes may be */
#define HTTP_WEBSOCKET_NEVER UINT64_MAX

struct http_websocket;

/* 0 in a field: the default in brackets. */
struct http_websocket_options {
    const slice *protocols; /* ours; the client's order decides which of them is spoken */
    size_t protocol_count;
    const struct http1_field *fields; /* of the 101, beside its own */
    size_t field_count;
    uint32_t message_bytes_max; /* [1 MiB] of a message that comes; a larger one closes with 1009 */
    uint32_t out_high_bytes;    /* [256 KiB] */
    uint64_t ping_ns;           /* [30 s], or HTTP_WEBSOCKET_NEVER */
    uint64_t pong_ns;           /* [10 s] */
    uint64_t idle_ns;           /* [HTTP_WEBSOCKET_NEVER] */
    uint64_t close_ns;          /* [5 s] for the peer to answer our close frame */
};

struct http_websocket_events {
    /* A whole message; MESSAGE is valid during the call. Not called while paused, nor after
       http_websocket_close or abort. */
    void (*on_message)(void *owner, bool is_text, slice message);
    /* After -EAGAIN: messages are taken again. May be NULL. */
    void (*on_room)(void *owner);
    /* CODE is that of the first close frame, ours or the peer's: WEBSOCKET_CODE_NONE where it said
       none, WEBSOCKET_CODE_LOST where there was no such frame. */
    void (*on_close)(void *owner, unsigned code);
};

/* Answers REQUEST, which may be in any state in which it wants an answer, and is gone after the
   call. 0: with 101; *RET_WS, and the first event comes no sooner than at the end of this turn. Or
   it was refused: -EPROTO (it does not ask for a WebSocket, or wrongly), -EBUSY (it was sent among
   others whose answers are not done), -EINVAL (a field that cannot be sent), -ENOMEM. OPTIONS and
   EVENTS are copied. */
must_use int http_websocket_accept(struct http_request *request,
                                   const struct http_websocket_options *options,
                                   const struct http_websocket_events *events, void *owner,
                                   struct http_websocket **ret_ws);

/* Which of the options' protocols was agreed on; -1: none. */
int http_websocket_protocol(const struct http_websocket *ws);
/* The stream below, for its loop, addresses and certificates only. */
const struct io_stream *http_websocket_stream(const struct http_websocket *ws);
/* Bytes of output that wait for the peer. */
size_t http_websocket_pending(const struct http_websocket *ws);

/* Sends MESSAGE in one frame. 0: it was taken. -EAGAIN: see SLOW READERS. -EPIPE: it is closing or
   closed. -EILSEQ: text that is not UTF-8, which the peer would close over. -E2BIG: above
   HTTP_WEBSOCKET_SEND_MAX. -ENOMEM. */
must_use int http_websocket_send(struct http_websocket *ws, bool is_text, slice message);

/* Says CODE (websocket_code_sendable, or WEBSOCKET_CODE_NONE) and REASON, of which what is above
   123 bytes is cut off, then waits for the peer. What it still sends is thrown away. Nothing where
   it is closing already. */
void http_websocket_close(struct http_websocket *ws, unsigned code, slice reason);
/* Cuts the connection; what waits is lost. */
void http_websocket_abort(struct http_websocket *ws);

/* Not counted. What had been read when it was paused comes at the end of the turn of the resume. */
void http_websocket_pause(struct http_websocket *ws);
void http_websocket_resume(struct http_websocket *ws);

#endif
