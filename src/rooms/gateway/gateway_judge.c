/*
 * gateway_judge.c - mistakes between the keys of section `gateway`.
 *
 * Each value is fine, together they are not. Routes are put into a real table, so that what would
 * clash when the node starts is found by the check. Pure: no file is looked at.
 */
#include "base/ip.h"
#include "http/routes.h"
#include "rooms/gateway/gateway_config.h"
#include "rooms/gateway/origin.h"
#include "rooms/gateway/route_match.h"
#include "rooms/gateway/template.h"

#include <errno.h>
#include <stdio.h>

/* One judgement at work. */
struct judge {
    const struct gateway_config *config;
    const struct room_setting *setting;
    struct conf_errors *errors;
};

static void note(const struct judge *j, const struct conf_item *item, const char *hint,
                 const char *format, ...) printf_like(4, 5);
static void note(const struct judge *j, const struct conf_item *item, const char *hint,
                 const char *format, ...) {
    char text[300];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    conf_errors_note(j->errors, item->place, hint, "%s", text);
}

/* --- templates ---------------------------------------------------------------------------------
 */

static void judge_template(const struct judge *j, const struct gateway_route_config *route,
                           const char *key, slice text, enum template_kind kind) {
    struct error e = {0};
    if (text.len && template_check(text, kind, route->match.path, &e) == -EINVAL)
        note(j, &route->to.item, e.hint[0] ? e.hint : NULL, "'%s' %s", key, e.message);
}

static void judge_templates(const struct judge *j, const struct gateway_route_config *route) {
    const struct gateway_to *to = &route->to;
    const slice *sse = to->sse.items, *subscribe = to->websocket.subscribe.items;
    judge_template(j, route, "request", to->request, TEMPLATE_SUBJECT);
    judge_template(j, route, "publish", to->publish, TEMPLATE_SUBJECT);
    judge_template(j, route, "websocket.publish", to->websocket.publish, TEMPLATE_SUBJECT);
    judge_template(j, route, "redirect", to->redirect, TEMPLATE_URL);
    judge_template(j, route, "rewrite", route->rewrite, TEMPLATE_PATH);
    for (size_t i = 0; i < to->sse.count; i++)
        judge_template(j, route, "sse", sse[i], TEMPLATE_FILTER);
    for (size_t i = 0; i < to->websocket.subscribe.count; i++)
        judge_template(j, route, "websocket.subscribe", subscribe[i], TEMPLATE_FILTER);
}

/* --- targets -----------------------------------------------------------------------------------
 */

static void judge_http(const struct judge *j, const struct gateway_to *to) {
    const int64_t *weights = to->weights.items;
    int64_t sum = 0;
    for (size_t i = 0; i < to->weights.count; i++) {
        sum += weights[i];
        if (weights[i] < 0 || weights[i] > 1000)
            note(j, &to->item, "0 to 1000", "a weight is outside its range");
    }
    if (to->weights.count && to->weights.count != to->http.count)
        note(j, &to->item, "one for each service, in the same order",
             "there are %zu weights for %zu services", to->weights.count, to->http.count);
    else if (to->weights.count && sum == 0)
        note(j, &to->item, "give one of them more", "every weight is 0: no service would be asked");
    bool key = to->hash_header.len || to->hash_cookie.len;
    if (to->hash_header.len && to->hash_cookie.len)
        note(j, &to->item, "take one of them out", "hash_header and hash_cookie are both given");
    if (key && to->balance != GATEWAY_HASH)
        note(j, &to->item, "write balance: hash", "a hash key without balance: hash");
    if ((to->tls.cert.len > 0) != (to->tls.key.len > 0))
        note(j, &to->tls.item, NULL, "cert and key of tls go together");
}

static void judge_to(const struct judge *j, const struct gateway_route_config *route) {
    const struct gateway_to *to = &route->to;
    if (to->http.count)
        judge_http(j, to);
    if (to->websocket.item.given && !to->websocket.subscribe.count && !to->websocket.publish.len)
        note(j, &to->websocket.item, "give one of them", "websocket needs subscribe or publish");
    if (to->status && to->status != 301 && to->status != 302 && to->status != 303 &&
        to->status < 307)
        note(j, &to->item, "301, 302, 303, 307 or 308", "status %lld is no redirect",
             (long long)to->status);
    if (route->exchange_timeout_ns && (to->sse.count || to->websocket.item.given))
        note(j, &route->item, "take it out: the client's going ends it, or the node's stop",
             "exchange_timeout has nothing to do where an answer has no end");
    if (route->rewrite.len && !to->http.count && !to->node.len)
        note(j, &route->item, "only http and node are asked for a path",
             "rewrite has nothing to do here");
}

/* --- who may -----------------------------------------------------------------------------------
 */

static bool is_way(const struct judge *j, slice name) {
    const struct gateway_auth_config *ways = j->config->auth.items;
    for (size_t i = 0; i < j->config->auth.count; i++)
        if (slice_equal(ways[i].item.name, name))
            return true;
    return false;
}

static void judge_route_auth(const struct judge *j, const struct gateway_route_config *route) {
    const slice *names = route->auth.items;
    for (size_t i = 0; i < route->auth.count; i++) {
        bool none = slice_equal(names[i], slice_lit("none"));
        if (none && route->auth.count > 1)
            note(j, &route->item, "write none alone, or take it out",
                 "auth names none beside a way: anybody would be let in");
        else if (!none && !is_way(j, names[i]))
            note(j, &route->item, "ways are declared in gateway.auth",
                 "auth names '%.*s', which gateway.auth does not have",
                 slice_fmt(slice_take(names[i], 64)));
    }
    if (!route->auth.count && j->setting->http_exposed)
        note(j, &route->item, "auth: none is a statement; --insecure asks for none",
             "a route of a listener off loopback does not say who may use it");
}

