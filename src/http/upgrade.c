/*
 * upgrade.c - the end of HTTP on a connection: 101, and the stream goes to its next owner.
 *
 *     http_reply_upgrade     101 is written, nothing more is read                     GIVEN
 *     http_connection_leave  off the server's lists and counts, at the latest when the feed that
 *                            called the handler has gone through
 *     the end of the turn    the stream's events are the next owner's; what had been read of it is
 *                            delivered; what is left of the connection is freed
 *
 * Between the last two the stream still calls us: bytes are kept, the end is noted, and a close is
 * told to the next owner at once.
 */
#include "http/request_inside.h"

#include "base/mem.h"
#include "wire/http1_write.h"

#include <errno.h>

/* The 101 in the loop's scratch. 0, -EINVAL or -ENOMEM. */
static int make_head(struct http_shard *shard, const struct http1_field *fields, size_t count) {
    struct buf *b = &shard->scratch;
    int failed = http_head_begin(shard, 101);
    if (!failed)
        failed = buf_append(b, http_date_line(shard));
    if (!failed)
        failed = http1_write_field(b, slice_lit("Connection"), slice_lit("Upgrade"));
    return failed ? failed : http_head_end(shard, fields, count);
}

static bool is_alone(const struct http_request *r) {
    const struct list *requests = &r->connection->requests;
    return requests->head.next == &r->node && requests->head.prev == &r->node;
}

bool http_reply_may_upgrade(const struct http_request *r) {
    const struct http_connection *c = r->connection;
    return is_alone(r) && c->body_of != r && !c->lost && !c->closed;
}

int http_reply_upgrade(struct http_request *r, const struct http1_field *fields, size_t field_count,
                       const struct io_stream_events *events, void *owner,
                       struct io_stream **ret_stream) {
    struct http_connection *c = r->connection;
    check((r->state == REQUEST_CALLED || r->state == REQUEST_LATER) && !r->begun);
    check(events->on_bytes);
    if (!http_reply_may_upgrade(r))
        return -EBUSY;
    if (r->http_1_0)
        return -EINVAL;
    int failed = make_head(c->shard, fields, field_count);
    if (failed)
        return failed;
    slice head = buf_slice(&c->shard->scratch);
    failed = http_connection_write(c, &head, 1);
    if (failed)
        return failed == -EPIPE ? -EBUSY : -ENOMEM;
    http_count_answer(c->shard, 101);
    c->reading = HTTP_READ_GIVEN;
    c->upgrade_of = NULL;
    c->next_events = *events;
    c->next_owner = owner;
    *ret_stream = c->stream;
    r->state = REQUEST_ANSWERED;
    http_connection_feed(c, (slice){0});
    return 0;
}

/* --- the handing over --------------------------------------------------------------------------
 */

static void hand_over(struct io_task *task) {
    struct http_connection *c = container_of(task, struct http_connection, wake);
    struct io_stream *stream = c->stream;
    struct io_stream_events events = c->next_events;
    void *owner = c->next_owner;
    _cleanup_buf_ struct buf rest = c->rest;
    bool paused = c->paused, ended = c->ended;
    mem_free(c);
    io_stream_set_events(stream, &events, owner);
    io_stream_set_out_max(stream, IO_OUT_MAX_DEFAULT);
    if (rest.len && io_stream_is_open(stream))
        events.on_bytes(owner, buf_slice(&rest));
    if (ended && io_stream_is_open(stream)) {
        if (events.on_end)
            events.on_end(owner);
        else
            io_stream_close(stream);
    }
    if (paused)
        io_stream_resume(stream);
}

void http_hand_over(struct http_connection *c) {
    c->wake.run = hand_over;
    io_defer(c->shard->loop, &c->wake);
}

void http_keep_for_next(struct http_connection *c, slice bytes) {
    if (buf_append(&c->rest, bytes))
        io_stream_abort(c->stream);
}

void http_tell_next(struct http_connection *c, int reason) {
    struct io_stream_events events = c->next_events;
    void *owner = c->next_owner;
    io_defer_cancel(io_stream_loop(c->stream), &c->wake);
    buf_free(&c->rest);
    mem_free(c);
    if (events.on_close)
        events.on_close(owner, reason);
}
