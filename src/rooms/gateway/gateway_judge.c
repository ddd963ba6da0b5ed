/*
 * gateway_judge.c - mistakes between the keys of section `gateway`.
 *
 * Each value is fine, together they are not. Routes are put into a real table, so that what would
 * clash when the node starts is found by the check. Pure: no file is looked at.
 *
 * A mistake is told at the value that makes it (conf_place_of).
 */
#include "base/ip.h"
#include "http/routes.h"
#include "io/verifier.h"
#include "rooms/gateway/gateway_config.h"
#include "rooms/gateway/origin.h"
#include "rooms/gateway/route_match.h"
#include "rooms/gateway/template.h"
#include "wire/url.h"

#include <errno.h>
#include <stdio.h>

#define NAMES_BYTES_MAX ((size_t)64 << 20) /* of all routes together */

/* One judgement at work. */
struct judge {
    const struct gateway_config *config;
    const struct room_setting *setting;
    struct conf_errors *errors;
};

static void note(const struct judge *j, struct conf_place place, const char *hint,
                 const char *format, ...) printf_like(4, 5);
static void note(const struct judge *j, struct conf_place place, const char *hint,
                 const char *format, ...) {
    char text[300];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    conf_errors_note(j->errors, place, hint, "%s", text);
}

/* --- templates ---------------------------------------------------------------------------------
 */

/* TEXT of a route with PATH; KEY is what it is called in words. */
static void judge_template(const struct judge *j, struct conf_place place, slice path,
                           const char *key, slice text, enum template_kind kind) {
    struct error e = {0};
    if (text.len && template_check(text, kind, path, &e) == -EINVAL)
        note(j, place, e.hint[0] ? e.hint : NULL, "'%s' %s", key, e.message);
}

static void judge_templates(const struct judge *j, const struct gateway_route_config *route) {
    const struct gateway_to *to = &route->to;
    const struct gateway_websocket_config *websocket = &to->websocket;
    const slice *sse = to->sse.items, *subscribe = websocket->subscribe.items;
    slice path = route->match.path;
    judge_template(j, conf_place_of(&to->item, "request", 0), path, "request", to->request,
                   TEMPLATE_SUBJECT);
    judge_template(j, conf_place_of(&to->item, "publish", 0), path, "publish", to->publish,
                   TEMPLATE_SUBJECT);
    judge_template(j, conf_place_of(&websocket->item, "publish", 0), path, "websocket.publish",
                   websocket->publish, TEMPLATE_SUBJECT);
    judge_template(j, conf_place_of(&to->item, "redirect", 0), path, "redirect", to->redirect,
                   TEMPLATE_URL);
    judge_template(j, conf_place_of(&route->item, "rewrite", 0), path, "rewrite", route->rewrite,
                   TEMPLATE_PATH);
    for (size_t i = 0; i < to->sse.count; i++)
        judge_template(j, conf_place_of(&to->item, "sse", i), path, "sse", sse[i], TEMPLATE_FILTER);
    for (size_t i = 0; i < websocket->subscribe.count; i++)
        judge_template(j, conf_place_of(&websocket->item, "subscribe", i), path,
                       "websocket.subscribe", subscribe[i], TEMPLATE_FILTER);
}

/* --- headers -----------------------------------------------------------------------------------
 */

/* Whether http/ writes the field itself, or it speaks of one connection alone: what a route said
   of it would break the message's framing or be dropped. */
static bool is_of_the_connection(slice name) {
    static const slice names[] = {
        slice_lit("Connection"), slice_lit("Content-Length"),    slice_lit("Expect"),
        slice_lit("Keep-Alive"), slice_lit("Proxy-Connection"),  slice_lit("TE"),
        slice_lit("Trailer"),    slice_lit("Transfer-Encoding"), slice_lit("Upgrade"),
    };
    for (size_t i = 0; i < array_count(names); i++)
        if (slice_equal_nocase(name, names[i]))
            return true;
    return false;
}

