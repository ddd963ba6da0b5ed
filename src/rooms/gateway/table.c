/*
 * table.c - a table made from the config: texts copied, templates checked, targets opened, rows put
 * into http's table.
 *
 * The table's count is that of its http_routes: a server holds it through them, and the last one to
 * let go frees everything (on_free).
 */
#include "rooms/gateway/table.h"

#include "base/hash.h"
#include "base/mem.h"
#include "base/number.h"
#include "rooms/gateway/auth.h"
#include "rooms/gateway/limit.h"
#include "rooms/gateway/names.h"
#include "rooms/gateway/route_match.h"
#include "wire/url.h"

#include <errno.h>

#define TABLE_BYTES_MAX ((size_t)256 << 20)

static const struct metrics_family requests_family = {
    .name = "nonet_gateway_requests_total",
    .kind = METRICS_COUNTER,
    .labels = {"route", "status"},
    .help = "Requests answered, by route and first digit of the status.",
};
/* Bounds in ns, printed as seconds. */
static const uint64_t seconds_bounds[] = {500000,     1000000,    2500000,    5000000,    10000000,
                                          25000000,   50000000,   100000000,  250000000,  500000000,
                                          1000000000, 2500000000, 5000000000, 10000000000};
const struct metrics_family gateway_seconds_family = {
    .name = "nonet_gateway_request_seconds",
    .kind = METRICS_HISTOGRAM,
    .unit = "seconds",
    .labels = {"route"},
    .bounds = seconds_bounds,
    .bound_count = array_count(seconds_bounds),
    .scale = 1e-9,
    .help = "Time from a request's first byte to the end of its answer.",
};
static const struct metrics_family under_way_family = {
    .name = "nonet_gateway_requests_under_way",
    .kind = METRICS_GAUGE,
    .labels = {"route"},
    .help = "Requests that are not answered yet, streams among them.",
};

/* --- copying -----------------------------------------------------------------------------------
 */

static int copy_pairs(struct arena *arena, const struct conf_array *pairs,
                      const struct http1_field **ret_fields, unsigned *ret_count) {
    const struct conf_pair *items = pairs->items;
    struct http1_field *fields = arena_zalloc(arena, pairs->count, sizeof *fields);
    int failed = fields ? 0 : -ENOMEM;
    for (size_t i = 0; i < pairs->count && !failed; i++) {
        failed = arena_copy(arena, items[i].item.name, &fields[i].name);
        if (!failed)
            failed = arena_copy(arena, items[i].text, &fields[i].value);
    }
    *ret_fields = fields;
    *ret_count = (unsigned)pairs->count;
    return failed;
}

int gateway_copy_slices(struct arena *arena, const struct conf_array *list,
                        const slice **ret_slices, unsigned *ret_count) {
    const slice *items = list->items;
    slice *slices = arena_zalloc(arena, list->count, sizeof *slices);
    int failed = slices ? 0 : -ENOMEM;
    for (size_t i = 0; i < list->count && !failed; i++)
        failed = arena_copy(arena, items[i], &slices[i]);
    *ret_slices = slices;
    *ret_count = (unsigned)list->count;
    return failed;
}

static int copy_fields(struct arena *arena, const struct gateway_fields_config *config,
                       struct gateway_fields *fields) {
    int failed = copy_pairs(arena, &config->set, &fields->set, &fields->set_count);
    if (!failed)
        failed = copy_pairs(arena, &config->add, &fields->add, &fields->add_count);
    if (!failed)
        failed =
            gateway_copy_slices(arena, &config->remove, &fields->remove, &fields->remove_count);
    return failed;
}

/* "a, b, c" */
static int join(struct arena *arena, const struct conf_array *list, slice *ret_text) {
    const slice *items = list->items;
    _cleanup_buf_ struct buf text = buf_make(64u << 10);
    int failed = 0;
    for (size_t i = 0; i < list->count && !failed; i++)
        failed = buf_printf(&text, "%s%.*s", i ? ", " : "", slice_fmt(items[i]));
    return failed ? failed : arena_copy(arena, buf_slice(&text), ret_text);
}

