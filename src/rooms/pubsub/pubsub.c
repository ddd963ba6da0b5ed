/*
 * pubsub.c - the room itself: its instances, the NATS listener, drain and reload.
 *
 * Reload reaches every shard as a message on a private subject that carries one counted pointer a
 * shard, so no shard ever reads what another may be changing. Clients whose user is gone or has
 * other rights are closed, as nats-server does; all others keep their connection.
 *
 * Drain is NATS's lame duck: INFO with ldm, no new connections, then every client is closed with
 * its output flushed. Clients that reconnect elsewhere on ldm have gone by then. Of a node that
 * stops, that is a moment; of a lame duck (SIGUSR2) the clients have limits.lame_duck_grace to go
 * by themselves, and the rest is sent away one by one, so that they do not all come at once where
 * they reconnect.
 */
#include "rooms/pubsub/pubsub.h"

#include "base/mem.h"
#include "base/number.h"
#include "bus/auth_job.h"
#include "bus/private.h"
#include "http/server.h"
#include "rooms/pubsub/client.h"

#include <assert.h>
#include <errno.h>

#define TICK_NS 1000000000ull
#define LAME_DUCK_NS 200000000ull /* between INFO and closing */
#define RELOAD_SUBJECT BUS_PRIVATE_PREFIX "pubsub.reload"

static const struct metrics_family families[] = {
    {.name = "nonet_nats_connections", .kind = METRICS_GAUGE, .help = "Open NATS connections."},
    {.name = "nonet_nats_connections_total",
     .kind = METRICS_COUNTER,
     .help = "NATS connections accepted."},
    {.name = "nonet_nats_messages_in_total",
     .kind = METRICS_COUNTER,
     .help = "Messages published by NATS clients."},
    {.name = "nonet_nats_bytes_in_total",
     .kind = METRICS_COUNTER,
     .unit = "bytes",
     .help = "Bytes read from NATS clients."},
    {.name = "nonet_nats_messages_out_total",
     .kind = METRICS_COUNTER,
     .help = "Messages delivered to NATS clients."},
    {.name = "nonet_nats_bytes_out_total",
     .kind = METRICS_COUNTER,
     .unit = "bytes",
     .help = "Bytes of headers and payload delivered to NATS clients."},
    {.name = "nonet_nats_slow_consumers_total",
     .kind = METRICS_COUNTER,
     .help = "Clients closed because they did not read what was sent to them."},
    {.name = "nonet_nats_auth_failures_total", .kind = METRICS_COUNTER, .help = "Logins refused."},
};

static int add_metrics(struct pubsub *pubsub) {
    struct pubsub_metrics *m = &pubsub->metrics;
    struct metric *handles[] = {&m->connections,    &m->connections_total, &m->messages_in,
                                &m->bytes_in,       &m->messages_out,      &m->bytes_out,
                                &m->slow_consumers, &m->auth_failures};
    static_assert(array_count(handles) == array_count(families), "one handle a family");
    for (size_t i = 0; i < array_count(handles); i++) {
        int failed = metrics_add_series(pubsub->node->metrics, &families[i], NULL, handles[i]);
        if (failed)
            return failed;
    }
    return 0;
}

static int open_room(struct room_node *node, const void *section, void **ret_self,
                     struct error *ret_error) {
    (void)section;
    struct pubsub *pubsub = mem_zalloc(1, sizeof *pubsub);
    if (!pubsub)
        return error_set(ret_error, -ENOMEM, "no memory for the NATS listener");
    pubsub->node = node;
    int failed = add_metrics(pubsub);
    if (failed) {
        mem_free(pubsub);
        return error_set(ret_error, failed, "no room for the metrics of the NATS listener");
    }
    *ret_self = pubsub;
    return 0;
}

static void close_room(void *self) {
    struct pubsub *pubsub = self;
    http_server_free(pubsub->web);
    mem_free(pubsub);
}

/* --- reload ------------------------------------------------------------------------------- */

struct reload_message {
    struct auth *auth;
    struct io_tls *tls, *web_tls;
    bool tls_verify;
};

