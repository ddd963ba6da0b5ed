/*
 * connection.c - a connection's life: bytes in, clocks, the end.
 *
 * The states are drawn in connection.h. Two rules keep it simple:
 *
 *   - Input is parsed where it lies. What is left (a head cut in two, requests that must wait
 *     because the client does not take its answers, a body that nobody wants yet) is kept in
 *     `rest`, charged to the loop's budget, and reading pauses, which pushes back on the client
 *     through TCP. Our end of a connection that is over is closed first and the client's awaited
 *     (io/net.h), so what was said last reaches it.
 *   - One clock runs for what is read, one for what is written. The first has one meaning at a
 *     time: an idle client, a head, 64 KiB of a body, or a client that has half-closed and takes
 *     nothing of its last answers. The second cuts a client that takes nothing for write_ns.
 */
#include "http/request_inside.h"

#include "base/mem.h"

#define CLOSING_MAX 1024u /* over the bound, while their last words leave */

static void settle(struct http_connection *c);

/* --- the end -----------------------------------------------------------------------------------
 */

static void drop_requests(struct http_connection *c) {
    while (!list_empty(&c->requests)) {
        struct http_request *r = container_of(c->requests.head.next, struct http_request, node);
        if (r->state == REQUEST_LATER && r->events.on_gone) {
            r->state = REQUEST_ANSWERED; /* what is said to it now goes nowhere */
            r->events.on_gone(r->self);
        }
        http_request_free(r);
    }
}

static void stop_clocks(struct http_connection *c) {
    struct io_loop *loop = c->shard->loop;
    io_timer_stop(loop, &c->clock);
    io_timer_stop(loop, &c->write_clock);
    io_defer_cancel(loop, &c->wake);
}

static void stop(struct http_connection *c) {
    c->closed = true;
    c->shard->open--;
    stop_clocks(c);
    http_let_go(c->shard, &c->rest, c->rest.len);
    drop_requests(c);
    list_remove(&c->in_shard);
}

void http_shard_forget(struct http_shard *shard) {
    shard->connections--;
    if (shard->metrics)
        metrics_gauge_add(shard->metrics, shard->server->connections, -1);
    if (shard->drained && shard->connections == 0) {
        void (*done)(void *) = shard->drained;
        shard->drained = NULL;
        done(shard->drained_argument);
    }
}

static void destroy(struct http_connection *c) {
    struct http_shard *shard = c->shard;
    if (!c->closed)
        stop(c);
    list_remove(&c->in_shard);
    mem_free(c);
    http_shard_forget(shard);
}

void http_connection_leave(struct http_connection *c) {
    struct http_shard *shard = c->shard;
    check(c->reading == HTTP_READ_GIVEN && c->in_flight == 0);
    c->closed = true;
    shard->open--;
    shard->held_bytes -= c->rest.len; /* the bytes stay for the next owner */
    stop_clocks(c);
    list_remove(&c->in_shard);
    http_hand_over(c);
    if (c->lost) /* they did not fit: the next owner is told that the stream has gone */
        io_stream_abort(c->stream);
    http_shard_forget(shard);
}

/* What was written still leaves. */
static void close_softly(struct http_connection *c) {
    stop(c);
    list_push_back(&c->shard->closing, &c->in_shard);
    io_stream_close(c->stream);
}

static void cut(struct http_connection *c) {
    stop(c);
    list_push_back(&c->shard->closing, &c->in_shard);
    io_stream_abort(c->stream);
}

static void ignore_bytes(void *owner, slice bytes) {
    (void)owner;
    (void)bytes;
}

static const struct io_stream_events ownerless = {.on_bytes = ignore_bytes};

void http_connection_drop(struct http_connection *c) {
    check(!c->busy);
    io_stream_set_events(c->stream, &ownerless, NULL);
    io_stream_abort(c->stream);
    destroy(c);
}

/* --- feeding -----------------------------------------------------------------------------------
 */

/* Keeps what is not read: it lies in the caller's bytes, or already in `rest`. */
static void keep_input(struct http_connection *c, bool from_rest) {
    slice left = c->input;
    c->input = (slice){0};
    if (from_rest)
        http_let_go(c->shard, &c->rest, c->rest.len - left.len);
    else if (left.len && http_hold(c->shard, &c->rest, left))
        c->lost = true;
}

void http_connection_feed(struct http_connection *c, slice bytes) {
    if (c->busy || c->closed)
        return;
    bool from_rest = c->rest.len > 0;
    if (from_rest && bytes.len && http_hold(c->shard, &c->rest, bytes)) {
        cut(c);
        return;
    }
    c->input = from_rest ? buf_slice(&c->rest) : bytes;
    c->busy = true;
    bool moved;
    do {
        moved = http_reply_flush(c);
        moved |= http_tell_ends(c);
        while (http_read_next(c))
            moved = true;
        moved |= http_meet_end(c);
    } while (moved && !c->lost && !c->last);
    c->busy = false;
    keep_input(c, from_rest);
    settle(c);
}

