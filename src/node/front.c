/*
 * front.c - the http listener, the gateway's front door.
 *
 * It opens where the config or --listen asks for it. Routes come from rooms; a request that no
 * route answers is told so (404, problem+json). Connections are spread over the serving shards.
 *
 * A reload hands each serving shard a counted TLS context by a message, as rooms/pubsub does.
 */
#include "node/parts.h"

#include "base/mem.h"

#include <errno.h>

int front_listen(struct node *node, struct error *ret_error) {
    const struct room_listen *listen = room_listen(&node->room, "http");
    if (!listen || listen->off)
        return 0;
    struct io_tls *tls = NULL;
    int failed = http_routes_create(&node->front_routes);
    if (failed)
        return error_set(ret_error, failed, "no memory for the http listener");
    if (listen->cert_file)
        failed = node_make_tls(node, listen, &tls, ret_error);
    if (failed)
        return failed;
    struct http_server_options options = {
        .name = "http",
        .address = listen->address,
        .loop_first = 0,
        .loop_count = node->room.serving,
        .routes = node->front_routes,
        .tls = tls,
        .logger = node->room.logger,
        .metrics = node->room.metrics,
    };
    failed = http_server_open(node->shards[0].room.loop, &options, &node->front, ret_error);
    io_tls_unref(tls);
    if (!failed)
        node_note_port(&node->room, "http", http_server_address(node->front));
    return failed;
}

/* --- reload ------------------------------------------------------------------------------- */

#define TLS_SUBJECT BUS_PRIVATE_PREFIX "node.front.tls"

static void on_tls(void *owner, struct bus_subscription *subscription,
                   const struct bus_message *message) {
    (void)subscription;
    struct node_shard *shard = owner;
    struct io_tls *tls;
    check(message->payload.len == sizeof tls);
    memcpy(&tls, message->payload.ptr, sizeof tls);
    http_server_set_tls(shard->node->front, shard->room.loop, tls);
    io_tls_unref(tls);
}

int front_shard_open(struct node_shard *shard) {
    static const struct bus_receiver receiver = {on_tls};
    if (shard->room.index >= shard->node->room.serving)
        return 0;
    return bus_subscribe(shard->room.bus, slice_lit(TLS_SUBJECT), (slice){0}, &receiver, shard,
                         NULL, &shard->front_tls);
}

int front_renew(struct node *node, struct error *ret_error) {
    const struct room_listen *listen = room_listen(&node->room, "http");
    if (!node->front || !listen->cert_file)
        return 0;
    struct io_tls *tls;
    int failed = node_make_tls(node, listen, &tls, ret_error);
    if (failed)
        return failed;
    struct bus_message message = {.subject = slice_lit(TLS_SUBJECT),
                                  .payload = slice_make(&tls, sizeof tls)};
    for (unsigned i = 0; i < node->room.serving; i++)
        io_tls_ref(tls);
    unsigned receivers = bus_publish(node->shards[0].room.bus, &message, NULL, NULL);
    for (unsigned i = receivers; i < node->room.serving; i++)
        io_tls_unref(tls);
    io_tls_unref(tls);
    return receivers < node->room.serving
               ? error_set(ret_error, -ENOMEM, "the certificate did not reach every shard")
               : 0;
}

/* --- the end ------------------------------------------------------------------------------ */

void front_stop(struct node *node) {
    if (node->front)
        http_server_stop(node->front);
}

void front_shard_close(struct node_shard *shard) {
    if (shard->front_tls)
        shard->front_tls = bus_unsubscribe(shard->room.bus, shard->front_tls);
    if (shard->node->front && shard->room.index < shard->node->room.serving)
        http_server_close(shard->node->front, shard->room.loop);
}

void front_free(struct node *node) {
    node->front = http_server_free(node->front);
    node->front_routes = http_routes_unref(node->front_routes);
}