static void judge_set(const struct judge *j, const struct conf_array *pairs) {
    const struct conf_pair *items = pairs->items;
    for (size_t i = 0; i < pairs->count; i++) {
        slice name = items[i].item.name;
        struct url_authority host;
        if (!http1_is_token(name))
            note(j, items[i].item.place, "letters, digits and '-'",
                 "'%.*s' is not the name of a header", slice_fmt(slice_take(name, 64)));
        else if (is_of_the_connection(name))
            note(j, items[i].item.place, "take it out",
                 "the header %.*s says how a connection is used; the gateway writes it itself",
                 slice_fmt(name));
        else if (slice_equal_nocase(name, slice_lit("Host")) &&
                 (url_parse_authority(items[i].text, &host) || host.user.ptr))
            note(j, items[i].item.place, "shop.example, or shop.example:8080", "'%.*s' is no host",
                 slice_fmt(slice_take(items[i].text, 64)));
    }
}

static void judge_fields(const struct judge *j, const struct gateway_fields_config *fields) {
    const slice *removed = fields->remove.items;
    judge_set(j, &fields->set);
    judge_set(j, &fields->add);
    for (size_t i = 0; i < fields->remove.count; i++)
        if (slice_equal_nocase(removed[i], slice_lit("Content-Length")) ||
            slice_equal_nocase(removed[i], slice_lit("Transfer-Encoding")) ||
            slice_equal_nocase(removed[i], slice_lit("Connection")))
            note(j, conf_place_of(&fields->item, "remove", i), "take it out",
                 "the header %.*s says how a connection is used; the gateway writes it itself",
                 slice_fmt(removed[i]));
}

/* --- targets -----------------------------------------------------------------------------------
 */

static void judge_http(const struct judge *j, const struct gateway_to *to) {
    const int64_t *weights = to->weights.items;
    struct conf_place weights_place = conf_place_of(&to->item, "weights", SIZE_MAX);
    int64_t sum = 0;
    for (size_t i = 0; i < to->weights.count; i++) {
        sum += weights[i];
        if (weights[i] < 0 || weights[i] > 1000)
            note(j, conf_place_of(&to->item, "weights", i), "0 to 1000",
                 "a weight is outside its range");
    }
    if (to->weights.count && to->weights.count != to->http.count)
        note(j, weights_place, "one for each service, in the same order",
             "there are %zu weights for %zu services", to->weights.count, to->http.count);
    else if (to->weights.count && sum == 0)
        note(j, weights_place, "give one of them more",
             "every weight is 0: no service would be asked");
    bool key = to->hash_header.len || to->hash_cookie.len;
    if (to->hash_header.len && to->hash_cookie.len)
        note(j, conf_place_of(&to->item, "hash_cookie", 0), "take one of them out",
             "hash_header and hash_cookie are both given");
    if (key && to->balance != GATEWAY_HASH)
        note(j, conf_place_of(&to->item, to->hash_header.len ? "hash_header" : "hash_cookie", 0),
             "write balance: hash", "a hash key without balance: hash");
    if ((to->tls.cert.len > 0) != (to->tls.key.len > 0))
        note(j, to->tls.item.place, NULL, "cert and key of tls go together");
}

/* Whoever appends is named in what he appends, so somebody must have let him in. */
static void judge_node(const struct judge *j, const struct gateway_route_config *route) {
    const struct gateway_to *to = &route->to;
    const slice *ways = route->auth.items;
    bool events = slice_equal(to->node, slice_lit("events"));
    bool anybody = !route->auth.count || slice_equal(ways[0], slice_lit("none"));
    if (j->setting->no_admin)
        note(j, conf_place_of(&to->item, "node", 0),
             "give listen.admin an address with a port of its own",
             "a route to the node's own APIs finds no admin listener");
    if (!events && to->categories.count)
        note(j, conf_place_of(&to->item, "categories", SIZE_MAX), "write node: events",
             "categories have nothing to do with node: %.*s", slice_fmt(to->node));
    if (!events && to->read_only)
        note(j, conf_place_of(&to->item, "read_only", 0), "write node: events",
             "read_only has nothing to do with node: %.*s", slice_fmt(to->node));
    if (events && anybody && !to->read_only)
        note(j, route->item.place, "name a way of gateway.auth, or write read_only: true",
             "anybody might append events, and they would not tell who did");
    if (events && route->request_headers.item.given)
        note(j, route->request_headers.item.place, "take it out",
             "request_headers has nothing to do here: node: events is told what it needs");
}

