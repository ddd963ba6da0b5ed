/*
 * target.h - the contract of a target: where the requests of a route go in the end.
 *
 *     open    with the table, on loop 0: what of `to` it needs, copied into the table's arena
 *     close   with the table's last count, on any thread: what the arena does not free
 *     start   on a request's loop: answers the exchange, or holds it and answers later
 *
 * What a target keeps for each loop beyond a request hangs on struct gateway_shard under a key of
 * its own, so that it outlives a table. A new target is a key of `to` and a row of the table here.
 */
#ifndef NONET_GATEWAY_TARGET_H
#define NONET_GATEWAY_TARGET_H

#include "base/arena.h"
#include "base/error.h"
#include "rooms/gateway/exchange.h"
#include "rooms/gateway/gateway_config.h"

struct json_writer;

struct gateway_target {
    const char *name; /* the key of `to` */
    bool (*chosen)(const struct gateway_to *to);
    /* 0 with *RET_SELF, or negative with words (a folder is missing, a certificate is bad). */
    int (*open)(struct gateway *gateway, const struct gateway_route_config *config,
                struct arena *arena, void **ret_self, struct error *ret_error);
    void (*close)(void *self); /* may be NULL */
    /* Once on each serving loop when the table comes into force there; may be NULL. 0 or -ENOMEM.
     */
    int (*shard_open)(void *self, struct gateway_shard *shard);
    /* Once on each serving loop when another table has come into force; may be NULL. */
    void (*shard_close)(void *self, struct gateway_shard *shard);
    void (*start)(struct exchange *x, void *self);
    /* The services of ROUTE as SHARD, its own loop, sees them: an object each. Returns how many; at
       most MAX. May be NULL. */
    unsigned (*write_services)(const void *self, const struct gateway_shard *shard, slice route,
                               unsigned max, struct json_writer *w);
};

/* All, ended by NULL. */
extern const struct gateway_target *const gateway_targets[];

extern const struct gateway_target http_target, request_target, publish_target, sse_target,
    websocket_target, files_target, redirect_target, respond_target, node_target, events_target;
/* Of what no route is for: 404, or 405 with the methods that the path has. */
extern const struct gateway_target nowhere_target;

#endif
