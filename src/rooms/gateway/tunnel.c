/*
 * tunnel.c - the two ends of a tunnel, and what passes between them (tunnel.h).
 *
 *     end of the client                      end of the service
 *       OPEN --bytes------------------------> written
 *       OPEN --its end, heard --------------> shut (still talks)
 *       OPEN --lost, or both have ended ----> both close; the last on_close frees the tunnel
 *
 * An end is paused while the other one's output is high.
 */
#include "rooms/gateway/tunnel.h"

#include "base/mem.h"

#include <errno.h>

#define IDLE_LOOKS 4u /* within the time that it may be still, at what readers have taken */

struct tunnel;

struct tunnel_end {
    struct tunnel *tunnel;
    struct io_stream *stream; /* NULL: closed */
    struct tunnel_end *other;
    bool ended;  /* its peer has */
    bool paused; /* by us */
};

struct tunnel {
    struct gateway_stream stream;
    struct gateway_shard *shard;
    struct upstream *upstream;
    struct tunnel_end client, service;
    struct io_timer idle;
    uint64_t moved_ns;        /* when bytes last came */
    uint64_t may_be_still_ns; /* for so long */
    uint64_t accepted;        /* by both kernels, when last looked at */
};

static struct io_loop *loop_of(const struct tunnel *t) {
    return t->shard->shard->loop;
}

/* --- the end -----------------------------------------------------------------------------------
 */

static void tunnel_free(struct tunnel *t) {
    struct gateway_shard *shard = t->shard;
    io_timer_stop(loop_of(t), &t->idle);
    upstream_end(t->upstream);
    gateway_stream_over(shard, &t->stream);
    mem_free(t);
}

static void close_end(struct tunnel_end *end) {
    if (end->stream)
        io_stream_close(end->stream);
}

static void on_close(void *owner, int reason) {
    struct tunnel_end *end = owner;
    (void)reason;
    end->stream = NULL;
    if (end->other->stream)
        io_stream_close(end->other->stream); /* what it is still to be told leaves */
    else
        tunnel_free(end->tunnel);
}

static void ignore_bytes(void *owner, slice bytes) {
    (void)owner;
    (void)bytes;
}

static void cut(struct tunnel_end *end) {
    static const struct io_stream_events ownerless = {.on_bytes = ignore_bytes};
    if (!end->stream)
        return;
    io_stream_set_events(end->stream, &ownerless, NULL);
    io_stream_abort(end->stream);
}

static void look(struct tunnel *t);

static void on_drain_of_loop(struct gateway_stream *stream, bool at_once) {
    struct tunnel *t = container_of(stream, struct tunnel, stream);
    if (!at_once && !stream->login_end.over) {
        t->may_be_still_ns = TUNNEL_PAUSE_NS;
        look(t);
        return;
    }
    cut(&t->client);
    cut(&t->service);
    tunnel_free(t);
}

/* --- bytes -------------------------------------------------------------------------------------
 */

static bool is_full(const struct tunnel_end *end) {
    return end->stream && io_stream_pending(end->stream) >= TUNNEL_HIGH_BYTES;
}

static void resume_if_room(struct tunnel_end *end) {
    if (!end->paused || is_full(end->other))
        return;
    end->paused = false;
    if (end->stream)
        io_stream_resume(end->stream);
}

static void on_drain(void *owner) {
    struct tunnel_end *end = owner;
    resume_if_room(end->other);
}

static void on_bytes(void *owner, slice bytes) {
    struct tunnel_end *end = owner, *other = end->other;
    struct tunnel *t = end->tunnel;
    t->moved_ns = io_loop_now_ns(loop_of(t));
    if (!other->stream)
        return; /* its end is on the way to this side */
    int failed = io_stream_write(other->stream, bytes);
    if (failed && failed != -EPIPE) { /* no memory: a byte lost is all lost */
        io_stream_abort(end->stream);
        io_stream_abort(other->stream);
        return;
    }
    if (!is_full(other) || end->paused)
        return;
    end->paused = true;
    io_stream_pause(end->stream);
    io_stream_want_room(other->stream, TUNNEL_HIGH_BYTES);
}

static void on_end(void *owner) {
    struct tunnel_end *end = owner, *other = end->other;
    end->ended = true;
    if (!other->stream || other->ended) {
        close_end(end);
        close_end(other);
    } else {
        io_stream_shut(other->stream);
    }
}

static uint64_t accepted(const struct tunnel_end *end) {
    return end->stream ? io_stream_accepted(end->stream) : 0;
}

static void on_idle(struct io_timer *timer) {
    look(container_of(timer, struct tunnel, idle));
}

/* Closes both ends if nothing has moved for long enough, else comes back to see. */
static void look(struct tunnel *t) {
    uint64_t now = io_loop_now_ns(loop_of(t)), taken = accepted(&t->client) + accepted(&t->service);
    if (taken != t->accepted) /* a slow reader is not an idle one */
        t->moved_ns = now;
    t->accepted = taken;
    if (now - t->moved_ns < t->may_be_still_ns) {
        io_timer_start(loop_of(t), &t->idle, t->may_be_still_ns / IDLE_LOOKS, on_idle);
        return;
    }
    close_end(&t->client);
    close_end(&t->service);
}

/* --- making ------------------------------------------------------------------------------------
 */

static const struct io_stream_events end_events = {on_bytes, on_end, on_drain, on_close};

static struct tunnel *tunnel_new(struct gateway_shard *shard, struct upstream *upstream) {
    struct tunnel *t = mem_zalloc(1, sizeof *t);
    if (!t)
        return NULL;
    t->shard = shard;
    t->upstream = upstream;
    t->stream.on_drain = on_drain_of_loop;
    t->client = (struct tunnel_end){.tunnel = t, .other = &t->service};
    t->service = (struct tunnel_end){.tunnel = t, .other = &t->client};
    t->moved_ns = io_loop_now_ns(loop_of(t));
    t->may_be_still_ns = shard->draining ? TUNNEL_PAUSE_NS : TUNNEL_IDLE_NS;
    return t;
}

int tunnel_open(struct exchange *x, struct http_call *call, struct upstream *upstream,
                const struct http1_field *fields, size_t count) {
    struct http1_field all[EXCHANGE_ANSWER_FIELDS_MAX];
    struct http_request *request = x->request;
    if (!http_reply_may_upgrade(request))
        return -EBUSY;
    struct tunnel *t = tunnel_new(x->shard, upstream);
    if (!t)
        return -ENOMEM;
    const struct http_answer answer = {.status = 101, .fields = fields, .field_count = count};
    count = exchange_answer_fields(x, &answer, all);
    exchange_upgraded(x, &t->stream);
    int failed =
        http_reply_upgrade(request, all, count, &end_events, &t->client, &t->client.stream);
    if (failed) {
        http_call_cancel(call);
        tunnel_free(t);
        http_reply_problem(request, 503, "there is no memory for another protocol");
        return 0;
    }
    http_call_detach(call, &end_events, &t->service, &t->service.stream);
    io_timer_start(loop_of(t), &t->idle, t->may_be_still_ns / IDLE_LOOKS, on_idle);
    return 0;
}