/* Who is about to log in does so by the new users. */
static bool keeps(struct pubsub_shard *room, struct client *c) {
    bool required = auth_required(room->auth);
    const struct principal *stranger = auth_stranger(room->auth);
    if (c->stranger &&
        (!stranger || !slice_equal(principal_name(stranger), principal_name(c->principal))))
        return false;
    if (c->principal)
        return principal_still_in(c->principal, room->auth);
    if (required)
        return !c->unlimited;
    c->unlimited = true;
    if (c->state == CLIENT_ANONYMOUS && !c->tls_wanted)
        client_arm_ping(c);
    return true;
}

static void close_revoked(struct pubsub_shard *room) {
    struct list_node *at, *following;
    list_each(&room->clients, at, following) {
        struct client *c = container_of(at, struct client, in_room);
        if (c->state != CLIENT_CLOSING && !keeps(room, c))
            client_close(c, CLIENT_AUTH_CHANGED, NULL); /* without a word, as nats-server */
    }
}

static void on_reload(void *owner, struct bus_subscription *subscription,
                      const struct bus_message *message) {
    (void)subscription;
    struct pubsub_shard *room = owner;
    struct reload_message reload;
    check(message->payload.len == sizeof reload);
    memcpy(&reload, message->payload.ptr, sizeof reload);
    auth_unref(room->auth);
    room->auth = reload.auth;
    io_tls_unref(room->tls);
    room->tls = reload.tls;
    room->tls_verify = reload.tls_verify;
    websocket_renew(room, reload.web_tls);
    io_tls_unref(reload.web_tls);
    close_revoked(room);
}

static int reload_room(void *self, const void *section, struct error *ret_error) {
    (void)section;
    struct pubsub *pubsub = self;
    struct io_tls *tls = NULL, *web_tls = NULL;
    int failed = room_make_tls(pubsub->node, "nats", NULL, &tls, ret_error);
    if (!failed)
        failed = room_make_tls(pubsub->node, "websocket", NULL, &web_tls, ret_error);
    if (failed) {
        io_tls_unref(tls);
        return failed;
    }
    for (unsigned i = 0; i < pubsub->node->shards; i++) { /* one count a shard */
        auth_ref(pubsub->node->auth);
        if (tls)
            io_tls_ref(tls);
        if (web_tls)
            io_tls_ref(web_tls);
    }
    struct reload_message reload;
    memset(&reload, 0, sizeof reload); /* its padding travels, too */
    reload.auth = pubsub->node->auth;
    reload.tls = tls;
    reload.web_tls = web_tls;
    reload.tls_verify = tls && room_listen(pubsub->node, "nats")->tls.verify_peer;
    struct bus_message message = {
        .subject = slice_lit(RELOAD_SUBJECT),
        .payload = slice_make(&reload, sizeof reload),
    };
    unsigned receivers = bus_publish(pubsub->shards[0]->shard->bus, &message, NULL, NULL);
    for (unsigned i = receivers; i < pubsub->node->shards; i++) {
        auth_unref(pubsub->node->auth);
        io_tls_unref(tls);
        io_tls_unref(web_tls);
    }
    io_tls_unref(tls);
    io_tls_unref(web_tls);
    return receivers >= pubsub->node->shards /* clients may hear ">"; they are not handed this */
               ? 0
               : error_set(ret_error, -ENOMEM, "the new users did not reach every shard");
}

/* --- shards ------------------------------------------------------------------------------- */

static void on_tick(struct io_timer *timer) {
    struct pubsub_shard *room = container_of(timer, struct pubsub_shard, tick);
    room->refusals_told = 0;
    struct pubsub_metrics *m = &room->pubsub->metrics;
    metrics_count(room->shard->metrics, m->messages_out, room->messages_out);
    metrics_count(room->shard->metrics, m->bytes_out, room->bytes_out);
    room->messages_out = room->bytes_out = 0;
    client_check_stalled(room);
    io_timer_start(room->shard->loop, &room->tick, TICK_NS, on_tick);
}

