/*
 * connection.c - a connection's life: bytes in, requests out of them, clocks, the end.
 *
 * The states are drawn in connection.h. Three rules keep it simple:
 *
 *   - Input is parsed where it lies. What is left (a head cut in two, or requests that must wait
 *     because the client does not take its answers) is kept in `rest`, charged to the loop's
 *     budget, and reading pauses, which pushes back on the client through TCP.
 *   - A request that is refused before its body was read ends the connection, so that no byte of
 *     a body can ever be taken for a request. Our end of the connection is closed first and the
 *     client's awaited (io/net.h), so the refusal reaches it.
 *   - One clock runs for what is read, one for what is written. The first has one meaning at a
 *     time: an idle client, a head, 64 KiB of a body, or the last answers to a client that has
 *     half-closed. The second cuts a client that takes nothing for write_ns.
 */
#include "http/connection.h"

#include "base/mem.h"

#include <errno.h>

#define BODY_STEP (64u << 10) /* the body clock starts again with so many bytes */
#define CLOSING_MAX 1024u     /* over the bound, while their last words leave */
#define ROOM_DELAY_NS UINT64_C(1000000)

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

static void stop(struct http_connection *c) {
    struct io_loop *loop = c->shard->loop;
    c->closed = true;
    c->shard->open--;
    io_timer_stop(loop, &c->clock);
    io_timer_stop(loop, &c->write_clock);
    io_timer_stop(loop, &c->room);
    http_let_go(c->shard, &c->rest, c->rest.len);
    drop_requests(c);
    list_remove(&c->in_shard);
}