/* RFC 9110 15.3.5, 15.3.6, 15.4.5. */
static bool has_no_body(int64_t status) {
    return status == 204 || status == 205 || status == 304;
}

static void judge_to(const struct judge *j, const struct gateway_route_config *route) {
    const struct gateway_to *to = &route->to;
    bool proxied = to->http.count || to->node.len;
    if (to->http.count)
        judge_http(j, to);
    if (to->node.len)
        judge_node(j, route);
    if (to->websocket.item.given && !to->websocket.subscribe.count && !to->websocket.publish.len)
        note(j, to->websocket.item.place, "give one of them",
             "websocket needs subscribe or publish");
    if (to->status && to->status != 301 && to->status != 302 && to->status != 303 &&
        to->status < 307)
        note(j, conf_place_of(&to->item, "status", 0), "301, 302, 303, 307 or 308",
             "status %lld is no redirect", (long long)to->status);
    if (to->respond.body.len && has_no_body(to->respond.status))
        note(j, conf_place_of(&to->respond.item, "body", 0),
             "take it out, or choose another status",
             "an answer of status %lld has no body (RFC 9110)", (long long)to->respond.status);
    if (route->exchange_timeout_ns && (to->sse.count || to->websocket.item.given))
        note(j, conf_place_of(&route->item, "exchange_timeout", 0),
             "take it out: the client's going ends it, or the node's stop",
             "exchange_timeout has nothing to do where an answer has no end");
    if (route->rewrite.len && !proxied)
        note(j, conf_place_of(&route->item, "rewrite", 0),
             "only http and node are asked for a path", "rewrite has nothing to do here");
    if (route->request_headers.item.given && !proxied)
        note(j, route->request_headers.item.place, "only http and node are told headers",
             "request_headers has nothing to do here");
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
        struct conf_place place = conf_place_of(&route->item, "auth", i);
        bool none = slice_equal(names[i], slice_lit("none"));
        if (none && route->auth.count > 1)
            note(j, place, "write none alone, or take it out",
                 "auth names none beside a way: anybody would be let in");
        else if (!none && !is_way(j, names[i]))
            note(j, place, "ways are declared in gateway.auth",
                 "auth names '%.*s', which gateway.auth does not have",
                 slice_fmt(slice_take(names[i], 64)));
    }
    if (!route->auth.count && j->setting->http_exposed)
        note(j, route->item.place, "auth: none is a statement; --insecure asks for none",
             "a route of a listener off loopback does not say who may use it");
}

/* What the key can check, as far as is known before files are read and sets fetched. A secret is as
   long as the hash at least (RFC 7518 3.2). */
static uint32_t signatures_of(const struct gateway_jwt *jwt) {
    if (jwt->secret.len)
        return IO_SIGNATURE_BIT(IO_HS256) |
               (jwt->secret.len >= 48 ? IO_SIGNATURE_BIT(IO_HS384) : 0) |
               (jwt->secret.len >= 64 ? IO_SIGNATURE_BIT(IO_HS512) : 0);
    return jwt->public_key.len ? IO_SIGNATURES_PUBLIC : IO_SIGNATURES_PUBLIC | IO_SIGNATURES_HMAC;
}

static void judge_algorithms(const struct judge *j, const struct gateway_jwt *jwt) {
    const slice *names = jwt->algorithms.items;
    for (size_t i = 0; i < jwt->algorithms.count; i++) {
        struct conf_place place = conf_place_of(&jwt->item, "algorithms", i);
        enum io_signature algorithm;
        if (io_signature_named(names[i], &algorithm))
            note(j, place, "RS256, PS256, ES256, EdDSA, HS256 and their longer kin",
                 "'%.*s' is not an algorithm", slice_fmt(slice_take(names[i], 32)));
        else if (!(signatures_of(jwt) & IO_SIGNATURE_BIT(algorithm)))
            note(j, place,
                 "HS algorithms go with a secret as long as their hash, the others with public "
                 "keys",
                 "'%.*s' does not go with this key", slice_fmt(names[i]));
    }
}

