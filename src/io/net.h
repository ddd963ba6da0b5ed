/*
 * net.h - byte streams over TCP and TLS, listeners, datagrams. Part of the seam (loop.h).
 *
 * A STREAM delivers bytes by on_bytes and takes bytes through its output buffer:
 *
 *     char *room;
 *     if (io_stream_reserve(stream, n, &room) == 0) { ...write up to n bytes...; }
 *     io_stream_advance(stream, written);
 *
 * Nothing is sent at once: the loop flushes every stream written to in a turn at the turn's end, so
 * a thousand small messages cost one system call. Output waiting for the socket is bounded by the
 * stream's out_max; at the bound reserve answers -ENOBUFS and the owner decides (NATS closes a slow
 * consumer, HTTP stops reading the other side). An idle stream holds no buffer of its own: input is
 * read into the loop's shared buffer, and output buffers go back to the loop's pool when drained.
 *
 *     OPEN --io_stream_close--> CLOSING (flushed, as long as output is taken) --> on_close, freed
 *     OPEN --peer closed, error, io_stream_abort--------------------------------> on_close, freed
 *
 * on_close is the last call for a stream, never made from inside close or abort, and after it the
 * pointer is gone. After close/abort no on_bytes comes any more.
 */
#ifndef NONET_IO_NET_H
#define NONET_IO_NET_H

#include "base/buf.h"
#include "base/error.h"
#include "io/loop.h"

#define IO_READ_BYTES (256u << 10)     /* the loop's shared read buffer */
#define IO_OUT_MAX_DEFAULT (64u << 20) /* waiting output per stream */
#define IO_LINGER_MS 5000              /* how long CLOSING waits while no byte is taken */

struct io_stream;
struct io_listener;
struct io_tls; /* tls.h */

struct io_stream_events {
    /* BYTES are valid during the call only; keep what is not consumed. */
    void (*on_bytes)(void *owner, slice bytes);
    /* The peer half-closed its side. NULL: the stream is closed as by io_stream_close. */
    void (*on_end)(void *owner);
    /* Output that had to wait has all left, or io_stream_want_room's is there. May be NULL. */
    void (*on_drain)(void *owner);
    /* REASON 0: closed by us or cleanly by the peer; else a negative errno. Last call. */
    void (*on_close)(void *owner, int reason);
};

/* The open head of a stream, for the inline functions only. */
struct io_stream_head {
    struct buf out;    /* written in this turn or waiting for the socket; max = the bound */
    size_t in_flight;  /* bytes handed to the kernel's queue and not yet accepted */
    uint64_t accepted; /* bytes that the kernel has ever taken, on the wire: who reads, moves it */
    bool dirty, closing; /* on the loop's flush list; takes no more */
};

void io_stream_set_events(struct io_stream *stream, const struct io_stream_events *events,
                          void *owner);
struct io_loop *io_stream_loop(const struct io_stream *stream);
/* "127.0.0.1:41234", "[::1]:80"; valid as long as the stream. */
const char *io_stream_peer(const struct io_stream *stream);
void io_stream_set_out_max(struct io_stream *stream, size_t bytes);
/* Stops and starts reading: how push-back reaches the peer. Counted, so pairs nest. */
void io_stream_pause(struct io_stream *stream);
void io_stream_resume(struct io_stream *stream);
must_use int io_stream_grow(struct io_stream *stream, size_t room); /* the slow halves of */
void io_stream_mark_dirty(struct io_stream *stream);                /* the next two */
/* Room for ROOM bytes behind the output. 0, -ENOBUFS (bound), -ENOMEM, -EPIPE (closing). */
must_use static inline int io_stream_reserve(struct io_stream *stream, size_t room,
                                             char **ret_room) {
    struct io_stream_head *head = (struct io_stream_head *)(void *)stream;
    if (unlikely(head->out.cap - head->out.len < room || head->closing)) {
        int failed = io_stream_grow(stream, room);
        if (failed)
            return failed;
    }
    *ret_room = head->out.ptr + head->out.len;
    return 0;
}