static int copy_cors(struct arena *arena, const struct gateway_route_config *config,
                     const struct gateway_cors **ret_cors) {
    struct gateway_cors *cors = arena_zalloc(arena, 1, sizeof *cors);
    if (!config->cors.item.given || !cors)
        return config->cors.item.given ? -ENOMEM : 0;
    const struct conf_array *methods =
        config->cors.methods.count ? &config->cors.methods : &config->match.method;
    int failed =
        gateway_copy_slices(arena, &config->cors.origins, &cors->origins, &cors->origin_count);
    for (unsigned i = 0; i < cors->origin_count && !failed; i++)
        cors->any_origin |= slice_equal(cors->origins[i], slice_lit("*"));
    cors->credentials = config->cors.credentials;
    if (!failed)
        failed = join(arena, methods, &cors->methods);
    if (!failed)
        failed = join(arena, &config->cors.headers, &cors->headers);
    if (!failed)
        failed = join(arena, &config->cors.expose, &cors->expose);
    if (!failed)
        failed = arena_printf(arena, &cors->max_age, "%llu",
                              (unsigned long long)(config->cors.max_age_ns / NUMBER_NS_PER_SECOND));
    *ret_cors = cors;
    return failed;
}

static int take_limits(struct gateway_route *route, const struct gateway_route_config *config,
                       struct arena *arena) {
    static const struct hash_key unkeyed; /* ids are not chosen by strangers */
    const struct gateway_limit_config *items = config->limit.items;
    for (size_t i = 0; i < config->limit.count; i++) {
        struct gateway_limit *limit = &route->limits[route->limit_count++];
        double second = number_rate_per_second(items[i].rate);
        limit->per = (enum gateway_limit_per)items[i].per;
        limit->rate = items[i].rate;
        limit->burst = items[i].burst ? (uint64_t)items[i].burst
                       : second < 1   ? 1
                                      : (uint64_t)second;
        struct {
            uint64_t name, per, count, period, burst, index;
        } parts = {hash_slice(&unkeyed, route->name),
                   (uint64_t)limit->per,
                   limit->rate.count,
                   limit->rate.period_ns,
                   limit->burst,
                   i};
        limit->id = hash_slice(&unkeyed, slice_make(&parts, sizeof parts));
    }
    return gateway_limits_describe(route, arena);
}

/* --- a route -----------------------------------------------------------------------------------
 */

static int take_ways(struct gateway_route *route, const struct gateway_route_config *config,
                     const struct gateway_config *section, struct arena *arena) {
    const struct gateway_auth_config *ways = section->auth.items;
    const slice *names = config->auth.items;
    unsigned *indices = arena_zalloc(arena, config->auth.count + 1, sizeof *indices);
    if (!indices)
        return -ENOMEM;
    for (size_t i = 0; i < config->auth.count; i++)
        for (unsigned w = 0; w < section->auth.count; w++)
            if (slice_equal(ways[w].item.name, names[i]))
                indices[route->way_count++] = w;
    route->ways = indices;
    return 0;
}

static int add_metrics(struct gateway *gateway, struct gateway_route *route) {
    static const char *const classes[] = {"1xx", "2xx", "3xx", "4xx", "5xx"};
    struct metrics *metrics = gateway->node->metrics;
    slice labels[2] = {route->name};
    int failed = 0;
    for (unsigned i = 0; i < array_count(classes) && !failed; i++) {
        labels[1] = slice_str(classes[i]);
        failed = metrics_add_series(metrics, &requests_family, labels, &route->metrics.requests[i]);
    }
    if (!failed)
        failed =
            metrics_add_series(metrics, &gateway_seconds_family, labels, &route->metrics.seconds);
    if (!failed)
        failed = metrics_add_series(metrics, &under_way_family, labels, &route->metrics.under_way);
    return failed == -ENOBUFS ? 0 : failed; /* beyond the registry's bound: served, not counted */
}

