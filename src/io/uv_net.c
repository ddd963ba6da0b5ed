#include "io/uv_net.h"

#include "base/mem.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <sys/uio.h>
#include <unistd.h>

#define WRITEV_SEGMENTS 64 /* segments in one system call */
#define DISCARD_READS 4    /* reads a turn whose bytes are thrown away */
#define LAST_READS 64      /* reads of what a broken connection still held */

static void on_poll(uv_poll_t *poll, int status, int events);

/* Brings what the poll watches in line with what the stream waits for. */
static void watch(struct io_stream *stream, bool readable) {
    int interest = (readable ? UV_READABLE : 0) | (stream->waiting ? UV_WRITABLE : 0);
    if (interest == stream->interest)
        return;
    stream->interest = interest;
    int failed =
        interest ? uv_poll_start(&stream->poll, interest, on_poll) : uv_poll_stop(&stream->poll);
    check(failed == 0);
}

static bool wants_bytes(const struct io_stream *stream) {
    return !stream->peer_done && (stream->pauses == 0 || stream->state != STREAM_OPEN);
}

static void set_waiting(struct io_stream *stream) {
    stream->waiting = true;
    watch(stream, wants_bytes(stream));
}

/* --- life ------------------------------------------------------------------------------------- */

static void on_poll_closed(uv_handle_t *handle) {
    mem_free(handle->data);
}

static void drop_output(struct io_stream *stream) {
    struct io_pool *pool = &stream->loop->pool;
    io_pool_give(pool, stream->current);
    stream->current = NULL;
    stream->head.out = buf_make(stream->head.out.max);
    io_segments_clear(&stream->wire, pool);
    if (stream->session)
        io_segments_clear(io_session_plain(stream->session), pool);
    io_stream_recount(stream);
}

/* The end of the turn in which the stream died. Its memory lives until libuv lets go of it, which
   is behind this turn's flush, so that the flush list needs no search. */
static void die(struct io_task *task) {
    struct io_stream *stream = container_of(task, struct io_stream, die);
    stream->loop->open_count--;
    io_session_lost(stream);
    io_session_free(stream);
    uv_close((uv_handle_t *)&stream->poll, on_poll_closed);
    close(stream->fd);
    if (stream->events.on_close)
        stream->events.on_close(stream->owner, stream->reason);
}

/* What is dropped here will never come: the peer shall not take what it got for all, and the kernel
   shall not keep megabytes for one who does not read. */
