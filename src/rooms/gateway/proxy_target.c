/*
 * proxy_target.c - what a route with `to.http` needs, made with the table: services under the keys
 * by which loops know them again, TLS contexts, and each loop's share.
 *
 * A KEY is every option that makes a difference to connections or health, in one text. Files of TLS
 * are in it by what they hold, so that a renewed certificate makes new connections at a reload, and
 * an unchanged one keeps the old.
 */
#include "rooms/gateway/proxy.h"

#include "base/hash.h"
#include "base/mem.h"
#include "io/file.h"
#include "rooms/gateway/proxy_fields.h"
#include "wire/url.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#define SECOND UINT64_C(1000000000)
#define TIMEOUT_NS (60 * SECOND)
#define CONNECT_NS (2 * SECOND)
#define IDLE_NS (4 * SECOND)
#define CONNECTIONS 256u
#define FILE_MAX (4u << 20)   /* of TLS */
#define WEIGHT_SCALE 1000000u /* of a weight, so that it can be shared by addresses */

static bool chosen(const struct gateway_to *to) {
    return to->http.count > 0;
}

/* --- TLS ---------------------------------------------------------------------------------------
 */

/* A number that stands for what FILE holds. */
static int digest(struct gateway *gateway, slice file, uint64_t *ret_digest,
                  struct error *ret_error) {
    static const struct hash_key unkeyed;
    char *bytes;
    size_t size;
    *ret_digest = 0;
    if (file.len == 0)
        return 0;
    int failed = io_file_load(gateway->node->host, file.ptr, FILE_MAX, &bytes, &size);
    if (failed)
        return error_set(ret_error, failed, "%s cannot be read: %s", file.ptr, error_name(failed));
    *ret_digest = hash_slice(&unkeyed, slice_make(bytes, size));
    mem_free(bytes);
    return 0;
}

/* The part of a key that says how TLS is spoken. */
static int describe_tls(struct gateway *gateway, const struct gateway_upstream_tls *config,
                        struct arena *arena, slice *ret_text, struct error *ret_error) {
    uint64_t ca, cert, key;
    int failed = digest(gateway, config->ca, &ca, ret_error);
    if (!failed)
        failed = digest(gateway, config->cert, &cert, ret_error);
    if (!failed)
        failed = digest(gateway, config->key, &key, ret_error);
    if (failed)
        return failed;
    failed =
        arena_printf(arena, ret_text, "tls %016" PRIx64 " %016" PRIx64 " %016" PRIx64 " %d %.*s",
                     ca, cert, key, config->verify, slice_fmt(config->server_name));
    return failed ? error_set(ret_error, failed, "no memory for a service") : 0;
}

static const char *text_or_null(slice text) {
    return text.len ? text.ptr : NULL;
}

static int make_tls(struct gateway *gateway, const struct gateway_upstream_tls *config,
                    struct arena *arena, const struct url *url, struct io_tls **ret_tls,
                    struct error *ret_error) {
    static const char *const protocols[] = {"http/1.1", NULL};
    slice name;
    if (arena_copy(arena, config->server_name.len ? config->server_name : url->authority.host,
                   &name))
        return error_set(ret_error, -ENOMEM, "no memory for a service");
    const struct io_tls_options options = {
        .cert_file = text_or_null(config->cert),
        .key_file = text_or_null(config->key),
        .ca_file = text_or_null(config->ca),
        .verify_peer = config->verify,
        .server_name = name.ptr,
        .alpn = protocols,
    };
    return io_tls_create(gateway->node->host, &options, ret_tls, ret_error);
}

/* --- services ----------------------------------------------------------------------------------
 */

static void take_options(const struct gateway_to *to, struct upstream_options *o) {
    o->connections = to->connections ? (unsigned)to->connections : CONNECTIONS;
    o->connect_ns = to->connect_timeout_ns ? to->connect_timeout_ns : CONNECT_NS;
    o->idle_ns = to->idle_timeout_ns ? to->idle_timeout_ns : IDLE_NS;
    o->checked = to->health.item.given;
    if (o->checked) {
        o->health_path = to->health.path;
        o->health_every_ns = to->health.every_ns;
        o->health_timeout_ns = to->health.timeout_ns;
        o->rise = (unsigned)to->health.rise;
        o->fall = (unsigned)to->health.fall;
    }
    o->ejects = !to->eject.item.off;
    o->eject_failures = (unsigned)to->eject.failures;
    o->eject_ns = to->eject.time_ns;
}

