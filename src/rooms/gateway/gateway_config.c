/*
 * gateway_config.c - the tables of section `gateway` and of its routes (gateway_config.h).
 *
 * Checks of one value are here, as the key's `judge`; what must agree between keys is in
 * gateway_judge.c. Docs and examples of the keys make docs/gateway.md.
 */
#include "rooms/gateway/gateway_config.h"

#include "base/ip.h"
#include "http/routes.h"
#include "wire/http1_write.h"
#include "wire/url.h"

#include <errno.h>

#define AT(type, member) .offset = offsetof(type, member)
#define TABLE(keys_, name_, doc_, type)                                                            \
    { .name = name_, .doc = doc_, .keys = keys_, .count = array_count(keys_), .size = sizeof(type) }
#define MS UINT64_C(1000000)
#define SECOND (1000 * MS)
#define KIB UINT64_C(1024)
#define MIB (1024 * KIB)
#define HEADER_VALUE_MAX 4096u

static int judge_header_value(slice text, struct error *e) {
    if (text.len > HEADER_VALUE_MAX)
        return error_set(e, -EINVAL, "has %zu bytes, a header's value at most %u", text.len,
                         HEADER_VALUE_MAX);
    if (http1_is_value(text))
        return 0;
    error_set(e, -EINVAL, "cannot be sent: it has control bytes in it");
    error_hint(e, "one line of text; what has several lines is several headers");
    return -EINVAL;
}

static int judge_resolver(slice text, struct error *e) {
    struct url_authority server;
    struct ip ip;
    if (url_parse_authority(text, &server) == 0 && !server.user.ptr &&
        ip_parse(server.host, &ip) == 0 && (!server.has_port || server.port > 0))
        return 0;
    error_set(e, -EINVAL, "is not the address of a DNS server: '%.*s'",
              slice_fmt(slice_take(text, 64)));
    error_hint(e, "numbers, with a port where it is not 53: 10.0.0.2, 127.0.0.1:5353, [::1]:53");
    return -EINVAL;
}

/* --- tables ------------------------------------------------------------------------------------
 */

static const struct conf_key match_keys[] = {
    {.name = "host",
     .type = CONF_STRING,
     AT(struct gateway_match, host),
     .min = 1,
     .max = 253,
     .doc = "name the client asks for, or *.name for every name below it; left out: any",
     .example = "host: \"*.shop.example\""},
    {.name = "path",
     .type = CONF_STRING,
     AT(struct gateway_match, path),
     .fallback = "/*",
     .min = 1,
     .max = 1024,
     .doc = "/word, /{name} for one segment, /* at the end for the rest",
     .example = "path: \"/auctions/{id}\""},
    {.name = "method",
     .type = CONF_LIST,
     .of = CONF_STRING,
     AT(struct gateway_match, method),
     .flags = CONF_ALONE,
     .max = 16,
     .judge = gateway_judge_method,
     .doc = "GET answers HEAD too; left out: any",
     .example = "method: [GET, POST]"},
    {.name = "headers",
     .type = CONF_MAP,
     .of = CONF_STRING,
     AT(struct gateway_match, headers),
     .max = 8,
     .doc = "headers that must have this value; \"*\": any value",
     .example = "headers: {X-Version: \"2\"}"},
    {.name = "query",
     .type = CONF_MAP,
     .of = CONF_STRING,
     AT(struct gateway_match, query),
     .max = 8,
     .doc = "arguments that must have this value; \"*\": any value",
     .example = "query: {preview: \"*\"}"},
};
static const struct conf_table match_table =
    TABLE(match_keys, "match", "Which requests a route is for; the most specific route wins",
          struct gateway_match);

static const struct conf_key fields_keys[] = {
    {.name = "set",
     .type = CONF_MAP,
     .of = CONF_STRING,
     AT(struct gateway_fields_config, set),
     .max = 32,
     .judge = judge_header_value,
     .doc = "put in the place of what is there",
     .example = "set: {X-Frame-Options: DENY}"},
    {.name = "add",
     .type = CONF_MAP,
     .of = CONF_STRING,
     AT(struct gateway_fields_config, add),
     .max = 32,
     .judge = judge_header_value,
     .doc = "put beside what is there",
     .example = "add: {Vary: Accept}"},
    {.name = "remove",
     .type = CONF_LIST,
     .of = CONF_STRING,
     AT(struct gateway_fields_config, remove),
     .flags = CONF_ALONE,
     .max = 32,
     .judge = gateway_judge_header,
     .doc = "taken out",
     .example = "remove: [Server, X-Powered-By]"},
};
static const struct conf_table fields_table =
    TABLE(fields_keys, "headers", "Changes to headers: remove, then set, then add",
          struct gateway_fields_config);

