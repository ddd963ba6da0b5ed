/*
 * server.c - a server: its listener, its loops' shares, its metrics, drain and close.
 *
 * Everything a loop needs lies in its share (struct http_shard), made before the listener opens;
 * after that only the loop itself touches it. The listener belongs to the loop that opened it.
 */
#include "http/request_inside.h"

#include "base/mem.h"

#include <errno.h>
#include <stdio.h>

#define NS_PER_SECOND UINT64_C(1000000000)
#define CONNECTIONS_DEFAULT 4096u
/* What the kernel holds for a client beyond what is on its way: left to itself it is megabytes for
   each one that does not read. Below this throughput falls; at it, transfers are as fast. */
#define UNSENT_MAX (128u << 10)
#define IN_FLIGHT_DEFAULT 16u
#define HELD_BYTES_DEFAULT (64u << 20)

const char *const http_protocols[] = {"http/1.1", NULL};

static const struct metrics_family connections_family = {
    .name = "nonet_http_connections",
    .kind = METRICS_GAUGE,
    .help = "Open HTTP connections.",
    .labels = {"listener"},
};
static const struct metrics_family connections_total_family = {
    .name = "nonet_http_connections_total",
    .kind = METRICS_COUNTER,
    .help = "HTTP connections accepted.",
    .labels = {"listener"},
};
static const struct metrics_family answers_family = {
    .name = "nonet_http_answers_total",
    .kind = METRICS_COUNTER,
    .help = "HTTP requests answered, by the first digit of the status.",
    .labels = {"listener", "status"},
};

static void or_default(uint64_t *value, uint64_t fallback) {
    if (*value == 0)
        *value = fallback;
}

static struct http_limits limits_with_defaults(struct http_limits limits) {
    if (limits.connections_max == 0)
        limits.connections_max = CONNECTIONS_DEFAULT;
    if (limits.in_flight_max == 0)
        limits.in_flight_max = IN_FLIGHT_DEFAULT;
    or_default(&limits.held_bytes_max, HELD_BYTES_DEFAULT);
    or_default(&limits.head_ns, 10 * NS_PER_SECOND);
    or_default(&limits.body_ns, 30 * NS_PER_SECOND);
    or_default(&limits.idle_ns, 60 * NS_PER_SECOND);
    or_default(&limits.write_ns, 30 * NS_PER_SECOND);
    return limits;
}

static int add_metrics(struct http_server *server, struct metrics *metrics) {
    const slice classes[HTTP_CLASSES] = {slice_lit("1xx"), slice_lit("2xx"), slice_lit("3xx"),
                                         slice_lit("4xx"), slice_lit("5xx")};
    slice labels[2] = {slice_str(server->name)};
    int failed = metrics_add_series(metrics, &connections_family, labels, &server->connections);
    if (!failed)
        failed = metrics_add_series(metrics, &connections_total_family, labels,
                                    &server->connections_total);
    for (unsigned i = 0; i < HTTP_CLASSES && !failed; i++) {
        labels[1] = classes[i];
        failed = metrics_add_series(metrics, &answers_family, labels, &server->answers[i]);
    }
    return failed;
}

static void shard_open(struct http_server *server, unsigned index, struct io_loop *loop,
                       const struct http_server_options *options) {
    struct http_shard *shard = &server->shards[index];
    shard->server = server;
    shard->loop = loop;
    shard->tls = options->tls ? io_tls_ref(options->tls) : NULL;
    shard->routes = http_routes_ref(options->routes);
    if (options->metrics)
        shard->metrics = metrics_shard(options->metrics, io_loop_index(loop));
    shard->connections_max =
        (server->limits.connections_max + server->loop_count - 1) / server->loop_count;
    list_init(&shard->waiting);
    list_init(&shard->working);
    list_init(&shard->closing);
}

static struct http_shard *shard_of(const struct http_server *server, const struct io_loop *loop) {
    unsigned index = io_loop_index(loop);
    check(index >= server->loop_first && index - server->loop_first < server->loop_count);
    return (struct http_shard *)&server->shards[index - server->loop_first];
}

static void on_accept(void *owner, struct io_loop *loop, struct io_stream *stream) {
    http_connection_accept(shard_of(owner, loop), stream);
}

static int listen_on(struct http_server *server, struct io_loop *loop,
                     const struct http_server_options *options, struct error *ret_error) {
    struct io_listen_options listen = {
        .address = options->address,
        .loop_first = options->loop_first,
        .loop_count = options->loop_count,
        .unsent_max = UNSENT_MAX,
        .on_accept = on_accept,
        .owner = server,
    };
    int failed = io_listen(loop, &listen, &server->listener, ret_error);
    if (failed)
        return failed;
    server->listener_loop = loop;
    snprintf(server->address, sizeof server->address, "%s", io_listener_address(server->listener));
    return 0;
}

