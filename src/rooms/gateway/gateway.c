/*
 * gateway.c - the room itself: the listener, the table on each loop, reload, drain (gateway.h).
 *
 * RELOAD. The new table is made on loop 0; where that fails the old one goes on. Each serving loop
 * then gets a message with one count of the table, of the users and of the TLS context, opens its
 * share of the table, and only then lets go of the old one: requests under way keep theirs through
 * http's count.
 *
 * DRAIN. No new connections; idle ones close, answers under way are finished; SSE, WebSockets and
 * tunnels are asked to end, and are cut when the node's patience is over (shard_close).
 */
#include "rooms/gateway/gateway.h"

#include "base/mem.h"
#include "bus/private.h"
#include "io/file.h"
#include "rooms/gateway/access_log.h"
#include "rooms/gateway/auth.h"
#include "rooms/gateway/gateway_config.h"
#include "rooms/gateway/limit.h"
#include "rooms/gateway/names.h"
#include "rooms/gateway/subjects.h"
#include "rooms/gateway/table.h"
#include "rooms/gateway/upstream.h"
#include "wire/json_write.h"

#include <errno.h>

#define STATUS_SERVICES_MAX 1000u /* that status tells of: a few hundred bytes each */
#define RELOAD_SUBJECT BUS_PRIVATE_PREFIX "gateway.reload"

static const struct gateway_config no_config;

static const struct gateway_config *config_of(const void *section) {
    return section ? section : &no_config;
}

static struct http_limits limits_of(const struct gateway_config *config) {
    const struct gateway_limits_config *given = &config->limits;
    struct http_limits limits;
    memset(&limits, 0, sizeof limits); /* they are compared, padding and all */
    limits.connections_max = (unsigned)given->connections;
    limits.head_ns = given->head_timeout_ns;
    limits.body_ns = given->body_timeout_ns;
    limits.idle_ns = given->idle_timeout_ns;
    limits.write_ns = given->write_timeout_ns;
    return limits;
}

static int open_room(struct room_node *node, const void *section, void **ret_self,
                     struct error *ret_error) {
    struct gateway *gateway = mem_zalloc(1, sizeof *gateway);
    if (!gateway)
        return error_set(ret_error, -ENOMEM, "no memory for the gateway");
    gateway->node = node;
    io_host_random(node->host, gateway->secrets, sizeof gateway->secrets);
    gateway->limits = limits_of(config_of(section));
    int failed = gateway_table_create(gateway, config_of(section), &gateway->table, ret_error);
    if (failed)
        mem_free(gateway);
    else
        *ret_self = gateway;
    return failed;
}

static void close_room(void *self) {
    struct gateway *gateway = self;
    http_server_free(gateway->server);
    gateway_table_unref(gateway->table);
    mem_free(gateway);
}

/* --- a loop ------------------------------------------------------------------------------------
 */

static int open_log(struct gateway_shard *shard, const struct gateway_table *table,
                    struct error *ret_error) {
    struct gateway_access_log *log = NULL;
    int failed = table->access_log.len
                     ? access_log_open(shard->shard, table->access_log, &log, ret_error)
                     : 0;
    if (failed)
        return failed;
    access_log_close(shard->access_log);
    shard->access_log = log;
    return 0;
}

struct reload_message {
    struct gateway_table *table;
    struct auth *auth;
    struct io_tls *tls;
};

static void take_up(struct gateway_shard *shard, const struct reload_message *reload) {
    struct gateway_table *old = shard->table;
    struct error error = {0};
    if (open_log(shard, reload->table, &error))
        logger_write(shard->gateway->node->logger, LOG_LEVEL_ERROR, "gateway",
                     "the access log cannot be opened, the old one goes on", "error=%s",
                     error.message);
    struct auth *old_auth = shard->auth;
    shard->table = gateway_table_ref(reload->table);
    shard->auth = auth_ref(reload->auth);
    gateway_auth_shard_renew(shard, shard->table);
    if (shard->gateway->server) {
        http_server_set_routes(shard->gateway->server, shard->shard->loop, shard->table->http);
        if (reload->tls)
            http_server_set_tls(shard->gateway->server, shard->shard->loop, reload->tls);
    }
    gateway_table_shard_close(old, shard);
    gateway_table_unref(old);
    auth_unref(old_auth);
}

static void on_reload(void *owner, struct bus_subscription *subscription,
                      const struct bus_message *message) {
    (void)subscription;
    struct gateway_shard *shard = owner;
    struct reload_message reload;
    check(message->payload.len == sizeof reload);
    memcpy(&reload, message->payload.ptr, sizeof reload);
    if (gateway_table_shard_open(reload.table, shard))
        logger_write(shard->gateway->node->logger, LOG_LEVEL_ERROR, "gateway",
                     "no memory for the new routes on one shard, it serves the old ones",
                     "shard=%u", shard->shard->index);
    else
        take_up(shard, &reload);
    gateway_table_unref(reload.table);
    auth_unref(reload.auth);
    io_tls_unref(reload.tls);
}