static int name_service(struct arena *arena, slice text, const struct url *url, bool https,
                        struct upstream_options *o) {
    const struct url_authority *authority = &url->authority;
    unsigned port = authority->has_port ? authority->port : https ? 443 : 80;
    slice address, trimmed = text;
    if (slice_ends_with(trimmed, slice_lit("/")))
        trimmed.len--;
    int failed = arena_copy(arena, trimmed, &o->url);
    if (!failed)
        failed = arena_copy(arena, url->authority_text, &o->host);
    o->port = port;
    if (!failed && !authority->is_ipv6 && gateway_name_is(authority->host))
        failed = arena_copy(arena, authority->host, &o->name);
    if (!failed)
        failed = arena_printf(arena, &address, authority->is_ipv6 ? "[%.*s]:%u" : "%.*s:%u",
                              slice_fmt(authority->host), port);
    if (!failed)
        o->address = address.ptr;
    return failed;
}

static int make_key(struct arena *arena, slice tls, struct upstream_options *o) {
    return arena_printf(arena, &o->key,
                        "%.*s %.*s | %u %" PRIu64 " %" PRIu64 " | %d %.*s %" PRIu64 " %" PRIu64
                        " %u %u | %d %u %" PRIu64,
                        slice_fmt(o->url), slice_fmt(o->tls ? tls : (slice){0}), o->connections,
                        o->connect_ns, o->idle_ns, o->checked, slice_fmt(o->health_path),
                        o->health_every_ns, o->health_timeout_ns, o->rise, o->fall, o->ejects,
                        o->eject_failures, o->eject_ns);
}

/* What the services of one route are made with. */
struct making {
    struct gateway *gateway;
    const struct gateway_to *to;
    struct arena *arena;
    struct proxy_target *target;
    slice tls; /* as in keys; empty: not yet described */
};

static int make_service(struct making *m, slice text, bool mirror, struct upstream_options *o,
                        struct error *ret_error) {
    struct url url;
    check(url_parse(text, &url) == 0); /* judged with the config */
    bool https = slice_equal_nocase(url.scheme, slice_lit("https"));
    take_options(m->to, o);
    if (mirror)
        o->checked = o->ejects = false; /* whatever its state, nobody waits for it */
    int failed = 0;
    if (https && m->tls.len == 0)
        failed = describe_tls(m->gateway, &m->to->tls, m->arena, &m->tls, ret_error);
    if (!failed && https)
        failed = make_tls(m->gateway, &m->to->tls, m->arena, &url, &o->tls, ret_error);
    if (failed)
        return failed;
    if (o->tls)
        m->target->tls[m->target->tls_count++] = o->tls;
    failed = name_service(m->arena, text, &url, https, o);
    if (!failed && o->checked)
        failed = arena_copy(m->arena, o->health_path, &o->health_path);
    if (!failed)
        failed = make_key(m->arena, m->tls, o);
    return failed ? error_set(ret_error, failed, "no memory for a service") : 0;
}

static int make_services(struct making *m, struct error *ret_error) {
    struct proxy_target *t = m->target;
    const slice *urls = m->to->http.items;
    const int64_t *given = m->to->weights.items;
    unsigned count = (unsigned)m->to->http.count;
    struct upstream_options *services = arena_zalloc(m->arena, count + 1, sizeof *services);
    uint32_t *weights = arena_zalloc(m->arena, count, sizeof *weights);
    t->tls = arena_zalloc(m->arena, count + 1, sizeof *t->tls);
    if (!services || !weights || !t->tls)
        return error_set(ret_error, -ENOMEM, "no memory for a route's services");
    int failed = 0;
    for (unsigned i = 0; i < count && !failed; i++) {
        weights[i] = m->to->weights.count ? (uint32_t)given[i] : 1;
        failed = make_service(m, urls[i], false, &services[i], ret_error);
    }
    if (!failed && m->to->mirror.len) {
        failed = make_service(m, m->to->mirror, true, &services[count], ret_error);
        t->mirror = &services[count];
    }
    t->services = services;
    t->weights = weights;
    t->count = count;
    return failed;
}

/* --- the target --------------------------------------------------------------------------------
 */

static void target_close(void *self) {
    struct proxy_target *t = self;
    for (unsigned i = 0; i < t->tls_count; i++)
        io_tls_unref(t->tls[i]);
}

