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

#define CONFIG_SECTIONS_MAX 16u   /* of rooms */
#define CONFIG_SUBJECTS_MAX 4096u /* over all declared streams: each is compared with each */
#define CONFIG_VARIABLES_MAX 256u /* of one service's environment */
#define CONFIG_MEMORY_MAX ((size_t)256 << 20)

enum config_restart { CONFIG_RESTART_ALWAYS, CONFIG_RESTART_ON_FAILURE, CONFIG_RESTART_NEVER };

struct config_log {
    struct conf_item item;
    int level; /* enum log_level of io/logger.h */
};

struct config_node {
    struct conf_item item;
    slice name, data;
    int64_t shards; /* 0 = auto */
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
};

struct config_listen {
    struct conf_item item;
    struct config_listener nats, http, admin;
};

struct config_rights {
    struct conf_item item;
    struct conf_array allow, deny; /* of slice */
};

struct config_user {
    struct conf_item item;
    slice user, password, nkey, token;
    struct config_rights publish, subscribe;
};

struct config_auth {
    struct conf_item item;
    struct conf_array users; /* of struct config_user */
};

struct config_stream {
    struct conf_item item;
    slice description;
    struct conf_array subjects; /* of slice */
    int discard, storage;       /* enums of bus/streams.h; storage 1 = memory */
    uint64_t max_age_ns, max_bytes, max_msg_size, duplicate_window_ns; /* 0 = without limit */
    int64_t max_msgs, max_msgs_per_subject, max_consumers;             /* 0 = without limit */
    bool discard_new_per_subject, allow_direct, deny_delete, deny_purge, no_ack;
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