int http_server_open(struct io_loop *loop, const struct http_server_options *options,
                     struct http_server **ret_server, struct error *ret_error) {
    check(options->loop_count >= 1 && options->routes && options->name);
    struct http_server *server =
        mem_zalloc(1, sizeof *server + options->loop_count * sizeof server->shards[0]);
    char *name = mem_copy(options->name, strlen(options->name));
    if (!server || !name) {
        mem_free(server);
        mem_free(name);
        return error_set(ret_error, -ENOMEM, "no memory for the listener %s", options->name);
    }
    server->name = name;
    server->guard = options->guard;
    server->limits = limits_with_defaults(options->limits);
    server->logger = options->logger;
    server->loop_first = options->loop_first;
    server->loop_count = options->loop_count;
    for (unsigned i = 0; i < options->loop_count; i++)
        shard_open(server, i, io_group_loop(io_loop_group(loop), options->loop_first + i), options);
    int failed = http_routes_seal(options->routes);
    if (failed)
        error_set(ret_error, failed, "no memory for the routes of the listener %s", options->name);
    else if (options->metrics && (failed = add_metrics(server, options->metrics)))
        error_set(ret_error, failed, "no room for the metrics of the listener %s", options->name);
    else
        failed = listen_on(server, loop, options, ret_error);
    if (failed)
        http_server_free(server);
    else
        *ret_server = server;
    return failed;
}

const char *http_server_address(const struct http_server *server) {
    return server->address;
}

void http_server_stop(struct http_server *server) {
    server->listener = io_listener_close(server->listener);
}

void http_server_set_tls(struct http_server *server, struct io_loop *loop, struct io_tls *tls) {
    struct http_shard *shard = shard_of(server, loop);
    check(shard->tls && tls);
    io_tls_ref(tls);
    io_tls_unref(shard->tls);
    shard->tls = tls;
}

static void keep_routes(const struct list *connections) {
    struct list_node *at, *request, *following, *next;
    list_each(connections, at, following) {
        struct http_connection *c = container_of(at, struct http_connection, in_shard);
        list_each(&c->requests, request, next)
            http_request_keep_routes(container_of(request, struct http_request, node));
    }
}

/* A walk over the connections at each reload is what saves counting at each request. */
void http_server_set_routes(struct http_server *server, struct io_loop *loop,
                            struct http_routes *routes) {
    struct http_shard *shard = shard_of(server, loop);
    keep_routes(&shard->waiting); /* one that is just being served has not moved yet */
    keep_routes(&shard->working);
    http_routes_ref(routes);
    http_routes_unref(shard->routes);
    shard->routes = routes;
}

void http_server_drain(struct http_server *server, struct io_loop *loop,
                       void (*done)(void *argument), void *argument) {
    struct http_shard *shard = shard_of(server, loop);
    struct list_node *at, *following;
    shard->draining = true;
    list_each(&shard->waiting, at, following)
        http_connection_feed(container_of(at, struct http_connection, in_shard), (slice){0});
    if (shard->connections == 0) {
        done(argument);
        return;
    }
    shard->drained = done;
    shard->drained_argument = argument;
}

static void drop_all(struct list *connections) {
    while (!list_empty(connections))
        http_connection_drop(
            container_of(connections->head.next, struct http_connection, in_shard));
}

void http_server_close(struct http_server *server, struct io_loop *loop) {
    struct http_shard *shard = shard_of(server, loop);
    if (server->listener && server->listener_loop == loop)
        http_server_stop(server);
    shard->draining = true;
    drop_all(&shard->waiting);
    drop_all(&shard->working);
    drop_all(&shard->closing);
    check(shard->connections == 0);
}

static void shard_free(struct http_shard *shard) {
    check(shard->connections == 0 && shard->held_bytes == 0);
    while (shard->spare) {
        struct http_request *r = shard->spare;
        shard->spare = (struct http_request *)(void *)r->node.next;
        arena_free(&r->arena);
        mem_free(r);
    }
    buf_free(&shard->scratch);
    io_tls_unref(shard->tls);
    http_routes_unref(shard->routes);
}

struct http_server *http_server_free(struct http_server *server) {
    if (!server)
        return NULL;
    check(!server->listener);
    for (unsigned i = 0; i < server->loop_count; i++)
        shard_free(&server->shards[i]);
    mem_free(server->name);
    return mem_free(server);
}