static int open_target(struct gateway_table *table, struct gateway_route *route,
                       const struct gateway_route_config *config, struct error *ret_error) {
    for (unsigned i = 0; gateway_targets[i]; i++) {
        const struct gateway_target *target = gateway_targets[i];
        if (!target->chosen(&config->to))
            continue;
        int failed =
            target->open(table->gateway, config, &table->arena, &route->target_self, ret_error);
        if (!failed)
            route->target = target;
        return failed;
    }
    check(false); /* the config's table has one of them */
}

static int copy_route(struct gateway_table *table, struct gateway_route *route,
                      const struct gateway_route_config *config,
                      const struct gateway_config *section) {
    struct arena *arena = &table->arena;
    route->table = table;
    route->body_max = config->max_body;
    route->concurrency = (uint64_t)config->concurrency;
    route->exchange_ns = config->exchange_timeout_ns;
    if (route->concurrency)
        route->under_way = arena_zalloc(arena, table->gateway->node->shards, sizeof(uint32_t));
    int failed = route->concurrency && !route->under_way ? -ENOMEM : 0;
    if (!failed)
        failed = config->name.len ? arena_copy(arena, config->name, &route->name)
                                  : route_match_name(&config->match, arena, &route->name);
    if (!failed)
        failed = arena_copy(arena, config->rewrite, &route->rewrite);
    if (!failed)
        failed = copy_fields(arena, &config->request_headers, &route->request_fields);
    if (!failed)
        failed = copy_fields(arena, &config->response_headers, &route->response_fields);
    if (!failed)
        failed = copy_cors(arena, config, &route->cors);
    if (!failed)
        failed = take_ways(route, config, section, arena);
    if (!failed)
        failed = add_metrics(table->gateway, route);
    if (!failed)
        failed = take_limits(route, config, arena);
    return failed;
}

static int make_route(struct gateway_table *table, const struct gateway_route_config *config,
                      const struct gateway_config *section, struct error *ret_error) {
    struct gateway_route *route = &table->routes[table->route_count];
    struct arena scratch _cleanup_arena_ = arena_make(0, 1u << 20);
    int failed = copy_route(table, route, config, section);
    if (!failed)
        failed = route_match_add(table->http, &config->match, exchange_begin_request, route,
                                 config->max_body, &scratch);
    if (!failed && route->cors)
        failed = route_match_add_preflights(table->http, &config->match, exchange_begin_request,
                                            route, &scratch);
    if (failed)
        return error_set(ret_error, failed, "cannot make the route %.*s: %s",
                         slice_fmt(slice_take(route->name, 128)), error_name(failed));
    failed = open_target(table, route, config, ret_error);
    if (!failed)
        table->route_count++;
    return failed;
}

/* --- the table ---------------------------------------------------------------------------------
 */

static void table_free(void *owner) {
    struct gateway_table *table = owner;
    for (unsigned i = 0; i < table->route_count; i++)
        if (table->routes[i].target->close)
            table->routes[i].target->close(table->routes[i].target_self);
    gateway_ways_free(table->ways);
    struct arena arena = table->arena; /* the table lies in it */
    arena_free(&arena);
}

static int take_trusted(struct gateway_table *table, const struct gateway_config *config) {
    const slice *items = config->trusted_proxies.items;
    size_t count = config->trusted_proxies.count;
    table->trusted = arena_zalloc(&table->arena, count, sizeof *table->trusted);
    if (!table->trusted)
        return -ENOMEM;
    for (size_t i = 0; i < count; i++)
        if (ip_network_parse(items[i], &table->trusted[table->trusted_count]) == 0)
            table->trusted_count++;
    return arena_copy(&table->arena, config->access_log.path, &table->access_log);
}

