/*
 * client_link.h - what a client is connected by: a stream, or a WebSocket that carries the same
 * bytes in binary frames. Between the files of this room that read and write.
 *
 *      TCP, TLS      bytes go into the stream's output and leave at the end of the turn
 *      WebSocket     bytes gather in `out`; at the end of the turn they leave as frames of at most
 *                    LINK_FRAME_MAX; what the peer does not take yet waits in `out`, and counts as
 *                    pending like a stream's output does
 *
 * Frames of the peer may be cut anywhere in the protocol; text frames are taken as binary ones, as
 * nats-server does. A link that is held (client_hold) is paused either way.
 */
#ifndef NONET_PUBSUB_CLIENT_LINK_H
#define NONET_PUBSUB_CLIENT_LINK_H

#include "http/websocket.h"
#include "rooms/pubsub/client.h"

#define LINK_FRAME_MAX (1u << 20)
#define LINK_MESSAGE_MAX (4u << 20) /* of a WebSocket message that comes, beyond the payload */

/* Made when the request for it has been judged, gone in its on_close. */
struct client_socket {
    struct http_websocket *ws;
    struct client *client; /* NULL: refused, or dropped */
    struct buf out;
    struct io_task flush;
    struct io_loop *loop;
    unsigned paused;
    bool tls;
};

must_use int client_socket_reserve(struct client_socket *socket, size_t size, char **ret_room);
void client_socket_advance(struct client_socket *socket, size_t written);

must_use static inline int client_reserve(struct client *c, size_t size, char **ret_room) {
    return likely(c->stream) ? io_stream_reserve(c->stream, size, ret_room)
                             : client_socket_reserve(c->socket, size, ret_room);
}

static inline void client_advance(struct client *c, size_t written) {
    if (likely(c->stream))
        io_stream_advance(c->stream, written);
    else
        client_socket_advance(c->socket, written);
}

/* Output that the kernel has not accepted, bytes. */
static inline size_t client_pending(const struct client *c) {
    return io_stream_pending(c->below) + (c->socket ? c->socket->out.len : 0);
}

must_use int client_write(struct client *client, slice bytes);
void client_pause(struct client *client);
void client_resume(struct client *client);
/* What was written leaves, then it ends; or at once. The link's end follows, as client_ended. */
void client_finish(struct client *client, enum client_reason reason);
void client_cut(struct client *client);
/* The link lives on without its client, and ends by itself. */
void client_let_go(struct client *client);

/* For the link: what has come, and its end. */
void client_take_bytes(struct client *client, slice bytes);
void client_ended(struct client *client, int failed);

#endif
