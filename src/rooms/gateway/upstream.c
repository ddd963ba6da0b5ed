/*
 * upstream.c - the registry of a loop's upstreams, what becomes of one, and its figures.
 *
 *     NAMED --no share names it--> RETIRED --the last call is over--> freed
 *
 * Figures are named by URL alone: upstreams with other options or addresses, and those of other
 * loops, are in the same sum, so nonet_gateway_upstream_healthy says how many of them take
 * requests. The series of a URL that nobody names any more is hidden, by loop 0 alone, whose tables
 * come and go in order.
 */
#include "rooms/gateway/upstream.h"

#include "base/map.h"
#include "base/mem.h"
#include "rooms/gateway/mirror.h"
#include "wire/json_write.h"

#include <errno.h>

#define TEXTS_MAX 65536u /* bytes of one upstream's options */

struct gateway_upstreams {
    struct list all;
    struct map by_key; /* of those that are named */
};

static const struct metrics_family healthy_family = {
    .name = "nonet_gateway_upstream_healthy",
    .kind = METRICS_GAUGE,
    .labels = {"upstream"},
    .help = "Shards (and routes with other options, and addresses) that give requests to this "
            "service.",
};
static const struct metrics_family requests_family = {
    .name = "nonet_gateway_upstream_requests_total",
    .kind = METRICS_COUNTER,
    .labels = {"upstream", "status"},
    .help = "Answers of a service, by first digit of the status.",
};
static const struct metrics_family failures_family = {
    .name = "nonet_gateway_upstream_failures_total",
    .kind = METRICS_COUNTER,
    .labels = {"upstream", "kind"},
    .help = "Requests to a service that came to no whole answer, retried ones and health checks "
            "too.",
};
/* Bounds in ns, printed as seconds. */
static const uint64_t seconds_bounds[] = {500000,     1000000,    2500000,    5000000,    10000000,
                                          25000000,   50000000,   100000000,  250000000,  500000000,
                                          1000000000, 2500000000, 5000000000, 10000000000};
static const struct metrics_family seconds_family = {
    .name = "nonet_gateway_upstream_seconds",
    .kind = METRICS_HISTOGRAM,
    .unit = "seconds",
    .labels = {"upstream"},
    .bounds = seconds_bounds,
    .bound_count = array_count(seconds_bounds),
    .scale = 1e-9,
    .help = "Time from a request's being given to a service until its answer begins.",
};

/* --- figures -----------------------------------------------------------------------------------
 */

static void name_series(struct upstream *u) {
    static const char *const classes[UPSTREAM_CLASSES] = {"1xx", "2xx", "3xx", "4xx", "5xx"};
    static const char *const kinds[UPSTREAM_FAILURES] = {"connect", "busy", "closed",
                                                         "answer",  "time", "health"};
    struct metrics *metrics = u->shard->gateway->node->metrics;
    struct upstream_metrics *m = &u->metrics;
    slice names[2] = {u->options.url};
    (void)metrics_add_series(metrics, &healthy_family, names, &m->healthy);
    (void)metrics_add_series(metrics, &seconds_family, names, &m->seconds);
    for (unsigned i = 0; i < UPSTREAM_CLASSES; i++) {
        names[1] = slice_str(classes[i]);
        (void)metrics_add_series(metrics, &requests_family, names, &m->requests[i]);
    }
    for (unsigned i = 0; i < UPSTREAM_FAILURES; i++) {
        names[1] = slice_str(kinds[i]);
        (void)metrics_add_series(metrics, &failures_family, names, &m->failures[i]);
    }
}

static bool is_named(const struct gateway_upstreams *registry, slice url) {
    struct list_node *at, *following;
    list_each(&registry->all, at, following) {
        const struct upstream *u = container_of(at, struct upstream, node);
        if (u->named && slice_equal(u->options.url, url))
            return true;
    }
    return false;
}

static void hide_series(struct upstream *u) {
    struct metrics *metrics = u->shard->gateway->node->metrics;
    if (u->shard->shard->index != 0 || is_named(u->shard->upstreams, u->options.url))
        return;
    metrics_hide_series(metrics, u->metrics.healthy);
    metrics_hide_series(metrics, u->metrics.seconds);
    for (unsigned i = 0; i < UPSTREAM_CLASSES; i++)
        metrics_hide_series(metrics, u->metrics.requests[i]);
    for (unsigned i = 0; i < UPSTREAM_FAILURES; i++)
        metrics_hide_series(metrics, u->metrics.failures[i]);
}