static void judge_jwt(const struct judge *j, const struct gateway_jwt *jwt) {
    int sources = (jwt->jwks_url.len > 0) + (jwt->jwks_file.len > 0) + (jwt->public_key.len > 0) +
                  (jwt->secret.len > 0);
    if (!jwt->item.given || jwt->item.faulty)
        return;
    if (sources != 1)
        note(j, jwt->item.place, NULL,
             "jwt needs exactly one of: jwks_url, jwks_file, public_key, secret");
    judge_algorithms(j, jwt);
}

/* The certificate authorities CA of the section ITEM go with a URL that asks for TLS. */
static void judge_ca(const struct judge *j, const struct conf_item *item, slice ca, slice url) {
    slice https = slice_lit("https:");
    if (ca.len && !slice_equal_nocase(slice_take(url, https.len), https))
        note(j, conf_place_of(item, "ca", 0), "take it out, or write https://",
             "ca has nothing to do here: the URL is not https");
}

static void judge_ways(const struct judge *j) {
    const struct gateway_auth_config *ways = j->config->auth.items;
    for (size_t i = 0; i < j->config->auth.count; i++) {
        if (slice_equal(ways[i].item.name, slice_lit("none")))
            note(j, ways[i].item.place, NULL, "'none' cannot be the name of a way");
        judge_jwt(j, &ways[i].jwt);
        if (ways[i].jwt.jwks_url.len)
            judge_ca(j, &ways[i].jwt.item, ways[i].jwt.ca, ways[i].jwt.jwks_url);
        judge_ca(j, &ways[i].forward.item, ways[i].forward.ca, ways[i].forward.url);
        if (ways[i].basic.item.given && !j->setting->has_users)
            note(j, ways[i].item.place, "add auth.users with user and password",
                 "basic has no users to let in");
        if (ways[i].client_certificate.item.given && !j->setting->http_verifies)
            note(j, ways[i].item.place, "set listen.http.tls with ca and verify: true",
                 "the http listener asks no client for a certificate");
    }
}

static void judge_limits(const struct judge *j, const struct gateway_route_config *route) {
    const struct gateway_limit_config *limits = route->limit.items;
    for (size_t i = 0; i < route->limit.count; i++)
        if (!limits[i].item.faulty && limits[i].rate.count == 0)
            note(j, conf_place_of(&limits[i].item, "rate", 0), "a rate such as 10/s",
                 "a rate of 0 lets nobody in");
}

static void judge_cors(const struct judge *j, const struct gateway_route_config *route) {
    const struct gateway_cors_config *cors = &route->cors;
    const slice *origins = cors->origins.items;
    for (size_t i = 0; i < cors->origins.count; i++) {
        struct conf_place place = conf_place_of(&cors->item, "origins", i);
        bool any = slice_equal(origins[i], slice_lit("*"));
        if (any && cors->credentials)
            note(j, place, "name the origins", "credentials do not go with every origin");
        if (origin_pattern_check(origins[i]))
            note(j, place, "scheme://host[:port], without a path", "'%.*s' is not an origin",
                 slice_fmt(slice_take(origins[i], 64)));
    }
}

/* --- routes ------------------------------------------------------------------------------------
 */

static void ignore_request(void *owner, struct http_request *request) {
    (void)owner;
    (void)request;
}

/* Says what of ROUTE's match cannot be: its host, or, where that is not it, its path or a
   condition. */
static int note_match(const struct judge *j, const struct gateway_route_config *route) {
    struct arena scratch _cleanup_arena_ = arena_make(0, 1u << 20);
    struct gateway_match hostless = route->match;
    struct http_routes *table;
    int failed = http_routes_create(&table);
    if (failed)
        return failed;
    hostless.host = (slice){0};
    failed = route_match_add(table, &hostless, ignore_request, NULL, 0, &scratch);
    http_routes_unref(table);
    if (failed == -EINVAL)
        note(j, route->match.item.place,
             "/word, /{name}, each name once, or /* at the end; at most 8 conditions",
             "the path '%.*s' or a condition makes no sense",
             slice_fmt(slice_take(route->match.path, 64)));
    else if (!failed)
        note(j, conf_place_of(&route->match.item, "host", 0),
             "a name without a port, or *.name for every name below it",
             "the host '%.*s' is not a name", slice_fmt(slice_take(route->match.host, 64)));
    return failed == -EINVAL ? 0 : failed;
}

