/*
 * stream.c - see stream.h: what is on which loop, and reload.
 *
 * New users and certificates reach the sessions' loop as a message on a private subject that
 * carries one count of each, as in pubsub.
 */
#include "rooms/stream/stream.h"

#include "base/mem.h"
#include "bus/private.h"
#include "rooms/stream/app.h"
#include "rooms/stream/changelog_server.h"
#include "rooms/stream/ledger.h"
#include "rooms/stream/sessions.h"

#include <errno.h>

#define RELOAD_SUBJECT BUS_PRIVATE_PREFIX "stream.reload"
#define LISTENER "sql"

struct stream {
    struct room_node *node;
    struct stream_section section;
    bool open; /* there are a listener and durable streams */
    unsigned shard;
    struct bus *bus; /* of loop 0 */
    struct io_listener *listener;
    struct sessions *sessions; /* used on `shard` only */
};

struct stream_shard {
    struct stream *room;
    struct room_shard *shard;
    struct ledger_server *server;
    struct changelog_server *teller;
    struct database *db;
    struct app *app;
    struct sessions *sessions;
    struct bus_subscription *reload;
};

static int open_room(struct room_node *node, const void *section, void **ret_self,
                     struct error *ret_error) {
    struct stream *room = mem_zalloc(1, sizeof *room);
    if (!room)
        return error_set(ret_error, -ENOMEM, "no memory for the listener sql");
    const struct room_listen *listen = room_listen(node, LISTENER);
    room->node = node;
    room->section = *(const struct stream_section *)section;
    room->shard = node->serving - 1;
    room->open = listen && !listen->off && node->jetstream;
    node->views = room->open;
    *ret_self = room;
    return 0;
}

static void close_room(void *self) {
    mem_free(self);
}

/* --- reload --------------------------------------------------------------------------------- */

struct reload_message {
    struct auth *auth;
    struct io_tls *tls;
};

static void on_reload(void *owner, struct bus_subscription *subscription,
                      const struct bus_message *message) {
    struct stream_shard *s = owner;
    struct reload_message reload;
    (void)subscription;
    check(message->payload.len == sizeof reload);
    memcpy(&reload, message->payload.ptr, sizeof reload);
    sessions_renew(s->sessions, reload.auth, reload.tls);
}

static int reload_room(void *self, const void *section, struct error *ret_error) {
    struct stream *room = self;
    struct reload_message reload = {.auth = room->node->auth};
    (void)section; /* memory and bounds are those of the start */
    if (!room->open)
        return 0;
    int failed = room_make_tls(room->node, LISTENER, NULL, &reload.tls, ret_error);
    if (failed)
        return failed;
    auth_ref(reload.auth);
    const struct bus_message message = {.subject = slice_lit(RELOAD_SUBJECT),
                                        .payload = slice_make(&reload, sizeof reload)};
    if (bus_publish(room->bus, &message, NULL, NULL) > 0)
        return 0;
    auth_unref(reload.auth);
    io_tls_unref(reload.tls);
    return error_set(ret_error, -ENOMEM, "the new users did not reach the listener sql");
}

/* --- shards --------------------------------------------------------------------------------- */

static void shard_close(void *shard_self) {
    struct stream_shard *s = shard_self;
    if (s->shard->index == 0)
        s->room->listener = io_listener_close(s->room->listener);
    s->sessions = sessions_free(s->sessions);
    s->app = app_free(s->app);
    s->db = database_close(s->db);
    s->teller = changelog_server_free(s->teller);
    s->server = ledger_server_free(s->server);
    if (s->reload)
        s->reload = bus_unsubscribe(s->shard->bus, s->reload);
    mem_free(s);
}

static int open_sessions(struct stream_shard *s, struct error *ret_error) {
    static const struct bus_receiver receiver = {on_reload};
    const struct stream_section *section = &s->room->section;
    const struct database_options options = {.work_mem_bytes = section->work_mem,
                                             .memory_bytes = section->memory,
                                             .subscription_bytes = section->subscription_buffer};
    struct sessions_options sessions = {.shard = s->shard,
                                        .sessions_max = (unsigned)section->max_sessions};
    int failed = room_make_tls(s->room->node, LISTENER, NULL, &sessions.tls, ret_error);
    if (failed)
        return failed;
    failed = database_open(s->shard, &options, &s->db, ret_error);
    if (!failed) {
        sessions.db = s->db;
        sessions.auth = auth_ref(s->room->node->auth);
        failed = sessions_create(&sessions, &s->sessions);
        if (failed) {
            auth_unref(sessions.auth);
            error_set(ret_error, failed, "cannot open the sessions of the listener sql");
        }
    }
    if (failed) {
        io_tls_unref(sessions.tls);
        return failed;
    }
    s->room->sessions = s->sessions;
    if (s->shard->node->app)
        s->app = app_start(s->db, s->shard->node, s->shard->node->app);
    failed = bus_subscribe(s->shard->bus, slice_lit(RELOAD_SUBJECT), (slice){0}, &receiver, s, NULL,
                           &s->reload);
    return failed ? error_set(ret_error, failed, "no memory for the listener sql") : 0;
}

static int shard_open(void *self, struct room_shard *shard, void **ret_shard_self,
                      struct error *ret_error) {
    struct stream *room = self;
    struct stream_shard *s = mem_zalloc(1, sizeof *s);
    if (!s)
        return error_set(ret_error, -ENOMEM, "no memory for the listener sql");
    s->room = room;
    s->shard = shard;
    if (shard->index == 0)
        room->bus = shard->bus;
    int failed = 0;
    if (room->open && shard->streams &&
        (ledger_server_create(shard, &s->server) || changelog_server_create(shard, &s->teller)))
        failed = error_set(ret_error, -ENOMEM, "no memory for the listener sql");
    if (!failed && room->open && shard->index == room->shard)
        failed = open_sessions(s, ret_error);
    if (failed)
        shard_close(s);
    else
        *ret_shard_self = s;
    return failed;
}

/* --- listening ------------------------------------------------------------------------------ */

static void on_accept(void *owner, struct io_loop *loop, struct io_stream *stream) {
    struct stream *room = owner;
    (void)loop;
    sessions_accept(room->sessions, stream);
}

static int started(void *self, struct error *ret_error) {
    struct stream *room = self;
    if (!room->open)
        return 0;
    const struct io_listen_options options = {.address = room_listen(room->node, LISTENER)->address,
                                              .loop_first = room->shard,
                                              .loop_count = 1,
                                              .on_accept = on_accept,
                                              .owner = room};
    int failed =
        io_listen(io_group_loop(room->node->group, 0), &options, &room->listener, ret_error);
    if (!failed)
        room->node->listening(room->node, LISTENER, io_listener_address(room->listener));
    return failed;
}

static void drain(void *shard_self, void (*done)(void *argument), void *argument) {
    struct stream_shard *s = shard_self;
    if (s->shard->index == 0)
        s->room->listener = io_listener_close(s->room->listener);
    if (s->sessions)
        sessions_drain(s->sessions, done, argument);
    else
        done(argument);
}

const struct room stream_room = {
    .name = "stream",
    .config = &stream_key,
    .open = open_room,
    .shard_open = shard_open,
    .started = started,
    .reload = reload_room,
    .drain = drain,
    .shard_close = shard_close,
    .close = close_room,
};