static void count_healthy(struct upstream *u) {
    bool healthy = u->named && !u->load.unwell && !u->load.ejected;
    if (healthy == u->counted)
        return;
    u->counted = healthy;
    metrics_gauge_add(u->shard->shard->metrics, u->metrics.healthy, healthy ? 1 : -1);
}

/* --- making and ending -------------------------------------------------------------------------
 */

static int copy_options(struct upstream *u, const struct upstream_options *options) {
    struct upstream_options *o = &u->options;
    slice address;
    *o = *options;
    int failed = arena_copy(&u->arena, options->key, &o->key);
    if (!failed)
        failed = arena_copy(&u->arena, options->url, &o->url);
    if (!failed)
        failed = arena_copy(&u->arena, options->host, &o->host);
    if (!failed)
        failed = arena_copy(&u->arena, options->health_path, &o->health_path);
    if (!failed)
        failed = arena_copy(&u->arena, slice_str(options->address), &address);
    if (!failed)
        failed = arena_copy(&u->arena, options->name, &o->name);
    if (!failed)
        o->address = address.ptr;
    return failed;
}

static int open_pool(struct upstream *u) {
    const struct http_pool_options options = {
        .address = u->options.address,
        .tls = u->options.tls,
        .connections_max = u->options.connections,
        .idle_max = u->options.connections,
        .idle_ns = u->options.idle_ns,
        .connect_ns = u->options.connect_ns,
        .silence_ns = UPSTREAM_SILENCE_NS,
    };
    return http_pool_create(u->shard->shard->loop, &options, &u->pool);
}

static void upstream_free(struct upstream *u) {
    struct io_loop *loop = u->shard->shard->loop;
    upstream_check_close(u);
    mirror_free_all(u);
    http_pool_free(u->pool);
    io_timer_stop(loop, &u->ejected);
    list_remove(&u->node);
    arena_free(&u->arena);
    mem_free(u);
}

static int upstream_make(struct gateway_shard *shard, const struct upstream_options *options,
                         struct upstream **ret_upstream) {
    struct upstream *u = mem_zalloc(1, sizeof *u);
    if (!u)
        return -ENOMEM;
    u->shard = shard;
    u->arena = arena_make(512, TEXTS_MAX);
    list_init(&u->mirrored);
    list_init(&u->spare_mirrors);
    list_push_back(&shard->upstreams->all, &u->node);
    int failed = copy_options(u, options);
    if (!failed)
        failed = open_pool(u);
    if (!failed)
        failed = upstream_check_open(u);
    if (!failed)
        failed = map_add(&shard->upstreams->by_key, u->options.key, u);
    if (failed) {
        upstream_free(u);
        return failed;
    }
    name_series(u);
    *ret_upstream = u;
    return 0;
}

static int open_registry(struct gateway_shard *shard) {
    struct gateway_upstreams *registry = mem_alloc(sizeof *registry);
    struct hash_key key = {random_u64(&shard->random), random_u64(&shard->random)};
    if (!registry)
        return -ENOMEM;
    list_init(&registry->all);
    registry->by_key = map_make(key, UPSTREAMS_MAX);
    shard->upstreams = registry;
    return 0;
}

int upstream_take(struct gateway_shard *shard, const struct upstream_options *options,
                  struct upstream **ret_upstream) {
    int failed = shard->upstreams ? 0 : open_registry(shard);
    if (failed)
        return failed;
    struct upstream *u = map_find(&shard->upstreams->by_key, options->key);
    if (!u)
        failed = upstream_make(shard, options, &u);
    if (failed)
        return failed;
    u->named++;
    count_healthy(u);
    *ret_upstream = u;
    return 0;
}

static void retire(struct upstream *u) {
    map_remove(&u->shard->upstreams->by_key, u->options.key);
    upstream_check_close(u);
    count_healthy(u);
    hide_series(u);
    if (u->load.under_way == 0)
        upstream_free(u);
    else
        http_pool_drain(u->pool);
}

void upstream_drop(struct upstream *u) {
    check(u->named > 0);
    if (--u->named == 0)
        retire(u);
}

void upstream_end(struct upstream *u) {
    check(u->load.under_way > 0);
    if (--u->load.under_way == 0 && u->named == 0)
        upstream_free(u);
}

void gateway_upstreams_close(struct gateway_shard *shard) {
    struct gateway_upstreams *registry = shard->upstreams;
    if (!registry)
        return;
    while (!list_empty(&registry->all)) {
        upstream_free(container_of(registry->all.head.next, struct upstream, node));
    }
    map_free(&registry->by_key);
    shard->upstreams = mem_free(registry);
}