static void on_wake(struct io_task *task) {
    http_connection_feed(container_of(task, struct http_connection, wake), (slice){0});
}

void http_connection_wake(struct http_connection *c) {
    if (c->busy || c->closed)
        return;
    c->wake.run = on_wake;
    io_defer(c->shard->loop, &c->wake);
}

/* --- clocks ------------------------------------------------------------------------------------
 */

static void on_clock(struct io_timer *timer) {
    struct http_connection *c = container_of(timer, struct http_connection, clock);
    enum http_clock what = c->clock_of;
    c->clock_of = CLOCK_NONE;
    c->busy = true; /* what handlers do when they hear of it waits for the feed */
    if (what == CLOCK_HEAD)
        http_refuse(c, 408, "the head did not come in time");
    else if (what == CLOCK_BODY)
        http_refuse(c, 408, "the body did not come in time");
    else if (what == CLOCK_IDLE)
        c->reading = HTTP_READ_DONE;
    else if (io_stream_accepted(c->stream) == c->accepted_at_end)
        c->lost = true; /* else it is still there: the clock starts again */
    c->busy = false;
    http_connection_feed(c, (slice){0});
}

/* Who waits to be told to send a body is not slow. */
static bool body_is_awaited(const struct http_connection *c) {
    return http_body_flows(c->body_of) && !c->body_of->wants_continue;
}

static enum http_clock wanted_clock(const struct http_connection *c) {
    if (c->ended)
        return CLOCK_END;
    if (c->reading == HTTP_READ_BODY)
        return body_is_awaited(c) ? CLOCK_BODY : CLOCK_NONE;
    if (c->reading == HTTP_READ_HEAD && http_may_begin(c))
        return CLOCK_HEAD;
    if (c->reading == HTTP_READ_IDLE && c->in_flight == 0)
        return CLOCK_IDLE;
    return CLOCK_NONE;
}

static void set_clock(struct http_connection *c) {
    const struct http_limits *limits = &c->shard->server->limits;
    const uint64_t spans[] = {
        [CLOCK_IDLE] = limits->idle_ns,
        [CLOCK_HEAD] = limits->head_ns,
        [CLOCK_BODY] = limits->body_ns,
        [CLOCK_END] = limits->write_ns,
    };
    enum http_clock wanted = wanted_clock(c);
    if (wanted == c->clock_of && !c->clock_restart)
        return;
    c->clock_of = wanted;
    c->clock_restart = false;
    c->accepted_at_end = io_stream_accepted(c->stream);
    if (wanted == CLOCK_NONE)
        io_timer_stop(c->shard->loop, &c->clock);
    else
        io_timer_start(c->shard->loop, &c->clock, spans[wanted], on_clock);
}

static void on_write_clock(struct io_timer *timer);

/* What we write says nothing of the client, and TLS makes more of it: what counts is what the
   kernel has taken. */
static void start_write_clock(struct http_connection *c) {
    c->accepted = io_stream_accepted(c->stream);
    io_timer_start(c->shard->loop, &c->write_clock, c->shard->server->limits.write_ns,
                   on_write_clock);
}

static void on_write_clock(struct io_timer *timer) {
    struct http_connection *c = container_of(timer, struct http_connection, write_clock);
    if (io_stream_pending(c->stream) == 0)
        return;
    if (io_stream_accepted(c->stream) == c->accepted) {
        cut(c);
        return;
    }
    start_write_clock(c);
}

int http_connection_write(struct http_connection *c, const slice *parts, size_t part_count) {
    size_t size = 0;
    for (size_t i = 0; i < part_count; i++)
        size += parts[i].len;
    if (size == 0)
        return 0;
    char *room;
    int failed = io_stream_reserve(c->stream, size, &room);
    if (failed)
        return failed;
    for (size_t i = 0; i < part_count; i++) {
        if (parts[i].len)
            memcpy(room, parts[i].ptr, parts[i].len);
        room += parts[i].len;
    }
    io_stream_advance(c->stream, size);
    if (!io_timer_running(&c->write_clock))
        start_write_clock(c);
    return 0;
}

/* --- after each step ---------------------------------------------------------------------------
 */

static void place(struct http_connection *c) {
    bool waiting = c->in_flight == 0;
    if (waiting == c->waiting && !(waiting && c->clock_restart))
        return; /* what has just been active goes to the end */
    c->waiting = waiting;
    list_remove(&c->in_shard);
    list_push_back(waiting ? &c->shard->waiting : &c->shard->working, &c->in_shard);
}

/* What is not wanted yet stops the reading at once where someone has asked for that or a bound is
   reached; else once something is held, so that we hear meanwhile of a client that goes. */