/* "10.0.0.2:53,[::1]:53" of the config's list. */
static int take_resolver(struct gateway_table *table, const struct gateway_config *config) {
    const slice *items = config->resolver.items;
    slice text = {0};
    for (size_t i = 0; i < config->resolver.count; i++) {
        struct url_authority server;
        check(url_parse_authority(items[i], &server) == 0); /* judged with the config */
        int failed =
            arena_printf(&table->arena, &text, server.is_ipv6 ? "%.*s%s[%.*s]:%u" : "%.*s%s%.*s:%u",
                         slice_fmt(text), i ? "," : "", slice_fmt(server.host),
                         server.has_port ? server.port : 53u);
        if (failed)
            return failed;
    }
    table->resolver = text.ptr; /* NULL where there is none */
    return 0;
}

/* What comes to it is known by an id, counted and logged as all else. */
static int make_nowhere(struct gateway_table *table) {
    table->nowhere = (struct gateway_route){
        .table = table,
        .name = slice_lit("none"),
        .target = &nowhere_target,
        .body_max = UINT64_MAX, /* 404 whatever the length of a body */
    };
    http_routes_set_fallback(table->http, exchange_begin_request, &table->nowhere);
    return add_metrics(table->gateway, &table->nowhere);
}

static int fill(struct gateway_table *table, const struct gateway_config *config,
                struct error *ret_error) {
    const struct gateway_route_config *routes = config->routes.items;
    table->routes = arena_zalloc(&table->arena, config->routes.count, sizeof *table->routes);
    int failed = table->routes ? take_trusted(table, config) : -ENOMEM;
    if (!failed)
        failed = take_resolver(table, config);
    if (!failed)
        failed = make_nowhere(table);
    if (failed)
        return error_set(ret_error, failed, "no memory for the gateway's routes");
    failed =
        gateway_ways_create(table->gateway, &config->auth, &table->arena, &table->ways, ret_error);
    for (size_t i = 0; i < config->routes.count && !failed; i++)
        failed = make_route(table, &routes[i], config, ret_error);
    if (failed)
        return failed;
    failed = http_routes_seal(table->http);
    return failed ? error_set(ret_error, failed, "no memory for the gateway's routes") : 0;
}

int gateway_table_create(struct gateway *gateway, const struct gateway_config *config,
                         struct gateway_table **ret_table, struct error *ret_error) {
    struct arena arena = arena_make(0, TABLE_BYTES_MAX);
    struct gateway_table *table = arena_zalloc(&arena, 1, sizeof *table);
    struct http_routes *http;
    if (!table || http_routes_create(&http)) {
        arena_free(&arena);
        return error_set(ret_error, -ENOMEM, "no memory for the gateway's routes");
    }
    table->arena = arena;
    table->gateway = gateway;
    table->http = http;
    http_routes_on_free(http, table_free, table);
    int failed = fill(table, config, ret_error);
    if (failed)
        http_routes_unref(http);
    else
        *ret_table = table;
    return failed;
}

struct gateway_table *gateway_table_ref(struct gateway_table *table) {
    http_routes_ref(table->http);
    return table;
}

struct gateway_table *gateway_table_unref(struct gateway_table *table) {
    if (table)
        http_routes_unref(table->http);
    return NULL;
}

/* --- on a loop ---------------------------------------------------------------------------------
 */

static void close_shares(struct gateway_table *table, struct gateway_shard *shard, unsigned end) {
    for (unsigned i = 0; i < end; i++)
        if (table->routes[i].target->shard_close)
            table->routes[i].target->shard_close(table->routes[i].target_self, shard);
}

int gateway_table_shard_open(struct gateway_table *table, struct gateway_shard *shard) {
    if (gateway_names_set_servers(shard, table->resolver))
        return -ENOMEM;
    for (unsigned i = 0; i < table->route_count; i++) {
        const struct gateway_target *target = table->routes[i].target;
        int failed =
            target->shard_open ? target->shard_open(table->routes[i].target_self, shard) : 0;
        if (failed) {
            close_shares(table, shard, i);
            return failed;
        }
    }
    return 0;
}

void gateway_table_shard_close(struct gateway_table *table, struct gateway_shard *shard) {
    close_shares(table, shard, table->route_count);
}
