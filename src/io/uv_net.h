/*
 * uv_net.h - the inside of a stream in production. For uv_net.c, uv_listen.c, uv_connect.c and
 * tls_stream.c only.
 *
 * Output goes through up to three places:
 *
 *     head.out   the segment written to now (current)
 *     plain      TLS only: full segments not yet encrypted     in_flight = plain + wire
 *     wire       what the socket has not taken yet
 *
 * Without TLS a full segment goes to the wire as it is. All of it leaves by one writev a turn.
 *
 *            close, or peer's end without on_end
 *     OPEN ------------------------------> FLUSHING --all sent--> FINISHED --peer's end--> DEAD
 *      | abort, error                         | error, linger over    | error, linger over  ^
 *      +--------------------------------------+-----------------------+---------------------+
 *
 *     OPEN      bytes come and go; shut: they only come
 *     FLUSHING  input is thrown away, output still leaves
 *     FINISHED  our side is shut (FIN sent); the peer's end is awaited, because closing a socket
 *               with unread input sends a reset that may overtake our last words
 *     DEAD      on_close is due at the end of the turn; then the handle is closed and freed
 */
#ifndef NONET_IO_UV_NET_H
#define NONET_IO_UV_NET_H

#include "io/address.h"
#include "io/net.h"
#include "io/uv_loop.h"

enum io_stream_state { STREAM_OPEN, STREAM_FLUSHING, STREAM_FINISHED, STREAM_DEAD };

struct io_session; /* TLS, tls_stream.c */

struct io_stream {
    struct io_stream_head head; /* first: the inline functions of net.h cast to it */
    struct io_segment *current; /* head.out lies in it; NULL: no output */
    struct io_segments wire;
    struct io_loop *loop;
    struct io_stream *next_dirty;
    struct io_stream_events events;
    void *owner;
    struct io_session *session; /* NULL: plain */
    uv_poll_t poll;
    int fd;
    int interest;    /* what poll watches for */
    int reason;      /* for on_close */
    unsigned pauses; /* > 0: not reading */
    enum io_stream_state state;
    bool shutting;     /* OPEN, but our side ends with the output there is */
    bool shut;         /* FIN sent */
    bool waiting;      /* the socket is full; poll tells when it is not */
    bool peer_done;    /* the peer's end has been read */
    bool talkative;    /* said more than a small segment lately: gets a large one */
    size_t room_below; /* on_drain is due where fewer bytes are pending; 0: nobody asked */
    struct io_task die, room;
    struct io_timer linger;
    uint64_t lingered; /* head.accepted, when linger was started */
    char peer[IO_ADDRESS_TEXT_MAX];
};

/* Makes a stream of a connected, non-blocking socket, which it owns from then on (on failure the
   caller keeps it). Reading starts at the next turn. 0, -ENOMEM or a system error. */
must_use int io_stream_create(struct io_loop *loop, int fd, const struct io_address *peer,
                              struct io_stream **ret_stream);
/* The stream is lost for REASON (negative errno, 0 = clean). */
void io_stream_fail(struct io_stream *stream, int reason);
/* The peer will send no more. */
void io_stream_end(struct io_stream *stream);
/* in_flight after the wire or the session's queue has changed. */
void io_stream_recount(struct io_stream *stream);
/* Puts what head.out holds, if anything, behind QUEUE. */
void io_stream_seal(struct io_stream *stream, struct io_segments *queue);

/* --- tls_stream.c ----------------------------------------------------------------------------- */

/* Bytes came from the wire; the stream may be dead afterwards. */
void io_session_feed(struct io_stream *stream, slice bytes);
/* Not paused any more: a goodbye that came meanwhile is due. */
void io_session_resumed(struct io_stream *stream);
/* The wire has ended. Clean only where the peer has said so inside TLS. */
void io_session_wire_ended(struct io_stream *stream);
/* Encrypts all output there is to the wire, if the handshake is over; where the stream is FLUSHING
   or shut also says goodbye. 0, or a negative errno upon which the stream is lost. */
must_use int io_session_encrypt(struct io_stream *stream);
struct io_segments *io_session_plain(struct io_session *session);
/* Goodbye is on the wire. */
bool io_session_said_goodbye(const struct io_session *session);
/* The stream has died: where the handshake was not over and we did not end it, on_ready says so. */
void io_session_lost(struct io_stream *stream);
void io_session_free(struct io_stream *stream);

#endif