static int shard_parts_open(struct pubsub_shard *room, struct error *ret_error) {
    static const struct bus_receiver receiver = {on_reload};
    struct auth_worker_options logins = {.loop = room->shard->loop,
                                         .thread = "nonet-login",
                                         .waiting_max = PUBSUB_LOGINS_WAITING_MAX};
    int failed = room_make_tls(room->pubsub->node, "nats", NULL, &room->tls, ret_error);
    if (failed)
        return failed;
    room->tls_verify = room->tls && room_listen(room->pubsub->node, "nats")->tls.verify_peer;
    failed = bus_subscribe(room->shard->bus, slice_lit(RELOAD_SUBJECT), (slice){0}, &receiver, room,
                           NULL, &room->reload);
    if (!failed)
        failed = auth_worker_new(&logins, &room->logins);
    if (!failed)
        failed = monitor_shard_open(room);
    if (!failed && room->shard->streams && room->pubsub->node->jetstream)
        failed = jetstream_open(room->shard, &room->jetstream);
    return failed ? error_set(ret_error, failed, "cannot open the NATS listener on shard %u",
                              room->shard->index)
                  : 0;
}

static void shard_close(void *shard_self) {
    struct pubsub_shard *room = shard_self;
    struct list_node *at, *following;
    list_each(&room->clients, at, following) client_drop(container_of(at, struct client, in_room));
    room->logins = auth_worker_free(room->logins); /* drop made its jobs idle */
    websocket_shard_close(room);
    bus_fence_cancel(room->shard->bus, room);
    room->jetstream = jetstream_close(room->jetstream);
    monitor_shard_close(room);
    room->reload = bus_unsubscribe(room->shard->bus, room->reload);
    io_timer_stop(room->shard->loop, &room->tick);
    auth_unref(room->auth);
    io_tls_unref(room->tls);
    buf_free(&room->scratch);
    room->pubsub->shards[room->shard->index] = NULL;
    map64_free(&room->by_id);
    mem_free(room);
}

static int shard_open(void *self, struct room_shard *shard, void **ret_shard_self,
                      struct error *ret_error) {
    struct pubsub *pubsub = self;
    struct pubsub_shard *room = mem_zalloc(1, sizeof *room);
    if (!room)
        return error_set(ret_error, -ENOMEM, "no memory for shard %u", shard->index);
    room->pubsub = pubsub;
    room->shard = shard;
    room->auth = auth_ref(pubsub->node->auth);
    room->by_id = map64_make(0, MAP64_MAX_ENTRIES);
    room->scratch = buf_make(1u << 20);
    list_init(&room->clients);
    list_init(&room->stalled);
    pubsub->shards[shard->index] = room;
    int failed = shard_parts_open(room, ret_error);
    if (failed) {
        shard_close(room);
        return failed;
    }
    io_timer_start(shard->loop, &room->tick, TICK_NS, on_tick);
    *ret_shard_self = room;
    return 0;
}

/* --- listening ---------------------------------------------------------------------------- */

static void on_accept(void *owner, struct io_loop *loop, struct io_stream *stream) {
    struct pubsub *pubsub = owner;
    client_accept(pubsub->shards[io_loop_index(loop)], stream, NULL);
}

static void note_address(struct pubsub *pubsub, const char *address) {
    slice host = slice_str(address);
    while (host.len && host.ptr[host.len - 1] != ':')
        host.len--;
    uint64_t port = 0;
    if (number_parse_u64(slice_str(address + host.len), &port) == 0)
        pubsub->port = (unsigned)port;
    host.len -= host.len > 0;
    if (slice_to_string(host, pubsub->host, sizeof pubsub->host))
        pubsub->host[0] = '\0';
}

static int listen_for_clients(struct pubsub *pubsub, struct error *ret_error) {
    const struct room_listen *listen = room_listen(pubsub->node, "nats");
    if (!listen || listen->off)
        return 0;
    pubsub->handshake_first = listen->handshake_first;
    struct io_listen_options options = {
        .address = listen->address,
        .loop_first = 0,
        .loop_count = pubsub->node->serving,
        .on_accept = on_accept,
        .owner = pubsub,
    };
    int failed =
        io_listen(io_group_loop(pubsub->node->group, 0), &options, &pubsub->listener, ret_error);
    if (failed)
        return failed;
    note_address(pubsub, io_listener_address(pubsub->listener));
    pubsub->node->listening(pubsub->node, "nats", io_listener_address(pubsub->listener));
    return 0;
}