/* --- what is known of it -----------------------------------------------------------------------
 */

static void tell(const struct upstream *u, enum log_level level, const char *message,
                 const char *why) {
    logger_write(u->shard->gateway->node->logger, level, "gateway", message,
                 "upstream=%.*s address=%s shard=%u reason=%s", slice_fmt(u->options.url),
                 u->options.address, u->shard->shard->index, why);
}

void upstream_set_unwell(struct upstream *u, bool unwell, const char *why) {
    if (unwell != u->load.unwell)
        tell(u, unwell ? LOG_LEVEL_WARN : LOG_LEVEL_INFO,
             unwell ? "a service is unwell and is asked no more" : "a service is well again", why);
    u->load.unwell = unwell;
    count_healthy(u);
}

static void on_ejection_over(struct io_timer *timer) {
    struct upstream *u = container_of(timer, struct upstream, ejected);
    ejection_end(&u->ejection);
    u->load.ejected = false;
    tell(u, LOG_LEVEL_INFO, "a service is asked again", "its time out is over");
    count_healthy(u);
}

static void note(struct upstream *u, bool good, const char *why) {
    if (!u->options.ejects)
        return;
    unsigned times = ejection_note(&u->ejection, good, u->options.eject_failures);
    if (times == 0)
        return;
    u->load.ejected = true;
    tell(u, LOG_LEVEL_WARN, "a service fails requests and is left out for a while", why);
    io_timer_start(u->shard->shard->loop, &u->ejected, u->options.eject_ns * times,
                   on_ejection_over);
    count_healthy(u);
}

static bool is_bad(unsigned status) {
    return status >= 502 && status <= 504;
}

void upstream_answered(struct upstream *u, unsigned status, uint64_t waited_ns) {
    struct metrics_shard *here = u->shard->shard->metrics;
    metrics_count(here, u->metrics.requests[status / 100 - 1], 1);
    metrics_observe(here, &seconds_family, u->metrics.seconds, waited_ns);
    if (is_bad(status))
        note(u, false, "its answers are 502, 503 or 504");
}

/* Not by its head: a service that cuts all its answers short would be as good as new each time. */
void upstream_served(struct upstream *u, unsigned status) {
    if (!is_bad(status))
        note(u, true, "");
}

void upstream_failed(struct upstream *u, enum upstream_failure failure, const char *why) {
    metrics_count(u->shard->shard->metrics, u->metrics.failures[failure], 1);
    if (failure != UPSTREAM_BUSY && failure != UPSTREAM_HEALTH) /* these say nothing of requests */
        note(u, false, why);
}

bool upstream_is_our_own(int code) {
    return code == -ENOMEM || code == -EMFILE || code == -ENFILE || code == -ENOBUFS ||
           code == -EADDRNOTAVAIL;
}

static const char *state_of(const struct upstream *u) {
    if (!u->named)
        return "leaving";
    return u->load.unwell ? "unwell" : u->load.ejected ? "ejected" : "in service";
}

void upstream_write(const struct upstream *u, slice route, bool mirror, struct json_writer *w) {
    struct http_pool_stats pool = http_pool_stats(u->pool);
    const struct {
        const char *name;
        uint64_t value;
    } figures[] = {
        {"under_way", u->load.under_way},
        {"connections", pool.connections},
        {"idle", pool.idle},
        {"waiting", pool.waiting},
        {"connections_total", pool.connections_total},
        {"connect_failures", pool.connect_failures},
        {"repeated_calls", pool.retries},
    };
    json_write_object(w);
    if (route.len) {
        json_write_key(w, "route");
        json_write_string(w, route);
    }
    json_write_key(w, "url");
    json_write_string(w, u->options.url);
    json_write_key(w, "state");
    json_write_text(w, mirror ? "mirror" : state_of(u));
    json_write_key(w, "address");
    json_write_text(w, u->options.address);
    json_write_key(w, "checked");
    json_write_bool(w, u->options.checked);
    for (size_t i = 0; i < array_count(figures); i++) {
        json_write_key(w, figures[i].name);
        json_write_u64(w, figures[i].value);
    }
    json_write_end(w);
}

unsigned gateway_upstreams_write_leaving(const struct gateway_shard *shard, unsigned max,
                                         struct json_writer *w) {
    struct list_node *at, *following;
    unsigned count = 0;
    if (shard->upstreams)
        list_each(&shard->upstreams->all, at, following) {
            const struct upstream *u = container_of(at, struct upstream, node);
            if (u->named || count == max)
                continue;
            upstream_write(u, (slice){0}, false, w);
            count++;
        }
    return count;
}
