/*
 * client_link.c - a connection of a pool: opening, reading answers, the end. Its clock is in
 * client_clock.c.
 *
 * Answers are parsed where they were read; only what cannot be judged yet is kept in `rest`: a
 * head or the line of a chunk cut in two, or what had come when its call was paused. The stream is
 * not read on before the rest is used up, so it stays small.
 *
 *     head 1xx --> on_interim; another head        body parts --> on_body
 *     head 101 --> on_head; what follows waits     end -------> the link is released, on_end
 *     head     --> on_head; body
 *
 * All events of a call come from here (and from the queue of its pool), out of events of the stream
 * or of the loop, never out of a function of the call.
 */
#include "http/client_link.h"

#include "base/error.h"
#include "base/mem.h"

#include <errno.h>

#define REST_KEPT_MAX (4u << 10) /* room that an empty rest keeps */

static const struct io_stream_events link_events;

/* --- the end ------------------------------------------------------------------------------------
 */

static bool is_open(const struct http_link *l) {
    return l->state == LINK_OPENING || l->state == LINK_CALLED || l->state == LINK_IDLE;
}

/* It counts no more, and nothing of ours rings or runs for it. */
static void leave_count(struct http_link *l) {
    struct http_pool *pool = l->pool;
    if (l->state == LINK_IDLE) {
        list_remove(&l->in_idle);
        pool->idle_count--;
    }
    pool->open--;
    io_timer_stop(l->loop, &l->clock);
    io_defer_cancel(l->loop, &l->task);
}

static void destroy(struct http_link *l) {
    list_remove(&l->in_pool);
    if (l->lingers && l->pool)
        l->pool->lingering--;
    buf_free(&l->rest);
    mem_free(l);
}

/* TLS says goodbye and waits for the other's, as long as there are not too many who wait. */
static bool may_linger(const struct http_pool *pool) {
    return pool->tls && !pool->retired && pool->lingering < pool->options.connections_max;
}

void http_link_drop(struct http_link *l, bool clean) {
    check(!l->call);
    bool dialling = l->state == LINK_OPENING && !l->stream;
    if (l->state == LINK_LEAVING)
        return;
    if (is_open(l)) {
        leave_count(l);
        l->state = LINK_CLOSED;
    }
    if (dialling) {
        io_connect_cancel(l->loop, l);
        destroy(l);
    } else if (clean && may_linger(l->pool)) {
        l->lingers = true;
        l->pool->lingering++;
        io_stream_close(l->stream);
    } else {
        io_stream_abort(l->stream);
    }
}

void http_link_orphan(struct http_link *l) {
    if (l->state != LINK_LEAVING) {
        l->call = NULL;
        bool dialling = l->state == LINK_OPENING && !l->stream;
        http_link_drop(l, false);
        if (dialling)
            return;
    }
    list_remove(&l->in_pool);
    l->pool = NULL;
}

void http_link_fail(struct http_link *l, enum http_failed failed, int code, const char *why) {
    struct http_call *call = l->call;
    l->call = NULL;
    http_link_drop(l, failed == HTTP_FAILED_CONNECT);
    http_call_fail(call, failed, code, why);
}

void http_link_break(struct http_link *l, int code, const char *why) {
    l->failed = code;
    l->why = why;
    io_stream_abort(l->stream);
}

/* The keep-alive race, and the only case in which a call is begun again. */
static bool may_repeat(const struct http_link *l) {
    const struct http_call *call = l->call;
    return l->served > 0 && !l->heard && call->repeatable && call->text_kept && !call->retried;
}

/* The connection is of no use any more to a call that has not got all of its answer. */
static void lose(struct http_link *l, enum http_failed failed, int code, const char *why) {
    struct http_pool *pool = l->pool;
    struct http_call *call = l->call;
    if (!may_repeat(l)) {
        http_link_fail(l, failed, code, why);
        return;
    }
    call->retried = true;
    call->link = NULL;
    l->call = NULL;
    pool->retries++;
    http_link_drop(l, false);
    code = http_link_open(pool, call);
    if (code)
        http_call_fail(call, HTTP_FAILED_CLOSED, code, "no memory for another connection");
}

/* --- opening ------------------------------------------------------------------------------------
 */