static int target_open(struct gateway *gateway, const struct gateway_route_config *config,
                       struct arena *arena, void **ret_self, struct error *ret_error) {
    const struct gateway_to *to = &config->to;
    struct proxy_target *t = arena_zalloc(arena, 1, sizeof *t);
    if (!t || arena_copy(arena, to->hash_header, &t->hash_header) ||
        arena_copy(arena, to->hash_cookie, &t->hash_cookie))
        return error_set(ret_error, -ENOMEM, "no memory for a route's services");
    t->balance = to->balance == GATEWAY_HASH          ? BALANCE_HASH
                 : to->balance == GATEWAY_ROUND_ROBIN ? BALANCE_ROUND_ROBIN
                                                      : BALANCE_LEAST_REQUESTS;
    t->keep_host = to->keep_host;
    t->timeout_ns = to->timeout_ns ? to->timeout_ns : TIMEOUT_NS;
    t->attempts = to->retry.item.off ? 0 : (unsigned)to->retry.attempts;
    t->budget_percent = (unsigned)to->retry.budget_percent;
    struct making making = {.gateway = gateway, .to = to, .arena = arena, .target = t};
    int failed = make_services(&making, ret_error);
    if (failed)
        target_close(t);
    else
        *ret_self = t;
    return failed;
}

/* --- shares ------------------------------------------------------------------------------------
 */

/* Members in the making. */
struct members {
    struct balance_member of[BALANCE_MEMBERS_MAX];
    struct upstream *upstreams[BALANCE_MEMBERS_MAX];
    const struct upstream_options *services[BALANCE_MEMBERS_MAX];
    unsigned count;
};

static void drop_all(struct upstream **upstreams, unsigned count) {
    for (unsigned i = 0; i < count; i++)
        upstream_drop(upstreams[i]);
}

static void share_free(struct proxy_share *share) {
    for (unsigned i = 0; share->watches && i <= share->target->count; i++)
        gateway_watch_end(&share->watches[i].watch);
    drop_all(share->upstreams, share->balance.count);
    drop_all(share->mirrors, share->mirror_count);
    io_defer_cancel(share->shard->shard->loop, &share->wake);
    mem_free(share->watches);
    mem_free(share);
}

struct proxy_share *proxy_share_unref(struct proxy_share *share) {
    if (share && --share->count == 0)
        share_free(share);
    return NULL;
}

/* The upstream of SERVICE at ADDRESS, or the one of its URL's own address where that is NULL; *SEED
   tells it from the others of the route. */
static int take_upstream(struct gateway_shard *shard, const struct upstream_options *service,
                         const struct ip *address, struct upstream **ret_upstream,
                         uint64_t *ret_seed) {
    char text[IP_TEXT_MAX], place[IP_TEXT_MAX + 8];
    struct arena arena _cleanup_arena_ = arena_make(0, 1u << 20);
    struct upstream_options o = *service;
    slice seed = service->url;
    int failed = 0;
    if (address) {
        (void)snprintf(place, sizeof place, ip_is_v4(address) ? "%s:%u" : "[%s]:%u",
                       ip_text(address, text), service->port);
        o.address = place;
        failed = arena_printf(&arena, &o.key, "%.*s @ %s", slice_fmt(service->key), place);
        if (!failed)
            failed = arena_printf(&arena, &seed, "%.*s @ %s", slice_fmt(service->url), place);
    }
    *ret_seed = balance_seed(seed);
    return failed ? failed : upstream_take(shard, &o, ret_upstream);
}

/* The addresses that the service of WATCH has now; *RET_COUNT is 1, with NULL, where it has one of
   its own. */
static const struct ip *addresses_of(const struct gateway_watch *watch, unsigned *ret_count) {
    *ret_count = 1;
    return watch->name ? gateway_name_addresses(watch->name, ret_count) : NULL;
}

static int add_members(struct proxy_share *share, unsigned index, struct members *members) {
    const struct proxy_target *t = share->target;
    unsigned count, count_max = BALANCE_MEMBERS_MAX / t->count;
    const struct ip *addresses = addresses_of(&share->watches[index].watch, &count);
    if (count > count_max) {
        logger_write(share->shard->gateway->node->logger, LOG_LEVEL_WARN, "gateway",
                     "a service has more addresses than its route can ask, the first ones are",
                     "upstream=%.*s addresses=%u asked=%u", slice_fmt(t->services[index].url),
                     count, count_max);
        count = count_max;
    }
    for (unsigned i = 0; i < count; i++) {
        unsigned at = members->count;
        int failed =
            take_upstream(share->shard, &t->services[index], addresses ? &addresses[i] : NULL,
                          &members->upstreams[at], &members->of[at].seed);
        if (failed)
            return failed;
        members->of[at].load = &members->upstreams[at]->load;
        members->of[at].weight = t->weights[index] * WEIGHT_SCALE / count;
        members->services[at] = &t->services[index];
        members->count++;
    }
    return 0;
}

/* Whose turn it is goes on where it was. */
static void keep_turns(const struct proxy_share *share, struct members *members) {
    for (unsigned i = 0; i < members->count; i++)
        for (unsigned j = 0; j < share->balance.count; j++)
            if (members->upstreams[i] == share->upstreams[j])
                members->of[i].turn = share->members[j].turn;
}

