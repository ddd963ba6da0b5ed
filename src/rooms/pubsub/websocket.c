/*
 * websocket.c - NATS over WebSocket, for clients in browsers: the listener `websocket`.
 *
 *     GET / with Upgrade --origin judged--> 101 --> INFO in a frame, and on as by TCP
 *
 * A page of any origin can open a WebSocket to wherever its reader's browser gets, and cookies are
 * not what protects here: so `same_origin` and `allowed_origins` say which pages may. Who sends no
 * Origin is no browser, and is judged by its login alone.
 *
 * One HTTP server on the loops that serve; its TLS is renewed by a reload like the other's.
 */
#include "base/mem.h"
#include "http/server.h"
#include "rooms/pubsub/client_link.h"
#include "wire/url.h"

#include <errno.h>

#define PORT_HTTP 80
#define PORT_HTTPS 443

static bool same_page(const struct url *page, slice scheme, slice authority) {
    bool secure = slice_equal_nocase(scheme, slice_lit("https"));
    return slice_equal_nocase(page->scheme, scheme) &&
           url_same_authority(page->authority_text, authority, secure ? PORT_HTTPS : PORT_HTTP);
}

static bool may_open(const struct room_listen *listen, const struct http_request *request) {
    slice origin;
    struct url page, allowed;
    bool is_tls = http_request_is_tls(request);
    if (!http_request_field(request, slice_lit("Origin"), &origin) ||
        (!listen->same_origin && !listen->origin_count))
        return true;
    if (url_parse(origin, &page))
        return false; /* "null", too */
    if (listen->same_origin && !same_page(&page, is_tls ? slice_lit("https") : slice_lit("http"),
                                          http_request_host(request)))
        return false;
    for (unsigned i = 0; i < listen->origin_count; i++)
        if (url_parse(listen->origins[i], &allowed) == 0 &&
            same_page(&page, allowed.scheme, allowed.authority_text))
            return true;
    return listen->origin_count == 0;
}

static void on_message(void *owner, bool is_text, slice message) {
    (void)is_text;
    struct client_socket *s = owner;
    if (s->client)
        client_take_bytes(s->client, message);
}

static void on_room(void *owner) {
    struct client_socket *s = owner;
    s->flush.run(&s->flush);
}

static void on_close(void *owner, unsigned code) {
    struct client_socket *s = owner;
    struct client *client = s->client;
    io_defer_cancel(s->loop, &s->flush);
    buf_free(&s->out);
    if (client)
        client_ended(client, code == WEBSOCKET_CODE_LOST ? -ECONNRESET : 0);
    mem_free(s);
}

static void on_request(void *owner, struct http_request *request) {
    static const struct http_websocket_events events = {
        .on_message = on_message, .on_room = on_room, .on_close = on_close};
    struct pubsub *pubsub = owner;
    struct io_loop *loop = http_request_loop(request);
    const struct room_limits *limits = &pubsub->node->limits;
    if (!may_open(room_listen(pubsub->node, "websocket"), request)) {
        http_reply_problem(request, 403, "pages of this origin may not open a WebSocket here");
        return;
    }
    struct client_socket *s = mem_zalloc(1, sizeof *s);
    if (!s) {
        http_reply_problem(request, 503, "no memory for a client");
        return;
    }
    s->loop = loop;
    s->tls = http_request_is_tls(request);
    s->out = buf_make(limits->pending_bytes_max);
    struct http_websocket_options options = {
        .message_bytes_max = limits->payload_bytes_max + LINK_MESSAGE_MAX,
        .out_high_bytes = HTTP_WEBSOCKET_HIGH_MAX,
        .ping_ns = HTTP_WEBSOCKET_NEVER, /* NATS has its own */
    };
    if (http_websocket_accept(request, &options, &events, s, &s->ws))
        mem_free(s);
    else
        client_accept(pubsub->shards[io_loop_index(loop)], NULL, s);
}

static int make_routes(struct pubsub *pubsub, struct http_routes **ret_routes) {
    const struct http_route route = {
        .method = "GET", .pattern = "/*", .handle = on_request, .owner = pubsub};
    int failed = http_routes_create(ret_routes);
    if (!failed)
        failed = http_routes_add(*ret_routes, &route);
    return failed;
}

int websocket_started(struct pubsub *pubsub, struct error *ret_error) {
    struct room_node *node = pubsub->node;
    const struct room_listen *listen = room_listen(node, "websocket");
    struct http_routes *routes = NULL;
    struct io_tls *tls = NULL;
    if (!listen || listen->off)
        return 0;
    int failed = room_make_tls(node, "websocket", NULL, &tls, ret_error);
    if (failed)
        return failed;
    failed = make_routes(pubsub, &routes);
    if (failed) {
        error_set(ret_error, failed, "no memory for the listener websocket");
    } else {
        struct http_server_options options = {
            .name = "websocket",
            .address = listen->address,
            .loop_first = 0,
            .loop_count = node->serving,
            .routes = routes,
            .tls = tls,
            .logger = node->logger,
            .metrics = node->metrics,
        };
        failed = http_server_open(io_group_loop(node->group, 0), &options, &pubsub->web, ret_error);
    }
    http_routes_unref(routes);
    io_tls_unref(tls);
    if (!failed)
        node->listening(node, "websocket", http_server_address(pubsub->web));
    return failed;
}

void websocket_renew(struct pubsub_shard *room, struct io_tls *tls) {
    if (room->pubsub->web && tls && room->shard->index < room->pubsub->node->serving)
        http_server_set_tls(room->pubsub->web, room->shard->loop, tls);
}

void websocket_stop(struct pubsub *pubsub) {
    if (pubsub->web)
        http_server_stop(pubsub->web);
}

void websocket_shard_close(struct pubsub_shard *room) {
    if (room->pubsub->web && room->shard->index < room->pubsub->node->serving)
        http_server_close(room->pubsub->web, room->shard->loop);
}