static void close_exchanges(struct gateway_shard *shard) {
    if (shard->gateway->server)
        http_server_close(shard->gateway->server, shard->shard->loop); /* on_gone for each */
    check(list_empty(&shard->exchanges));
    while (!list_empty(&shard->streams)) {
        struct gateway_stream *stream =
            container_of(shard->streams.head.next, struct gateway_stream, node);
        stream->on_drain(stream, true);
    }
}

static void shard_close(void *shard_self) {
    struct gateway_shard *shard = shard_self;
    if (!shard)
        return;
    close_exchanges(shard);
    shard->reload = bus_unsubscribe(shard->shard->bus, shard->reload);
    shard->files_worker = io_worker_free(shard->files_worker); /* all its readers have gone */
    if (shard->table)
        gateway_table_shard_close(shard->table, shard);
    gateway_upstreams_close(shard);
    gateway_names_close(shard);
    gateway_limits_shard_close(shard);
    gateway_auth_shard_close(shard);
    gateway_subjects_shard_close(shard);
    access_log_close(shard->access_log);
    gateway_table_unref(shard->table);
    auth_unref(shard->auth);
    shard->gateway->shards[shard->shard->index] = NULL;
    mem_free(shard);
}

static int shard_parts_open(struct gateway_shard *shard, struct error *ret_error) {
    static const struct bus_receiver receiver = {on_reload};
    struct gateway *gateway = shard->gateway;
    int failed = bus_subscribe(shard->shard->bus, slice_lit(RELOAD_SUBJECT), (slice){0}, &receiver,
                               shard, NULL, &shard->reload);
    if (!failed)
        failed = gateway_limits_shard_open(shard);
    if (!failed)
        failed = gateway_auth_shard_open(shard);
    if (!failed)
        failed = gateway_subjects_shard_open(shard);
    if (!failed)
        failed = gateway_table_shard_open(gateway->table, shard);
    if (failed)
        return error_set(ret_error, failed, "no memory for the gateway on shard %u",
                         shard->shard->index);
    shard->table = gateway_table_ref(gateway->table);
    return open_log(shard, shard->table, ret_error);
}

static int shard_open(void *self, struct room_shard *room, void **ret_shard_self,
                      struct error *ret_error) {
    struct gateway *gateway = self;
    *ret_shard_self = NULL;
    if (room->index >= gateway->node->serving)
        return 0;
    struct gateway_shard *shard = mem_zalloc(1, sizeof *shard);
    if (!shard)
        return error_set(ret_error, -ENOMEM, "no memory for shard %u", room->index);
    uint64_t seed;
    io_host_random(gateway->node->host, &seed, sizeof seed);
    shard->gateway = gateway;
    shard->shard = room;
    shard->random = random_make(seed);
    shard->auth = auth_ref(gateway->node->auth);
    list_init(&shard->exchanges);
    list_init(&shard->streams);
    gateway->shards[room->index] = shard;
    int failed = shard_parts_open(shard, ret_error);
    if (failed)
        shard_close(shard);
    else
        *ret_shard_self = shard;
    return failed;
}

/* --- the listener ------------------------------------------------------------------------------
 */

/* Whether the door is to be open, by its listener and with so many routes: a front door that leads
   nowhere is no reason to take a port. */
static bool wants_listener(const struct gateway *gateway, const struct gateway_table *table) {
    const struct room_listen *listen = room_listen(gateway->node, "http");
    return listen && !listen->off && (listen->given || table->route_count);
}

static int started(void *self, struct error *ret_error) {
    struct gateway *gateway = self;
    struct room_node *node = gateway->node;
    struct io_tls *tls;
    if (!wants_listener(gateway, gateway->table))
        return 0;
    int failed = room_make_tls(node, "http", http_protocols, &tls, ret_error);
    if (failed)
        return failed;
    struct http_server_options options = {
        .name = "http",
        .address = room_listen(node, "http")->address,
        .loop_first = 0,
        .loop_count = node->serving,
        .routes = gateway->table->http,
        .tls = tls,
        .limits = gateway->limits,
        .logger = node->logger,
        .metrics = node->metrics,
    };
    failed = http_server_open(io_group_loop(node->group, 0), &options, &gateway->server, ret_error);
    io_tls_unref(tls);
    if (!failed)
        node->listening(node, "http", http_server_address(gateway->server));
    return failed;
}

/* Of a new config in force, what a running node does not do. */
static void tell_what_stays(const struct gateway *gateway, const struct gateway_config *config) {
    struct http_limits limits = limits_of(config);
    if (memcmp(&limits, &gateway->limits, sizeof limits) != 0)
        logger_write(gateway->node->logger, LOG_LEVEL_WARN, "gateway",
                     "a changed setting takes effect at the next start", "setting=gateway.limits");
    if (!gateway->server && wants_listener(gateway, gateway->table))
        logger_write(gateway->node->logger, LOG_LEVEL_WARN, "gateway",
                     "the http listener is closed, as there were no routes when the node started; "
                     "it opens at the next start",
                     "routes=%u", gateway->table->route_count);
}

