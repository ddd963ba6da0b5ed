/*
 * pubsub.h - room 3, publish and subscribe: the NATS listener and the JetStream API.
 *
 * The bus already does what NATS promises (subjects, queue groups, streams); this room gives it
 * its face: connections of official clients over TCP and TLS (client*.c), the JSON API of streams
 * and consumers on `$JS.API.>` (jetstream*.c), the monitoring pages of nats-server on the admin
 * listener (monitor.c) and the answers on `$SYS.REQ.>` that the nats CLI asks for (system.c).
 *
 * One instance for the node (struct pubsub, loop 0) and one a shard (struct pubsub_shard, with the
 * shard's clients). New connections are dealt to the shards in turn; a connection never moves.
 */
#ifndef NONET_PUBSUB_H
#define NONET_PUBSUB_H

#include "base/map64.h"
#include "bus/room.h"
#include "io/file.h"
#include "io/tls.h"

#include <stdatomic.h>

/* What INFO says of the server: clients gate their features on it, so it names the level that is
   truly served (docs/architecture.md, "NATS level"). */
#define PUBSUB_NATS_VERSION "2.11.9"
#define PUBSUB_LOGINS_WAITING_MAX 32u /* slow ones, on a shard */
#define PUBSUB_REFUSALS_TOLD_MAX 10u  /* refused logins that a shard warns of in one second */

extern const struct room pubsub_room;

struct pubsub_metrics {
    struct metric connections, connections_total, messages_in, messages_out, bytes_in, bytes_out,
        slow_consumers, auth_failures;
};

struct pubsub {
    struct room_node *node;
    struct http_server *web;      /* websocket.c; NULL: closed */
    struct io_listener *listener; /* each shard holds the TLS context of its connections */
    _Atomic(uint32_t) connections;
    bool handshake_first; /* TLS before INFO */
    char host[64];
    unsigned port;
    struct pubsub_metrics metrics;
    struct pubsub_shard *shards[ROOM_SHARDS_MAX];
};

struct pubsub_shard {
    struct pubsub *pubsub;
    struct room_shard *shard;
    struct auth *auth;  /* this shard's own counts; a reload sends new ones by message */
    struct io_tls *tls; /* NULL: plain text */
    bool tls_verify;    /* clients must show a certificate */
    struct list clients, stalled;
    struct map64 by_id;
    uint64_t clients_ever;
    uint64_t messages_out, bytes_out; /* since the last tick, which adds them to the metrics */
    struct io_timer tick;             /* once a second: write deadlines, metrics */
    unsigned refusals_told;
    struct auth_worker *logins; /* client_login.c */
    bool draining;
    uint64_t duck_step_ns; /* of a lame duck: so many clients are sent away so often */
    unsigned duck_batch;
    void (*drained)(void *argument);
    void *drained_argument;
    struct monitor *monitor; /* monitor.c */
    struct bus_subscription *reload;
    struct jetstream *jetstream; /* stream shard only */
    struct buf scratch;
};

/* pubsub.c */
void pubsub_client_gone(struct pubsub_shard *room);

/* websocket.c: clients in browsers. */
must_use int websocket_started(struct pubsub *pubsub, struct error *ret_error);
void websocket_renew(struct pubsub_shard *room, struct io_tls *tls); /* for connections to come */
void websocket_stop(struct pubsub *pubsub);                          /* on loop 0 */
void websocket_shard_close(struct pubsub_shard *room);

/* monitor.c: /varz /connz /subsz and the gathering over shards behind them. */
must_use int monitor_shard_open(struct pubsub_shard *room);
void monitor_shard_close(struct pubsub_shard *room);
must_use int monitor_started(struct pubsub *pubsub, struct error *ret_error);

/* system.c: $SYS.REQ.USER.INFO, $SYS.REQ.SERVER.PING. Answered by the client's own shard. */
struct client;
/* True where the published message was such a request and has been answered. */
bool system_request(struct client *client, const struct bus_message *message);

/* jetstream.c */
must_use int jetstream_open(struct room_shard *shard, struct jetstream **ret_jetstream);
struct jetstream *jetstream_close(struct jetstream *jetstream);

#endif
