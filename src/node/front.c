/*
 * front.c - the http listener, the gateway's front door.
 *
 * It opens where the config or --listen asks for it. Routes come from rooms; a request that no
 * route answers is told so (404, problem+json). Connections are spread over the serving shards.
 */
#include "node/state.h"

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

void front_stop(struct node *node) {
    if (node->front)
        http_server_stop(node->front);
}

void front_shard_close(struct node_shard *shard) {
    if (shard->node->front && shard->room.index < shard->node->room.serving)
        http_server_close(shard->node->front, shard->room.loop);
}

void front_free(struct node *node) {
    node->front = http_server_free(node->front);
    node->front_routes = http_routes_free(node->front_routes);
}