static int started(void *self, struct error *ret_error) {
    struct pubsub *pubsub = self;
    int failed = monitor_started(pubsub, ret_error);
    if (!failed)
        failed = listen_for_clients(pubsub, ret_error);
    return failed ? failed : websocket_started(pubsub, ret_error);
}

/* --- drain -------------------------------------------------------------------------------- */

void pubsub_client_gone(struct pubsub_shard *room) {
    if (!room->draining || !list_empty(&room->clients) || !room->drained)
        return;
    void (*done)(void *) = room->drained;
    room->drained = NULL;
    done(room->drained_argument);
}

#define DUCK_STEP_NS_MAX 1000000000ull
#define DUCK_STEP_NS_MIN 1000000ull

static void on_duck_step(struct io_timer *timer) {
    struct pubsub_shard *room = container_of(timer, struct pubsub_shard, tick);
    struct list_node *at, *following;
    unsigned closed = 0;
    list_each(&room->clients, at, following) {
        struct client *c = container_of(at, struct client, in_room);
        if (c->state == CLIENT_CLOSING)
            continue;
        if (closed++ == room->duck_batch)
            break;
        client_close(c, CLIENT_SERVER_SHUTDOWN, NULL);
    }
    if (!list_empty(&room->clients))
        io_timer_start(room->shard->loop, &room->tick, room->duck_step_ns, on_duck_step);
    pubsub_client_gone(room);
}

/* The grace is over: the rest of the time is shared out among those that have stayed, as
   nats-server does it, a second each at most. */
static void on_duck_grace_over(struct io_timer *timer) {
    struct pubsub_shard *room = container_of(timer, struct pubsub_shard, tick);
    const struct room_limits *limits = &room->pubsub->node->limits;
    uint64_t left_ns = limits->lame_duck_ns - limits->lame_duck_grace_ns, clients = 0;
    struct list_node *at, *following;
    list_each(&room->clients, at, following) clients++;
    uint64_t step_ns = clients ? left_ns / clients : DUCK_STEP_NS_MAX;
    step_ns = step_ns < DUCK_STEP_NS_MIN ? DUCK_STEP_NS_MIN : step_ns;
    room->duck_step_ns = step_ns < DUCK_STEP_NS_MAX ? step_ns : DUCK_STEP_NS_MAX;
    room->duck_batch = (unsigned)(clients * room->duck_step_ns / left_ns) + 1;
    on_duck_step(timer);
}

static void on_lame_duck_over(struct io_timer *timer) {
    struct pubsub_shard *room = container_of(timer, struct pubsub_shard, tick);
    struct list_node *at, *following;
    list_each(&room->clients, at, following)
        client_close(container_of(at, struct client, in_room), CLIENT_SERVER_SHUTDOWN, NULL);
    pubsub_client_gone(room);
}

static void drain(void *shard_self, void (*done)(void *argument), void *argument) {
    struct pubsub_shard *room = shard_self;
    if (room->shard->index == 0) {
        room->pubsub->listener = io_listener_close(room->pubsub->listener);
        websocket_stop(room->pubsub);
    }
    room->draining = true;
    room->drained = done;
    room->drained_argument = argument;
    if (list_empty(&room->clients)) {
        pubsub_client_gone(room);
        return;
    }
    struct list_node *at, *following;
    list_each(&room->clients, at, following)
        client_send_info(container_of(at, struct client, in_room), true);
    const struct room_node *node = room->pubsub->node;
    if (node->lame_duck)
        io_timer_start(room->shard->loop, &room->tick, node->limits.lame_duck_grace_ns,
                       on_duck_grace_over);
    else
        io_timer_start(room->shard->loop, &room->tick, LAME_DUCK_NS, on_lame_duck_over);
}

const struct room pubsub_room = {
    .name = "pubsub",
    .open = open_room,
    .shard_open = shard_open,
    .started = started,
    .reload = reload_room,
    .drain = drain,
    .shard_close = shard_close,
    .close = close_room,
};