static int judge_match(const struct judge *j, struct http_routes *table,
                       const struct gateway_route_config *route) {
    struct arena scratch _cleanup_arena_ = arena_make(0, 1u << 20);
    struct conf_place place = route->match.item.place;
    int failed = route_match_add(table, &route->match, ignore_request, NULL, 0, &scratch);
    if (!failed && route->cors.item.given)
        failed = route_match_add_preflights(table, &route->match, ignore_request, NULL, &scratch);
    if (failed == -EINVAL)
        failed = note_match(j, route);
    else if (failed == -EEXIST)
        note(j, place, "make one of them more specific", "another route is for the same requests");
    else if (failed == -ENOBUFS)
        note(j, place, NULL, "too many routes or conditions");
    return failed == -ENOMEM ? failed : 0;
}

/* Figures, log lines and limits go by a route's name. NAMES: of the COUNT routes before this one,
   with room for it. */
static int judge_name(const struct judge *j, const struct gateway_route_config *route, slice *names,
                      size_t count, struct arena *arena) {
    int failed = route->name.len ? 0 : route_match_name(&route->match, arena, &names[count]);
    if (failed)
        return failed;
    if (route->name.len)
        names[count] = route->name;
    for (size_t i = 0; i < count; i++)
        if (slice_equal(names[i], names[count])) {
            note(j, conf_place_of(&route->item, "name", 0), "give it a name of its own",
                 "another route is called '%.*s', too", slice_fmt(slice_take(names[count], 128)));
            break;
        }
    return 0;
}

static void judge_route(const struct judge *j, const struct gateway_route_config *route) {
    if (slice_equal(route->name, slice_lit("none")))
        note(j, conf_place_of(&route->item, "name", 0), "choose another",
             "a route cannot be called none: that is what no route is for");
    judge_templates(j, route);
    judge_to(j, route);
    judge_fields(j, &route->request_headers);
    judge_fields(j, &route->response_headers);
    judge_route_auth(j, route);
    judge_limits(j, route);
    judge_cors(j, route);
}

static void judge_routes(const struct judge *j) {
    struct arena arena _cleanup_arena_ = arena_make(0, NAMES_BYTES_MAX);
    const struct gateway_route_config *routes = j->config->routes.items;
    slice *names = arena_zalloc(&arena, j->config->routes.count, sizeof *names);
    struct http_routes *table = NULL;
    size_t named = 0;
    int failed = names ? http_routes_create(&table) : -ENOMEM;
    for (size_t i = 0; i < j->config->routes.count && !failed; i++) {
        const struct gateway_route_config *route = &routes[i];
        if (route->item.faulty || route->match.item.faulty || route->to.item.faulty)
            continue;
        failed = judge_match(j, table, route);
        if (!failed)
            failed = judge_name(j, route, names, named++, &arena);
        judge_route(j, route);
    }
    if (failed)
        note(j, j->config->item.place, NULL, "no memory to check the routes");
    http_routes_unref(table);
}

void gateway_judge(const void *section, const struct room_setting *setting,
                   struct conf_errors *errors) {
    struct judge j = {section, setting, errors};
    const slice *proxies = j.config->trusted_proxies.items;
    for (size_t i = 0; i < j.config->trusted_proxies.count; i++) {
        struct ip_network network;
        if (ip_network_parse(proxies[i], &network))
            note(&j, conf_place_of(&j.config->item, "trusted_proxies", i),
                 "an address, or network/bits with zeroes behind the bits",
                 "'%.*s' in trusted_proxies is not a network",
                 slice_fmt(slice_take(proxies[i], 64)));
    }
    judge_ways(&j);
    judge_routes(&j);
}