static void note_names(struct proxy_share *share) {
    share->asking = share->nameless = false;
    for (unsigned i = 0; i < share->target->count; i++) {
        const struct gateway_name *name = share->watches[i].watch.name;
        unsigned count = 1;
        if (!name || share->target->weights[i] == 0)
            continue;
        (void)gateway_name_addresses(name, &count);
        share->asking |= gateway_name_is_asked_first(name);
        share->nameless |= count == 0;
    }
}

static int renew_mirrors(struct proxy_share *share) {
    const struct proxy_target *t = share->target;
    struct upstream *next[PROXY_MIRRORS_MAX];
    unsigned count = 0, taken = 0;
    uint64_t seed;
    int failed = 0;
    const struct ip *addresses =
        t->mirror ? addresses_of(&share->watches[t->count].watch, &count) : NULL;
    for (; taken < count && taken < PROXY_MIRRORS_MAX && !failed; taken += !failed)
        failed = take_upstream(share->shard, t->mirror, addresses ? &addresses[taken] : NULL,
                               &next[taken], &seed);
    if (failed) {
        drop_all(next, taken);
        return failed;
    }
    drop_all(share->mirrors, share->mirror_count);
    memcpy(share->mirrors, next, taken * sizeof *next);
    share->mirror_count = taken;
    return 0;
}

/* Makes the members anew, of what names are known to be now. On failure the old ones go on. */
static int renew(struct proxy_share *share) {
    struct members members = {.count = 0};
    int failed = 0;
    for (unsigned i = 0; i < share->target->count && !failed; i++)
        failed = add_members(share, i, &members);
    if (!failed)
        failed = renew_mirrors(share);
    if (failed) {
        drop_all(members.upstreams, members.count);
        return failed;
    }
    keep_turns(share, &members);
    drop_all(share->upstreams, share->balance.count);
    memcpy(share->members, members.of, sizeof share->members);
    memcpy(share->upstreams, members.upstreams, sizeof share->upstreams);
    memcpy(share->services, members.services, sizeof share->services);
    share->balance.count = members.count;
    share->version++;
    return 0;
}

static int on_change(struct gateway_watch *watch) {
    struct proxy_share *share = container_of(watch, struct proxy_watch, watch)->share;
    int failed = renew(share);
    if (failed)
        return failed;
    note_names(share);
    io_defer(share->shard->shard->loop, &share->wake);
    return 0;
}

static int watch_names(struct proxy_share *share) {
    const struct proxy_target *t = share->target;
    int failed = 0;
    for (unsigned i = 0; i < t->count + (t->mirror != NULL) && !failed; i++) {
        const struct upstream_options *service = i < t->count ? &t->services[i] : t->mirror;
        share->watches[i].share = share;
        if (service->name.len)
            failed = gateway_watch_begin(share->shard, service->name, on_change,
                                         &share->watches[i].watch);
    }
    return failed;
}

static int target_shard_open(void *self, struct gateway_shard *shard) {
    struct proxy_target *t = self;
    struct proxy_share *share = mem_zalloc(1, sizeof *share);
    if (!share)
        return -ENOMEM;
    share->target = t;
    share->shard = shard;
    share->count = 1;
    share->balance = (struct balance){.kind = t->balance, .members = share->members};
    share->budget = retry_budget_make(t->budget_percent, io_loop_now_ns(shard->shard->loop));
    share->wake.run = proxy_share_wake;
    list_init(&share->waiting);
    share->watches = mem_zalloc(t->count + 1, sizeof *share->watches);
    if (!share->watches || watch_names(share) || renew(share)) {
        share_free(share);
        return -ENOMEM;
    }
    note_names(share);
    t->shares[shard->shard->index] = share;
    return 0;
}

static void target_shard_close(void *self, struct gateway_shard *shard) {
    struct proxy_target *t = self;
    struct proxy_share **share = &t->shares[shard->shard->index];
    *share = proxy_share_unref(*share);
}

static unsigned write_services(const void *self, const struct gateway_shard *shard, slice route,
                               unsigned max, struct json_writer *w) {
    const struct proxy_target *t = self;
    const struct proxy_share *share = t->shares[shard->shard->index];
    unsigned count = 0;
    for (; share && count < share->balance.count && count < max; count++)
        upstream_write(share->upstreams[count], route, false, w);
    for (unsigned i = 0; share && i < share->mirror_count && count < max; i++, count++)
        upstream_write(share->mirrors[i], route, true, w);
    return count;
}

const struct gateway_target http_target = {
    .name = "http",
    .chosen = chosen,
    .open = target_open,
    .close = target_close,
    .shard_open = target_shard_open,
    .shard_close = target_shard_close,
    .start = proxy_start,
    .write_services = write_services,
};
