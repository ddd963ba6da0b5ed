/*
 * gateway.h - the room of the front door: its node-wide part, its share on each loop, its files.
 *
 *     struct gateway            the room: listener, the table in force, metrics
 *       struct gateway_shard    one loop: counted table, upstreams, limits, tokens, access log
 *
 * THE WAY OF A REQUEST. http/ calls a route's handler with the head of a request. It becomes an
 * exchange (exchange.h), which goes through the steps (steps.h) that a route asks for, in order,
 * and ends at a target (target.h):
 *
 *     trace -> cors -> auth -> limit -> concurrency -> target: http | request | publish | sse |
 *                                                    websocket | files | redirect | respond | node
 *
 * A step lets the exchange go on, answers it, or holds it until something comes back. Everything an
 * exchange says to its client goes through exchange.h, which adds what steps have left for the
 * answer (CORS, RateLimit, request id), counts, and writes the access log.
 *
 * A TABLE (table.h) is made from the config on loop 0, immutable, and counted; a reload hands it to
 * each serving loop, and requests under way end on the one they began with. What lives longer than
 * a table is kept by the loop under a key of its own: upstream pools and their health
 * (upstream.h), buckets of limits (limit.h), key sets (auth.h). So a reload changes routes,
 * certificates, keys and upstreams without closing a connection.
 */
#ifndef NONET_GATEWAY_GATEWAY_H
#define NONET_GATEWAY_GATEWAY_H

#include "base/hash.h"
#include "base/random.h"
#include "bus/room.h"
#include "http/server.h"
#include "rooms/gateway/login_end.h"

struct gateway_table;
struct gateway_limits;
struct gateway_upstreams;
struct gateway_names;
struct gateway_auth_shard;
struct gateway_access_log;
struct gateway_subjects;

struct gateway {
    struct room_node *node;
    struct http_server *server; /* NULL: closed */
    struct http_limits limits;
    struct gateway_table *table;
    struct hash_key secrets[2]; /* random: for hashes of what strangers choose, on all loops */
    uint32_t realms;            /* numbers given to rules of tokens so far (way_jwt.c) */
    struct gateway_shard *shards[ROOM_SHARDS_MAX]; /* set on each loop's thread while opening */
};

struct gateway_shard {
    struct gateway *gateway;
    struct room_shard *shard;
    struct gateway_table *table; /* counted: what new requests of this loop are chosen by */
    struct auth *auth;           /* counted: users of section auth */
    struct gateway_upstreams *upstreams;
    struct gateway_names *names; /* NULL: no service has one */
    struct gateway_limits *limits;
    struct gateway_auth_shard *ways;
    struct gateway_access_log *access_log; /* NULL: none */
    struct io_worker *files_worker;        /* files.c; NULL: no route has needed it */
    struct gateway_subjects *subjects;
    struct bus_subscription *reload;
    struct random random;  /* for ids and choices, not for secrets */
    struct list exchanges; /* under way: for the end of the loop */
    struct list streams;   /* of struct gateway_stream */
    bool draining, http_drained;
    void (*drained)(void *argument);
    void *drained_argument;
};

/* What has been made of a request by an upgrade: a WebSocket, a tunnel. Lies in its owner. */
struct gateway_stream {
    struct list_node node;      /* of the shard's streams */
    struct login_end login_end; /* of what let its request in */
    /* The loop drains, or (login_end.over) who it is for is let in no longer: end it soon. AT_ONCE:
       it must be over (gateway_stream_over) in this call. */
    void (*on_drain)(struct gateway_stream *stream, bool at_once);
};
/* It has ended; a drain may be over with it. */
void gateway_stream_over(struct gateway_shard *shard, struct gateway_stream *stream);

extern const struct room gateway_room;

#endif
