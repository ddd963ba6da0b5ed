/*
 * table.h - the routes of one config, made ready: immutable, counted, one for all loops.
 *
 * Everything a request needs of its route is here, copied from the config into the table's arena.
 * Counts are given back on any thread; the last one closes the targets and frees it all.
 */
#ifndef NONET_GATEWAY_TABLE_H
#define NONET_GATEWAY_TABLE_H

#include "base/ip.h"
#include "rooms/gateway/target.h"

struct gateway_ways; /* auth.h */

struct gateway_fields {
    const struct http1_field *set, *add;
    const slice *remove;
    unsigned set_count, add_count, remove_count;
};

struct gateway_limit {
    uint64_t id; /* same in the next table if route, per, rate and burst are: buckets live on */
    enum gateway_limit_per per;
    struct number_rate rate;
    uint64_t burst;
    slice name; /* in fields and problems; see limit.h */
};

struct gateway_cors {
    const slice *origins;
    unsigned origin_count;
    bool any_origin, credentials;
    slice methods, headers, expose, max_age; /* as sent; empty: see the config's doc */
};

struct gateway_route_metrics {
    struct metric requests[5]; /* by class of status, 1xx (101) to 5xx */
    struct metric seconds, under_way;
};

struct gateway_route {
    struct gateway_table *table;
    slice name;
    const struct gateway_target *target;
    void *target_self;
    const unsigned *ways; /* indices into the table's ways; count 0: none is asked */
    unsigned way_count;
    struct gateway_limit limits[GATEWAY_LIMITS_MAX];
    unsigned limit_count;
    slice limit_policy;   /* the field RateLimit-Policy */
    uint64_t concurrency; /* 0: without limit */
    uint64_t exchange_ns; /* for a whole exchange; 0: without limit */
    uint64_t body_max;
    slice rewrite;
    struct gateway_fields request_fields, response_fields;
    const struct gateway_cors *cors; /* NULL: none */
    struct gateway_route_metrics metrics;
    uint32_t *under_way; /* with concurrency: [loops], each used by its own loop only */
};

struct gateway_table {
    struct gateway *gateway;
    struct http_routes *http; /* its handlers' owners are the routes; frees the table */
    struct gateway_route *routes;
    unsigned route_count;
    struct gateway_route nowhere; /* for what none of them is for */
    struct gateway_ways *ways;    /* auth.h; NULL: none are configured */
    struct ip_network *trusted;
    unsigned trusted_count;
    slice access_log;     /* path; empty: none */
    const char *resolver; /* as gateway_names_set_servers takes it */
    struct arena arena;
};

extern const struct metrics_family gateway_seconds_family;

/* Whether a field NAME is neither removed nor set by CHANGES. */
bool gateway_field_stays(const struct gateway_fields *changes, slice name);

/* A config's list of texts, copied. 0 or -ENOMEM. */
must_use int gateway_copy_slices(struct arena *arena, const struct conf_array *list,
                                 const slice **ret_slices, unsigned *ret_count);

/* 0, or negative with words; CONFIG is not needed afterwards. The table has one count. */
must_use int gateway_table_create(struct gateway *gateway, const struct gateway_config *config,
                                  struct gateway_table **ret_table, struct error *ret_error);
struct gateway_table *gateway_table_ref(struct gateway_table *table);
struct gateway_table *gateway_table_unref(struct gateway_table *table); /* NULL allowed; NULL */
/* On a loop: the targets' shares are made, and given back. 0 or -ENOMEM. */
must_use int gateway_table_shard_open(struct gateway_table *table, struct gateway_shard *shard);
void gateway_table_shard_close(struct gateway_table *table, struct gateway_shard *shard);

#endif
