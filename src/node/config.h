/*
 * config.h - nonet.yaml, read and checked: the node's own sections, and those of rooms beside.
 *
 *      text --wire/yaml--> tree --base/conf--> structs --cross checks--> struct config
 *                 `--- every mistake of all three steps goes to one list of errors ---'
 *
 * The sections node, listen, auth, streams, services and limits are the node's; a room that
 * has its own gives a table named like the section, and finds its struct with config_section().
 * What no part of this version knows is refused, never ignored. Reading is pure: the only way out
 * is the lookup of `${NAME}` and `file:PATH`, which the caller provides.
 *
 * Everything lives in the config's arena until config_free(); texts have a NUL behind them. Paths
 * are joined to the directory of the app. Tables and defaults are in config_tables.c, checks
 * across keys in config_check.c.
 */
#ifndef NONET_NODE_CONFIG_H
#define NONET_NODE_CONFIG_H

#include "base/conf_read.h"
#include "node/config_streams.h"

#define CONFIG_SECTIONS_MAX 16u   /* of rooms */
#define CONFIG_SUBJECTS_MAX 4096u /* over all declared streams: each is compared with each */
#define CONFIG_VARIABLES_MAX 256u /* of one service's environment */
#define CONFIG_MEMORY_MAX ((size_t)256 << 20)

enum config_restart { CONFIG_RESTART_ALWAYS, CONFIG_RESTART_ON_FAILURE, CONFIG_RESTART_NEVER };

struct config_log {
    struct conf_item item;
    int level;  /* enum log_level of io/logger.h */
    slice file; /* empty: stderr */
    bool times; /* lines begin with the time; where the form leaves a choice */
};

struct config_node {
    struct conf_item item;
    slice name, data, pid_file; /* pid_file empty: none */
    int64_t shards;             /* 0 = auto */
    bool jetstream;             /* false: no durable streams, and nothing answers for them */
    struct config_log log;
};

struct config_certificate {
    struct conf_item item;
    slice cert, key;
};

/* Without cert the first of certificates stands in its place; with none of both there is no TLS. */
struct config_tls {
    struct conf_item item;
    slice cert, key, ca;
    struct conf_array certificates; /* of struct config_certificate */
    bool verify;
};

struct config_listener {
    struct conf_item item; /* item.off: closed */
    struct conf_address address;
    struct config_tls tls;
    bool handshake_first;      /* of nats: TLS before INFO */
    bool same_origin;          /* of websocket, as the next */
    struct conf_array origins; /* of slice */
};

struct config_listen {
    struct conf_item item;
    struct config_listener nats, http, admin, sql, websocket; /* websocket: off unless given */
};

struct config_rights {
    struct conf_item item;
    struct conf_array allow, deny; /* of slice */
};

/* A user may answer requests whatever its lists say: so often each, so long. */
struct config_responses {
    struct conf_item item; /* given: it may */
    int64_t max;           /* 0: without bound */
    uint64_t expires_ns;
};

struct config_user {
    struct conf_item item;
    slice user, password, nkey, token;
    struct config_rights publish, subscribe;
    struct config_responses allow_responses;
};

struct config_auth {
    struct conf_item item;
    struct conf_array users; /* of struct config_user */
    slice no_auth_user;      /* empty: everybody logs in, where there are users */
};

struct config_service {
    struct conf_item item;
    slice command, directory;
    int restart;           /* enum config_restart */
    struct conf_array env; /* of struct conf_pair */
};

struct config_limits {
    struct conf_item item;
    uint64_t max_payload, max_control_line, max_pending;
    int64_t max_connections, max_subscriptions, ping_max;
    uint64_t write_deadline_ns, ping_interval_ns, auth_timeout_ns, drain_timeout_ns;
    uint64_t tls_timeout_ns, lame_duck_ns, lame_duck_grace_ns;
    uint64_t max_memory_store, max_file_store; /* 0 = without limit */
};

struct config {
    struct conf_item item;
    struct config_node node;
    struct config_listen listen;
    struct config_auth auth;
    struct conf_array streams, services; /* of config_stream, config_service */
    struct config_limits limits;

    struct arena arena;
    const struct conf_key *section_keys; /* of rooms; offsets from this struct */
    size_t section_count;
};

#endif