static void fail_to_open(struct http_link *l, int code, const char *why) {
    struct http_pool *pool = l->pool;
    pool->connect_failures++;
    if (l->call) {
        http_link_fail(l, l->call->retried ? HTTP_FAILED_CLOSED : HTTP_FAILED_CONNECT, code, why);
        return;
    }
    http_link_drop(l, true);
    http_pool_serve(pool);
    http_pool_settle(pool);
}

static void be_open(struct http_link *l) {
    l->pool->connections_total++;
    if (l->call)
        http_link_start(l, l->call);
    else
        http_link_release(l);
}

static void on_tls_ready(void *owner, int failed, const char *why) {
    struct http_link *l = owner;
    if (l->state != LINK_OPENING)
        return;
    if (failed)
        fail_to_open(l, failed, why);
    else
        be_open(l);
}

static void on_connect(void *owner, struct io_stream *stream, int failed) {
    struct http_link *l = owner;
    struct http_pool *pool = l->pool;
    if (!stream) {
        fail_to_open(l, failed, error_name(failed));
        return;
    }
    l->stream = stream;
    io_stream_set_events(stream, &link_events, l);
    if (!pool->tls) {
        be_open(l);
        return;
    }
    uint64_t spent = io_loop_now_ns(l->loop) - l->since_ns;
    uint64_t left = spent < pool->options.connect_ns ? pool->options.connect_ns - spent : 1;
    failed = io_stream_start_tls(stream, pool->tls, (slice){0}, left, on_tls_ready);
    if (failed)
        fail_to_open(l, failed, error_name(failed));
}

static void on_dial_failed(struct io_task *task) {
    struct http_link *l = container_of(task, struct http_link, task);
    fail_to_open(l, l->failed, error_name(l->failed));
}

int http_link_open(struct http_pool *pool, struct http_call *call) {
    struct http_link *l = mem_zalloc(1, sizeof *l);
    if (!l)
        return -ENOMEM;
    l->pool = pool;
    l->loop = pool->loop;
    l->state = LINK_OPENING;
    l->since_ns = io_loop_now_ns(pool->loop);
    l->due_ns = HTTP_LINK_NEVER;
    l->rest = buf_make(HTTP_LINK_REST_MAX);
    list_node_init(&l->in_idle);
    list_push_back(&pool->links, &l->in_pool);
    pool->open++;
    l->call = call;
    call->link = l;
    l->failed = io_connect(pool->loop, pool->address, pool->options.connect_ns, on_connect, l);
    if (l->failed) {
        l->task.run = on_dial_failed;
        io_defer(pool->loop, &l->task);
    }
    return 0;
}

/* --- beginning a call ---------------------------------------------------------------------------
 */

void http_link_begin(struct http_link *l, struct http_call *call) {
    if (l->state == LINK_IDLE) {
        list_remove(&l->in_idle);
        l->pool->idle_count--;
    }
    l->state = LINK_CALLED;
    l->call = call;
    call->link = l;
    l->heard = false;
    l->begun_at = l->taken = io_stream_accepted(l->stream);
    l->parser = http1_parser_make(call->side);
    l->since_ns = io_loop_now_ns(l->loop);
    http_link_look_after_request(l);
}

void http_link_start(struct http_link *l, struct http_call *call) {
    http_link_begin(l, call);
    int failed = call->broken;
    if (!failed)
        failed = io_stream_write(l->stream, buf_slice(&call->text));
    if (failed && failed != -EPIPE) /* -EPIPE: on_close is on its way */
        http_link_break(l, failed, "the request could not be written");
    if (call->wants_room)
        http_link_go_on(l);
}

/* --- answers ------------------------------------------------------------------------------------
 */

/* All of the answer is here. */
static void finish(struct http_link *l, slice trailers) {
    struct http_pool *pool = l->pool;
    struct http_call *call = l->call;
    struct http_call_events events = call->events;
    void *self = call->self;
    bool again = l->keep_alive && call->whole && io_stream_pending(l->stream) == 0 &&
                 l->input.len == 0 && !l->ended;
    l->call = NULL;
    l->served++;
    http_call_give(call);
    if (again) {
        http_link_release(l);
    } else {
        http_link_drop(l, true);
        http_pool_serve(pool);
    }
    events.on_end(self, trailers);
}

static void refuse(struct http_link *l, const char *why) {
    http_link_fail(l, HTTP_FAILED_ANSWER, -EPROTO, why);
}

