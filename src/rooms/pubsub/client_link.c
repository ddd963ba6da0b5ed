/*
 * client_link.c - the WebSocket's half of client_link.h, and what both halves share.
 *
 * Output of a WebSocket is flushed by a task at the end of the turn, before the loop flushes its
 * streams, so a turn's messages leave in one frame and one system call. The peer is asked to close
 * behind the last frame. A peer that has left more waiting than the WebSocket holds is cut instead:
 * it was not reading.
 */
#include "rooms/pubsub/client_link.h"

#include "base/mem.h"

#include <errno.h>

/* --- output ------------------------------------------------------------------------------- */

static void flush(struct client_socket *s) {
    while (s->out.len) {
        slice frame = slice_take(buf_slice(&s->out), LINK_FRAME_MAX);
        int failed = http_websocket_send(s->ws, false, frame);
        if (failed == -EAGAIN)
            return;
        if (failed) {
            http_websocket_abort(s->ws);
            buf_free(&s->out);
            return;
        }
        buf_consume(&s->out, frame.len);
    }
    buf_free(&s->out);
}

static void on_flush(struct io_task *task) {
    flush(container_of(task, struct client_socket, flush));
}

int client_socket_reserve(struct client_socket *s, size_t size, char **ret_room) {
    if (s->out.len + http_websocket_pending(s->ws) + size > s->out.max)
        return -ENOBUFS;
    int failed = buf_reserve(&s->out, size);
    if (!failed)
        *ret_room = s->out.ptr + s->out.len;
    return failed;
}

void client_socket_advance(struct client_socket *s, size_t written) {
    s->out.len += written;
    s->flush.run = on_flush;
    io_defer(s->loop, &s->flush);
}

int client_write(struct client *c, slice bytes) {
    char *room;
    int failed = client_reserve(c, bytes.len, &room);
    if (failed)
        return failed;
    memcpy(room, bytes.ptr, bytes.len);
    client_advance(c, bytes.len);
    return 0;
}

/* --- reading ------------------------------------------------------------------------------ */

/* A stream counts its pauses, a WebSocket does not. */
void client_pause(struct client *c) {
    if (c->stream)
        io_stream_pause(c->stream);
    else if (c->socket->paused++ == 0)
        http_websocket_pause(c->socket->ws);
}

void client_resume(struct client *c) {
    if (c->stream)
        io_stream_resume(c->stream);
    else if (--c->socket->paused == 0)
        http_websocket_resume(c->socket->ws);
}

/* --- the end ------------------------------------------------------------------------------ */

static unsigned code_of(enum client_reason reason) {
    switch (reason) {
    case CLIENT_PROTOCOL_ERROR:
        return WEBSOCKET_CODE_PROTOCOL;
    case CLIENT_AUTH_FAILED:
    case CLIENT_AUTH_TIMEOUT:
    case CLIENT_AUTH_CHANGED:
        return WEBSOCKET_CODE_POLICY;
    case CLIENT_SERVER_SHUTDOWN:
        return WEBSOCKET_CODE_GOING_AWAY;
    default:
        return WEBSOCKET_CODE_NORMAL;
    }
}

void client_finish(struct client *c, enum client_reason reason) {
    if (c->stream) {
        io_stream_close(c->stream);
        return;
    }
    flush(c->socket);
    if (c->socket->out.len)
        http_websocket_abort(c->socket->ws);
    else
        http_websocket_close(c->socket->ws, code_of(reason), slice_str(client_reason_text(reason)));
}

void client_cut(struct client *c) {
    if (c->stream)
        io_stream_abort(c->stream);
    else
        http_websocket_abort(c->socket->ws);
}

static void ignore_bytes(void *owner, slice bytes) {
    (void)owner;
    (void)bytes;
}

static void ignore_end(void *owner, int failed) {
    (void)owner;
    (void)failed;
}

void client_let_go(struct client *c) {
    static const struct io_stream_events ignored = {.on_bytes = ignore_bytes,
                                                    .on_close = ignore_end};
    if (c->stream)
        io_stream_set_events(c->stream, &ignored, NULL);
    else
        c->socket->client = NULL;
}