/* WRITTEN bytes (at most what was reserved) are content now. */
static inline void io_stream_advance(struct io_stream *stream, size_t written) {
    struct io_stream_head *head = (struct io_stream_head *)(void *)stream;
    head->out.len += written;
    if (!head->dirty)
        io_stream_mark_dirty(stream);
}

must_use int io_stream_write(struct io_stream *stream, slice bytes); /* reserve, copy, advance */

/* Output not yet accepted by the kernel, bytes. */
static inline size_t io_stream_pending(const struct io_stream *stream) {
    const struct io_stream_head *head = (const struct io_stream_head *)(const void *)stream;
    return head->out.len + head->in_flight;
}

/* ON_DRAIN comes once when fewer than BELOW (at least 1) bytes are pending, at the soonest after
   this turn's flush: also where that has taken them, or they were so few before. */
void io_stream_want_room(struct io_stream *stream, size_t below);

/* Bytes on the wire (TLS: encrypted) taken by the kernel so far: grows only as the peer reads. */
static inline uint64_t io_stream_accepted(const struct io_stream *stream) {
    return ((const struct io_stream_head *)(const void *)stream)->accepted;
}

/* Our last word: the peer sees our end behind what was written, and may talk on. */
void io_stream_shut(struct io_stream *stream);
void io_stream_close(struct io_stream *stream);         /* flush, then close */
void io_stream_abort(struct io_stream *stream);         /* at once; output left: a reset */
bool io_stream_is_open(const struct io_stream *stream); /* not closed, not lost; perhaps shut */

/* --- listening and connecting ----------------------------------------------------------------- */
/* ADDRESS is an IP or a name with :port ("127.0.0.1:0", "[::1]:80"); port 0 takes a free one.
   New streams are dealt to the group's loops FIRST..FIRST+COUNT-1 in turn; ON_ACCEPT runs on the
   thread of the loop that owns the stream and must set its events. On any loop before or while the
   group runs. 0, or a negative errno with words (address in use, no permission). */
struct io_listen_options {
    const char *address;
    unsigned loop_first, loop_count;
    unsigned backlog;    /* 0 = 1024 */
    unsigned unsent_max; /* bytes of a stream in the kernel and not yet sent; 0: as it likes */
    void (*on_accept)(void *owner, struct io_loop *loop, struct io_stream *stream);
    void *owner;
};
must_use int io_listen(struct io_loop *loop, const struct io_listen_options *options,
                       struct io_listener **ret_listener, struct error *ret_error);
/* "127.0.0.1:41234": the address really taken. */
const char *io_listener_address(const struct io_listener *listener);
/* How often accepting stopped for 100 ms because descriptors or memory had run out. Its loop. */
uint64_t io_listener_pauses(const struct io_listener *listener);
/* Stops accepting at once; call on the loop that listened. NULL allowed, returns NULL. */
struct io_listener *io_listener_close(struct io_listener *listener);

/* Connects (names are resolved off the loop). ON_CONNECT gets a stream, or NULL and why. */
must_use int io_connect(struct io_loop *loop, const char *address, uint64_t timeout_ns,
                        void (*on_connect)(void *owner, struct io_stream *stream, int failed),
                        void *owner);
/* Takes back what OWNER has begun by io_connect and not heard of: ON_CONNECT does not come. */
void io_connect_cancel(struct io_loop *loop, const void *owner);

/* --- datagrams -------------------------------------------------------------------------------- */
struct io_udp;
must_use int io_udp_open(struct io_loop *loop, const char *address,
                         void (*on_datagram)(void *owner, slice bytes, const char *from),
                         void *owner, struct io_udp **ret_udp, struct error *ret_error);
const char *io_udp_address(const struct io_udp *udp);
/* At most 65,507 bytes. 0, -EAGAIN (queue full, datagram dropped) or a system error. */
must_use int io_udp_send(struct io_udp *udp, const char *to, slice bytes);
struct io_udp *io_udp_close(struct io_udp *udp);

#endif