/* True: there may be more to read. */
static bool take_interim(struct http_link *l, const struct http1_head *head) {
    struct http_call *call = l->call;
    if (++call->interims > HTTP_INTERIMS_MAX) {
        refuse(l, "too many interim answers");
        return false;
    }
    if (call->events.on_interim)
        call->events.on_interim(call->self, head);
    return true;
}

static bool take_head(struct http_link *l, const struct http1_head *head) {
    struct http_call *call = l->call;
    if (head->status == 101 && (!call->upgrades || !call->whole)) {
        refuse(l, "a change of protocol that was not asked for");
        return false;
    }
    call->answered = true;
    call->switched = head->status == 101;
    l->keep_alive = head->keep_alive;
    l->body = http1_body_make(head);
    l->since_ns = io_loop_now_ns(l->loop);
    http_link_look(l, l->pool->options.silence_ns);
    call->events.on_head(call->self, head);
    return true;
}

/* A server of another kind may never say a whole head: it is known by its first bytes. */
static bool begins_well(slice input) {
    slice wanted = slice_lit("HTTP/1.");
    return slice_starts_with(wanted, slice_take(input, wanted.len));
}

static bool read_head(struct http_link *l) {
    struct http1_head *head = &l->pool->head;
    size_t used = 0;
    int whole = http1_parse(&l->parser, l->input, head, &used);
    if (whole < 0)
        refuse(l, http1_error_text((enum http1_error)l->parser.error));
    else if (whole == 0 && !begins_well(l->input))
        refuse(l, "the server does not speak HTTP/1");
    if (whole <= 0)
        return false;
    l->input = slice_skip(l->input, used);
    bool interim = head->status < 200 && head->status != 101;
    return interim ? take_interim(l, head) : take_head(l, head);
}

static bool read_body(struct http_link *l) {
    struct http_call *call = l->call;
    struct http1_part part;
    size_t used = 0;
    int got = http1_body_next(&l->body, l->input, &part, &used);
    if (got < 0) {
        refuse(l, http1_error_text((enum http1_error)l->body.error));
        return false;
    }
    l->input = slice_skip(l->input, used);
    if (got == 0)
        return false;
    if (part.kind == HTTP1_DATA)
        call->events.on_body(call->self, part.bytes);
    else
        finish(l, part.bytes);
    return true;
}

static bool may_read(const struct http_link *l) {
    return l->call && !l->call->switched && !(l->call->paused && l->call->answered);
}

/* Nothing is left to read that can be read, and nothing more will come. */
static void meet_end(struct http_link *l) {
    bool answered = l->call->answered;
    if (answered && http1_body_close(&l->body) == 0)
        finish(l, (slice){0});
    else
        lose(l, HTTP_FAILED_CLOSED, -ECONNRESET,
             answered ? "the connection ended inside the answer"
                      : "the connection ended before the answer");
}

/* --- what is kept -------------------------------------------------------------------------------
 */

static int keep(struct http_link *l, slice bytes) {
    buf_consume(&l->rest, l->rest_at);
    l->rest_at = 0;
    return buf_append(&l->rest, bytes);
}

static void forget_rest(struct http_link *l) {
    l->rest_at = 0;
    if (l->rest.cap > REST_KEPT_MAX)
        buf_free(&l->rest);
    buf_clear(&l->rest);
}

/* After a feed: what is not read lies in the caller's bytes, or in `rest` already. */
static int keep_input(struct http_link *l, bool from_rest) {
    slice left = l->input;
    l->input = (slice){0};
    if (left.len == 0 || l->state == LINK_CLOSED) {
        forget_rest(l);
        return 0;
    }
    if (!from_rest)
        return keep(l, left);
    l->rest_at = l->rest.len - left.len;
    return 0;
}

static void fail_memory(struct http_link *l) {
    if (l->call)
        http_link_fail(l, HTTP_FAILED_CLOSED, -ENOMEM, "no memory for the answer");
    else if (l->state == LINK_LEAVING)
        io_stream_abort(l->stream);
}

/* Reads what there is, and BYTES behind it. */
static void feed(struct http_link *l, slice bytes) {
    bool from_rest = l->rest.len > 0;
    if (from_rest && bytes.len > 0 && keep(l, bytes)) {
        fail_memory(l);
        return;
    }
    l->input = from_rest ? slice_skip(buf_slice(&l->rest), l->rest_at) : bytes;
    bool moved = true;
    while (moved && may_read(l))
        moved = l->call->answered ? read_body(l) : read_head(l);
    if (keep_input(l, from_rest))
        fail_memory(l);
    if (l->ended && may_read(l))
        meet_end(l);
    else
        http_link_set_reading(l);
}