static void destroy(struct http_connection *c) {
    struct http_shard *shard = c->shard;
    if (!c->closed)
        stop(c);
    list_remove(&c->in_shard);
    mem_free(c);
    shard->connections--;
    if (shard->metrics)
        metrics_gauge_add(shard->metrics, shard->server->connections, -1);
    if (shard->drained && shard->connections == 0) {
        void (*done)(void *) = shard->drained;
        shard->drained = NULL;
        done(shard->drained_argument);
    }
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

/* --- refusing ----------------------------------------------------------------------------------
 */

/* Answers what cannot be read with a problem, in its turn, and reads no further. */
static void refuse(struct http_connection *c, unsigned status, const char *detail) {
    struct http_request *r = c->body_of ? c->body_of : http_request_new(c);
    c->shard->refused++;
    c->body_of = NULL;
    c->reading = HTTP_READ_DONE;
    c->input = (slice){0};
    if (!r) {
        c->lost = true;
        return;
    }
    logger_write(c->shard->server->logger, LOG_LEVEL_DEBUG, "http", "request refused",
                 "listener=%s peer=%s status=%u reason=\"%s\"", c->shard->server->name,
                 io_stream_peer(c->stream), status, detail);
    r->state = REQUEST_CALLED;
    r->keep_alive = false;
    http_reply_problem(r, status, "%s", detail);
}

static void refuse_error(struct http_connection *c, enum http1_error error) {
    refuse(c, http1_error_status(error), http1_error_text(error));
}

/* Answers a request that was read well but is not served. */
static void refuse_request(struct http_request *r, struct http_refusal refusal) {
    struct http1_field fields[2];
    size_t count = 0;
    r->connection->shard->refused++;
    if (refusal.status == 401)
        fields[count++] = (struct http1_field){slice_lit("WWW-Authenticate"),
                                               slice_lit("Bearer realm=\"nonet\", Basic "
                                                         "realm=\"nonet\", charset=\"UTF-8\"")};
    if (refusal.status == 405)
        fields[count++] = (struct http1_field){slice_lit("Allow"), slice_str(r->match.allow)};
    http_reply_problem_with(r, refusal.status, fields, count, refusal.detail);
}

/* --- requests ----------------------------------------------------------------------------------
 */

static struct http_refusal judge(struct http_request *r, const struct http1_head *head) {
    struct http_shard *shard = r->connection->shard;
    struct http_server *server = shard->server;
    const struct http_asked asked = {r->method, r->path,   r->host,
                                     r->query,  r->fields, r->field_count};
    r->routes = shard->routes;
    r->match.route = NULL;
    if (r->path.len)
        http_routes_find(r->routes, &asked, &r->match);
    const struct http_route *route = r->match.route;
    if (server->guard) {
        struct http_refusal refusal =
            http_guard_judge(server->guard, head, r->connection->tls, route && route->without_login,
                             &shard->logins, io_loop_now_ns(shard->loop), &r->arena, &r->user);
        if (refusal.status)
            return refusal;
    }
    if (!r->path.len)
        return (struct http_refusal){400, "the target is not a path that has one meaning"};
    if (head->authority_differs)
        return (struct http_refusal){400, "the target names another host than Host does"};
    if (!route && r->match.path_known)
        return (struct http_refusal){405, "this path has other methods, see Allow"};
    if (!route)
        return (struct http_refusal){404, "there is nothing at this path"};
    if (head->framing == HTTP1_LENGTH && head->content_length > route->body_bytes_max)
        return (struct http_refusal){413, "the body is larger than this path takes"};
    return (struct http_refusal){0, NULL};
}

/* The body is whole. R may be answered and still stands, since we are busy. */
static void call_handler(struct http_request *r) {
    struct http_connection *c = r->connection;
    c->body_of = NULL;
    c->reading = r->keep_alive ? HTTP_READ_IDLE : HTTP_READ_DONE;
    r->state = REQUEST_CALLED;
    r->match.route->handle(r->match.route->owner, r);
    check(r->state != REQUEST_CALLED); /* answered, or http_request_later */
}

static void begin_body(struct http_request *r, const struct http1_head *head) {
    struct http_connection *c = r->connection;
    r->body = buf_make(r->match.route->body_bytes_max);
    r->wants_continue = head->expect_continue;
    c->body = http1_body_make(head);
    c->body_of = r;
    c->body_mark = 0;
    c->reading = HTTP_READ_BODY;
    c->clock_restart = true;
}

static void begin_request(struct http_connection *c, const struct http1_head *head, slice text) {
    struct http_request *r = http_request_new(c);
    if (!r || http_request_take_head(r, head, text)) {
        if (r)
            http_request_free(r);
        refuse(c, 503, "no memory for the request");
        return;
    }
    uint64_t requests_max = c->shard->server->limits.requests_per_connection_max;
    c->shard->requests++;
    c->requests_seen++;
    if (requests_max && c->requests_seen >= requests_max)
        r->keep_alive = false;
    struct http_refusal refusal = judge(r, head);
    if (refusal.status) {
        if (head->framing != HTTP1_NO_BODY)
            r->keep_alive = false;
        c->reading = r->keep_alive ? HTTP_READ_IDLE : HTTP_READ_DONE;
        r->state = REQUEST_CALLED;
        refuse_request(r, refusal);
    } else if (head->framing == HTTP1_NO_BODY) {
        call_handler(r);
    } else {
        begin_body(r, head);
    }
}

/* --- reading -----------------------------------------------------------------------------------
 */

/* A next request may be read while the ones before it get somewhere. */
static bool may_begin(const struct http_connection *c) {
    return c->in_flight < c->shard->server->limits.in_flight_max &&
           c->waiting_bytes < HTTP_STREAM_HIGH_BYTES &&
           io_stream_pending(c->stream) < HTTP_STREAM_HIGH_BYTES;
}

static bool read_head(struct http_connection *c) {
    if (c->input.len == 0 || !may_begin(c))
        return false;
    if (c->reading == HTTP_READ_IDLE) {
        c->reading = HTTP_READ_HEAD;
        c->head_began_ns = io_loop_now_ns(c->shard->loop);
        c->clock_restart = true;
    }
    size_t used = 0;
    struct http1_head *head = &c->shard->head;
    int whole = http1_parse(&c->parser, c->input, head, &used);
    if (whole == 0)
        return false;
    slice text = slice_take(c->input, used);
    c->input = slice_skip(c->input, used);
    if (whole < 0)
        refuse_error(c, (enum http1_error)c->parser.error);
    else
        begin_request(c, head, text);
    return true;
}

static void take_body(struct http_connection *c, slice bytes) {
    struct http_request *r = c->body_of;
    r->wants_continue = false;
    if (bytes.len > r->body.max - r->body.len) {
        refuse(c, 413, "the body is larger than this path takes");
        return;
    }
    if (http_hold(c->shard, &r->body, bytes)) {
        refuse(c, 503, "no memory for the body");
        return;
    }
    if (r->body.len - c->body_mark >= BODY_STEP) {
        c->body_mark = r->body.len;
        c->clock_restart = true;
    }
}

static bool read_body(struct http_connection *c) {
    struct http1_part part;
    size_t used = 0;
    int got = http1_body_next(&c->body, c->input, &part, &used);
    if (got < 0) {
        refuse_error(c, (enum http1_error)c->body.error);
        return true;
    }
    c->input = slice_skip(c->input, used);
    if (got == 0)
        return false;
    if (part.kind == HTTP1_DATA)
        take_body(c, part.bytes);
    else
        call_handler(c->body_of);
    return true;
}

static bool read_next(struct http_connection *c) {
    if (c->lost || c->last)
        return false;
    switch (c->reading) {
    case HTTP_READ_IDLE:
    case HTTP_READ_HEAD:
        return read_head(c);
    case HTTP_READ_BODY:
        return read_body(c);
    case HTTP_READ_DONE:
        c->input = (slice){0};
        return false;
    }
    return false;
}

/* All input is read as far as it goes, and no more will come. */
static bool meet_end(struct http_connection *c) {
    if (!c->ended || c->lost || c->reading == HTTP_READ_DONE)
        return false;
    if (c->reading != HTTP_READ_BODY && !may_begin(c))
        return false;
    if (c->reading == HTTP_READ_IDLE)
        c->reading = HTTP_READ_DONE;
    else
        refuse_error(c, HTTP1_ERROR_TRUNCATED);
    return true;
}

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
        while (read_next(c))
            moved = true;
        moved |= meet_end(c);
    } while (moved && !c->lost && !c->last);
    c->busy = false;
    keep_input(c, from_rest);
    settle(c);
}