static void judge_jwt(const struct judge *j, const struct gateway_jwt *jwt) {
    static const char *const known[] = {"RS256", "RS384", "RS512", "PS256", "PS384", "PS512",
                                        "ES256", "ES384", "EdDSA", "HS256", "HS384", "HS512"};
    int sources = (jwt->jwks_url.len > 0) + (jwt->jwks_file.len > 0) + (jwt->public_key.len > 0) +
                  (jwt->secret.len > 0);
    if (!jwt->item.given || jwt->item.faulty)
        return;
    if (sources != 1)
        note(j, &jwt->item, NULL,
             "jwt needs exactly one of: jwks_url, jwks_file, public_key, secret");
    const slice *names = jwt->algorithms.items;
    for (size_t i = 0; i < jwt->algorithms.count; i++) {
        bool found = false;
        for (size_t k = 0; k < array_count(known) && !found; k++)
            found = slice_equal(names[i], slice_str(known[k]));
        bool shared = slice_starts_with(names[i], slice_lit("HS"));
        if (!found)
            note(j, &jwt->item, "RS256, PS256, ES256, EdDSA, HS256 and their longer kin",
                 "'%.*s' is not an algorithm", slice_fmt(slice_take(names[i], 32)));
        else if (shared != (jwt->secret.len > 0) && !jwt->jwks_url.len && !jwt->jwks_file.len)
            note(j, &jwt->item, "HS algorithms go with a secret, the others with public keys",
                 "'%.*s' does not go with this key", slice_fmt(names[i]));
    }
}

static void judge_ways(const struct judge *j) {
    const struct gateway_auth_config *ways = j->config->auth.items;
    for (size_t i = 0; i < j->config->auth.count; i++) {
        if (slice_equal(ways[i].item.name, slice_lit("none")))
            note(j, &ways[i].item, NULL, "'none' cannot be the name of a way");
        judge_jwt(j, &ways[i].jwt);
        if (ways[i].basic.item.given && !j->setting->has_users)
            note(j, &ways[i].item, "add auth.users with user and password",
                 "basic has no users to let in");
        if (ways[i].client_certificate.item.given && !j->setting->http_verifies)
            note(j, &ways[i].item, "set listen.http.tls with ca and verify: true",
                 "the http listener asks no client for a certificate");
    }
}

static void judge_limits(const struct judge *j, const struct gateway_route_config *route) {
    const struct gateway_limit_config *limits = route->limit.items;
    for (size_t i = 0; i < route->limit.count; i++)
        if (!limits[i].item.faulty && limits[i].rate.count == 0)
            note(j, &limits[i].item, "a rate such as 10/s", "a rate of 0 lets nobody in");
}

static void judge_cors(const struct judge *j, const struct gateway_route_config *route) {
    const struct gateway_cors_config *cors = &route->cors;
    const slice *origins = cors->origins.items;
    for (size_t i = 0; i < cors->origins.count; i++) {
        bool any = slice_equal(origins[i], slice_lit("*"));
        if (any && cors->credentials)
            note(j, &cors->item, "name the origins", "credentials do not go with every origin");
        if (origin_pattern_check(origins[i]))
            note(j, &cors->item, "scheme://host[:port], without a path", "'%.*s' is not an origin",
                 slice_fmt(slice_take(origins[i], 64)));
    }
}

/* --- routes ------------------------------------------------------------------------------------
 */

static void ignore_request(void *owner, struct http_request *request) {
    (void)owner;
    (void)request;
}

static int judge_match(const struct judge *j, struct http_routes *table,
                       const struct gateway_route_config *route) {
    struct arena scratch _cleanup_arena_ = arena_make(0, 1u << 20);
    int failed = route_match_add(table, &route->match, ignore_request, NULL, 0, &scratch);
    if (failed == -EINVAL)
        note(j, &route->match.item, "/word, /{name}, or /* at the end; at most 8 conditions",
             "the path '%.*s', the host or a condition makes no sense",
             slice_fmt(slice_take(route->match.path, 64)));
    else if (failed == -EEXIST)
        note(j, &route->match.item, "make one of them more specific",
             "another route is for the same requests");
    else if (failed == -ENOBUFS)
        note(j, &route->match.item, NULL, "too many routes or conditions");
    return failed == -ENOMEM ? failed : 0;
}

static void judge_routes(const struct judge *j) {
    const struct gateway_route_config *routes = j->config->routes.items;
    struct http_routes *table;
    int failed = http_routes_create(&table);
    for (size_t i = 0; i < j->config->routes.count && !failed; i++) {
        const struct gateway_route_config *route = &routes[i];
        if (route->item.faulty || route->match.item.faulty || route->to.item.faulty)
            continue;
        failed = judge_match(j, table, route);
        judge_templates(j, route);
        judge_to(j, route);
        judge_route_auth(j, route);
        judge_limits(j, route);
        judge_cors(j, route);
    }
    if (failed)
        note(j, &j->config->item, NULL, "no memory to check the routes");
    else
        http_routes_unref(table);
}

void gateway_judge(const void *section, const struct room_setting *setting,
                   struct conf_errors *errors) {
    struct judge j = {section, setting, errors};
    const slice *proxies = j.config->trusted_proxies.items;
    for (size_t i = 0; i < j.config->trusted_proxies.count; i++) {
        struct ip_network network;
        if (ip_network_parse(proxies[i], &network))
            note(&j, &j.config->item, "an address, or network/bits with zeroes behind the bits",
                 "'%.*s' in trusted_proxies is not a network",
                 slice_fmt(slice_take(proxies[i], 64)));
    }
    judge_ways(&j);
    judge_routes(&j);
}
