/*
 * target_config.h - `to` of a route: one target, and what belongs to it.
 *
 * The structs as the tables of target_config.c fill them. A key that belongs to another target than
 * the one given is refused. Keys that were left out are 0; the target knows what they then mean.
 */
#ifndef NONET_GATEWAY_TARGET_CONFIG_H
#define NONET_GATEWAY_TARGET_CONFIG_H

#include "base/conf_read.h"

enum gateway_balance { GATEWAY_LEAST_REQUESTS, GATEWAY_ROUND_ROBIN, GATEWAY_HASH };

struct gateway_health_config {
    struct conf_item item;
    slice path;
    uint64_t every_ns, timeout_ns;
    int64_t rise, fall;
};
struct gateway_eject_config {
    struct conf_item item;
    int64_t failures;
    uint64_t time_ns;
};
struct gateway_retry_config {
    struct conf_item item;
    int64_t attempts, budget_percent;
};
struct gateway_websocket_config {
    struct conf_item item;
    struct conf_array subscribe; /* of slice: subjects whose messages go to the client */
    slice publish;               /* subject that the client's messages go to; empty: none */
};
struct gateway_respond_config {
    struct conf_item item;
    int64_t status;
    slice type, body;
};
struct gateway_upstream_tls {
    struct conf_item item;
    slice ca, cert, key, server_name;
    bool verify;
};

struct gateway_to {
    struct conf_item item;
    /* exactly one of these */
    struct conf_array http; /* of slice: "http://host:port", "https://..." */
    slice request, publish;
    struct conf_array sse; /* of slice */
    struct gateway_websocket_config websocket;
    slice files, redirect;
    struct gateway_respond_config respond;
    slice node; /* "admin", "events" */
    /* http */
    struct conf_array weights; /* of int64_t */
    int balance;               /* enum gateway_balance */
    slice hash_header, hash_cookie;
    struct gateway_health_config health;
    struct gateway_eject_config eject;
    struct gateway_retry_config retry;
    struct gateway_upstream_tls tls;
    int64_t connections; /* to each upstream and shard */
    uint64_t connect_timeout_ns, idle_timeout_ns;
    bool keep_host;
    slice mirror;
    /* http, request, publish: until the answer begins */
    uint64_t timeout_ns;
    bool durable; /* publish */
    /* node: events */
    struct conf_array categories; /* of slice; none: all */
    bool read_only;
    /* files */
    slice index, fallback;
    uint64_t max_age_ns;
    int64_t status; /* redirect */
};

extern const struct conf_table gateway_to_table;

#endif
