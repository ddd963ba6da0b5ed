/*
 * stream.c - io_stream over a simulated link: the states of io/net.h on virtual time.
 *
 *     OPEN --close--> FLUSHING --all sent, FIN--> FINISHED --peer's FIN, or linger--> DEAD
 *     OPEN --peer, error, abort---------------------------------------------------> DEAD
 *
 * DEAD streams are told and freed by a task. Bytes are handed out in a block of their own that is
 * freed behind the call, so that AddressSanitizer sees who keeps a slice or reads past it.
 */
#include "net.h"

#include <errno.h>
#include <stdlib.h>

#define CHUNKS_A_TURN 8

struct io_stream *sim_stream_create(struct io_loop *loop, struct sim_end *end, const char *peer) {
    struct io_stream *stream = mem_zalloc(1, sizeof(*stream));
    if (!stream)
        return NULL;
    stream->loop = loop;
    stream->end = end;
    stream->head.out = buf_make(IO_OUT_MAX_DEFAULT);
    snprintf(stream->peer, sizeof(stream->peer), "%s", peer);
    list_node_init(&stream->ready_node);
    list_node_init(&stream->dirty_node);
    list_push_back(&sim_loop_net(loop)->streams, &stream->node);
    io_loop_host(loop)->sim->handles++;
    return stream;
}

void sim_stream_free(struct io_stream *stream) {
    io_loop_host(stream->loop)->sim->handles--;
    list_remove(&stream->node);
    list_remove(&stream->ready_node);
    list_remove(&stream->dirty_node);
    buf_free(&stream->head.out);
    if (stream->end)
        sim_end_close(stream->end, stream->state != STREAM_FINISHED);
    mem_free(stream);
}

void sim_stream_ready(struct io_stream *stream, uint64_t at_ns) {
    if (!list_linked(&stream->ready_node))
        list_push_back(&sim_loop_net(stream->loop)->ready, &stream->ready_node);
    sim_loop_poke(stream->loop, at_ns);
}

static void die(struct io_task *task) {
    struct io_stream *stream = container_of(task, struct io_stream, die);
    if (stream->events.on_close)
        stream->events.on_close(stream->owner, stream->reason);
    sim_stream_free(stream);
}

static void fail(struct io_stream *stream, int reason) {
    if (stream->state == STREAM_DEAD)
        return;
    if (stream->state == STREAM_OPEN)
        stream->reason = reason;
    bool said_goodbye = stream->shut;
    stream->state = STREAM_DEAD;
    stream->head.closing = true;
    buf_free(&stream->head.out);
    io_timer_stop(stream->loop, &stream->linger);
    io_defer_cancel(stream->loop, &stream->tell);
    struct sim_end *end = stream->end;
    stream->end = NULL;
    bool reset = end->arrived_len > 0 || sim_chance(end->link->sim, 2);
    if (!said_goodbye && !reset && !end->broken)
        sim_end_send(end, SIM_FIN, (slice){0});
    sim_end_close(end, !said_goodbye && reset);
    stream->die.run = die;
    io_defer(stream->loop, &stream->die);
}

void io_stream_abort(struct io_stream *stream) {
    fail(stream, 0);
}

static void on_linger_over(struct io_timer *timer);

static void linger(struct io_stream *stream) {
    stream->lingered = stream->head.accepted;
    io_timer_start(stream->loop, &stream->linger, IO_LINGER_MS * SIM_MILLISECOND, on_linger_over);
}

static void on_linger_over(struct io_timer *timer) {
    struct io_stream *stream = container_of(timer, struct io_stream, linger);
    if (stream->head.out.len > 0 && stream->head.accepted != stream->lingered)
        linger(stream);
    else
        fail(stream, 0);
}

void io_stream_close(struct io_stream *stream) {
    if (stream->state != STREAM_OPEN)
        return;
    stream->state = STREAM_FLUSHING;
    stream->head.closing = true;
    linger(stream);
    sim_stream_ready(stream, 0); /* what waits to be read is thrown away */
    if (!stream->head.dirty)
        io_stream_mark_dirty(stream);
}