static void on_go_on(struct io_task *task) {
    struct http_link *l = container_of(task, struct http_link, task);
    feed(l, (slice){0});
    if (l->call)
        http_link_give_room(l);
}

void http_link_go_on(struct http_link *l) {
    l->task.run = on_go_on;
    io_defer(l->loop, &l->task);
}

void http_link_set_reading(struct http_link *l) {
    bool paused = l->call && l->call->answered && (l->call->paused || l->call->switched);
    if (paused == l->reading_paused || (l->state != LINK_CALLED && l->state != LINK_IDLE))
        return;
    l->reading_paused = paused;
    if (paused)
        io_stream_pause(l->stream);
    else
        io_stream_resume(l->stream);
}

/* --- leaving ------------------------------------------------------------------------------------
 */

static void gone(struct http_link *l) {
    struct http_pool *pool = l->pool;
    io_defer_cancel(l->loop, &l->task);
    destroy(l);
    if (pool)
        http_pool_settle(pool);
}

static void on_leave(struct io_task *task) {
    struct http_link *l = container_of(task, struct http_link, task);
    struct io_stream *stream = l->stream;
    io_stream_set_events(stream, &l->heir_events, l->heir);
    io_stream_resume(stream);
    if (l->rest.len > 0 && io_stream_is_open(stream))
        l->heir_events.on_bytes(l->heir, slice_skip(buf_slice(&l->rest), l->rest_at));
    gone(l);
}

void http_link_leave(struct http_link *l, const struct io_stream_events *events, void *owner) {
    if (!l->reading_paused)
        io_stream_pause(l->stream); /* until the heir hears */
    l->call = NULL;
    leave_count(l);
    l->state = LINK_LEAVING;
    l->heir_events = *events;
    l->heir = owner;
    l->task.run = on_leave;
    io_defer(l->loop, &l->task);
}

/* --- events of the stream -----------------------------------------------------------------------
 */

static void take_answer(struct http_link *l, slice bytes) {
    if (!l->heard && io_stream_accepted(l->stream) == l->begun_at) {
        lose(l, HTTP_FAILED_ANSWER, -EPROTO, "bytes came before the request was sent");
        return;
    }
    l->heard = true;
    if (l->call->answered)
        l->since_ns = io_loop_now_ns(l->loop);
    feed(l, bytes);
}

static void on_bytes(void *owner, slice bytes) {
    struct http_link *l = owner;
    switch (l->state) {
    case LINK_CALLED:
        take_answer(l, bytes);
        break;
    case LINK_IDLE: /* unasked */
        http_link_drop(l, false);
        break;
    case LINK_LEAVING:
        if (keep(l, bytes))
            fail_memory(l);
        break;
    case LINK_OPENING:
    case LINK_CLOSED:
        break;
    }
}

static void on_end(void *owner) {
    struct http_link *l = owner;
    l->ended = true;
    if (l->state == LINK_CALLED)
        feed(l, (slice){0});
    else if (l->state == LINK_IDLE)
        http_link_drop(l, true);
}

static void on_drain(void *owner) {
    struct http_link *l = owner;
    if (l->state != LINK_CALLED)
        return;
    if (!l->call->answered && io_stream_pending(l->stream) == 0)
        l->since_ns = io_loop_now_ns(l->loop); /* the request's last byte may just have left */
    http_link_look_after_request(l);
    http_link_give_room(l);
}

static void on_close(void *owner, int reason) {
    struct http_link *l = owner;
    int code = reason ? reason : -ECONNRESET;
    struct io_stream_events heir_events = l->heir_events;
    void *heir = l->heir;
    bool leaving = l->state == LINK_LEAVING;
    if (l->state == LINK_OPENING)
        fail_to_open(l, code, error_name(code));
    else if (l->state == LINK_IDLE)
        http_link_drop(l, false);
    else if (l->state == LINK_CALLED && l->failed)
        http_link_fail(l, HTTP_FAILED_CLOSED, l->failed, l->why);
    else if (l->state == LINK_CALLED)
        lose(l, HTTP_FAILED_CLOSED, code, error_name(code));
    gone(l);
    if (leaving && heir_events.on_close)
        heir_events.on_close(heir, reason);
}

static const struct io_stream_events link_events = {on_bytes, on_end, on_drain, on_close};
