/*
 * admin.c - the admin listener: monitoring pages of the rooms, /metrics, the node's own status.
 *
 * It runs on loop 0. Rooms add their pages in `started`; then it opens. Reading is free on
 * loopback; changing calls want the token in DATA/admin.token (0600, new at each start) or a user
 * of the config, and off loopback reading does, too. What page asks from where is judged before
 * any handler (http/guard.h).
 */
#include "base/hex.h"
#include "base/mem.h"
#include "node/parts.h"
#include "wire/json_write.h"

#include <errno.h>
#include <stdio.h>

#define TOKEN_BYTES 24

struct admin {
    struct node *node;
    struct http_server *server;
    struct http_guard guard;
    struct admin_logins *logins;
    char token[TOKEN_BYTES * 2 + 1], gateway_token[TOKEN_BYTES * 2 + 1];
};

static void on_status(void *owner, struct http_request *request) {
    _cleanup_buf_ struct buf text = buf_make(1u << 20);
    struct json_writer w = json_writer_make(&text, true);
    struct node *node = owner;
    node_write_status(&node->room, &w);
    if (json_write_finish(&w))
        http_reply_problem(request, 503, "no memory for the status");
    else
        http_reply_json(request, 200, buf_slice(&text));
}

static void on_reload(void *owner, struct http_request *request) {
    struct error error = {0};
    if (node_reload(owner, &error))
        http_reply_problem(request, 409, "%s", error.message);
    else
        http_reply(request, &(struct http_answer){.status = 204}, (slice){0});
}

static void make_secret(struct admin *admin, char *out) {
    unsigned char random[TOKEN_BYTES];
    io_host_random(admin->node->room.host, random, sizeof random);
    hex_encode(slice_make(random, sizeof random), out);
}

/* That of the gateway stays within the process. */
static int make_tokens(struct admin *admin, struct error *ret_error) {
    struct node *node = admin->node;
    make_secret(admin, admin->token);
    make_secret(admin, admin->gateway_token);
    node->room.gateway_token = admin->gateway_token;
    char path[sizeof node->data + 16];
    snprintf(path, sizeof path, "%s/admin.token", node->data);
    int failed =
        io_file_replace(node->room.host, path, slice_make(admin->token, TOKEN_BYTES * 2), 0600);
    return failed ? error_set(ret_error, failed, "cannot write %s: %s", path, error_name(failed))
                  : 0;
}

static int add_routes(struct node *node) {
    const struct http_route routes[] = {
        {.method = "GET",
         .pattern = "/metrics",
         .handle = http_metrics_handler,
         .owner = node->room.metrics},
        {.method = "GET", .pattern = "/v1/status", .handle = on_status, .owner = node},
        {.method = "POST", .pattern = "/v1/reload", .handle = on_reload, .owner = node},
    };
    for (size_t i = 0; i < array_count(routes); i++) {
        int failed = http_routes_add(node->room.admin, &routes[i]);
        if (failed)
            return failed;
    }
    return backup_add_route(node);
}

int admin_open(struct node *node, struct error *ret_error) {
    struct admin *admin = mem_zalloc(1, sizeof *admin);
    if (!admin)
        return error_set(ret_error, -ENOMEM, "no memory for the admin listener");
    admin->node = node;
    node->admin = admin;
    int failed = http_routes_create(&node->room.admin);
    if (!failed)
        failed = add_routes(node);
    if (!failed)
        failed = admin_logins_open(node, &admin->logins);
    if (failed)
        return error_set(ret_error, failed, "no memory for the admin listener");
    return make_tokens(admin, ret_error);
}

int admin_listen(struct node *node, struct error *ret_error) {
    const struct room_listen *listen = room_listen(&node->room, "admin");
    struct admin *admin = node->admin;
    if (!listen || listen->off)
        return 0;
    bool local = config_is_loopback(node->config->listen.admin.address);
    admin->guard = (struct http_guard){
        .token = slice_str(admin->token),
        .gateway_token = slice_str(admin->gateway_token),
        .check_user = admin_check_user,
        .forget_user = admin_forget_user,
        .owner = admin->logins,
        .reading_too = !local,
        .any_host = node->room.monitoring_is_open,
    };
    struct io_tls *tls = NULL;
    int failed = room_make_tls(&node->room, "admin", http_protocols, &tls, ret_error);
    if (failed)
        return failed;
    struct http_server_options options = {
        .name = "admin",
        .address = listen->address,
        .loop_first = 0,
        .loop_count = 1,
        .routes = node->room.admin,
        .tls = tls,
        .guard = &admin->guard,
        .logger = node->room.logger,
        .metrics = node->room.metrics,
    };
    failed = http_server_open(node->shards[0].room.loop, &options, &admin->server, ret_error);
    io_tls_unref(tls);
    if (failed)
        return failed;
    node_note_port(&node->room, "admin", http_server_address(admin->server));
    return 0;
}

int admin_renew(struct node *node, struct error *ret_error) {
    const struct room_listen *listen = room_listen(&node->room, "admin");
    if (!node->admin->server || !listen->tls.cert_file)
        return 0;
    struct io_tls *tls;
    int failed = room_make_tls(&node->room, "admin", http_protocols, &tls, ret_error);
    if (failed)
        return failed;
    http_server_set_tls(node->admin->server, node->shards[0].room.loop, tls);
    io_tls_unref(tls);
    return 0;
}

void admin_stop(struct node *node) {
    if (!node->admin || !node->admin->server)
        return;
    http_server_stop(node->admin->server);
    http_server_close(node->admin->server, node->shards[0].room.loop);
}

void admin_close(struct node *node) {
    if (!node->admin)
        return;
    http_server_free(node->admin->server);
    admin_logins_free(node->admin->logins); /* behind the server, whose requests it may know */
    node->room.admin = http_routes_unref(node->room.admin);
    node->admin = mem_free(node->admin);
}