static int reload_room(void *self, const void *section, struct error *ret_error) {
    struct gateway *gateway = self;
    struct reload_message reload;
    memset(&reload, 0, sizeof reload);
    int failed = room_make_tls(gateway->node, "http", http_protocols, &reload.tls, ret_error);
    if (!failed)
        failed = gateway_table_create(gateway, config_of(section), &reload.table, ret_error);
    if (failed) {
        io_tls_unref(reload.tls);
        return failed;
    }
    reload.auth = gateway->node->auth;
    unsigned loops = gateway->node->serving;
    for (unsigned i = 0; i < loops; i++) {
        gateway_table_ref(reload.table);
        auth_ref(reload.auth);
        if (reload.tls)
            io_tls_ref(reload.tls);
    }
    struct bus_message message = {.subject = slice_lit(RELOAD_SUBJECT),
                                  .payload = slice_make(&reload, sizeof reload)};
    unsigned receivers = bus_publish(gateway->shards[0]->shard->bus, &message, NULL, NULL);
    for (unsigned i = receivers; i < loops; i++) {
        gateway_table_unref(reload.table);
        auth_unref(reload.auth);
        io_tls_unref(reload.tls);
    }
    gateway_table_unref(gateway->table);
    gateway->table = reload.table; /* the count it was made with */
    io_tls_unref(reload.tls);
    tell_what_stays(gateway, config_of(section));
    return receivers >= loops /* clients may hear ">"; they are not handed this */
               ? 0
               : error_set(ret_error, -ENOMEM, "the new routes did not reach every shard");
}

/* An element for each service of each route: one that two routes share is in both. */
static void write_upstreams(const struct gateway_shard *shard, struct json_writer *w) {
    const struct gateway_table *table = shard->table;
    unsigned left = STATUS_SERVICES_MAX;
    json_write_array(w);
    for (unsigned i = 0; i < table->route_count && left; i++) {
        const struct gateway_route *route = &table->routes[i];
        if (route->target->write_services)
            left -= route->target->write_services(route->target_self, shard, route->name, left, w);
    }
    (void)gateway_upstreams_write_leaving(shard, left, w);
    json_write_end(w);
}

/* As loop 0 sees it: each loop checks services for itself. */
static void status(void *self, struct json_writer *w) {
    const struct gateway *gateway = self;
    json_write_object(w);
    json_write_key(w, "routes");
    json_write_u64(w, gateway->table->route_count);
    json_write_key(w, "upstreams");
    if (gateway->shards[0])
        write_upstreams(gateway->shards[0], w);
    else
        json_write_null(w);
    json_write_key(w, "names");
    if (gateway->shards[0])
        gateway_names_write(gateway->shards[0], w);
    else
        json_write_null(w);
    json_write_end(w);
}

/* --- drain -------------------------------------------------------------------------------------
 */

static void settle(struct gateway_shard *shard) {
    if (!shard->drained || !shard->http_drained || !list_empty(&shard->streams))
        return;
    void (*done)(void *) = shard->drained;
    shard->drained = NULL;
    done(shard->drained_argument);
}

void gateway_stream_over(struct gateway_shard *shard, struct gateway_stream *stream) {
    login_end_stop(&stream->login_end);
    list_remove(&stream->node);
    settle(shard);
}

static void on_http_drained(void *argument) {
    struct gateway_shard *shard = argument;
    shard->http_drained = true;
    settle(shard);
}

static void drain(void *shard_self, void (*done)(void *argument), void *argument) {
    struct gateway_shard *shard = shard_self;
    if (!shard || !shard->gateway->server) {
        done(argument);
        return;
    }
    shard->draining = true;
    shard->drained = done;
    shard->drained_argument = argument;
    if (shard->shard->index == 0)
        http_server_stop(shard->gateway->server);
    struct list_node *at, *following;
    list_each(&shard->streams, at, following) {
        struct gateway_stream *stream = container_of(at, struct gateway_stream, node);
        stream->on_drain(stream, false);
    }
    list_each(&shard->exchanges, at, following) {
        struct exchange *x = container_of(at, struct exchange, node);
        if (x->events.on_drain)
            x->events.on_drain(x);
    }
    http_server_drain(shard->gateway->server, shard->shard->loop, on_http_drained, shard);
}

const struct room gateway_room = {
    .name = "gateway",
    .config = &gateway_key,
    .judge = gateway_judge,
    .explain = gateway_explain,
    .open = open_room,
    .shard_open = shard_open,
    .started = started,
    .reload = reload_room,
    .status = status,
    .drain = drain,
    .shard_close = shard_close,
    .close = close_room,
};