/* --- output ----------------------------------------------------------------------------------- */

int io_stream_grow(struct io_stream *stream, size_t room) {
    struct buf *out = &stream->head.out;
    if (stream->head.closing)
        return -EPIPE;
    if (out->len > out->max || room > out->max - out->len)
        return -ENOBUFS;
    int failed = buf_reserve(out, room);
    if (!failed && out->cap > out->max)
        out->cap = out->max; /* the inline reserve must not pass the bound either */
    return failed;
}

int io_stream_write(struct io_stream *stream, slice bytes) {
    char *room;
    int failed = io_stream_reserve(stream, bytes.len, &room);
    if (failed || bytes.len == 0)
        return failed;
    memcpy(room, bytes.ptr, bytes.len);
    io_stream_advance(stream, bytes.len);
    return 0;
}

void io_stream_mark_dirty(struct io_stream *stream) {
    stream->head.dirty = true;
    if (!list_linked(&stream->dirty_node))
        list_push_back(&sim_loop_net(stream->loop)->dirty, &stream->dirty_node);
    sim_loop_poke(stream->loop, 0);
}

/* All has been sent and our end behind it; whoever has heard the peer's, too, is done. */
static void finish(struct io_stream *stream) {
    if (!stream->shut)
        sim_end_send(stream->end, SIM_FIN, (slice){0});
    stream->shut = true;
    if (stream->end->fin_arrived)
        fail(stream, 0);
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

static void flush(struct io_stream *stream) {
    struct buf *out = &stream->head.out;
    if (stream->state == STREAM_DEAD || stream->state == STREAM_FINISHED)
        return;
    size_t room = stream->end->broken ? 0 : sim_end_room(stream->end);
    size_t len = out->len < room ? out->len : room;
    if (len > 0) {
        sim_end_send(stream->end, SIM_BYTES, slice_make(out->ptr, len));
        stream->head.accepted += len;
        buf_consume(out, len);
    }
    stream->waiting = out->len > 0;
    if (out->len > 0)
        return;
    buf_free(out); /* an idle stream holds no buffer */
    if (stream->state == STREAM_FLUSHING)
        finish(stream);
    if (stream->state != STREAM_OPEN || !stream->shutting || stream->shut)
        return;
    stream->shut = true;
    sim_end_send(stream->end, SIM_FIN, (slice){0});
}

void io_stream_want_room(struct io_stream *stream, size_t below) {
    check(below > 0);
    stream->room_below = below;
    if (!stream->head.dirty) /* the flush looks */
        io_stream_mark_dirty(stream);
}

static bool has_wanted_room(const struct io_stream *stream) {
    return stream->state == STREAM_OPEN && stream->head.out.len < stream->room_below;
}

static void tell_room(struct io_stream *stream) {
    stream->room_below = 0;
    io_defer_cancel(stream->loop, &stream->tell);
    if (stream->events.on_drain)
        stream->events.on_drain(stream->owner);
}

static void on_tell(struct io_task *task) {
    struct io_stream *stream = container_of(task, struct io_stream, tell);
    if (has_wanted_room(stream))
        tell_room(stream);
    else if (stream->state == STREAM_OPEN) /* filled again meanwhile */
        io_stream_want_room(stream, stream->room_below);
}

void sim_net_flush(struct io_loop *loop) {
    struct list *dirty = &sim_loop_net(loop)->dirty;
    for (struct list_node *n; (n = list_pop_front(dirty)) != NULL;) {
        struct io_stream *stream = container_of(n, struct io_stream, dirty_node);
        stream->head.dirty = false;
        flush(stream);
        if (has_wanted_room(stream)) {
            stream->tell.run = on_tell;
            io_defer(loop, &stream->tell);
        }
    }
}

/* --- input ------------------------------------------------------------------------------------ */

static bool reads(const struct io_stream *stream) {
    return stream->state == STREAM_OPEN && stream->pauses == 0;
}

static void hand_out(struct io_stream *stream, size_t len) {
    struct sim_end *end = stream->end;
    char *bytes = sim_calloc(1, len);
    memcpy(bytes, end->arrived, len);
    end->arrived_len -= len;
    memmove(end->arrived, end->arrived + len, end->arrived_len);
    sim_end_consumed(end);
    stream->events.on_bytes(stream->owner, slice_make(bytes, len));
    memset(bytes, 0xdd, len);
    free(bytes);
}

static void read_some(struct io_stream *stream) {
    struct sim *sim = stream->end->link->sim;
    uint64_t piece = stream->end->link->piece;
    for (int i = 0; i < CHUNKS_A_TURN && reads(stream) && stream->end->arrived_len > 0; i++) {
        size_t len = stream->end->arrived_len;
        len = len < IO_READ_BYTES ? len : IO_READ_BYTES;
        if (piece && len > piece)
            len = 1 + sim_below(sim, piece);
        hand_out(stream, len);
    }
    if (reads(stream) && stream->end->arrived_len > 0)
        sim_stream_ready(stream, 0);
}

static void tell_end(struct io_stream *stream) {
    stream->end_told = true;
    if (stream->state == STREAM_FINISHED)
        fail(stream, 0);
    else if (stream->state == STREAM_OPEN && stream->events.on_end)
        stream->events.on_end(stream->owner);
    else
        io_stream_close(stream);
}

static void discard(struct io_stream *stream) {
    if (stream->end->arrived_len == 0)
        return;
    stream->end->arrived_len = 0;
    sim_end_consumed(stream->end);
}

static void take_room(struct io_stream *stream) {
    stream->room = false;
    flush(stream);
    if (has_wanted_room(stream) || (stream->state == STREAM_OPEN && !stream->waiting))
        tell_room(stream);
}

static void step(struct io_stream *stream) {
    if (stream->accepted_by)
        sim_listener_tell(stream);
    if (stream->state == STREAM_DEAD || !stream->events.on_bytes)
        return; /* not yet told to its owner: sim_connects_event makes it ready again */
    if (stream->room && stream->waiting)
        take_room(stream);
    if (stream->state == STREAM_DEAD)
        return;
    if (stream->state == STREAM_OPEN)
        read_some(stream);
    else
        discard(stream);
    if (stream->state == STREAM_DEAD)
        return;
    bool heard_all = stream->end->arrived_len == 0 || !reads(stream);
    if (stream->end->broken && heard_all)
        fail(stream, stream->end->broken);
    else if (stream->end->fin_arrived && !stream->end_told && stream->end->arrived_len == 0 &&
             (reads(stream) || stream->state != STREAM_OPEN))
        tell_end(stream);
}

void sim_net_events(struct io_loop *loop) {
    struct list *ready = &sim_loop_net(loop)->ready, todo;
    sim_connects_event(loop);
    sim_udp_events(loop);
    list_init(&todo);
    list_splice(&todo, ready);
    for (struct list_node *n; (n = list_pop_front(&todo)) != NULL;)
        step(container_of(n, struct io_stream, ready_node));
}

void io_stream_pause(struct io_stream *stream) {
    stream->pauses++;
}

void io_stream_resume(struct io_stream *stream) {
    check(stream->pauses > 0);
    stream->pauses--;
    if (stream->pauses == 0 && stream->state != STREAM_DEAD)
        sim_stream_ready(stream, 0);
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
    if (stream->head.out.cap > bytes) /* the next reserve looks at the bound again */
        stream->head.out.cap = stream->head.out.len;
}

void sim_net_init(struct sim_net_loop *net) {
    list_init(&net->ready);
    list_init(&net->dirty);
    list_init(&net->streams);
    list_init(&net->connects);
    list_init(&net->udps);
}