static const struct conf_key route_keys[] = {
    {.name = "name",
     .type = CONF_STRING,
     AT(struct gateway_route_config, name),
     .min = 1,
     .max = 128,
     .doc = "in metrics, logs and limits, no two alike; left out: its method, host, path and "
            "conditions",
     .example = "name: bids"},
    {.name = "match",
     .type = CONF_SECTION,
     AT(struct gateway_route_config, match),
     .table = &match_table,
     .doc = "which requests it is for",
     .example = "match: {method: POST, path: /bids}"},
    {.name = "to",
     .type = CONF_SECTION,
     AT(struct gateway_route_config, to),
     .flags = CONF_REQUIRED,
     .table = &gateway_to_table,
     .doc = "where they go",
     .example = "to: {publish: bid.new, durable: true}"},
    {.name = "auth",
     .type = CONF_LIST,
     .of = CONF_STRING,
     AT(struct gateway_route_config, auth),
     .flags = CONF_ALONE,
     .max = 8,
     .doc = "ways of gateway.auth, of which one must let the request in, or none; off loopback "
            "every route must say which",
     .example = "auth: [api-keys]"},
    {.name = "limit",
     .type = CONF_LIST,
     .of = CONF_SECTION,
     AT(struct gateway_route_config, limit),
     .flags = CONF_ALONE,
     .max = GATEWAY_LIMITS_MAX,
     .table = &gateway_limit_table,
     .doc = "how often",
     .example = "limit: {per: client, rate: 100/s, burst: 200}"},
    {.name = "concurrency",
     .type = CONF_INT,
     AT(struct gateway_route_config, concurrency),
     .fallback = "unlimited",
     .zero_word = "unlimited",
     .min = 1,
     .max = 1000000,
     .doc = "requests under way at a time on each shard, more get 503",
     .example = "concurrency: 200"},
    {.name = "exchange_timeout",
     .type = CONF_DURATION,
     AT(struct gateway_route_config, exchange_timeout_ns),
     .fallback = "unlimited",
     .zero_word = "unlimited",
     .min = 10 * MS,
     .max = 86400 * SECOND,
     .doc = "for a whole request, from its first byte until the last of the answer is given to the "
            "client's connection: then 504, or the end of a connection whose answer has begun",
     .example = "exchange_timeout: 2m"},
    {.name = "max_body",
     .type = CONF_SIZE,
     AT(struct gateway_route_config, max_body),
     .fallback = "1MB",
     .min = 1,
     .max = 1024 * 1024 * MIB,
     .doc =
         "of a request's body, larger ones get 413, and of a message on a WebSocket, larger ones "
         "close it (1009); bodies to http are streamed, those to subjects are held and bounded "
         "by limits.max_payload as well",
     .example = "max_body: 20MB"},
    {.name = "rewrite",
     .type = CONF_STRING,
     AT(struct gateway_route_config, rewrite),
     .min = 1,
     .max = 1024,
     .doc = "path that http and node are asked for, {name} as in path; the query is kept",
     .example = "rewrite: \"/v2/{*}\""},
    {.name = "request_headers",
     .type = CONF_SECTION,
     AT(struct gateway_route_config, request_headers),
     .table = &fields_table,
     .doc = "changes to what http is told",
     .example = "request_headers: {remove: [Cookie]}"},
    {.name = "response_headers",
     .type = CONF_SECTION,
     AT(struct gateway_route_config, response_headers),
     .table = &fields_table,
     .doc = "changes to what the client is told",
     .example = "response_headers: {set: {X-Frame-Options: DENY}}"},
    {.name = "cors",
     .type = CONF_SECTION,
     AT(struct gateway_route_config, cors),
     .table = &gateway_cors_table,
     .doc = "which pages' scripts may ask",
     .example = "cors: {origins: https://shop.example}"},
};
static const struct conf_table route_table =
    TABLE(route_keys, "route", "What happens to some requests", struct gateway_route_config);