static void reset_at_close(struct io_stream *stream) {
    const struct linger at_once = {.l_onoff = 1};
    (void)setsockopt(stream->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
}

void io_stream_fail(struct io_stream *stream, int reason) {
    if (stream->state == STREAM_DEAD)
        return;
    if (stream->state == STREAM_OPEN)
        stream->reason = reason;
    stream->state = STREAM_DEAD;
    stream->head.closing = true;
    if (io_stream_pending(stream) > 0)
        reset_at_close(stream);
    drop_output(stream);
    stream->waiting = false;
    watch(stream, false);
    io_timer_stop(stream->loop, &stream->linger);
    io_defer_cancel(stream->loop, &stream->room);
    stream->die.run = die;
    io_defer(stream->loop, &stream->die);
}

void io_stream_abort(struct io_stream *stream) {
    io_stream_fail(stream, 0);
}

static void on_linger_over(struct io_timer *timer);

static void linger(struct io_stream *stream) {
    stream->lingered = stream->head.accepted;
    io_timer_start(stream->loop, &stream->linger, (uint64_t)IO_LINGER_MS * IO_NS_PER_MS,
                   on_linger_over);
}

/* A slow reader gets all that it is owed, one that takes nothing does not. */
static void on_linger_over(struct io_timer *timer) {
    struct io_stream *stream = container_of(timer, struct io_stream, linger);
    if (io_stream_pending(stream) > 0 && stream->head.accepted != stream->lingered)
        linger(stream);
    else
        io_stream_fail(stream, 0);
}

void io_stream_close(struct io_stream *stream) {
    if (stream->state != STREAM_OPEN)
        return;
    stream->state = STREAM_FLUSHING;
    stream->head.closing = true;
    linger(stream);
    watch(stream, wants_bytes(stream));
    if (!stream->head.dirty)
        io_stream_mark_dirty(stream);
}

/* FLUSHING and nothing left to flush. */
static void finish(struct io_stream *stream) {
    check(stream->state == STREAM_FLUSHING);
    if (stream->peer_done || (!stream->shut && shutdown(stream->fd, SHUT_WR) != 0))
        io_stream_fail(stream, 0);
    else
        stream->state = STREAM_FINISHED;
}

void io_stream_shut(struct io_stream *stream) {
    if (stream->state != STREAM_OPEN || stream->shutting)
        return;
    stream->shutting = true;
    stream->head.closing = true;
    if (!stream->head.dirty)
        io_stream_mark_dirty(stream);
}

/* Shut and nothing left to send. */
static void shut(struct io_stream *stream) {
    if (stream->session && !io_session_said_goodbye(stream->session))
        return; /* the handshake is not over */
    stream->shut = true;
    if (shutdown(stream->fd, SHUT_WR) != 0)
        io_stream_fail(stream, -errno);
}

int io_stream_create(struct io_loop *loop, int fd, const struct io_address *peer,
                     struct io_stream **ret_stream) {
    struct io_stream *stream = mem_zalloc(1, sizeof *stream);
    if (!stream)
        return -ENOMEM;
    stream->loop = loop;
    stream->fd = fd;
    stream->head.out = buf_make(IO_OUT_MAX_DEFAULT);
    io_address_text(peer, stream->peer);
    int failed = uv_poll_init(&loop->uv, &stream->poll, fd);
    if (failed) {
        mem_free(stream);
        return failed;
    }
    int on = 1; /* output is gathered by the turn; holding it back any longer only adds delay */
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    stream->poll.data = stream;
    loop->open_count++;
    watch(stream, true);
    *ret_stream = stream;
    return 0;
}

/* --- input ------------------------------------------------------------------------------------ */

void io_stream_end(struct io_stream *stream) {
    stream->peer_done = true;
    if (stream->state == STREAM_DEAD)
        return;
    watch(stream, false);
    if (stream->state == STREAM_FINISHED)
        io_stream_fail(stream, 0);
    else if (stream->state == STREAM_OPEN && stream->events.on_end)
        stream->events.on_end(stream->owner);
    else
        io_stream_close(stream);
}

/* After our close: what the peer says is read only to hear it end. */
static void discard(struct io_stream *stream) {
    for (unsigned i = 0; i < DISCARD_READS; i++) {
        ssize_t got = recv(stream->fd, stream->loop->read_buffer, IO_READ_BYTES, 0);
        if (got > 0)
            continue;
        if (got == 0)
            io_stream_end(stream);
        else if (errno != EAGAIN && errno != EINTR)
            io_stream_fail(stream, 0);
        return;
    }
}

static void take_bytes(struct io_stream *stream, size_t count) {
    slice bytes = slice_make(stream->loop->read_buffer, count);
    if (stream->session)
        io_session_feed(stream, bytes);
    else
        stream->events.on_bytes(stream->owner, bytes);
}

/* One read: a large one that fills the buffer leaves the rest to the next turn, when the output
   it has caused is gone. */
static void read_some(struct io_stream *stream) {
    ssize_t got = recv(stream->fd, stream->loop->read_buffer, IO_READ_BYTES, 0);
    if (got > 0)
        take_bytes(stream, (size_t)got);
    else if (got < 0 && errno != EAGAIN && errno != EINTR)
        io_stream_fail(stream, -errno);
    else if (got == 0 && stream->session && stream->state == STREAM_OPEN)
        io_session_wire_ended(stream);
    else if (got == 0)
        io_stream_end(stream);
}

/* The socket has failed with ERROR. What had come before is still delivered (an answer to what we
   could not send to its end, perhaps); a paused stream gives it up. The end that such a socket
   reports behind it is none of the peer's. */
static void read_last_words(struct io_stream *stream, int error) {
    for (unsigned i = 0; i < LAST_READS && stream->state == STREAM_OPEN; i++) {
        ssize_t got =
            stream->pauses == 0 ? recv(stream->fd, stream->loop->read_buffer, IO_READ_BYTES, 0) : 0;
        if (got <= 0)
            break;
        take_bytes(stream, (size_t)got);
    }
    io_stream_fail(stream, error);
}

/* libuv has seen an error on the socket and stopped watching. */
static void on_poll_error(struct io_stream *stream) {
    int error = 0;
    socklen_t size = sizeof error;
    stream->interest = 0;
    if (getsockopt(stream->fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0 || error == 0)
        error = ECONNRESET;
    read_last_words(stream, -error);
}

void io_stream_pause(struct io_stream *stream) {
    stream->pauses++;
}

void io_stream_resume(struct io_stream *stream) {
    check(stream->pauses > 0);
    stream->pauses--;
    if (stream->pauses > 0 || stream->state == STREAM_DEAD)
        return;
    watch(stream, wants_bytes(stream));
    if (stream->session)
        io_session_resumed(stream);
}

/* --- output ----------------------------------------------------------------------------------- */

void io_stream_recount(struct io_stream *stream) {
    stream->head.in_flight =
        stream->wire.bytes + (stream->session ? io_session_plain(stream->session)->bytes : 0);
}

void io_stream_seal(struct io_stream *stream, struct io_segments *queue) {
    struct io_segment *segment = stream->current;
    if (!segment)
        return;
    segment->to = stream->head.out.len;
    stream->current = NULL;
    stream->head.out = buf_make(stream->head.out.max);
    if (segment->to > segment->from)
        io_segments_push(queue, segment);
    else
        io_pool_give(&stream->loop->pool, segment);
    io_stream_recount(stream);
}

int io_stream_grow(struct io_stream *stream, size_t room) {
    struct io_stream_head *head = &stream->head;
    if (head->closing)
        return -EPIPE;
    size_t pending = head->out.len + head->in_flight;
    if (pending > head->out.max || room > head->out.max - pending)
        return -ENOBUFS;
    if (!stream->current || stream->current->cap - head->out.len < room) {
        bool large = stream->talkative || stream->current != NULL;
        struct io_segment *fresh = io_pool_take(&stream->loop->pool, room, large);
        if (!fresh)
            return -ENOMEM;
        stream->talkative = large;
        io_stream_seal(stream, stream->session ? io_session_plain(stream->session) : &stream->wire);
        stream->current = fresh;
        head->out.ptr = fresh->bytes;
    }
    /* The inline reserve must not pass the bound either. */
    size_t bound = head->out.max - head->in_flight;
    head->out.cap = stream->current->cap < bound ? stream->current->cap : bound;
    return 0;
}

/* Full segments of BYTES; what is over, less than one, stays in *BYTES. NULL without memory. */
static struct io_segment *cut_segments(struct io_pool *pool, slice *bytes) {
    struct io_segment *first = NULL, **link = &first;
    while (bytes->len >= IO_SEGMENT_LARGE) {
        struct io_segment *segment = io_pool_take(pool, IO_SEGMENT_LARGE, true);
        if (!segment) {
            while (first) {
                segment = first;
                first = first->next;
                io_pool_give(pool, segment);
            }
            return NULL;
        }
        memcpy(segment->bytes, bytes->ptr, IO_SEGMENT_LARGE);
        segment->to = IO_SEGMENT_LARGE;
        *link = segment;
        link = &segment->next;
        *bytes = slice_skip(*bytes, IO_SEGMENT_LARGE);
    }
    return first;
}

/* More than a segment holds is cut, since it need not lie in one piece; all of it or nothing. */
static int write_much(struct io_stream *stream, slice bytes) {
    struct io_stream_head *head = &stream->head;
    size_t pending = head->out.len + head->in_flight;
    if (head->closing)
        return -EPIPE;
    if (pending > head->out.max || bytes.len > head->out.max - pending)
        return -ENOBUFS;
    struct io_pool *pool = &stream->loop->pool;
    struct io_segment *last = io_pool_take(pool, IO_SEGMENT_LARGE, true);
    struct io_segment *full = last ? cut_segments(pool, &bytes) : NULL;
    if (!full) {
        io_pool_give(pool, last);
        return -ENOMEM;
    }
    struct io_segments *queue = stream->session ? io_session_plain(stream->session) : &stream->wire;
    io_stream_seal(stream, queue);
    while (full) {
        struct io_segment *next = full->next;
        io_segments_push(queue, full);
        full = next;
    }
    memcpy(last->bytes, bytes.ptr, bytes.len);
    stream->current = last;
    stream->talkative = true;
    head->out.ptr = last->bytes;
    head->out.len = head->out.cap = bytes.len; /* the next reserve looks how much room there is */
    io_stream_recount(stream);
    if (!head->dirty)
        io_stream_mark_dirty(stream);
    return 0;
}

int io_stream_write(struct io_stream *stream, slice bytes) {
    if (bytes.len >= IO_SEGMENT_LARGE)
        return write_much(stream, bytes);
    char *room = NULL;
    int failed = io_stream_reserve(stream, bytes.len, &room);
    if (failed || bytes.len == 0)
        return failed;
    memcpy(room, bytes.ptr, bytes.len);
    io_stream_advance(stream, bytes.len);
    return 0;
}

void io_stream_mark_dirty(struct io_stream *stream) {
    struct io_loop *loop = stream->loop;
    stream->head.dirty = true;
    stream->next_dirty = NULL;
    if (loop->dirty_last)
        loop->dirty_last->next_dirty = stream;
    else
        loop->dirty_first = stream;
    loop->dirty_last = stream;
}

/* The usual turn: one segment, all of it taken, and the stream owns nothing again. */
static void send_current(struct io_stream *stream) {
    struct buf *out = &stream->head.out;
    ssize_t sent = send(stream->fd, out->ptr, out->len, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0 && (errno == EAGAIN || errno == EINTR || errno == ENOBUFS))
        sent = 0;
    if (sent < 0) {
        read_last_words(stream, -errno);
        return;
    }
    stream->head.accepted += (size_t)sent;
    if ((size_t)sent == out->len) {
        stream->talkative = out->len > IO_SEGMENT_SMALL / 2;
        io_pool_give(&stream->loop->pool, stream->current);
        stream->current = NULL;
        stream->head.out = buf_make(out->max);
        return;
    }
    stream->current->from = (size_t)sent;
    io_stream_seal(stream, &stream->wire);
    set_waiting(stream);
}

/* Sends the wire's queue until it is empty, the socket is full or the stream is lost. */
static void send_wire(struct io_stream *stream) {
    while (stream->wire.bytes > 0) {
        struct iovec parts[WRITEV_SEGMENTS];
        size_t count = 0, offered = 0;
        for (struct io_segment *at = stream->wire.first; at && count < WRITEV_SEGMENTS;
             at = at->next) {
            parts[count].iov_base = at->bytes + at->from;
            parts[count].iov_len = at->to - at->from;
            offered += parts[count++].iov_len;
        }
        struct msghdr message = {.msg_iov = parts, .msg_iovlen = count};
        ssize_t sent = sendmsg(stream->fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent < 0 && (errno == EAGAIN || errno == EINTR || errno == ENOBUFS))
            sent = 0;
        if (sent < 0) {
            read_last_words(stream, -errno);
            return;
        }
        stream->head.accepted += (size_t)sent;
        io_segments_consume(&stream->wire, &stream->loop->pool, (size_t)sent);
        io_stream_recount(stream);
        if ((size_t)sent < offered) {
            set_waiting(stream);
            return;
        }
    }
}

static void flush(struct io_stream *stream) {
    if (stream->session) {
        int failed = io_session_encrypt(stream);
        if (failed) {
            io_stream_fail(stream, failed);
            return;
        }
    }
    if (stream->waiting)
        return;
    bool plain = stream->session == NULL;
    if (plain && stream->head.out.len > 0 && stream->wire.bytes == 0) {
        send_current(stream);
    } else {
        if (plain)
            io_stream_seal(stream, &stream->wire);
        send_wire(stream);
    }
    if (io_stream_pending(stream) > 0)
        return;
    if (stream->state == STREAM_FLUSHING)
        finish(stream);
    else if (stream->state == STREAM_OPEN && stream->shutting && !stream->shut)
        shut(stream);
}

/* --- room ------------------------------------------------------------------------------------- */

void io_stream_want_room(struct io_stream *stream, size_t below) {
    check(below > 0);
    stream->room_below = below;
    if (!stream->head.dirty) /* the flush looks */
        io_stream_mark_dirty(stream);
}

static bool has_wanted_room(const struct io_stream *stream) {
    return stream->state == STREAM_OPEN && io_stream_pending(stream) < stream->room_below;
}

static void tell_room(struct io_stream *stream) {
    stream->room_below = 0;
    io_defer_cancel(stream->loop, &stream->room);
    if (stream->events.on_drain)
        stream->events.on_drain(stream->owner);
}

static void on_room(struct io_task *task) {
    struct io_stream *stream = container_of(task, struct io_stream, room);
    if (has_wanted_room(stream))
        tell_room(stream);
    else if (stream->state == STREAM_OPEN) /* filled again meanwhile */
        io_stream_want_room(stream, stream->room_below);
}

void io_streams_flush(struct io_loop *loop) {
    while (loop->dirty_first) {
        struct io_stream *stream = loop->dirty_first;
        loop->dirty_first = stream->next_dirty;
        if (!loop->dirty_first)
            loop->dirty_last = NULL;
        stream->head.dirty = false;
        if (stream->state == STREAM_OPEN || stream->state == STREAM_FLUSHING)
            flush(stream);
        if (has_wanted_room(stream)) {
            stream->room.run = on_room;
            io_defer(loop, &stream->room);
        }
    }
}

static void on_writable(struct io_stream *stream) {
    stream->waiting = false;
    flush(stream);
    if (stream->state == STREAM_DEAD)
        return;
    watch(stream, wants_bytes(stream));
    if (has_wanted_room(stream) || (stream->state == STREAM_OPEN && io_stream_pending(stream) == 0))
        tell_room(stream);
}

static void on_poll(uv_poll_t *poll, int status, int events) {
    struct io_stream *stream = poll->data;
    io_loop_enter(stream->loop);
    if (stream->state == STREAM_DEAD)
        return;
    if (status < 0) {
        on_poll_error(stream);
        return;
    }
    if ((events & UV_WRITABLE) && stream->waiting)
        on_writable(stream);
    if (!(events & UV_READABLE) || stream->state == STREAM_DEAD || stream->peer_done)
        return;
    if (stream->state != STREAM_OPEN)
        discard(stream);
    else if (stream->pauses == 0)
        read_some(stream);
    else
        watch(stream, false); /* paused: only now, so that a short pause costs nothing */
}

/* --- small things ----------------------------------------------------------------------------- */

void io_stream_set_events(struct io_stream *stream, const struct io_stream_events *events,
                          void *owner) {
    check(events->on_bytes != NULL);
    stream->events = *events;
    stream->owner = owner;
}

bool io_stream_is_open(const struct io_stream *stream) {
    return stream->state == STREAM_OPEN;
}

struct io_loop *io_stream_loop(const struct io_stream *stream) {
    return stream->loop;
}

const char *io_stream_peer(const struct io_stream *stream) {
    return stream->peer;
}

void io_stream_set_out_max(struct io_stream *stream, size_t bytes) {
    stream->head.out.max = bytes;
    if (stream->current) { /* the next reserve looks at the bound again */
        stream->head.out.cap = stream->head.out.len;
    }
}