static bool holds_back(const struct http_connection *c) {
    if (http_wants_input(c))
        return false;
    bool at_once = c->reading == HTTP_READ_BODY ? c->body_of->paused : !c->upgrade_of;
    return at_once || c->rest.len > 0;
}

static void set_paused(struct http_connection *c) {
    bool paused = holds_back(c);
    if (paused == c->paused)
        return;
    c->paused = paused;
    if (paused)
        io_stream_pause(c->stream);
    else
        io_stream_resume(c->stream);
}

static void settle(struct http_connection *c) {
    if (c->reading == HTTP_READ_GIVEN) {
        http_connection_leave(c);
        return;
    }
    if (c->lost) {
        cut(c);
        return;
    }
    if (c->shard->draining && c->reading == HTTP_READ_IDLE && c->in_flight == 0)
        c->reading = HTTP_READ_DONE;
    if (c->last || (c->reading == HTTP_READ_DONE && c->in_flight == 0)) {
        close_softly(c);
        return;
    }
    place(c);
    set_paused(c);
    set_clock(c);
    if (io_stream_pending(c->stream) >= HTTP_STREAM_HIGH_BYTES)
        io_stream_want_room(c->stream, HTTP_STREAM_HIGH_BYTES);
}

/* --- events of the stream ----------------------------------------------------------------------
 */

static void on_bytes(void *owner, slice bytes) {
    struct http_connection *c = owner;
    if (c->reading == HTTP_READ_GIVEN)
        http_keep_for_next(c, bytes);
    else
        http_connection_feed(c, bytes);
}

static void on_end(void *owner) {
    struct http_connection *c = owner;
    struct http_request *first = container_of(c->requests.head.next, struct http_request, node);
    c->ended = true;
    if (!list_empty(&c->requests) && first->state == REQUEST_LATER && first->events.on_client_end)
        first->events.on_client_end(first->self);
    http_connection_feed(c, (slice){0});
}

static void on_drain(void *owner) {
    http_connection_feed(owner, (slice){0});
}

static void on_close(void *owner, int reason) {
    struct http_connection *c = owner;
    if (c->reading == HTTP_READ_GIVEN)
        http_tell_next(c, reason);
    else
        destroy(c);
}

static const struct io_stream_events events = {on_bytes, on_end, on_drain, on_close};

static void on_tls_ready(void *owner, int failed, const char *why) {
    struct http_connection *c = owner;
    if (failed && !c->closed)
        logger_write(c->shard->server->logger, LOG_LEVEL_DEBUG, "http", "TLS handshake failed",
                     "listener=%s peer=%s why=%s", c->shard->server->name,
                     io_stream_peer(c->stream), why);
}

static struct http_connection *connection_new(struct http_shard *shard, struct io_stream *stream) {
    struct http_connection *c = mem_zalloc(1, sizeof *c);
    if (!c)
        return NULL;
    c->shard = shard;
    c->stream = stream;
    c->parser = http1_parser_make(HTTP1_REQUEST);
    c->rest = buf_make(IO_READ_BYTES * 2 + HTTP1_HEAD_MAX);
    c->waiting = true;
    list_init(&c->requests);
    list_push_back(&shard->waiting, &c->in_shard);
    shard->open++;
    shard->connections++;
    if (shard->metrics) {
        metrics_gauge_add(shard->metrics, shard->server->connections, 1);
        metrics_count(shard->metrics, shard->server->connections_total, 1);
    }
    io_stream_set_events(stream, &events, c);
    io_stream_set_out_max(stream, HTTP_ANSWER_BYTES_MAX + 2 * HTTP_STREAM_HIGH_BYTES);
    return c;
}

/* Over the bound, the one that has waited longest for its client makes room. False: none can. */
static bool make_room(struct http_shard *shard, struct http_connection *newest) {
    struct list_node *longest = shard->waiting.head.next;
    if (shard->open <= shard->connections_max)
        return true;
    if (longest == &newest->in_shard)
        return false;
    cut(container_of(longest, struct http_connection, in_shard));
    return true;
}

void http_connection_accept(struct http_shard *shard, struct io_stream *stream) {
    struct http_connection *c = NULL;
    if (!shard->draining && shard->connections < shard->connections_max + CLOSING_MAX)
        c = connection_new(shard, stream);
    if (!c) {
        io_stream_set_events(stream, &ownerless, NULL);
        io_stream_abort(stream);
        return;
    }
    bool room = make_room(shard, c);
    if (shard->tls && io_stream_start_tls(stream, shard->tls, (slice){0},
                                          shard->server->limits.head_ns, on_tls_ready)) {
        cut(c);
        return;
    }
    c->tls = shard->tls != NULL;
    if (!room) {
        http_refuse(c, 503, "too many connections");
        http_connection_feed(c, (slice){0});
        return;
    }
    settle(c);
}