static const struct conf_key access_log_keys[] = {
    {.name = "path",
     .type = CONF_PATH,
     AT(struct gateway_access_log_config, path),
     .flags = CONF_REQUIRED,
     .doc = "file that a line of JSON is appended to for each request; opened anew at a reload",
     .example = "path: access.ndjson"},
};
static const struct conf_table access_log_table = TABLE(
    access_log_keys, "access_log", "A line for each request", struct gateway_access_log_config);

static const struct conf_key limits_keys[] = {
    {.name = "connections",
     .type = CONF_INT,
     AT(struct gateway_limits_config, connections),
     .fallback = "20000",
     .min = 1,
     .max = 1000000,
     .doc = "clients at a time; beyond that the one idle for longest makes room, else 503",
     .example = "connections: 50000"},
    {.name = "head_timeout",
     .type = CONF_DURATION,
     AT(struct gateway_limits_config, head_timeout_ns),
     .fallback = "10s",
     .min = 10 * MS,
     .max = 3600 * SECOND,
     .doc = "from a request's first byte to the end of its headers, then 408",
     .example = "head_timeout: 5s"},
    {.name = "body_timeout",
     .type = CONF_DURATION,
     AT(struct gateway_limits_config, body_timeout_ns),
     .fallback = "30s",
     .min = 10 * MS,
     .max = 3600 * SECOND,
     .doc = "for each 64 KB of a body, then 408",
     .example = "body_timeout: 10s"},
    {.name = "idle_timeout",
     .type = CONF_DURATION,
     AT(struct gateway_limits_config, idle_timeout_ns),
     .fallback = "60s",
     .min = 10 * MS,
     .max = 3600 * SECOND,
     .doc = "a connection without requests is closed",
     .example = "idle_timeout: 2m"},
    {.name = "write_timeout",
     .type = CONF_DURATION,
     AT(struct gateway_limits_config, write_timeout_ns),
     .fallback = "30s",
     .min = 10 * MS,
     .max = 3600 * SECOND,
     .doc = "a client that takes nothing of its answer for so long is cut off",
     .example = "write_timeout: 10s"},
};
static const struct conf_table limits_table =
    TABLE(limits_keys, "limits", "Bounds of the http listener; changes take effect at a start",
          struct gateway_limits_config);

static const struct conf_key gateway_keys[] = {
    {.name = "routes",
     .type = CONF_LIST,
     .of = CONF_SECTION,
     AT(struct gateway_config, routes),
     .max = GATEWAY_ROUTES_MAX,
     .table = &route_table,
     .doc = "what is served, in any order",
     .example = "routes: [{match: {path: /live}, to: {sse: \"bid.>\"}}]"},
    {.name = "auth",
     .type = CONF_MAP,
     .of = CONF_SECTION,
     AT(struct gateway_config, auth),
     .max = GATEWAY_AUTH_MAX,
     .table = &gateway_auth_table,
     .doc = "ways to say who asks, by name",
     .example = "auth: {staff: {basic: {realm: back office}}}"},
    {.name = "access_log",
     .type = CONF_SECTION,
     AT(struct gateway_config, access_log),
     .table = &access_log_table,
     .doc = "a line for each request; left out: none",
     .example = "access_log: {path: access.ndjson}"},
    {.name = "trusted_proxies",
     .type = CONF_LIST,
     .of = CONF_STRING,
     AT(struct gateway_config, trusted_proxies),
     .flags = CONF_ALONE,
     .max = 64,
     .doc = "addresses or networks whose X-Forwarded-* and Forwarded are believed",
     .example = "trusted_proxies: [10.0.0.0/8]"},
    {.name = "resolver",
     .type = CONF_LIST,
     .of = CONF_STRING,
     AT(struct gateway_config, resolver),
     .flags = CONF_ALONE,
     .max = GATEWAY_RESOLVERS_MAX,
     .judge = judge_resolver,
     .doc = "DNS servers that the names of http services are asked of, in this order, port 53 "
            "where none is given; left out: those of /etc/resolv.conf",
     .example = "resolver: [\"10.0.0.2\", \"10.0.0.3:5353\"]"},
    {.name = "limits",
     .type = CONF_SECTION,
     AT(struct gateway_config, limits),
     .table = &limits_table,
     .doc = "bounds of the listener",
     .example = "limits: {connections: 50000}"},
};
static const struct conf_table gateway_table =
    TABLE(gateway_keys, "gateway", "The front door: HTTP routes", struct gateway_config);

const struct conf_key gateway_key = {
    .name = "gateway",
    .type = CONF_SECTION,
    .table = &gateway_table,
    .doc = "the HTTP front door",
};
