/*
 * room.h - the contract between a room (one pattern) and the node that puts rooms together.
 *
 * A room is one folder under rooms/ and one `const struct room` that node/ lists in its table of
 * rooms. It declares its section of nonet.yaml as a table, and a few functions the node calls;
 * what it needs to reach other rooms is the bus. Any function may be NULL.
 *
 *     judge       at `nonet check` and before start: pure, adds errors, touches nothing
 *     open        once, on loop 0, before the shards: shared and immutable things (keys, tables)
 *     shard_open  on every shard's own thread: subscriptions, connections, timers
 *     started     on loop 0 once every shard is open: listeners
 *     reload      on loop 0: takes a new, checked config; must keep every connection
 *     drain       on every shard: no new work; done(…) when what is under way has ended
 *     shard_close on every shard: everything of this room is gone afterwards
 *     close       on loop 0, last
 *
 *  open -> shard_open (each) -> started -> [reload]* -> drain (each) -> shard_close (each) -> close
 *
 * A failed open, shard_open or started refuses the start of the node with the error's words.
 * All waits are bounded by the node: drain at most its drain_ns, then shard_close comes anyway.
 */
#ifndef NONET_BUS_ROOM_H
#define NONET_BUS_ROOM_H

#include "base/conf_read.h"
#include "base/metrics.h"
#include "bus/auth.h"
#include "bus/bus.h"
#include "bus/streams.h"
#include "io/logger.h"
#include "io/tls.h"

#define ROOM_SHARDS_MAX BUS_SHARDS_MAX

struct json_writer; /* wire/json_write.h */
struct http_routes; /* http/routes.h: the admin listener's table, which `started` may add to */

/* A listener of section `listen`. */
struct room_listen {
    const char *name, *address;
    struct io_tls_options tls; /* of its side; cert_file NULL: plain text */
    bool off, handshake_first;
    bool same_origin;     /* of websocket: of pages, only those of its own address */
    const slice *origins; /* and of these */
    unsigned origin_count;
    bool given; /* the file or the command line names it */
};

/* Section `limits`: bounds that several rooms share. Defaults in node/config.c. */
struct room_limits {
    uint32_t payload_bytes_max, line_bytes_max, connections_max, subscriptions_max, ping_out_max;
    uint64_t pending_bytes_max; /* output waiting for one client */
    uint64_t write_deadline_ns, ping_interval_ns, auth_timeout_ns, drain_ns, tls_timeout_ns;
    uint64_t lame_duck_ns, lame_duck_grace_ns;             /* the first includes the second */
    uint64_t memory_store_bytes_max, file_store_bytes_max; /* of all streams; 0: without limit */
};

/* The whole node, as rooms see it. One per node, the same on all shards, immutable but for what the
   node itself changes on loop 0 (config on reload). */
struct room_node {
    struct io_host *host;
    struct io_group *group;
    struct logger *logger;
    struct metrics *metrics;
    const char *name;      /* of the node */
    const char *server_id; /* 56 characters, new at each start */
    const char *directory; /* DATA */
    const char *app;       /* the folder nonet.yaml is in; NULL: none */
    unsigned shards;       /* loops of the node; each has a bus and every room */
    unsigned serving;      /* loops 0..serving-1 of them take connections */
    unsigned stream_shard; /* the loop streams live on: 0 alone, else one beyond the serving */
    int64_t started_ns;    /* wall clock */
    struct auth *auth;     /* users; replaced on reload, counted (bus/auth.h) */
    struct http_routes *admin;
    const char *gateway_token; /* by which the admin listener knows the node's own gateway */
    const struct room_listen *listens;
    unsigned listen_count;
    struct room_limits limits;
    bool jetstream;          /* durable streams are kept and answered for */
    bool views;              /* of SQL are kept: nobody else publishes to view.> (private.h) */
    bool monitoring_is_open; /* whoever reaches the admin listener may read /varz and its kin */
    bool lame_duck; /* set on loop 0 before a drain: clients are sent away in lame_duck_ns */
    /* Where each listener really listens, for ports.json: set by rooms in `started`. */
    void (*listening)(struct room_node *node, const char *listener, const char *address);
    /* On loop 0: what the node and each room say of themselves, an object (`nonet status`). */
    void (*write_status)(const struct room_node *node, struct json_writer *w);
    void *self; /* node/'s own */
};

static inline const struct room_listen *room_listen(const struct room_node *node,
                                                    const char *name) {
    for (unsigned i = 0; i < node->listen_count; i++)
        if (strcmp(node->listens[i].name, name) == 0)
            return &node->listens[i];
    return NULL;
}

/* The context of listener NAME, offering ALPN (tls.h); NULL where it has none. */
must_use static inline int room_make_tls(const struct room_node *node, const char *name,
                                         const char *const *alpn, struct io_tls **ret_tls,
                                         struct error *ret_error) {
    const struct room_listen *listen = room_listen(node, name);
    *ret_tls = NULL;
    if (!listen || !listen->tls.cert_file)
        return 0;
    struct io_tls_options options = listen->tls;
    options.alpn = alpn;
    return io_tls_create(node->host, &options, ret_tls, ret_error);
}

/* One shard, as rooms see it; lives as long as the shard. */
struct room_shard {
    struct room_node *node;
    struct io_loop *loop;
    struct bus *bus;
    struct streams *streams; /* on the stream shard only, else NULL */
    struct metrics_shard *metrics;
    unsigned index;
};

/* What of the rest of the config a room's judgement may need. */
struct room_setting {
    bool http_exposed;  /* the http listener is reached from other machines, without --insecure */
    bool http_verifies; /* it asks its clients for certificates */
    bool no_admin;      /* the admin listener is off, or its port is known at the start only */
    bool has_users;     /* section auth has users with passwords */
};

struct room {
    const char *name;              /* the folder, and the area in log lines */
    const struct conf_key *config; /* its section of nonet.yaml (offset unused); NULL none */
    void (*judge)(const void *section, const struct room_setting *setting,
                  struct conf_errors *errors);
    /* What the section comes to, one JSON value, for `nonet check --routes`. Pure. */
    void (*explain)(const void *section, struct json_writer *w);
    must_use int (*open)(struct room_node *node, const void *section, void **ret_self,
                         struct error *ret_error);
    must_use int (*shard_open)(void *self, struct room_shard *shard, void **ret_shard_self,
                               struct error *ret_error);
    must_use int (*started)(void *self, struct error *ret_error);
    must_use int (*reload)(void *self, const void *section, struct error *ret_error);
    /* On loop 0: one JSON value about what it is doing, for `nonet status`. */
    void (*status)(void *self, struct json_writer *w);
    /* DONE is called on this shard, at once or later, exactly once. */
    void (*drain)(void *shard_self, void (*done)(void *argument), void *argument);
    void (*shard_close)(void *shard_self);
    void (*close)(void *self);
};

#endif
