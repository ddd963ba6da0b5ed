/*
 * client_call.c - what the owner of a call does with it: the body, pausing, the ends.
 *
 * Nothing here calls an event. What follows from these functions comes out of the stream later (its
 * on_close, where a link is broken) or by the end of the turn.
 */
#include "http/client_link.h"
#include "wire/http1_write.h"
#include "wire/put.h"

#include <errno.h>

/* A chunk of ours: with its lines it fits the stream's larger pieces of memory. */
#define CHUNK_MAX ((64u << 10) - 256)
#define CHUNK_ROOM (HTTP1_CHUNK_HEAD_ROOM + 2u)

static struct http_link *linked(const struct http_call *call) {
    return call->link && call->link->state == LINK_CALLED ? call->link : NULL;
}

/* --- the request's body -------------------------------------------------------------------------
 */

static int put_chunk(struct io_stream *stream, slice bytes) {
    char *out;
    int failed = io_stream_reserve(stream, bytes.len + CHUNK_ROOM, &out);
    if (failed)
        return failed;
    char *at = out + http1_put_chunk_head(out, bytes.len);
    at = put_crlf(put_bytes(at, bytes));
    io_stream_advance(stream, (size_t)(at - out));
    return 0;
}

/* All of BYTES or, where an error is returned, none. */
static int put_chunks(struct http_link *link, slice bytes) {
    int failed = put_chunk(link->stream, slice_take(bytes, CHUNK_MAX));
    if (failed)
        return failed;
    for (slice rest = slice_skip(bytes, CHUNK_MAX); rest.len > 0 && !failed;
         rest = slice_skip(rest, CHUNK_MAX))
        failed = put_chunk(link->stream, slice_take(rest, CHUNK_MAX));
    if (failed)
        http_link_break(link, -ENOMEM, "no memory for the request's body");
    return 0;
}

bool http_call_full(struct http_call *call) {
    struct http_link *link = linked(call);
    bool full = !link || io_stream_pending(link->stream) >= HTTP_CALL_HIGH_BYTES;
    if (full && link)
        http_link_want_room(link);
    else if (full)
        call->wants_room = true;
    return full;
}

int http_call_write(struct http_call *call, slice bytes) {
    struct http_link *link = linked(call);
    check(call->has_body && !call->whole);
    if (!call->chunked && bytes.len > call->body_left)
        return -E2BIG;
    if (bytes.len == 0)
        return 0;
    if (http_call_full(call))
        return -EAGAIN;
    if (io_stream_pending(link->stream) == 0)
        link->since_ns = io_loop_now_ns(link->loop);
    int failed = call->chunked ? put_chunks(link, bytes) : io_stream_write(link->stream, bytes);
    if (failed && failed != -EPIPE)
        return -ENOMEM;
    call->text_kept = false;
    if (!call->chunked)
        call->body_left -= bytes.len;
    http_link_look_after_request(link);
    return 0;
}

/* The last chunk, to the stream and to the text where that is to be sent (again). */
static int put_tail(struct http_call *call, struct http_link *link,
                    const struct http1_field *trailers, size_t count) {
    size_t room = http_tail_room(trailers, count);
    char *out;
    if (room == 0)
        return -EINVAL;
    if (call->text_kept && buf_reserve(&call->text, room))
        call->text_kept = false;
    if (!link && !call->text_kept)
        return -ENOMEM;
    int failed = link ? io_stream_reserve(link->stream, room, &out) : 0;
    if (failed)
        return failed;
    if (!link)
        out = call->text.ptr + call->text.len;
    size_t len = http_tail_put(out, trailers, count);
    if (len == 0)
        return -EINVAL;
    if (link && call->text_kept)
        memcpy(call->text.ptr + call->text.len, out, len);
    if (call->text_kept)
        call->text.len += len;
    if (link)
        io_stream_advance(link->stream, len);
    return 0;
}

void http_call_end(struct http_call *call, const struct http1_field *trailers, size_t count) {
    struct http_link *link = linked(call);
    check(call->has_body && !call->whole && call->body_left == 0);
    check(call->chunked || count == 0);
    call->whole = true;
    int failed = call->chunked ? put_tail(call, link, trailers, count) : 0;
    if (!link) {
        call->broken = failed; /* told when there is a link */
        return;
    }
    if (failed && failed != -EPIPE)
        http_link_break(link, failed, "the request's end could not be written");
    link->since_ns = io_loop_now_ns(link->loop);
    http_link_look_after_request(link);
}

/* --- reading ------------------------------------------------------------------------------------
 */

void http_call_pause(struct http_call *call) {
    struct http_link *link = linked(call);
    call->paused = true;
    if (link)
        http_link_set_reading(link);
}

void http_call_resume(struct http_call *call) {
    struct http_link *link = linked(call);
    if (!call->paused)
        return;
    call->paused = false;
    if (!link)
        return;
    if (call->answered) {
        link->since_ns = io_loop_now_ns(link->loop);
        http_link_look(link, link->pool->options.silence_ns);
    }
    http_link_go_on(link);
}

/* --- the ends -----------------------------------------------------------------------------------
 */

void http_call_cancel(struct http_call *call) {
    struct http_pool *pool = call->pool;
    struct http_link *link = call->link;
    if (!link)
        http_call_leave_queue(call);
    else
        link->call = NULL;
    if (link && (link->state != LINK_OPENING || pool->retired))
        http_link_drop(link, false);
    http_call_give(call);
    http_pool_serve(pool);
    http_pool_settle(pool);
}

void http_call_detach(struct http_call *call, const struct io_stream_events *events, void *owner,
                      struct io_stream **ret_stream) {
    struct http_pool *pool = call->pool;
    check(call->switched);
    *ret_stream = call->link->stream;
    http_link_leave(call->link, events, owner);
    http_call_give(call);
    http_pool_serve(pool);
}