/* --- clocks ------------------------------------------------------------------------------------
 */

static void on_clock(struct io_timer *timer) {
    struct http_connection *c = container_of(timer, struct http_connection, clock);
    enum http_clock what = c->clock_of;
    c->clock_of = CLOCK_NONE;
    if (what == CLOCK_HEAD)
        refuse(c, 408, "the head did not come in time");
    else if (what == CLOCK_BODY)
        refuse(c, 408, "the body did not come in time");
    else if (what == CLOCK_IDLE)
        c->reading = HTTP_READ_DONE;
    else
        c->lost = true;
    http_connection_feed(c, (slice){0});
}

static enum http_clock wanted_clock(const struct http_connection *c) {
    if (c->ended)
        return CLOCK_END;
    if (c->reading == HTTP_READ_BODY)
        return CLOCK_BODY;
    if (c->reading == HTTP_READ_HEAD && may_begin(c))
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
    if (wanted == CLOCK_NONE)
        io_timer_stop(c->shard->loop, &c->clock);
    else
        io_timer_start(c->shard->loop, &c->clock, spans[wanted], on_clock);
}

static void on_write_clock(struct io_timer *timer) {
    struct http_connection *c = container_of(timer, struct http_connection, write_clock);
    size_t pending = io_stream_pending(c->stream);
    if (pending == 0)
        return;
    uint64_t taken = c->written - pending;
    if (taken == c->taken) {
        cut(c);
        return;
    }
    c->taken = taken;
    io_timer_start(c->shard->loop, timer, c->shard->server->limits.write_ns, on_write_clock);
}

void http_connection_wrote(struct http_connection *c, size_t n) {
    c->written += n;
    if (io_timer_running(&c->write_clock))
        return;
    c->taken = c->written - io_stream_pending(c->stream);
    io_timer_start(c->shard->loop, &c->write_clock, c->shard->server->limits.write_ns,
                   on_write_clock);
}

/* The turn that wrote has been flushed: either the socket took it all, and on_drain is not called
   for what never waited, or it did not, and on_drain will be. */
static void on_room(struct io_timer *timer) {
    struct http_connection *c = container_of(timer, struct http_connection, room);
    if (io_stream_pending(c->stream) < HTTP_STREAM_HIGH_BYTES)
        http_connection_feed(c, (slice){0});
}

void http_connection_want_room(struct http_connection *c) {
    if (!c->closed && !io_timer_running(&c->room))
        io_timer_start(c->shard->loop, &c->room, ROOM_DELAY_NS, on_room);
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

static void set_paused(struct http_connection *c) {
    bool paused = (c->reading == HTTP_READ_IDLE || c->reading == HTTP_READ_HEAD) && !may_begin(c);
    if (paused == c->paused)
        return;
    c->paused = paused;
    if (paused)
        io_stream_pause(c->stream);
    else
        io_stream_resume(c->stream);
}

static void settle(struct http_connection *c) {
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
        http_connection_want_room(c);
}

/* --- events of the stream ----------------------------------------------------------------------
 */

static void on_bytes(void *owner, slice bytes) {
    http_connection_feed(owner, bytes);
}

static void on_end(void *owner) {
    struct http_connection *c = owner;
    c->ended = true;
    http_connection_feed(c, (slice){0});
}

static void on_drain(void *owner) {
    http_connection_feed(owner, (slice){0});
}

static void on_close(void *owner, int reason) {
    (void)reason;
    destroy(owner);
}

static const struct io_stream_events events = {on_bytes, on_end, on_drain, on_close};

static void on_tls_ready(void *owner, int failed, const char *why) {
    struct http_connection *c = owner;
    if (failed && !c->closed)
        logger_write(c->shard->server->logger, LOG_LEVEL_DEBUG, "http", "TLS handshake failed",
                     "listener=%s peer=%s why=\"%s\"", c->shard->server->name,
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
    shard->connections_total++;
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
    shard->refused++;
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
        shard->refused++;
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
        refuse(c, 503, "too many connections");
        http_connection_feed(c, (slice){0});
        return;
    }
    settle(c);
}
