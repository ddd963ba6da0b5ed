/*
 * gateway_config.h - section `gateway` of nonet.yaml: the structs that its tables fill.
 *
 *     gateway
 *       auth.NAME           a way to say who asks; routes name the ways they take
 *       routes[]            match -> auth -> limit -> to
 *         match             host, method, path, headers, query
 *         to                one target, and what belongs to it
 *
 * The tables stand in gateway_config.c (the section, routes), target_config.c (to) and
 * access_config.c (auth, limit, cors). gateway_judge finds mistakes between keys. All texts live as
 * long as the config; what a running gateway needs of it is copied (table.h).
 */
#ifndef NONET_GATEWAY_GATEWAY_CONFIG_H
#define NONET_GATEWAY_GATEWAY_CONFIG_H

#include "bus/room.h"
#include "rooms/gateway/access_config.h"
#include "rooms/gateway/target_config.h"

struct json_writer;  /* wire/json_write.h */
struct room_setting; /* bus/room.h */

#define GATEWAY_ROUTES_MAX 2000u
#define GATEWAY_LIMITS_MAX 4u /* of one route */
#define GATEWAY_AUTH_MAX 64u  /* ways to say who asks */
#define GATEWAY_RESOLVERS_MAX 8u

struct gateway_match {
    struct conf_item item;
    slice host, path;
    struct conf_array method;         /* of slice; none: any */
    struct conf_array headers, query; /* of struct conf_pair; "*": any value */
};

struct gateway_fields_config {
    struct conf_item item;
    struct conf_array set, add; /* of struct conf_pair */
    struct conf_array remove;   /* of slice */
};

struct gateway_route_config {
    struct conf_item item;
    slice name;
    struct gateway_match match;
    struct gateway_to to;
    struct conf_array auth;       /* of slice: names of ways, or "none" alone; empty: not said */
    struct conf_array limit;      /* of struct gateway_limit_config */
    uint64_t exchange_timeout_ns; /* 0: without limit */
    int64_t concurrency;          /* requests under way on each shard; 0: without limit */
    uint64_t max_body;
    slice rewrite; /* path template; empty: as it came */
    struct gateway_fields_config request_headers, response_headers;
    struct gateway_cors_config cors;
};

struct gateway_access_log_config {
    struct conf_item item; /* not given: no access log */
    slice path;
};

struct gateway_limits_config {
    struct conf_item item;
    int64_t connections;
    uint64_t head_timeout_ns, body_timeout_ns, idle_timeout_ns, write_timeout_ns;
};

struct gateway_config {
    struct conf_item item;
    struct conf_array trusted_proxies; /* of slice: addresses or networks */
    struct conf_array resolver;        /* of slice: DNS servers; none: the system's */
    struct gateway_access_log_config access_log;
    struct gateway_limits_config limits;
    struct conf_array auth;   /* map of struct gateway_auth_config */
    struct conf_array routes; /* of struct gateway_route_config */
};

/* The section, a CONF_SECTION of struct gateway_config. */
extern const struct conf_key gateway_key;
/* Adds what is wrong between keys. Pure. SECTION: struct gateway_config. */
void gateway_judge(const void *section, const struct room_setting *setting,
                   struct conf_errors *errors);

/* The routes in the order in which they are tried: [{"method", "host", "path", "when", "to",
   "name"}], texts for people. Pure; of a section that was judged fine. */
void gateway_explain(const void *section, struct json_writer *w);

#endif
